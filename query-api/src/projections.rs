//! `GET /v1/projections`: how far every projection has come.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use runtime::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    database::{Database, detached, of_registry},
    min_position::MinPosition,
};

/// One version of a projection: the live one, or one on its way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projection {
    /// What it is called, e.g. `orders`.
    name: String,
    /// Grows with every rebuild.
    version: i32,
    /// `live` (it serves reads), `building`, `ready` (to be swapped in), `failed`, or `diverged` (it holds another log than the one
    /// that is there now).
    #[schema(example = "live")]
    state: String,
    /// The last position of each partition that the rows hold, e.g. `OrderEvents/3@1234`.
    positions: Vec<String>,
    /// Whether an operator has halted the projection: its live version stays as it is.
    paused: bool,
    /// How many records are still to be read, of all partitions, as of `measured_at`.
    lag: i64,
    /// Once a second while somebody feeds it; of the partition where it was longest ago. Where it stays behind, nobody does. Null where the
    /// version is not live.
    #[schema(required)]
    measured_at: Option<DateTime<Utc>>,
    /// Measured by its projector, or by its rebuild; 0 where that is more than 15 seconds ago, such as of one that was killed.
    events_per_second: f64,
    /// Events that were set aside.
    dead_letters: i64,
    /// How its building gets on; null where it is not being built.
    #[schema(required)]
    progress: Option<Progress>,
}

/// How a rebuild gets on, as of a second ago; of one that was killed, as of then.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// `filling`, `verifying`, `indexing`, `catching up` or `swapping`.
    #[schema(example = "filling")]
    phase: String,
    /// Applied so far.
    events: i64,
    /// Records passed, those included that only end transactions.
    records: i64,
    /// Records to pass.
    of_records: i64,
    /// How long the phase will take from here, at its pace so far; null where that is not known, or was more than 15 seconds ago.
    #[schema(required)]
    eta_seconds: Option<i64>,
}

/// All of them; there is never a next page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projections {
    items: Vec<Projection>,
    /// Always null.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Lists the live version of every projection, and those that are being built or have failed.
#[utoipa::path(
    get,
    path = "/v1/projections",
    responses(
        (status = 200, body = Projections),
        (status = 400, description = "`invalid-query`, `invalid-position`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_projections(
    State(database): State<Database>,
    // A position that is none is told on every route; here there is nothing to wait for.
    _: MinPosition,
) -> Result<Json<Projections>, Problem> {
    let live = database.live();
    let items = detached(async move {
        let mut connection = live.acquire().await?;
        // A rebuild notes its pace once a second: what was noted 15 seconds ago is of one that was killed, and `Projection` says so.
        let rows = sqlx::query!(
            r#"
            select v.name,
                   v.version,
                   case when v.version = p.live_version and v.state not in ('failed', 'diverged')
                        then 'live' else v.state end as "state!",
                   coalesce(
                       array_agg(format('%s/%s@%s', c.topic, c.partition, c.next_offset - 1)
                                 order by c.topic, c.partition)
                           filter (where c.next_offset > 0),
                       '{}') as "positions!",
                   v.version = p.live_version and p.paused as "paused!",
                   case when v.version = p.live_version then min(c.updated_at) end as measured_at,
                   coalesce(sum(greatest(c.end_offset - c.next_offset, 0)), 0)::bigint as "lag!",
                   case when v.state = 'live' then coalesce((
                           select sum((r.rates->>v.name)::double precision) from offset_zero.projectors r
                           where r.seen_at > now() - interval '3 seconds'), 0)
                       when v.updated_at > now() - interval '15 seconds' then v.events_per_second
                       else 0 end as "events_per_second!",
                   (select count(*) from offset_zero.dead_letters d
                       where d.name = v.name and d.version = v.version) as "dead_letters!",
                   case when v.state = 'building' then v.phase end as phase,
                   v.events,
                   v.records,
                   v.of_records,
                   case when v.updated_at > now() - interval '15 seconds' then v.eta_seconds end as eta_seconds
            from offset_zero.projections p
            join offset_zero.projection_versions v on v.name = p.name
            left join offset_zero.checkpoints c on c.name = v.name and c.version = v.version
            where v.version = p.live_version or v.state in ('building', 'ready', 'failed', 'diverged')
            group by v.name, v.version, p.name
            order by v.name, v.version
            "#
        )
        .fetch_all(&mut *connection)
        .await;
        connection.give_back();
        rows.map_err(of_registry)
    });
    let items = items.await?.into_iter().map(|row| Projection {
        name: row.name,
        version: row.version,
        state: row.state,
        positions: row.positions,
        paused: row.paused,
        lag: row.lag,
        measured_at: row.measured_at,
        events_per_second: row.events_per_second,
        dead_letters: row.dead_letters,
        progress: row.phase.map(|phase| Progress {
            phase,
            events: row.events,
            records: row.records,
            of_records: row.of_records,
            eta_seconds: row.eta_seconds,
        }),
    });
    Ok(Json(Projections {
        items: items.collect(),
        next_cursor: None,
    }))
}
