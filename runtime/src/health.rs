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
/// So many reasons of one trouble are logged: the first may be that nothing was answered in time, and a later one say why.
const MAX_TOLD: usize = 5;

/// The checks of a process, shared by whoever sets them and whoever asks. All must hold for it to be ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    checks: Arc<RwLock<BTreeMap<&'static str, Check>>>,
}

#[derive(Debug)]
struct Check {
    result: Result<(), String>,
    /// The reasons that were logged since it held.
    told: Vec<String>,
}

impl Check {
    /// Records a result; answers whether it is news.
    fn set(&mut self, result: Result<(), String>) -> bool {
        let is_news = match &result {
            Ok(()) => {
                self.told.clear();
                self.result.is_err()
            }
            Err(reason) => {
                let is_new = self.told.len() < MAX_TOLD && !self.told.contains(reason);
                if is_new {
                    self.told.push(reason.clone());
                }
                is_new
            }
        };
        self.result = result;
        is_news
    }
}

impl Default for Check {
    fn default() -> Self {
        Self {
            result: Err(STARTING.to_owned()),
            told: Vec::new(),
        }
    }
}

impl Readiness {
    /// The named checks, none of which holds yet.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Self {
        let starting = |name| (name, Check::default());
        Self {
            checks: Arc::new(RwLock::new(names.into_iter().map(starting).collect())),
        }
    }

    /// Records a check's result, adding the check if it is new; logs only what is news.
    pub fn set(&self, name: &'static str, result: Result<(), String>) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        let is_news = checks.entry(name).or_default().set(result.clone());
        drop(checks);
        match result {
            Ok(()) if is_news => tracing::info!(check = name, "ready"),
            Err(reason) if is_news => tracing::warn!(check = name, reason, "not ready"),
            Ok(()) | Err(_) => {}
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
        let failing = checks.iter().filter_map(|(name, check)| {
            let reason = check.result.as_ref().err()?;
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
    fn each_reason_of_a_trouble_is_told_once_and_not_without_end() {
        let mut check = Check::default();
        let refused = |reason: &str| Err(reason.to_owned());
        assert!(check.set(refused("does not answer")));
        assert!(check.set(refused("its certificate is another's")));
        assert!(!check.set(refused("does not answer")));
        for reason in 2..MAX_TOLD {
            assert!(check.set(refused(&format!("reason {reason}"))));
        }
        assert!(!check.set(refused("one more")));
        assert!(check.set(Ok(())) && !check.set(Ok(())));
        assert!(check.set(refused("does not answer")), "anew");
    }

    #[test]
    fn a_process_without_checks_is_ready() {
        assert_eq!(Readiness::new([]).answer().status(), StatusCode::OK);
    }
}
