use std::{cell::Cell, thread::ThreadId};

use super::*;
use crate::{
    codec::Headers,
    log::{Appender, AppenderId, Log, OutgoingRecord, WriterId},
    memory::MemoryLog,
    subscription::StartAt,
};

const TOPIC: &str = "Things";
const RECORDS: usize = 6 * MAX_BATCH + 7;
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
        payload: number.to_string().into_bytes(),
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

/// Answer the offset; of reading and of decoding either may fail at one.
#[derive(Default)]
struct Offsets {
    reading_fails: Option<i64>,
    decoding_fails: Option<i64>,
}

fn fails_at(offset: i64, wanted: Option<i64>) -> Result<i64, LogError> {
    match wanted == Some(offset) {
        true => Err(failure(offset)),
        false => Ok(offset),
    }
}

impl Stages for Offsets {
    type Read = i64;
    type Decoded = i64;

    fn read(&self, record: &RawRecord<'_>) -> Result<i64, LogError> {
        fails_at(record.offset, self.reading_fails)
    }

    fn decode(&self, offset: i64, payload: &[u8]) -> Result<i64, LogError> {
        assert_eq!(payload, offset.to_string().as_bytes());
        fails_at(offset, self.decoding_fails)
    }
}

/// Answers what was applied, where applying fails there.
fn applied(stages: &Offsets, applying_fails: Option<i64>) -> (Vec<i64>, Result<(), LogError>) {
    let (mut reader, end) = filled();
    let mut applied = Vec::new();
    let apply = |offset| {
        applied.push(fails_at(offset, applying_fails)?);
        Ok(())
    };
    let ends = [(TOPIC, 0, end)];
    let ended = read_apart(&mut reader, &ends, PATIENCE, stages, apply, &|| {});
    (applied, ended)
}

fn up_to(end: i64) -> Vec<i64> {
    (0..end).collect()
}

#[test]
fn everything_is_applied_in_order() {
    let (applied, ended) = applied(&Offsets::default(), None);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(applied, up_to(i64::try_from(RECORDS).expect("few")));
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
        &Offsets::default(),
        |_| Ok(()),
        &|| said.set(said.get() + 1),
    )
    .expect("reads");
    assert_eq!(said.get(), RECORDS.div_ceil(MAX_BATCH));
}

#[test]
fn who_reads_decodes_where_there_is_no_room() {
    let (mut reader, end) = filled();
    let (told, helped) = crossbeam_channel::unbounded();
    let stages = Told {
        applying: std::thread::current().id(),
        told,
    };
    let mut applied = Vec::new();
    let apply = |offset| {
        if applied.is_empty() {
            // The queue fills meanwhile.
            helped.recv_timeout(PATIENCE).expect("helped");
        }
        applied.push(offset);
        Ok(())
    };
    let ends = [(TOPIC, 0, end)];
    read_apart(&mut reader, &ends, PATIENCE, &stages, apply, &|| {}).expect("reads");
    assert_eq!(applied, up_to(i64::try_from(RECORDS).expect("few")));
}

/// Tells when another thread decodes than the one that applies.
struct Told {
    applying: ThreadId,
    told: Sender<()>,
}

impl Stages for Told {
    type Read = i64;
    type Decoded = i64;

    fn read(&self, record: &RawRecord<'_>) -> Result<i64, LogError> {
        Ok(record.offset)
    }

    fn decode(&self, offset: i64, _: &[u8]) -> Result<i64, LogError> {
        if std::thread::current().id() != self.applying {
            self.told.send(()).expect("heard");
        }
        Ok(offset)
    }
}

#[test]
fn what_was_read_before_an_error_is_applied() {
    for at in [0, 1, 1_500, 3_000] {
        let failing = |reading_fails, decoding_fails| Offsets {
            reading_fails,
            decoding_fails,
        };
        for stages in [failing(Some(at), None), failing(None, Some(at))] {
            let (applied, ended) = applied(&stages, None);
            assert!(matches!(ended, Err(LogError::OffsetLost { offset, .. }) if offset == at));
            assert_eq!(applied, up_to(at));
        }
    }
}

#[test]
fn who_cannot_apply_says_why_and_ends_it() {
    for at in [0, 1, 1_500, 3_000] {
        let (applied, ended) = applied(&Offsets::default(), Some(at));
        assert!(matches!(ended, Err(LogError::OffsetLost { offset, .. }) if offset == at));
        assert_eq!(applied, up_to(at));
    }
}
