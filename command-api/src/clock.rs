//! What time it is, as exactly as events tell it.

use chrono::{DateTime, SubsecRound, Utc};

/// Events' times are exact to this many digits, in Kafka as in Postgres.
const SUBSECOND_DIGITS: u16 = 6;

pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(SUBSECOND_DIGITS)
}
