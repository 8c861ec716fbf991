//! A stream as the state store keeps it.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer, de::DeserializeOwned, ser::SerializeTuple};
use uuid::Uuid;

use super::{Kept, Remembered, Stream};
use crate::{
    codec::Interned,
    envelope::Position,
    state::{self, StateError},
};
use domain::Context;

/// Seconds and nanoseconds.
type Time = (i64, u32);

/// One command as it is read back: id, hash, version, status, whether it outlasts others, positions.
type RememberedParts<S> = (Uuid, Uuid, u32, S, bool, Vec<(String, i32, i64)>);

impl<C: Context> Stream<C> {
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let alarm = self
            .alarm
            .map(|due_at| -> Time { (due_at.timestamp(), due_at.timestamp_subsec_nanos()) });
        state::encode(
            &(
                self.version,
                self.forgotten,
                alarm,
                &self.commands,
                &self.outlasting,
                &self.state,
            ),
            bytes,
        );
    }

    pub(crate) fn read(bytes: &[u8], topics: &mut Interned) -> Result<Self, StateError> {
        let parts = state::decode::<(u32, usize, Option<Time>, Vec<_>, Vec<_>, C::State)>(bytes)?;
        let (version, forgotten, alarm, commands, outlasting, state) = parts;
        let alarm: Option<DateTime<Utc>> =
            alarm.and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos));
        Ok(Self {
            state,
            version,
            alarm,
            kept: Kept {
                due_at: alarm,
                ..Kept::default()
            },
            commands: commands
                .into_iter()
                .map(|parts| Remembered::read(parts, topics))
                .collect(),
            forgotten,
            outlasting: outlasting
                .into_iter()
                .map(|parts| Remembered::read(parts, topics))
                .collect(),
        })
    }
}

impl<S: DeserializeOwned> Remembered<S> {
    fn read(parts: RememberedParts<S>, topics: &mut Interned) -> Self {
        let (command_id, command_hash, version, status, outlasts, positions) = parts;
        let position = |(topic, partition, offset): (String, i32, i64)| Position {
            topic: topics.get(&topic),
            partition,
            offset,
        };
        Self {
            command_id,
            command_hash,
            version,
            status,
            outlasts,
            positions: positions.into_iter().map(position).collect(),
        }
    }
}

/// Without names: there are several in each stream.
impl<S: Serialize> Serialize for Remembered<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        let mut parts = serializer.serialize_tuple(6)?;
        parts.serialize_element(&self.command_id)?;
        parts.serialize_element(&self.command_hash)?;
        parts.serialize_element(&self.version)?;
        parts.serialize_element(&self.status)?;
        parts.serialize_element(&self.outlasts)?;
        parts.serialize_element(&Positions(&self.positions))?;
        parts.end()
    }
}

struct Positions<'a>(&'a [Position]);

impl Serialize for Positions<'_> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        let parts = self.0.iter();
        serializer.collect_seq(parts.map(|at| (&*at.topic, at.partition, at.offset)))
    }
}
