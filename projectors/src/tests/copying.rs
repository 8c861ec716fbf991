//! Values of every type come out of Postgres as they were put in.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::World;
use crate::copy::{CopyBuffer, copy_rows};

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
async fn copies_nasty_values() {
    let world = World::new().await;
    let mut connection = world.connect().await;
    sqlx::raw_sql(
        "create temporary table nasty (n integer, i uuid, t text, b boolean, l bigint, j jsonb, z timestamptz, x text, d date)",
    )
    .execute(&mut connection)
    .await
    .expect("creates");
    let time = DateTime::from_timestamp_micros(-1_234_567_890_123_456).expect("in 1930");
    let copied = copy_rows(
        &mut connection,
        "copy nasty from stdin (format binary)",
        (0_i32..).zip(NASTY),
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
    assert_eq!(copied.await.expect("copies"), 8);
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
    for ((number, text), row) in (0_i32..).zip(NASTY).zip(rows) {
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
async fn copies_more_than_one_message() {
    let world = World::new().await;
    let mut connection = world.connect().await;
    sqlx::raw_sql("create temporary table long (t text)")
        .execute(&mut connection)
        .await
        .expect("creates");
    let text = "x".repeat(100_000);
    let copied = copy_rows(
        &mut connection,
        "copy long from stdin (format binary)",
        0..100,
        |_, buffer| {
            buffer.row(1);
            buffer.text(&text);
        },
    );
    assert_eq!(copied.await.expect("copies"), 100);
}
