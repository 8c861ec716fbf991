-- One row an order; can be rebuilt from OrderEvents. Keyed while it is filled, since later chunks meet earlier rows.
create table orders (
    id uuid primary key,
    customer_id text not null,
    status text not null,
    stuck boolean not null,
    version integer not null,
    currency text not null,
    items_amount bigint not null,
    total_amount bigint not null,
    lines jsonb not null,
    payment jsonb,
    last_payment_error jsonb,
    shipments jsonb not null,
    shipping_address jsonb not null,
    placed_at timestamptz not null,
    updated_at timestamptz not null
);
