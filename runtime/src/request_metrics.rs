//! Count and latency of requests, by method, route and status: one histogram.

use std::{cell::RefCell, time::Duration};

use axum::http::{Method, StatusCode};
use metrics::Histogram;
use rustc_hash::FxHashMap;

/// Routes that do not exist share one label, or clients could make labels without end.
const UNMATCHED: &str = "unmatched";

type ByMethodAndStatus = Vec<(&'static str, StatusCode, Histogram)>;

thread_local! {
    // Asking the recorder for a histogram builds and hashes a key with three labels; a request should not pay for that.
    static HISTOGRAMS: RefCell<FxHashMap<Box<str>, ByMethodAndStatus>> = RefCell::default();
}

/// Records one answered request; `route` is the pattern that it matched.
pub(crate) fn record(method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
    let method = label(method);
    let route = route.unwrap_or(UNMATCHED);
    HISTOGRAMS.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.into(), Vec::new());
        }
        let Some(known) = routes.get_mut(route) else {
            return;
        };
        let found = known.iter().find(|(m, s, _)| *m == method && *s == status);
        if let Some((.., histogram)) = found {
            histogram.record(took);
            return;
        }
        let histogram = metrics::histogram!(
            "http_request_duration_seconds",
            "method" => method,
            "route" => route.to_owned(),
            "status" => status.as_u16().to_string(),
        );
        histogram.record(took);
        known.push((method, status, histogram));
    });
}

/// Methods, too, are the client's to invent.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
