//! Starts a fresh stack, says so on one line, and holds it until a signal ends this process: what
//! the orphan test kills, and a way to get a Kafka and a Postgres to play with.

use std::io::Write;

use dev::stack::{Stack, StackOptions};

fn main() -> Result<(), dev::Error> {
    let stack = Stack::start(StackOptions::fresh())?;
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
