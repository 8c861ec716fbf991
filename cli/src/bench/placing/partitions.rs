//! Placing orders where topics have few partitions, and many: many must not mean many tiny transactions.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use dev::deployment::{Server, Wiring};

use super::{measure_pair, place, start_prototype, start_without_policies};
use crate::{
    bench::{
        journey,
        load::{Pair, Until},
        orders, raw,
    },
    client::post_at,
    running::Running,
};

const COUNTS: [i32; 3] = [1, 4, 16];
const CONNECTIONS: usize = 256;
/// The broker is warm already; the processes are new.
const WARM_UP: Duration = Duration::from_secs(3);

/// What was measured with so many partitions.
pub struct Partitioned {
    pub partitions: i32,
    pub pair: Pair,
}

/// Each number of partitions in a namespace, and with processes, of its own.
pub async fn measure(running: &Arc<Running>, seconds: u64) -> Result<Vec<Partitioned>> {
    let mut measured = Vec::new();
    for partitions in COUNTS {
        eprintln!("placing orders in topics of {partitions} partitions");
        let starting = Arc::clone(running);
        let (ours, prototype) =
            tokio::task::spawn_blocking(move || start(&starting, partitions)).await??;
        let pair = measure_both(&ours, &prototype, seconds).await?;
        tokio::task::spawn_blocking(move || {
            ours.service.stop()?;
            prototype.service.stop()
        })
        .await??;
        measured.push(Partitioned { partitions, pair });
    }
    Ok(measured)
}

fn start(running: &Running, partitions: i32) -> Result<(Server, Server)> {
    let wiring = Wiring {
        namespace: format!("{}partitions-{partitions}-", running.wiring.namespace),
        partitions,
        ..running.wiring.clone()
    };
    let ours = start_without_policies(&wiring)?;
    Ok((ours, start_prototype(running, &wiring)?))
}

/// Has goods that orders can be placed for.
pub async fn open_shop(url: &str) -> Result<()> {
    let positions = journey::fill_shop(url).await?;
    // Whoever prices the orders has to know of it.
    let first = serde_json::from_str(&orders::body(0))?;
    post_at(&format!("{url}/v1/orders"), &positions, &first).await?;
    Ok(())
}

async fn measure_both(ours: &Server, prototype: &Server, seconds: u64) -> Result<Pair> {
    open_shop(&ours.url).await?;
    let addresses = [
        raw::address_of(&ours.url)?,
        raw::address_of(&prototype.url)?,
    ];
    for address in addresses {
        place(address, CONNECTIONS, Until::Elapsed(WARM_UP)).await?;
    }
    measure_pair(addresses, CONNECTIONS, seconds).await
}
