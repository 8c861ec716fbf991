//! Building a partition's state from its log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Context;

use crate::{
    codec::{self, Interned},
    log::{Log, LogError, RawRecord, Reader},
    streams::Streams,
    subscription::StartAt,
};

/// How long one wait for a record may be; between waits the position is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Reads one partition of the service's topics from offset zero to its high watermark.
///
/// The caller has fenced every other appender before, so what lies below the watermark is all that there will ever be
/// from them. `patience` bounds the wait for progress: a foreign open transaction holds committed records back until it
/// times out. Also answers where in each topic the reading ended.
pub(crate) fn rehydrate<C: Context, L: Log>(
    log: &L,
    partition: i32,
    partitions: i32,
    patience: Duration,
) -> Result<(Streams<C>, Vec<StartAt>), LogError> {
    let ends = C::TOPICS
        .iter()
        .map(|topic| Ok((*topic, partition, log.end_offset(topic, partition)?)))
        .collect::<Result<Vec<_>, LogError>>()?;
    let mut places: Vec<StartAt> = C::TOPICS
        .iter()
        .map(|topic| StartAt {
            topic: Arc::from(*topic),
            partition,
            next_offset: 0,
        })
        .collect();
    let mut reader = log.reader(&places)?;
    let mut streams = Streams::new(partitions);
    let mut interned = Interned::default();
    read_to(&mut reader, &ends, patience, |record| {
        let recorded = codec::decode::<C::Event>(record, &mut interned)?;
        streams
            .replay(&recorded)
            .map_err(|reason| LogError::Undecodable {
                topic: record.topic.to_owned(),
                partition: record.partition,
                offset: record.offset,
                reason,
            })
    })?;
    for place in &mut places {
        place.next_offset = reader.position(&place.topic, partition);
    }
    Ok((streams, places))
}

/// Shows every committed record below the given ends, `(topic, partition, end)`, to `visit`.
pub(crate) fn read_to<R: Reader>(
    reader: &mut R,
    ends: &[(&str, i32, i64)],
    patience: Duration,
    mut visit: impl FnMut(&RawRecord<'_>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let arrived = |reader: &R| {
        ends.iter()
            .all(|(topic, partition, end)| reader.position(topic, *partition) >= *end)
    };
    let mut last_progress = Instant::now();
    while !arrived(reader) {
        match reader.poll(POLL, &mut visit)? {
            Some(visited) => {
                visited?;
                last_progress = Instant::now();
            }
            None if last_progress.elapsed() > patience => {
                return Err(LogError::Unavailable {
                    attempted: "reading to the high watermark",
                    reason: stalled(reader, ends, patience),
                });
            }
            None => {}
        }
    }
    Ok(())
}

/// Where each partition that has not come to its end stands.
fn stalled<R: Reader>(reader: &R, ends: &[(&str, i32, i64)], patience: Duration) -> String {
    let behind = ends.iter().filter_map(|(topic, partition, end)| {
        let position = reader.position(topic, *partition);
        (position < *end).then(|| format!("; {topic}/{partition} at {position} of {end}"))
    });
    let behind: String = behind.collect();
    format!("no progress for {} s{behind}", patience.as_secs())
}
