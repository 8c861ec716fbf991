use std::{collections::BTreeSet, thread};

use super::*;
use crate::{
    codec::Headers,
    log::{AppenderId, Lane},
    memory::{Fault, MemoryLog},
};

const TOPIC: &str = "Things";
const PARTITIONS: i32 = 4;

fn record(partition: i32) -> OutgoingRecord {
    OutgoingRecord {
        topic: TOPIC,
        partition,
        key: partition.to_string(),
        headers: Headers::default(),
        payload: Vec::new(),
    }
}

fn log() -> MemoryLog {
    MemoryLog::new(&[TOPIC], PARTITIONS)
}

fn ends(log: &MemoryLog) -> Vec<i64> {
    let end = |partition| log.end_offset(TOPIC, partition).expect("it answers");
    (0..PARTITIONS).map(end).collect()
}

#[test]
fn everybody_hears_of_his_own_records() {
    let log = log();
    let committer = Committer::start(&log);
    let id = committer.id().expect("it opens");
    let appended = thread::scope(|scope| {
        let append = |partition| {
            let committer = committer.clone();
            scope.spawn(move || {
                (0..50)
                    .map(|round| {
                        let records = vec![record(partition); 1 + round % 3];
                        let appended = committer.append(id, records).expect("it commits");
                        assert!(appended.records.iter().all(|of| of.partition == partition));
                        assert_eq!(appended.records.len(), appended.offsets.len());
                        appended.offsets
                    })
                    .collect::<Vec<_>>()
            })
        };
        let writers: Vec<_> = (0..PARTITIONS).map(append).collect();
        let join = |writer: thread::ScopedJoinHandle<'_, _>| writer.join().expect("no panic");
        writers
            .into_iter()
            .map(join)
            .collect::<Vec<Vec<Vec<i64>>>>()
    });
    for offsets in appended {
        let flat: Vec<i64> = offsets.into_iter().flatten().collect();
        let distinct: BTreeSet<i64> = flat.iter().copied().collect();
        assert_eq!(flat.len(), 100 - 1);
        assert!(distinct.iter().eq(flat.iter()), "in their order: {flat:?}");
    }
}

#[test]
fn what_waits_goes_in_one_transaction() {
    let log = log();
    let (mail, inbox) = crossbeam_channel::unbounded();
    let mut committing = Committing {
        log: log.clone(),
        inbox,
        open: None,
    };
    let id = committing.id().expect("it opens");
    let mut answers = Vec::new();
    for partition in 0..PARTITIONS {
        let (reply, answer) = crossbeam_channel::bounded(1);
        let append = Append {
            under: id,
            records: vec![record(partition)],
            reply,
        };
        mail.send(Mail::Append(append)).expect("it takes mail");
        answers.push(answer);
    }
    drop(mail);
    // The twin leaves one control record in each partition of a transaction, and fails whole transactions.
    log.inject_after(1, Fault::UnknownAborted);
    committing.run();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.recv(), Ok(Ok(_))))
    );
    assert_eq!(ends(&log), [2; 4]);
}

#[test]
fn a_failure_leaves_all_in_doubt_and_goes_on_under_another_id() {
    let log = log();
    let committer = Committer::start(&log);
    let id = committer.id().expect("it opens");
    log.inject([Fault::UnknownCommitted]);
    for _ in 0..2 {
        let failed = committer.append(id, vec![record(0)]);
        assert!(matches!(failed, Err(AppendError::Indefinite { .. })));
    }
    assert_eq!(ends(&log)[0], 2, "the second was not even tried");
    let next = committer.id().expect("it opens");
    assert_ne!(next, id);
    committer.append(next, vec![record(0)]).expect("it commits");
}

#[test]
fn a_fence_holds() {
    let log = log();
    let (theirs, ours) = (Committer::start(&log), Committer::start(&log));
    let id = theirs.id().expect("it opens");
    theirs.append(id, vec![record(0)]).expect("it commits");
    for _ in 0..2 {
        ours.fence(id).expect("it answers");
        let failed = theirs.append(id, vec![record(0)]);
        assert!(matches!(failed, Err(AppendError::Indefinite { .. })));
    }
    assert_eq!(ends(&log)[0], 2);
    for lane in Lane::BOTH {
        let opened = log.appender(&AppenderId::Committer(id, lane));
        assert!(opened.is_ok(), "a later one may fence once more");
    }
}
