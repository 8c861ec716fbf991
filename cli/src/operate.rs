//! Commands on a system that runs: migrate, rebuild, look.

use anyhow::{Context, Result};
use event_store::kafka::KafkaLog;
use projectors::{
    Database,
    args::{DeadLettersCommand, ProjectionsCommand, RebuildArgs},
};
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::args::{Target, TopicsCommand};

/// Brings the database to the newest schema.
pub async fn migrate(target: &Target, json: bool) -> Result<()> {
    projectors::migrate(&target.database_url).await?;
    match json {
        true => println!("{}", json!({"migrated": true})),
        false => println!("the database has the newest schema"),
    }
    Ok(())
}

/// Rebuilds projections one after the other; answers whether a dry run has found that this would change them.
pub async fn rebuild(target: &Target, wanted: &RebuildArgs, json: bool) -> Result<bool> {
    let log = KafkaLog::connect(&target.kafka())?;
    let database = Database::new(&target.database_url)?;
    let print = |text: &str| println!("{text}");
    Ok(wanted.run(&log, &database, json, print).await?)
}

/// Does something to a projection.
pub async fn operate(target: &Target, command: ProjectionsCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka())?;
    let database = Database::new(&target.database_url)?;
    let done = command.run(&log, &database).await?;
    match json {
        true => println!("{}", json!({ "done": done })),
        false => println!("{done}"),
    }
    Ok(())
}

/// Does something with events that could not be applied.
pub async fn dead_letters(target: &Target, command: &DeadLettersCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka())?;
    let database = Database::new(&target.database_url)?;
    println!("{}", command.run(&log, &database, json).await?);
    Ok(())
}

/// A projection's version as people want to see it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct ProjectionRow {
    pub(crate) name: String,
    pub(crate) version: i32,
    shape: i32,
    pub(crate) state: String,
    pub(crate) lag: i64,
    events_per_second: f64,
    pub(crate) error: Option<String>,
    phase: Option<String>,
    records: i64,
    of_records: i64,
    eta_seconds: Option<i64>,
}

/// Every version of every projection.
pub(crate) async fn projection_rows(
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<ProjectionRow>> {
    sqlx::query_as(
        "select v.name, v.version, v.shape, v.state, v.error,
                case when v.state = 'live' then coalesce((
                        select sum((r.rates->>v.name)::double precision) from offset_zero.projectors r
                        where r.seen_at > now() - interval '3 seconds'), 0)
                    else v.events_per_second end as events_per_second,
                case when v.state = 'building' then v.phase end as phase, v.records, v.of_records, v.eta_seconds,
                coalesce(sum(greatest(c.end_offset - c.next_offset, 0)), 0)::bigint as lag
         from offset_zero.projection_versions v
         left join offset_zero.checkpoints c on c.name = v.name and c.version = v.version
         group by v.name, v.version
         order by v.name, v.version",
    )
    .fetch_all(connection)
    .await
}

/// Shows every version of every projection.
pub async fn projections(target: &Target, json: bool) -> Result<()> {
    let mut connection = PgConnection::connect(&target.database_url)
        .await
        .context("connecting to Postgres")?;
    let rows = projection_rows(&mut connection)
        .await
        .context("reading the projections (has `offset-zero migrate` been run?)")?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    println!(
        "{:<16} {:>7} {:>5}  {:<9} {:>10} {:>10}",
        "name", "version", "shape", "state", "lag", "events/s"
    );
    for row in rows {
        let ProjectionRow {
            name,
            version,
            shape,
            state,
            lag,
            events_per_second,
            error,
            phase,
            records,
            of_records,
            eta_seconds,
        } = row;
        println!(
            "{name:<16} {version:>7} {shape:>5}  {state:<9} {lag:>10} {events_per_second:>10.0}"
        );
        if let Some(phase) = phase {
            let eta = eta_seconds.map_or_else(String::new, |eta| format!(", {eta} s to go"));
            println!("    {phase}: {records} of {of_records} records{eta}");
        }
        if let Some(error) = error {
            println!("    {error}");
        }
    }
    Ok(())
}

/// Looks at the topics.
pub async fn topics(target: &Target, command: TopicsCommand, json: bool) -> Result<()> {
    match command {
        TopicsCommand::Check => {
            let log = KafkaLog::connect(&target.kafka())?;
            let specs = target.topic_specs();
            log.verify_topics(&specs).await?;
            match json {
                true => println!("{}", json!({"checked": specs.len(), "ok": true})),
                false => println!("{} topics are as they have to be", specs.len()),
            }
            Ok(())
        }
    }
}
