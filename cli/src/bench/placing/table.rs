//! What placing orders measured, as tables.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{Placing, cqrs_es::CqrsEs};
use crate::bench::load::{Figures, Pair};

/// All of it.
#[derive(Debug, Serialize)]
pub struct Placed {
    record_bytes: usize,
    raw_produced: f64,
    placed: Vec<AtConnections>,
    partitioned: Vec<InPartitions>,
}

#[derive(Debug, Serialize)]
struct AtConnections {
    connections: usize,
    #[serde(flatten)]
    both: Both,
    cqrs_es: Option<CqrsEs>,
}

#[derive(Debug, Serialize)]
struct InPartitions {
    partitions: i32,
    connections: usize,
    #[serde(flatten)]
    both: Both,
}

#[derive(Debug, Serialize)]
struct Both {
    ours: Figures,
    prototype: Figures,
}

impl Both {
    fn named(&self) -> [(&'static str, &Figures); 2] {
        [("place-order", &self.ours), ("prototype", &self.prototype)]
    }
}

impl From<&Pair> for Both {
    fn from(pair: &Pair) -> Self {
        Self {
            ours: (&pair.ours).into(),
            prototype: (&pair.other).into(),
        }
    }
}

impl From<Placing> for Placed {
    fn from(placing: Placing) -> Self {
        let placed = placing
            .placed
            .into_iter()
            .map(|(pair, cqrs_es)| AtConnections {
                connections: pair.ours.connections,
                both: (&pair).into(),
                cqrs_es,
            });
        let partitioned = placing.partitioned.iter().map(|measured| InPartitions {
            partitions: measured.partitions,
            connections: measured.pair.ours.connections,
            both: (&measured.pair).into(),
        });
        Self {
            record_bytes: placing.record_bytes,
            raw_produced: placing.raw_produced,
            placed: placed.collect(),
            partitioned: partitioned.collect(),
        }
    }
}

impl Placed {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        self.write_placed(text)?;
        self.write_partitioned(text)?;
        self.write_cqrs_es(text)
    }

    fn write_placed(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(text, "## Placing orders over HTTP\n")?;
        writeln!(
            text,
            "Durable: answered after the transaction has committed. The prototype is the same design bare: HTTP, JSON, a \
             writer a partition, one compressed transaction a batch, and no code of ours: no validation, decision, state, \
             deduplication or headers. \
             The two were measured in turn; the read side was stopped. One idempotent producer with `acks=all`, without \
             HTTP, JSON or transactions, took {:.0} messages of {} bytes a second (about the size of an `OrderPlaced` \
             with its headers).\n",
            self.raw_produced, self.record_bytes
        )?;
        writeln!(
            text,
            "| connections | what | a second | p50 | p99 | of the prototype | of the raw producer |\n\
             |---:|---|---:|---:|---:|---:|---:|"
        )?;
        for AtConnections {
            connections, both, ..
        } in &self.placed
        {
            for (what, figures) in both.named() {
                writeln!(
                    text,
                    "| {connections} | {what} | {figures} | {:.2} | {:.3} |",
                    figures.rate / both.prototype.rate,
                    figures.rate / self.raw_produced
                )?;
            }
        }
        Ok(())
    }

    /// The first number of partitions is what the others are compared with.
    fn write_partitioned(&self, text: &mut dyn Write) -> fmt::Result {
        let Some(first) = self.partitioned.first() else {
            return Ok(());
        };
        writeln!(text, "\n## Few partitions and many\n")?;
        writeln!(
            text,
            "The same at {} connections, each number of partitions with topics and processes of its own.\n",
            first.connections
        )?;
        writeln!(
            text,
            "| partitions | what | a second | p50 | p99 | of the prototype | of itself with {} |\n\
             |---:|---|---:|---:|---:|---:|---:|",
            first.partitions
        )?;
        for InPartitions {
            partitions, both, ..
        } in &self.partitioned
        {
            for ((what, figures), (_, least)) in both.named().into_iter().zip(first.both.named()) {
                writeln!(
                    text,
                    "| {partitions} | {what} | {figures} | {:.2} | {:.2} |",
                    figures.rate / both.prototype.rate,
                    figures.rate / least.rate
                )?;
            }
        }
        Ok(())
    }

    fn write_cqrs_es(&self, text: &mut dyn Write) -> fmt::Result {
        let measured = || {
            let placed = self.placed.iter();
            placed.filter_map(|placed| Some((&placed.both.ours, placed.cqrs_es.as_ref()?)))
        };
        let Some((_, first)) = measured().next() else {
            return Ok(());
        };
        writeln!(text, "\n## The same commands through cqrs-es\n")?;
        writeln!(
            text,
            "The crate `cqrs-es` with its Postgres store, {} connections to this run's Postgres, which syncs each commit to \
             its disk; Kafka leaves that to the system. In process, without HTTP, deduplication or metadata: the same \
             command, decision and event. With a view, a row is written in a second transaction after each \
             command's own; our read side is not in the figures beside it. The rate of place-order is the one above.\n",
            first.pool
        )?;
        writeln!(
            text,
            "| in flight | what | a second | p50 | p99 | place-order takes so many times as many |\n\
             |---:|---|---:|---:|---:|---:|"
        )?;
        for (ours, cqrs_es) in measured() {
            for (what, commands) in [
                ("cqrs-es", &cqrs_es.without_view),
                ("cqrs-es with a view", &cqrs_es.with_view),
            ] {
                writeln!(
                    text,
                    "| {} | {what} | {:.0} | {:.1} ms | {:.1} ms | {:.1} |",
                    cqrs_es.concurrency,
                    commands.commands_per_second,
                    commands.p50_ms,
                    commands.p99_ms,
                    ours.rate / commands.commands_per_second
                )?;
            }
        }
        Ok(())
    }
}
