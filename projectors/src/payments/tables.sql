-- One row a payment; can be rebuilt from PaymentEvents.
create table payments (
    id uuid primary key,
    version integer not null,
    -- Null where it has not begun, and perhaps never will; it is not shown before.
    order_id uuid,
    attempt integer,
    status text,
    currency text,
    amount bigint,
    captured bigint,
    refunded bigint,
    error json,
    created_at timestamptz,
    updated_at timestamptz not null
);
