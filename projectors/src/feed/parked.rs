//! What is said of events that were set aside.

use std::collections::BTreeMap;

use crate::{Projection, ProjectorError, parking::Letter};

/// The first and the last of each topic and partition.
pub(super) fn of_each_place<'a>(causes: &[&'a Letter]) -> Vec<(&'a Letter, &'a Letter)> {
    let mut of_place: BTreeMap<_, (&Letter, &Letter)> = BTreeMap::new();
    for cause in causes {
        let (_, last) = of_place
            .entry(cause.position().place())
            .or_insert((cause, cause));
        *last = cause;
    }
    of_place.into_values().collect()
}

pub(super) fn too_many(last: &Letter) -> ProjectorError {
    ProjectorError::TooManyDeadLetters {
        position: last.position().clone(),
        reason: last.reason().to_owned(),
    }
}

pub(super) fn told<P: Projection>(version: i32, causes: &[&Letter]) {
    let labels = [("projection", P::NAME)];
    metrics::counter!("offset_zero_projection_dead_letters_total", &labels)
        .increment(causes.len() as u64);
    for letter in causes {
        tracing::error!(
            projection = P::NAME, version, position = %letter.position(), key = letter.key(), reason = letter.reason(),
            "parked an event that cannot be applied, with what follows for its key"
        );
    }
}

/// Nothing is parked by a dry run.
pub(super) fn told_of_dry_run<P: Projection>(causes: &[&Letter]) {
    for letter in causes {
        tracing::warn!(
            projection = P::NAME, position = %letter.position(), key = letter.key(), reason = letter.reason(),
            "a rebuild would park an event that cannot be applied, with what follows for its key"
        );
    }
}
