//! Aggregates' state on disk, so that a restart reads only the log's tail, and memory holds only what is hot.
//!
//! The log stays the truth: whatever is wrong with a store, it is thrown away and built anew. States and the checkpoint that
//! says how far in the log they stand are one batch, made of committed states only. It is handed to a thread of its own
//! ([`keeper`]), so a crash loses the last second of it, which is read from the log again.

pub(crate) mod checkpoint;
pub(crate) mod folder;
pub(crate) mod keeper;
pub(crate) mod keeping;
pub(crate) mod resident;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, UserValue,
    compaction::Leveled,
};
use serde::{Serialize, de::DeserializeOwned};

/// Blocks read from disk that are kept in memory. Small, since the operating system keeps the files' pages too.
const CACHE_BYTES: u64 = 4 << 20;
/// What is written is held so long before it becomes a file.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// What is written in the meantime waits when this is reached.
const WRITE_BUFFER_BYTES: u64 = 3 * MEMTABLE_BYTES;
/// So many files of it are merged at once. A store that is filled is merged again and again with what it holds: more of them at a
/// time make that less often, and cost a look into a filter more where a stream is looked for.
const MERGED_AT_ONCE: u8 = 8;
/// The least that fjall takes.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Of several, fjall's first would leave merging to the others, and turn in circles while they are at it.
const WORKERS: usize = 1;
const CHECKPOINT: &str = "checkpoint";
/// The file in a store's folder that fjall locks while it is open.
const LOCK: &str = "lock";

/// Why a store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StateError {
    /// Another process, or another part of this one, has it open.
    #[error("it is in use")]
    InUse,
    /// The disk, or what is on it.
    #[error("{attempted}: {reason}")]
    Failed {
        attempted: &'static str,
        reason: String,
    },
}

impl StateError {
    fn while_(attempted: &'static str) -> impl Fn(fjall::Error) -> Self {
        move |error| match error {
            fjall::Error::Locked => Self::InUse,
            error => Self::Failed {
                attempted,
                reason: error.to_string(),
            },
        }
    }
}

/// One partition's store. Cheap to clone; the folder is free again when the last clone is gone.
#[derive(Clone)]
pub(crate) struct StateStore {
    database: Database,
    /// By stream.
    streams: Keyspace,
    /// By due time, then stream: those that have a deadline, so that nobody has to read the rest.
    deadlines: Keyspace,
    /// One entry.
    checkpoint: Keyspace,
    /// Set where a write has failed, after which all others do; or hangs, and may yet be done.
    spent: Arc<AtomicBool>,
}

