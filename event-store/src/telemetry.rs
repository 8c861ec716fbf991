//! What a writer tells the operator.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::log::WriterId;

/// The measures of one partition's writer.
pub(crate) struct WriterMetrics {
    commands: Counter,
    events: Counter,
    commit_seconds: Histogram,
    batch_commands: Histogram,
    /// Tenures that ended otherwise than by a stop.
    pub(crate) lost: Counter,
}

impl WriterMetrics {
    pub(crate) fn new(id: &WriterId) -> Self {
        let labels = [
            ("service", id.service.to_owned()),
            ("partition", id.partition.to_string()),
        ];
        Self {
            commands: metrics::counter!("offset_zero_writer_commands_total", &labels),
            events: metrics::counter!("offset_zero_writer_records_total", &labels),
            commit_seconds: metrics::histogram!("offset_zero_writer_commit_seconds", &labels),
            batch_commands: metrics::histogram!("offset_zero_writer_batch_commands", &labels),
            lost: metrics::counter!("offset_zero_writer_tenures_lost_total", &labels),
        }
    }

    pub(crate) fn committed(&self, commands: usize, records: usize, elapsed: Duration) {
        self.commands.increment(commands as u64);
        self.events.increment(records as u64);
        self.commit_seconds.record(elapsed);
        self.batch_commands
            .record(u32::try_from(commands).unwrap_or(u32::MAX));
    }
}

/// The measures of a policy in one partition.
pub(crate) struct PolicyMetrics {
    /// Events read.
    pub(crate) events: Counter,
    /// Commands carried out.
    pub(crate) commands: Counter,
    /// Commands tried again, each time.
    pub(crate) retries: Counter,
    /// Commands refused for good.
    pub(crate) rejections: Counter,
}

impl PolicyMetrics {
    pub(crate) fn new(policy: &'static str, partition: i32) -> Self {
        let labels = policy_labels(policy, partition);
        Self {
            events: metrics::counter!("offset_zero_policy_events_total", &labels),
            commands: metrics::counter!("offset_zero_policy_commands_total", &labels),
            retries: metrics::counter!("offset_zero_policy_retries_total", &labels),
            rejections: metrics::counter!("offset_zero_policy_rejections_total", &labels),
        }
    }
}

/// Records that a policy has yet to pass in one partition.
pub(crate) fn policy_lag(policy: &'static str, partition: i32) -> Gauge {
    let labels = policy_labels(policy, partition);
    metrics::gauge!("offset_zero_policy_lag_records", &labels)
}

fn policy_labels(policy: &'static str, partition: i32) -> [(&'static str, String); 2] {
    [
        ("policy", policy.to_owned()),
        ("partition", partition.to_string()),
    ]
}
