//! Columns that hold JSON as the API shows it.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use utoipa::ToSchema;

/// Passes through as it is.
pub(crate) type Unparsed = Json<Box<RawValue>>;

/// Columns of times are exact to so many digits.
const SUBSECOND_DIGITS: u16 = 6;

/// Reads a time as a column of times would hold it; for `deserialize_with`. In JSON it is as exact as the event's producer was.
///
/// # Errors
/// When it is none.
pub(crate) fn time<'de, D: Deserializer<'de>>(value: D) -> Result<DateTime<Utc>, D::Error> {
    let time = DateTime::<Utc>::deserialize(value)?;
    Ok(time.trunc_subsecs(SUBSECOND_DIGITS))
}

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
