//! In whichever order the topics come, and however they are cut into chunks, the rows are the same; once is as good as twice.

use domain::{
    ReadEvent,
    cart::{CartItemRemoved, CartItemSet, CartOpened},
    ids::{CartId, OrderId, Sku},
    product::{
        catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced},
        stock::{Location, StockCommitted, StockReceived, StockReleased, StockReserved},
    },
    quantity::Quantity,
    topics::{CART_EVENTS, INVENTORY_EVENTS, ORDER_EVENTS, PAYMENT_EVENTS, PRODUCT_EVENTS},
};
use event_store::Recorded;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    World,
    commands::{now, price, sku, units},
    folding::fold,
    journeys::{interleave, recorded},
};
use crate::{
    Carts, History, Products,
    carts::row::{CartView, CheckedOut},
    history::row::HistoryEvent,
    products::row::{CatalogueChange, ProductView, StockChange},
};

/// Each is a few database schemas, filled and read.
const CASES: u32 = 16;

pub(super) fn runner() -> TestRunner {
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    })
}

/// The events of one topic, each SKU's in their order.
type Topic = Vec<Recorded<ProductView>>;

fn catalogue(sku: &Sku, steps: usize) -> Vec<ProductView> {
    let created = CatalogueChange::Created(ProductCreated {
        sku: sku.clone(),
        name: "Tea".parse().expect("printable"),
        price: price(1),
        created_at: now(),
    });
    let repriced = CatalogueChange::Repriced(ProductRepriced {
        sku: sku.clone(),
        price: price(2),
        repriced_at: now(),
    });
    let discontinued = CatalogueChange::Discontinued(ProductDiscontinued {
        sku: sku.clone(),
        discontinued_at: now(),
    });
    let changes = [created, repriced, discontinued].into_iter().take(steps);
    changes.map(ProductView::Catalogue).collect()
}

fn stock(sku: &Sku, steps: usize) -> Vec<ProductView> {
    let (sku, order_id, location) = (sku.clone(), OrderId::from(Uuid::nil()), Location::Main);
    let received = StockChange::Received(StockReceived {
        sku: sku.clone(),
        quantity: units(10),
        location,
        received_at: now(),
    });
    let reserved = StockChange::Reserved(StockReserved {
        sku: sku.clone(),
        order_id,
        quantity: units(5),
        location,
    });
    let released = StockChange::Released(StockReleased {
        sku: sku.clone(),
        order_id,
        quantity: units(2),
        location,
    });
    let committed = StockChange::Committed(StockCommitted {
        sku,
        order_id,
        quantity: units(3),
        location,
    });
    let changes = [received, reserved, released, committed];
    let changes = changes.into_iter().take(steps);
    changes.map(ProductView::Stock).collect()
}

fn topic(name: &str, streams: Vec<Vec<ProductView>>) -> Topic {
    let mut events = Topic::new();
    for (number, stream) in streams.into_iter().enumerate() {
        // Versions have gaps where an event does not count.
        for (version, event) in (1..).step_by(2).zip(stream) {
            let stream = format!("{name}-{number}");
            events.push(recorded(event, name, &stream, version, events.len()));
        }
    }
    events
}

