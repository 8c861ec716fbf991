//! `offset-zero` on a system that runs: it says that all is well where it is, and what is wrong where something is.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
    sync::Arc,
    time::Instant,
};

use dev::services::binary;
use event_store::partition_for;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::Value;
use system_tests::{Client, Journal, Stock, World, client::order, shop};
use uuid::Uuid;

use crate::{PATIENCE, blocking, everything, wait_for, world};

/// Runs the program on this world.
pub(crate) async fn offset_zero(world: &World, arguments: &[&str]) -> Output {
    let mut command = command(world, arguments);
    blocking(move || command.output()).await.expect("it runs")
}

/// The program, on this world.
pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("offset-zero").expect("it is built"));
    let partitions = world.wiring.partitions.to_string();
    command.args(arguments).args([
        "--json",
        "--kafka-brokers",
        &world.wiring.brokers,
        "--namespace",
        &world.wiring.namespace,
        "--database-url",
        &world.wiring.database_url,
        "--partitions",
        &partitions,
    ]);
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

/// JSON, a line each.
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect()
}

fn wrong(report: &Value) -> Vec<&Value> {
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["ok"] == false)
        .collect()
}

fn details(report: &Value) -> Vec<&str> {
    let wrong = wrong(report).into_iter();
    wrong
        .map(|finding| finding["detail"].as_str().unwrap_or_default())
        .collect()
}

/// Doctor calls it well until a part of a decision is missing, a stream skips a version, and an owner is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_what_is_wrong() {
    let world = Arc::new(world().await);
    let running = everything(&world).await;
    let (commands, (_, query_api)) = &running;
    let (client, queries) = (Client::new(&commands.url), Client::new(&query_api.url));
    shop::fill(&client).await;
    for _ in 0..4 {
        let id = client.placed("ada").await;
        wait_for(&queries, &format!("/v1/orders/{id}"), |order| {
            order["status"] == "awaiting_payment"
        })
        .await;
    }
    let healthy = offset_zero(&world, &["doctor"]).await;
    let report = json(&healthy);
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(healthy.status.success(), "{healthy:?}");
    other_settings_hide_nothing(&world).await;

    let projections = json(&offset_zero(&world, &["projections"]).await);
    let projections = projections.as_array().expect("rows").len();
    let paused = offset_zero(&world, &["projections", "pause", "orders"]).await;
    assert!(paused.status.success(), "{paused:?}");
    let report = json(&offset_zero(&world, &["doctor"]).await);
    assert_eq!(details(&report), ["orders is paused"], "{report:#}");
    let resumed = offset_zero(&world, &["projections", "resume", "orders"]).await;
    assert!(resumed.status.success(), "{resumed:?}");

    let command_id = Uuid::now_v7();
    {
        let world = Arc::clone(&world);
        blocking(move || append_torn(&world, command_id)).await;
    }
    let sick = offset_zero(&world, &["doctor"]).await;
    assert_eq!(sick.status.code(), Some(1), "{sick:?}");
    let report = json(&sick);
    let torn = details(&report);
    let names = |parts: &[&str]| {
        torn.iter()
            .any(|detail| parts.iter().all(|part| detail.contains(part)))
    };
    let command_id = command_id.to_string();
    assert!(
        names(&["torn decision", &command_id, "[1, 3]"]),
        "{report:#}"
    );
    assert!(names(&["cart-nobody", "from version 0 to 7"]), "{report:#}");

    blocking(move || drop(running)).await;
    let report = json(&offset_zero(&world, &["doctor"]).await);
    let owners = wrong(&report).into_iter();
    let owners = owners.filter(|finding| finding["check"] == "owners");
    // Each of six services has let go of each partition.
    assert_eq!(
        owners.count(),
        6 * usize::try_from(world.wiring.partitions).expect("few"),
        "{report:#}"
    );
    let unfed = |report: &Value| {
        let details = details(report).into_iter();
        details
            .filter(|detail| detail.contains("fed by nobody"))
            .count()
    };
    let begun = Instant::now();
    while unfed(&json(&offset_zero(&world, &["doctor"]).await)) < projections {
        assert!(begun.elapsed() < PATIENCE, "nobody misses the projectors");
    }
}

