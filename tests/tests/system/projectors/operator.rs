//! Somebody at the controls of the orders' read model who waits for nothing: rebuilds, some of them killed, resets, halts.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use system_tests::World;
use tokio::task::JoinHandle;

use crate::{
    PATIENCE, blocking,
    doctor::{command, offset_zero},
};

const REBUILD: [&str; 2] = ["rebuild", "orders"];
const VERIFIED: [&str; 3] = ["rebuild", "orders", "--verify"];
const RESET: [&str; 3] = ["projections", "reset", "orders"];
const PAUSE: [&str; 3] = ["projections", "pause", "orders"];
const RESUME: [&str; 3] = ["projections", "resume", "orders"];
/// A rebuild of so few events takes some 300 ms.
const MAX_DELAY_MS: u64 = 400;

/// Goes on until it is told to stop.
pub(super) struct Operator {
    stopping: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Operator {
    pub(super) fn start(world: &Arc<World>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let (world, stop) = (Arc::clone(world), Arc::clone(&stopping));
        let task = tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                act(&world).await;
            }
            insist(&world, &RESUME).await;
            insist(&world, &VERIFIED).await;
        });
        Self { stopping, task }
    }

    /// Leaves the projection fed, and of another version than the first.
    pub(super) async fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        self.task.await.expect("does not panic");
    }
}

/// Does something or other. While Postgres or the broker is away, it fails.
async fn act(world: &World) {
    let delay = Duration::from_millis(fastrand::u64(..MAX_DELAY_MS));
    match fastrand::u8(..4) {
        0 => drop(run(world, &REBUILD).await),
        1 => drop(run(world, &RESET).await),
        2 => run_and_kill(world, &REBUILD, delay).await,
        _ => {
            run(world, &PAUSE).await;
            tokio::time::sleep(delay).await;
            run(world, &RESUME).await;
        }
    }
}

/// Until it is done: Postgres lets go of what a killed rebuild has held only after a while.
async fn insist(world: &World, arguments: &[&str]) {
    let begun = Instant::now();
    while !run(world, arguments).await {
        assert!(begun.elapsed() < PATIENCE, "{arguments:?} fails");
    }
}

async fn run(world: &World, arguments: &[&str]) -> bool {
    let output = offset_zero(world, arguments).await;
    let why = String::from_utf8_lossy(&output.stderr);
    println!(
        "operator: {arguments:?}: {} {}",
        output.status,
        why.lines().last().unwrap_or_default()
    );
    output.status.success()
}

async fn run_and_kill(world: &World, arguments: &[&str], after: Duration) {
    let mut command = command(world, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    println!("operator: {arguments:?}, killed after {after:?}");
    blocking(move || {
        let mut running = command.spawn().expect("it runs");
        std::thread::sleep(after);
        running.kill().expect("killed, or over");
        running.wait().expect("over");
    })
    .await;
}
