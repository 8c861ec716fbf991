//! What the orders' read model has to hold, by a fold that shares nothing with the projector: plain, slow, and straight from JSON.

use std::collections::BTreeMap;

use domain::{
    ReadEvent,
    topics::{ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS},
};
use event_store::{Recorded, kafka::KafkaLog};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::journal::read_topic;

/// An event as anybody finds it in a topic.
#[derive(Debug)]
struct Plain {
    name: String,
    data: Value,
}

impl ReadEvent for Plain {
    fn deserialize<'de, D: Deserializer<'de>>(
        name: &str,
        _version: u16,
        payload: D,
    ) -> Result<Self, D::Error> {
        Ok(Self {
            name: name.to_owned(),
            data: Value::deserialize(payload)?,
        })
    }
}

/// Every order by its id, as the log says.
pub async fn orders(log: &KafkaLog) -> BTreeMap<String, Value> {
    let mut orders = BTreeMap::new();
    for event in read_topic::<Plain>(log, ORDER_EVENTS).await {
        if event.metadata.stream == format!("order-{}", event.key) {
            follow_order(row(&mut orders, &event.key), &event);
        }
    }
    for event in read_topic::<Plain>(log, PAYMENT_EVENTS).await {
        follow_payment(&mut orders, &event);
    }
    for event in read_topic::<Plain>(log, SHIPPING_EVENTS).await {
        follow_shipment(&mut orders, &event);
    }
    orders
}

fn row<'a>(orders: &'a mut BTreeMap<String, Value>, id: &str) -> &'a mut Value {
    orders.entry(id.to_owned()).or_insert_with(|| {
        json!({
            "status": null, "stuck": false, "version": 0, "customer": null, "total": null, "error": null,
            "payment": null, "attempt": 0, "shipments": [],
        })
    })
}

fn follow_order(row: &mut Value, event: &Recorded<Plain>) {
    let Plain { name, data } = &event.event;
    row["version"] = event.metadata.stream_version.into();
    let status = match name.as_str() {
        "OrderPlaced" => {
            row["customer"] = data["customer_id"].clone();
            row["total"] = data["totals"]["total"]["amount"].clone();
            "placed"
        }
        "OrderPaymentFailed" => {
            row["error"] = data["code"].clone();
            "awaiting_payment"
        }
        "OrderPaid" => {
            row["error"] = Value::Null;
            "paid"
        }
        "OrderStuck" | "OrderResumed" => {
            row["stuck"] = (name == "OrderStuck").into();
            return;
        }
        "OrderConfirmed" => "awaiting_payment",
        "OrderRejected" => "rejected",
        "OrderExpired" => "expired",
        "OrderPaymentPending" => "payment_pending",
        "OrderCancelled" => "cancelled",
        "DispatchApproved" => "dispatching",
        "OrderShipped" => "shipped",
        "OrderDelivered" => "delivered",
        "OrderCompleted" => "completed",
        _ => return,
    };
    row["status"] = status.into();
}

fn follow_payment(orders: &mut BTreeMap<String, Value>, event: &Recorded<Plain>) {
    let Plain { name, data } = &event.event;
    let status = match name.as_str() {
        "PaymentStarted" => "pending",
        "PaymentAuthorised" => "authorised",
        "PaymentDeclined" => "declined",
        "PaymentCaptured" => "captured",
        "PaymentVoidRequested" => "voiding",
        "PaymentVoided" => "voided",
        "PaymentRefunded" => "refunded",
        _ => return,
    };
    let row = row(orders, &event.key);
    let id = &data["payment_id"];
    if name == "PaymentStarted" && data["attempt"].as_i64() > row["attempt"].as_i64() {
        row["attempt"] = data["attempt"].clone();
        row["payment"] = json!({"id": id, "status": status, "refunded": 0});
    }
    if row["payment"]["id"] != *id {
        return;
    }
    row["payment"]["status"] = status.into();
    if name == "PaymentRefunded" {
        row["payment"]["refunded"] = data["amount"]["amount"].clone();
    }
}

fn follow_shipment(orders: &mut BTreeMap<String, Value>, event: &Recorded<Plain>) {
    let Plain { name, data } = &event.event;
    let status = match name.as_str() {
        "ShipmentCreated" => "created",
        "DispatchRequested" => "dispatch_requested",
        "ShipmentDispatched" => "dispatched",
        "ShipmentDelivered" => "delivered",
        "ShipmentFailed" => "failed",
        "ShipmentCancelled" => "cancelled",
        _ => return,
    };
    let shipment = json!({"id": data["shipment_id"], "status": status});
    let shipments = &mut row(orders, &event.key)["shipments"];
    let shipments = shipments.as_array_mut().expect("a list");
    let known = shipments
        .iter_mut()
        .find(|known| known["id"] == shipment["id"]);
    match known {
        Some(known) => *known = shipment,
        None if name == "ShipmentCreated" => shipments.push(shipment),
        None => {}
    }
}

/// Every order by its id, as a version's table holds it.
///
/// # Panics
/// When it cannot be read.
pub async fn orders_in(connection: &mut PgConnection, schema: &str) -> BTreeMap<String, Value> {
    let statement = format!(
        "select id::text, jsonb_build_object(
             'status', status, 'stuck', stuck, 'version', version, 'customer', customer_id, 'total', total_amount,
             'error', last_payment_error->'code', 'attempt', payment_attempt,
             'payment', case when payment is not null then jsonb_build_object(
                 'id', payment->'id', 'status', payment->'status', 'refunded', payment->'refunded'->'amount') end,
             'shipments', (select coalesce(jsonb_agg(jsonb_build_object('id', s->'id', 'status', s->'status')), '[]')
                 from json_array_elements(shipments) s))
         from {schema}.orders"
    );
    let rows: Vec<(String, Value)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .expect("the rows are read");
    rows.into_iter().collect()
}
