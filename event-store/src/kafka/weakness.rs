//! Partitions that are there, and cannot be written to just now.

use rdkafka::metadata::MetadataTopic;

use super::{
    KafkaLog,
    topics::{TopicSpec, all_metadata},
};
use crate::log::LogError;

impl KafkaLog {
    /// What keeps partitions of these topics from being written to just now, one by one. No reason to refuse a start, which may be what
    /// is waited for; topics that are missing are told by [`verify_topics`](Self::verify_topics).
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn weaknesses(&self, specs: &[TopicSpec]) -> Result<Vec<String>, LogError> {
        let config = &self.shared.config;
        let metadata = all_metadata(&self.shared).await?;
        let mut found = Vec::new();
        for spec in specs {
            let name = config.physical(spec.name);
            let needed = spec.durability.min_in_sync();
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            for partition in topic.into_iter().flat_map(MetadataTopic::partitions) {
                let weakness = weakness(partition.leader(), partition.isr().len(), needed);
                found.extend(weakness.map(|why| format!("{name}/{} {why}", partition.id())));
            }
        }
        Ok(found)
    }
}

/// What a partition lacks with that leader, by its broker's id, and so many replicas in sync.
fn weakness(leader: i32, in_sync: usize, needed: usize) -> Option<String> {
    // Brokers have ids from 0; -1 stands for none.
    if leader < 0 {
        return Some("has no leader".to_owned());
    }
    let is_weak = in_sync < needed;
    is_weak.then(|| format!("has {in_sync} replicas in sync where {needed} are needed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Durability;

    #[test]
    fn a_partition_is_weak_without_a_leader_or_with_fewer_replicas_in_sync_than_needed() {
        let told = |leader, in_sync, replication| {
            let durability = Durability { replication };
            weakness(leader, in_sync, durability.min_in_sync())
        };
        assert_eq!(told(0, 1, 1), None);
        assert_eq!(told(0, 2, 3), None);
        let no_leader = "has no leader";
        assert_eq!(told(-1, 3, 3).as_deref(), Some(no_leader));
        assert_eq!(told(-1, 0, 1).as_deref(), Some(no_leader));
        assert_eq!(
            told(0, 1, 3).as_deref(),
            Some("has 1 replicas in sync where 2 are needed")
        );
    }
}
