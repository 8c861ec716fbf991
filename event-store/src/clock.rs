//! What time it is, as exactly as events tell it.

use chrono::{DateTime, SubsecRound, Utc};

/// Events' times are exact to this many digits, in their headers as in Postgres.
const SUBSECOND_DIGITS: u16 = 6;

/// The time of the system's clock, cut to what is told.
#[must_use]
pub fn now() -> DateTime<Utc> {
    told(Utc::now())
}

/// A time as events tell it: what is more exact is rounded down.
#[must_use]
pub fn told(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(SUBSECOND_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreConfig;

    /// Commands of policies and of deadlines take their times from there, and events take them from commands.
    #[test]
    fn a_store_tells_no_more_than_postgres_holds() {
        let StoreConfig { clock, .. } = StoreConfig::default();
        for _ in 0..100 {
            let (told, now) = (clock(), now());
            assert_eq!(told.timestamp_subsec_nanos() % 1_000, 0, "{told}");
            assert_eq!(now.timestamp_subsec_nanos() % 1_000, 0, "{now}");
        }
    }
}
