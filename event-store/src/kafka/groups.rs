//! How far consumer groups have come, without being a member of one: who reads a partition is settled by its ownership.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::{KafkaConfig, unavailable};
use crate::{
    checkpoint::{Checkpoint, Proof},
    log::LogError,
};

/// How long a question about a group's offsets may take; the first one also finds the group's coordinator.
const GROUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one wait for a client's events may be; also how long a client may live on that nobody holds any more.
const HEAR_FOR: Duration = Duration::from_secs(1);

/// A client for each group, kept: librdkafka ties a client to its group for good.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, Arc<BaseConsumer>>>);

impl Groups {
    pub(super) fn committed(
        &self,
        config: &KafkaConfig,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Option<Checkpoint>, LogError> {
        let client = self.client(config, group)?;
        let mut places = TopicPartitionList::with_capacity(1);
        places.add_partition(&config.physical(topic), partition);
        let committed = client
            .committed_offsets(places, GROUP_TIMEOUT)
            .map_err(|error| unavailable("reading a group's offsets", &error))?;
        for place in committed.elements() {
            place
                .error()
                .map_err(|error| unavailable("reading a group's offsets", &error))?;
            if let Offset::Offset(offset) = place.offset() {
                return Ok(Some(Checkpoint {
                    topic: topic.into(),
                    partition,
                    next_offset: offset,
                    proof: Proof::parse(place.metadata()),
                }));
            }
        }
        Ok(None)
    }

    pub(super) fn commit(
        &self,
        config: &KafkaConfig,
        group: &str,
        places: &[Checkpoint],
    ) -> Result<(), LogError> {
        let client = self.client(config, group)?;
        let mut offsets = TopicPartitionList::with_capacity(places.len());
        for place in places {
            let topic = config.physical(&place.topic);
            let mut noted = offsets.add_partition(&topic, place.partition);
            noted
                .set_offset(Offset::Offset(place.next_offset))
                .map_err(|error| unavailable("committing a group's offsets", &error))?;
            if let Some(proof) = &place.proof {
                noted.set_metadata(proof.to_text());
            }
        }
        client
            .commit(&offsets, CommitMode::Sync)
            .map_err(|error| unavailable("committing a group's offsets", &error))
    }

    fn client(&self, config: &KafkaConfig, group: &str) -> Result<Arc<BaseConsumer>, LogError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let client: BaseConsumer = config
            .client()
            .set("group.id", config.physical(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A commit that finds no coordinator waits for this long.
            .set("session.timeout.ms", "6000")
            .create()
            .map_err(|error| unavailable("configuring a group's client", &error))?;
        let client = Arc::new(client);
        keep_hearing(&client)?;
        clients.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

/// Has the client's events heard on a thread of their own until it is dropped. While no broker is in reach there are some forty a second,
/// which nobody asks for, and which are kept until somebody has heard them.
fn keep_hearing(client: &Arc<BaseConsumer>) -> Result<(), LogError> {
    let client = Arc::downgrade(client);
    let hear = move || {
        while let Some(client) = client.upgrade() {
            // It has no partitions, so whatever comes is a complaint, and whoever asks hears of what is behind it.
            drop(client.poll(HEAR_FOR));
        }
    };
    let thread = thread::Builder::new().name("group-events".to_owned());
    let started = thread.spawn(hear).map(drop);
    started.map_err(|error| LogError::Unavailable {
        attempted: "starting to hear a group's client",
        reason: error.to_string(),
    })
}
