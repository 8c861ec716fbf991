//! What is promised where several services share topics: who opens what, messages, deadlines, policies, replicas.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{Context, Policy, ids::event_id};
use event_store::{
    Checkpoint, CommandMetadata, EventStore, LogError, Recorded, Refusal, Request, follow,
    log::Log, run_policy,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::{
    desk::{
        DESK_EVENTS, Desk, PunchSold, REMEMBERED, Sell, TICKET_EVENTS, TicketCommand, TicketEvent,
        Tickets, Unopened,
    },
    suite::{PATIENCE, Subject, events_in, stop, store},
};

fn request<C: Context>(command: C::Command) -> Request<C> {
    let id = Uuid::now_v7();
    Request {
        command,
        metadata: CommandMetadata {
            command_id: id,
            command_hash: id,
            correlation_id: id,
            causation_id: id,
            actor: Arc::from("tester"),
            time: DateTime::from_timestamp(1_760_000_000, 0).expect("a valid time"),
            traceparent: None,
            expected_version: None,
        },
    }
}

pub(crate) fn punch(ticket: Uuid) -> Request<Tickets> {
    request(TicketCommand::Punch(ticket))
}

pub(crate) async fn sell(desk: &EventStore<Desk>, due_at: Option<DateTime<Utc>>) -> Uuid {
    let ticket = Uuid::now_v7();
    let sold = desk.execute(request(Sell { ticket, due_at })).await;
    assert_eq!(sold.expect("sold").stream_version, 1);
    ticket
}

pub(crate) async fn ticket_events<S: Subject>(
    subject: &S,
    ticket: Uuid,
) -> Vec<Recorded<TicketEvent>> {
    let mut events = events_in::<S, TicketEvent>(subject, TICKET_EVENTS).await;
    events.retain(|recorded| recorded.event.ticket() == ticket);
    events
}

/// A stream that another service opens is there for whoever has heard of it, also for the next owner; one that nobody has
/// opened is not.
pub(crate) async fn what_another_service_opens_is_found<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    for _ in 0..3 {
        let ticket = sell(&desk, None).await;
        let punched = tickets.execute(punch(ticket)).await.expect("it is open");
        assert_eq!((punched.stream_version, punched.status), (2, 1));
    }
    let nobodys = tickets.execute(punch(Uuid::now_v7())).await;
    assert_eq!(nobodys, Err(Refusal::Rejected(Unopened)));
    let before = sell(&desk, None).await;
    stop(tickets).await;

    let tickets = store::<Tickets, _>(subject.log()).await;
    let after = sell(&desk, None).await;
    for ticket in [before, after] {
        let punched = tickets.execute(punch(ticket)).await.expect("it is open");
        assert_eq!(punched.stream_version, 2);
    }
    stop(tickets).await;
    stop(desk).await;
}

/// What is decided anew each time is known by its id, and its events are not those of before.
pub(crate) async fn what_is_decided_anew_has_events_of_its_own<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let ticket = sell(&desk, None).await;
    stop(desk).await;
    let stamp = request::<Tickets>(TicketCommand::Stamp(ticket));
    for version in 2..5 {
        let tickets = store::<Tickets, _>(subject.log()).await;
        let stamped = tickets.execute(stamp.clone()).await.expect("it is open");
        assert_eq!(stamped.stream_version, version);
        stop(tickets).await;
    }
    let events = ticket_events(&subject, ticket).await;
    let ids: BTreeSet<Uuid> = events.iter().map(|of| of.metadata.event_id).collect();
    assert_eq!((events.len(), ids.len()), (4, 4));
    assert!(ids.contains(&event_id(stamp.metadata.command_id, 1)));
}

/// A message is in the topic that it is addressed to, with the version of the stream that it tells of, and leaves the state
/// of its reader and of its sender alone.
pub(crate) async fn a_message_changes_no_state<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let ticket = sell(&desk, None).await;
    let punched = tickets.execute(punch(ticket)).await.expect("it is open");
    assert_eq!(punched.positions.len(), 2, "{:?}", punched.positions);
    tickets.execute(punch(ticket)).await.expect("still open");
    stop(tickets).await;
    stop(desk).await;

    let desk = store::<Desk, _>(subject.log()).await;
    let again = request::<Desk>(Sell {
        ticket,
        due_at: None,
    });
    let no_op = desk.execute(again).await.expect("sold already");
    assert_eq!((no_op.stream_version, no_op.status), (1, 1));
    stop(desk).await;
    let said: Vec<_> = events_in::<S, TicketEvent>(&subject, DESK_EVENTS)
        .await
        .into_iter()
        .map(|recorded| {
            let metadata = recorded.metadata;
            assert_eq!(
                metadata.correlation_id, ticket,
                "the journey is the ticket's"
            );
            (metadata.source.to_string(), metadata.stream_version)
        })
        .collect();
    let ours = |version| ("/ticket".to_owned(), version);
    assert_eq!(said, [("/desk".to_owned(), 1), ours(2), ours(3)]);
}

/// A policy on its way.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    policy: JoinHandle<Result<(), LogError>>,
}

impl Running {
    pub(crate) fn new<L: Log>(log: &L, tickets: &EventStore<Tickets>) -> Self {
        Self::of(PunchSold, log, tickets)
    }

    pub(crate) fn of<R, L>(policy: R, log: &L, tickets: &EventStore<Tickets>) -> Self
    where
        R: event_store::Reactor<Context = Tickets>,
        L: Log,
    {
        let (stop, stopped) = watch::channel(false);
        let policy = run_policy(Arc::new(policy), log.clone(), tickets.clone(), stopped);
        Self {
            stop,
            policy: tokio::spawn(policy),
        }
    }