/// Topics with fewer replicas than they are to have are told, and looked into all the same.
async fn other_settings_hide_nothing(world: &World) {
    let arguments = ["doctor", "--replication-factor", "2"];
    let report = json(&offset_zero(world, &arguments).await);
    let checks = |ok: bool| -> BTreeSet<&str> {
        let findings = report["findings"].as_array().expect("findings").iter();
        let findings = findings.filter(|finding| finding["ok"] == ok);
        findings
            .filter_map(|finding| finding["check"].as_str())
            .collect()
    };
    assert_eq!(checks(false), BTreeSet::from(["topics"]), "{report:#}");
    let looked_at = BTreeSet::from(["owners", "transactions", "events", "policies"]);
    assert!(looked_at.is_subset(&checks(true)), "{report:#}");
}

/// A record that no transaction of ours can leave: the second of three events, and none of the others.
fn append_torn(world: &World, command_id: Uuid) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &world.wiring.brokers)
        .create()
        .expect("the producer is configured");
    let id = Uuid::now_v7().to_string();
    let command_id = command_id.to_string();
    let headers = [
        ("ce_id", id.as_str()),
        ("ce_type", "Unheard"),
        ("ce_source", "/cart"),
        ("ce_subject", "cart-nobody"),
        ("ce_time", "2026-01-02T03:04:05Z"),
        ("ce_dataschema", "urn:offset-zero:event:Unheard/1"),
        ("ce_correlationid", &command_id),
        ("ce_causationid", &command_id),
        ("ce_commandid", &command_id),
        ("ce_commandhash", &command_id),
        ("ce_actor", "tester"),
        ("ce_streamversion", "7"),
        ("ce_txn", "1;2;3"),
    ];
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(*value),
            })
        });
    let topic = format!("{}CartEvents", world.wiring.namespace);
    let record = BaseRecord::<str, [u8]>::to(&topic)
        .partition(0)
        .key("nobody")
        .payload(b"{}")
        .headers(headers);
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .expect("sent");
    producer.flush(PATIENCE).expect("delivered");
}

/// What is in the log can be seen, as it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_shown_exported_and_followed() {
    let world = Arc::new(world().await);
    let server = {
        let world = Arc::clone(&world);
        blocking(move || world.services(&["product", "cart", "order"], None)).await
    };
    let client = Client::new(&server.url);
    shop::fill(&client).await;
    let id = client.placed("ada").await;
    client.placed("eve").await;
    crate::wait_for_event(&world, &id, |event| {
        matches!(event, domain::order::OrderEvent::Confirmed(_))
    })
    .await;

    let checked = offset_zero(&world, &["topics", "check"]).await;
    assert_eq!(json(&checked)["ok"], true, "{checked:?}");
    let shown = lines(&offset_zero(&world, &["events", "show", &id]).await);
    assert_eq!(shown[0]["type"], "OrderPlaced");
    let types: Vec<_> = shown.iter().map(|event| &event["type"]).collect();
    for expected in ["InventoryCheck", "OrderConfirmed"] {
        assert!(types.iter().any(|name| **name == expected), "{types:?}");
    }
    assert!(shown.iter().all(|event| event["correlation_id"] == id));
    let unknown = offset_zero(&world, &["events", "show", &Uuid::nil().to_string()]).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    whole_journeys_are_shown(&world, &client).await;

    let exported = offset_zero(&world, &["events", "export", "--topic", "OrderEvents"]).await;
    let journal = Journal::read(&world.log()).await;
    assert!(lines(&exported).len() >= 2);
    assert!(lines(&exported).len() <= journal.events.len());

    let tailing = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let tail = ["events", "tail", "--topic", "OrderEvents", "--count", "2"];
            offset_zero(&world, &tail).await
        })
    };
    let begun = Instant::now();
    while !tailing.is_finished() {
        assert!(begun.elapsed() < PATIENCE, "it follows nothing");
        let key = Uuid::now_v7().to_string();
        let placed = client.post("/v1/orders", &key, &order("ada")).await;
        assert_eq!(placed.expect("an answer").status, 201);
    }
    assert_eq!(lines(&tailing.await.expect("no panic")).len(), 2);

    let policies = json(&offset_zero(&world, &["policies", "list"]).await);
    let names: Vec<_> = policies.as_array().expect("policies").iter().collect();
    assert_eq!(names.len(), 7, "{policies:#}");
    Stock::at_rest(&world.log()).await;
    let undone = offset_zero(&world, &["policies", "reset", "order-workflow"]).await;
    assert_eq!(undone.status.code(), Some(1), "it runs: {undone:?}");
    blocking(move || drop(server)).await;
    names_that_there_are_not_are_usage_errors(&world).await;
    let reset = offset_zero(&world, &["policies", "reset", "order-workflow"]).await;
    assert!(reset.status.success(), "{reset:?}");
    // What it has done already has no second effect.
    let before = Journal::read(&world.log()).await.events.len();
    let server = {
        let world = Arc::clone(&world);
        blocking(move || world.services(&["product", "order"], None)).await
    };
    let begun = Instant::now();
    while lag_of(&world, "order-workflow").await > 0 {
        assert!(begun.elapsed() < PATIENCE, "it does not come to the end");
    }
    let after = Journal::read(&world.log()).await.events.len();
    assert_eq!(after, before);
    blocking(move || drop(server)).await;
}

