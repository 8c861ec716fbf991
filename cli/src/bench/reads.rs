//! Reading orders: by id beside a bare axum and sqlx select, and a customer's page of many.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use dev::deployment::{Server, Wiring};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{
    load::{self, Connection, Figures, Pair, Shot, Until},
    raw, start_beside,
};

const CONNECTIONS: usize = 64;
const PAGE: usize = 50;
const WARM_UP: Duration = Duration::from_secs(2);
/// So many different rows are read: more than would stay near by chance.
const IDS: i64 = 20_000;
const CUSTOMERS: i64 = 500;

/// What reading took.
#[derive(Debug, Serialize)]
pub struct Reads {
    /// Rows of the table.
    orders: i64,
    connections: usize,
    query_api: Figures,
    bare: Figures,
    /// Pages of one customer's orders, one at a time.
    page: Figures,
}

/// Of the orders that are live in this database.
pub async fn measure(wiring: &Wiring, logs: &Path, seconds: u64) -> Result<Reads> {
    eprintln!("reading orders");
    let rows = Rows::of(&wiring.database_url).await?;
    let (starting, schema, logs) = (wiring.clone(), rows.schema.clone(), logs.to_owned());
    let started = tokio::task::spawn_blocking(move || start(&starting, &schema, &logs));
    let (ours, bare) = started.await??;
    let addresses = [raw::address_of(&ours.url)?, raw::address_of(&bare.url)?];
    are_alike(addresses, &rows).await?;
    let ids: Arc<[String]> = rows.ids.into();
    let pair = measure_pair(addresses, &ids, seconds).await?;
    let page = pages(addresses[0], rows.customers, seconds).await?;
    tokio::task::spawn_blocking(move || {
        ours.service.stop()?;
        bare.service.stop()
    })
    .await??;
    Ok(Reads {
        orders: rows.count,
        connections: CONNECTIONS,
        query_api: (&pair.ours).into(),
        bare: (&pair.other).into(),
        page,
    })
}

fn start(wiring: &Wiring, schema: &str, logs: &Path) -> Result<(Server, Server)> {
    let ours = wiring.query_api(None)?;
    // Not a flag: the arguments of a process are for all to read.
    let database = ("DATABASE_URL", wiring.database_url.as_str());
    let flags = ["--bare-schema", schema];
    let bare = start_beside("bare-reads", &flags, Some(database), logs)?;
    ours.wait_ready()?;
    Ok((ours, bare))
}

/// What there is to read.
struct Rows {
    schema: String,
    count: i64,
    ids: Vec<String>,
    /// With a page of orders each.
    customers: Vec<String>,
}

impl Rows {
    async fn of(database_url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(database_url).await?;
        let schema: String = sqlx::query_scalar(
            "select v.schema_name from offset_zero.projections p
             join offset_zero.projection_versions v on v.name = p.name and v.version = p.live_version
             where p.name = 'orders'",
        )
        .fetch_one(&mut connection)
        .await?;
        let table = format!("{schema}.orders");
        let count = format!("select count(*) from {table}");
        let ids = format!("select id::text from {table} order by random() limit {IDS}");
        let customers = format!(
            "select customer_id from {table} group by customer_id having count(*) > {PAGE}
             order by random() limit {CUSTOMERS}"
        );
        let text = async |connection: &mut PgConnection, sql| {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(connection)
                .await
        };
        Ok(Self {
            count: sqlx::query_scalar(AssertSqlSafe(count))
                .fetch_one(&mut connection)
                .await?,
            ids: text(&mut connection, ids).await?,
            customers: text(&mut connection, customers).await?,
            schema,
        })
    }
}

/// Both have to show the same, or they would not do the same.
async fn are_alike(addresses: [SocketAddr; 2], rows: &Rows) -> Result<()> {
    let path = format!("/v1/orders/{}", rows.ids.first().context("an order")?);
    let mut shown: Vec<Value> = Vec::new();
    for address in addresses {
        let mut connection = Connection::open(address).await?;
        let (status, body) = connection.send(Method::GET, &path, String::new()).await?;
        ensure!(status == StatusCode::OK, "{path} answered {status}");
        shown.push(serde_json::from_slice(&body)?);
    }
    ensure!(shown[0] == shown[1], "{} is not {}", shown[0], shown[1]);
    Ok(())
}

async fn measure_pair(
    addresses: [SocketAddr; 2],
    ids: &Arc<[String]>,
    seconds: u64,
) -> Result<Pair> {
    let read = async |address, until| {
        let ids = Arc::clone(ids);
        let next = move |number: u64| {
            let index = usize::try_from(number).unwrap_or_default() % ids.len();
            Shot::get(format!("/v1/orders/{}", ids[index]))
        };
        load::run(address, CONNECTIONS, until, next, |_, _| ()).await
    };
    for address in addresses {
        read(address, Until::Elapsed(WARM_UP)).await?;
    }
    Pair::measure(addresses, seconds, read).await
}

async fn pages(address: SocketAddr, customers: Vec<String>, seconds: u64) -> Result<Figures> {
    ensure!(!customers.is_empty(), "no customer has a page of orders");
    let next = move |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % customers.len();
        Shot::get(format!(
            "/v1/orders?customer_id={}&limit={PAGE}",
            customers[index]
        ))
    };
    let until = Until::Elapsed(Duration::from_secs(seconds));
    Ok((&load::run(address, 1, until, next, |_, _| ()).await?).into())
}

impl Reads {
    /// As a part of the report.
    pub fn write(&self, text: &mut dyn Write) -> fmt::Result {
        writeln!(
            text,
            "\n## Reading orders\n\n\
             `GET /v1/orders/{{id}}` at {} connections, of {} orders, beside a bare axum and sqlx select of the same columns and \
             rows by key, in turn.\n\n\
             | what | a second | p50 | p99 | of the bare select |\n|---|---:|---:|---:|---:|",
            self.connections, self.orders
        )?;
        for (what, figures) in [("query-api", &self.query_api), ("bare select", &self.bare)] {
            writeln!(
                text,
                "| {what} | {figures} | {:.2} |",
                figures.rate / self.bare.rate
            )?;
        }
        writeln!(
            text,
            "\nA page of {PAGE} of one customer's orders, one at a time: {:.1} ms median, {:.1} ms p99.",
            self.page.p50_ms, self.page.p99_ms
        )
    }
}
