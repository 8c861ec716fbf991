//! Whether this process can do its work, check by check.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::problem::{Problem, RETRY_AFTER_SECONDS};

/// The reason of a check that nobody has made yet.
const STARTING: &str = "starting";

/// The checks of a process, shared by whoever sets them and whoever asks. All must hold for it to be ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    checks: Arc<RwLock<BTreeMap<&'static str, Result<(), String>>>>,
}

impl Readiness {
    /// The named checks, none of which holds yet.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let starting = |name| (name, Err(STARTING.to_owned()));
        Self {
            checks: Arc::new(RwLock::new(names.into_iter().map(starting).collect())),
        }
    }

    /// Records a check's result, adding the check if it is new; logs only what changed.
    pub fn set(&self, name: &'static str, result: Result<(), String>) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        let before = checks.insert(name, result.clone());
        drop(checks);
        match (before, result) {
            (Some(Ok(())), Ok(())) => {}
            (_, Ok(())) => tracing::info!(check = name, "ready"),
            // The same trouble in other words is no news.
            (Some(Err(reason)), Err(_)) if reason != STARTING => {}
            (_, Err(reason)) => tracing::warn!(check = name, reason, "not ready"),
        }
    }

    /// Whether all checks hold.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.failing().is_empty()
    }

    /// The checks that do not hold, with reasons.
    #[must_use]
    pub fn failing(&self) -> Vec<(&'static str, String)> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        let failing = checks.iter().filter_map(|(name, result)| {
            let reason = result.as_ref().err()?;
            Some((*name, reason.clone()))
        });
        failing.collect()
    }

    /// Answers `/health/ready`: 200 with the checks' names, or the problem `not-ready` with an error for each that fails.
    pub(crate) fn answer(&self) -> Response {
        let failing = self.failing();
        if failing.is_empty() {
            let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
            let checks: BTreeMap<_, _> = checks.keys().map(|name| (*name, "ok")).collect();
            return Json(json!({ "status": "ready", "checks": checks })).into_response();
        }
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "The process cannot do its work just now",
        )
        .retry_after(RETRY_AFTER_SECONDS);
        let with_error = |problem: Problem, (name, reason)| {
            problem.error(format!("/checks/{name}"), "check-failed", reason)
        };
        failing
            .into_iter()
            .fold(problem, with_error)
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_when_every_check_holds() {
        let readiness = Readiness::new(["postgres", "kafka"]);
        assert_eq!(readiness.failing().len(), 2);
        readiness.set("postgres", Ok(()));
        assert!(!readiness.is_ready());
        readiness.clone().set("kafka", Ok(()));
        assert!(readiness.is_ready());
        readiness.set("kafka", Err("no broker answers".to_owned()));
        assert_eq!(
            readiness.failing(),
            [("kafka", "no broker answers".to_owned())]
        );
        assert_eq!(readiness.answer().status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_process_without_checks_is_ready() {
        assert_eq!(Readiness::new([]).answer().status(), StatusCode::OK);
    }
}
