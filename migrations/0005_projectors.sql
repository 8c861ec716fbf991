-- The processes that keep live versions up to date, by their signs of life. Lost without harm: it says who should feed what, never
-- who may; that is for the checkpoints' epochs.
create table offset_zero.projectors (
    id uuid primary key,
    seen_at timestamptz not null,
    -- Events a second, by projection, of what this process feeds.
    rates jsonb not null default '{}'
);

-- A projection that an operator has halted: its rows stay as they are, and can be read.
alter table offset_zero.projections add column paused boolean not null default false;