#[test]
fn products_are_the_same_however_their_topics_come() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let steps = vec((0_usize..=3, 0_usize..=4), 1..8);
    let inputs = (steps, vec(0_usize..2, 1..20), vec(1_usize..=8, 1..20));
    let result = runner().run(&inputs, |(steps, picks, cuts)| {
        let skus = || steps.iter().enumerate();
        let one = skus().map(|(number, (steps, _))| catalogue(&sku(number), *steps));
        let one = topic(PRODUCT_EVENTS, one.collect());
        let other = skus().map(|(number, (_, steps))| stock(&sku(number), *steps));
        let other = topic(INVENTORY_EVENTS, other.collect());
        let in_turn = [one.as_slice(), &other].concat();
        let mixed = interleave(&[&one, &other], &picks);
        let twice = [mixed.as_slice(), &mixed].concat();

        let expected =
            runtime.block_on(fold::<Products>(&world, &in_turn, &[in_turn.len().max(1)]));
        let rows = steps.iter().filter(|steps| **steps != (0, 0)).count();
        prop_assert_eq!(expected.len(), rows);
        prop_assert_eq!(
            &runtime.block_on(fold::<Products>(&world, &mixed, &cuts)),
            &expected
        );
        prop_assert_eq!(
            &runtime.block_on(fold::<Products>(&world, &twice, &cuts)),
            &expected
        );
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn a_product_is_what_both_topics_say() {
    let world = World::new().await;
    let one = topic(PRODUCT_EVENTS, vec![catalogue(&sku(0), 2)]);
    let other = topic(INVENTORY_EVENTS, vec![stock(&sku(0), 4), stock(&sku(1), 2)]);
    let rows = fold::<Products>(&world, &[one, other].concat(), &[1]).await;
    // 10 received, 5 reserved, 2 of them given back, 3 gone.
    assert_eq!(
        rows,
        ["(TEA-0,Tea,2,EUR,active,3,7,0,7)", "(TEA-1,,,,,0,10,5,3)"]
    );
}

/// A cart's events, by what is put in (a quantity) or taken out (none), of which SKU.
fn cart(id: Uuid, steps: &[(usize, i64)], is_checked_out: bool) -> Vec<CartView> {
    let cart_id = CartId::from(id);
    let mut events = vec![CartView::CartOpened(CartOpened {
        cart_id,
        customer_id: None,
        opened_at: now(),
    })];
    events.extend(steps.iter().map(|(number, quantity)| match quantity {
        0 => CartView::CartItemRemoved(CartItemRemoved {
            cart_id,
            sku: sku(*number),
            changed_at: now(),
        }),
        quantity => CartView::CartItemSet(CartItemSet {
            cart_id,
            sku: sku(*number),
            quantity: Quantity::try_from(*quantity).expect("a quantity"),
            unit_price: price(5),
            changed_at: now(),
        }),
    }));
    if is_checked_out {
        events.push(CartView::CartCheckedOut(CheckedOut {
            cart_id,
            order_id: OrderId::of_cart(cart_id),
            customer_id: "ada".parse().expect("printable"),
        }));
    }
    events
}

fn in_log(events: Vec<CartView>) -> Vec<Recorded<CartView>> {
    let versions = (1..).zip(events).enumerate();
    let events = versions
        .map(|(offset, (version, event))| recorded(event, CART_EVENTS, "cart", version, offset));
    events.collect()
}

#[test]
fn carts_are_the_same_however_they_are_cut() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let carts = vec((vec((0_usize..3, 0_i64..3), 0..8), any::<bool>()), 1..6);
    let result = runner().run(&(carts, vec(1_usize..=8, 1..20)), |(carts, cuts)| {
        let events = carts.iter().flat_map(|(steps, is_checked_out)| {
            in_log(cart(Uuid::now_v7(), steps, *is_checked_out))
        });
        let events: Vec<_> = events.collect();
        let twice = [events.as_slice(), &events].concat();
        let whole = runtime.block_on(fold::<Carts>(&world, &events, &[events.len()]));
        prop_assert_eq!(whole.len(), carts.len());
        prop_assert_eq!(
            &runtime.block_on(fold::<Carts>(&world, &events, &cuts)),
            &whole
        );
        prop_assert_eq!(
            &runtime.block_on(fold::<Carts>(&world, &twice, &cuts)),
            &whole
        );
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn items_keep_their_places() {
    let world = World::new().await;
    let steps = [(1, 1), (0, 1), (2, 1), (1, 4), (2, 0)];
    let events = in_log(cart(Uuid::nil(), &steps, true));
    let rows = fold::<Carts>(&world, &events, &[2]).await;
    let [row] = rows.as_slice() else {
        panic!("one cart: {rows:?}");
    };
    let order_id = OrderId::of_cart(Uuid::nil().into());
    let items = r#""[{""sku"":""TEA-1"",""quantity"":4,""unit_price"":{""amount"":5,""currency"":""EUR""},"#;
    assert!(
        row.starts_with(&format!("({},ada,checked_out,7,{items}", Uuid::nil())),
        "{row}"
    );
    assert!(
        row.contains(r#"{""sku"":""TEA-0"",""quantity"":1,"#),
        "{row}"
    );
    assert!(row.contains(r#"""total"":{""amount"":25,"#), "{row}");
    assert!(row.ends_with(&format!(",{order_id})")), "{row}");
}

fn history(topic: &str, name: &str, payload: &Value, offset: usize) -> Recorded<HistoryEvent> {
    let event = HistoryEvent::deserialize(name, 1, payload).expect("any payload");
    recorded(event, topic, "stream", 1, offset)
}

#[tokio::test]
async fn history_keeps_what_is_of_an_order_and_not_personal() {
    let world = World::new().await;
    let order_id = Uuid::nil();
    let events = [
        history(
            ORDER_EVENTS,
            "OrderUnheard",
            &json!({"order_id": order_id, "personal": {"v": 1, "data": "Ada"}, "lines": [1]}),
            0,
        ),
        history(
            INVENTORY_EVENTS,
            "StockReceived",
            &json!({"sku": "tea", "quantity": 1}),
            0,
        ),
        history(
            INVENTORY_EVENTS,
            "Unheard",
            &json!({"order_id": order_id, "of": "\0"}),
            1,
        ),
        history(CART_EVENTS, "CartOpened", &json!({"cart_id": order_id}), 0),
        history(
            PAYMENT_EVENTS,
            "PaymentReconciling",
            &json!({"order_id": order_id, "method": "sealed", "target": "http://a.example/sealed", "request": {"operation": "authorise", "method": "sealed"}}),
            0,
        ),
    ];
    let whole = fold::<History>(&world, &events, &[events.len()]).await;
    assert_eq!(whole.len(), 3, "{whole:?}");
    for hidden in ["Ada", "sealed", "method", "target"] {
        assert!(whole.iter().all(|row| !row.contains(hidden)), "{whole:?}");
    }
    assert!(
        whole[2].contains(r#"{""operation"":""authorise""}"#),
        "{whole:?}"
    );
    assert!(
        whole[0].contains(",Unheard,") && whole[0].contains(r#"""of"":""\\u0000"""#),
        "{whole:?}"
    );
    assert!(whole[1].contains(r#"""personal"":null"#), "{whole:?}");
    assert_eq!(fold::<History>(&world, &events, &[1]).await, whole);
}
