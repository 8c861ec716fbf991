-- One row a SKU; can be rebuilt from ProductEvents and InventoryEvents. Ordered by bytes, as clients page through it,
-- whatever the database's collation.
create table products (
    sku text collate "C" primary key,
    -- Of ProductEvents; null until the first of them.
    name text,
    price_amount bigint,
    price_currency text,
    status text,
    product_version integer not null,
    -- Of InventoryEvents. What is available is the difference.
    on_hand bigint not null,
    reserved bigint not null,
    stock_version integer not null
);
