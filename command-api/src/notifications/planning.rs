//! What has happened becomes messages, from the service's beginning on.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    notification::{
        NotificationCommand, NotificationPolicy, NotificationPolicyEvent, Notifications, WebhookUrl,
    },
    policy::Cause,
};
use event_store::{Checkpoint, Doing, LogError, Position, Reactor, Recorded, log::Log};

/// Whose places in the log are the first that are news.
const BEGINNING: &str = "notification-beginning";

/// The notification service's policy, and since when it tells anybody.
#[derive(Debug, Clone)]
pub struct Planning {
    policy: NotificationPolicy,
    beginning: Beginning,
}

/// The first offset of each partition that is news. The service may come to a log that is years old; nobody wants to hear of
/// that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    first_news: BTreeMap<(&'static str, i32), i64>,
}

impl Planning {
    /// Tells customers, and these systems, of what happens after the beginning.
    #[must_use]
    pub const fn new(webhooks: Vec<WebhookUrl>, beginning: Beginning) -> Self {
        Self {
            policy: NotificationPolicy { webhooks },
            beginning,
        }
    }
}

impl Reactor for Planning {
    type Context = Notifications;
    type Event = NotificationPolicyEvent;

    const NAME: &'static str = "notification-planning";
    const TOPICS: &'static [&'static str] = NotificationPolicy::TOPICS;

    fn react(
        &self,
        recorded: &Recorded<NotificationPolicyEvent>,
        cause: Cause,
    ) -> Doing<NotificationCommand> {
        let is_news = self.beginning.is_before(&recorded.position);
        let occurred_at = recorded.metadata.time;
        Doing::Commands(
            self.policy
                .react(&recorded.event, occurred_at, is_news, cause),
        )
    }
}

impl Beginning {
    /// Where the service began. At its first start that is the end of the log, or, with `history`, offset zero; it is noted
    /// in the log before anything is read, and later starts find it there. Blocks.
    ///
    /// Brokers forget the places of groups that nobody has noted for long (a week, by default), so each start notes them
    /// again, and so does [`note`](Self::note). Where they are forgotten all the same, [`Planning`]'s own places stand for
    /// them: what is below is done, what is above came while the service was down.
    ///
    /// # Errors
    /// When the log cannot be reached; trying again is safe.
    pub fn establish(log: &impl Log, partitions: i32, history: bool) -> Result<Self, LogError> {
        let mut first_news = BTreeMap::new();
        let mut passed_over = 0;
        for topic in Planning::TOPICS {
            for partition in 0..partitions {
                let offset = match noted_in(log, topic, partition)? {
                    Some(offset) => offset,
                    None if history => 0,
                    None => {
                        let end = log.end_offset(topic, partition)?;
                        passed_over += end;
                        end
                    }
                };
                first_news.insert((*topic, partition), offset);
            }
        }
        let beginning = Self { first_news };
        beginning.note(log)?;
        if passed_over > 0 {
            tracing::warn!(
                records = passed_over,
                "since when customers are told is noted nowhere: they are told of what comes from now on"
            );
        }
        Ok(beginning)
    }

    /// Notes it again, to be done every few hours: it stays the same for ever. Blocks.
    ///
    /// # Errors
    /// When the log cannot be reached.
    pub fn note(&self, log: &impl Log) -> Result<(), LogError> {
        let places = self
            .first_news
            .iter()
            .map(|(&(topic, partition), &next_offset)| Checkpoint {
                topic: Arc::from(topic),
                partition,
                next_offset,
                proof: None,
            });
        log.commit(BEGINNING, &places.collect::<Vec<_>>())
    }

    fn is_before(&self, position: &Position) -> bool {
        let place = (position.topic.as_ref(), position.partition);
        let first = self.first_news.get(&place);
        first.is_none_or(|first| position.offset >= *first)
    }
}

/// Where the service began, or has come to since.
fn noted_in(log: &impl Log, topic: &str, partition: i32) -> Result<Option<i64>, LogError> {
    for group in [BEGINNING, Planning::NAME] {
        if let Some(noted) = log.committed(group, topic, partition)? {
            return Ok(Some(noted.next_offset));
        }
    }
    Ok(None)
}
