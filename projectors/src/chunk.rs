//! Events folded per row key, in memory, until they are written.

use std::collections::{HashMap, hash_map::Entry};

use event_store::Recorded;
use rustc_hash::{FxBuildHasher, FxHashSet};
use sqlx::PgConnection;

use crate::{Projection, ProjectorError, copy::write_rows, written::WrittenKeys};

type Rows<P> = HashMap<<P as Projection>::Key, <P as Projection>::Row, FxBuildHasher>;

/// The rows that some consecutive events have touched.
pub(crate) struct Chunk<P: Projection> {
    /// Begun in this chunk: not in the table. Nobody else can add it, since no other feed has its partition number.
    new: Rows<P>,
    /// Loaded from the table.
    changed: Rows<P>,
    /// Of the payloads that they were made of.
    bytes: usize,
}

impl<P: Projection> Default for Chunk<P> {
    fn default() -> Self {
        Self {
            new: Rows::<P>::default(),
            changed: Rows::<P>::default(),
            bytes: 0,
        }
    }
}

impl<P: Projection> Chunk<P> {
    pub(crate) fn len(&self) -> usize {
        self.new.len() + self.changed.len()
    }

    /// Bytes of the payloads that its rows were made of.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the payloads of what it [absorbs](Self::absorb).
    pub(crate) fn weigh(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Folds events onto their rows, loading those that an earlier chunk has written and beginning those that none has. Where it
    /// is known what was written, nothing else is looked for.
    pub(crate) async fn absorb(
        &mut self,
        connection: &mut PgConnection,
        events: &[Recorded<P::Event>],
        written: Option<&WrittenKeys>,
    ) -> Result<(), ProjectorError> {
        let mut of_unknown_rows = Vec::new();
        for event in events {
            let Some(key) = P::key(event) else {
                continue;
            };
            if let Some(row) = self.row(&key) {
                apply::<P>(row, event)?;
                continue;
            }
            match P::begin(event).map_err(|reason| unappliable(event, reason))? {
                Some(row) => drop(self.new.insert(key, row)),
                None if written.is_some_and(|written| !written.may_hold(&key)) => {
                    self.apply_to_blank(key, event)?;
                }
                None => of_unknown_rows.push((key, event)),
            }
        }
        if of_unknown_rows.is_empty() {
            return Ok(());
        }
        let keys: FxHashSet<&P::Key> = of_unknown_rows.iter().map(|(key, _)| key).collect();
        let keys: Vec<P::Key> = keys.into_iter().cloned().collect();
        self.changed.extend(P::load(connection, &keys).await?);
        for (key, event) in of_unknown_rows {
            self.apply_to_blank(key, event)?;
        }
        Ok(())
    }

    /// Of a row that is here by now, or nowhere.
    fn apply_to_blank(
        &mut self,
        key: P::Key,
        event: &Recorded<P::Event>,
    ) -> Result<(), ProjectorError> {
        let row = self.row_or_blank(key).ok_or_else(|| {
            let version = event.metadata.stream_version;
            unappliable(
                event,
                format!("it is version {version} of a stream that has no row"),
            )
        })?;
        apply::<P>(row, event)
    }

    /// Notes the rows that [`write`](Self::write) will add.
    pub(crate) fn note_new(&self, written: &mut WrittenKeys) {
        self.new.keys().for_each(|key| written.add(key));
    }

    fn row_or_blank(&mut self, key: P::Key) -> Option<&mut P::Row> {
        if let Some(row) = self.changed.get_mut(&key) {
            return Some(row);
        }
        match self.new.entry(key) {
            Entry::Occupied(row) => Some(row.into_mut()),
            Entry::Vacant(place) => P::blank().map(|row| place.insert(row)),
        }
    }

    fn row(&mut self, key: &P::Key) -> Option<&mut P::Row> {
        // Most events of a rebuild find their row here.
        self.new.get_mut(key).or_else(|| self.changed.get_mut(key))
    }

    /// Writes all rows; answers how many of them are new.
    pub(crate) async fn write(self, connection: &mut PgConnection) -> sqlx::Result<u64> {
        let mut written = 0;
        if !self.new.is_empty() {
            let rows = in_order(self.new);
            written = write_rows(connection, P::INTO, rows.iter(), |(key, row), buffer| {
                P::copy(key, row, buffer);
            })
            .await?;
        }
        if !self.changed.is_empty() {
            P::update(connection, &in_order(self.changed)).await?;
        }
        Ok(written)
    }
}

/// Neighbours in the primary key one after the other: most ids grow with time.
fn in_order<K: Ord, R>(rows: HashMap<K, R, FxBuildHasher>) -> Vec<(K, R)> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    rows
}

fn apply<P: Projection>(
    row: &mut P::Row,
    event: &Recorded<P::Event>,
) -> Result<(), ProjectorError> {
    P::apply(row, event).map_err(|reason| unappliable(event, reason))
}

fn unappliable<E>(event: &Recorded<E>, reason: String) -> ProjectorError {
    ProjectorError::Unappliable {
        position: event.position.clone(),
        reason,
    }
}
