-- Events that a version could not apply, and what followed for the same record key, in the order in which they have to be
-- applied. Not rebuildable as such, but a rebuild parks what still cannot be applied, and nothing else.
create table offset_zero.dead_letters (
    name text not null,
    version integer not null,
    -- Their order.
    id bigint generated always as identity,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    -- The record's: an order's id, a SKU, a cart's id.
    key text not null,
    -- Of the record, as far as it can be read.
    event_type text,
    stream text,
    -- Why it cannot be applied; null where it only follows one that cannot.
    reason text,
    parked_at timestamptz not null default now(),
    primary key (name, version, topic, partition, "offset"),
    foreign key (name, version) references offset_zero.projection_versions (name, version) on delete cascade
);

create index dead_letters_by_key on offset_zero.dead_letters (name, version, key, id);
