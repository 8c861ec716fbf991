//! An audit finds nothing in what a store has written, also while that goes on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::Context;
use event_store::{Owned, audit};

use crate::{
    desk::{Desk, Tickets},
    several::{punch, sell},
    suite::{Subject, stop, store},
};

const SERVICES: [Owned; 2] = [owned::<Desk>(), owned::<Tickets>()];

const fn owned<C: Context>() -> Owned {
    Owned {
        service: C::SERVICE,
        topics: C::TOPICS,
    }
}

/// A sale is a decision across two topics, and opens a stream of another service.
pub(crate) async fn an_audit_finds_nothing_in_what_was_written<S: Subject>(subject: S) {
    let desk = store::<Desk, _>(subject.log()).await;
    let tickets = store::<Tickets, _>(subject.log()).await;
    let closing = Arc::new(AtomicBool::new(false));
    let selling = {
        let (desk, closing) = (desk.clone(), Arc::clone(&closing));
        tokio::spawn(async move {
            let mut sold = 0;
            while !closing.load(Ordering::Acquire) {
                sell(&desk, None).await;
                sold += 1;
            }
            sold
        })
    };
    for _ in 0..8 {
        let ticket = sell(&desk, None).await;
        tickets.execute(punch(ticket)).await.expect("it is open");
        let log = subject.log().clone();
        let audited = tokio::task::spawn_blocking(move || audit(&log, &SERVICES, |_, _| {}));
        let audited = audited.await.expect("no panic").expect("the log reads");
        assert_eq!((audited.findings, audited.more), (vec![], 0));
        assert!(audited.events >= 3);
    }
    closing.store(true, Ordering::Release);
    assert!(selling.await.expect("no panic") > 0);
    stop(tickets).await;
    stop(desk).await;
}
