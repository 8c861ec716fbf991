use serde_json::{Value, json};

use super::*;
use crate::golden::{self, golden};
use crate::{product::testing::*, quantity::SkuUnits};

/// One of each version ever released.
const GOLDEN: [(&str, u16, &str); 19] = [
    golden!("ProductCreated"),
    golden!("ProductRepriced"),
    golden!("ProductDiscontinued"),
    golden!("StockOpened"),
    golden!("StockReceived"),
    golden!("StockReserved"),
    golden!("StockAwaited"),
    golden!("StockDenied"),
    golden!("StockAllocated"),
    golden!("StockReleased"),
    golden!("StockCommitted"),
    golden!("ReservationOpened"),
    golden!("ReservationLineRequested"),
    golden!("InventoryConfirmed"),
    golden!("InventoryRejected"),
    golden!("ReservationCancelled"),
    golden!("ReservationLineReturned"),
    golden!("ReservationCommitted"),
    golden!("InventoryCheck"),
];

fn lines() -> [SkuUnits; 2] {
    [line("MUG-BLUE", 1), line("TEA-EARL-GREY", 2)]
}

fn events() -> [ProductEvent; 19] {
    let tea = || line("TEA-EARL-GREY", 2);
    [
        created(euros(1_999)),
        repriced(euros(2_499)),
        discontinued(),
        stock_opened(),
        received(5),
        reserved(1, 2),
        awaited(1, 2),
        denied(1, 2, 1),
        allocated(1),
        released(1, 2),
        committed(1, 2),
        reservation_opened(&lines()),
        requested(tea()),
        confirmed(&lines()),
        rejected(tea(), 1, &["MUG-BLUE"]),
        cancelled(&["MUG-BLUE", "TEA-EARL-GREY"]),
        returned("TEA-EARL-GREY"),
        reservation_committed(&lines()),
        check(&lines()),
    ]
}

fn read(name: &str, version: u16, payload: &Value) -> Result<ProductEvent, serde_json::Error> {
    ProductEvent::deserialize(name, version, payload)
}

#[test]
fn golden_files_are_read_and_written() {
    golden::are_read_and_written(GOLDEN, events());
}

#[test]
fn unknown_members_are_ignored() {
    for event in events() {
        let EventKind { name, version } = event.kind();
        let mut payload = serde_json::to_value(&event).unwrap();
        payload["added_later"] = json!({"by": "a newer writer"});
        for list in ["lines", "shortages"] {
            if payload.get(list).is_some() {
                payload[list][0]["weight_g"] = json!(250);
            }
        }
        assert_eq!(read(name, version, &payload).unwrap(), event);
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let payload = serde_json::to_value(reserved(1, 2)).unwrap();
    for (name, version) in [
        ("StockReserved", 2),
        ("StockReserved", 0),
        ("StockEaten", 1),
    ] {
        assert!(read(name, version, &payload).is_err(), "{name}/{version}");
    }
    assert!(read("StockReserved", 1, &json!({"sku": "A"})).is_err());
}

#[test]
fn streams_are_named_after_what_they_are_of_and_keyed_by_it() {
    let id = "00000000-0000-0000-0000-000000000001";
    for (event, stream, key) in [
        (discontinued(), "product-TEA-EARL-GREY", "TEA-EARL-GREY"),
        (allocated(1), "stock-TEA-EARL-GREY", "TEA-EARL-GREY"),
        (cancelled(&[]), &*format!("reservation-{id}"), id),
        (check(&lines()), &*format!("order-{id}"), id),
    ] {
        assert_eq!(event.stream().to_string(), stream);
        assert_eq!(ProductEvent::key(&event.stream()), key);
    }
}

#[test]
fn what_happens_for_an_order_is_a_step_of_its_journey() {
    for event in events() {
        let of_order = serde_json::to_value(&event)
            .unwrap()
            .get("order_id")
            .is_some();
        let expected = of_order.then(|| order(1).as_uuid());
        assert_eq!(event.journey(), expected, "{event:?}");
    }
}

#[test]
fn only_the_catalogue_is_in_the_topic_of_products() {
    for event in events() {
        let catalogue = event.kind().name.starts_with("Product");
        let topic = if catalogue {
            "ProductEvents"
        } else {
            "InventoryEvents"
        };
        assert_eq!(event.topic(), topic, "{event:?}");
    }
}
