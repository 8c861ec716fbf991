//! Kafka or Postgres away: 503 and not ready, then well again without a restart of anything of ours.

use dev::stack::{Stack, StackOptions};
use system_tests::{Client, Journal, Stock, World, client::order, shop};

use crate::{blocking, wait_for_status};

/// Orders placed right before the broker is killed.
const UNDER_WAY: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_of_kafka_and_postgres_end_by_themselves() {
    let mut stack = blocking(|| Stack::start(StackOptions::fresh()))
        .await
        .expect("the stack starts");
    if stack.kafka().is_none() || stack.postgres().is_none() {
        println!("skipped: this stack is not ours to break");
        return;
    }
    let (stack_back, world, command_api, read_side) = blocking(move || {
        let world = World::on(&stack);
        let command_api = world.command_api(None);
        let read_side = world.read_side();
        (stack, world, command_api, read_side)
    })
    .await;
    stack = stack_back;
    let commands = Client::new(&command_api.url);
    let queries = Client::new(&read_side.1.url);
    shop::fill(&commands).await;
    let before = commands.placed("ada").await;
    wait_for_status(&queries, &format!("/v1/orders/{before}"), 200).await;

    // Kafka goes while workflows are under way, so that commits are answered whose markers are not
    // yet written: commands are refused, reads go on.
    for _ in 0..UNDER_WAY {
        commands.placed("ada").await;
    }
    stack = blocking(move || {
        stack.kafka().expect("native").kill().expect("killed");
        stack
    })
    .await;
    wait_for_status(&commands, "/health/ready", 503).await;
    let refused = place(&commands, "while-away").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    let read = queries
        .get(&format!("/v1/orders/{before}"))
        .await
        .expect("an answer");
    assert_eq!(read.status, 200, "{read:?}");
    stack = blocking(move || {
        stack
            .kafka_mut()
            .expect("native")
            .restart()
            .expect("restarted");
        stack
    })
    .await;
    wait_for_status(&commands, "/health/ready", 200).await;
    let placed = place(&commands, "while-away").await;
    assert_eq!(placed.status, 201, "{placed:?}");
    wait_for_status(&queries, &format!("/v1/orders/{}", placed.id()), 200).await;

    // Postgres goes: reads are refused, commands go on.
    stack = blocking(move || {
        stack.postgres().expect("native").kill().expect("killed");
        stack
    })
    .await;
    wait_for_status(&queries, "/health/ready", 503).await;
    let refused = queries
        .get(&format!("/v1/orders/{before}"))
        .await
        .expect("an answer");
    assert_eq!(
        (refused.status, refused.code()),
        (503, "unavailable"),
        "{refused:?}"
    );
    let unseen = commands.placed("ada").await;
    stack = blocking(move || {
        stack
            .postgres_mut()
            .expect("native")
            .restart()
            .expect("restarted");
        stack
    })
    .await;
    wait_for_status(&queries, "/health/ready", 200).await;
    wait_for_status(&queries, &format!("/v1/orders/{unseen}"), 200).await;

    Stock::at_rest(&world.log()).await;
    let journal = Journal::read(&world.log()).await;
    assert_eq!(
        journal.placed().len(),
        3 + UNDER_WAY,
        "each order once, the refused one by its retry"
    );
    blocking(move || drop((command_api, read_side, world, stack))).await;
}

async fn place(commands: &Client, key: &str) -> system_tests::Answer {
    commands
        .post("/v1/orders", key, &order("ada"))
        .await
        .expect("an answer")
}
