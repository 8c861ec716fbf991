//! What was measured, as one text.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{
    journey::Journeys, log_speed::LogSpeed, placing::Placed, rebuild::Rebuilt, restart::Restarted,
};

/// Everything that one run measured.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: String,
    date: String,
    sections: Vec<Measured>,
}

/// One section.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    Placing(Placed),
    Restart(Restarted),
    Journeys(Journeys),
    Rebuild(Rebuilt),
    LogSpeed(LogSpeed),
}

impl Report {
    /// Of this machine and day.
    pub fn new(sections: Vec<Measured>) -> Self {
        Self {
            machine: machine(),
            date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
            sections,
        }
    }

    fn write(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(text, "# Benchmarks\n")?;
        writeln!(
            text,
            "Written by `offset-zero bench --out` on {}, {}. Kafka, Postgres, all services and the load generator share the machine, \
             so compare the ratios within this run, not the figures with those of another machine. One broker: \
             acknowledged means that it survives the kill of a process, not a power cut.\n",
            self.date, self.machine
        )?;
        for section in &self.sections {
            match section {
                Measured::Placing(measured) => measured.write(text),
                Measured::Restart(measured) => measured.write(text),
                Measured::Journeys(measured) => measured.write(text),
                Measured::Rebuild(measured) => measured.write(text),
                Measured::LogSpeed(measured) => measured.write(text),
            }?;
        }
        Ok(())
    }
}

/// As Markdown, for `docs/benchmarks.md`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
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