impl StateStore {
    /// Opens the store in that folder, or makes one. What cannot be read is thrown away.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        // Of a removal that was cut short; else it only takes room.
        drop(fs::remove_dir_all(aside(path)));
        match Self::try_open(path) {
            Err(error @ StateError::Failed { .. }) => {
                tracing::warn!(path = %path.display(), %error, "a state store is thrown away");
                remove(path)?;
                Self::try_open(path)
            }
            opened => opened,
        }
    }

    fn try_open(path: &Path) -> Result<Self, StateError> {
        let failed = StateError::while_("opening the state store");
        fs::create_dir_all(path).map_err(|error| failed(error.into()))?;
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            // A batch says itself how safe it is to be.
            .manual_journal_persist(true)
            .open()
            .map_err(&failed)?;
        let keyspace = |name| {
            let options = || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(MEMTABLE_BYTES)
                    .compaction_strategy(Arc::new(
                        Leveled::default().with_l0_threshold(MERGED_AT_ONCE),
                    ))
                    .manual_journal_persist(true)
            };
            database.keyspace(name, options).map_err(&failed)
        };
        Ok(Self {
            streams: keyspace("streams")?,
            deadlines: keyspace("deadlines")?,
            checkpoint: keyspace(CHECKPOINT)?,
            spent: Arc::default(),
            database,
        })
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> Result<bool, StateError> {
        let failed = StateError::while_("looking whether there is a stream");
        for keyspace in [&self.checkpoint, &self.streams, &self.deadlines] {
            if !keyspace.is_empty().map_err(&failed)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The checkpoint, as it was written.
    pub(crate) fn checkpoint(&self) -> Result<Option<UserValue>, StateError> {
        let read = self.checkpoint.get(CHECKPOINT);
        read.map_err(StateError::while_("reading the checkpoint"))
    }

    /// Whether there is such a stream. Cheap where there is none: a filter in memory tells.
    pub(crate) fn contains(&self, stream: &[u8]) -> Result<bool, StateError> {
        let read = self.streams.contains_key(stream);
        read.map_err(StateError::while_("looking for a stream"))
    }

    /// A stream, as it was written.
    pub(crate) fn get(&self, stream: &[u8]) -> Result<Option<UserValue>, StateError> {
        let read = self.streams.get(stream);
        read.map_err(StateError::while_("reading a stream"))
    }

    /// Every stream that has a deadline, the earliest first.
    pub(crate) fn deadlines<S: DeserializeOwned>(
        &self,
    ) -> impl Iterator<Item = Result<(DateTime<Utc>, S), StateError>> {
        self.deadlines.iter().map(|entry| {
            let key = entry
                .key()
                .map_err(StateError::while_("reading the deadlines"))?;
            let (due_at, stream) = key
                .split_first_chunk::<TIME_BYTES>()
                .ok_or_else(|| unreadable(&"a deadline is too short"))?;
            Ok((time(*due_at)?, decode(stream)?))
        })
    }

    /// A batch that is nothing yet.
    pub(crate) fn batch(&self, streams: usize) -> Batch {
        let batch = OwnedWriteBatch::with_capacity(self.database.clone(), streams + 1);
        Batch {
            // A process that is killed leaves what the operating system has. What a power cut takes is in the log.
            batch: batch.durability(Some(PersistMode::Buffer)),
            store: self.clone(),
        }
    }

    /// Whether it has to be opened anew.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    /// Whether so much waits to become files that more is to wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.database.write_buffer_size() > WRITE_BUFFER_BYTES
    }
}

/// What is written all together or not at all.
pub(crate) struct Batch {
    batch: OwnedWriteBatch,
    store: StateStore,
}

impl Batch {
    pub(crate) fn put(&mut self, stream: &[u8], state: &[u8]) {
        self.batch.insert(&self.store.streams, stream, state);
    }

    pub(crate) fn set_deadline(&mut self, due_at: DateTime<Utc>, stream: &[u8]) {
        let key = deadline_key(due_at, stream);
        self.batch.insert(&self.store.deadlines, key, []);
    }

    pub(crate) fn remove_deadline(&mut self, due_at: DateTime<Utc>, stream: &[u8]) {
        let key = deadline_key(due_at, stream);
        self.batch.remove(&self.store.deadlines, key);
    }

    pub(crate) fn set_checkpoint(&mut self, checkpoint: &[u8]) {
        self.batch
            .insert(&self.store.checkpoint, CHECKPOINT, checkpoint);
    }

    pub(crate) fn commit(self) -> Result<(), StateError> {
        let committed = self.batch.commit();
        committed.map_err(StateError::while_("writing states"))
    }

    pub(crate) fn store(&self) -> &StateStore {
        &self.store
    }
}

const TIME_BYTES: usize = 12;

/// Orders like the times: seconds with the sign turned round, then nanoseconds.
fn deadline_key(due_at: DateTime<Utc>, stream: &[u8]) -> Vec<u8> {
    let seconds = due_at.timestamp() ^ i64::MIN;
    let mut key = Vec::with_capacity(TIME_BYTES + stream.len());
    key.extend_from_slice(&seconds.to_be_bytes());
    key.extend_from_slice(&due_at.timestamp_subsec_nanos().to_be_bytes());
    key.extend_from_slice(stream);
    key
}

fn time(bytes: [u8; TIME_BYTES]) -> Result<DateTime<Utc>, StateError> {
    let [seconds @ .., a, b, c, d] = bytes;
    let seconds = i64::from_be_bytes(seconds) ^ i64::MIN;
    let time = DateTime::from_timestamp(seconds, u32::from_be_bytes([a, b, c, d]));
    time.ok_or_else(|| unreadable(&"a deadline is no time"))
}

