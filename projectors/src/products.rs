//! Products as customers see them: one row a SKU, out of the catalogue's events and those of its stock.
//!
//! The two come in no promised order: each has columns of its own, and a row begins with whichever comes first. Until the
//! catalogue's come, it has no name, and is not shown.

pub(crate) mod row;

use domain::{
    ids::Sku,
    topics::{INVENTORY_EVENTS, PRODUCT_EVENTS},
};
use event_store::Recorded;
use sqlx::PgConnection;

use self::row::{Catalogue, Offer, ProductRow, ProductView, Stock};
use crate::{
    copy::CopyBuffer,
    projection::{Projection, RecordKey, indexable},
};

/// The read model behind `GET /v1/products`.
#[derive(Debug, Clone, Copy)]
pub struct Products;

impl Projection for Products {
    const NAME: &'static str = "products";
    const TOPICS: &'static [&'static str] = &[PRODUCT_EVENTS, INVENTORY_EVENTS];
    const TABLES: &'static str = include_str!("products/tables.sql");
    const INDEXES: &'static str = include_str!("products/indexes.sql");
    const INTO: &'static str = "
        products (sku, name, price_amount, price_currency, status, product_version, on_hand, reserved, stock_version)";

    type Event = ProductView;
    type Key = Sku;
    type Row = ProductRow;

    fn key(event: &Recorded<ProductView>) -> Option<Sku> {
        event.event.sku().cloned()
    }

    fn record_key(event: &Recorded<ProductView>) -> Option<RecordKey<'_>> {
        event.event.sku().map(RecordKey::Sku)
    }

    /// No event is surely the first: the other topic's may have been. The table is not asked for a SKU that it could not hold.
    fn begin(event: &Recorded<ProductView>) -> Result<Option<ProductRow>, String> {
        if let Some(sku) = event.event.sku() {
            indexable("sku", sku.as_str())?;
        }
        Ok(None)
    }

    fn blank() -> Option<ProductRow> {
        Some(ProductRow::default())
    }

    fn apply(row: &mut ProductRow, event: &Recorded<ProductView>) -> Result<(), String> {
        row.apply(event)
    }

    async fn load(
        connection: &mut PgConnection,
        keys: &[Sku],
    ) -> sqlx::Result<Vec<(Sku, ProductRow)>> {
        let skus: Vec<&str> = keys.iter().map(Sku::as_str).collect();
        let rows = sqlx::query!(
            "select s.place, name, price_amount, price_currency, status, product_version, on_hand, reserved, stock_version
             from unnest($1::text[]) with ordinality as s (sku, place)
             join products using (sku)",
            &skus as &[&str],
        )
        .fetch_all(connection)
        .await?;
        let mut loaded = Vec::with_capacity(rows.len());
        for row in rows {
            let key = row.place.and_then(|place| usize::try_from(place - 1).ok());
            let Some(key) = key.and_then(|index| keys.get(index)) else {
                continue;
            };
            let offer = row
                .name
                .zip(row.price_amount)
                .zip(row.price_currency)
                .zip(row.status);
            let offer = offer.map(|(((name, amount), currency), status)| Offer {
                name: name.into(),
                amount,
                currency: currency.into(),
                status: status.into(),
            });
            let row = ProductRow {
                catalogue: Catalogue {
                    offer,
                    version: row.product_version,
                },
                stock: Stock {
                    on_hand: row.on_hand,
                    reserved: row.reserved,
                    version: row.stock_version,
                },
            };
            loaded.push((key.clone(), row));
        }
        Ok(loaded)
    }

    async fn update(connection: &mut PgConnection, rows: &[(Sku, ProductRow)]) -> sqlx::Result<()> {
        let skus: Vec<&str> = rows.iter().map(|(sku, _)| sku.as_str()).collect();
        let offers = || rows.iter().map(|(_, row)| row.catalogue.offer.as_ref());
        let names: Vec<_> = offers().map(|offer| Some(&*offer?.name)).collect();
        let amounts: Vec<_> = offers().map(|offer| Some(offer?.amount)).collect();
        let currencies: Vec<_> = offers().map(|offer| Some(&*offer?.currency)).collect();
        let statuses: Vec<_> = offers().map(|offer| Some(&*offer?.status)).collect();
        let product_versions: Vec<i32> =
            rows.iter().map(|(_, row)| row.catalogue.version).collect();
        let stocks = || rows.iter().map(|(_, row)| &row.stock);
        let on_hand: Vec<i64> = stocks().map(|stock| stock.on_hand).collect();
        let reserved: Vec<i64> = stocks().map(|stock| stock.reserved).collect();
        let stock_versions: Vec<i32> = stocks().map(|stock| stock.version).collect();
        sqlx::query!(
            "update products p
             set name = r.name, price_amount = r.price_amount, price_currency = r.price_currency, status = r.status,
                 product_version = r.product_version, on_hand = r.on_hand, reserved = r.reserved,
                 stock_version = r.stock_version
             from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::bigint[],
                     $8::bigint[], $9::integer[])
                 as r (sku, name, price_amount, price_currency, status, product_version, on_hand, reserved, stock_version)
             where p.sku = r.sku",
            &skus as &[&str],
            &names as &[Option<&str>],
            &amounts as &[Option<i64>],
            &currencies as &[Option<&str>],
            &statuses as &[Option<&str>],
            &product_versions,
            &on_hand,
            &reserved,
            &stock_versions,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    fn copy(sku: &Sku, row: &ProductRow, to: &mut CopyBuffer) {
        row.copy(sku, to);
    }
}
