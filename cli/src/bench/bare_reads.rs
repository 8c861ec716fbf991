//! A bare axum and sqlx select by key, of the columns and rows that the query API shows: what a machine gives to such a read.
//! In a process of its own, as the query API is: `offset-zero bench --bare-reads PORT`.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    types,
};
use tokio::net::TcpListener;
use uuid::Uuid;

/// As many as the query API has.
const MAX_CONNECTIONS: u32 = 16;

const SELECT: &str = "select id, customer_id, status, stuck, version, lines,
    json_build_object(
        'items', json_build_object('amount', items_amount, 'currency', currency),
        'total', json_build_object('amount', total_amount, 'currency', currency)
    ) as totals,
    payment, last_payment_error, shipments, shipping_address, placed_at, updated_at
    from orders where id = $1";

type Unparsed = types::Json<Box<RawValue>>;

#[derive(Serialize, sqlx::FromRow)]
struct Order {
    id: Uuid,
    customer_id: String,
    status: String,
    stuck: bool,
    version: i32,
    lines: Unparsed,
    totals: Unparsed,
    payment: Option<Unparsed>,
    last_payment_error: Option<Unparsed>,
    shipments: Unparsed,
    shipping_address: Unparsed,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Serves the orders in this schema until it is killed.
pub async fn serve(database_url: &str, schema: &str, port: u16) -> Result<()> {
    let options: PgConnectOptions = database_url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .connect_with(options.options([("search_path", schema)]))
        .await?;
    let router = Router::new()
        .route("/health/ready", get(async || "ready"))
        .route("/v1/orders/{id}", get(find))
        .with_state(pool);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    axum::serve(listener, router).await.context("serving")
}

async fn find(State(pool): State<PgPool>, Path(id): Path<Uuid>) -> Result<Json<Order>, StatusCode> {
    let order = sqlx::query_as(SELECT).bind(id).fetch_optional(&pool).await;
    let order = order.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    order.map(Json).ok_or(StatusCode::NOT_FOUND)
}
