//! The same key: the same answer, the same order, nothing twice.

use axum::http::StatusCode;
use domain::ids::request_hash;
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, Api, example_order, post};

/// What a repetition has in common with the first answer.
fn told(answer: &Answer) -> (StatusCode, Value, String, String) {
    let header = |name| answer.header(name).to_owned();
    (
        answer.status,
        answer.body.clone(),
        header("x-position"),
        header("location"),
    )
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let api = Api::start().await;
    let first = api.post("/v1/orders", Some("k"), &example_order()).await;
    let id: Uuid = first.id().parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 5, "the id follows from the key");
    let paid = api.pay(first.id(), Some("k")).await;
    let cancelled = api.cancel(first.id(), Some("k")).await;

    let again = api.post("/v1/orders", Some("k"), &example_order()).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body["status"], "placed", "as it was answered then");
    let repeated = [
        (first, again),
        (paid, api.pay(&id.to_string(), Some("k")).await),
        (cancelled, api.cancel(&id.to_string(), Some("k")).await),
    ];
    for (first, again) in &repeated {
        assert!(!first.is_replayed(), "{first:?}");
        assert!(again.is_replayed(), "{again:?}");
        assert_eq!(told(first), told(again));
    }
    assert_eq!(api.events().len(), 3);
}

#[tokio::test]
async fn another_process_gives_the_same_answer() {
    let api = Api::start().await;
    let first = api.post("/v1/orders", Some("k"), &example_order()).await;
    let paid = api.pay(first.id(), Some("k")).await;
    let other = Api::restart(api.log.clone()).await;
    let again = other.post("/v1/orders", Some("k"), &example_order()).await;
    assert!(again.is_replayed());
    assert_eq!(told(&first), told(&again));
    assert_eq!(told(&paid), told(&other.pay(first.id(), Some("k")).await));
}

#[tokio::test]
async fn a_key_is_not_used_for_another_request() {
    let api = Api::start().await;
    let first = api.post("/v1/orders", Some("k"), &example_order()).await;
    let mut other = example_order();
    other["lines"][0]["quantity"] = json!(3);
    let refused = api.post("/v1/orders", Some("k"), &other).await;
    assert_eq!(refused.problem(), (422, "idempotency-key-reused"));

    assert_eq!(api.pay(first.id(), Some("k")).await.status, StatusCode::OK);
    let path = format!("/v1/orders/{}/pay", first.id());
    let other = json!({"payment_method": "tok_mastercard"});
    let refused = api.post(&path, Some("k"), &other).await;
    assert_eq!(refused.problem(), (422, "idempotency-key-reused"));
    assert_eq!(api.events().len(), 2);
}

/// Two products have two writers, which know nothing of each other, and may have two processes.
#[tokio::test]
async fn a_key_creates_one_product() {
    let api = Api::start().await;
    let product = |sku: &str| json!({"sku": sku, "name": "Tea", "price": {"amount": 1_999, "currency": "EUR"}});
    let path = "/v1/products";
    let first = api.post(path, Some("k"), &product("OOLONG")).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let refuses_others = async |api: &Api| {
        // Enough of them for every partition.
        for number in 0..8 {
            let another = product(&format!("TEA-{number}"));
            let refused = api.post(path, Some("k"), &another).await;
            assert_eq!(refused.problem(), (422, "idempotency-key-reused"));
        }
    };
    refuses_others(&api).await;
    let other = Api::restart(api.log.clone()).await;
    refuses_others(&other).await;
    let again = other.post(path, Some("k"), &product("OOLONG")).await;
    assert!(again.is_replayed(), "{again:?}");
    assert_eq!(again.body, first.body);
    let free = other.post(path, Some("other"), &product("TEA-0")).await;
    assert_eq!(free.status, StatusCode::CREATED);
    let without = other.post(path, None, &product("TEA-1")).await;
    assert_eq!(without.status, StatusCode::CREATED);
}

