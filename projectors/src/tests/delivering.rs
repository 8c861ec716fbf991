//! Orders, payments and shipments on their way: in whichever order the topics come, however they are cut, once or twice.

use chrono::{DateTime, Utc};
use domain::{
    Context, ReadEvent,
    order::{OrderShipped, OrderStatus},
    payment::PaymentStatus,
    shipping::ShipmentStatus,
    topics::{NOTIFICATION_EVENTS, ORDER_EVENTS},
};
use event_store::Recorded;
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::{
    World,
    commands::{payment_id, price, units},
    folding::fold,
    fulfilment::{self, Way},
    journeys::{decided, interleave, recorded, viewed},
    merging::runner,
    notices::{self, Notices},
};
use crate::{
    Notifications, Orders, Payments, Projection, SalesDaily, Shipments,
    orders::{row::OrderRow, view::OrderView},
    payments,
    sales_daily::row::SalesView,
    shipments,
};

/// What is in each of the three topics.
pub(super) type Topics<V> = [Vec<Recorded<V>>; 3];

/// Of some orders that have come so far in each: a way, and how many commands.
pub(super) fn topics<V: ReadEvent>(orders: &[(usize, [usize; 3])]) -> Topics<V> {
    let (mut placed, mut paid, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (way, [order, payments, shipment]) in orders {
        let (id, way) = (Uuid::now_v7(), Way::by_turns(*way));
        placed.extend(fulfilment::order(id, way).into_iter().take(*order));
        paid.extend(fulfilment::payments(id, way).into_iter().take(*payments));
        sent.extend(fulfilment::shipment(id, way).into_iter().take(*shipment));
    }
    [
        decided::<domain::order::Orders>(&placed)
            .iter()
            .map(viewed)
            .collect(),
        decided::<domain::payment::Payments>(&paid)
            .iter()
            .map(viewed)
            .collect(),
        decided::<domain::shipping::Shipments>(&sent)
            .iter()
            .map(viewed)
            .collect(),
    ]
}

#[test]
fn orders_are_the_same_however_their_topics_come() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let orders = vec((0_usize..3, [0_usize..=10, 0_usize..=9, 0_usize..=7]), 1..6);
    let inputs = (orders, vec(0_usize..3, 1..20), vec(1_usize..=8, 1..20));
    let result = runner().run(&inputs, |(orders, picks, cuts)| {
        let topics = topics::<OrderView>(&orders);
        let in_turn = topics.concat();
        let mixed = interleave(&topics.each_ref().map(Vec::as_slice), &picks);
        let twice = [mixed.as_slice(), &mixed].concat();

        let whole = [in_turn.len().max(1)];
        let expected = runtime.block_on(fold::<Orders>(&world, &in_turn, &whole));
        prop_assert_eq!(
            &runtime.block_on(fold::<Orders>(&world, &mixed, &cuts)),
            &expected
        );
        prop_assert_eq!(
            &runtime.block_on(fold::<Orders>(&world, &twice, &cuts)),
            &expected
        );
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn payments_shipments_and_notifications_are_the_same_however_they_are_cut() {
    let world = World::new().await;
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
    let of_each = || (0..).map(Way::by_turns).zip(&ids);
    let paid: Vec<_> = of_each()
        .flat_map(|(way, id)| fulfilment::payments(*id, way))
        .collect();
    let sent: Vec<_> = of_each()
        .flat_map(|(way, id)| fulfilment::shipment(*id, way))
        .collect();
    let told = ids.iter().flat_map(|id| notices::of(*id));
    let told: Vec<_> = told.map(|event| (&event).into()).collect();

    let paid: Vec<_> = decided::<domain::payment::Payments>(&paid)
        .iter()
        .map(viewed)
        .collect();
    // One of each that is delivered, two that is given back, one that never begins.
    assert_eq!(
        same_rows::<Payments>(&world, &paid).await.len(),
        2 * (1 + 2 + 1)
    );
    let sent: Vec<_> = decided::<domain::shipping::Shipments>(&sent)
        .iter()
        .map(viewed)
        .collect();
    assert_eq!(same_rows::<Shipments>(&world, &sent).await.len(), 6);
    let told: Vec<_> = decided::<Notices>(&told).iter().map(viewed).collect();
    let rows = same_rows::<Notifications>(&world, &told).await;
    assert_eq!(rows.len(), 6 * 4);
    assert!(
        rows.iter().all(|row| !row.contains(notices::EMAIL)),
        "{rows:?}"
    );
}

/// Whatever the cuts, once or twice.
async fn same_rows<P: Projection>(world: &World, events: &[Recorded<P::Event>]) -> Vec<String>
where
    P::Event: Clone,
{
    let expected = fold::<P>(world, events, &[events.len()]).await;
    let twice = [events, events].concat();
    for cuts in [&[1][..], &[2, 1, 3], &[7]] {
        assert_eq!(
            fold::<P>(world, events, cuts).await,
            expected,
            "{} {cuts:?}",
            P::NAME
        );
        assert_eq!(
            fold::<P>(world, &twice, cuts).await,
            expected,
            "{} {cuts:?}",
            P::NAME
        );
    }
    expected
}

/// After each event, whatever the domain says.
fn follows_the_domain<C: Context>(
    commands: &[C::Command],
    stream: &str,
    mut shown: impl FnMut(&Recorded<C::Event>) -> Option<String>,
    says: impl Fn(&C::State) -> Option<&'static str>,
) {
    let mut state = C::State::default();
    let events = decided::<C>(commands);
    for event in events
        .iter()
        .filter(|event| event.metadata.stream == stream)
    {
        state = C::evolve(state, &event.event);
        assert_eq!(shown(event).as_deref(), says(&state), "{:?}", event.event);
    }
}

#[test]
fn a_status_is_what_the_domain_says() {
    let id = Uuid::now_v7();
    for way in Way::ALL {
        let mut row = OrderRow::default();
        follows_the_domain::<domain::order::Orders>(
            &fulfilment::order(id, way),
            &format!("order-{id}"),
            |event| {
                row.apply(&viewed(event)).expect("follows");
                row.status().map(str::to_owned)
            },
            |order| order.status().map(OrderStatus::as_str),
        );
        for attempt in 1..=2 {
            let (mut status, is_to_be) = (None, way != Way::NeverPaid);
            follows_the_domain::<domain::payment::Payments>(
                &fulfilment::payments(id, way),
                &format!("payment-{}", payment_id(id, attempt)),
                |event| {
                    let after = payments::row::status_after(&event.event);
                    status = after
                        .map(PaymentStatus::as_str)
                        .or(status)
                        .filter(|_| is_to_be);
                    status.map(str::to_owned)
                },
                |payment| payment.status().map(PaymentStatus::as_str),
            );
        }
        follows_the_domain::<domain::shipping::Shipments>(
            &fulfilment::shipment(id, way),
            &format!("shipment-{id}"),
            |event| {
                let after = shipments::row::status_after(&event.event);
                after.map(|status| status.as_str().to_owned())
            },
            |shipment| shipment.status().map(ShipmentStatus::as_str),
        );
    }
}

fn sale(at: &str, amount: i64, partition: i32, offset: usize) -> Recorded<SalesView> {
    let shipped_at: DateTime<Utc> = at.parse().expect("a time");
    let shipped = SalesView::Shipped(OrderShipped {
        order_id: Uuid::now_v7().into(),
        amount: price(amount),
        units: units(3),
        shipped_at,
    });
    let mut event = recorded(shipped, ORDER_EVENTS, "order", 9, offset);
    event.position.partition = partition;
    event
}

#[tokio::test]
async fn a_day_of_sales_is_a_sum_in_each_partition() {
    let world = World::new().await;
    let events = [
        sale("2026-02-28T23:59:59.999999Z", 100, 0, 0),
        sale("2026-03-01T00:30:00+01:00", 20, 0, 1),
        sale("2026-03-01T00:00:00Z", 3, 0, 2),
        recorded(SalesView::Other, ORDER_EVENTS, "order", 1, 3),
        sale("2026-02-28T00:00:00Z", 4, 1, 0),
        sale("1969-12-31T12:00:00Z", 5, 1, 1),
    ];
    let expected = [
        "(1969-12-31,EUR,1,1,5,3)",
        "(2026-02-28,EUR,0,2,120,6)",
        "(2026-02-28,EUR,1,1,4,3)",
        "(2026-03-01,EUR,0,1,3,3)",
    ];
    for cuts in [&[1][..], &[2], &[6]] {
        assert_eq!(
            fold::<SalesDaily>(&world, &events, cuts).await,
            expected,
            "{cuts:?}"
        );
    }
}

#[tokio::test]
async fn of_a_notification_nothing_is_known_before_it_is_requested() {
    let world = World::new().await;
    let event = |event, version, offset| {
        recorded(event, NOTIFICATION_EVENTS, "notifications", version, offset)
    };
    let sent = viewed(&event(notices::sent(Uuid::nil(), 0, 1), 1, 0));
    let requested = viewed(&event(notices::requested(Uuid::nil(), 0), 2, 1));
    let rows = fold::<Notifications>(&world, std::slice::from_ref(&sent), &[1]).await;
    assert!(rows[0].contains(",,,,,sent,1,,"), "{rows:?}");
    let rows = fold::<Notifications>(&world, &[sent, requested], &[1]).await;
    assert!(rows[0].contains(",email,order_confirmation,"), "{rows:?}");
}
