//! A group that has gone astray: it gives the partition to everybody who joins, and tells the earlier ones late. That safety
//! comes from fencing, and never from the group, has to hold even then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use event_store::{
    Checkpoint, LogError, StartAt,
    kafka::KafkaLog,
    log::{AppendError, AppenderId, Expelled, Handover, Log, Member, Membership},
};

/// Kafka's log, shared out by such a group.
#[derive(Clone)]
pub(crate) struct AstrayLog {
    pub(crate) log: KafkaLog,
    pub(crate) sight: Sight,
}

/// Until when one process is left to believe that the partition is its own. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Sight(Arc<Mutex<Option<Instant>>>);

impl Sight {
    /// It hears so much later that it has lost the partition.
    pub(crate) fn lose(&self, later: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + later);
    }

    fn is_lost(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until <= Instant::now())
    }
}

/// What one process believes.
pub(crate) struct AstrayMembership {
    handover: Box<dyn Fn(Handover) + Send + Sync>,
    sight: Sight,
    believes: Mutex<Belief>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    NothingYet,
    Owner,
    Lost,
}

impl Membership for AstrayMembership {
    fn tend(&self, duration: Duration) -> Result<(), Expelled> {
        let mut believes = self.believes.lock().unwrap_or_else(PoisonError::into_inner);
        match *believes {
            Belief::NothingYet => {
                (self.handover)(Handover::Granted(vec![0]));
                *believes = Belief::Owner;
            }
            Belief::Owner if self.sight.is_lost() => {
                (self.handover)(Handover::Lost(vec![0]));
                *believes = Belief::Lost;
            }
            Belief::Owner | Belief::Lost => std::thread::sleep(duration),
        }
        Ok(())
    }

    fn confirm(&self, _partition: i32) -> Result<(), LogError> {
        Ok(())
    }

    fn leave(&self) {}
}

impl Log for AstrayLog {
    type Appender = <KafkaLog as Log>::Appender;
    type Reader = <KafkaLog as Log>::Reader;
    type Membership = AstrayMembership;

    fn cluster_id(&self) -> Result<String, LogError> {
        self.log.cluster_id()
    }

    fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.log.partitions(topic)
    }

    fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, LogError> {
        self.log.end_offset(topic, partition)
    }

    fn offset_at(&self, topic: &str, partition: i32, time: DateTime<Utc>) -> Result<i64, LogError> {
        self.log.offset_at(topic, partition, time)
    }

    fn appender(&self, id: &AppenderId) -> Result<Self::Appender, AppendError> {
        self.log.appender(id)
    }

    fn reader(&self, from: &[StartAt]) -> Result<Self::Reader, LogError> {
        self.log.reader(from)
    }

    fn join(
        &self,
        _service: &'static str,
        _member: &Member,
        handover: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<AstrayMembership, LogError> {
        Ok(AstrayMembership {
            handover: Box::new(handover),
            sight: self.sight.clone(),
            believes: Mutex::new(Belief::NothingYet),
        })
    }

    fn committed(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Checkpoint>, LogError> {
        self.log.committed(group, topic, partition)
    }

    fn commit(&self, group: &str, places: &[Checkpoint]) -> Result<(), LogError> {
        self.log.commit(group, places)
    }
}