/// In the store's format: MessagePack with the names of fields, since shapes of events are part of states, and theirs need
/// a format that describes itself.
pub(crate) fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    rmp_serde::encode::write_named(bytes, value).expect("states serialise, and memory takes them");
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    rmp_serde::from_slice(bytes).map_err(|error| unreadable(&error))
}

fn unreadable(reason: &dyn ToString) -> StateError {
    StateError::Failed {
        attempted: "decoding what is in the state store",
        reason: reason.to_string(),
    }
}

/// Removes a store that nobody has open.
///
/// All of it, and not by emptying its keyspaces: fjall does not write at once that one is empty, so that after a kill some of them may
/// be and others not; and never stops counting what of it was in memory.
fn remove(path: &Path) -> Result<(), StateError> {
    let failed = |error: io::Error| StateError::Failed {
        attempted: "removing the state store",
        reason: error.to_string(),
    };
    let lock = match File::options().read(true).write(true).open(path.join(LOCK)) {
        Ok(lock) => Some(lock),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    match lock.as_ref().map(File::try_lock) {
        None | Some(Ok(())) => {}
        Some(Err(TryLockError::WouldBlock)) => return Err(StateError::InUse),
        Some(Err(TryLockError::Error(error))) => return Err(failed(error)),
    }
    // Moved in one step: what is left of one that was removed in part could pass for a store.
    let aside = aside(path);
    let removed = or_absent(fs::remove_dir_all(&aside))
        .and_then(|()| or_absent(fs::rename(path, &aside)))
        .and_then(|()| or_absent(fs::remove_dir_all(&aside)));
    removed.map_err(failed)
}

/// Where a store is removed.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".removed");
    aside.into()
}

/// What is not there need not be moved or removed.
fn or_absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{
        folder::{StateConfig, StateFolder, Told},
        *,
    };
    use crate::log::WriterId;

    #[test]
    fn deadlines_are_in_the_order_of_their_times() {
        let times = [-5, -1, 0, 3].map(|second| {
            [0, 7].map(|nanos| DateTime::from_timestamp(second, nanos).expect("a valid time"))
        });
        let times = times.as_flattened();
        let keys: Vec<_> = times
            .iter()
            .map(|due_at| deadline_key(*due_at, b"stream"))
            .collect();
        assert!(keys.is_sorted());
        for (key, due_at) in keys.iter().zip(times) {
            let (bytes, stream) = key.split_first_chunk().expect("a time and a stream");
            assert_eq!(time(*bytes).expect("a time"), *due_at);
            assert_eq!(stream, b"stream");
        }
    }

    const WRITER: WriterId = WriterId {
        service: "things",
        partition: 0,
    };

    fn folder(of: &TempDir) -> StateFolder {
        let config = StateConfig::new(of.path());
        StateFolder::new(Some(&config), &WRITER, 1, Told::default())
    }

    #[test]
    fn what_was_thrown_away_is_gone_and_counts_no_more() {
        let of = tempfile::tempdir().expect("a folder");
        let mut folder = folder(&of);
        let store = folder.store().expect("opened");
        let mut batch = store.batch(1);
        batch.put(b"stream", &[0; 1 << 20]);
        batch.set_checkpoint(b"somewhere");
        batch.commit().expect("committed");
        assert!(store.database.write_buffer_size() >= 1 << 20);
        assert!(!store.is_empty().expect("read"));
        drop(store);

        folder.discard(&"it is of no use");
        let store = folder.store().expect("opened anew");
        assert!(store.is_empty().expect("read"));
        assert!(store.checkpoint().expect("read").is_none());
        assert!(store.database.write_buffer_size() < 1 << 20);
    }

    #[test]
    fn a_store_that_somebody_has_open_is_not_removed() {
        let of = tempfile::tempdir().expect("a folder");
        let path = of.path().join("things-0");
        let left = aside(&path).join("of one that was removed in part");
        fs::create_dir_all(&left).expect("made");
        let store = StateStore::open(&path).expect("opened");
        assert!(!left.exists());
        let refused = remove(&path);
        assert!(matches!(refused, Err(StateError::InUse)), "{refused:?}");
        drop(store);
        for _ in 0..2 {
            fs::create_dir_all(&left).expect("made");
            remove(&path).expect("nobody has it open, or it is not there");
            assert!(!path.exists() && !left.exists());
        }
    }
}
