//! Starts a stack, says so on one line, and holds it until a signal ends this process: what the
//! orphan test kills, and a way to get a Kafka and a Postgres to play with.
//!
//! `cargo run -p dev --example hold [fresh|persistent|benchmark]`

use std::io::Write;

use dev::stack::{KAFKA_PORT, POSTGRES_PORT, Stack, StackOptions};

fn main() -> Result<(), dev::Error> {
    let options = match std::env::args().nth(1).as_deref() {
        Some("persistent") => StackOptions::persistent(KAFKA_PORT, POSTGRES_PORT),
        Some("benchmark") => StackOptions::benchmark(),
        _ => StackOptions::fresh(),
    };
    let stack = Stack::start(options)?;
    let pids = [
        stack.kafka().map(|kafka| kafka.process().pid()),
        stack.postgres().map(|postgres| postgres.process().pid()),
    ];
    let pids: Vec<String> = pids
        .into_iter()
        .flatten()
        .map(|pid| pid.to_string())
        .collect();
    println!(
        "{} {} pids {}",
        stack.brokers(),
        stack.default_database_url()?,
        pids.join(" ")
    );
    // A failed flush means that nobody reads; whoever started us sees no line and gives up.
    let _ = std::io::stdout().flush();
    loop {
        std::thread::park();
    }
}
