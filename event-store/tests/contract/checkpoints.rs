//! How far a policy has come is proven to be in the log that it goes on with.

use domain::Policy;
use event_store::{Checkpoint, LastEvent, LogError, Passed, Proof, Recorded, log::Log};
use uuid::Uuid;

use crate::{
    desk::{DESK_EVENTS, Desk, PunchSold, TICKET_EVENTS, TicketEvent, Tickets},
    several::{Running, sell, ticket_events},
    suite::{Subject, events_in, stop, store},
};

const PARTITIONS: [i32; 2] = [0, 1];

async fn noted<L: Log>(log: &L, partition: i32) -> Checkpoint {
    let log = log.clone();
    let asked =
        tokio::task::spawn_blocking(move || log.committed(PunchSold::NAME, DESK_EVENTS, partition));
    let noted = asked.await.expect("no panic").expect("the log answers");
    noted.expect("it has noted how far it is")
}

async fn note<L: Log>(log: &L, checkpoint: Checkpoint) {
    let log = log.clone();
    let told = tokio::task::spawn_blocking(move || log.commit(PunchSold::NAME, &[checkpoint]));
    told.await.expect("no panic").expect("noted");
}

/// A policy notes the cluster and the last event with its place, finds both again, and goes on.
pub(crate) async fn a_policy_goes_on_in_the_log_that_it_has_read<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let mut sold = Vec::new();
    for _ in 0..3 {
        for _ in 0..8 {
            sold.push(sell(&desk, None).await);
        }
        Running::to_the_end(subject.log(), &tickets).await;
    }
    let events: Vec<Recorded<TicketEvent>> = events_in(&subject, DESK_EVENTS).await;
    let cluster_id = subject.log().cluster_id().expect("the log answers");
    for partition in PARTITIONS {
        let last = events
            .iter()
            .rfind(|event| event.position.partition == partition)
            .expect("of 24 sales some are in each partition");
        let proof = noted(subject.log(), partition).await.proof;
        let expected = Proof {
            cluster_id: cluster_id.as_str().into(),
            passed: Passed::Event(LastEvent {
                offset: last.position.offset,
                event_id: last.metadata.event_id,
            }),
        };
        assert_eq!(proof, Some(expected));
    }
    let punched = events_in::<S, TicketEvent>(&subject, TICKET_EVENTS).await;
    let punched = punched
        .iter()
        .filter(|recorded| matches!(recorded.event, TicketEvent::Punched { .. }));
    assert_eq!(punched.count(), sold.len());
    stop(tickets).await;
    stop(desk).await;
}

/// The cluster is another, the event at that place is another, or there is none: the policy ends and says so. Put right
/// again, it goes on.
pub(crate) async fn a_policy_stops_in_another_log<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    // Of so many some are in the first partition, which is looked at.
    for _ in 0..24 {
        sell(&desk, None).await;
    }
    Running::to_the_end(subject.log(), &tickets).await;

    let right = noted(subject.log(), 0).await;
    let proof = right.proof.clone().expect("it is proven");
    let Passed::Event(last) = proof.passed else {
        panic!("an event was passed: {proof:?}");
    };
    let elsewhere = Proof {
        cluster_id: "another".into(),
        ..proof.clone()
    };
    let with = |last| Proof {
        passed: Passed::Event(last),
        ..proof.clone()
    };
    let renamed = with(LastEvent {
        event_id: Uuid::now_v7(),
        ..last
    });
    // Each sale is a transaction: past its record lies the marker of its end.
    let vanished = with(LastEvent {
        offset: last.offset + 1,
        ..last
    });
    for wrong in [elsewhere, renamed, vanished] {
        let checkpoint = Checkpoint {
            proof: Some(wrong),
            ..right.clone()
        };
        note(subject.log(), checkpoint).await;
        let failed = Running::new(subject.log(), &tickets).failed().await;
        assert!(
            matches!(&failed, LogError::Diverged { topic, partition: 0, .. } if topic == DESK_EVENTS),
            "{failed:?}"
        );
    }
    note(subject.log(), right).await;
    sell(&desk, None).await;
    Running::to_the_end(subject.log(), &tickets).await;
    stop(tickets).await;
    stop(desk).await;
}

/// A topic that was created anew: the policy ends and says so, whatever is in it by now, until it is told to begin again.
pub(crate) async fn a_policy_stops_at_a_topic_created_anew<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    for _ in 0..8 {
        sell(&desk, None).await;
    }
    Running::to_the_end(subject.log(), &tickets).await;
    stop(desk).await;

    subject.create_anew(DESK_EVENTS).await;
    let desk = store::<Desk, _>(subject.log()).await;
    let mut sold = Vec::new();
    for _ in 0..24 {
        sold.push(sell(&desk, None).await);
    }
    let failed = Running::new(subject.log(), &tickets).failed().await;
    assert!(matches!(failed, LogError::Diverged { .. }), "{failed:?}");

    for partition in PARTITIONS {
        note(subject.log(), Checkpoint::zero(DESK_EVENTS, partition)).await;
    }
    Running::to_the_end(subject.log(), &tickets).await;
    for ticket in sold {
        let events = ticket_events(&subject, ticket).await;
        let punched = events
            .iter()
            .filter(|r| matches!(r.event, TicketEvent::Punched { .. }));
        assert_eq!(punched.count(), 1, "{events:?}");
    }
    stop(tickets).await;
    stop(desk).await;
}
