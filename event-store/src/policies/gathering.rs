//! What has been read, and not yet reacted to.

use crate::{
    log::LogError,
    subscription::{Chunk, Chunks, next_chunk},
};

/// All that has come, a chunk at a time: for whoever takes as long for a few items as for many, and would fall behind.
pub(crate) struct Gathering<T> {
    chunks: Chunks<T>,
    /// What ended the reading, where what came before it was handed out first.
    failed: Option<LogError>,
}

impl<T> Gathering<T> {
    pub(crate) fn new(chunks: Chunks<T>) -> Self {
        Self {
            chunks,
            failed: None,
        }
    }

    /// What is there, so many items or a little more; waits where there is nothing.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Chunk<T>, LogError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let mut gathered = next_chunk(&mut self.chunks).await?;
        while gathered.items.len() < most
            && let Ok(next) = self.chunks.try_recv()
        {
            match next {
                Ok(next) => gathered.extend(next),
                Err(failed) => {
                    self.failed = Some(failed);
                    break;
                }
            }
        }
        Ok(gathered)
    }
}

impl<T> Chunk<T> {
    fn extend(&mut self, next: Self) {
        self.items.extend(next.items);
        self.progress.extend(next.progress);
        self.bytes += next.bytes;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::subscription::Progress;

    fn chunk(items: &[u32]) -> Chunk<u32> {
        let next_offset = items.last().map_or(0, |last| i64::from(*last) + 1);
        Chunk {
            items: items.to_vec(),
            progress: vec![Progress {
                topic: "OrderEvents".into(),
                partition: 0,
                next_offset,
            }],
            bytes: items.len(),
        }
    }

    #[tokio::test]
    async fn what_has_come_meanwhile_is_handed_out_together_and_before_what_ended_it() {
        let (chunks, received) = mpsc::channel(8);
        let lost = || LogError::Unavailable {
            attempted: "reading",
            reason: "the broker is gone".to_owned(),
        };
        for items in [&[1, 2][..], &[3], &[4, 5], &[6]] {
            chunks.send(Ok(chunk(items))).await.expect("there is room");
        }
        chunks.send(Err(lost())).await.expect("there is room");
        let mut gathering = Gathering::new(received);
        let first = gathering.next(4).await.expect("it was read");
        assert_eq!((first.items, first.bytes), (vec![1, 2, 3, 4, 5], 5));
        let reached: Vec<_> = first.progress.iter().map(|of| of.next_offset).collect();
        assert_eq!(reached, [3, 4, 6]);
        let last = gathering.next(4).await.expect("it was read");
        assert_eq!(last.items, [6]);
        let failed = gathering.next(4).await.err().map(|error| error.to_string());
        assert_eq!(failed, Some(lost().to_string()));
    }
}
