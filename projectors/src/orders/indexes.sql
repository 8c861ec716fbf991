-- Made after a rebuild has filled the table; again after a crash in between.
create index if not exists orders_by_customer on orders (customer_id, placed_at desc, id desc);
create index if not exists orders_by_status on orders (status, placed_at desc, id desc);
create index if not exists orders_by_time on orders (placed_at desc, id desc);
create index if not exists orders_stuck on orders (placed_at desc, id desc) where stuck;
