//! `offset-zero projections`: how every version of every projection gets on.

use std::{fmt, time::Duration};

use anyhow::{Result, anyhow};
use projectors::{Obstacle, address};
use serde::Serialize;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::output;

/// A Postgres that has not answered within this is taken for away.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// SQLSTATE `undefined_table`, `undefined_column` and `invalid_schema_name`.
const NOT_MIGRATED: [&str; 3] = ["42P01", "42703", "3F000"];
/// Whoever feeds a version shows it once a second; one that nobody has fed for so long is fed by nobody.
pub(crate) const UNFED_SECONDS: f64 = 10.0;
/// Whoever builds a version notes its pace once a second; one that was noted longer ago than this is nobody's any more.
const PACE_SECONDS: f64 = 15.0;

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
    /// Since when its progress stands still, of a version on its way that nobody builds; none of any other.
    pub(crate) unbuilt_seconds: Option<f64>,
    /// What its rebuild began with, as `--from` takes it.
    #[serde(skip)]
    rebuilt_from: String,
}

impl ProjectionRow {
    /// Whether readers have it.
    pub(crate) fn is_live(&self) -> bool {
        self.fed_seconds_ago.is_some()
    }

    /// The rebuild that goes on with it.
    pub(crate) fn rebuild(&self) -> String {
        let Self {
            name, rebuilt_from, ..
        } = self;
        match rebuilt_from.as_str() {
            "ZERO" => format!("offset-zero rebuild {name}"),
            from => format!("offset-zero rebuild {name} --from {from}"),
        }
    }
}

/// Why the rows could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Its address cannot be read.
    Unnamed(sqlx::Error),
    /// Postgres cannot be reached.
    Away {
        /// Host, port and database.
        address: String,
        error: sqlx::Error,
    },
    /// It takes connections, and had not answered after so long.
    Silent {
        /// Host, port and database.
        address: String,
        within: Duration,
    },
    /// It refused the question.
    Refused(sqlx::Error),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed(error) => write!(f, "postgres {}: {error}", Obstacle::of(error)),
            Self::Away { address, error } => {
                write!(f, "postgres at {address} {}: {error}", Obstacle::of(error))
            }
            Self::Silent { address, within } => {
                let silent = Obstacle::Silent { within: *within };
                write!(f, "postgres at {address} {silent}")
            }
            Self::Refused(error) => write!(f, "reading the projections: {error}"),
        }
    }
}

impl Unread {
    /// What to do.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Unnamed(error) | Self::Away { error, .. } => Obstacle::of(error).remedy(),
            Self::Silent { within, .. } => Obstacle::Silent { within: *within }.remedy(),
            Self::Refused(sqlx::Error::Database(refused)) => remedy_of(refused.code().as_deref()),
            Self::Refused(_) => remedy_of(None),
        }
    }
}

/// What to do where Postgres has refused a question with that SQLSTATE.
fn remedy_of(code: Option<&str>) -> &'static str {
    match code.is_some_and(|code| NOT_MIGRATED.contains(&code)) {
        true => "type: offset-zero migrate",
        false => "see Postgres and its log for why, then look again",
    }
}

/// Every version of every projection, if Postgres answers within that time.
pub(crate) async fn rows(
    database_url: &str,
    within: Duration,
) -> Result<Vec<ProjectionRow>, Unread> {
    let options: PgConnectOptions = database_url.parse().map_err(Unread::Unnamed)?;
    let address = address(&options);
    let read = async {
        let connected = PgConnection::connect_with(&options).await;
        let mut connection = connected.map_err(|error| Unread::Away {
            address: address.clone(),
            error,
        })?;
        select(&mut connection).await.map_err(Unread::Refused)
    };
    match timeout(within, read).await {
        Ok(read) => read,
        Err(_) => Err(Unread::Silent { address, within }),
    }
}

async fn select(connection: &mut PgConnection) -> sqlx::Result<Vec<ProjectionRow>> {
    sqlx::query_as(
        "with rebuilt as materialized (
                select l.objid from pg_locks l
                where l.locktype = 'advisory' and l.granted and l.classid = hashtext('offset_zero.rebuild')::oid
                    and l.database = (select d.oid from pg_database d where d.datname = current_database())
         )
         select v.name, v.version, v.shape, v.state, v.error,
                v.version = p.live_version and p.paused as paused,
                case when v.state = 'live' then coalesce((
                        select sum((r.rates->>v.name)::double precision) from offset_zero.projectors r
                        where r.seen_at > now() - interval '3 seconds'), 0)
                    when v.updated_at > now() - make_interval(secs => $1) then v.events_per_second
                    else 0 end as events_per_second,
                case when v.state = 'building' then v.phase end as phase, v.records, v.of_records,
                case when v.updated_at > now() - make_interval(secs => $1) then v.eta_seconds end as eta_seconds,
                case when v.state in ('building', 'ready')
                        and not exists (select from rebuilt where rebuilt.objid = hashtext(v.name)::oid)
                    then extract(epoch from clock_timestamp() - v.updated_at)::double precision end as unbuilt_seconds,
                split_part(v.rebuilt_from, ' by ', 1) as rebuilt_from,
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
    .bind(PACE_SECONDS)
    .fetch_all(connection)
    .await
}

