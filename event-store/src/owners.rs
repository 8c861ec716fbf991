//! Who owns which partition, of every service: what the topic of owners says, followed for as long as somebody asks.

use std::{
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use rustc_hash::FxHashMap;
use tracing::warn;

use crate::{
    log::{Log, LogError, Reader, WriterId},
    ownership::{OWNERSHIP_TOPIC, OwnershipRecord},
    subscription::StartAt,
    threads,
};

/// How long one wait for a record may be; also how soon the thread ends when nobody asks any more.
const POLL: Duration = Duration::from_millis(50);
/// Before the log is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The owners that are known. Cheap to clone; all clones know the same.
#[derive(Debug, Clone)]
pub struct Owners(Arc<Known>);

type Known = RwLock<FxHashMap<Box<[u8]>, Owner>>;

/// The last claim to a partition.
#[derive(Debug)]
struct Owner {
    /// As it lies in the log. Most records say the same as the one before.
    payload: Vec<u8>,
    record: OwnershipRecord,
}

impl Owners {
    /// Begins to follow the topic.
    ///
    /// # Errors
    /// When the operating system grants no thread.
    pub fn follow<L: Log>(log: L) -> Result<Self, LogError> {
        let owners = Self(Arc::default());
        let known = Arc::downgrade(&owners.0);
        threads::start("owners".to_owned(), move || keep(&log, &known)).map_err(|error| {
            LogError::Unavailable {
                attempted: "starting to follow owners",
                reason: error.to_string(),
            }
        })?;
        Ok(owners)
    }

    /// Where the process is that owns a partition; none where nobody does, as far as is known.
    #[must_use]
    pub fn address(&self, writer: &WriterId) -> Option<String> {
        let key = writer.to_string();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let owner = known.get(key.as_bytes())?;
        (!owner.record.released).then(|| owner.record.address.clone())
    }
}

/// Reads for as long as anybody holds what it fills.
fn keep<L: Log>(log: &L, known: &Weak<Known>) {
    let mut places = Vec::new();
    while known.strong_count() > 0 {
        if let Err(error) = read(log, &mut places, known) {
            warn!(%error, "cannot tell who owns what, will try again");
            std::thread::sleep(PAUSE);
        }
    }
}

fn read<L: Log>(log: &L, places: &mut Vec<StartAt>, known: &Weak<Known>) -> Result<(), LogError> {
    if places.is_empty() {
        *places = StartAt::every(log, &[OWNERSHIP_TOPIC])?;
    }
    let mut reader = log.reader(places)?;
    let read = until_unheld(&mut reader, known);
    for place in places {
        place.next_offset = reader.position(&place.topic, place.partition);
    }
    read
}

fn until_unheld<R: Reader>(reader: &mut R, known: &Weak<Known>) -> Result<(), LogError> {
    while let Some(known) = known.upgrade() {
        reader.poll(POLL, |record| {
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            if known
                .get(record.key)
                .is_some_and(|owner| owner.payload == record.payload)
            {
                return;
            }
            match serde_json::from_slice(record.payload) {
                Ok(claim) => {
                    let owner = Owner {
                        payload: record.payload.to_vec(),
                        record: claim,
                    };
                    known.insert(record.key.into(), owner);
                }
                Err(error) => warn!(%error, offset = record.offset, "not an ownership record"),
            }
        })?;
    }
    Ok(())
}
