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
    stage: Mutex<Stage>,
    /// To pass while filling, control records included: offsets are known beforehand, events are not.
    pub(super) records: Work,
    /// Of both versions' tables, to go through while verifying.
    pub(super) blocks: Work,
    pub(super) events: AtomicU64,
    pub(super) rows: AtomicU64,
    /// How long it stood still for what is live.
    gave_way_ms: AtomicU64,
}

/// Where a phase began, from which its pace is reckoned.
#[derive(Debug, Clone, Copy)]
struct Stage {
    phase: Phase,
    begun: Instant,
    /// What was done of its work before.
    before: u64,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            phase: Phase::default(),
            begun: Instant::now(),
            before: 0,
        }
    }
}

/// What is known beforehand to be done, and how much of it is.
#[derive(Debug, Default)]
pub(super) struct Work {
    expected: AtomicU64,
    done: AtomicU64,
}

impl Work {
    pub(super) fn expect(&self, amount: i64) {
        self.expected
            .fetch_add(amount.unsigned_abs(), Ordering::Relaxed);
    }

    pub(super) fn done(&self, amount: i64) {
        self.done
            .fetch_add(amount.unsigned_abs(), Ordering::Relaxed);
    }

    fn look(&self) -> Done {
        Done {
            expected: self.expected.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
        }
    }
}

impl Meter {
    pub(super) fn enter(&self, phase: Phase) {
        let stage = Stage {
            phase,
            begun: Instant::now(),
            before: self.work(phase).look().done,
        };
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// What a phase is measured by.
    fn work(&self, phase: Phase) -> &Work {
        match phase {
            Phase::Verifying => &self.blocks,
            Phase::Filling | Phase::Indexing | Phase::CatchingUp | Phase::Swapping => &self.records,
        }
    }

    pub(super) fn passed(&self, records: i64, events: usize) {
        self.records.done(records);
        self.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    pub(super) fn gave_way(&self, all_in_all: Duration) {
        let millis = u64::try_from(all_in_all.as_millis()).unwrap_or(u64::MAX);
        self.gave_way_ms.store(millis, Ordering::Relaxed);
    }

    /// Whether it ever stood still for what is live.
    pub(super) fn has_given_way(&self) -> bool {
        self.gave_way_ms.load(Ordering::Relaxed) > 0
    }

    fn look(&self) -> Look {
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        Look {
            stage,
            work: self.work(stage.phase).look(),
            records: self.records.look(),
            events: self.events.load(Ordering::Relaxed),
            gave_way: Duration::from_millis(self.gave_way_ms.load(Ordering::Relaxed)),
        }
    }
}

/// Work at one moment.
#[derive(Debug, Clone, Copy)]
struct Done {
    expected: u64,
    done: u64,
}

/// A meter at one moment.
struct Look {
    stage: Stage,
    /// Of the phase.
    work: Done,
    records: Done,
    events: u64,
    gave_way: Duration,
}

impl Look {
    /// How long the phase will take from here, at its pace so far; none where that is not known.
    fn eta(&self) -> Option<Duration> {
        let Done { expected, done } = self.work;
        let since = done.saturating_sub(self.stage.before);
        let is_measured = matches!(self.stage.phase, Phase::Filling | Phase::Verifying);
        let left = expected.saturating_sub(done) as f64;
        let elapsed = self.stage.begun.elapsed();
        (is_measured && since > 0).then(|| elapsed.mul_f64(left / since as f64))
    }

    /// For people.
    fn message(&self, rate: f64) -> String {
        let phase = self.stage.phase;
        let left = self
            .eta()
            .map_or_else(String::new, |eta| format!(", ETA {}", HumanDuration(eta)));
        let gave_way = match self.gave_way.as_secs() {
            0 => String::new(),
            seconds => format!(", gave way to live traffic for {seconds} s"),
        };
        format!(
            "{phase}: {} events, {rate:.0}/s{left}{gave_way}",
            self.events
        )
    }
}

/// Of a version that is being built; of a dry run, which builds none, nothing is in the registry.
pub(super) fn show<P: Projection>(
    meter: Arc<Meter>,
    version: Option<i32>,
    database: Database,
    show: Show,
) -> Aside {
    Aside(tokio::spawn(async move {
        let bar = bar::<P>(show);
        let doing = match version {
            Some(_) => "rebuilding",
            None => "dry run",
        };
        let mut second = (Instant::now(), 0);
        let mut rate = 0.0;
        let mut registry = None;
        let mut ticks = tokio::time::interval(BAR_INTERVAL);
        loop {
            ticks.tick().await;
            let look = meter.look();
            bar.set_length(look.work.expected.max(1));
            bar.set_position(look.work.done);
            bar.set_message(look.message(rate));
            if second.0.elapsed() < LINE_INTERVAL {
                continue;
            }
            rate = (look.events - second.1) as f64 / second.0.elapsed().as_secs_f64();
            second = (Instant::now(), look.events);
            let phase = look.stage.phase;
            let eta_seconds = look.eta().map(|eta| eta.as_secs());
            let Done { expected, done } = look.records;
            if show == Show::Lines {
                let phase_percent = 100 * look.work.done / look.work.expected.max(1);
                tracing::info!(
                    projection = P::NAME, version, %phase, phase_percent, events = look.events,
                    records = done, of_records = expected, events_per_second = rate.round(), eta_seconds,
                    gave_way_seconds = look.gave_way.as_secs(), "{doing}"
                );
            }
            let Some(version) = version else {
                continue;
            };
            let progress = BuildProgress {
                phase: phase.as_str(),
                events: look.events,
                records: done,
                of_records: expected,
                events_per_second: rate,
                eta_seconds,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn after(meter: &Meter, elapsed: Duration) -> Look {
        let mut look = meter.look();
        look.stage.begun = Instant::now().checked_sub(elapsed).expect("not at boot");
        look
    }

    fn eta_seconds(look: &Look) -> Option<f64> {
        look.eta().map(|eta| eta.as_secs_f64().round())
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn each_phase_is_reckoned_by_its_own_work() {
        let meter = Meter::default();
        meter.records.expect(1_000);
        assert_eq!(eta_seconds(&after(&meter, TEN)), None, "no pace yet");
        meter.passed(800, 700);
        let filling = after(&meter, TEN);
        assert_eq!(eta_seconds(&filling), Some(3.0), "200 at 80 a second");
        assert!(
            filling
                .message(70.0)
                .starts_with("filling: 700 events, 70/s, ETA ")
        );

        meter.enter(Phase::Verifying);
        meter.blocks.expect(64);
        assert_eq!(eta_seconds(&after(&meter, TEN)), None);
        meter.blocks.done(16);
        let verifying = after(&meter, TEN);
        assert_eq!((verifying.work.done, verifying.work.expected), (16, 64));
        assert_eq!(verifying.records.done, 800);
        assert_eq!(eta_seconds(&verifying), Some(30.0));

        // What comes after is no faster for what was done before.
        meter.enter(Phase::Filling);
        assert_eq!(eta_seconds(&after(&meter, TEN)), None);
        meter.passed(50, 50);
        assert_eq!(eta_seconds(&after(&meter, TEN)), Some(30.0));

        meter.enter(Phase::Indexing);
        assert_eq!(eta_seconds(&after(&meter, TEN)), None, "nobody knows");
    }
}
