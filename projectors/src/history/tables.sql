-- One row for each event of an order's journey; can be rebuilt from OrderEvents, InventoryEvents, CartEvents, PaymentEvents,
-- ShippingEvents and NotificationEvents.
create table history (
    topic text not null,
    partition integer not null,
    position bigint not null,
    order_id uuid not null,
    event_id uuid not null,
    type text not null,
    type_version integer not null,
    stream text not null,
    version integer not null,
    -- In the decision that it is part of, from 1.
    place integer not null,
    time timestamptz not null,
    correlation_id uuid not null,
    causation_id uuid not null,
    actor text not null,
    -- The payload, with null for what is personal, and without payment methods.
    data json not null,
    -- What is different of the order afterwards, as GET /v1/orders/{id} shows it, address included; {} where that is its version alone,
    -- null where it is nothing.
    change json,
    primary key (topic, partition, position)
);
