//! Logs to stderr, metrics for whoever scrapes `/metrics`.

use std::{io::IsTerminal, panic, thread, time::Duration};

use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// Upper bounds of the buckets of what is measured in seconds: from one commit's latency to a request's longest wait.
const BUCKETS_SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// A histogram whose name ends so.
const SECONDS: &str = "_seconds";
/// Of any other one, which counts: from one to as many as are done at once anywhere.
const BUCKETS_COUNTED: [f64; 10] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0,
];

/// Histograms keep each sample until they are drained, so someone has to, scraped or not.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(2);

/// Flags of every binary; flatten them into its own.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log: `info`, or by module `info,sqlx=warn,runtime=debug`.
    #[arg(
        long,
        env = "OFFSET_ZERO_LOG",
        default_value = "info,fjall=warn,lsm_tree=warn",
        value_name = "FILTER",
        value_parser = filter,
        global = true,
        help_heading = "Logging"
    )]
    pub log: String,

    /// How log lines look.
    #[arg(
        long,
        env = "OFFSET_ZERO_LOG_FORMAT",
        default_value = "text",
        global = true,
        help_heading = "Logging"
    )]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What [`init`] has set up.
#[derive(Debug, Clone)]
#[must_use]
pub struct Telemetry {
    /// For [`crate::http::app`].
    pub metrics: Metrics,
}

/// What `/metrics` shows. The default shows nothing, for routers in tests.
#[derive(Clone, Default)]
pub struct Metrics(Option<PrometheusHandle>);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log cannot be read.
    #[error("cannot read the log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// There is a logger already: it was called twice.
    #[error("cannot install the logger")]
    Logger(#[from] tracing_subscriber::util::TryInitError),
    /// There is a recorder already: it was called twice.
    #[error("cannot install the metrics recorder")]
    Recorder(#[from] BuildError),
    /// No thread to be had.
    #[error("cannot start the metrics thread")]
    Upkeep(#[from] std::io::Error),
}

/// Sets up the process's logger, panic hook and metrics; once in a process.
///
/// # Errors
/// When the filter is invalid, or it was called before.
pub fn init(service: &'static str, args: &LogArgs) -> Result<Telemetry, TelemetryError> {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(EnvFilter::try_new(&args.log)?);
    match args.log_format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    log_panics();

    let handle = exporter(service)?.install_recorder()?;
    let upkeep = handle.clone();
    thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                thread::sleep(UPKEEP_INTERVAL);
                upkeep.run_upkeep();
            }
        })?;
    tracing::info!(service, version = env!("CARGO_PKG_VERSION"), "starting");
    Ok(Telemetry {
        metrics: Metrics(Some(handle)),
    })
}

fn exporter(service: &'static str) -> Result<PrometheusBuilder, BuildError> {
    let seconds = Matcher::Suffix(SECONDS.to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets(&BUCKETS_COUNTED)?
        .set_buckets_for_metric(seconds, &BUCKETS_SECONDS)?
        .add_global_label("service", service))
}

/// A panic is a log line like any other, or JSON readers lose it; so it also has the span that it happens in.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("(not a string)");
        tracing::error!(message, location, "panicked");
    }));
}

impl Metrics {
    /// The text format that Prometheus scrapes.
    #[must_use]
    pub fn render(&self) -> String {
        self.0
            .as_ref()
            .map(PrometheusHandle::render)
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Metrics").field(&self.0.is_some()).finish()
    }
}

/// Refuses a filter at the command line rather than after it.
fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn panicking() {
        panic!("no such step");
    }

    #[test]
    fn a_panic_is_told_with_the_span_that_it_happens_in() {
        let lines = Lines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || written.clone())
            .finish();
        log_panics();
        let ended = tracing::subscriber::with_default(subscriber, || {
            panic::catch_unwind(|| {
                tracing::error_span!("reacting", event = "OrderEvents/3@17").in_scope(panicking);
            })
        });
        assert!(ended.is_err(), "it panics");
        let lines = lines.0.lock().unwrap();
        let told = String::from_utf8_lossy(&lines);
        let line = told.lines().find(|line| line.contains("no such step"));
        assert!(
            line.is_some_and(|line| line.contains("OrderEvents/3@17")),
            "{told}"
        );
    }

    #[test]
    fn refuses_a_second_call_and_renders_what_was_counted() {
        let args = LogArgs {
            log: "off".to_owned(),
            log_format: LogFormat::Json,
        };
        let telemetry = init("test", &args).expect("first call");
        metrics::counter!("things_total").increment(3);
        let text = telemetry.metrics.render();
        assert!(text.contains("things_total{service=\"test\"} 3"), "{text}");
        assert!(matches!(
            init("test", &args),
            Err(TelemetryError::Logger(_))
        ));
    }

    #[test]
    fn seconds_and_what_is_counted_have_buckets_of_their_own() {
        let recorder = exporter("test").expect("buckets").build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("commit_seconds").record(0.002);
            metrics::histogram!("batch_commands").record(700.0);
        });
        let text = recorder.handle().render();
        for line in [
            "commit_seconds_bucket{service=\"test\",le=\"0.001\"} 0",
            "commit_seconds_bucket{service=\"test\",le=\"0.0025\"} 1",
            "batch_commands_bucket{service=\"test\",le=\"500\"} 0",
            "batch_commands_bucket{service=\"test\",le=\"1000\"} 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn refuses_a_filter_that_is_none() {
        assert!(filter("info,sqlx=warn").is_ok());
        assert!(filter("sqlx=loud").is_err());
    }

    #[test]
    fn shows_nothing_without_a_recorder() {
        assert_eq!(Metrics::default().render(), "");
    }
}
