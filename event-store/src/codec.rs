//! Events as Kafka records: CloudEvents headers in binary mode, versioned JSON as value.

mod key;
mod replayed;

use std::{collections::HashMap, fmt::Write, ops::Range, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{Event, EventKind, ReadEvent};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use uuid::Uuid;

use self::key::key;
pub(crate) use self::replayed::{Replayed, Unread, replayed, unread};
use crate::{
    clock,
    envelope::{DecisionMark, Metadata, Position, Recorded},
    log::{LogError, OutgoingRecord, RawRecord},
    subscription::Undecodable,
};

/// Of what a foreign record says.
const MAX_FOREIGN_BYTES: usize = 256;
const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";
/// Where `ce_dataschema` points; the schemas themselves are in `docs/events/`.
const SCHEMA_BASE: &str = "urn:offset-zero:event:";

/// Record headers: names are known, values share one buffer.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    buffer: String,
    entries: Vec<(&'static str, Range<usize>)>,
}

impl Headers {
    fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self {
            buffer: String::with_capacity(bytes),
            entries: Vec::with_capacity(entries),
        }
    }

    fn push(&mut self, name: &'static str, value: std::fmt::Arguments<'_>) {
        let start = self.buffer.len();
        self.buffer
            .write_fmt(value)
            .expect("writing to a string never fails");
        self.entries.push((name, start..self.buffer.len()));
    }

    /// Name and value of each header, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &str)> {
        self.entries
            .iter()
            .map(|(name, range)| (*name, &self.buffer[range.clone()]))
    }
}

/// The record of an event. Only writers append to a log that others read; this is public for logs that are made up, to
/// measure readers on.
#[must_use]
pub fn encode<E: Event>(
    event: &E,
    key: String,
    metadata: &Metadata,
    partition: i32,
) -> OutgoingRecord {
    let EventKind { name, version } = event.kind();
    let mut headers = Headers::with_capacity(15, 640);
    headers.push("ce_specversion", format_args!("{SPEC_VERSION}"));
    headers.push("ce_id", format_args!("{}", metadata.event_id));
    headers.push("ce_type", format_args!("{name}"));
    headers.push("ce_source", format_args!("{}", metadata.source));
    headers.push("ce_subject", format_args!("{}", metadata.stream));
    headers.push("ce_time", format_args!("{}", rfc3339(metadata.time)));
    headers.push(
        "ce_dataschema",
        format_args!("{SCHEMA_BASE}{name}/{version}"),
    );
    headers.push(
        "ce_correlationid",
        format_args!("{}", metadata.correlation_id),
    );
    headers.push("ce_causationid", format_args!("{}", metadata.causation_id));
    headers.push("ce_commandid", format_args!("{}", metadata.command_id));
    headers.push("ce_commandhash", format_args!("{}", metadata.command_hash));
    headers.push("ce_actor", format_args!("{}", metadata.actor));
    headers.push(
        "ce_streamversion",
        format_args!("{}", metadata.stream_version),
    );
    let DecisionMark { number, index, of } = metadata.decision;
    headers.push("ce_txn", format_args!("{number};{index};{of}"));
    if let Some(traceparent) = &metadata.traceparent {
        headers.push("ce_traceparent", format_args!("{traceparent}"));
    }
    headers.push("content-type", format_args!("{CONTENT_TYPE}"));
    OutgoingRecord {
        topic: event.topic(),
        partition,
        key,
        headers,
        payload: serde_json::to_vec(event).expect("events serialise: their maps have string keys"),
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The service that appended a record, without reading the rest of it.
pub(crate) fn source<'a>(record: &RawRecord<'a>) -> Option<&'a str> {
    text(record, "ce_source")
}

/// The id of the event in a record, without reading the rest of it.
pub(crate) fn event_id(record: &RawRecord<'_>) -> Option<Uuid> {
    Uuid::try_parse_ascii(record.header("ce_id")?).ok()
}

/// The id of the event in a record that is to be appended.
pub(crate) fn event_id_of(record: &OutgoingRecord) -> Option<Uuid> {
    let (_, value) = record.headers.iter().find(|(name, _)| *name == "ce_id")?;
    Uuid::try_parse(value).ok()
}

