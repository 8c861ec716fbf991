//! What a read model is: tables, and how events become their rows.

use std::{future::Future, hash::Hash};

use event_store::Recorded;
use sqlx::PgConnection;

use crate::copy::CopyBuffer;

/// A read model. All of its SQL is static and unqualified.
///
/// Feeding reads and writes nothing but whole rows by key, so that a batch costs a handful of statements, and however a
/// stream is cut into batches, the rows are the same.
pub trait Projection: Sized + Send + Sync + 'static {
    /// Its name in the registry and on the command line.
    const NAME: &'static str;
    /// The topics that it is made of.
    const TOPICS: &'static [&'static str];
    /// DDL of a new version: what has to be there while it is filled.
    const TABLES: &'static str;
    /// DDL for when it is filled; made so that a second time does nothing.
    const INDEXES: &'static str;
    /// `copy … from stdin (format binary)`, the columns in the order of [`copy`](Self::copy).
    const COPY: &'static str;

    /// What it reads in its topics.
    type Event: domain::Event;
    /// Names a row.
    type Key: Copy + Eq + Hash + Ord + Send + Sync;
    /// What is held of a row in memory.
    type Row: Send + Sync;

    /// The row that the event is about.
    fn key(event: &Self::Event) -> Self::Key;

    /// The new row, where the event is its first.
    ///
    /// # Errors
    /// Says why the event cannot be one.
    fn begin(event: &Recorded<Self::Event>) -> Result<Option<Self::Row>, String>;

    /// The row after one more event.
    ///
    /// # Errors
    /// Says why the event cannot follow.
    fn apply(row: &mut Self::Row, event: &Recorded<Self::Event>) -> Result<(), String>;

    /// Rows that are there already: what of them later events can change.
    fn load(
        connection: &mut PgConnection,
        keys: &[Self::Key],
    ) -> impl Future<Output = sqlx::Result<Vec<(Self::Key, Self::Row)>>> + Send;

    /// Writes back rows that were loaded, in one statement.
    fn update(
        connection: &mut PgConnection,
        rows: &[(Self::Key, Self::Row)],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Serialises a new row.
    fn copy(key: &Self::Key, row: &Self::Row, to: &mut CopyBuffer);
}
