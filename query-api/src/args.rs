//! What the process can be told.

use std::net::SocketAddr;

use clap::Parser;
use runtime::telemetry::LogArgs;

/// Serves what the projectors have written over HTTP: orders, products, carts, payments, shipments, notifications and sales.
///
/// Any number of these can run beside each other. The tables are written by `projectors`; until the first of them has
/// run, reads answer 503 and say so.
#[derive(Debug, Clone, Parser)]
#[command(name = "query-api", version)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "OFFSET_ZERO_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// The database that the projectors write to.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5433/offset_zero"
    )]
    pub database_url: String,

    /// At most so many connections to Postgres.
    #[arg(
        long,
        env = "OFFSET_ZERO_MAX_CONNECTIONS",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub max_connections: u32,

    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}
