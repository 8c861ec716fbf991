-- Made after a rebuild has filled the table; again after a crash in between.
create index if not exists notifications_by_order on notifications (order_id, created_at, id);
