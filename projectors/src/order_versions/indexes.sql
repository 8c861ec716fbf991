-- Made after a rebuild has filled the table; again after a crash in between. An order's events of one topic have one partition.
create index if not exists order_versions_by_order on order_versions (order_id, topic, position);
