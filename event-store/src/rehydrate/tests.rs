use std::cell::{Cell, RefCell};

use chrono::DateTime;
use domain::{
    Event,
    cart::{CartEvent, CartOpened, Carts},
    ids::{CartId, event_id},
    topics::CART_EVENTS,
};
use uuid::Uuid;

use super::{apart::MAX_BATCH, *};
use crate::{
    codec,
    envelope::{DecisionMark, Metadata},
    log::{Appender, AppenderId, OutgoingRecord, WriterId},
    memory::MemoryLog,
    state::folder::{StateConfig, Told},
};

const PATIENCE: Duration = Duration::from_secs(20);
const WRITER: WriterId = WriterId {
    service: Carts::SERVICE,
    partition: 0,
};

/// A cart of its own is opened, as version so much of its stream.
fn opened(number: usize, stream_version: u32) -> OutgoingRecord {
    let id = Uuid::from_u128(u128::try_from(number).expect("few"));
    let event = CartEvent::Opened(CartOpened {
        cart_id: CartId::from(id),
        customer_id: None,
        opened_at: DateTime::UNIX_EPOCH,
    });
    let stream = event.stream();
    let metadata = Metadata {
        event_id: event_id(id, 1),
        source: "/cart".into(),
        stream: stream.to_string(),
        stream_version,
        time: DateTime::UNIX_EPOCH,
        correlation_id: id,
        causation_id: id,
        command_id: id,
        command_hash: id,
        actor: "tester".into(),
        decision: DecisionMark {
            number: 1,
            index: 1,
            of: 1,
        },
        traceparent: None,
    };
    codec::encode(&event, CartEvent::key(&stream), &metadata, 0)
}

/// A partition to which others append without end, beside one that is held back.
struct Endless(i64);

impl Reader for Endless {
    fn poll<T>(
        &mut self,
        _: Duration,
        visit: impl FnOnce(&RawRecord<'_>) -> T,
    ) -> Result<Option<T>, LogError> {
        let offset = self.0;
        self.0 += 1;
        Ok(Some(visit(&RawRecord {
            topic: CART_EVENTS,
            partition: 0,
            offset,
            key: &[],
            payload: &[],
            headers: &codec::Headers::default(),
        })))
    }

    fn position(&self, _: &str, partition: i32) -> i64 {
        match partition {
            0 => self.0,
            _ => 0,
        }
    }
}

#[test]
fn what_others_append_beyond_the_ends_is_no_progress() {
    let ends = [(CART_EVENTS, 0, 3), (CART_EVENTS, 1, 1)];
    let patience = Duration::from_millis(20);
    let read = read_to(&mut Endless(0), &ends, patience, |_| Ok(()));
    let error = read.expect_err("a partition is held back").to_string();
    assert!(error.contains("CartEvents/1 at 0 of 1"), "{error}");
}

fn log() -> (MemoryLog, impl Appender) {
    let log = MemoryLog::new(&[CART_EVENTS], 1);
    let appender = log.appender(&AppenderId::Writer(WRITER)).expect("opened");
    (log, appender)
}

/// While the first batch is applied, whoever reads on runs out of time: what is wrong with the batch is no less so.
#[test]
fn what_cannot_be_applied_is_told_though_time_is_up() {
    const WRONG: usize = 1;
    let deadline = Instant::now() + PATIENCE;
    // Where time was up before the first batch was read, nothing is shown, and it is read anew.
    let built = loop {
        if let Some(built) = built_of_a_first_batch(WRONG) {
            break built;
        }
        assert!(Instant::now() < deadline, "no batch is read in time");
    };
    let Err(Failure::Log(LogError::Undecodable { offset, reason, .. })) = built else {
        panic!("it goes on behind an event that it could not apply");
    };
    assert_eq!(usize::try_from(offset), Ok(WRONG), "{reason}");
}

/// What becomes of a batch that has one event that cannot be applied, where time is up while it is; none where it was up before.
fn built_of_a_first_batch(wrong: usize) -> Option<Result<Built<Carts>, Failure>> {
    let (log, mut appender) = log();
    let version = |number| if number == wrong { 3 } else { 1 };
    let batch: Vec<_> = (0..MAX_BATCH)
        .map(|number| opened(number, version(number)))
        .collect();
    appender.append(&batch).expect("appended");
    let end = log.end_offset(CART_EVENTS, 0).expect("it answers");
    let until = Instant::now() + Duration::from_secs(1);
    let (appender, read_at) = (RefCell::new(appender), Cell::new(None::<Instant>));
    let at_work = || {
        read_at.set(read_at.get().or_else(|| Some(Instant::now())));
        while Instant::now() <= until {
            std::thread::sleep(POLL);
        }
        let late = opened(MAX_BATCH, 1);
        appender.borrow_mut().append(&[late]).expect("appended");
    };
    let reading = Reading {
        log: &log,
        partition: 0,
        partitions: 1,
        ends: vec![(CART_EVENTS, 0, end + 1)],
        patience: PATIENCE,
        until: Some(until),
        at_work: &at_work,
    };
    let from_zero = Checkpoint::at_zero::<Carts>(String::new());
    let built = reading.read_on(Streams::<Carts>::new(1), &from_zero, false);
    read_at.get().is_some_and(|at| at <= until).then_some(built)
}

#[test]
fn a_store_that_holds_something_and_no_checkpoint_is_thrown_away() {
    let (log, mut appender) = log();
    appender.append(&[opened(0, 1)]).expect("appended");
    let of = tempfile::tempdir().expect("a folder");
    let config = StateConfig::new(of.path());
    let told = Told::default();
    let mut folder = StateFolder::new(Some(&config), &WRITER, 1, Arc::clone(&told));
    let store = folder.store().expect("opened");
    let mut batch = store.batch(1);
    batch.put(b"left", b"over");
    batch.commit().expect("committed");
    drop(store);

    let rehydrated = rehydrate::<Carts, _>(&log, (0, 1), PATIENCE, &mut folder, &|| {});
    let (streams, _) = rehydrated.expect("the log reads");
    assert_eq!(streams.len(), 1);
    let told = told.lock().expect("no panic").clone();
    let told = told.expect("it is told");
    assert_eq!((told.from_store, told.records), (false, 1));
    assert_eq!(told.discarded, Some(Misfit::Unmarked.to_string()));
}
