//! `GET /v1/projections`.

use serde_json::json;

use crate::world::World;

const MEASURED_AT: &str = "2026-01-02T03:04:05Z";

#[tokio::test]
async fn lists_the_live_version_and_those_on_their_way() {
    let world = World::new().await;
    for (version, state) in [
        (2, "retired"),
        (3, "failed"),
        (4, "building"),
        (5, "ready"),
        (6, "diverged"),
    ] {
        world.create_version(version, state).await;
    }
    world
        .execute(&format!(
            "update offset_zero.checkpoints set updated_at = '{MEASURED_AT}';
             update offset_zero.checkpoints set next_offset = 1235, end_offset = 1300
                 where version = 1 and topic = 'OrderEvents' and partition = 1;
             update offset_zero.checkpoints set end_offset = 10 where version = 4 and topic = 'OrderEvents';
             update offset_zero.projection_versions
                 set events_per_second = 12.5, phase = 'filling', events = 20, records = 25, of_records = 50, eta_seconds = 2
                 where version in (3, 4);
             update offset_zero.projection_versions set events_per_second = 0 where version = 3;
             insert into offset_zero.projections (name) values ('products')",
        ))
        .await;
    let progress = json!({
        "phase": "filling",
        "events": 20,
        "records": 25,
        "of_records": 50,
        "eta_seconds": 2,
    });
    let projection = |version, state, positions: &[&str], lag, rate| {
        json!({
            "name": "orders",
            "version": version,
            "state": state,
            "positions": positions,
            "paused": false,
            "lag": lag,
            "measured_at": if state == "live" { json!(MEASURED_AT) } else { json!(null) },
            "events_per_second": rate,
            "dead_letters": 0,
            "progress": if state == "building" { progress.clone() } else { json!(null) },
        })
    };
    assert_eq!(
        world.get("/v1/projections").await.json(),
        json!({
            "items": [
                projection(1, "live", &["OrderEvents/1@1234"], 65, 0.0),
                projection(3, "failed", &[], 0, 0.0),
                projection(4, "building", &[], 20, 12.5),
                projection(5, "ready", &[], 0, 0.0),
                projection(6, "diverged", &[], 0, 0.0),
            ],
            "next_cursor": null,
        })
    );
}

#[tokio::test]
async fn a_rebuild_that_was_killed_has_no_pace() {
    let world = World::new().await;
    world.create_version(2, "building").await;
    world
        .execute(
            "update offset_zero.projection_versions
             set events_per_second = 12.5, phase = 'filling', records = 25, of_records = 50, eta_seconds = 2,
                 updated_at = now() - interval '16 seconds'
             where version = 2",
        )
        .await;
    let answer = world.get("/v1/projections").await.json();
    let building = &answer["items"][1];
    assert_eq!(building["version"], 2, "{answer}");
    assert_eq!(building["events_per_second"], 0.0, "{answer}");
    let progress = &building["progress"];
    assert_eq!(progress["records"], 25, "{answer}");
    assert_eq!(progress["eta_seconds"], json!(null), "{answer}");
}

#[tokio::test]
async fn goes_by_what_is_live_rather_than_by_its_state() {
    let world = World::new().await;
    world.create_version(2, "ready").await;
    world
        .execute("update offset_zero.projections set live_version = 2, paused = true")
        .await;
    let answer = world.get("/v1/projections").await.json();
    let items = answer["items"].as_array().expect("items");
    assert_eq!(items.len(), 1);
    assert_eq!(
        (
            &items[0]["version"],
            &items[0]["state"],
            &items[0]["paused"]
        ),
        (&json!(2), &json!("live"), &json!(true))
    );
}
