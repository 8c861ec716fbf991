//! An operator sees how far behind a policy is, also while it is held up.

use std::time::Duration;

use domain::policy::Cause;
use event_store::{Doing, Reactor, Recorded, log::Log, memory::MemoryLog};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{sync::watch, time::Instant};

use crate::{
    desk::{DESK_EVENTS, Desk, TICKET_EVENTS, TicketCommand, TicketEvent, Tickets},
    several::{Running, sell},
    suite::{PATIENCE, start, stop, store},
};

/// Is through with an event as soon as it may be.
struct HeldUp(watch::Receiver<bool>);

impl Reactor for HeldUp {
    type Context = Tickets;
    type Event = TicketEvent;

    const NAME: &'static str = "held-up";
    const TOPICS: &'static [&'static str] = &[DESK_EVENTS];

    fn react(&self, _event: &Recorded<TicketEvent>, _cause: Cause) -> Doing<TicketCommand> {
        let mut may = self.0.clone();
        Doing::Effect(Box::pin(async move {
            drop(may.wait_for(|may| *may).await);
            Vec::new()
        }))
    }
}

/// The recorder is one thread's, so that other tests' metrics are not among these; everything that counts runs on it.
#[test]
fn a_policy_tells_how_far_behind_it_is() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(fall_behind(&handle));
    });
}

async fn fall_behind(handle: &PrometheusHandle) {
    let log = MemoryLog::new(&[DESK_EVENTS, TICKET_EVENTS], 2);
    let desk = store::<Desk, _>(&log).await;
    let tickets = store::<Tickets, _>(&log).await;
    for _ in 0..24 {
        sell(&desk, None).await;
    }
    let [first, second] = [0, 1].map(|partition| {
        log.end_offset(DESK_EVENTS, partition)
            .expect("the log answers")
    });
    assert!(first > 0 && second > 0, "of 24 sales some are in each");
    let (may, held_up) = watch::channel(false);
    let running = Running::of(HeldUp(held_up), &log, &tickets);
    until_told(handle, [first, second]).await;

    // The second partition is another process's from now on.
    let other = start::<Tickets, _>(&log).await;
    until_told(handle, [first, 0]).await;

    // The markers of transactions are passed, too.
    may.send_replace(true);
    until_told(handle, [0, 0]).await;
    running.stop().await;
    stop(other).await;
    stop(tickets).await;
    stop(desk).await;
}

/// Waits until so many records are told of each partition.
async fn until_told(handle: &PrometheusHandle, lags: [i64; 2]) {
    let deadline = Instant::now() + PATIENCE;
    let lines = [0, 1].map(|partition: usize| {
        format!(
            "offset_zero_policy_lag_records{{policy=\"held-up\",partition=\"{partition}\"}} {}\n",
            lags[partition]
        )
    });
    loop {
        let told = handle.render();
        if lines.iter().all(|line| told.contains(line)) {
            return;
        }
        assert!(Instant::now() < deadline, "{lines:?} are not in\n{told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
