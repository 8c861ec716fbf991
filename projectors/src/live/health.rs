//! One readiness check a projection, out of its partitions.

use std::sync::{Arc, Mutex, PoisonError};

use runtime::health::Readiness;

/// None where it has yet to begin.
type Begun = Option<Result<(), String>>;

/// The health of one projection's feeds.
#[derive(Clone)]
pub(super) struct Health {
    readiness: Readiness,
    projection: &'static str,
    partitions: Arc<Mutex<Vec<Begun>>>,
}

impl Health {
    pub(super) fn new(readiness: Readiness, projection: &'static str) -> Self {
        Self {
            readiness,
            projection,
            partitions: Arc::default(),
        }
    }

    /// So many have to be well.
    pub(super) fn expect_partitions(&self, count: i32) {
        let mut partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *partitions = (0..count).map(|_| None).collect();
    }

    /// Readiness logs what changes, once.
    pub(super) fn set(&self, partition: i32, result: Result<(), String>) {
        let mut partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(partition)
            .ok()
            .and_then(|index| partitions.get_mut(index));
        if let Some(place) = place {
            *place = Some(result);
        }
        let failing = partitions.iter().flatten().find(|result| result.is_err());
        match failing {
            Some(failing) => self.readiness.set(self.projection, failing.clone()),
            None if partitions.contains(&None) => {}
            None => self.readiness.set(self.projection, Ok(())),
        }
    }

    /// None can begin yet.
    pub(super) fn set_all(&self, reason: String) {
        self.readiness.set(self.projection, Err(reason));
    }
}
