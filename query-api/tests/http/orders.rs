//! `GET /v1/orders/{id}`, and what all routes answer alike.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    past::step,
    world::{Order, World, address, lines, money},
};

#[tokio::test]
async fn an_order_has_the_shape_of_the_contract() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-02T03:04:05.678901Z");
    world.insert(&order).await;
    let answer = world.get(&format!("/v1/orders/{}", order.id)).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let expected = json!({
        "id": order.id,
        "customer_id": "ada",
        "status": "placed",
        "stuck": false,
        "version": 1,
        "lines": lines(),
        "totals": { "items": money(3998), "total": money(3998) },
        "payment": null,
        "last_payment_error": null,
        "shipments": [],
        "shipping_address": address(),
        "placed_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:05Z",
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(
        world.get("/v1/orders").await.json()["items"],
        json!([expected])
    );
}

#[tokio::test]
async fn columns_of_json_pass_through() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-02T03:04:05Z");
    world.insert(&order).await;
    let payment = json!({ "id": Uuid::nil(), "status": "captured", "amount": money(3998), "refunded": money(0) });
    let error =
        json!({ "code": "declined", "detail": "it''s \\\"no\\\"", "at": "2026-01-02T03:04:05Z" });
    let shipments = json!([{ "id": Uuid::nil(), "status": "created", "carrier": null, "tracking_number": null }]);
    world
        .execute(&format!(
            "update orders_1.orders set payment = '{payment}', last_payment_error = '{error}', shipments = '{shipments}'"
        ))
        .await;
    let answer = world.get(&format!("/v1/orders/{}", order.id)).await.json();
    assert_eq!(answer["payment"], payment);
    assert_eq!(answer["shipments"], shipments);
    // SQL doubles the quote on its way in.
    assert_eq!(answer["last_payment_error"]["detail"], "it's \\\"no\\\"");
}

/// A foreign producer may be more exact than Postgres is.
#[tokio::test]
async fn times_in_json_are_as_exact_as_others() {
    const AT: &str = "2026-11-30T18:07:00.107227";
    let world = World::of_orders().await;
    let order = Order::placed_at(&format!("{AT}Z"));
    world.insert(&order).await;
    let error = json!({ "code": "declined", "detail": "no", "at": format!("{AT}562Z") });
    let placed = json!({
        "customer_id": "ada", "lines": lines(), "totals": { "items": money(3998), "total": money(3998) },
        "shipping_address": address(), "placed_at": format!("{AT}562Z"),
    });
    let change = json!({ "placed": placed, "status": "placed", "last_payment_error": error });
    world
        .execute(&format!(
            "update orders_1.orders set last_payment_error = '{error}'; {}",
            step(
                order.id,
                "OrderEvents",
                0,
                1,
                "2026-01-02T03:04:05Z",
                &change
            )
        ))
        .await;
    let uri = format!("/v1/orders/{}", order.id);
    let now = world.get(&uri).await.json();
    assert_eq!(now["last_payment_error"]["at"], format!("{AT}Z"));
    let then = world.get(&format!("{uri}?at_version=1")).await.json();
    assert_eq!(then, now);
}

#[tokio::test]
async fn what_is_not_placed_yet_is_not_shown() {
    let world = World::new().await;
    let order = Order::placed_at("2026-01-02T03:04:05Z");
    let payment = json!({ "id": Uuid::nil(), "status": "pending", "amount": money(3998), "refunded": money(0) });
    world
        .execute(&format!(
            "insert into orders_1.orders (id, stuck, version, payment, payment_attempt, payment_next_offset, shipments,
                 shipping_next_offset, updated_at)
             values ('{}', false, 0, '{payment}', 1, 1, '[]', 0, '2026-01-02T03:04:05Z')",
            order.id
        ))
        .await;
    let uri = format!("/v1/orders/{}", order.id);
    world.get(&uri).await.problem(404, "order-not-found");
    for query in ["", "?limit=1", "?placed_from=2000-01-01T00:00:00Z"] {
        let page = world.get(&format!("/v1/orders{query}")).await.json();
        assert_eq!(page, json!({ "items": [], "next_cursor": null }));
    }
    world
        .execute(&format!(
            "delete from orders_1.orders where id = '{}'",
            order.id
        ))
        .await;
    world.insert(&order).await;
    world.get(&uri).await.json();
}

#[tokio::test]
async fn what_cannot_be_found_is_a_problem() {
    let world = World::new().await;
    let id = Uuid::now_v7();
    let problem = world
        .get(&format!("/v1/orders/{id}"))
        .await
        .problem(404, "order-not-found");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains(&id.to_string()), "{detail}");

    for id in [
        "42",
        "order-42",
        "%20",
        "0190163d-8694-739b-aea5-966c26f8ad9",
    ] {
        world
            .get(&format!("/v1/orders/{id}"))
            .await
            .problem(400, "invalid-id");
    }
    world.get("/v1/order").await.problem(404, "route-not-found");
    world
        .get("/v1/orders/")
        .await
        .problem(404, "route-not-found");
    world
        .get("/docs/nothing")
        .await
        .problem(404, "route-not-found");
    for uri in [
        "/v1/orders",
        "/v1/projections",
        "/openapi.json",
        "/health/ready",
    ] {
        let answer = world.send("POST", uri, &[]).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.headers["allow"], "GET,HEAD", "{uri}");
    }
}

