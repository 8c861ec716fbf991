//! Columns that hold JSON as the API shows it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use utoipa::ToSchema;

/// Passes through as it is.
pub(crate) type Unparsed = Json<Box<RawValue>>;

/// Minor units of a currency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Money {
    #[schema(example = 1999)]
    amount: i64,
    #[schema(example = "EUR")]
    currency: String,
}

/// What it costs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON in a column")]
pub(crate) struct Totals {
    items: Money,
    total: Money,
}
