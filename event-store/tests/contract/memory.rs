//! The twin keeps the contract, and every answer agrees with the log whatever happens to the outcomes of appends.

use domain::ReadEvent;
use event_store::{
    BatchLimits, Refusal, StartAt, Subscription,
    memory::{Fault, MemoryLog},
};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use uuid::Uuid;

use crate::{
    contract,
    counter::{COUNTER_EVENTS, LIMIT},
    desk::{DESK_EVENTS, TICKET_EVENTS},
    suite::{Subject, all_events, request, stop, store},
};

pub(crate) struct Memory(MemoryLog);

impl Subject for Memory {
    type Log = MemoryLog;

    fn log(&self) -> &MemoryLog {
        &self.0
    }

    fn subscribe<E: ReadEvent>(
        &self,
        from: &[StartAt],
        limits: BatchLimits,
    ) -> Box<dyn Subscription<E>> {
        self.0.subscribe(from, limits).expect("the log subscribes")
    }
}

async fn fresh() -> Memory {
    let topics = [COUNTER_EVENTS, DESK_EVENTS, TICKET_EVENTS];
    Memory(MemoryLog::new(&topics, 2))
}

contract!(fresh());

proptest! {
    #![proptest_config(Config::with_cases(64))]

    /// Outcomes that are not told, in any order: what was answered `Ok` is in the log once, what was rejected is not,
    /// and a client never has to learn of it.
    #[test]
    fn unknown_outcomes_are_resolved_from_the_log(
        amounts in vec(0..4_u32, 1..12),
        faults in vec(prop_oneof![Just(Fault::UnknownCommitted), Just(Fault::UnknownAborted)], 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let memory = fresh().await;
            let store = store(&memory.0).await;
            let counter = Uuid::now_v7();
            memory.0.inject(faults);
            let mut expected = 0;
            for amount in amounts {
                match store.execute(request(counter, amount)).await {
                    Ok(accepted) => {
                        expected += amount;
                        assert!(!accepted.replayed);
                        assert_eq!(accepted.status, expected);
                    }
                    Err(Refusal::Rejected(_)) => assert!(expected + amount > LIMIT),
                    // A takeover itself may have met a fault.
                    Err(Refusal::Unavailable { .. }) => {}
                    Err(Refusal::OutcomeUnknown { .. }) => {
                        expected = u32::try_from(all_events(&memory).await.len()).expect("small");
                    }
                    Err(Refusal::KeyReused) => panic!("every command has an id of its own"),
                }
            }
            stop(store).await;
            assert_eq!(all_events(&memory).await.len(), expected as usize);
        });
    }
}
