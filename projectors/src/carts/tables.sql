-- One row a cart; can be rebuilt from CartEvents.
create table carts (
    id uuid primary key,
    customer_id text,
    status text not null,
    version integer not null,
    -- In the order in which they were first put in.
    items json not null,
    -- Null where there is nothing to add up.
    totals json,
    order_id uuid
);
