//! What a writer reads back.

use domain::ReadEvent;
use uuid::Uuid;

use super::{EventHeaders, number, read_event, required, uuid};
use crate::log::{LogError, RawRecord};

/// What a writer needs of an event that is in the log. Of the rest nothing is read: a rehydration goes through millions of them.
pub(crate) struct Replayed<E> {
    pub(crate) event_id: Uuid,
    /// Whether another service has appended it.
    pub(crate) is_foreign: bool,
    pub(crate) stream_version: u32,
    pub(crate) command_id: Uuid,
    pub(crate) command_hash: Uuid,
    pub(crate) event: E,
}

/// Which event a payload has to be read as.
pub(crate) struct Unread {
    name: Box<str>,
    version: u16,
}

/// Reads back what a writer needs of a record, lifting old shapes; `source` is what its own events have as `ce_source`.
///
/// # Errors
/// [`LogError::Undecodable`] when it is no event of ours.
pub(crate) fn replayed<E: ReadEvent>(
    record: &RawRecord<'_>,
    source: &str,
) -> Result<Replayed<E>, LogError> {
    let unread = unread(record, source)?;
    let read = unread.read(record.payload);
    read.map_err(|reason| record.undecodable(reason))
}

/// As [`replayed`], but the payload is left for another time.
///
/// # Errors
/// [`LogError::Undecodable`] when its headers are not those of an event of ours.
pub(crate) fn unread(record: &RawRecord<'_>, source: &str) -> Result<Replayed<Unread>, LogError> {
    let headers = EventHeaders::find(record);
    let read = || {
        let (name, version) = headers.kind()?;
        Ok(Replayed {
            event_id: uuid(headers.id, "ce_id")?,
            is_foreign: required(headers.source, "ce_source")? != source.as_bytes(),
            stream_version: number(headers.stream_version, "ce_streamversion")?,
            command_id: uuid(headers.command_id, "ce_commandid")?,
            command_hash: uuid(headers.command_hash, "ce_commandhash")?,
            event: Unread {
                name: name.into(),
                version,
            },
        })
    };
    read().map_err(|reason: String| record.undecodable(reason))
}

impl Replayed<Unread> {
    /// With the event that the payload holds; the error is the reason.
    pub(crate) fn read<E: ReadEvent>(self, payload: &[u8]) -> Result<Replayed<E>, String> {
        let Unread { name, version } = self.event;
        Ok(Replayed {
            event_id: self.event_id,
            is_foreign: self.is_foreign,
            stream_version: self.stream_version,
            command_id: self.command_id,
            command_hash: self.command_hash,
            event: read_event(&name, version, payload)?,
        })
    }
}
