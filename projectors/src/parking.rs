//! Events that cannot be applied are set aside with what follows for their record key, in order; the rest moves on.
//!
//! A record key (an order's id, a SKU, a cart's id) is what all records of one row's events have, even those that cannot be
//! decoded. So a key is parked in all topics of a version at once, and never in another version. A failure of Postgres parks nothing:
//! only what decoding or folding refuses does, and would refuse again. What lies in a partition that it does not belong to, by what it
//! is about, is parked there, and holds up nothing where it does: who feeds the one need not feed the other.

use std::collections::{BTreeMap, BTreeSet};

use event_store::{Batch, Position, Recorded, Undecodable};
use sqlx::PgConnection;

use crate::{Projection, ProjectorError};

/// Of the last [`WINDOW`] offsets of a partition, so many may be causes: beyond that it is no accident, and the version fails.
pub(crate) const MAX_CAUSES: usize = 50;
pub(crate) const WINDOW: i64 = 1_000;

/// An event on its way to the dead letters.
#[derive(Debug)]
pub(crate) struct Letter {
    position: Position,
    key: Box<str>,
    event_type: Option<Box<str>>,
    stream: Option<Box<str>>,
    /// None where it only follows.
    reason: Option<String>,
}

/// Events that folding has refused, and why. The feed that has met one is of no use any more; those that come after it park them
/// when they come again.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// What one version refuses another need not.
    version: i32,
    events: BTreeMap<Position, String>,
}

impl Refused {
    /// One more. Fails where there are so many that it is no accident.
    pub(crate) fn add(
        &mut self,
        version: i32,
        position: Position,
        reason: String,
    ) -> Result<(), ProjectorError> {
        self.keep(version, |_| true);
        self.events.insert(position.clone(), reason.clone());
        let of_place = self
            .events
            .keys()
            .filter(|of| of.place() == position.place());
        let offsets: Vec<i64> = of_place.map(|of| of.offset).collect();
        let mut runs = offsets.windows(MAX_CAUSES + 1);
        match runs.any(|run| run[MAX_CAUSES] - run[0] < WINDOW) {
            true => Err(ProjectorError::TooManyDeadLetters { position, reason }),
            false => Ok(()),
        }
    }

    /// Those of a version, and of these only what is yet to come.
    pub(crate) fn keep(
        &mut self,
        version: i32,
        is_to_come: impl Fn(&Position) -> bool,
    ) -> &BTreeMap<Position, String> {
        if self.version != version {
            self.version = version;
            self.events.clear();
        }
        self.events.retain(|position, _| is_to_come(position));
        &self.events
    }
}

/// An event that cannot be applied where it lies, in topics of so many partitions: two feeds would make its row, each without what the
/// other has. Ours lie where what they are about belongs. A foreign producer may reckon partitions otherwise than Kafka's own clients do,
/// or give its records other keys, so these are not asked.
///
/// It is parked under the key that it ought to have: nothing of ours has that in this partition, as it may have the record's own.
pub(crate) fn misplaced<P: Projection>(
    event: &Recorded<P::Event>,
    partitions: i32,
) -> Option<Undecodable> {
    let key = P::record_key(event)?;
    let home = key.partition(partitions);
    if home == event.position.partition || !key.is_storable() {
        return None;
    }
    let key = key.to_string();
    let reason = format!("it is of {key}, which belongs to partition {home}");
    Some(Undecodable {
        position: event.position.clone(),
        key: key.into(),
        event_id: Some(event.metadata.event_id),
        event_type: None,
        stream: Some(storable_stream(event)),
        reason,
    })
}

/// Counts events that are misplaced among what cannot be decoded.
pub(crate) fn take_misplaced<P: Projection>(batch: &mut Batch<P::Event>, partitions: i32) {
    let undecodable = &mut batch.undecodable;
    batch.events.retain(|event| {
        let misplaced = misplaced::<P>(event, partitions);
        let is_in_place = misplaced.is_none();
        undecodable.extend(misplaced);
        is_in_place
    });
}

/// Text of anybody's making, which Postgres takes only without a NUL.
fn storable_stream<E>(event: &Recorded<E>) -> Box<str> {
    event.metadata.stream.replace('\0', "\u{fffd}").into()
}

/// What a feed's partitions have set aside.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    /// By partition number.
    keys: BTreeMap<i32, BTreeSet<Box<str>>>,
    /// Events that folding has refused: found out by folding them, and known when they come again.
    refused: BTreeMap<Position, String>,
    /// Not written yet.
    letters: Vec<Letter>,
}

