//! Where flags may stand, and what is no name.

use clap::Parser;
use runtime::telemetry::LogFormat;

use super::{Args, Command};

#[test]
fn kafka_is_told_before_and_after_the_command() {
    let flag = "--kafka-property=security.protocol=SSL";
    for line in [
        ["offset-zero", flag, "doctor"],
        ["offset-zero", "doctor", flag],
    ] {
        let args = Args::try_parse_from(line).expect("they are flags");
        let property = ("security.protocol".to_owned(), "SSL".to_owned());
        assert_eq!(args.target.kafka.config().properties, [property]);
    }
}

#[test]
fn logging_is_told_before_and_after_the_command() {
    let flags = ["--log", "warn", "--log-format", "json"];
    let (program, command) = (["offset-zero"], ["dead-letters", "list"]);
    for line in [
        [&program[..], &flags[..], &command[..]].concat(),
        [&program[..], &command[..], &flags[..]].concat(),
    ] {
        let log = Args::try_parse_from(line).expect("they are flags").log;
        assert_eq!((&*log.log, log.log_format), ("warn", LogFormat::Json));
    }
}

#[test]
fn a_name_that_there_is_not_is_a_usage_error_that_lists_those_there_are() {
    for (line, known) in [
        (["policies", "reset", "nobody"], "order-workflow"),
        (["projections", "pause", "nobody"], "sales_daily"),
        (["dead-letters", "list", "nobody"], "sales_daily"),
    ] {
        let line = ["offset-zero"].into_iter().chain(line);
        let refused = Args::try_parse_from(line).expect_err("there is none");
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains(known), "{refused}");
    }
}

/// A command's flags and those of all commands share their ids, and with them their values.
#[test]
fn a_dry_run_is_of_all_partitions_unless_told() {
    let only = |flags: &[&str]| {
        let line = ["offset-zero", "rebuild", "orders", "--dry-run"];
        let args = Args::try_parse_from(line.iter().chain(flags));
        match args.expect("they are flags").command {
            Command::Rebuild(wanted) => wanted.only,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(only(&[]), [0; 0]);
    assert_eq!(only(&["--partition", "1", "--partition", "3"]), [1, 3]);
}
