-- One row for each event that changes an order; can be rebuilt from OrderEvents, PaymentEvents and ShippingEvents.
create table order_versions (
    topic text not null,
    partition integer not null,
    position bigint not null,
    order_id uuid not null,
    -- Of the order's own stream; null where a payment or a shipment of it has changed.
    version integer,
    time timestamptz not null,
    type text not null,
    -- What is different afterwards, as GET /v1/orders/{id} shows it; {} where that is the version alone.
    change json not null,
    primary key (topic, partition, position)
);
