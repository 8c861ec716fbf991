//! The log is away, or does not tell what became of a commit.

use axum::http::StatusCode;
use event_store::memory::Fault;
use tokio::time::Instant;

use crate::api::{Answer, Api, PATIENCE, example_order};

/// Sends the same order until it is in the log, as a client that was told to retry does.
async fn place_in_the_end(api: &Api) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = api.post("/v1/orders", Some("k"), &example_order()).await;
        if answer.status == StatusCode::CREATED {
            return answer;
        }
        let (status, code) = answer.problem();
        assert_eq!(status, 503);
        assert!(["unavailable", "outcome-unknown"].contains(&code), "{code}");
        assert!(Instant::now() < deadline, "still {answer:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_log_out_of_reach_is_told_and_recovered_from() {
    let api = Api::start().await;
    api.log.set_reachable(false);
    let away = api.post("/v1/orders", Some("k"), &example_order()).await;
    assert_eq!(away.problem().0, 503);
    api.log.set_reachable(true);
    place_in_the_end(&api).await;
    assert_eq!(api.event_names(), ["OrderPlaced"]);
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out() {
    for fault in [Fault::UnknownCommitted, Fault::UnknownAborted] {
        let api = Api::start().await;
        api.log.inject([fault]);
        let placed = place_in_the_end(&api).await;
        let again = api.post("/v1/orders", Some("k"), &example_order()).await;
        assert!(again.is_replayed());
        assert_eq!(again.body, placed.body);
        assert_eq!(api.event_names(), ["OrderPlaced"]);
    }
}