impl Parking {
    /// What was parked before.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        name: &str,
        version: i32,
        partitions: &[i32],
    ) -> sqlx::Result<Self> {
        let rows = sqlx::query!(
            "select distinct partition, key from offset_zero.dead_letters where name = $1 and version = $2 and partition = any($3)",
            name,
            version,
            partitions,
        )
        .fetch_all(connection)
        .await?;
        let mut parking = Self::default();
        for row in rows {
            parking.park(row.partition, row.key.into());
        }
        Ok(parking)
    }

    fn park(&mut self, partition: i32, key: Box<str>) {
        self.keys.entry(partition).or_default().insert(key);
    }

    fn is_parked(&self, partition: i32, key: &str) -> bool {
        let of_partition = self.keys.get(&partition);
        of_partition.is_some_and(|keys| keys.contains(key))
    }

    /// Has events be parked when they come again.
    pub(crate) fn refuse(&mut self, refused: &BTreeMap<Position, String>) {
        self.refused.clone_from(refused);
    }

    /// Whether some of them are yet to come.
    pub(crate) fn awaits_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Takes from a batch what cannot be applied, and what follows that.
    pub(crate) fn set_aside<E>(&mut self, batch: &mut Batch<E>) {
        if batch.undecodable.is_empty() && self.keys.is_empty() && self.refused.is_empty() {
            return;
        }
        let first = self.letters.len();
        let undecodable = std::mem::take(&mut batch.undecodable);
        // Of its own topic, what comes before it is applied; other topics come in no promised order.
        let mut begins: BTreeMap<i32, BTreeMap<Box<str>, Position>> = BTreeMap::new();
        for of in undecodable {
            let partition = of.position.partition;
            if !self.is_parked(partition, &of.key) {
                let begin = begins.entry(partition).or_default();
                begin
                    .entry(of.key.clone())
                    .or_insert_with(|| of.position.clone());
            }
            self.letters.push(Letter::of_undecodable(of));
        }
        let mut kept = Vec::with_capacity(batch.events.len());
        for event in batch.events.drain(..) {
            let refused = self.refused.remove(&event.position);
            let partition = event.position.partition;
            let from = begins.get(&partition).and_then(|keys| keys.get(&event.key));
            let follows = self.is_parked(partition, &event.key)
                || from.is_some_and(|from| is_from(&event.position, from));
            if refused.is_none() && !follows {
                kept.push(event);
                continue;
            }
            self.park(partition, event.key.clone());
            self.letters.push(Letter::of_event(&event, refused));
        }
        batch.events = kept;
        for (partition, keys) in begins {
            self.keys
                .entry(partition)
                .or_default()
                .extend(keys.into_keys());
        }
        // Within a topic by offset; between topics, as they come.
        self.letters[first..].sort_by(|one, other| one.position.cmp(&other.position));
    }

    /// Writes what was set aside; answers the causes among it.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        name: &str,
        version: i32,
    ) -> sqlx::Result<Vec<&Letter>> {
        let letters = || self.letters.iter();
        let topics: Vec<&str> = letters().map(|of| &*of.position.topic).collect();
        let partitions: Vec<i32> = letters().map(|of| of.position.partition).collect();
        let offsets: Vec<i64> = letters().map(|of| of.position.offset).collect();
        let keys: Vec<&str> = letters().map(|of| &*of.key).collect();
        let types: Vec<Option<&str>> = letters().map(|of| of.event_type.as_deref()).collect();
        let streams: Vec<Option<&str>> = letters().map(|of| of.stream.as_deref()).collect();
        let reasons: Vec<Option<&str>> = letters().map(|of| of.reason.as_deref()).collect();
        sqlx::query!(
            r#"insert into offset_zero.dead_letters
                   (name, version, topic, partition, "offset", key, event_type, stream, reason)
               select $1, $2, l.*
               from unnest($3::text[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]) l"#,
            name,
            version,
            &topics as &[&str],
            &partitions,
            &offsets,
            &keys as &[&str],
            &types as &[Option<&str>],
            &streams as &[Option<&str>],
            &reasons as &[Option<&str>],
        )
        .execute(connection)
        .await?;
        Ok(letters().filter(|of| of.reason.is_some()).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// They are written.
    pub(crate) fn clear(&mut self) {
        self.letters.clear();
    }
}

impl Letter {
    fn of_undecodable(of: Undecodable) -> Self {
        Self {
            position: of.position,
            key: of.key,
            event_type: of.event_type,
            stream: of.stream,
            reason: Some(of.reason),
        }
    }

    fn of_event<E>(event: &Recorded<E>, reason: Option<String>) -> Self {
        Self {
            position: event.position.clone(),
            key: event.key.clone(),
            event_type: None,
            stream: Some(storable_stream(event)),
            reason,
        }
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn reason(&self) -> &str {
        self.reason
            .as_deref()
            .unwrap_or("it follows one that cannot be applied")
    }
}

/// Of one partition number.
fn is_from(position: &Position, from: &Position) -> bool {
    position.topic != from.topic || position.offset >= from.offset
}

/// Whether, from one cause to the last of its partition, so many lie so close to each other that it is no accident.
pub(crate) async fn is_beyond_limit(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
    first: &Position,
) -> sqlx::Result<bool> {
    let closest = sqlx::query_scalar!(
        r#"select coalesce(max(causes), 0) as "causes!" from (
               select count(*) over (order by "offset" range between $6 preceding and current row) as causes
               from offset_zero.dead_letters
               where name = $1 and version = $2 and topic = $3 and partition = $4 and "offset" > $5 and reason is not null
           ) windows"#,
        name,
        version,
        &*first.topic,
        first.partition,
        first.offset - WINDOW,
        WINDOW - 1,
    )
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(closest).is_ok_and(|closest| closest > MAX_CAUSES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_are_too_many_only_where_they_lie_close() {
        let at = |offset| Position {
            topic: "OrderEvents".into(),
            partition: 0,
            offset,
        };
        let mut refused = Refused::default();
        let many = i64::try_from(MAX_CAUSES).expect("few");
        // The later ones first, as folding may find them.
        for number in (0..2 * many).rev() {
            let added = refused.add(1, at(40 * number), String::new());
            assert!(added.is_ok(), "25 of 1,000");
        }
        let mut added = Ok(());
        for offset in 0..2 * many {
            added = added.and(refused.add(1, at(40 * offset + 1), String::new()));
        }
        assert!(added.is_ok(), "50 of 1,000: {added:?}");
        assert!(refused.add(1, at(2), String::new()).is_err());
        assert!(
            refused.add(2, at(2), String::new()).is_ok(),
            "another version"
        );
    }
}
