//! What was measured, as a table.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{
    Pair, Placing, cqrs_es::CqrsEs, journey::Journeys, load::Measured, log_speed::LogSpeed,
    rebuild::Rebuilt,
};

/// Everything that one run measured.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: String,
    date: String,
    record_bytes: usize,
    raw_produced: f64,
    placed: Vec<Placed>,
    partitioned: Vec<InPartitions>,
    /// None where nothing but placing orders was measured.
    #[serde(flatten)]
    others: Option<Others>,
}

/// What is measured besides.
#[derive(Debug, Serialize)]
pub struct Others {
    pub rebuilt: Rebuilt,
    pub log_speed: LogSpeed,
    pub journeys: Journeys,
}

#[derive(Debug, Serialize)]
struct Placed {
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
            prototype: (&pair.prototype).into(),
        }
    }
}

/// Of one load.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl From<&Measured> for Figures {
    fn from(measured: &Measured) -> Self {
        Self {
            rate: measured.rate(),
            p50_ms: measured.latencies.quantile_ms(0.5),
            p99_ms: measured.latencies.quantile_ms(0.99),
        }
    }
}

impl Report {
    /// Takes down the figures, with machine and date.
    pub fn new(placing: Placing, others: Option<Others>) -> Self {
        let placed = placing.placed.into_iter().map(|(pair, cqrs_es)| Placed {
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
            machine: machine(),
            date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
            record_bytes: placing.record_bytes,
            raw_produced: placing.raw_produced,
            placed: placed.collect(),
            partitioned: partitioned.collect(),
            others,
        }
    }

    /// The table as Markdown, for `docs/benchmarks.md`.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_markdown(&mut text)
            .expect("writing to a string never fails");
        text
    }

