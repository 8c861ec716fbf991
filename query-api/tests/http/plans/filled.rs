//! Tables in which a scan would show.

/// In each of them.
pub(super) const ROWS: u32 = 20_000;

/// Has 100 orders, of which some are stuck, as are some of others.
pub(super) const CUSTOMER: &str = "customer-7";

/// Of the first order, cart, payment and shipment alike.
pub(super) fn first_id() -> String {
    "00000000-0000-7000-8000-000000000001".to_owned()
}

/// Fills all projections' first versions.
pub(super) const FILL: &str = r#"
create temporary table numbers on commit drop as
    select n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id,
           ('00000000-0000-7000-8000-' || lpad(to_hex(n / 100 + 1), 12, '0'))::uuid as order_id,
           '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute' as time
    from generate_series(1, 20000) n;

insert into orders_1.orders (id, customer_id, status, stuck, version, currency, items_amount, total_amount, lines,
    shipping_address, placed_at, payment_attempt, payment_next_offset, shipments, shipping_next_offset, updated_at)
select id, 'customer-' || n % 200,
       (array['placed', 'awaiting_payment', 'paid', 'shipped', 'completed'])[n / 200 % 5 + 1],
       n % 300 = 7, 1, 'EUR', 100, 100, '[]', '{}', time, 0, 0, '[]', 0, time
from numbers;

insert into history_1.history (topic, partition, position, order_id, event_id, type, type_version, stream, version, place, time,
    correlation_id, causation_id, actor, data, change)
select 'OrderEvents', n % 2, n, order_id, id, 'OrderPlaced', 1, 'order-' || order_id, 1, 1, time, id, id, 'customer', '{}',
       jsonb_build_object('status', 'placed', 'placed', jsonb_build_object('customer_id', 'customer-7', 'lines', '[]'::jsonb,
           'placed_at', time, 'shipping_address', '{}'::jsonb, 'totals', '{"items": {"amount": 1, "currency": "EUR"}, "total": {"amount": 1, "currency": "EUR"}}'::jsonb))
from numbers;

insert into notifications_1.notifications (id, version, order_id, channel, template, created_at, status, tries, updated_at)
select id, 1, order_id, 'email', 'payment', time, 'sent', 1, time from numbers;

insert into carts_1.carts (id, status, version, items) select id, 'open', 1, '[]' from numbers;

insert into payments_1.payments (id, version, order_id, attempt, status, currency, amount, captured, refunded, created_at,
    updated_at)
select id, 1, id, 1, 'captured', 'EUR', 100, 100, 0, time, time from numbers;

insert into shipments_1.shipments (id, version, order_id, status, lines, created_at, updated_at)
select id, 1, id, 'created', '[]', time, time from numbers;

insert into products_1.products (sku, name, price_amount, price_currency, status, product_version, on_hand, reserved,
    stock_version)
select 'sku-' || n, 'tea', 100, 'EUR', 'active', 1, 10, 0, 1 from numbers;

insert into sales_daily_1.sales_daily (day, currency, partition, orders, revenue, units)
select '2020-01-01'::date + n / 8, (array['CHF', 'EUR', 'GBP', 'USD'])[n / 2 % 4 + 1], n % 2, 1, 100, 1 from numbers;

analyze;
"#;
