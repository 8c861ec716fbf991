//! What a gateway's answer says of a request, and what it does not.

use axum::{Router, http::StatusCode};
use command_api::{Gateway, GatewayOrder, HttpGateway};
use domain::payment::{GatewayOutcome, GatewayRequest, Operation, PaymentStream};
use tokio::net::TcpListener;
use uuid::Uuid;

/// A gateway that answers everything so.
async fn answering(status: u16) -> HttpGateway {
    let status = StatusCode::from_u16(status).expect("a status");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(async move || status);
    tokio::spawn(async move { axum::serve(listener, router).await });
    HttpGateway::new(&format!("http://{address}")).expect("an address")
}

fn order() -> GatewayOrder {
    GatewayOrder {
        stream: PaymentStream {
            payment_id: Uuid::nil().into(),
            order_id: Uuid::nil().into(),
        },
        request: GatewayRequest::Void {
            authorisation: Uuid::nil(),
        },
    }
}

#[tokio::test]
async fn only_what_is_about_the_request_refuses_it() {
    for (status, refuses) in [
        (400, true),
        (402, true),
        (422, true),
        (302, false),
        (401, false),
        (403, false),
        (408, false),
        (409, false),
        (425, false),
        (429, false),
        (500, false),
        (200, false),
    ] {
        let outcome = answering(status).await.send(Uuid::nil(), &order()).await;
        let is_refused = matches!(outcome, GatewayOutcome::Refused { .. });
        assert_eq!(is_refused, refuses, "{status}: {outcome:?}");
        let is_unknown = outcome == GatewayOutcome::Unknown;
        assert_eq!(is_unknown, !refuses, "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refused_question_is_no_refused_request() {
    for status in [302, 400, 401, 403, 408, 409, 422, 429, 500, 200] {
        let gateway = answering(status).await;
        let outcome = gateway.ask(Uuid::nil(), Operation::Capture).await;
        assert_eq!(outcome, Some(GatewayOutcome::Unknown), "{status}");
    }
    let gateway = answering(404).await;
    assert_eq!(gateway.ask(Uuid::nil(), Operation::Capture).await, None);
}
