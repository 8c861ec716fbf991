//! What is promised about deadlines of streams: each passes once, and after what came in time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::Recorded;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    desk::{Desk, TICKET_EVENTS, TicketEvent, Tickets},
    several::{Running, punch, sell, ticket_events},
    suite::{PATIENCE, Subject, events_in, start, stop, store},
};

/// A deadline that has passed gives its command once: whether it was known at the takeover or found later, and whoever owns
/// the partition.
pub(crate) async fn a_deadline_passes_once<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let past = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
    let before = sell(&desk, Some(past)).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let soon = Utc::now() + Duration::from_millis(300);
    let later = sell(&desk, Some(soon)).await;
    let never = sell(&desk, Some(Utc::now() + Duration::from_secs(86_400))).await;
    for ticket in [later, never] {
        tickets.execute(punch(ticket)).await.expect("it is open");
    }
    for ticket in [before, later] {
        wait_for_expiry(&subject, ticket).await;
    }
    stop(tickets).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    for ticket in [before, later, never] {
        tickets.execute(punch(ticket)).await.expect("it is open");
    }
    stop(tickets).await;
    stop(desk).await;

    let expired: Vec<_> = events_in::<S, TicketEvent>(&subject, TICKET_EVENTS)
        .await
        .into_iter()
        .filter(|recorded| matches!(recorded.event, TicketEvent::Expired { .. }))
        .collect();
    assert_eq!(expired.len(), 2, "{expired:?}");
    for recorded in &expired {
        assert_eq!(&*recorded.metadata.actor, "deadline");
        assert_ne!(recorded.event.ticket(), never);
    }
}

/// What has come before a deadline counts as in time, though the deadline has passed while nobody owned the partition: policies have
/// yet to read it.
pub(crate) async fn what_lies_in_the_log_comes_before_a_deadline<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let past = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
    let ticket = sell(&desk, Some(past)).await;
    stop(desk).await;
    // Deadlines are held for some seconds only: the policy is there when the partition is taken over, as in a process.
    let tickets = start::<Tickets, _>(subject.log()).await;
    Running::to_the_end(subject.log(), &tickets).await;
    wait_for_expiry(&subject, ticket).await;
    stop(tickets).await;
    let events = ticket_events(&subject, ticket).await;
    let names: Vec<_> = events.iter().map(|recorded| &recorded.event).collect();
    assert!(
        matches!(
            names[..],
            [
                TicketEvent::Opened { .. },
                TicketEvent::Punched { .. },
                TicketEvent::Expired { .. }
            ]
        ),
        "{names:?}"
    );
}

async fn wait_for_expiry<S: Subject>(subject: &S, ticket: Uuid) {
    let deadline = Instant::now() + PATIENCE;
    let is_expired =
        |recorded: &Recorded<TicketEvent>| matches!(recorded.event, TicketEvent::Expired { .. });
    while !ticket_events(subject, ticket).await.iter().any(is_expired) {
        assert!(Instant::now() < deadline, "{ticket} has not expired");
    }
}
