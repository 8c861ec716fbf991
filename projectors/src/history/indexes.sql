-- Made after a rebuild has filled the table; again after a crash in between.
create index if not exists history_by_order on history (order_id, time, place, event_id);
