//! An order as it was, folded from the changes that the projection `history` keeps (docs/adr/0009-the-past-in-changes.md).
//!
//! An order is at a version from that version's event until the next one's. What is read of a version is how the order looked
//! last while it was at it: its payments and shipments go on meanwhile. So the newest version is the order as it is.
//!
//! `history` may be behind `orders`. What the one lacks is looked for in the other only where it is missed, and waited for where it is
//! shown there.

use chrono::{DateTime, Utc};
use runtime::problem::Problem;
use sqlx::{Error, PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    database::Database,
    min_position::MinPosition,
    orders::{
        change::{Change, Folded},
        not_found,
        shape::Order,
        shown::{self, Shown},
        version_not_found,
    },
    snapshot::{self, Read},
};

/// A customer who tries a thousand payments comes to less than half of this.
const MAX_CHANGES: usize = 10_000;

/// The version of an order that has been placed.
pub(super) const FIRST_VERSION: i32 = 1;

/// When in an order's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// While it was at this version.
    Version(i64),
    Time(DateTime<Utc>),
}

/// The order as it was then.
pub(super) async fn find(
    database: &Database,
    id: Uuid,
    moment: Moment,
    min: &MinPosition,
) -> Result<Order, Problem> {
    let needed = match moment {
        // No order comes to one that cannot be held.
        Moment::Version(version) => i32::try_from(version).unwrap_or(i32::MAX),
        Moment::Time(_) => FIRST_VERSION,
    };
    let past = read(database, id, needed, min).await?;
    match moment {
        Moment::Version(version) => {
            let exists = past.versions().find(|known| i64::from(*known) == version);
            let version = exists.ok_or_else(|| version_not_found(id, version))?;
            past.at_version(version).ok_or_else(|| not_found(id))
        }
        Moment::Time(time) => past.at_time(time).ok_or_else(|| not_found(id)),
    }
}

/// All that is kept of the order's past; `order-not-found` where that is nothing. A version that it lacks, though it is shown, is waited
/// for.
pub(super) async fn read(
    database: &Database,
    id: Uuid,
    version: i32,
    min: &MinPosition,
) -> Result<Past, Problem> {
    let kept = read_kept(database, id, min).await?;
    let shown = match newest(kept.as_ref()) < version {
        true => shown::find(database, id).await?,
        false => None,
    };
    let past = match shown {
        Some(shown) if shown.version >= version => {
            read_shown(database, id, version, shown, min).await?
        }
        Some(_) => return kept.ok_or_else(|| version_not_found(id, version.into())),
        None => None,
    };
    past.or(kept).ok_or_else(|| not_found(id))
}

/// As [`read`], with the newest version that is shown; without it where it is not to be had in time, since it comes in its turn.
pub(super) async fn read_newest(
    database: &Database,
    id: Uuid,
    min: &MinPosition,
) -> Result<Past, Problem> {
    // Beside each other, so that it takes no longer.
    let (kept, shown) = tokio::join!(read_kept(database, id, min), shown::find(database, id));
    let kept = kept?;
    // Who follows a stream comes back to none that was refused.
    let shown = match shown {
        Err(_) if kept.is_some() => None,
        shown => shown?,
    };
    let past = match shown {
        Some(shown) if shown.version > newest(kept.as_ref()) => {
            match read_shown(database, id, shown.version, shown, min).await {
                Err(_) if kept.is_some() => None,
                read => read?,
            }
        }
        Some(_) | None => None,
    };
    past.or(kept).ok_or_else(|| not_found(id))
}

/// The version that it has come to; 0 where there is none.
fn newest(past: Option<&Past>) -> i32 {
    past.and_then(|past| past.versions().next_back())
        .unwrap_or(0)
}

/// None where the order is not placed, as far as is known here.
async fn read_kept(
    database: &Database,
    id: Uuid,
    min: &MinPosition,
) -> Result<Option<Past>, Problem> {
    let rows = snapshot::read(database, Changes { id, after: 0 }, min).await?;
    Past::new(id, rows)
}

