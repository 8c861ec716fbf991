//! What is parked, as it stands in the log.

use std::{sync::Arc, time::Duration};

use domain::ReadEvent;
use event_store::{
    BatchLimits, LogError, Position, RawEvent, Recorded, StartAt, Undecodable, log::Log,
};
use futures::{StreamExt, stream};

use super::DeadLetter;
use crate::{ProjectorError, log::ask};

/// An event is read within this, or the log is away.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Each is read by a consumer of its own.
pub(super) const READ_AT_ONCE: usize = 8;
/// Types are read of no more letters than these: under one key there may be any number, and each takes a consumer.
pub const NAMED_AT_MOST: usize = 100;

/// Has letters say of what type they are, as their records do, where that was not noted: the first [`NAMED_AT_MOST`] of those.
///
/// # Errors
/// When the log fails, or does not hold one of them any more; some may be named then.
pub async fn name_types<S: Log>(
    source: &S,
    letters: &mut [DeadLetter],
) -> Result<(), ProjectorError> {
    let mut reads = Vec::new();
    for (number, letter) in letters.iter().enumerate() {
        if reads.len() < NAMED_AT_MOST
            && letter.event_type.is_none()
            && let Ok(at) = letter.position.parse::<Position>()
        {
            reads.push(read_type(source, number, at));
        }
    }
    let mut reads = stream::iter(reads).buffer_unordered(READ_AT_ONCE);
    while let Some(read) = reads.next().await {
        let (number, event_type) = read?;
        letters[number].event_type = event_type;
    }
    Ok(())
}

/// That of the letter of this number.
async fn read_type<S: Log>(
    source: &S,
    number: usize,
    at: Position,
) -> Result<(usize, Option<String>), ProjectorError> {
    let event_type = match read::<RawEvent, S>(source, at).await? {
        Ok(event) => Some(event.event.name),
        Err(undecodable) => undecodable.event_type,
    };
    Ok((number, event_type.map(String::from)))
}

/// The event that stands there, lifted to what it is today; else why it is none.
pub(super) async fn read<E: ReadEvent, S: Log>(
    source: &S,
    at: Position,
) -> Result<Result<Recorded<E>, Undecodable>, ProjectorError> {
    let from = StartAt {
        topic: Arc::clone(&at.topic),
        partition: at.partition,
        next_offset: at.offset,
    };
    let limits = BatchLimits {
        max_events: 1,
        ..BatchLimits::default()
    };
    let mut subscription =
        ask(source, move |source| source.subscribe::<E>(&[from], limits)).await?;
    let batch = tokio::time::timeout(READ_WITHIN, subscription.next_batch()).await;
    let batch = batch.map_err(|_| LogError::Unavailable {
        attempted: "reading a dead letter",
        reason: "nothing came".to_owned(),
    })??;
    let undecodable = batch.undecodable.into_iter().next();
    if let Some(undecodable) = undecodable.filter(|of| of.position == at) {
        return Ok(Err(undecodable));
    }
    let event = batch.events.into_iter().next();
    match event.filter(|event| event.position == at) {
        Some(event) => Ok(Ok(event)),
        None => Err(LogError::OffsetLost {
            topic: at.topic.to_string(),
            partition: at.partition,
            offset: at.offset,
        }
        .into()),
    }
}
