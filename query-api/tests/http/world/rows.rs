//! What tests put into tables.

use serde_json::{Value, json};
use uuid::Uuid;

/// An order's row, with what tests vary.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) customer_id: &'static str,
    pub(crate) status: &'static str,
    pub(crate) stuck: bool,
    pub(crate) version: i32,
    pub(crate) placed_at: String,
}

impl Order {
    pub(crate) fn placed_at(time: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            customer_id: "ada",
            status: "placed",
            stuck: false,
            version: 1,
            placed_at: time.to_owned(),
        }
    }

    pub(crate) fn insert(&self) -> String {
        let Self {
            id,
            customer_id,
            status,
            stuck,
            version,
            placed_at,
        } = self;
        let (lines, address) = (lines(), address());
        format!(
            "insert into orders values ('{id}', '{customer_id}', '{status}', {stuck}, {version}, 'EUR', 3998, 3998,
                '{lines}', null, '{address}', '{placed_at}', null, 0, 0, '[]', 0, '2026-01-02T03:04:05Z')"
        )
    }
}

pub(crate) fn money(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

pub(crate) fn lines() -> Value {
    json!([{ "line_id": Uuid::nil(), "sku": "tea", "quantity": 2, "unit_price": money(1999), "total": money(3998) }])
}

pub(crate) fn address() -> Value {
    json!({ "name": "Ada", "line1": "1 High Street", "postal_code": "N1", "city": "London", "country": "GB" })
}