/// Whoever reads the topics could try methods out against it, and see that two orders are paid by one.
#[tokio::test]
async fn what_a_payment_is_known_again_by_does_not_tell_its_method() {
    let api = Api::start().await;
    for _ in 0..2 {
        let id = api.place().await;
        assert_eq!(api.pay(&id, Some("k")).await.status, StatusCode::OK);
    }
    let events = api.events();
    let kept = events
        .iter()
        .filter(|event| event.header("ce_type") == "PaymentKept");
    let hashes: Vec<_> = kept.map(|event| event.header("ce_commandhash")).collect();
    let body = json!({"payment_method": "tok_visa"}).to_string();
    let tried_out = request_hash(body.as_bytes()).to_string();
    assert_eq!(hashes.len(), 2);
    assert_ne!(hashes[0], hashes[1]);
    assert!(!hashes.contains(&tried_out.as_str()), "{hashes:?}");
}

#[tokio::test]
async fn white_space_and_the_order_of_members_make_no_other_request() {
    let api = Api::start().await;
    let id = api.place().await;
    let path = format!("/v1/orders/{id}/pay");
    let bodies = [
        r#"{"payment_method":"tok_visa","amount":{"amount":5497,"currency":"EUR"}}"#,
        r#"{ "amount": {"currency": "EUR", "amount": 5497}, "payment_method": "tok\u005fvisa" }"#,
    ];
    // An id has many spellings, and is one path.
    let loud = path.replace(&id, &id.to_uppercase());
    let mut answers = Vec::new();
    for (path, body) in [(&path, bodies[0]), (&path, bodies[1]), (&loud, bodies[0])] {
        let mut request = post(path, Some("k"), &Value::Null);
        *request.body_mut() = body.into();
        answers.push(api.send(request).await);
    }
    let replayed: Vec<_> = answers.iter().map(Answer::is_replayed).collect();
    assert_eq!(replayed, [false, true, true], "{answers:?}");
    assert_eq!(api.event_names(), ["OrderPlaced", "PaymentKept"]);
}

#[tokio::test]
async fn a_query_string_makes_no_other_request() {
    let api = Api::start().await;
    let first = api.post("/v1/orders", Some("k"), &example_order()).await;
    let path = "/v1/orders?customer_id=eve";
    let again = api.post(path, Some("k"), &example_order()).await;
    assert!(again.is_replayed(), "{again:?}");
    assert_eq!(told(&first), told(&again));
}

#[tokio::test]
async fn a_key_belongs_to_a_customer_and_a_path() {
    let api = Api::start().await;
    let mut of_eve = example_order();
    of_eve["customer_id"] = json!("eve");
    let ada = api.post("/v1/orders", Some("k"), &example_order()).await;
    let eve = api.post("/v1/orders", Some("k"), &of_eve).await;
    assert_eq!(eve.status, StatusCode::CREATED);
    assert!(!eve.is_replayed());
    assert_ne!(ada.id(), eve.id());
    for id in [ada.id(), eve.id()] {
        let paid = api.pay(id, Some("k")).await;
        assert_eq!((paid.status, paid.is_replayed()), (StatusCode::OK, false));
    }
}

#[tokio::test]
async fn without_a_key_every_request_is_another() {
    let api = Api::start().await;
    assert_ne!(api.place().await, api.place().await);
    assert_eq!(api.events().len(), 2);
}

#[tokio::test]
async fn repetitions_at_the_same_time_wait_for_the_first() {
    let api = Api::start().await;
    let order = example_order();
    let requests = (0..20).map(|_| api.post("/v1/orders", Some("k"), &order));
    let answers = join_all(requests).await;
    let first: Vec<_> = answers
        .iter()
        .filter(|answer| !answer.is_replayed())
        .collect();
    assert_eq!(first.len(), 1);
    assert!(answers.iter().all(|answer| told(answer) == told(first[0])));
    assert_eq!(api.events().len(), 1);
}

#[tokio::test]
async fn a_rejection_is_not_remembered() {
    let api = Api::start().await;
    let id = api.place().await;
    let path = format!("/v1/orders/{id}/pay");
    let body = |amount: i64| {
        json!({
            "payment_method": "tok_visa",
            "amount": {"amount": amount, "currency": "EUR"},
        })
    };
    let refused = api.post(&path, Some("k"), &body(1)).await;
    assert_eq!(refused.problem(), (409, "amount-mismatch"));
    let paid = api.post(&path, Some("k"), &body(5_497)).await;
    assert_eq!((paid.status, paid.is_replayed()), (StatusCode::OK, false));
}
