//! However a stream is cut into chunks, the rows are the same.

use domain::{order::OrderCommand, topics::ORDER_EVENTS};
use event_store::Recorded;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::{
    World,
    fulfilment::{self, Way},
    journeys::{decided, recorded, viewed},
};
use crate::{
    Orders, Projection, ProjectorError,
    chunk::Chunk,
    orders::view::OrderView,
    registry::{Origin, ensure_live},
    written::WrittenKeys,
};

/// Each is a database schema, filled and read.
const CASES: u32 = 24;
/// What is asked of an order until it is delivered.
const MOST_STEPS: usize = 10;

#[test]
fn chunks_of_any_size_give_the_same_rows() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new());
    let orders = vec(1_usize..=MOST_STEPS, 1..12);
    let cuts = vec(1_usize..=8, 1..20);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    });
    let result = runner.run(&(orders, cuts), |(orders, cuts)| {
        let events = events(&orders);
        let whole = runtime.block_on(fold::<Orders>(&world, &events, &[events.len()]));
        let cut = runtime.block_on(fold::<Orders>(&world, &events, &cuts));
        prop_assert_eq!(whole.len(), orders.len());
        prop_assert_eq!(whole, cut);
        Ok(())
    });
    result.expect("the same rows");
}

#[tokio::test]
async fn an_event_that_does_not_follow_is_named() {
    let world = World::new().await;
    let mut connection = world.connect().await;
    let events = events(&[3, 1]);
    let unknown = |version| {
        recorded(
            OrderView::Other,
            ORDER_EVENTS,
            &events[0].metadata.stream,
            version,
            9,
        )
    };
    let mut tx = connection.begin().await.expect("begins");
    ensure_live::<Orders>(&mut tx, &origin())
        .await
        .expect("creates");
    // Without a row, and with a version left out; an event that is unknown leaves none out.
    for (first, then) in [
        (&events[..0], &events[2..]),
        (&events[..2], &events[3..]),
        (&events[..2], &[unknown(3)]),
    ] {
        let mut chunk = Chunk::<Orders>::default();
        chunk.absorb(&mut tx, first, None).await.expect("follows");
        let error = chunk
            .absorb(&mut tx, then, None)
            .await
            .expect_err("does not follow");
        assert!(
            matches!(&error, ProjectorError::Unappliable { position, .. } if *position == then[0].position)
        );
    }
    let mut chunk = Chunk::<Orders>::default();
    let mut later = events[3].clone();
    later.metadata.stream_version += 1;
    for event in [events[0].clone(), events[2].clone(), unknown(3), later] {
        chunk
            .absorb(&mut tx, &[event], None)
            .await
            .expect("follows");
    }
}

/// The streams of some orders, each of so many commands, as one partition would hold them: in turns.
fn events(steps: &[usize]) -> Vec<Recorded<OrderView>> {
    let orders = steps
        .iter()
        .map(|_| fulfilment::order(Uuid::now_v7(), Way::Delivered));
    let orders: Vec<Vec<OrderCommand>> = orders.collect();
    let turn = |turn: usize| {
        let going = std::iter::zip(&orders, steps).filter(move |(_, steps)| turn < **steps);
        going.map(move |(commands, _)| commands[turn].clone())
    };
    let commands: Vec<_> = (0..MOST_STEPS).flat_map(turn).collect();
    decided::<domain::order::Orders>(&commands)
        .iter()
        .map(viewed)
        .collect()
}

pub(super) fn origin() -> Origin {
    Origin {
        cluster_id: "a".to_owned(),
        partitions: 1,
    }
}

/// The rows after folding events in chunks of these sizes, again and again from the first.
pub(super) async fn fold<P: Projection>(
    world: &World,
    events: &[Recorded<P::Event>],
    sizes: &[usize],
) -> Vec<String> {
    let mut connection = world.connect().await;
    let mut tx = connection.begin().await.expect("begins");
    ensure_live::<P>(&mut tx, &origin()).await.expect("creates");
    // So small that it is often mistaken.
    let mut written = sizes
        .len()
        .is_multiple_of(2)
        .then(|| WrittenKeys::with_bytes(8));
    let mut rest = events;
    for size in sizes.iter().cycle() {
        let (events, later) = rest.split_at((*size).min(rest.len()));
        let mut chunk = Chunk::<P>::default();
        // Two batches a chunk, as in a rebuild.
        let (first, second) = events.split_at(events.len() / 2);
        for batch in [first, second] {
            let absorbed = chunk.absorb(&mut tx, batch, written.as_ref());
            absorbed.await.expect("absorbs");
        }
        if let Some(written) = &mut written {
            chunk.note_new(written);
        }
        chunk.write(&mut tx).await.expect("writes");
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let rows = format!("select t::text from {} t order by 1", P::NAME);
    let rows = sqlx::query_scalar(AssertSqlSafe(rows));
    let rows = rows.fetch_all(&mut *tx).await.expect("rows");
    tx.rollback().await.expect("rolls back");
    rows
}
