//! How a long reading gets on.

use std::{
    fmt,
    io::{IsTerminal, stderr},
    time::Duration,
};

/// A long reading at one moment, some time after it began.
pub(super) struct Pace {
    /// Offsets that it has passed.
    pub(super) passed: u64,
    /// How many there are.
    pub(super) total: u64,
    /// How long that took.
    pub(super) elapsed: Duration,
}

impl Pace {
    fn per_second(&self) -> f64 {
        self.passed as f64 / self.elapsed.as_secs_f64()
    }

    /// How long the rest will take at the pace so far.
    fn left(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.passed);
        (self.passed > 0).then(|| self.elapsed.mul_f64(left as f64 / self.passed as f64))
    }

    /// Says so, for people: on stderr, whatever stdout is for.
    pub(super) fn tell(&self) {
        match stderr().is_terminal() {
            true => eprint!("\r{self}\x1b[K"),
            false => {
                let eta_seconds = self.left().map(|left| left.as_secs());
                tracing::info!(
                    passed = self.passed,
                    total = self.total,
                    records_per_second = self.per_second().round(),
                    eta_seconds,
                    "reading events"
                );
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, total, .. } = self;
        let per_second = self.per_second();
        write!(
            f,
            "reading events: {passed} of {total} records, {per_second:.0}/s"
        )?;
        match self.left() {
            Some(left) => write!(f, ", {} s to go", left.as_secs()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(passed: u64, total: u64, seconds: u64) -> String {
        let elapsed = Duration::from_secs(seconds);
        let pace = Pace {
            passed,
            total,
            elapsed,
        };
        pace.to_string()
    }

    #[test]
    fn a_reading_says_how_fast_it_is_and_how_long_it_will_take() {
        for (passed, expected) in [
            (0, "0 of 2000 records, 0/s"),
            (500, "500 of 2000 records, 50/s, 30 s to go"),
            (1_600, "1600 of 2000 records, 160/s, 2 s to go"),
            (2_000, "2000 of 2000 records, 200/s, 0 s to go"),
        ] {
            let told = told(passed, 2_000, 10);
            assert_eq!(told.strip_prefix("reading events: "), Some(expected));
        }
    }
}
