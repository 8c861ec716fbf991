//! What is promised of state that is kept on disk: a restart answers as if it had read everything, and has read the tail.

use std::{fs, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use domain::Context;
use event_store::{
    Accepted, EventStore, PartitionStatus, Refusal, Rehydration, Request, StateConfig, StoreConfig,
    log::Log, memory::MemoryLog,
};
use tempfile::TempDir;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    counter::{Add, COUNTER_EVENTS, Counters, LIMIT, ReshapedCounters},
    desk::{Desk, Sell, TICKET_EVENTS, TicketCommand, TicketEvent, Tickets},
    suite::{self, PATIENCE, Subject, events_in, request, start_with, stop, store, wait_for},
};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Writes after every turn, and holds no more in memory than it has to: whatever may be read from disk is.
pub(crate) fn eager(folder: &Path) -> StoreConfig {
    StoreConfig {
        state: Some(StateConfig {
            resident_streams: 1,
            write_every: Duration::ZERO,
            ..StateConfig::new(folder)
        }),
        ..StoreConfig::default()
    }
}

pub(crate) async fn serving<C: Context, L: Log>(log: &L, config: StoreConfig) -> EventStore<C> {
    let store = start_with(log, config).await;
    wait_for(&store, PartitionStatus::Ready).await;
    store
}

fn rehydrations<C: Context>(store: &EventStore<C>) -> Vec<Rehydration> {
    let rehydrations = store.rehydrations().into_iter();
    rehydrations
        .map(|rehydration| rehydration.expect("every partition is served"))
        .collect()
}

fn records<C: Context>(store: &EventStore<C>) -> u64 {
    rehydrations(store).iter().map(|read| read.records).sum()
}

fn all_from_store<C: Context>(store: &EventStore<C>) -> bool {
    rehydrations(store).iter().all(|read| read.from_store)
}

/// Why stores were thrown away.
fn reasons<C: Context>(store: &EventStore<C>) -> String {
    let reasons = rehydrations(store).into_iter();
    let reasons: Vec<_> = reasons.filter_map(|read| read.discarded).collect();
    reasons.join("; ")
}

/// Some commands and what they were answered.
struct Answered(Vec<(Request<Counters>, Accepted<u32>)>);

impl Answered {
    async fn by(store: &EventStore<Counters>, counters: u32) -> Self {
        let mut answered = Vec::new();
        for number in 0..counters {
            let counter = Uuid::now_v7();
            for amount in [1 + number % 3, 2] {
                let request = request(counter, amount);
                let answer = store.execute(request.clone()).await.expect("accepted");
                answered.push((request, answer));
            }
        }
        Self(answered)
    }

    /// The same again gets the same answers, and what follows builds on them.
    async fn hold<C: Context<Command = Add, Status = u32>>(&self, store: &EventStore<C>) {
        for (request, answer) in &self.0 {
            let again = Accepted {
                replayed: true,
                ..answer.clone()
            };
            let answer = store.execute(of(request)).await;
            assert_eq!(answer.expect("the first answer again"), again);
            let too_much = suite::request(request.command.counter, LIMIT);
            let refused = store.execute(of(&too_much)).await;
            assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
        }
    }

    fn events(&self) -> u64 {
        let amounts = self.0.iter().map(|(request, _)| request.command.amount);
        u64::from(amounts.sum::<u32>())
    }
}

/// The same request to another version of the service.
fn of<C: Context<Command = Add>>(request: &Request<Counters>) -> Request<C> {
    Request {
        command: request.command.clone(),
        metadata: request.metadata.clone(),
    }
}

/// After an orderly stop nothing is read again, and everything is known.
pub(crate) async fn a_restart_reads_only_the_tail<S: Subject>(subject: S) {
    let folder = folder();
    let first = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert!(!all_from_store(&first), "there is none yet");
    let answered = Answered::by(&first, 20).await;
    stop(first).await;
    let second = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert!(all_from_store(&second), "{}", reasons(&second));
    assert_eq!(records(&second), 0);
    answered.hold(&second).await;
    let more = Answered::by(&second, 5).await;
    stop(second).await;
    let third = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert_eq!((all_from_store(&third), records(&third)), (true, 0));
    answered.hold(&third).await;
    more.hold(&third).await;
    stop(third).await;
}

