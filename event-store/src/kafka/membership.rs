//! A member of a classic consumer group that consumes nothing: the group only says who has which partition.
//!
//! It subscribes to the topic of owners, which has as many partitions as every other, and pauses what it is given. (Groups by
//! KIP-848 cannot be used: librdkafka is given no word there before a partition is taken away.)

use std::time::{Duration, Instant};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::RDKafkaErrorCode,
    topic_partition_list::TopicPartitionListElem,
};
use tracing::{debug, warn};

use super::{KafkaConfig, unavailable};
use crate::{
    log::{Expelled, Handover, LogError, Member, Membership},
    ownership::OWNERSHIP_TOPIC,
};

/// Members hear that the group is being shared out anew from the answer to a heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Longer than any handover; a process that does not poll for so long is stuck, and out.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(60);
/// librdkafka's own five minutes are too long for a partition that nobody has.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long giving everything back may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A membership in a consumer group.
pub struct KafkaMembership {
    consumer: BaseConsumer<Handovers>,
    topic: String,
}

impl KafkaMembership {
    pub(super) fn join(
        config: &KafkaConfig,
        service: &str,
        member: &Member,
        handover: Box<dyn Fn(Handover) + Send + Sync>,
    ) -> Result<Self, LogError> {
        let mut client = config.client();
        let heartbeat = HEARTBEAT.min(member.session_timeout / 3);
        client
            .set("group.id", format!("{}writers.{service}", config.namespace))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", milliseconds(member.session_timeout))
            .set("heartbeat.interval.ms", milliseconds(heartbeat))
            .set(
                "max.poll.interval.ms",
                milliseconds(MAX_POLL_INTERVAL.max(member.session_timeout)),
            )
            // Whoever leads the group shares out the partitions that he knows of; should he have joined before he knew them
            // all, this is how soon he looks again.
            .set(
                "topic.metadata.refresh.interval.ms",
                milliseconds(LOOK_AGAIN),
            )
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        if let Some(name) = &member.name {
            client.set("group.instance.id", name);
        }
        let consumer: BaseConsumer<Handovers> = client
            .create_with_context(Handovers(handover))
            .map_err(|error| unavailable("configuring a group's member", &error))?;
        let topic = config.physical(OWNERSHIP_TOPIC);
        consumer
            .subscribe(&[&topic])
            .map_err(|error| unavailable("joining a group", &error))?;
        Ok(Self { consumer, topic })
    }
}

impl Membership for KafkaMembership {
    fn tend(&self, duration: Duration) -> Result<(), Expelled> {
        // A record may have been fetched before its partition was paused; errors that pass are librdkafka's to mend.
        if let Some(Err(error)) = self.consumer.poll(duration) {
            debug!(%error, "group member");
        }
        match self.consumer.client().fatal_error() {
            Some((RDKafkaErrorCode::FencedInstanceId, _)) => Err(Expelled::Replaced),
            Some((code, reason)) => Err(Expelled::Broken(format!("{code}: {reason}"))),
            None => Ok(()),
        }
    }

    fn confirm(&self, partition: i32) -> Result<(), LogError> {
        let attempted = "confirming our part in the group";
        let mut place = TopicPartitionList::with_capacity(1);
        // Which offset does not matter: that a member of the present generation commits it does.
        place
            .add_partition_offset(&self.topic, partition, Offset::Offset(0))
            .map_err(|error| unavailable(attempted, &error))?;
        self.consumer
            .commit(&place, CommitMode::Sync)
            .map_err(|error| unavailable(attempted, &error))?;
        // The group takes it from any member; that the partition is ours only we know.
        let ours = self.consumer.assignment();
        let ours = ours.map_err(|error| unavailable(attempted, &error))?;
        match ours.find_partition(&self.topic, partition) {
            Some(_) => Ok(()),
            None => Err(LogError::Unavailable {
                attempted,
                reason: "the partition is another's".to_owned(),
            }),
        }
    }

    fn leave(&self) {
        // Closing alone would not have a member with a name leave.
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_TIMEOUT;
        let has_some = || {
            self.consumer
                .assignment()
                .is_ok_and(|assignment| assignment.count() > 0)
        };
        while has_some() && Instant::now() < deadline {
            drop(self.consumer.poll(Duration::from_millis(10)));
        }
    }
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// Passes on what the group decides.
struct Handovers(Box<dyn Fn(Handover) + Send + Sync>);

impl ClientContext for Handovers {}

impl ConsumerContext for Handovers {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(places) = rebalance {
            let partitions = partitions_of(places);
            (self.0)(if consumer.assignment_lost() {
                Handover::Lost(partitions)
            } else {
                Handover::Revoked(partitions)
            });
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(places) => {
                if let Err(error) = consumer.pause(places) {
                    warn!(%error, "cannot pause, so records are fetched in vain");
                }
                (self.0)(Handover::Granted(partitions_of(places)));
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => warn!(%error, "the group could not be shared out"),
        }
    }
}

fn partitions_of(places: &TopicPartitionList) -> Vec<i32> {
    places
        .elements()
        .iter()
        .map(TopicPartitionListElem::partition)
        .collect()
}
