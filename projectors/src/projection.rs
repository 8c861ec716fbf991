//! What a read model is: tables, and how events become their rows.

use std::{fmt, future::Future, hash::Hash};

use chrono::{DateTime, Utc};
use domain::{ReadEvent, ids::Sku};
use event_store::{Recorded, clock, partition_for};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::copy::CopyBuffer;

/// Of Postgres' times, since 1970: 24 November 4714 BC, in the calendar of today.
const FIRST_SECOND: i64 = -210_866_803_200;
/// Of a text. An index's row has to fit in a third of a page, 2,704 bytes, with the other columns of its index: of ours, 24 at most.
const MAX_INDEXED_BYTES: usize = 2_000;

/// A read model. All of its SQL is static and unqualified.
///
/// Feeding reads and writes nothing but whole rows by key, so that a batch costs a handful of statements, and however a
/// stream is cut into batches, the rows are the same.
///
/// The events of one topic come in their order; in which order the topics come is not promised. So each column belongs to
/// one topic, or merges commutatively, and a row that is made of several topics begins with whichever event comes first.
pub trait Projection: Sized + Send + Sync + 'static {
    /// Its name in the registry and on the command line.
    const NAME: &'static str;
    /// The topics that it is made of.
    const TOPICS: &'static [&'static str];
    /// DDL of a new version: what has to be there while it is filled. A text of an event that a key or an index covers has to be
    /// `indexable`.
    const TABLES: &'static str;
    /// DDL for when it is filled, a statement a line, since they are run side by side; made so that a second time does nothing.
    const INDEXES: &'static str;
    /// Which shape its rows have: raised whenever [`TABLES`](Self::TABLES), or what rows mean, change. A projector of a newer shape fills
    /// a version of its own beside the live one, and takes over.
    const SHAPE: i32 = 1;
    /// Of a projection each of whose rows is made of one event and has that event's place as its key (`topic, partition, position`),
    /// all of its rows: the table. It can be rebuilt from elsewhere than offset zero, with what lies before kept as it is.
    const TABLE_OF_EVENTS: Option<&'static str> = None;
    /// Where new rows go: the table and its columns in the order of [`copy`](Self::copy), as in `orders (id, status)`.
    const INTO: &'static str;

    /// What it reads in its topics.
    type Event: ReadEvent + Sync;
    /// Names a row.
    type Key: Clone + Eq + Hash + Ord + Send + Sync;
    /// What is held of a row in memory.
    type Row: Send + Sync;

    /// The row that the event is about; none where it changes no row.
    fn key(event: &Recorded<Self::Event>) -> Option<Self::Key>;

    /// What it is about, by which all that is about the same lies in one partition number, whatever key its own record has. None where
    /// it changes no row, and where a row is made of what may lie anywhere.
    fn record_key(event: &Recorded<Self::Event>) -> Option<RecordKey<'_>>;

    /// The new row, where the event is surely the first of its row: the table is not asked for it.
    ///
    /// # Errors
    /// Says why the event cannot be one.
    fn begin(event: &Recorded<Self::Event>) -> Result<Option<Self::Row>, String>;

    /// The row of no event yet, for events that the table has no row for. None where there is always one that
    /// [`begin`](Self::begin) has made.
    fn blank() -> Option<Self::Row> {
        None
    }

    /// The row after one more event.
    ///
    /// # Errors
    /// Says why the event cannot follow.
    fn apply(row: &mut Self::Row, event: &Recorded<Self::Event>) -> Result<(), String>;

    /// Rows that are there already: what of them later events can change. Not asked where [`begin`](Self::begin) makes every
    /// row.
    fn load(
        _connection: &mut PgConnection,
        _keys: &[Self::Key],
    ) -> impl Future<Output = sqlx::Result<Vec<(Self::Key, Self::Row)>>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Writes back rows that were loaded, in one statement.
    fn update(
        _connection: &mut PgConnection,
        _rows: &[(Self::Key, Self::Row)],
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        async { Ok(()) }
    }

    /// Serialises a new row.
    fn copy(key: &Self::Key, row: &Self::Row, to: &mut CopyBuffer);
}

/// The key of all records about one thing, as our services spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKey<'a> {
    /// An order's id, or a cart's.
    Id(Uuid),
    /// A SKU.
    Sku(&'a Sku),
}

impl RecordKey<'_> {
    /// Where it belongs, in topics of so many partitions. Every event of a rebuild is asked this, so nothing is allocated.
    pub(crate) fn partition(self, partitions: i32) -> i32 {
        match self {
            Self::Id(id) => {
                let mut buffer = Uuid::encode_buffer();
                let text = id.hyphenated().encode_lower(&mut buffer);
                partition_for(text.as_bytes(), partitions)
            }
            Self::Sku(sku) => partition_for(sku.as_str().as_bytes(), partitions),
        }
    }

    /// Whether a row can have it. What cannot be a row's is refused by folding, wherever it lies.
    pub(crate) fn is_storable(self) -> bool {
        match self {
            Self::Id(_) => true,
            Self::Sku(sku) => indexable("sku", sku.as_str()).is_ok(),
        }
    }
}

impl fmt::Display for RecordKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Sku(sku) => sku.fmt(f),
        }
    }
}

/// The event's place in its stream, as tables hold it.
pub(crate) fn stream_version<E>(event: &Recorded<E>) -> Result<i32, String> {
    i32::try_from(event.metadata.stream_version)
        .map_err(|_| "its version is beyond counting".to_owned())
}

/// A text of an event, where it becomes a `text` column's: Postgres takes no NUL there, and would refuse all that is written with it. Ours
/// have none, since they were parsed at the edge; but reading an event back judges nothing.
pub(crate) fn storable<'a>(member: &str, text: &'a str) -> Result<&'a str, String> {
    match text.contains('\0') {
        true => Err(format!(
            "its {member} holds a NUL character, which no text column takes"
        )),
        false => Ok(text),
    }
}

/// As [`storable`], of a text that a key or an index covers: it would be refused where it is too long, and by the index of a rebuild only when
/// all is filled. Postgres may compress it first; that is not counted on. Ours are far from it.
pub(crate) fn indexable<'a>(member: &str, text: &'a str) -> Result<&'a str, String> {
    match text.len() > MAX_INDEXED_BYTES {
        true => Err(format!(
            "its {member} has more than {MAX_INDEXED_BYTES} bytes, which no index takes"
        )),
        false => storable(member, text),
    }
}

/// A time of an event's payload, where it becomes a `timestamptz` or a `date`: those of Postgres begin on a day of 4714 BC, and it would
/// refuse all that is written with an earlier one. They end after chrono's. `ce_time` is RFC 3339, which has no year before 0. Rounded down to
/// what Postgres holds: COPY rounds it down, and sqlx, in every update, towards the year 2000.
pub(crate) fn storable_time(member: &str, time: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    match time.timestamp() < FIRST_SECOND {
        true => Err(format!(
            "its {member} is before 24 November 4714 BC, which no column of times takes"
        )),
        false => Ok(clock::told(time)),
    }
}