/// What was committed after the last batch on disk is in the log.
pub(crate) async fn what_was_not_written_is_read_again<S: Subject>(subject: S) {
    let (folder, earlier) = (folder(), self::folder());
    let first = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    let written = Answered::by(&first, 10).await;
    stop(first).await;
    // A process that is killed leaves the store where it was.
    copy(folder.path(), earlier.path());
    let second = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    let unwritten = Answered::by(&second, 10).await;
    stop(second).await;

    let third = serving::<Counters, _>(subject.log(), eager(earlier.path())).await;
    assert!(all_from_store(&third), "{}", reasons(&third));
    assert_eq!(records(&third), unwritten.events());
    written.hold(&third).await;
    unwritten.hold(&third).await;
    stop(third).await;
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder is read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("a folder is made");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file is copied");
        }
    }
}

/// The log alone is enough.
pub(crate) async fn a_store_that_is_gone_is_built_anew<S: Subject>(subject: S) {
    let folder = folder();
    let first = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    let answered = Answered::by(&first, 10).await;
    stop(first).await;
    fs::remove_dir_all(folder.path()).expect("it is removed");
    let second = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert!(!all_from_store(&second));
    assert_eq!(
        (records(&second), reasons(&second)),
        (answered.events(), String::new())
    );
    answered.hold(&second).await;
    stop(second).await;
    let third = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert_eq!((all_from_store(&third), records(&third)), (true, 0));
    answered.hold(&third).await;
    stop(third).await;
}

/// States of another shape are of no use.
pub(crate) async fn a_store_of_another_shape_is_thrown_away<S: Subject>(subject: S) {
    let folder = folder();
    let first = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    let answered = Answered::by(&first, 5).await;
    stop(first).await;
    let second = serving::<ReshapedCounters, _>(subject.log(), eager(folder.path())).await;
    assert!(
        reasons(&second).contains("another format"),
        "{}",
        reasons(&second)
    );
    assert_eq!(records(&second), answered.events());
    answered.hold(&second).await;
    stop(second).await;
}

/// A topic that was made anew holds other records at the same places, or none.
pub(crate) async fn a_store_of_another_topic_is_thrown_away<S: Subject>(subject: S, other: S) {
    let folder = folder();
    let first = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    Answered::by(&first, 5).await;
    stop(first).await;
    let shorter = serving::<Counters, _>(other.log(), eager(folder.path())).await;
    assert!(!reasons(&shorter).is_empty());
    assert!(!all_from_store(&shorter));
    let answered = Answered::by(&shorter, 8).await;
    stop(shorter).await;

    let longer = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert!(!reasons(&longer).is_empty());
    for (request, _) in &answered.0 {
        let unknown = longer
            .execute(request.clone())
            .await
            .expect("never seen here");
        assert!(!unknown.replayed);
    }
    stop(longer).await;
}

async fn sell(desk: &EventStore<Desk>, due_at: Option<DateTime<Utc>>) -> Uuid {
    let ticket = Uuid::now_v7();
    let sold = desk.execute(ask(Sell { ticket, due_at })).await;
    sold.expect("sold");
    ticket
}

fn ask<C: Context>(command: C::Command) -> Request<C> {
    Request {
        command,
        metadata: request(Uuid::now_v7(), 1).metadata,
    }
}

fn punch(ticket: Uuid) -> Request<Tickets> {
    ask(TicketCommand::Punch(ticket))
}

