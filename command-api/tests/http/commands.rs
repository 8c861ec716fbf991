//! What the commands answer and append.

use axum::http::{Request, StatusCode};
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::api::{Api, example_order, post};
use domain::topics::PAYMENT_EVENTS;

#[tokio::test]
async fn an_order_is_placed() {
    let api = Api::start().await;
    let placed = api.post("/v1/orders", None, &example_order()).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let id: Uuid = placed.id().parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(
        placed.body,
        json!({"id": id, "version": 1, "status": "placed"})
    );
    assert_eq!(placed.header("location"), format!("/v1/orders/{id}"));
    assert!(!placed.is_replayed());

    let events = api.events();
    let [event] = &events[..] else {
        panic!("one event is expected, not {events:?}");
    };
    assert_eq!(placed.header("x-position"), event.position);
    assert_eq!(event.header("ce_type"), "OrderPlaced");
    assert_eq!(event.header("ce_source"), "/order");
    assert_eq!(event.header("ce_subject"), format!("order-{id}"));
    assert_eq!(event.header("ce_correlationid"), id.to_string());
    assert_eq!(event.header("ce_causationid"), event.header("ce_commandid"));
    assert_eq!(event.header("ce_actor"), "ada");
    assert_eq!(event.payload["order_id"], json!(id));
    assert_eq!(event.payload["placed_at"], event.header("ce_time"));
    let total = json!({"amount": 5_497, "currency": "EUR"});
    assert_eq!(
        event.payload["totals"],
        json!({"items": total, "total": total})
    );
    let personal = &event.payload["personal"]["data"];
    assert_eq!(
        personal["shipping_address"],
        example_order()["shipping_address"]
    );
    assert_eq!(personal["contact"], example_order()["contact"]);
}

#[tokio::test]
async fn only_what_is_needed_has_to_be_given() {
    let api = Api::start().await;
    let mut order = example_order();
    order.as_object_mut().expect("an object").remove("contact");
    let placed = api.post("/v1/orders", None, &order).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    // Without a body there is no content type either.
    let path = format!("/v1/orders/{}/cancel", placed.id());
    let bare = Request::post(path).body(String::new().into());
    let cancelled = api.send(bare.expect("a request")).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
}

#[tokio::test]
async fn an_order_is_paid_and_cancelled() {
    let api = Api::start().await;
    let id = api.place().await;
    api.confirm(&id).await;
    let pay = json!({
        "payment_method": "tok_visa",
        "amount": {"amount": 5_497, "currency": "EUR"},
    });
    let paid = api.post(&format!("/v1/orders/{id}/pay"), None, &pay).await;
    assert_eq!(paid.status, StatusCode::OK);
    assert_eq!(
        paid.body,
        json!({"id": id, "version": 4, "status": "payment_pending"})
    );
    let cancel = json!({"reason": "changed my mind"});
    let cancelled = api
        .post(&format!("/v1/orders/{id}/cancel"), None, &cancel)
        .await;
    assert_eq!(
        cancelled.body,
        json!({"id": id, "version": 5, "status": "cancelled"})
    );

    let names = [
        "OrderPlaced",
        "InventoryRequested",
        "OrderConfirmed",
        "OrderPaymentPending",
        "OrderCancelled",
    ];
    assert_eq!(api.event_names(), names);
    let events = api.events();
    let asked = &api.events_in(PAYMENT_EVENTS)[0];
    let positions = [events[3].position.as_str(), &asked.position].join(",");
    assert_eq!(paid.header("x-position"), positions);
    assert_eq!(cancelled.header("x-position"), events[4].position);
    assert_eq!(events[4].payload["reason"], "changed my mind");
    assert_eq!(
        events[4].payload["payment_id"],
        events[3].payload["payment_id"]
    );
    assert_eq!(asked.payload["amount"], events[3].payload["amount"]);
    let log = format!("{events:?}{asked:?}");
    assert!(!log.contains("tok_visa"), "a payment method was stored");
}

#[tokio::test]
async fn a_payment_that_comes_early_is_kept() {
    let api = Api::start().await;
    let id = api.place().await;
    let paid = api.pay(&id, None).await;
    assert_eq!(paid.status, StatusCode::OK);
    assert_eq!(
        paid.body,
        json!({"id": id, "version": 2, "status": "placed"})
    );
    assert_eq!(
        api.pay(&id, None).await.problem(),
        (409, "payment-in-progress")
    );
    api.confirm(&id).await;
    let names = [
        "OrderPlaced",
        "PaymentKept",
        "InventoryRequested",
        "OrderConfirmed",
        "OrderPaymentPending",
    ];
    assert_eq!(api.event_names(), names);
}

