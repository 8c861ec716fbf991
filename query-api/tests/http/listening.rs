//! Reads that wait, where projectors tell what they have committed.

use std::time::{Duration, Instant};

use dev::postgres::Relay;
use query_api::Database;

use crate::world::World;

const ROUNDS: i64 = 20;
/// Less than looking again by oneself would take.
const PATIENCE: Duration = Duration::from_millis(125);
/// Short, so that a connection that is lost is found out soon.
const MAX_SILENCE: Duration = Duration::from_millis(100);

/// Commits, and then tells, as a projector does.
async fn project(world: &World, offset: i64) {
    let next_offset = offset + 1;
    let rows = format!(
        "update offset_zero.checkpoints set next_offset = {next_offset}
         where version = 1 and topic = 'OrderEvents' and partition = 1"
    );
    world.execute(&rows).await;
    let told =
        format!("select pg_notify('offset_zero_positions', 'orders OrderEvents/1@{offset}')");
    world.execute(&told).await;
}

impl World {
    /// Waits until so many listen, as far as Postgres knows.
    async fn listened_by(&self, count: i64) {
        let listening = "select count(*) from pg_stat_activity
             where datname = current_database() and state = 'idle' and query ilike 'listen%'";
        let deadline = Instant::now() + Duration::from_secs(30);
        while sqlx::query_scalar::<_, i64>(listening)
            .fetch_one(&self.pool)
            .await
            .expect("asked")
            != count
        {
            assert!(
                Instant::now() < deadline,
                "there are not {count} who listen"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_read_goes_on_when_it_is_told() {
    let world = World::new().await;
    let listening = tokio::spawn(world.database.clone().keep_listening());
    world.listened_by(1).await;
    let mut rounds = Vec::new();
    for offset in 0..ROUNDS {
        let begun = Instant::now();
        let position = format!("OrderEvents/1@{offset}");
        let headers = [("x-min-position", &*position), ("prefer", "wait=20")];
        let (answer, ()) = tokio::join!(
            world.send("GET", "/v1/orders", &headers),
            project(&world, offset)
        );
        answer.json();
        rounds.push(begun.elapsed());
    }
    rounds.sort();
    // The usual one: the machine may have been busy with something else now and then.
    let usual = rounds[rounds.len() / 2];
    assert!(usual < PATIENCE, "{usual:?} a read: {rounds:?}");
    listening.abort();
}

#[tokio::test]
async fn what_is_never_told_is_found_all_the_same() {
    let world = World::new().await;
    let listening = tokio::spawn(world.database.clone().keep_listening());
    // From here on the process may know that what is asked for next is beyond what was told.
    let headers = [("x-min-position", "OrderEvents/1@6"), ("prefer", "wait=20")];
    let told = project(&world, 6);
    let (answer, ()) = tokio::join!(world.send("GET", "/v1/orders", &headers), told);
    answer.json();
    let headers = [("x-min-position", "OrderEvents/1@7"), ("prefer", "wait=20")];
    let unheard = async {
        for told in [
            "",
            "orders",
            "orders OrderEvents/1",
            "products OrderEvents/1@7",
        ] {
            let told = format!("select pg_notify('offset_zero_positions', '{told}')");
            world.execute(&told).await;
        }
        world
            .execute("update offset_zero.checkpoints set next_offset = 8 where partition = 1")
            .await;
    };
    let (answer, ()) = tokio::join!(world.send("GET", "/v1/orders", &headers), unheard);
    answer.json();
    listening.abort();
}

#[tokio::test]
async fn whoever_hears_nothing_any_more_listens_anew() {
    let world = World::new().await;
    let relay = Relay::to(&world.url).await;
    let database = Database::new(&relay.url, 1).expect("a valid URL");
    let listening = tokio::spawn(database.keep_listening_within(MAX_SILENCE));
    world.listened_by(1).await;
    relay.lose();
    // Postgres has not heard that the first has gone.
    world.listened_by(2).await;
    listening.abort();
}