/// The past with a version that is shown; none where the projection has come as far, and lacks it.
async fn read_shown(
    database: &Database,
    id: Uuid,
    version: i32,
    shown: Shown,
    min: &MinPosition,
) -> Result<Option<Past>, Problem> {
    let changes = Changes {
        id,
        after: version - 1,
    };
    let shown = MinPosition {
        positions: shown.positions.into(),
        deadline: min.deadline,
    };
    let rows = snapshot::read_shown(database, changes, &shown).await?;
    Past::new(id, rows)
}

/// All that is kept, if there is a later version than that one.
pub(super) async fn read_after(
    database: &Database,
    id: Uuid,
    after: i32,
) -> Result<Option<Past>, Problem> {
    let rows = snapshot::read(database, Changes { id, after }, &MinPosition::none()).await?;
    Past::new(id, rows)
}

/// An order's changes: its own in their order, and those of payments, and of shipments, in theirs.
pub(super) struct Past {
    id: Uuid,
    rows: Vec<Row>,
}

/// What one event has changed.
pub(super) struct Row {
    /// None where a payment or a shipment has changed.
    version: Option<i32>,
    time: DateTime<Utc>,
    position: i64,
    change: Json<Change>,
}

impl Past {
    /// None where the order is not placed.
    fn new(id: Uuid, mut rows: Vec<Row>) -> Result<Option<Self>, Problem> {
        if rows.len() > MAX_CHANGES {
            let cause = format!("the order {id} has more than {MAX_CHANGES} changes");
            return Err(Problem::internal(cause));
        }
        // An event that is in the log twice changes no order, as in the projection `orders`.
        let mut reached = 0;
        rows.retain(|row| {
            let is_next = row.version.is_none_or(|version| version > reached);
            reached = row.version.map_or(reached, |version| reached.max(version));
            is_next
        });
        let is_placed = rows.iter().any(|row| row.change.places());
        Ok(is_placed.then_some(Self { id, rows }))
    }

    /// Oldest first.
    pub(super) fn versions(&self) -> impl DoubleEndedIterator<Item = i32> {
        self.rows.iter().filter_map(|row| row.version)
    }

    /// The order when it was last at that version; none where it has not been placed by then.
    pub(super) fn at_version(&self, version: i32) -> Option<Order> {
        let later = self.rows.iter().filter(|row| row.version > Some(version));
        let next = later.map(|row| row.time).min();
        self.fold(version, |time| next.is_none_or(|next| time < next))
    }

    /// The order at that time; none where it had not been placed.
    fn at_time(&self, time: DateTime<Utc>) -> Option<Order> {
        // Clocks differ: a version counts when all before it do.
        let own = self.rows.iter().filter(|row| row.version.is_some());
        let reached = own.take_while(|row| row.time <= time).last()?;
        self.fold(reached.version?, |other| other <= time)
    }

    fn fold(&self, version: i32, is_past: impl Fn(DateTime<Utc>) -> bool) -> Option<Order> {
        let mut folded = Folded::default();
        for row in &self.rows {
            match row.version {
                Some(of_row) if of_row <= version => folded.follow(of_row, row.time, &row.change),
                None if is_past(row.time) => {
                    folded.follow_other(row.position, row.time, &row.change);
                }
                Some(_) | None => {}
            }
        }
        folded.into_order(self.id)
    }
}

/// The projection that it is read from.
pub(super) const PROJECTION: &str = "history";

/// All changes of an order that has come further than that version.
#[derive(Clone)]
struct Changes {
    id: Uuid,
    after: i32,
}

impl Read for Changes {
    type Answer = Vec<Row>;

    const PROJECTION: &'static str = PROJECTION;

    fn parked_as(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let limit = i64::try_from(MAX_CHANGES + 1).expect("a small number");
        // An order's events of one topic have one partition, so that positions are their order.
        sqlx::query_as!(
            Row,
            r#"
            select case when topic = 'OrderEvents' then version end as version, time, position, change as "change!: _"
            from history
            where order_id = $1 and change is not null
              and exists (select from history where order_id = $1 and change is not null and topic = 'OrderEvents' and version > $2)
            order by topic, position
            limit $3
            "#,
            self.id,
            self.after,
            limit,
        )
        .fetch_all(connection)
        .await
    }
}