    fn write_markdown(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "# Benchmarks\n")?;
        writeln!(
            text,
            "Written by `make bench` on {}, {}. Kafka, Postgres, all services and the load generator share the machine, \
             so compare the ratios within this run, not the figures with those of another machine. One broker: \
             acknowledged means that it survives the kill of a process, not a power cut.\n",
            self.date, self.machine
        )?;
        self.write_placed(text)?;
        self.write_partitioned(text)?;
        self.write_cqrs_es(text)?;
        match &self.others {
            Some(others) => others.write(text),
            None => Ok(()),
        }
    }

    fn write_placed(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "## Placing orders over HTTP\n")?;
        writeln!(
            text,
            "Durable: answered after the transaction has committed. The prototype is the same design bare: HTTP, JSON, a \
             writer a partition, one transaction a batch, and no code of ours: no validation, decision, state, deduplication \
             or headers. \
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
        for Placed {
            connections, both, ..
        } in &self.placed
        {
            for (what, figures) in both.named() {
                writeln!(
                    text,
                    "| {connections} | {what} | {:.0} | {:.1} ms | {:.1} ms | {:.2} | {:.3} |",
                    figures.rate,
                    figures.p50_ms,
                    figures.p99_ms,
                    figures.rate / both.prototype.rate,
                    figures.rate / self.raw_produced
                )?;
            }
        }
        Ok(())
    }

    /// The first number of partitions is what the others are compared with.
    fn write_partitioned(&self, text: &mut String) -> fmt::Result {
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
                    "| {partitions} | {what} | {:.0} | {:.1} ms | {:.1} ms | {:.2} | {:.2} |",
                    figures.rate,
                    figures.p50_ms,
                    figures.p99_ms,
                    figures.rate / both.prototype.rate,
                    figures.rate / least.rate
                )?;
            }
        }
        Ok(())
    }

    fn write_cqrs_es(&self, text: &mut String) -> fmt::Result {
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

impl Others {
    fn write(&self, text: &mut String) -> fmt::Result {
        self.write_journeys(text)?;
        self.write_rebuilt(text)?;
        self.rebuilt.lags.write(text)?;
        self.log_speed.write(text)
    }

    fn write_journeys(&self, text: &mut String) -> fmt::Result {
        let journeys = &self.journeys;
        writeln!(text, "\n## From cart to stock\n")?;
        writeln!(
            text,
            "From the checkout being sent to `OrderConfirmed` being readable (the order then awaits payment): six \
             transactions by three services, one after the other, all of them, the read side and this client on the \
             machine. One at a time: {:.0} ms median, {:.0} ms p90, {:.0} ms p99 of {}. At {} connections: {:.0} whole \
             journeys a second, from the first order placed to the last of {} confirmed.",
            journeys.p50_ms,
            journeys.p90_ms,
            journeys.p99_ms,
            journeys.single,
            journeys.connections,
            journeys.rate,
            journeys.many
        )?;
        writeln!(
            text,
            "\nAt steady rates of 15 s each, and how many were placed and not yet decided half way and at the end (kept up: no \
             more than came within the last second):\n\n\
             | orders/s | half way | at the end | kept up |\n|---:|---:|---:|---|"
        )?;
        for step in &journeys.steady {
            let kept_up = if step.is_kept_up() { "yes" } else { "no" };
            writeln!(
                text,
                "| {:.0} | {} | {} | {kept_up} |",
                step.rate, step.backlog_half, step.backlog_end
            )?;
        }
        let outage = &journeys.outage;
        writeln!(
            text,
            "\nProduct in a process of its own, {} checkouts with it and as many while it was dead, one at a time: {:.1} ms \
             median and {:.1} ms p99 with it, {:.1} ms and {:.1} ms without. {:.1} s after its restart began, all of them were \
             decided.",
            outage.checkouts,
            outage.usual.p50_ms,
            outage.usual.p99_ms,
            outage.without.p50_ms,
            outage.without.p99_ms,
            outage.made_good_seconds
        )
    }

    fn write_rebuilt(&self, text: &mut String) -> fmt::Result {
        let rebuilt = &self.rebuilt;
        let raw_seconds = rebuilt.raw_consume_seconds + rebuilt.raw_copy_seconds;
        writeln!(
            text,
            "\n## Rebuilding the order read model from offset zero\n"
        )?;
        writeln!(
            text,
            "{} orders placed and paid, {} events. The raw side reads the same records and looks at nothing, then \
             copies the same rows into a bare table. Both tables were compared row for row: {} rows differ. {} reads \
             of the query API meanwhile, none failed.\n",
            rebuilt.orders, rebuilt.events, rebuilt.rows_differing, rebuilt.reads_meanwhile
        )?;
        writeln!(
            text,
            "| what | events/s | seconds | of raw |\n|---|---:|---:|---:|"
        )?;
        writeln!(
            text,
            "| raw consumption | {:.0} | {:.2} | |",
            rebuilt.raw_consume_rate, rebuilt.raw_consume_seconds
        )?;
        writeln!(
            text,
            "| raw COPY of the rows | | {:.2} | |",
            rebuilt.raw_copy_seconds
        )?;
        let raw_rate = rebuilt.events as f64 / raw_seconds;
        writeln!(
            text,
            "| raw consumption, then COPY | {raw_rate:.0} | {raw_seconds:.2} | 1 |"
        )?;
        writeln!(
            text,
            "| rebuild, indexes and swap included | {:.0} | {:.2} | {:.2} |",
            rebuilt.rebuild_rate,
            rebuilt.rebuild_seconds,
            rebuilt.rebuild_rate / raw_rate
        )?;
        writeln!(text, "\n## Memory\n")?;
        writeln!(
            text,
            "The command API held {} open orders in {:.0} MiB of resident memory.",
            rebuilt.orders, rebuilt.writer_mib
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.markdown())
    }
}

/// Processor and cores, as far as they are known.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("an unknown processor", |model| {
        model.trim_start_matches([' ', '\t', ':'])
    });
    format!("{cores} cores of {model}")
}
