-- What is known of every projection. Not rebuildable: it says which version is live.
-- The rows of each version live in a schema of their own (`orders_1`), which can always be rebuilt from offset zero.
create schema if not exists offset_zero;

create table offset_zero.projections (
    name text primary key,
    live_version integer
);

create table offset_zero.projection_versions (
    name text not null references offset_zero.projections (name),
    version integer not null check (version > 0),
    schema_name text not null unique,
    state text not null check (state in ('building', 'ready', 'live', 'retired', 'failed')),
    error text,
    events_per_second double precision not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (name, version)
);

-- Moved by compare-and-set in the transaction that writes the rows: `next_offset` says what the rows hold.
create table offset_zero.checkpoints (
    name text not null,
    version integer not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    end_offset bigint not null,
    epoch bigint not null default 0,
    cluster_id text not null,
    last_event_offset bigint,
    last_event_id uuid,
    updated_at timestamptz not null default now(),
    primary key (name, version, topic, partition),
    foreign key (name, version) references offset_zero.projection_versions (name, version) on delete cascade
);
