//! Connections to Kafka break in every way that they can, owners take over in the middle of it, and every answer agrees
//! with the log all the same.
//!
//! `OFFSET_ZERO_CHAOS_RUNS` (100) seeds are run, from `OFFSET_ZERO_CHAOS_SEED` (drawn, and printed) on, so many of them
//! at once: `OFFSET_ZERO_CHAOS_PARALLEL` (24).

mod astray;
mod cluster;
mod history;
mod plan;
mod run;
mod seats;
mod stray;

use std::{collections::BTreeMap, env, str::FromStr, sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::JoinSet};

use self::{
    cluster::Cluster,
    run::{Outcome, run},
};

const RUNS: u64 = 100;
const PARALLEL: usize = 24;
/// Each run has topics of its own, and a small broker bears only so many of them.
const RUNS_PER_CLUSTER: usize = 200;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    let value = env::var(name).ok();
    value.map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {value:?}"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_every_answer_agrees_with_the_log() {
    let base = setting("OFFSET_ZERO_CHAOS_SEED", fastrand::u64(..1 << 32));
    let runs = setting("OFFSET_ZERO_CHAOS_RUNS", RUNS);
    let parallel = setting("OFFSET_ZERO_CHAOS_PARALLEL", PARALLEL);
    println!("OFFSET_ZERO_CHAOS_SEED={base} OFFSET_ZERO_CHAOS_RUNS={runs}");
    let begun = Instant::now();
    let mut tally = Tally::default();
    let seeds: Vec<u64> = (base..base + runs).collect();
    for seeds in seeds.chunks(RUNS_PER_CLUSTER) {
        run_all(seeds, parallel, &mut tally).await;
    }
    println!("{runs} runs in {:.0?}: {tally:#?}", begun.elapsed());
    assert!(
        tally.wrong.is_empty(),
        "seeds that went wrong: {:?}",
        tally.wrong
    );
    // A single seed need not have all of them.
    if runs >= RUNS {
        for api in ["EndTxn", "Produce", "AddPartitionsToTxn", "InitProducerId"] {
            let met = tally.strikes.keys().any(|strike| strike.starts_with(api));
            assert!(met, "no {api} has met a fault");
        }
    }
}

/// Runs these seeds on a cluster of their own, so many at a time.
async fn run_all(seeds: &[u64], parallel: usize, tally: &mut Tally) {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await;
    let cluster = Arc::new(cluster.expect("the cluster starts"));
    let room = Arc::new(Semaphore::new(parallel));
    let mut running = JoinSet::new();
    for seed in seeds.iter().copied() {
        let (cluster, room) = (Arc::clone(&cluster), Arc::clone(&room));
        running.spawn(async move {
            let _place = room.acquire_owned().await.expect("it is never closed");
            run(cluster, seed).await
        });
    }
    while let Some(outcome) = running.join_next().await {
        tally.add(&outcome.expect("a run does not panic"));
    }
}

/// What all runs have come to.
#[derive(Debug, Default)]
struct Tally {
    takeovers: usize,
    interleaved: usize,
    answers: BTreeMap<&'static str, usize>,
    strikes: BTreeMap<String, usize>,
    wrong: Vec<u64>,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        let Outcome {
            plan,
            attempts,
            strikes,
            log,
            wrong,
        } = outcome;
        self.takeovers += plan.owners.len() - 1;
        self.interleaved += usize::from(plan.is_interleaved());
        for attempt in attempts {
            *self.answers.entry(run::kind(&attempt.answer)).or_default() += 1;
        }
        for strike in strikes {
            let fault = &strike.fault;
            *self
                .strikes
                .entry(format!("{} {}", fault.api, fault.action.name()))
                .or_default() += 1;
        }
        let Some(wrong) = wrong else { return };
        self.wrong.push(plan.seed);
        println!("seed {}: {wrong}", plan.seed);
        if self.wrong.len() == 1 {
            println!("{plan:#?}\n{strikes:#?}\n{log:#?}");
            let begun = attempts.iter().map(|attempt| attempt.sent).min();
            for attempt in attempts {
                println!("{}", attempt.told(begun.expect("there is one")));
            }
        }
    }
}
