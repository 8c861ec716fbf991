//! How a rebuild gets on: a bar on a terminal, log lines elsewhere, and a figure in the registry for the query API.

use std::{
    fmt,
    io::IsTerminal,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sqlx::PgConnection;

use super::Aside;
use crate::{
    Database, Projection,
    registry::{self, BuildProgress},
};

const BAR: &str = "{prefix} {bar:32} {percent:>3} %  {msg}";
const BAR_INTERVAL: Duration = Duration::from_millis(100);
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Who is told of the progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Show {
    /// A bar on stderr.
    Bar,
    /// A log line each second.
    Lines,
    /// Only the registry.
    #[default]
    Nothing,
}

impl Show {
    /// A bar where stderr is a terminal, lines elsewhere.
    #[must_use]
    pub fn detect() -> Self {
        match std::io::stderr().is_terminal() {
            true => Self::Bar,
            false => Self::Lines,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Filling,
    Verifying,
    Indexing,
    CatchingUp,
    Swapping,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Verifying => "verifying",
            Self::Indexing => "indexing",
            Self::CatchingUp => "catching up",
            Self::Swapping => "swapping",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Counts what all partitions have done.
#[derive(Debug, Default)]
pub(super) struct Meter {
    phase: Mutex<Phase>,
    /// Records to pass while filling, control records included: offsets are known beforehand, events are not.
    expected: AtomicU64,
    passed: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) rows: AtomicU64,
    /// How long it stood still for what is live.
    gave_way_ms: AtomicU64,
}

impl Meter {
    pub(super) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    pub(super) fn expect(&self, records: i64) {
        self.expected
            .fetch_add(records.unsigned_abs(), Ordering::Relaxed);
    }

    pub(super) fn passed(&self, records: i64, events: usize) {
        self.passed
            .fetch_add(records.unsigned_abs(), Ordering::Relaxed);
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(super) fn gave_way(&self, all_in_all: Duration) {
        let millis = u64::try_from(all_in_all.as_millis()).unwrap_or(u64::MAX);
        self.gave_way_ms.store(millis, Ordering::Relaxed);
    }

    fn look(&self) -> Look {
        Look {
            phase: *self.phase.lock().unwrap_or_else(PoisonError::into_inner),
            expected: self.expected.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            gave_way: Duration::from_millis(self.gave_way_ms.load(Ordering::Relaxed)),
        }
    }
}

/// A meter at one moment.
struct Look {
    phase: Phase,
    expected: u64,
    passed: u64,
    events: u64,
    gave_way: Duration,
}

impl Look {
    /// How long filling will take from here, at the pace so far.
    fn eta(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.expected.saturating_sub(self.passed);
        (self.passed > 0).then(|| elapsed.mul_f64(left as f64 / self.passed as f64))
    }
}

pub(super) fn show<P: Projection>(
    meter: Arc<Meter>,
    version: i32,
    database: Database,
    show: Show,
) -> Aside {
    Aside(tokio::spawn(async move {
        let bar = bar::<P>(show);
        let begun = Instant::now();
        let mut second = (begun, 0);
        let mut rate = 0.0;
        let mut registry = None;
        let mut ticks = tokio::time::interval(BAR_INTERVAL);
        loop {
            ticks.tick().await;
            let look = meter.look();
            let eta = look.eta(begun.elapsed());
            bar.set_length(look.expected.max(1));
            bar.set_position(look.passed);
            let left = eta.map_or_else(String::new, |eta| format!(", ETA {}", HumanDuration(eta)));
            let gave_way = match look.gave_way.as_secs() {
                0 => String::new(),
                seconds => format!(", gave way to live traffic for {seconds} s"),
            };
            bar.set_message(format!(
                "{}: {} events, {rate:.0}/s{left}{gave_way}",
                look.phase, look.events
            ));
            if second.0.elapsed() < LINE_INTERVAL {
                continue;
            }
            rate = (look.events - second.1) as f64 / second.0.elapsed().as_secs_f64();
            second = (Instant::now(), look.events);
            if show == Show::Lines {
                let eta_seconds = eta.map(|eta| eta.as_secs());
                tracing::info!(
                    projection = P::NAME, version, phase = %look.phase, events = look.events,
                    records = look.passed, of_records = look.expected, events_per_second = rate.round(), eta_seconds,
                    gave_way_seconds = look.gave_way.as_secs(), "rebuilding"
                );
            }
            let progress = BuildProgress {
                phase: look.phase.as_str(),
                events: look.events,
                records: look.passed,
                of_records: look.expected,
                events_per_second: rate,
                eta_seconds: eta.map(|eta| eta.as_secs()),
            };
            report::<P>(&database, &mut registry, version, progress).await;
        }
    }))
}

fn bar<P: Projection>(show: Show) -> ProgressBar {
    let target = match show {
        Show::Bar => ProgressDrawTarget::stderr(),
        Show::Lines | Show::Nothing => ProgressDrawTarget::hidden(),
    };
    let style =
        ProgressStyle::with_template(BAR).expect("the template is a constant that a test draws");
    ProgressBar::with_draw_target(None, target)
        .with_style(style)
        .with_prefix(P::NAME)
}

/// Figures for people: where they cannot be written, the rebuild itself will say why.
async fn report<P: Projection>(
    database: &Database,
    registry: &mut Option<PgConnection>,
    version: i32,
    progress: BuildProgress<'_>,
) {
    let labels = [
        ("projection", P::NAME.to_owned()),
        ("version", version.to_string()),
    ];
    metrics::gauge!("offset_zero_rebuild_records", &labels).set(progress.records as f64);
    metrics::gauge!("offset_zero_rebuild_of_records", &labels).set(progress.of_records as f64);
    metrics::gauge!("offset_zero_rebuild_events_per_second", &labels)
        .set(progress.events_per_second);
    if registry.is_none() {
        *registry = database.connect().await.ok();
    }
    let Some(connection) = registry else {
        return;
    };
    let reported = registry::report_progress(connection, P::NAME, version, progress);
    if reported.await.is_err() {
        *registry = None;
    }
}