/// Shows every version of every projection.
pub async fn print(database_url: &str, json: bool) -> Result<()> {
    let rows = rows(database_url, ANSWER_TIMEOUT)
        .await
        .map_err(|unread| anyhow!("{unread}; {}", unread.remedy()))?;
    if json {
        return output::print(format_args!("{}", serde_json::to_string_pretty(&rows)?));
    }
    output::print(format_args!(
        "{:<16} {:>7} {:>5}  {:<9} {:>10} {:>10}",
        "name", "version", "shape", "state", "lag", "events/s"
    ))?;
    rows.iter().try_for_each(print_row)
}

fn print_row(row: &ProjectionRow) -> Result<()> {
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
        unbuilt_seconds,
        rebuilt_from: _,
    } = row;
    output::print(format_args!(
        "{name:<16} {version:>7} {shape:>5}  {state:<9} {lag:>10} {events_per_second:>10.0}"
    ))?;
    if let Some(phase) = phase {
        let eta = eta_seconds.filter(|_| unbuilt_seconds.is_none());
        let eta = eta.map_or_else(String::new, |eta| format!(", {eta} s to go"));
        output::print(format_args!(
            "    {phase}: {records} of {of_records} records{eta}"
        ))?;
    }
    if let Some(seconds) = unbuilt_seconds {
        output::print(format_args!(
            "    built by nobody for {seconds:.0} s; the same rebuild again goes on with it: {}",
            row.rebuild()
        ))?;
    }
    if *paused {
        output::print(format_args!("    paused"))?;
    } else if let Some(seconds) = fed_seconds_ago.filter(|seconds| *seconds > UNFED_SECONDS) {
        output::print(format_args!(
            "    fed by nobody for {seconds:.0} s, and the lag is as old"
        ))?;
    }
    if *dead_letters > 0 {
        output::print(format_args!("    {dead_letters} events are parked"))?;
    }
    if let Some(error) = error {
        output::print(format_args!("    {}", output::printable(error)))?;
    }
    Ok(())
}

#[cfg(test)]
impl ProjectionRow {
    /// A live version that is fed, and so far behind.
    pub(crate) fn live(name: &str, version: i32, lag: i64) -> Self {
        Self {
            name: name.to_owned(),
            version,
            shape: 1,
            state: "live".to_owned(),
            paused: false,
            lag,
            fed_seconds_ago: Some(0.5),
            dead_letters: 0,
            events_per_second: 0.0,
            error: None,
            phase: None,
            records: 0,
            of_records: 0,
            eta_seconds: None,
            unbuilt_seconds: None,
            rebuilt_from: "ZERO".to_owned(),
        }
    }

    /// A version on its way that was built so long ago.
    pub(crate) fn unbuilt(name: &str, version: i32, seconds: f64) -> Self {
        Self {
            state: "building".to_owned(),
            fed_seconds_ago: None,
            unbuilt_seconds: Some(seconds),
            ..Self::live(name, version, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rebuild_that_goes_on_is_the_one_that_began() {
        let mut row = ProjectionRow::unbuilt("history", 2, 20.0);
        assert_eq!(row.rebuild(), "offset-zero rebuild history");
        row.rebuilt_from = "OrderEvents/3@17".to_owned();
        let expected = "offset-zero rebuild history --from OrderEvents/3@17";
        assert_eq!(row.rebuild(), expected);
    }

    #[test]
    fn migrations_are_the_remedy_only_where_a_table_a_column_or_the_schema_is_missing() {
        let migrates = |code| remedy_of(code).contains("migrate");
        for code in ["42P01", "42703", "3F000"] {
            assert!(migrates(Some(code)), "{code}");
        }
        // Permission denied, too many connections, shutting down, and what comes from no server.
        for code in [Some("42501"), Some("53300"), Some("57P01"), None] {
            assert!(!migrates(code), "{code:?}");
        }
    }
}
