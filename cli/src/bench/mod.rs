//! `offset-zero bench`: the whole system on this machine, beside what Kafka and Postgres do on it without us.
//!
//! Everything is measured in one run, since machines differ and shared ones are noisy: the ratios are what to compare.

mod bare_reads;
mod journey;
mod lag;
mod load;
mod log_speed;
mod made_up;
mod memory;
mod orders;
mod placing;
mod prototype;
mod raw;
mod reads;
mod rebuild;
mod report;
mod restart;

use std::path::Path;

use anyhow::{Context, Result, bail};
use dev::{deployment::Server, process::Output, services::Service, stack::StackOptions};
use domain::topics::ORDER_EVENTS;
use runtime::shutdown;

use self::report::{Measured, Report};
use crate::{
    args::{BenchOptions, Section, Target},
    output::print,
    site::Site,
    stopping,
};

/// The topic whose events the read side is measured on.
const MEASURED_TOPIC: &str = ORDER_EVENTS;

/// Runs the benchmarks, one after the other, and prints what they measured.
pub async fn run(options: &BenchOptions, asked: &Target, json: bool) -> Result<()> {
    let unheeded = ["namespace", "partitions", "replication_factor"];
    asked.given.refuse(&unheeded)?;
    if cfg!(debug_assertions) && !options.smoke {
        bail!("benchmarks of a debug build mean nothing: run `make bench`");
    }
    let wanted = options.sections();
    if wanted.contains(&Section::Placing) {
        placing::find_cqrs_es()?;
    }
    let stop = shutdown::signal()?;
    let sections = tokio::select! {
        measured = measure_all(wanted, options, asked) => measured?,
        () = stop => stopping::at_once(),
    };
    let report = Report::new(sections);
    let printed = match json {
        true => print(format_args!("{}", serde_json::to_string_pretty(&report)?)),
        false => print(format_args!("{report}")),
    };
    if let Some(path) = &options.out {
        std::fs::write(path, report.to_string())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    printed
}

async fn measure_all(
    wanted: Vec<Section>,
    options: &BenchOptions,
    asked: &Target,
) -> Result<Vec<Measured>> {
    let mut sections = Vec::with_capacity(wanted.len());
    for section in wanted {
        sections.push(measure(section, options, asked).await?);
    }
    Ok(sections)
}

/// On Kafka and Postgres alone, of which nothing else uses the same part.
async fn on_a_stack<T>(asked: &Target, measure: impl AsyncFnOnce(&Site) -> Result<T>) -> Result<T> {
    let asked = asked.clone();
    let start = move || Site::start(StackOptions::benchmark(), &asked);
    let site = tokio::task::spawn_blocking(start).await??;
    let measured = measure(&site).await;
    let stopped = tokio::task::spawn_blocking(move || site.stop()).await?;
    // What has failed first says more.
    let measured = measured?;
    stopped?;
    Ok(measured)
}

async fn measure(section: Section, options: &BenchOptions, asked: &Target) -> Result<Measured> {
    let seconds = options.seconds;
    Ok(match section {
        Section::Placing => Measured::Placing(placing::measure(asked, seconds).await?),
        Section::Restart => Measured::Restart(restart::measure(asked, options.finished).await?),
        Section::Journeys => Measured::Journeys(journey::measure(asked).await?),
        Section::Rebuild => {
            let warm_up = match options.smoke {
                true => seconds,
                false => lag::WARM_UP_SECONDS,
            };
            Measured::Rebuild(rebuild::measure(asked, options.orders, seconds, warm_up).await?)
        }
        Section::LogSpeed => {
            Measured::LogSpeed(log_speed::measure(asked, options.made_up, seconds).await?)
        }
    })
}

/// What is measured beside the system: this program as something else, ready on a port of its own, with its log in that folder.
fn start_beside(
    what: &str,
    flags: &[&str],
    variable: Option<(&str, &str)>,
    folder: &Path,
) -> Result<Server> {
    let port = dev::ports::free()?;
    let (flag, number) = (format!("--{what}"), port.to_string());
    let arguments = [&["bench", &flag, &number], flags].concat();
    let log = Output::File(folder.join(format!("{what}-{port}.log")));
    let server = Server {
        service: Service::spawn("offset-zero", arguments, variable, log)?,
        url: format!("http://127.0.0.1:{port}"),
    };
    server.wait_ready()?;
    Ok(server)
}

/// Is the prototype that is measured beside the system.
pub async fn prototype(target: &Target, port: u16) -> Result<()> {
    prototype::serve(target.kafka.config(), target.partitions, port).await
}

/// Is the bare select that is measured beside the query API.
pub async fn bare_reads(target: &Target, schema: &str, port: u16) -> Result<()> {
    bare_reads::serve(&target.database_url, schema, port).await
}