/// The place, the key and what else can be told of a record that is no event of ours.
pub(crate) fn undecodable(
    record: &RawRecord<'_>,
    interned: &mut Interned,
    reason: &str,
) -> Undecodable {
    Undecodable {
        position: position(record, interned),
        key: key(record.key),
        event_id: text(record, "ce_id").and_then(|id| id.parse().ok()),
        event_type: text(record, "ce_type").map(storable),
        stream: text(record, "ce_subject").map(storable),
        // It may quote the record, NUL included.
        reason: reason.replace('\0', "\u{fffd}"),
    }
}

fn text<'a>(record: &RawRecord<'a>, header: &str) -> Option<&'a str> {
    std::str::from_utf8(record.header(header)?).ok()
}

/// Where a record lies.
pub(crate) fn position(record: &RawRecord<'_>, interned: &mut Interned) -> Position {
    Position {
        topic: interned.get(record.topic),
        partition: record.partition,
        offset: record.offset,
    }
}

fn storable(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(MAX_FOREIGN_BYTES);
    text[..end].replace('\0', "").into()
}

/// Reads a record back, lifting old shapes.
///
/// # Errors
/// [`LogError::Undecodable`] when it is no event of ours.
pub(crate) fn decode<E: ReadEvent>(
    record: &RawRecord<'_>,
    interned: &mut Interned,
) -> Result<Recorded<E>, LogError> {
    decode_parts(record, interned).map_err(|reason| record.undecodable(reason))
}

/// Where a record lies and what is known of its event, whose payload is JSON; whether it has its type's members, nobody asks.
///
/// # Errors
/// [`LogError::Undecodable`] when it is no event.
pub(crate) fn metadata(
    record: &RawRecord<'_>,
    interned: &mut Interned,
) -> Result<(Position, Metadata), LogError> {
    let headers = EventHeaders::find(record);
    let checked = headers.kind().and_then(|(name, version)| {
        read_event::<Unlooked>(name, version, record.payload)?;
        headers.metadata(interned)
    });
    let metadata = checked.map_err(|reason| record.undecodable(reason))?;
    Ok((position(record, interned), metadata))
}

/// Any JSON, skipped.
struct Unlooked;

impl ReadEvent for Unlooked {
    fn deserialize<'de, D: Deserializer<'de>>(
        _name: &str,
        _version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(payload).map(|_| Self)
    }
}

/// As [`decode`]; the error is the reason.
pub(crate) fn decode_parts<E: ReadEvent>(
    record: &RawRecord<'_>,
    interned: &mut Interned,
) -> Result<Recorded<E>, String> {
    let headers = EventHeaders::find(record);
    Ok(Recorded {
        position: position(record, interned),
        key: key(record.key),
        metadata: headers.metadata(interned)?,
        event: headers.event(record.payload)?,
    })
}

/// The headers of one record, found in a single pass. What nobody asks for is not looked into.
#[derive(Default)]
struct EventHeaders<'a> {
    id: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    subject: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    schema: Option<&'a [u8]>,
    correlation_id: Option<&'a [u8]>,
    causation_id: Option<&'a [u8]>,
    command_id: Option<&'a [u8]>,
    command_hash: Option<&'a [u8]>,
    actor: Option<&'a [u8]>,
    stream_version: Option<&'a [u8]>,
    decision: Option<&'a [u8]>,
    traceparent: Option<&'a [u8]>,
}