async fn names_that_there_are_not_are_usage_errors(world: &World) {
    for typed in [
        &["policies", "reset", "nobody"][..],
        &["projections", "drop", "nobody", "1"],
        &["rebuild", "nobody"],
    ] {
        let unknown = offset_zero(world, typed).await;
        assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    }
}

/// What stands in an order's history is shown of it, whichever partition it lies in: that of the order, of a SKU or of a cart.
async fn whole_journeys_are_shown(world: &Arc<World>, client: &Client) {
    let partition = |key: &str| partition_for(key.as_bytes(), world.wiring.partitions);
    assert_ne!(
        partition("TEA"),
        partition("LAMP"),
        "an order lies apart from one of them"
    );
    shop::create(client, "LAMP", 4_999, 1_000).await;
    // It is taken by who has seen the lamp in the catalogue, so a cart can have one, too.
    client.placed("eve").await;
    let (projectors, query_api) = {
        let world = Arc::clone(world);
        blocking(move || world.read_side()).await
    };
    let queries = Client::new(&query_api.url);
    let begun = Instant::now();
    let mut lies_apart = false;
    while !lies_apart {
        assert!(begun.elapsed() < PATIENCE, "every cart lies with its order");
        let bought = shop::check_out(client, "ada", &[("TEA", 1), ("LAMP", 1)]).await;
        let order_id = bought.body["order_id"].as_str().expect("an order");
        lies_apart = partition(bought.id()) != partition(order_id);

        let path = format!("/v1/orders/{order_id}/history?limit=200");
        let history = wait_for(&queries, &path, |history| {
            let of_type = |name: &str| {
                let items = history["items"].as_array().expect("items").iter();
                items.filter(|item| item["type"] == name).count()
            };
            of_type("CartCheckedOut") == 1
                && of_type("StockReserved") == 2
                && of_type("OrderConfirmed") == 1
        })
        .await;
        let shown = lines(&offset_zero(world, &["events", "show", order_id]).await);
        let shown: Vec<_> = shown.iter().map(|event| &event["id"]).collect();
        let items = history["items"].as_array().expect("items").iter();
        let missing: Vec<_> = items.filter(|item| !shown.contains(&&item["id"])).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }
    blocking(move || drop((query_api, projectors))).await;
}

async fn lag_of(world: &Arc<World>, policy: &str) -> i64 {
    let policies = json(&offset_zero(world, &["policies", "list"]).await);
    let mut policies = policies.as_array().expect("policies").iter();
    let of_policy = policies.find(|of| of["name"] == policy);
    of_policy.expect("it is listed")["lag"]
        .as_i64()
        .expect("a number")
}

#[tokio::test]
async fn what_is_wrong_with_topics_is_told_to_programs_too() {
    let world = world().await;
    let nothing_there = offset_zero(&world, &["topics", "check"]).await;
    assert_eq!(nothing_there.status.code(), Some(1), "{nothing_there:?}");
    let report = json(&nothing_there);
    assert_eq!(report["ok"], false, "{report}");
    let wrong = report["wrong"].as_array().expect("faults");
    assert_eq!(report["checked"], wrong.len(), "{report}");
    let texts = wrong.iter().filter_map(Value::as_str);
    assert!(
        texts.clone().all(|fault| fault.contains("does not exist")),
        "{report}"
    );
}
