use axum::http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::notifications::testing::{Receiver, nobody, outgoing, secret};
use domain::notification::Channel;

fn shipped(target: &WebhookUrl) -> Outgoing {
    let target = target.clone();
    outgoing(Template::Shipped, Channel::Webhook { target })
}

async fn send(target: &WebhookUrl) -> DeliveryOutcome {
    let sender = WebhookSender::new(secret());
    sender.send(&shipped(target), target).await
}

#[tokio::test]
async fn what_has_happened_is_told_and_signed() {
    let receiver = Receiver::start(&[]).await;
    assert_eq!(send(&receiver.url).await, DeliveryOutcome::Sent);
    let told = receiver.told();
    let [(headers, body)] = told.as_slice() else {
        panic!("{told:?} is not one request");
    };
    let outgoing = shipped(&receiver.url);
    let id = outgoing.notification_id.to_string();
    let verified = secret().verify(headers, body, Utc::now());
    assert_eq!(verified.expect("it is signed").as_str(), id);
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let expected = json!({
        "id": id,
        "type": "order.shipped",
        "order_id": outgoing.order_id,
        "event_id": outgoing.message.event_id,
        "occurred_at": "2026-05-28T20:26:40.123456Z",
    });
    assert_eq!(body, expected);
}

/// A redirect is an answer like any other, and is not followed.
#[tokio::test]
async fn only_success_is_success() {
    for (status, expected) in [
        (StatusCode::OK, DeliveryOutcome::Sent),
        (StatusCode::ACCEPTED, DeliveryOutcome::Sent),
        (StatusCode::FOUND, failed("answered 302")),
        (StatusCode::GONE, failed("answered 410")),
        (StatusCode::SERVICE_UNAVAILABLE, failed("answered 503")),
    ] {
        let receiver = Receiver::start(&[status]).await;
        assert_eq!(send(&receiver.url).await, expected);
        assert_eq!(receiver.told().len(), 1);
    }
}

#[tokio::test]
async fn who_is_away_is_told_again() {
    let (_kept, address) = nobody();
    let url = format!("http://{address}/hook");
    let outcome = send(&url.parse().expect("a URL")).await;
    assert_eq!(outcome, failed("cannot be reached"));
}

#[tokio::test]
async fn what_is_no_address_is_not_tried_again() {
    let url = "http://[not-an-address]/"
        .parse()
        .expect("it looks like a URL");
    assert_eq!(send(&url).await, undeliverable("the address is none"));
}

#[test]
fn every_template_has_a_type_of_its_own() {
    let kinds = Template::ALL.map(kind);
    let distinct: std::collections::BTreeSet<_> = kinds.iter().collect();
    assert_eq!(distinct.len(), kinds.len());
    assert!(kinds.iter().all(|kind| kind.starts_with("order.")));
}
