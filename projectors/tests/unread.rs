//! Whoever reads what a command prints may go before its end, as `head` does.

use std::process::{Command, Output, Stdio};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Beside a Kafka and a Postgres that are not there. What became of it is printed as JSON.
#[test]
fn a_rebuild_of_which_nobody_reads_says_why_it_has_failed() -> Outcome {
    let nobody = format!("127.0.0.1:{}", dev::ports::free()?);
    let mut child = Command::new(env!("CARGO_BIN_EXE_projectors"))
        .args(["rebuild", "orders", "--json", "--kafka-brokers", &nobody])
        .args(["--database-url", &format!("postgres://me@{nobody}/orders")])
        .env_remove("OFFSET_ZERO_CONFIG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("Error: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    Ok(())
}