/// Nobody has to ask for a stream to have its deadline pass.
pub(crate) async fn a_deadline_survives_a_restart<S: Subject>(subject: S) {
    let folder = folder();
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = serving::<Tickets, _>(subject.log(), eager(folder.path())).await;
    let soon = Utc::now() + Duration::from_secs(2);
    let due = sell(&desk, Some(soon)).await;
    let moved = sell(&desk, Some(Utc::now() + Duration::from_secs(86_400))).await;
    for ticket in [due, moved] {
        tickets.execute(punch(ticket)).await.expect("it is open");
    }
    stop(tickets).await;
    let tickets = serving::<Tickets, _>(subject.log(), eager(folder.path())).await;
    assert!(all_from_store(&tickets), "{}", reasons(&tickets));
    let deadline = Instant::now() + PATIENCE;
    while expired(&subject).await != [due] {
        assert!(Instant::now() < deadline, "it has not expired");
    }
    stop(tickets).await;
    let tickets = serving::<Tickets, _>(subject.log(), eager(folder.path())).await;
    tickets.execute(punch(due)).await.expect("it is open");
    stop(tickets).await;
    stop(desk).await;
    assert_eq!(expired(&subject).await, [due]);
}

async fn expired<S: Subject>(subject: &S) -> Vec<Uuid> {
    let events = events_in::<S, TicketEvent>(subject, TICKET_EVENTS).await;
    events
        .into_iter()
        .filter(|recorded| matches!(recorded.event, TicketEvent::Expired { .. }))
        .map(|recorded| recorded.event.ticket())
        .collect()
}

/// A stream that another service opened before the stop, after the start, or between.
pub(crate) async fn what_others_opened_meanwhile_is_found<S: Subject>(subject: S) {
    let folder = folder();
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = serving::<Tickets, _>(subject.log(), eager(folder.path())).await;
    let asked = sell(&desk, None).await;
    tickets.execute(punch(asked)).await.expect("it is open");
    let before = sell(&desk, None).await;
    stop(tickets).await;
    let between = sell(&desk, None).await;
    let tickets = serving::<Tickets, _>(subject.log(), eager(folder.path())).await;
    assert!(all_from_store(&tickets), "{}", reasons(&tickets));
    let after = sell(&desk, None).await;
    for (ticket, version) in [(asked, 3), (before, 2), (between, 2), (after, 2)] {
        let punched = tickets.execute(punch(ticket)).await.expect("it is open");
        assert_eq!(punched.stream_version, version);
    }
    stop(tickets).await;
    stop(desk).await;
}

/// Two processes on one machine that were given one folder: the second has its state in memory, and serves.
pub(crate) async fn a_folder_in_use_is_left_alone<S: Subject>(subject: S) {
    let folder = folder();
    let another_log = MemoryLog::new(&[COUNTER_EVENTS], 2);
    let first = serving::<Counters, _>(&another_log, eager(folder.path())).await;
    let second = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    let answered = Answered::by(&second, 5).await;
    stop(second).await;
    let second = serving::<Counters, _>(subject.log(), eager(folder.path())).await;
    assert!(!all_from_store(&second));
    assert_eq!(records(&second), answered.events());
    answered.hold(&second).await;
    stop(second).await;
    stop(first).await;
}

/// A process that follows what another owns has little to read when it takes over.
pub(crate) async fn a_standby_reads_only_the_tail<S: Subject>(subject: S) {
    let (north, south) = (folder(), folder());
    let owner = serving::<Counters, _>(subject.log(), eager(north.path())).await;
    let answered = Answered::by(&owner, 20).await;
    let config = eager(south.path());
    let state = config.state.map(|state| StateConfig {
        standby: true,
        ..state
    });
    let config = StoreConfig { state, ..config };
    let standby: EventStore<Counters> = start_with(subject.log(), config).await;
    // One partition is its own by now, the other it follows.
    suite::until("it has read both", || {
        standby.rehydrations().iter().all(Option::is_some)
    })
    .await;
    stop(owner).await;
    wait_for(&standby, PartitionStatus::Ready).await;
    let taken_over = rehydrations(&standby);
    // What it did not serve before it can have in its store only because it followed. How near to the end it was by then
    // depends on the machine.
    let is_warm = |read: &Rehydration| read.from_store && read.records < answered.events();
    assert!(taken_over.iter().any(is_warm), "{taken_over:?}");
    answered.hold(&standby).await;
    stop(standby).await;
}
