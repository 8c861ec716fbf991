//! What the projection `orders` shows of an order, for what `history` lacks of it: each is fed by itself, and `history` may be the later
//! one. Who has been shown an order is not to be told that there is none.

use runtime::problem::Problem;
use sqlx::{Error, PgConnection};
use uuid::Uuid;

use crate::{
    database::Database,
    min_position::Position,
    orders::PROJECTION,
    snapshot::{self, Read},
};

/// An order, as far as it is shown.
pub(super) struct Shown {
    pub(super) version: i32,
    /// The last event of each partition that had been applied by then, in whichever the order's are.
    pub(super) positions: Vec<Position>,
}

/// None where no order is shown; nor is any, where no version of the projection can be read.
pub(super) async fn find(database: &Database, id: Uuid) -> Result<Option<Shown>, Problem> {
    let shown = snapshot::read_if_live(database, ById(id)).await?;
    Ok(shown.flatten())
}

#[derive(Clone)]
struct ById(Uuid);

impl Read for ById {
    type Answer = Option<Shown>;

    const PROJECTION: &'static str = PROJECTION;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        // Of the live version, which is as far at least as the one that is read. The events alone: what else a partition holds, the end of a
        // transaction, one projection may have passed and another not, with nothing to come.
        let rows = sqlx::query!(
            r#"
            select o.version as "version!", c.topic as "topic?", c.partition as "partition?", c.last_event_offset as "offset?"
            from orders o
            left join offset_zero.projections p on p.name = $2
            left join offset_zero.checkpoints c on c.name = p.name and c.version = p.live_version
            where o.id = $1 and o.placed_at is not null
            "#,
            self.0,
            PROJECTION,
        )
        .fetch_all(connection)
        .await?;
        let Some(version) = rows.first().map(|row| row.version) else {
            return Ok(None);
        };
        let positions = rows.into_iter().filter_map(|row| {
            Some(Position {
                topic: row.topic?,
                partition: row.partition?,
                offset: row.offset?,
            })
        });
        Ok(Some(Shown {
            version,
            positions: positions.collect(),
        }))
    }
}