impl<'a> EventHeaders<'a> {
    fn find(record: &RawRecord<'a>) -> Self {
        let mut found = Self::default();
        for (name, value) in record.headers() {
            let place = match name {
                "ce_id" => &mut found.id,
                "ce_type" => &mut found.name,
                "ce_source" => &mut found.source,
                "ce_subject" => &mut found.subject,
                "ce_time" => &mut found.time,
                "ce_dataschema" => &mut found.schema,
                "ce_correlationid" => &mut found.correlation_id,
                "ce_causationid" => &mut found.causation_id,
                "ce_commandid" => &mut found.command_id,
                "ce_commandhash" => &mut found.command_hash,
                "ce_actor" => &mut found.actor,
                "ce_streamversion" => &mut found.stream_version,
                "ce_txn" => &mut found.decision,
                "ce_traceparent" => &mut found.traceparent,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }

    fn metadata(&self, interned: &mut Interned) -> Result<Metadata, String> {
        let traceparent = match self.traceparent {
            None => None,
            present => Some(string(present, "ce_traceparent")?.into()),
        };
        Ok(Metadata {
            event_id: uuid(self.id, "ce_id")?,
            source: interned.get(string(self.source, "ce_source")?),
            stream: string(self.subject, "ce_subject")?.to_owned(),
            stream_version: number(self.stream_version, "ce_streamversion")?,
            time: time(self.time)?,
            correlation_id: uuid(self.correlation_id, "ce_correlationid")?,
            causation_id: uuid(self.causation_id, "ce_causationid")?,
            command_id: uuid(self.command_id, "ce_commandid")?,
            command_hash: uuid(self.command_hash, "ce_commandhash")?,
            actor: interned.get(string(self.actor, "ce_actor")?),
            decision: decision(string(self.decision, "ce_txn")?)?,
            traceparent,
        })
    }

    fn event<E: ReadEvent>(&self, payload: &[u8]) -> Result<E, String> {
        let (name, version) = self.kind()?;
        read_event(name, version, payload)
    }

    fn kind(&self) -> Result<(&'a str, u16), String> {
        let version = schema_version(string(self.schema, "ce_dataschema")?)?;
        Ok((string(self.name, "ce_type")?, version))
    }
}

fn read_event<E: ReadEvent>(name: &str, version: u16, payload: &[u8]) -> Result<E, String> {
    // At once, since serde_json looks at each string of bytes by itself.
    let payload = std::str::from_utf8(payload).map_err(|error| error.to_string());
    let read = payload.and_then(|payload| {
        let mut payload = serde_json::Deserializer::from_str(payload);
        E::deserialize(name, version, &mut payload).map_err(|error| error.to_string())
    });
    read.map_err(|error| format!("{name}/{version}: {error}"))
}

/// Strings that recur in most records (topic, source, actor), allocated once.
#[derive(Debug, Default)]
pub(crate) struct Interned(HashMap<Box<str>, Arc<str>, rustc_hash::FxBuildHasher>);

impl Interned {
    /// Actors come from outside: past this many the table starts over rather than grow.
    const MOST: usize = 1_024;

    pub(crate) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let shared: Arc<str> = text.into();
        self.0.insert(text.into(), Arc::clone(&shared));
        shared
    }
}

fn required<'a>(value: Option<&'a [u8]>, name: &'static str) -> Result<&'a [u8], String> {
    value.ok_or_else(|| format!("header {name} is missing"))
}

fn string<'a>(value: Option<&'a [u8]>, name: &'static str) -> Result<&'a str, String> {
    std::str::from_utf8(required(value, name)?).map_err(|_| format!("{name} is not UTF-8"))
}

fn uuid(value: Option<&[u8]>, name: &'static str) -> Result<Uuid, String> {
    Uuid::try_parse_ascii(required(value, name)?).map_err(|_| format!("{name} is not a UUID"))
}

fn number<N: std::str::FromStr>(value: Option<&[u8]>, name: &'static str) -> Result<N, String> {
    parsed(string(value, name)?, name)
}

fn parsed<N: std::str::FromStr>(text: &str, name: &'static str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{name} is not a number in range"))
}

/// Rounded down to microseconds: ours are written so, a foreign one may say more, and nobody who keeps it does.
fn time(value: Option<&[u8]>) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(string(value, "ce_time")?)
        .map(|time| clock::told(time.with_timezone(&Utc)))
        .map_err(|_| "ce_time is not RFC 3339".to_owned())
}

fn schema_version(schema: &str) -> Result<u16, String> {
    let version = schema.rsplit('/').next().unwrap_or_default();
    parsed(version, "the version in ce_dataschema")
}

fn decision(mark: &str) -> Result<DecisionMark, String> {
    let malformed = || "ce_txn does not read `number;n;m`".to_owned();
    let (number, place) = mark.split_once(';').ok_or_else(malformed)?;
    let (index, of) = place.split_once(';').ok_or_else(malformed)?;
    let mark = DecisionMark {
        number: parsed(number, "ce_txn")?,
        index: parsed(index, "ce_txn")?,
        of: parsed(of, "ce_txn")?,
    };
    match (1..=mark.of).contains(&mark.index) {
        true => Ok(mark),
        false => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_time_is_rounded_down() {
        for (written, read) in [
            (
                "1999-12-31T23:59:59.9999985Z",
                "1999-12-31T23:59:59.999998Z",
            ),
            (
                "2026-05-28T20:36:40.123456999+02:00",
                "2026-05-28T18:36:40.123456Z",
            ),
            ("2026-05-28T20:36:40Z", "2026-05-28T20:36:40Z"),
        ] {
            let read: DateTime<Utc> = read.parse().expect("a time");
            assert_eq!(time(Some(written.as_bytes())), Ok(read), "{written}");
        }
    }
}
