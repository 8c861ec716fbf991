alter table offset_zero.projection_versions
    -- What its tables and their rows are like, as the program that made it numbers that.
    add column shape integer not null default 1 check (shape > 0),
    -- Where its rebuild began, as it was asked for: only one that asks for the same goes on with it.
    add column rebuilt_from text not null default 'ZERO';

-- What a process can feed: its shape of each projection, by name. One that says nothing is of a program that knew one shape.
alter table offset_zero.projectors add column shapes jsonb not null default '{}';
