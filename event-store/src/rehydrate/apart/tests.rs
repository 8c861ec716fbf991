use std::cell::Cell;

use super::*;
use crate::{
    codec::Headers,
    log::{Appender, AppenderId, Log, OutgoingRecord, WriterId},
    memory::MemoryLog,
    subscription::StartAt,
};

const TOPIC: &str = "Things";
const RECORDS: usize = 3 * MAX_BATCH + 7;
const PATIENCE: Duration = Duration::from_secs(10);

/// A log of so many records, a reader from its beginning, and where it ends.
fn filled() -> (impl Reader, i64) {
    let log = MemoryLog::new(&[TOPIC], 1);
    let writer = WriterId {
        service: "things",
        partition: 0,
    };
    let mut appender = log.appender(&AppenderId::Writer(writer)).expect("opened");
    let record = |number: usize| OutgoingRecord {
        topic: TOPIC,
        partition: 0,
        key: number.to_string(),
        headers: Headers::default(),
        payload: Vec::new(),
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    appender.append(&records).expect("appended");
    let start = StartAt {
        topic: TOPIC.into(),
        partition: 0,
        next_offset: 0,
    };
    let end = log.end_offset(TOPIC, 0).expect("it answers");
    (log.reader(&[start]).expect("opened"), end)
}

fn failure(offset: i64) -> LogError {
    LogError::OffsetLost {
        topic: TOPIC.to_owned(),
        partition: 0,
        offset,
    }
}

fn fails_at(offset: i64, wanted: Option<i64>) -> Result<i64, LogError> {
    match wanted == Some(offset) {
        true => Err(failure(offset)),
        false => Ok(offset),
    }
}

/// Answers what was applied, where reading or applying fails there.
fn applied(
    reading_fails: Option<i64>,
    applying_fails: Option<i64>,
) -> (Vec<i64>, Result<(), LogError>) {
    let (mut reader, end) = filled();
    let mut applied = Vec::new();
    let ended = read_apart(
        &mut reader,
        &[(TOPIC, 0, end)],
        PATIENCE,
        |record| fails_at(record.offset, reading_fails),
        |offset| {
            applied.push(fails_at(offset, applying_fails)?);
            Ok(())
        },
        &|| {},
    );
    (applied, ended)
}

fn up_to(end: i64) -> Vec<i64> {
    (0..end).collect()
}

#[test]
fn everything_is_applied_in_order() {
    let (applied, ended) = applied(None, None);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(applied.len(), RECORDS);
    assert!(applied.is_sorted());
}

/// Whoever watches the writer gives it up otherwise, and a long log could never be read.
#[test]
fn it_says_with_each_batch_that_it_gets_on() {
    let (mut reader, end) = filled();
    let said = Cell::new(0);
    read_apart(
        &mut reader,
        &[(TOPIC, 0, end)],
        PATIENCE,
        |record| Ok(record.offset),
        |_| Ok(()),
        &|| said.set(said.get() + 1),
    )
    .expect("reads");
    assert_eq!(said.get(), RECORDS.div_ceil(MAX_BATCH));
}

#[test]
fn what_was_read_before_an_error_is_applied() {
    for at in [0, 1, 1_500] {
        let (applied, ended) = applied(Some(at), None);
        assert!(matches!(ended, Err(LogError::OffsetLost { offset, .. }) if offset == at));
        assert_eq!(applied, up_to(at));
    }
}

#[test]
fn who_cannot_apply_says_why_and_ends_it() {
    for at in [0, 1, 1_500, 3_000] {
        let (applied, ended) = applied(None, Some(at));
        assert!(matches!(ended, Err(LogError::OffsetLost { offset, .. }) if offset == at));
        assert_eq!(applied, up_to(at));
    }
}
