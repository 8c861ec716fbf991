//! One contract for every event store: the same promises, shown on the in-memory twin and on real Kafka.

mod auditing;
mod checkpoints;
mod counter;
mod deadlines;
mod desk;
mod expecting;
mod kafka;
mod lagging;
mod limits;
mod memory;
mod owning;
mod restart;
mod several;
mod sharing;
mod subscribing;
mod suite;

/// Runs every promise of the suite on a subject.
macro_rules! contract {
    ($subject:expr) => {
        contract!($subject; suite;
            accepted_is_in_the_log,
            a_command_is_applied_once,
            rejections_append_nothing,
            races_have_one_order,
            a_dropped_call_is_carried_out,
            a_time_has_an_offset,
            many_ends_are_asked_for_at_once,
        );
        contract!($subject; subscribing;
            batches_keep_their_limits,
            what_comes_one_by_one_is_gathered,
        );
        contract!($subject; expecting;
            an_expected_version_is_kept_to,
            one_of_those_that_expect_the_same_wins,
        );
        contract!($subject; auditing;
            an_audit_finds_nothing_in_what_was_written,
        );
        contract!($subject; checkpoints;
            a_policy_goes_on_in_the_log_that_it_has_read,
            a_policy_stops_in_another_log,
            a_policy_stops_at_a_topic_created_anew,
        );
        contract!($subject; owning;
            a_later_appender_fences,
            of_interleaved_takeovers_one_owns,
            partitions_are_shared,
            a_command_finds_the_owner,
            a_process_of_the_same_name_takes_over,
            a_fenced_owner_takes_over_anew,
        );
        contract!($subject; sharing;
            only_who_has_a_partition_is_confirmed,
        );
        contract!($subject; deadlines;
            a_deadline_passes_once,
            what_lies_in_the_log_comes_before_a_deadline,
        );
        contract!($subject; several;
            what_another_service_opens_is_found,
            what_is_decided_anew_has_events_of_its_own,
            a_message_changes_no_state,
            a_policy_reacts_once,
            a_policy_whose_place_is_lost_stops,
            so_many_commands_are_remembered,
            a_replica_follows,
        );
        contract!($subject; restart;
            a_restart_reads_only_the_tail,
            what_was_not_written_is_read_again,
            a_store_that_is_gone_is_built_anew,
            a_store_of_another_shape_is_thrown_away,
            a_deadline_survives_a_restart,
            what_others_opened_meanwhile_is_found,
            a_folder_in_use_is_left_alone,
            a_standby_reads_only_the_tail,
        );
        contract!($subject, $subject; restart;
            a_store_of_another_topic_is_thrown_away,
        );
    };
    ($($subject:expr),+; $suite:ident; $promise:ident, $($more:ident,)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            $crate::$suite::$promise($($subject.await),+).await;
        }
        contract!($($subject),+; $suite; $($more,)*);
    };
    ($($subject:expr),+; $suite:ident;) => {};
}
pub(crate) use contract;
