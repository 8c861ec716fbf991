//! A disk that takes nothing more: what changes is held in memory, nobody is kept waiting, and a restart finds all that happened.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use dev::{
    dirs::Scratch,
    ports,
    process::{Output, Process, Spec},
    services::binary,
};
use system_tests::{Answer, Client, World, client::order, shop};
use uuid::Uuid;

use crate::{PATIENCE, blocking, wait_for_status, world};

/// Long enough to write several times: a writer does so once a second.
const WHILE: Duration = Duration::from_secs(2);

/// A process of the order and product services, whose files can be kept from growing.
struct Limited {
    process: Process,
    client: Client,
}

impl Limited {
    /// Whoever comes back to an address gets its partitions back at once.
    async fn start(world: &World, address: &str, state: &Path) -> Self {
        let mut command = Command::new("sh");
        // A write beyond the limit then answers an error instead of ending the process.
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        command.arg(binary("command-api").expect("it is built"));
        command.args(["--services", "product,order", "--listen", address]);
        command.args(["--kafka-brokers", &world.wiring.brokers]);
        command.args(["--namespace", &world.wiring.namespace]);
        command.args(["--partitions", &world.wiring.partitions.to_string()]);
        command.arg("--state-dir").arg(state);
        // Not to a file, which could not grow either.
        let output = Output::Prefixed("command-api: ".to_owned());
        let spec = Spec::new("command-api", command, output);
        let process = blocking(move || Process::spawn(spec)).await;
        let client = Client::new(&format!("http://{address}"));
        wait_for_status(&client, "/health/ready", 200).await;
        Self {
            process: process.expect("it starts"),
            client,
        }
    }

    /// From here on its disk is as good as full.
    async fn fill_disk(&self) {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &self.process.pid().to_string(), "--fsize=1:1"]);
        let status = blocking(move || command.status()).await;
        assert!(status.expect("prlimit is there").success());
    }

    /// Places orders for a while, and answers them with their keys.
    async fn place(&self) -> Vec<(String, Answer)> {
        let mut placed = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < WHILE {
            let key = Uuid::now_v7().to_string();
            placed.push((key.clone(), self.place_as(&key).await));
        }
        placed
    }

    async fn place_as(&self, key: &str) -> Answer {
        let answer = self.client.post("/v1/orders", key, &order("ada")).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    fn says(&self, what: &str) {
        let is_said = tokio::task::block_in_place(|| self.process.wait_until_said(what, PATIENCE));
        assert!(is_said, "it does not say: {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_nobody_waiting() {
    const FAILED: &str = "states are written no more";
    let world = Arc::new(world().await);
    let scratch = Scratch::new().expect("a scratch folder");
    let state = scratch.path().join("state");
    let address = format!("127.0.0.1:{}", ports::free().expect("a free port"));
    let limited = Limited::start(&world, &address, &state).await;
    shop::fill(&limited.client).await;
    let mut placed = limited.place().await;
    assert!(!limited.process.has_said(FAILED));

    limited.fill_disk().await;
    placed.extend(limited.place().await);
    limited.says(FAILED);
    placed.extend(limited.place().await);
    assert!(!limited.process.has_said("dropping all state"));
    blocking(move || limited.process.kill())
        .await
        .expect("killed");

    let restarted = Limited::start(&world, &address, &state).await;
    restarted.says("from_store=true");
    assert!(
        !restarted.process.has_said("thrown away"),
        "what is on disk is good"
    );
    assert!(!restarted.process.has_said("from_store=false"));
    for (key, first) in placed {
        let again = restarted.place_as(&key).await;
        assert_eq!(again.id(), first.id());
        assert_eq!(again.header("x-position"), first.header("x-position"));
    }
    blocking(move || drop(restarted)).await;
}
