//! Commands that expect their stream at a version.

use event_store::{
    Accepted,
    ExpectedVersion::{Any, Exactly, Never},
    Refusal,
};
use uuid::Uuid;

use crate::{
    counter::LIMIT,
    suite::{Subject, events_of, request, stop, store},
};

/// A command that expects its stream elsewhere is refused, told where that stands, and appends nothing; a repetition gets
/// the first answer whatever it expects, also from the next owner.
pub(crate) async fn an_expected_version_is_kept_to<S: Subject>(subject: S) {
    let first_owner = store(subject.log()).await;
    let counter = Uuid::now_v7();
    let expecting = |expected, amount| {
        let mut request = request(counter, amount);
        request.metadata.expected_version = Some(expected);
        request
    };
    let stands_at = |current| Err(Refusal::VersionMismatch { current });
    for expected in [Any, Exactly(1), Never] {
        let refused = first_owner.execute(expecting(expected, 2)).await;
        assert_eq!(refused, stands_at(0), "{expected:?}");
    }
    // What the rules refuse where nothing is yet is theirs to tell.
    let rejected = first_owner.execute(expecting(Any, LIMIT + 1)).await;
    assert!(
        matches!(rejected, Err(Refusal::Rejected(_))),
        "{rejected:?}"
    );
    let opening = expecting(Exactly(0), 2);
    let opened = first_owner.execute(opening.clone()).await;
    let opened = opened.expect("nothing was there");
    assert_eq!(opened.stream_version, 2);
    for (expected, amount) in [
        (Exactly(0), 1),
        (Exactly(1), 1),
        (Exactly(3), LIMIT),
        (Never, 1),
    ] {
        let moved = first_owner.execute(expecting(expected, amount)).await;
        assert_eq!(moved, stands_at(2), "{expected:?}");
    }
    for expected in [Exactly(2), Any] {
        let accepted = first_owner.execute(expecting(expected, 1)).await;
        assert!(accepted.is_ok(), "{expected:?}: {accepted:?}");
    }
    let again = Ok(Accepted {
        replayed: true,
        ..opened
    });
    let mut question = opening.clone();
    question.metadata.expected_version = Some(Never);
    for repetition in [opening.clone(), question.clone()] {
        assert_eq!(first_owner.execute(repetition).await, again);
    }
    stop(first_owner).await;

    let second_owner = store(subject.log()).await;
    for repetition in [opening, question] {
        assert_eq!(second_owner.execute(repetition).await, again);
    }
    assert_eq!(
        second_owner.execute(expecting(Exactly(2), 1)).await,
        stands_at(4)
    );
    stop(second_owner).await;
    assert_eq!(events_of(&subject, counter).await.len(), 4);
}

/// Of commands that expect the same version and are decided in one batch, one is accepted.
pub(crate) async fn one_of_those_that_expect_the_same_wins<S: Subject>(subject: S) {
    let store = store(subject.log()).await;
    let counter = Uuid::now_v7();
    store.execute(request(counter, 1)).await.expect("accepted");
    let running: Vec<_> = (0..32)
        .map(|_| {
            let mut request = request(counter, 1);
            request.metadata.expected_version = Some(Exactly(1));
            let store = store.clone();
            tokio::spawn(async move { store.execute(request).await })
        })
        .collect();
    let mut accepted = 0;
    for answer in running {
        match answer.await.expect("no panic") {
            Ok(answer) => {
                assert_eq!(answer.stream_version, 2);
                accepted += 1;
            }
            Err(refusal) => assert_eq!(refusal, Refusal::VersionMismatch { current: 2 }),
        }
    }
    assert_eq!(accepted, 1);
    stop(store).await;
}
