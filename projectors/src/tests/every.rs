//! What holds for every projection alike.

use event_store::log::Log;

use super::{World, eventually, running::Runner, shop::Shop};
use crate::{
    Carts, History, Notifications, Orders, Payments, Products, Projection, ProjectionName,
    SalesDaily, Shipments, rebuild, rebuild::Options,
};

const PARTITIONS: i32 = 2;

/// Waits until the live version holds all that is in the log.
async fn catches_up<P: Projection>(world: &World, shop: &Shop) {
    let places = P::TOPICS
        .iter()
        .flat_map(|topic| (0..PARTITIONS).map(move |number| (topic, number)));
    let ends = places.map(|(topic, number)| shop.log.end_offset(topic, number).expect("answers"));
    let end: i64 = ends.sum();
    let reached = format!(
        "select sum(next_offset)::bigint from offset_zero.checkpoints where name = '{}' and version = 1",
        P::NAME
    );
    eventually(P::NAME, async || world.number(&reached).await == end).await;
}

#[tokio::test]
async fn a_rebuild_gives_row_for_row_the_live_table() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    let runner = Runner::start(&world, &shop);
    shop.stock(9).await;
    shop.shop(6).await;
    shop.trade(9).await;
    shop.fulfil(6).await;
    catches_up::<Orders>(&world, &shop).await;
    catches_up::<Products>(&world, &shop).await;
    catches_up::<Carts>(&world, &shop).await;
    catches_up::<Payments>(&world, &shop).await;
    catches_up::<Shipments>(&world, &shop).await;
    catches_up::<Notifications>(&world, &shop).await;
    catches_up::<History>(&world, &shop).await;
    catches_up::<SalesDaily>(&world, &shop).await;
    runner.stop().await;
    for name in ProjectionName::ALL {
        let report = rebuild(name, &shop.log, &world.database, Options::default())
            .await
            .expect("rebuilds");
        let live = world.rows(&format!("{name}_1")).await;
        assert_eq!(report.rows, live.len() as u64, "{name}");
        assert!(report.rows > 0, "{name}");
        assert!(report.verification.is_equal(), "{report}");
        assert_eq!(world.rows(&format!("{name}_2")).await, live, "{name}");
    }
    let parked = "select count(*) from offset_zero.dead_letters";
    assert_eq!(world.number(parked).await, 0, "ours lie where they belong");
}

#[tokio::test]
async fn rows_say_what_has_happened() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    shop.stock(6).await;
    shop.shop(4).await;
    for name in ProjectionName::ALL {
        rebuild(name, &shop.log, &world.database, Options::default())
            .await
            .expect("rebuilds");
    }
    for (expected, sql) in [
        (6, "select count(*) from products_2.products where (on_hand, reserved) = (8, 1)"),
        (3, "select count(*) from products_2.products where price_amount = 2999"),
        (2, "select count(*) from products_2.products where status = 'discontinued'"),
        (
            2,
            "select count(*) from carts_2.carts where status = 'open' and customer_id is null and order_id is null",
        ),
        (
            2,
            "select count(*) from carts_2.carts c join orders_2.orders o on o.id = c.order_id
             where c.status = 'checked_out' and o.customer_id = c.customer_id",
        ),
        (
            4,
            "select count(*) from carts_2.carts where items->0->>'sku' = 'TEA-0' and items->1->>'sku' = 'TEA-2'
                 and (totals->'total')::jsonb = '{\"amount\": 7996, \"currency\": \"EUR\"}'",
        ),
        // Three reservations a product, one of them given back, one allocated and gone.
        (6 * (3 + 1 + 2), "select count(*) from history_2.history where topic = 'InventoryEvents'"),
        (
            2,
            "select count(*) from history_2.history a join history_2.history b using (order_id)
             where (a.type, b.type) = ('CartCheckedOut', 'OrderPlaced') and (a.time, a.place) < (b.time, b.place)
                 and b.data->>'personal' is null and b.data->>'customer_id' is not null",
        ),
    ] {
        assert_eq!(world.number(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn rows_say_what_has_become_of_orders() {
    let (world, shop) = (World::new().await, Shop::open(PARTITIONS));
    shop.fulfil(6).await;
    for name in ProjectionName::ALL {
        rebuild(name, &shop.log, &world.database, Options::default())
            .await
            .expect("rebuilds");
    }
    for (expected, sql) in [
        (
            2,
            "select count(*) from orders_2.orders where (status, stuck, payment->>'status') = ('delivered', false, 'captured')
                 and (payment->'refunded')::jsonb = '{\"amount\": 0, \"currency\": \"EUR\"}' and last_payment_error is null
                 and json_array_length(shipments) = 1
                 and (shipments->0)::jsonb @> '{\"status\": \"delivered\", \"carrier\": \"Zoë & Co\", \"tracking_number\": \"Zoë & Co-42\"}'",
        ),
        (
            2,
            "select count(*) from orders_2.orders where (status, payment_attempt, payment->>'status') = ('cancelled', 2, 'refunded')
                 and (payment->'refunded')::jsonb = (payment->'amount')::jsonb and last_payment_error is null
                 and (shipments->0)::jsonb @> '{\"status\": \"cancelled\", \"carrier\": null}'",
        ),
        (
            2,
            "select count(*) from orders_2.orders where status = 'cancelled' and payment is null and json_array_length(shipments) = 0
                 and last_payment_error->>'code' = 'card-declined'",
        ),
        (
            2,
            "select count(*) from payments_2.payments
             where (status, attempt, amount, captured, refunded, version) = ('captured', 1, 5997, 5997, 0, 4) and error is null",
        ),
        (
            2,
            "select count(*) from payments_2.payments where (status, attempt, captured, refunded) = ('voided', 1, 0, 0)
                 and error->>'code' = 'gateway-unavailable'",
        ),
        (
            2,
            "select count(*) from payments_2.payments where (status, attempt, captured, refunded) = ('refunded', 2, 5997, 5997)",
        ),
        (2, "select count(*) from payments_2.payments where order_id is null and version = 1"),
        (
            2,
            "select count(*) from shipments_2.shipments where status = 'delivered' and lines->0->>'location' = 'main'
                 and order_id = id and carrier = 'Zoë & Co'",
        ),
        (2, "select count(*) from shipments_2.shipments where status is null and order_id is null"),
        (
            6,
            "select count(*) from notifications_2.notifications
             where (channel, template, status, tries) = ('email', 'order_confirmation', 'sent', 1) and reason is null",
        ),
        (
            6,
            "select count(*) from notifications_2.notifications where (status, tries) = ('sent', 2) and reason is null",
        ),
        (
            6,
            "select count(*) from notifications_2.notifications
             where (template, status, tries, reason) = ('shipped', 'abandoned', 2, 'no such mailbox')",
        ),
        (6, "select count(*) from notifications_2.notifications where (status, tries) = ('requested', 0)"),
        (2, "select sum(orders)::bigint from sales_daily_2.sales_daily"),
        (2 * 5997, "select sum(revenue)::bigint from sales_daily_2.sales_daily"),
        (2 * 3, "select sum(units)::bigint from sales_daily_2.sales_daily"),
        // Orders, payments, shipments, notifications.
        (6 * 4, "select count(distinct (order_id, topic)) from history_2.history where topic <> 'InventoryEvents'"),
        (0, "select count(*) from history_2.history where data::text like '%tok_visa%' or data::text like '%zoe@%'"),
    ] {
        assert_eq!(world.number(sql).await, expected, "{sql}");
    }
}
