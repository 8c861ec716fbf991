//! Values of every type come out of Postgres as they were put in.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::World;
use crate::copy::{CopyBuffer, write_rows};

const NASTY: [&str; 8] = [
    "",
    "\\N",
    "\\.",
    "a\tb\r\nc\\n\\\\",
    "\"quoted\", {braces} 'single'",
    "\u{1}\u{7f}\u{2028}\u{feff}",
    "ß😀\u{10ffff}",
    "\\u0000",
];

#[tokio::test]
async fn a_few_nasty_values() {
    writes_nasty_values(NASTY.len()).await;
}

#[tokio::test]
async fn many_nasty_values() {
    writes_nasty_values(200 * NASTY.len()).await;
}

async fn writes_nasty_values(count: usize) {
    let numbered = || {
        (0_i32..)
            .zip(NASTY.iter().copied().cycle().take(count))
            .collect::<Vec<_>>()
    };
    let world = World::new().await;
    let mut connection = world.connect().await;
    sqlx::raw_sql(
        "create temporary table nasty (n integer, i uuid, t text, b boolean, l bigint, j json, z timestamptz, x text, d date)",
    )
    .execute(&mut connection)
    .await
    .expect("creates");
    let time = DateTime::from_timestamp_micros(-1_234_567_890_123_456).expect("in 1930");
    let written = write_rows(
        &mut connection,
        "nasty (n, i, t, b, l, j, z, x, d)",
        numbered().into_iter(),
        |(number, text), buffer| {
            buffer.row(9);
            buffer.integer(number);
            buffer.uuid(Uuid::from_u128(number.unsigned_abs().into()));
            buffer.text(text);
            buffer.boolean(number % 2 == 0);
            buffer.bigint(i64::MIN + i64::from(number));
            buffer.json(&json!({ "text": text }).to_string());
            buffer.timestamp(time);
            buffer.or_null(None, CopyBuffer::text);
            buffer.date(time.date_naive());
        },
    );
    assert_eq!(written.await.expect("writes"), count as u64);
    type Row = (
        i32,
        Uuid,
        String,
        bool,
        i64,
        Value,
        DateTime<Utc>,
        Option<String>,
        NaiveDate,
    );
    let rows: Vec<Row> = sqlx::query_as("select * from nasty order by n")
        .fetch_all(&mut connection)
        .await
        .expect("reads");
    assert_eq!(rows.len(), count);
    for ((number, text), row) in numbered().into_iter().zip(rows) {
        let id = Uuid::from_u128(number.unsigned_abs().into());
        let json = json!({ "text": text });
        let long = i64::MIN + i64::from(number);
        assert_eq!(
            row,
            (
                number,
                id,
                text.to_owned(),
                number % 2 == 0,
                long,
                json,
                time,
                None,
                time.date_naive(),
            )
        );
    }
}

#[tokio::test]
async fn more_than_one_message() {
    let world = World::new().await;
    let mut connection = world.connect().await;
    sqlx::raw_sql("create temporary table long (t text)")
        .execute(&mut connection)
        .await
        .expect("creates");
    let text = "x".repeat(5_000);
    let written = write_rows(&mut connection, "long (t)", 0..2_000, |_, buffer| {
        buffer.row(1);
        buffer.text(&text);
    });
    assert_eq!(written.await.expect("copies"), 2_000);
}
