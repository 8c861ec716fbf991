//! Whoever reads what a command prints may go before its end, as `head` does.

use std::process::{Command, Output, Stdio};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The program, beside a Kafka and a Postgres that are not there; doctor tells of them.
fn doctor() -> dev::Result<Command> {
    let nobody = format!("127.0.0.1:{}", dev::ports::free()?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_offset-zero"));
    command
        .args(["doctor", "--kafka-brokers", &nobody])
        .args(["--database-url", &format!("postgres://me@{nobody}/orders")])
        // Set to nothing, they are not set.
        .env("OFFSET_ZERO_KAFKA_PROPERTIES", "")
        .env("OFFSET_ZERO_CONFIG", "")
        .stderr(Stdio::piped());
    Ok(command)
}

#[test]
fn a_command_says_what_is_wrong_to_whoever_reads_it() -> Outcome {
    let ended = doctor()?.output()?;
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains("WRONG  kafka"), "{ended:?}");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    Ok(())
}

#[test]
fn a_command_whose_reader_is_gone_ends_without_a_word() -> Outcome {
    let no_flags: &[&str] = &[];
    for flags in [no_flags, &["--json"]] {
        let mut child = doctor()?.args(flags).stdout(Stdio::piped()).spawn()?;
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&stderr);
        // As of a program that SIGPIPE has ended, though it was not.
        assert_eq!(status.code(), Some(141), "{flags:?}: {said}");
        assert!(!said.contains("panicked"), "{flags:?}: {said}");
        assert!(!said.contains("Error: "), "{flags:?}: {said}");
    }
    Ok(())
}
