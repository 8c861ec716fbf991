//! That the gateway gives no definite answers, and why: told once, and not for each request.

use std::{
    error::Error,
    iter,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::gateway::TIMEOUT;

/// Between two lines that say so, however often it comes and goes.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What was told of it.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// When that it does not answer was told last.
    at: Option<Instant>,
    /// Whether that was since it answered last.
    is_standing: bool,
    /// Requests without an answer since.
    untold: u64,
}

impl Outage {
    /// A request had no answer: how many had none that nobody was told of, this one included, where that is worth a line by now.
    pub(super) fn go_on(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.untold += 1;
        if told.at.is_some_and(|at| now - at < TOLD_EVERY) {
            return None;
        }
        told.at = Some(now);
        told.is_standing = true;
        Some(std::mem::take(&mut told.untold))
    }

    /// A request had one: how many had none that nobody was told of, where somebody was told of others.
    pub(super) fn end(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_worth_a_line = std::mem::take(&mut told.is_standing);
        is_worth_a_line.then(|| std::mem::take(&mut told.untold))
    }
}

/// Why no answer came, down to what this machine says of it. The error itself tells only where the request went.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let what = match error.is_connect() {
        true => "cannot be reached",
        false => "the exchange broke off",
    };
    let sources = iter::successors(error.source(), |error| (*error).source());
    sources.fold(what.to_owned(), |text, source| format!("{text}: {source}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_outage_is_told_when_it_begins_once_a_minute_and_when_it_ends() {
        let (outage, begun) = (Outage::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(outage.end(), None);
        assert_eq!(outage.go_on(begun), Some(1));
        for second in [0, 1, 59] {
            assert_eq!(outage.go_on(after(second)), None, "{second}");
        }
        assert_eq!(outage.go_on(after(60)), Some(4));
        assert_eq!(outage.go_on(after(61)), None);
        assert_eq!(outage.end(), Some(1));
        assert_eq!(outage.end(), None);
    }

    #[test]
    fn a_gateway_that_comes_and_goes_is_told_of_no_more_often() {
        let (outage, begun) = (Outage::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(outage.go_on(begun), Some(1));
        assert_eq!(outage.end(), Some(0));
        for second in 1..60 {
            assert_eq!(outage.go_on(after(second)), None, "{second}");
            assert_eq!(outage.end(), None, "{second}");
        }
        assert_eq!(outage.go_on(after(60)), Some(60));
        assert_eq!(outage.end(), Some(0));
    }

    #[tokio::test]
    async fn why_a_gateway_cannot_be_reached_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let asked = reqwest::get(format!("http://{address}/v1/captures")).await;
        let error = asked.expect_err("nobody listens");
        let told = cause(&error);
        assert!(told.starts_with("cannot be reached: "), "{told}");
        assert!(told.to_lowercase().contains("connection refused"), "{told}");
    }
}
