-- One row an order; can be rebuilt from OrderEvents, PaymentEvents and ShippingEvents. Keyed while it is filled, since later
-- chunks meet earlier rows.
create table orders (
    id uuid primary key,
    -- Of OrderEvents; null until the first of them, and the order is not shown before.
    customer_id text,
    status text,
    stuck boolean not null,
    version integer not null,
    currency text,
    items_amount bigint,
    total_amount bigint,
    lines json,
    last_payment_error json,
    shipping_address json,
    placed_at timestamptz,
    -- Of PaymentEvents: the newest payment. The offset follows the last of them that is in here.
    payment json,
    payment_attempt integer not null,
    payment_next_offset bigint not null,
    -- Of ShippingEvents.
    shipments json not null,
    shipping_next_offset bigint not null,
    -- Of all of them: when the latest was that changed something here.
    updated_at timestamptz not null
);