#[tokio::test]
async fn no_route_passes_over_a_parameter_that_it_does_not_know() {
    let world = World::empty().await;
    let description = world.get("/openapi.json").await.json();
    let paths = description["paths"].as_object().expect("paths");
    assert!(!paths.is_empty());
    for path in paths.keys() {
        let id = Uuid::nil().to_string();
        let uri = path.replace("{id}", &id).replace("{sku}", "tea");
        let answer = world.get(&format!("{uri}?shade=dark")).await;
        let problem = answer.problem(400, "invalid-query");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("`shade`"), "{uri}: {detail}");
        let knows_status = path == "/v1/orders";
        assert_eq!(detail.contains("`status`"), knows_status, "{uri}: {detail}");
        // A method that the route does not answer is what is wrong first.
        let answer = world.send("POST", &format!("{uri}?shade=dark"), &[]).await;
        answer.problem(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn says_that_no_projector_has_run_yet() {
    let world = World::empty().await;
    let order = format!("/v1/orders/{}", Uuid::nil());
    let [history, events, past] =
        ["/history", "/events", "?at_version=1"].map(|rest| format!("{order}{rest}"));
    let of_id = ["carts", "payments", "shipments"];
    let [cart, payment, shipment] = of_id.map(|name| format!("/v1/{name}/{}", Uuid::nil()));
    let notifications = format!("/v1/notifications?order_id={}", Uuid::nil());
    for uri in [
        &*order,
        &history,
        &events,
        &past,
        &cart,
        &payment,
        &shipment,
        &notifications,
        "/v1/sales/daily",
        "/v1/orders",
        "/v1/products",
        "/v1/products/tea",
        "/v1/projections",
    ] {
        let answer = world.get(uri).await;
        let problem = answer.problem(503, "unavailable");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("no projector"), "{detail}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    world.register().await;
    world
        .execute("update offset_zero.projections set live_version = null")
        .await;
    world.get(&order).await.problem(503, "unavailable");
    world
        .execute("update offset_zero.projections set live_version = 1")
        .await;
    world.get(&order).await.problem(404, "order-not-found");
}

/// What may be null is there all the same, and generated clients tell the two apart.
#[tokio::test]
async fn what_is_always_there_is_described_so() {
    let world = World::empty().await;
    let description = world.get("/openapi.json").await.json();
    let schemas = description["components"]["schemas"].as_object();
    let mut may_be_absent = Vec::new();
    for (name, schema) in schemas.expect("schemas") {
        let required = schema["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        let members = schema["properties"].as_object().into_iter().flatten();
        let absent = members.filter(|(member, _)| !required.contains(&member.as_str()));
        may_be_absent.extend(absent.map(|(member, _)| format!("{name}.{member}")));
    }
    may_be_absent.sort();
    assert_eq!(may_be_absent, ["Address.line2", "Problem.errors"]);
}

/// `Order` and `GET /v1/payments/{id}` call different things a payment.
#[tokio::test]
async fn what_an_order_shows_of_a_payment_and_a_shipment_is_described() {
    let world = World::empty().await;
    let description = world.get("/openapi.json").await.json();
    let schemas = &description["components"]["schemas"];
    for (member, name, lacks) in [
        ("payment", "OrderPayment", "attempt"),
        ("shipments", "OrderShipment", "order_id"),
    ] {
        let described = schemas["Order"]["properties"][member].to_string();
        let reference = format!("#/components/schemas/{name}");
        assert!(described.contains(&reference), "{described}");
        let members = &schemas[name]["properties"];
        assert!(members["status"].is_object(), "{members}");
        assert!(members[lacks].is_null(), "{members}");
        let other = &schemas[&name["Order".len()..]]["properties"];
        assert!(other[lacks].is_object(), "{other}");
    }
}

#[tokio::test]
async fn describes_itself() {
    let world = World::empty().await;
    let description = world.get("/openapi.json").await.json();
    for path in [
        "/v1/orders/{id}",
        "/v1/orders/{id}/history",
        "/v1/orders/{id}/events",
        "/v1/orders",
        "/v1/products",
        "/v1/products/{sku}",
        "/v1/carts/{id}",
        "/v1/payments/{id}",
        "/v1/shipments/{id}",
        "/v1/notifications",
        "/v1/sales/daily",
        "/v1/projections",
    ] {
        let operation = &description["paths"][path]["get"];
        for status in ["200", "400", "503"] {
            assert!(operation["responses"][status].is_object(), "{path}");
        }
    }
    let parameters = &description["paths"]["/v1/products/{sku}"]["get"]["parameters"];
    let names = ["sku", "x-min-position", "prefer", "if-none-match"];
    for (parameter, name) in std::iter::zip(parameters.as_array().expect("parameters"), names) {
        assert_eq!(parameter["name"], name);
    }
    let order = &description["components"]["schemas"]["Order"]["properties"];
    assert_eq!(order.as_object().expect("properties").len(), 13);
    let totals = &description["components"]["schemas"]["Cart"]["properties"]["totals"];
    let kinds = totals["oneOf"].as_array().expect("kinds").iter();
    let kinds: Vec<&Value> = kinds.map(|kind| &kind["type"]).collect();
    assert!(kinds.contains(&&json!("null")), "{totals}");
    assert!(world.get("/docs/").await.text.contains("swagger"));
}
