-- How a rebuild gets on, for whoever looks: figures for people, lost without harm.
alter table offset_zero.projection_versions
    add column phase text,
    -- Applied so far by this run.
    add column events bigint not null default 0,
    -- Passed and to be passed, control records included: offsets are known beforehand, events are not.
    add column records bigint not null default 0,
    add column of_records bigint not null default 0,
    add column eta_seconds bigint;
