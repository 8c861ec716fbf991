-- One row a shipment; can be rebuilt from ShippingEvents.
create table shipments (
    id uuid primary key,
    version integer not null,
    -- Null where there is nothing to send, and perhaps never will be; it is not shown before.
    order_id uuid,
    status text,
    lines json,
    carrier text,
    tracking_number text,
    created_at timestamptz,
    updated_at timestamptz not null
);
