-- One row a message to somebody; can be rebuilt from NotificationEvents.
create table notifications (
    id uuid primary key,
    version integer not null,
    -- Null until it is requested; it is not shown before.
    order_id uuid,
    channel text,
    template text,
    created_at timestamptz,
    status text not null,
    tries integer not null,
    reason text,
    updated_at timestamptz not null
);
