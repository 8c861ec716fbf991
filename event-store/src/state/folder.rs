//! Where one partition's state is kept, and what became of it at the last takeover.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::Histogram;
use tracing::{info, warn};

use super::StateStore;
use crate::log::WriterId;

/// Where a service's state is kept on disk, and how much of it in memory.
#[derive(Debug, Clone)]
pub struct StateConfig {
    /// A folder for each partition is made in this one.
    pub folder: PathBuf,
    /// Put before the names of those folders, so that several deployments can share this one.
    pub namespace: String,
    /// So many streams of the service are held in memory, about; those that are not yet on disk come on top.
    pub resident_streams: usize,
    /// What has changed is written so often, and sooner where it is much. A crash costs reading so much again.
    pub write_every: Duration,
    /// Whether partitions that other processes own are followed too, so that taking one over means reading little.
    pub standby: bool,
}

impl StateConfig {
    /// Some 30 MiB of open orders.
    const RESIDENT_STREAMS: usize = 65_536;

    /// Keeps state in that folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            namespace: String::new(),
            resident_streams: Self::RESIDENT_STREAMS,
            write_every: Duration::from_secs(1),
            standby: false,
        }
    }
}

/// How a partition's state was built when it was taken over last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehydration {
    /// Whether the state store was taken as it was; else everything was read from offset zero.
    pub from_store: bool,
    /// Why a store that was there was thrown away.
    pub discarded: Option<String>,
    /// Records that were read from the log.
    pub records: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Where [`Rehydration`] is told.
pub(crate) type Told = Arc<Mutex<Option<Rehydration>>>;

/// One partition's folder; nothing where state is kept in memory only.
pub(crate) struct StateFolder {
    path: Option<PathBuf>,
    /// So many streams are held in memory.
    pub(crate) resident_streams: usize,
    /// What has changed is written so often.
    pub(crate) write_every: Duration,
    /// Whether it is filled while another process owns the partition.
    pub(crate) standby: bool,
    store: Option<StateStore>,
    /// Why the folder cannot be used, so that it is said once.
    unusable: Option<String>,
    told: Told,
    pub(crate) write_seconds: Histogram,
}

impl StateFolder {
    pub(crate) fn new(
        config: Option<&StateConfig>,
        id: &WriterId,
        partitions: i32,
        told: Told,
    ) -> Self {
        let labels = [
            ("service", id.service.to_owned()),
            ("partition", id.partition.to_string()),
        ];
        let partitions = usize::try_from(partitions).unwrap_or(1).max(1);
        Self {
            path: config.map(|config| config.folder.join(format!("{}{id}", config.namespace))),
            resident_streams: config.map_or(usize::MAX, |config| {
                config.resident_streams.div_ceil(partitions)
            }),
            write_every: config.map_or(Duration::MAX, |config| config.write_every),
            standby: config.is_some_and(|config| config.standby),
            store: None,
            unusable: None,
            told,
            write_seconds: metrics::histogram!("offset_zero_state_write_seconds", &labels),
        }
    }

    /// The store, if there is to be one and it can be used. Whatever is wrong, the log serves as well, only slower.
    pub(crate) fn store(&mut self) -> Option<StateStore> {
        let path = self.path.as_deref()?;
        // Opening it anew fails as long as something hangs in it.
        self.store.take_if(|store| store.is_spent());
        if self.store.is_none() {
            match StateStore::open(path) {
                Ok(store) => {
                    self.unusable = None;
                    self.store = Some(store);
                }
                Err(error) => {
                    let reason = error.to_string();
                    if self.unusable.as_ref() != Some(&reason) {
                        warn!(path = %path.display(), %error, "state is kept in memory only");
                    }
                    self.unusable = Some(reason);
                }
            }
        }
        self.store.clone()
    }

    /// Lets another process have the folder.
    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    /// Throws the store away, of which nobody has a clone any more.
    pub(crate) fn discard(&mut self, reason: &dyn std::fmt::Display) {
        let Some(path) = self.path.as_deref() else {
            return;
        };
        // What it holds is good; it only takes nothing more.
        if self.store.take_if(|store| store.is_spent()).is_some() {
            return;
        }
        warn!(path = %path.display(), %reason, "a state store is thrown away, all is read from offset zero");
        self.store = None;
        if let Err(error) = super::remove(path) {
            warn!(path = %path.display(), %error, "a state store cannot be removed");
        }
    }

    pub(crate) fn tell(&self, rehydration: Rehydration) {
        info!(
            path = %self.path.as_deref().unwrap_or(Path::new("")).display(),
            from_store = rehydration.from_store,
            records = rehydration.records,
            elapsed_ms = rehydration.elapsed.as_millis(),
            "rehydrated"
        );
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(rehydration);
    }
}
