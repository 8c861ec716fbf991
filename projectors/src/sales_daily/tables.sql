-- What was shipped on a day (UTC), by currency; can be rebuilt from OrderEvents. A row for each partition of that topic, since
-- each is written by a feed of its own: whoever reads adds them up.
create table sales_daily (
    day date not null,
    currency text collate "C" not null,
    partition integer not null,
    orders bigint not null,
    -- In minor units.
    revenue bigint not null,
    units bigint not null,
    primary key (day, currency, partition)
);
