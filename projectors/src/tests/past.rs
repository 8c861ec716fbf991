//! What is kept of the past of orders.

use domain::topics::ORDER_EVENTS;
use event_store::Recorded;
use proptest::{collection::vec, prelude::*};
use serde_json::Value;
use uuid::Uuid;

use super::{
    World,
    delivering::topics,
    folding::fold,
    journeys::{interleave, recorded},
    merging::runner,
};
use crate::{OrderVersions, Projection, order_versions::row::NamedView};

#[test]
fn changes_are_the_same_however_their_topics_come() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let orders = vec((0_usize..3, [0_usize..=10, 0_usize..=9, 0_usize..=7]), 1..6);
    let inputs = (orders, vec(0_usize..3, 1..20), vec(1_usize..=8, 1..20));
    let result = runner().run(&inputs, |(orders, picks, cuts)| {
        let topics = topics::<NamedView>(&orders);
        let in_turn = topics.concat();
        let mixed = interleave(&topics.each_ref().map(Vec::as_slice), &picks);
        let counting = |event: &&Recorded<_>| OrderVersions::key(event).is_some();

        let whole = [in_turn.len().max(1)];
        let expected = runtime.block_on(fold::<OrderVersions>(&world, &in_turn, &whole));
        prop_assert_eq!(expected.len(), in_turn.iter().filter(counting).count());
        prop_assert_eq!(
            &runtime.block_on(fold::<OrderVersions>(&world, &mixed, &cuts)),
            &expected
        );
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn an_unknown_event_of_an_order_is_one_of_its_versions() {
    let world = World::new().await;
    let id = Uuid::nil();
    let unheard = |topic, stream: &str, offset| {
        let event = domain::ReadEvent::deserialize("Unheard", 3, &Value::Null);
        let event: NamedView = event.expect("whatever it says");
        recorded(event, topic, stream, 7, offset)
    };
    let events = [
        unheard(ORDER_EVENTS, &format!("order-{id}"), 4),
        unheard("PaymentEvents", &format!("payment-{id}"), 4),
    ];
    let rows = fold::<OrderVersions>(&world, &events, &[2]).await;
    let [row] = rows.as_slice() else {
        panic!("one version: {rows:?}");
    };
    assert!(
        row.starts_with(&format!("(OrderEvents,0,4,{id},7,")),
        "{row}"
    );
    assert!(row.ends_with(",Unheard,{})"), "{row}");
}
