//! `offset-zero projections`: how every version of every projection gets on.

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

/// Whoever feeds a version shows it once a second; one that nobody has fed for so long is fed by nobody.
pub(crate) const UNFED_SECONDS: f64 = 10.0;

/// A version as people want to see it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct ProjectionRow {
    pub(crate) name: String,
    pub(crate) version: i32,
    shape: i32,
    pub(crate) state: String,
    /// Whether it is live, and an operator has halted the projection.
    pub(crate) paused: bool,
    /// How many records are yet to come, as its projector last knew.
    pub(crate) lag: i64,
    /// When that was, of the partition where it was longest ago; none of a version that is not live.
    pub(crate) fed_seconds_ago: Option<f64>,
    /// Events that were set aside.
    pub(crate) dead_letters: i64,
    events_per_second: f64,
    pub(crate) error: Option<String>,
    phase: Option<String>,
    records: i64,
    of_records: i64,
    eta_seconds: Option<i64>,
}

/// Every version of every projection.
pub(crate) async fn rows(connection: &mut PgConnection) -> sqlx::Result<Vec<ProjectionRow>> {
    sqlx::query_as(
        "select v.name, v.version, v.shape, v.state, v.error,
                v.version = p.live_version and p.paused as paused,
                case when v.state = 'live' then coalesce((
                        select sum((r.rates->>v.name)::double precision) from offset_zero.projectors r
                        where r.seen_at > now() - interval '3 seconds'), 0)
                    else v.events_per_second end as events_per_second,
                case when v.state = 'building' then v.phase end as phase, v.records, v.of_records, v.eta_seconds,
                coalesce(sum(greatest(c.end_offset - c.next_offset, 0)), 0)::bigint as lag,
                case when v.version = p.live_version
                    then extract(epoch from clock_timestamp() - min(c.updated_at))::double precision end as fed_seconds_ago,
                (select count(*) from offset_zero.dead_letters d where d.name = v.name and d.version = v.version) as dead_letters
         from offset_zero.projections p
         join offset_zero.projection_versions v on v.name = p.name
         left join offset_zero.checkpoints c on c.name = v.name and c.version = v.version
         group by v.name, v.version, p.name
         order by v.name, v.version",
    )
    .fetch_all(connection)
    .await
}

/// Shows every version of every projection.
pub async fn print(database_url: &str, json: bool) -> Result<()> {
    let mut connection = PgConnection::connect(database_url)
        .await
        .context("connecting to Postgres")?;
    let rows = rows(&mut connection)
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
    for row in &rows {
        print_row(row);
    }
    Ok(())
}

fn print_row(row: &ProjectionRow) {
    let ProjectionRow {
        name,
        version,
        shape,
        state,
        paused,
        lag,
        fed_seconds_ago,
        dead_letters,
        events_per_second,
        error,
        phase,
        records,
        of_records,
        eta_seconds,
    } = row;
    println!("{name:<16} {version:>7} {shape:>5}  {state:<9} {lag:>10} {events_per_second:>10.0}");
    if let Some(phase) = phase {
        let eta = eta_seconds.map_or_else(String::new, |eta| format!(", {eta} s to go"));
        println!("    {phase}: {records} of {of_records} records{eta}");
    }
    if *paused {
        println!("    paused");
    } else if let Some(seconds) = fed_seconds_ago.filter(|seconds| *seconds > UNFED_SECONDS) {
        println!("    fed by nobody for {seconds:.0} s, and the lag is as old");
    }
    if *dead_letters > 0 {
        println!("    {dead_letters} events are parked");
    }
    if let Some(error) = error {
        println!("    {error}");
    }
}
