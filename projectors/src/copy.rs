//! New rows in Postgres' binary format: nothing to escape, nothing to parse but JSON.
//!
//! The layout of COPY is that of <https://www.postgresql.org/docs/current/sql-copy.html>; each type's, that of its `_send` function.

mod insert;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use self::insert::insert_rows;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const NO_FLAGS: i32 = 0;
const NO_EXTENSION: i32 = 0;
const TRAILER: i16 = -1;
const NULL: i32 = -1;
/// Postgres counts from 2000-01-01, in microseconds.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
const POSTGRES_EPOCH_DAY: NaiveDate =
    NaiveDate::from_ymd_opt(2000, 1, 1).expect("there is such a day");
/// A message to the server is about so large.
const MESSAGE_BYTES: usize = 4 << 20;

/// Up to so many rows are inserted: a COPY has one round trip more, and costs less a row.
const MAX_INSERTED_ROWS: usize = 1_000;

/// Rows on their way to one table.
#[derive(Debug, Default)]
pub struct CopyBuffer {
    bytes: Vec<u8>,
}

impl CopyBuffer {
    /// Begins a row of so many columns.
    pub fn row(&mut self, columns: i16) {
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    /// No value, of whatever type.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&NULL.to_be_bytes());
    }

    /// The value by its own function, where there is one.
    pub fn or_null<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }

    /// A `uuid`.
    pub fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// A `text`, free of NUL: what comes of an event has to be `storable`.
    pub fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// A `boolean`.
    pub fn boolean(&mut self, value: bool) {
        self.field(&[u8::from(value)]);
    }

    /// An `integer`.
    pub fn integer(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    /// A `bigint`.
    pub fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    /// A `timestamptz`, of whole microseconds: what comes of an event's payload has to be `storable_time`.
    pub fn timestamp(&mut self, value: DateTime<Utc>) {
        self.bigint(value.timestamp_micros() - POSTGRES_EPOCH_MICROS);
    }

    /// A `date`, of a time as storable.
    pub fn date(&mut self, value: NaiveDate) {
        let days = value.signed_duration_since(POSTGRES_EPOCH_DAY).num_days();
        self.integer(i32::try_from(days).expect("a date that there is is near enough"));
    }

    /// A `json`, from its text.
    pub fn json(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        let length =
            i32::try_from(bytes.len()).expect("a field is part of an event, so far below 2 GiB");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(bytes);
    }
}

/// What [`CopyBuffer::json`] takes, of a value of ours.
pub(crate) fn json(value: &impl Serialize) -> Box<str> {
    let text = serde_json::to_string(value).expect("their maps have string keys");
    text.into_boxed_str()
}

/// Adds rows to a table, `into` being as [`Projection::INTO`](crate::Projection::INTO); answers how many.
pub(crate) async fn write_rows<R>(
    connection: &mut PgConnection,
    into: &str,
    rows: impl ExactSizeIterator<Item = R>,
    serialise: impl Fn(R, &mut CopyBuffer),
) -> sqlx::Result<u64> {
    match rows.len() <= MAX_INSERTED_ROWS {
        true => insert_rows(connection, into, rows, serialise).await,
        false => copy_rows(connection, into, rows, serialise).await,
    }
}

async fn copy_rows<R>(
    connection: &mut PgConnection,
    into: &str,
    rows: impl Iterator<Item = R>,
    serialise: impl Fn(R, &mut CopyBuffer),
) -> sqlx::Result<u64> {
    let mut buffer = CopyBuffer {
        bytes: Vec::with_capacity(MESSAGE_BYTES + (64 << 10)),
    };
    buffer.bytes.extend_from_slice(SIGNATURE);
    buffer.bytes.extend_from_slice(&NO_FLAGS.to_be_bytes());
    buffer.bytes.extend_from_slice(&NO_EXTENSION.to_be_bytes());
    let statement = format!("copy {into} from stdin (format binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    for row in rows {
        serialise(row, &mut buffer);
        if buffer.bytes.len() >= MESSAGE_BYTES {
            copy.send(&*buffer.bytes).await?;
            buffer.bytes.clear();
        }
    }
    buffer.row(TRAILER);
    copy.send(&*buffer.bytes).await?;
    copy.finish().await
}
