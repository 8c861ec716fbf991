//! What is wrong with the log: owners, transactions, events.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::Result;
use domain::{
    Context, cart::Carts, notification::Notifications, order::Orders, payment::Payments,
    product::Products, shipping::Shipments, topics,
};
use event_store::{LogError, Owned, OwnershipRecord, audit, kafka::KafkaLog, log::Log};
use tokio::task::spawn_blocking;

use super::{Findings, UNREADABLE, pace::Pace};
use crate::{
    args::Target,
    client,
    owners::{Place, places},
};

/// Every service, and the topics whose streams are its own.
const SERVICES: [Owned; 6] = [
    owned::<Products>(),
    owned::<Carts>(),
    owned::<Orders>(),
    owned::<Payments>(),
    owned::<Shipments>(),
    owned::<Notifications>(),
];

/// A transaction ends with its timeout (10 s) and the broker's scan interval (10 s by default).
const TRANSACTIONS_END_WITHIN: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_millis(250);
/// Between two lines on how far the reading is.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

const fn owned<C: Context>() -> Owned {
    Owned {
        service: C::SERVICE,
        topics: C::TOPICS,
    }
}

/// Whether a broker answers; nothing else can be looked at before.
pub(super) async fn is_reachable(
    log: &KafkaLog,
    target: &Target,
    findings: &mut Findings,
) -> Result<bool> {
    let asked = log.clone();
    let cluster = spawn_blocking(move || asked.cluster_id()).await?;
    match &cluster {
        Ok(cluster) => findings.well("kafka", format!("cluster {cluster} answers")),
        Err(error) => findings.wrong(
            "kafka",
            format!("{}: {error}", target.kafka.brokers),
            "start the brokers, name others with --kafka-brokers, or say with --kafka-property how they want to be spoken to \
             (docs/operating.md)",
        ),
    }
    Ok(cluster.is_ok())
}

/// Whether each partition of each service has an owner that answers, and is ready.
pub(super) async fn owners(log: &KafkaLog, partitions: i32, findings: &mut Findings) -> Result<()> {
    let before = findings.0.len();
    let asked = log.clone();
    let services = SERVICES.map(|owned| owned.service);
    let places = match spawn_blocking(move || places(&asked, services, partitions)).await? {
        Ok(places) => places,
        Err(error) => {
            findings.wrong("owners", error.to_string(), UNREADABLE);
            return Ok(());
        }
    };
    let alive = look_at_owners(&places, findings).await;
    for address in alive {
        look_at_readiness(&address, findings).await;
    }
    let detail = format!(
        "{} partitions have owners that answer, and are ready",
        places.len()
    );
    findings.well_if_none_since(before, "owners", detail);
    Ok(())
}

/// Answers the addresses of those that are alive.
async fn look_at_owners(places: &[Place], findings: &mut Findings) -> Vec<String> {
    const NOBODY: &str = "start a command API that runs the service (--services)";
    let mut alive: BTreeMap<String, bool> = BTreeMap::new();
    for (service, partition, owner) in places {
        match owner {
            None => findings.wrong(
                "owners",
                format!("nobody has ever owned {service}-{partition}"),
                NOBODY,
            ),
            Some(OwnershipRecord { released: true, .. }) => {
                findings.wrong(
                    "owners",
                    format!("nobody owns {service}-{partition} now"),
                    NOBODY,
                );
            }
            Some(OwnershipRecord { address, .. }) => {
                let is_alive = match alive.get(address) {
                    Some(is_alive) => *is_alive,
                    None => client::is_live(&format!("http://{address}")).await,
                };
                alive.insert(address.clone(), is_alive);
                if !is_alive {
                    findings.wrong(
                        "owners",
                        format!("{service}-{partition} is owned by {address}, which does not answer /health/live"),
                        "start that process again, or another one that runs the service: it takes over",
                    );
                }
            }
        }
    }
    let alive = alive.into_iter().filter(|(_, is_alive)| *is_alive);
    alive.map(|(address, _)| address).collect()
}

/// Whether a process that is alive can do its work: one that cannot takes no commands for what it owns.
async fn look_at_readiness(address: &str, findings: &mut Findings) {
    if let Some(why) = client::unready(&format!("http://{address}")).await {
        findings.wrong(
            "owners",
            format!("{address} is alive, and not ready: {why}"),
            "see to what it names, and its log; docs/operating.md says what stands behind it",
        );
    }
}

/// Whether a transaction that nobody ends hides what comes after it.
pub(super) async fn transactions(log: &KafkaLog, findings: &mut Findings) -> Result<()> {
    const REMEDY: &str = "find it with `kafka-transactions.sh find-hanging`, and end it with `kafka-transactions.sh abort`";
    let asked = log.clone();
    let held = spawn_blocking(move || held_back(&asked)).await?;
    match held {
        Ok(held) if held.is_empty() => {
            findings.well("transactions", "none is left hanging");
        }
        Ok(held) => {
            for (topic, partition, stable) in held {
                let detail = format!(
                    "{topic}/{partition} can be read to offset {stable} only, for more than {} s",
                    TRANSACTIONS_END_WITHIN.as_secs()
                );
                findings.wrong("transactions", detail, REMEDY);
            }
        }
        Err(error) => findings.wrong("transactions", error.to_string(), UNREADABLE),
    }
    Ok(())
}

/// Partitions whose readers have stood at one offset for longer than any transaction may take, with more behind it.
fn held_back(log: &KafkaLog) -> Result<Vec<(&'static str, i32, i64)>, LogError> {
    let mut held = Vec::new();
    for topic in topics::ALL {
        for partition in 0..log.partitions(topic)? {
            let end = log.end_offset(topic, partition)?;
            let stable = log.stable_offset(topic, partition)?;
            if stable < end {
                held.push((topic, partition, stable));
            }
        }
    }
    let until = Instant::now() + TRANSACTIONS_END_WITHIN;
    while !held.is_empty() && Instant::now() < until {
        std::thread::sleep(PAUSE);
        let mut still = Vec::new();
        for (topic, partition, stable) in held {
            if log.stable_offset(topic, partition)? == stable {
                still.push((topic, partition, stable));
            }
        }
        held = still;
    }
    Ok(held)
}

/// Whether all decisions are whole, all events there once, and all streams without a gap.
pub(super) async fn events(log: &KafkaLog, findings: &mut Findings) -> Result<()> {
    const REMEDY: &str = "stop the service, keep the topics as they are, and see docs/operating.md";
    let log = log.clone();
    let audited = spawn_blocking(move || {
        let begun = Instant::now();
        let mut told_at = begun;
        audit(&log, &SERVICES, |passed, total| {
            if told_at.elapsed() >= LINE_INTERVAL {
                told_at = Instant::now();
                let elapsed = begun.elapsed();
                let pace = Pace {
                    passed,
                    total,
                    elapsed,
                };
                pace.tell();
            }
        })
    });
    let audited = audited.await?;
    if std::io::stderr().is_terminal() {
        // What was told of the progress makes room.
        eprint!("\r\x1b[K");
    }
    match audited {
        Err(error) => findings.wrong("events", error.to_string(), UNREADABLE),
        Ok(audited) if audited.findings.is_empty() => {
            let detail = format!("{} events, each once, of whole decisions", audited.events);
            findings.well("events", detail);
        }
        Ok(audited) => {
            for finding in &audited.findings {
                findings.wrong("events", finding.to_string(), REMEDY);
            }
            if audited.more > 0 {
                findings.wrong("events", format!("and {} more", audited.more), REMEDY);
            }
        }
    }
    Ok(())
}
