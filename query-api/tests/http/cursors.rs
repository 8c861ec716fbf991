//! Cursors that no list has given, though their hash is right: how it is made is no secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::world::{ALL, LONG_AGO, World};

/// As `page.rs` has it.
const LIST_NAMESPACE: Uuid = Uuid::from_u128(0x5b1e_8f0a_2f6e_4c55_9a37_6d0c_41c6_02b4);

fn forged(list: &str, key: &[u8]) -> String {
    let list = Uuid::new_v5(&LIST_NAMESPACE, list.as_bytes());
    let (hash, _) = Uuid::new_v5(&list, key).as_u64_pair();
    URL_SAFE_NO_PAD.encode([key, &hash.to_be_bytes()].concat())
}

#[tokio::test]
async fn what_postgres_cannot_hold_is_refused() {
    let world = World::with_all(&ALL).await;
    let order_id = Uuid::nil();
    let of_history = format!("history of {order_id}");
    let of_notifications = format!("notifications of {order_id}");
    let history = format!("/v1/orders/{order_id}/history?");
    let notifications = format!("/v1/notifications?order_id={order_id}&");
    let at = |micros: [u8; 8], rest: usize| [micros.to_vec(), vec![0; rest]].concat();
    let times = |rest: usize| (at([0; 8], rest), at(LONG_AGO, rest));
    let on = |day: i32, currency: &str| [&day.to_be_bytes()[..], currency.as_bytes()].concat();
    for (uri, list, (good, bad)) in [
        ("/v1/orders?", "(None, None, None, None)", times(16)),
        (&*history, &*of_history, times(20)),
        (&*notifications, &*of_notifications, times(16)),
        (
            "/v1/products?",
            "products",
            (b"tea".to_vec(), b"t\0a".to_vec()),
        ),
        (
            "/v1/sales/daily?",
            "sales (None, None)",
            (on(1, "EUR"), on(1, "E\0R")),
        ),
        (
            "/v1/sales/daily?",
            "sales (None, None)",
            (on(1, "EUR"), on(-73_000_000, "EUR")),
        ),
    ] {
        let page_after = |key: &[u8]| format!("{uri}cursor={}", forged(list, key));
        world.get(&page_after(&good)).await.json();
        let answer = world.get(&page_after(&bad)).await;
        answer.problem(400, "invalid-cursor");
    }
}