    /// Has it react to everything that is there, and stop.
    pub(crate) async fn to_the_end<L: Log>(log: &L, tickets: &EventStore<Tickets>) {
        let running = Self::new(log, tickets);
        wait_until_done(log).await;
        running.stop().await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, self.policy).await;
        ended
            .expect("it ends in time")
            .expect("it does not panic")
            .expect("nothing was wrong");
    }

    /// Why it ended by itself.
    pub(crate) async fn failed(self) -> LogError {
        let ended = tokio::time::timeout(PATIENCE, self.policy).await;
        let ended = ended.expect("it ends in time").expect("it does not panic");
        ended.expect_err("something was wrong")
    }
}

async fn commit<L: Log>(log: &L, next_offset: i64) {
    let log = log.clone();
    let places = [0, 1].map(|partition| Checkpoint {
        next_offset,
        ..Checkpoint::zero(DESK_EVENTS, partition)
    });
    let committed = tokio::task::spawn_blocking(move || log.commit(PunchSold::NAME, &places));
    committed.await.expect("no panic").expect("committed");
}

/// Waits until the policy has noted that it has reacted to everything.
pub(crate) async fn wait_until_done<L: Log>(log: &L) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = log.clone();
        let is_done = tokio::task::spawn_blocking(move || {
            (0..2).all(|partition| {
                let end = log.end_offset(DESK_EVENTS, partition);
                let committed = log.committed(PunchSold::NAME, DESK_EVENTS, partition);
                let committed = committed.expect("the log answers");
                let committed = committed.map_or(0, |noted| noted.next_offset);
                committed >= end.expect("the log answers")
            })
        });
        if is_done.await.expect("no panic") {
            return;
        }
        assert!(Instant::now() < deadline, "the policy is still not done");
    }
}

/// What follows from an event happens once, though the policy forgets how far it was and begins again.
pub(crate) async fn a_policy_reacts_once<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let mut sold = Vec::new();
    for _ in 0..4 {
        sold.push(sell(&desk, None).await);
    }
    let running = Running::new(subject.log(), &tickets);
    sold.push(sell(&desk, None).await);
    wait_until_done(subject.log()).await;
    running.stop().await;

    commit(subject.log(), 0).await;
    Running::to_the_end(subject.log(), &tickets).await;
    stop(tickets).await;
    stop(desk).await;

    for ticket in sold {
        let events = ticket_events(&subject, ticket).await;
        let [opened, punched] = &events[..] else {
            panic!("{events:?}");
        };
        assert!(matches!(opened.event, TicketEvent::Opened { .. }));
        assert_eq!(&*punched.metadata.actor, "policy/punch-sold");
        assert_eq!(punched.metadata.correlation_id, ticket);
    }
}

/// A place beyond the end is of another log: the policy ends and says so.
pub(crate) async fn a_policy_whose_place_is_lost_stops<S: Subject>(subject: S) {
    let tickets = store::<Tickets, _>(subject.log()).await;
    commit(subject.log(), 1_000).await;
    let running = Running::new(subject.log(), &tickets);
    let failed = running.failed().await;
    assert!(
        matches!(failed, LogError::OffsetLost { offset: 1_000, .. }),
        "{failed:?}"
    );
    stop(tickets).await;
}

/// The last commands are answered again; an older one is decided anew. Meanwhile no answer of a batch is mixed up.
pub(crate) async fn so_many_commands_are_remembered<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let ticket = sell(&desk, None).await;
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let tickets = tickets.clone();
            tokio::spawn(async move { tickets.execute(punch(ticket)).await })
        })
        .collect();
    let mut versions = Vec::new();
    for punched in racing {
        let punched = punched.await.expect("no panic").expect("it is open");
        versions.push(punched.stream_version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (2..22).collect::<Vec<_>>());

    let punches: Vec<_> = (0..=REMEMBERED).map(|_| punch(ticket)).collect();
    for punch in &punches {
        tickets.execute(punch.clone()).await.expect("it is open");
    }
    let [oldest, .., newest] = &punches[..] else {
        panic!("there are several");
    };
    let again = tickets.execute(newest.clone()).await.expect("known");
    assert!(again.replayed);
    let anew = tickets.execute(oldest.clone()).await.expect("it is open");
    assert!(!anew.replayed, "{anew:?}");
    stop(tickets).await;
    stop(desk).await;
}

/// A replica has applied what it says that it has.
pub(crate) async fn a_replica_follows<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    sell(&desk, None).await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let replica = follow(
        subject.log().clone(),
        &[DESK_EVENTS],
        move |_: Recorded<TicketEvent>| {
            counted.fetch_add(1, Ordering::AcqRel);
        },
    )
    .expect("it starts");
    let sale = request::<Desk>(Sell {
        ticket: Uuid::now_v7(),
        due_at: None,
    });
    let sold = desk.execute(sale).await.expect("sold");
    assert_eq!(
        sold.positions.len(),
        2,
        "one of them is in no topic of the replica"
    );
    assert!(
        replica
            .wait_for(&sold.positions, Instant::now() + PATIENCE)
            .await
    );
    assert!(seen.load(Ordering::Acquire) >= 1);
    let deadline = Instant::now() + PATIENCE;
    while !replica.caught_up() || seen.load(Ordering::Acquire) < 2 {
        assert!(Instant::now() < deadline, "it has not caught up");
        tokio::task::yield_now().await;
    }
    let all_there_is = replica.read_on(|| false, Instant::now() + PATIENCE);
    assert!(all_there_is.await);
    let mut beyond = sold.positions[0].clone();
    beyond.topic = DESK_EVENTS.into();
    beyond.offset = 1_000;
    let in_vain = Instant::now() + Duration::from_millis(50);
    assert!(!replica.wait_for(&[beyond], in_vain).await);
    stop(desk).await;
}
