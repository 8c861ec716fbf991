//! One contract for every event store: the same promises, shown on the in-memory twin and on real Kafka.

mod counter;
mod kafka;
mod memory;
mod suite;

/// Runs every promise of the suite on a subject.
macro_rules! contract {
    ($subject:expr) => {
        contract!($subject;
            accepted_is_in_the_log,
            a_command_is_applied_once,
            rejections_append_nothing,
            races_have_one_order,
            a_dropped_call_is_carried_out,
            a_later_appender_fences,
            a_second_owner_takes_over,
            batches_keep_their_limits,
        );
    };
    ($subject:expr; $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                $crate::suite::$promise($subject.await).await;
            }
        )+
    };
}
pub(crate) use contract;
