//! Where the log ends, asked by many at once.
//!
//! One question is under way at a time, and all who came before it was put share its answer: however many there are, the
//! log is asked no more often than it answers.

use std::{sync::Arc, time::Instant};

use tokio::sync::Mutex;
use tracing::debug;

use crate::{envelope::Position, log::LogError};

type Ask = dyn Fn() -> Result<Vec<Position>, LogError> + Send + Sync;

pub(super) struct Ends {
    ask: Arc<Ask>,
    last: Arc<Mutex<Question>>,
}

/// The last question.
#[derive(Default)]
struct Question {
    /// None where there was none yet.
    put_at: Option<Instant>,
    /// None where the log could not tell.
    answer: Option<Arc<[Position]>>,
}

impl Ends {
    /// To be asked like this, which may block.
    pub(super) fn new(
        ask: impl Fn() -> Result<Vec<Position>, LogError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask: Arc::new(ask),
            last: Arc::default(),
        }
    }

    /// The last position of every partition, as of a moment after this was called; none where the log cannot tell.
    pub(super) async fn now(&self) -> Option<Arc<[Position]>> {
        let came_at = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if last.put_at.is_some_and(|put_at| put_at > came_at) {
            return last.answer.clone();
        }
        let ask = Arc::clone(&self.ask);
        // The question takes the lock along, so that no other is put beside it even where whoever put it has gone.
        let asked = tokio::task::spawn_blocking(move || {
            let put_at = Some(Instant::now());
            let answer: Option<Arc<[Position]>> = match ask() {
                Ok(ends) => Some(ends.into()),
                Err(error) => {
                    debug!(%error, "cannot tell where the log ends");
                    None
                }
            };
            *last = Question {
                put_at,
                answer: answer.clone(),
            };
            answer
        });
        asked.await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// The answer to the question of that number.
    fn answer(number: i64) -> Vec<Position> {
        vec![Position {
            topic: "ProductEvents".into(),
            partition: 0,
            offset: number,
        }]
    }

    #[tokio::test]
    async fn all_who_came_before_a_question_share_its_answer() {
        let (answers, awaited) = crossbeam_channel::unbounded();
        let questions = Arc::new(AtomicI64::new(0));
        let counted = Arc::clone(&questions);
        let ends = Arc::new(Ends::new(move || {
            let number = counted.fetch_add(1, Ordering::AcqRel) + 1;
            awaited.recv().expect("an answer is given");
            Ok(answer(number))
        }));
        let first = tokio::spawn({
            let ends = Arc::clone(&ends);
            async move { ends.now().await }
        });
        while questions.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        // Whoever has put it goes away: it is under way all the same.
        first.abort();
        assert!(first.await.is_err());

        // Those come while it is, so it may not know what they have seen.
        let answering = async {
            answers.send(()).expect("a question is under way");
            answers.send(()).expect("another will be");
        };
        let (one, two, three, ()) = tokio::join!(ends.now(), ends.now(), ends.now(), answering);
        for answered in [one, two, three] {
            assert_eq!(answered.as_deref(), Some(&*answer(2)));
        }
        assert_eq!(questions.load(Ordering::Acquire), 2);
    }

    #[tokio::test]
    async fn where_the_log_cannot_tell_it_is_asked_again() {
        let questions = AtomicI64::new(0);
        let ends = Ends::new(move || match questions.fetch_add(1, Ordering::AcqRel) {
            0 => Err(LogError::Unavailable {
                attempted: "reading the end offset",
                reason: "out of reach".to_owned(),
            }),
            number => Ok(answer(number)),
        });
        assert_eq!(ends.now().await, None);
        assert_eq!(ends.now().await.as_deref(), Some(&*answer(1)));
    }
}