#[tokio::test]
async fn an_order_that_is_stuck_is_resumed() {
    let api = Api::start().await;
    let id = api.place().await;
    let path = format!("/v1/orders/{id}/resume");
    let early = api.post(&path, Some("k"), &json!({})).await;
    assert_eq!(early.problem(), (409, "order-not-stuck"));
    api.mark_stuck(&id).await;

    let bare = Request::post(&path).header("idempotency-key", "k");
    let bare = bare.body(String::new().into()).expect("a request");
    let resumed = api.send(bare).await;
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    assert_eq!(
        resumed.body,
        json!({"id": id, "version": 3, "status": "placed"})
    );
    let again = api.post(&path, Some("k"), &json!({})).await;
    assert!(again.is_replayed(), "{again:?}");
    assert_eq!(
        api.event_names(),
        ["OrderPlaced", "OrderStuck", "OrderResumed"]
    );
}

#[tokio::test]
async fn rejections_have_codes() {
    let api = Api::start().await;
    let nobody = Uuid::nil().to_string();
    let resume = format!("/v1/orders/{nobody}/resume");
    for answer in [
        api.pay(&nobody, None).await,
        api.cancel(&nobody, None).await,
        api.post(&resume, None, &json!({})).await,
    ] {
        assert_eq!(answer.problem(), (404, "order-not-found"));
    }

    let id = api.place().await;
    api.confirm(&id).await;
    let pay = format!("/v1/orders/{id}/pay");
    let amount = |amount: i64, currency: &str| {
        json!({
            "payment_method": "tok_visa",
            "amount": {"amount": amount, "currency": currency},
        })
    };
    let less = api.post(&pay, None, &amount(5_496, "EUR")).await;
    assert_eq!(less.problem(), (409, "amount-mismatch"));
    assert_eq!(
        less.body["detail"],
        "the order costs 5497 EUR, not 5496 EUR"
    );
    let dollars = api.post(&pay, None, &amount(5_497, "USD")).await;
    assert_eq!(dollars.problem(), (422, "currency-mismatch"));
    assert_eq!(
        dollars.errors(),
        [("/amount/currency", "currency-mismatch")]
    );

    assert_eq!(api.pay(&id, None).await.status, StatusCode::OK);
    assert_eq!(
        api.pay(&id, None).await.problem(),
        (409, "payment-in-progress")
    );
    assert_eq!(api.cancel(&id, None).await.status, StatusCode::OK);
    assert_eq!(api.pay(&id, None).await.problem(), (409, "order-cancelled"));
    assert_eq!(
        api.cancel(&id, None).await.problem(),
        (409, "order-cancelled")
    );
    assert_eq!(api.events().len(), 5);
}

#[tokio::test]
async fn a_paid_order_takes_no_second_payment() {
    let api = Api::start().await;
    let id = api.place().await;
    api.confirm(&id).await;
    let paid = api.pay(&id, Some("k")).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    api.authorise(&id).await;
    let second = api.pay(&id, Some("another")).await;
    assert_eq!(second.problem(), (409, "order-already-paid"));
    assert!(api.pay(&id, Some("k")).await.is_replayed());
    assert_eq!(api.event_names_in(PAYMENT_EVENTS), ["PaymentRequested"]);
}

#[tokio::test]
async fn an_order_out_of_stock_has_ended() {
    let api = Api::start().await;
    let id = api.place().await;
    api.reject(&id).await;
    let paid = api.pay(&id, None).await;
    assert_eq!(paid.problem(), (409, "order-not-payable"));
    let cancelled = api.cancel(&id, None).await;
    assert_eq!(cancelled.problem(), (409, "order-ended"));
}

#[tokio::test]
async fn of_a_hundred_payments_at_once_one_is_taken() {
    let api = Api::start().await;
    let id = api.place().await;
    api.confirm(&id).await;
    let keys: Vec<_> = (0..100).map(|number| format!("pay-{number}")).collect();
    let answers = join_all(keys.iter().map(|key| api.pay(&id, Some(key)))).await;
    let (paid, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status.is_success());
    assert_eq!((paid.len(), refused.len()), (1, 99));
    for answer in refused {
        assert_eq!(answer.problem(), (409, "payment-in-progress"));
    }
    let asked = api.event_names_in(PAYMENT_EVENTS);
    assert_eq!(asked, ["PaymentRequested"]);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing() {
    let api = Api::start().await;
    let order = example_order();
    {
        let mut sent = Box::pin(api.send(post("/v1/orders", Some("k"), &order)));
        // As far as the writer's queue; then the connection breaks.
        drop(futures::poll!(&mut sent));
    }
    let again = api.post("/v1/orders", Some("k"), &order).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert!(again.is_replayed());
    assert_eq!(api.event_names(), ["OrderPlaced"]);
}

#[tokio::test]
async fn a_trace_travels_with_the_events() {
    let api = Api::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut request = post("/v1/orders", None, &example_order());
    let value = trace.parse().expect("a header's value");
    request.headers_mut().insert("traceparent", value);
    assert_eq!(api.send(request).await.status, StatusCode::CREATED);
    assert_eq!(api.events()[0].header("ce_traceparent"), trace);
}
