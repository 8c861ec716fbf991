//! `offset-zero bench` on a few orders: what it starts, asks and compares still fits the rest. Its figures mean nothing here.

use std::process::Command;

use dev::services::binary;
use serde_json::Value;

use crate::blocking;

/// Not `placing`, which needs a program of another workspace, nor `journeys`, whose windows are long.
const SECTIONS: [&str; 3] = ["restart", "rebuild", "log-speed"];

#[tokio::test]
async fn measures_what_it_says() {
    let mut bench = Command::new(binary("offset-zero").expect("it is built"));
    bench.args(["--json", "bench", "--smoke", "--seconds", "1"]);
    bench.args(["--orders", "20", "--finished", "100", "--made-up", "100"]);
    for section in SECTIONS {
        bench.args(["--only", section]);
    }
    let output = blocking(move || bench.output()).await.expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for (number, section, events) in [
        (0, "restart", 200),
        (1, "rebuild", 40),
        (2, "log_speed", 200),
    ] {
        let measured = &report["sections"][number][section];
        assert_eq!(measured["events"], events, "{section}: {report:#}");
    }
}
