use chrono::DateTime;

use super::*;
use crate::envelope::DecisionMark;

const SERVICES: [Owned; 2] = [
    Owned {
        service: "order",
        topics: &["Orders"],
    },
    Owned {
        service: "cart",
        topics: &["Carts"],
    },
];

struct Said {
    topic: &'static str,
    source: &'static str,
    version: u32,
    command: u128,
    mark: (u16, u16),
}

/// What is found in events that were read in this order.
fn found(events: &[Said]) -> Vec<Finding> {
    let mut auditor = Auditor::new(&SERVICES);
    for (offset, said) in (0..).zip(events) {
        let (index, of) = said.mark;
        let command_id = Uuid::from_u128(said.command);
        let metadata = Metadata {
            event_id: domain::ids::event_id(command_id, index),
            source: said.source.into(),
            stream: "order-1".to_owned(),
            stream_version: said.version,
            time: DateTime::UNIX_EPOCH,
            correlation_id: command_id,
            causation_id: command_id,
            command_id,
            command_hash: command_id,
            actor: "tester".into(),
            decision: DecisionMark {
                number: 1,
                index,
                of,
            },
            traceparent: None,
        };
        let position = Position {
            topic: said.topic.into(),
            partition: 0,
            offset,
        };
        auditor.observe(&position, &metadata);
    }
    let suspects = auditor.open.keys().copied().collect();
    auditor.finish(&suspects).findings
}

fn said(topic: &'static str, source: &'static str, version: u32, command: u128) -> Said {
    Said {
        topic,
        source,
        version,
        command,
        mark: (1, 1),
    }
}

fn part(command: u128, topic: &'static str, version: u32, index: u16) -> Said {
    Said {
        mark: (index, 2),
        ..said(topic, "/order", version, command)
    }
}

#[test]
fn what_is_whole_is_not_found() {
    let opened = [
        said("Orders", "/cart", 1, 1),
        said("Orders", "/order", 2, 2),
    ];
    assert_eq!(found(&opened), []);
    // A message of another service is about the stream, and none of its events.
    let told = [
        said("Orders", "/cart", 1, 1),
        said("Orders", "/order", 1, 2),
        said("Orders", "/cart", 1, 3),
        said("Orders", "/order", 2, 4),
    ];
    assert_eq!(found(&told), []);
    let across = [part(1, "Carts", 1, 2), part(1, "Orders", 1, 1)];
    assert_eq!(found(&across), []);
}

#[test]
fn what_is_torn_doubled_or_skipped_is_named() {
    let torn = found(&[part(7, "Orders", 1, 2)]);
    let [
        Finding::TornDecision {
            missing,
            of: 2,
            command_id,
            ..
        },
    ] = &torn[..]
    else {
        panic!("{torn:?}");
    };
    assert_eq!((&missing[..], *command_id), (&[1][..], Uuid::from_u128(7)));
    let doubled = found(&[
        said("Orders", "/order", 1, 1),
        said("Orders", "/order", 2, 1),
    ]);
    assert!(
        matches!(doubled[..], [Finding::Duplicate { .. }]),
        "{doubled:?}"
    );
    let skipped = found(&[
        said("Orders", "/order", 1, 1),
        said("Orders", "/order", 3, 2),
    ]);
    assert!(
        matches!(
            skipped[..],
            [Finding::Gap {
                version: 3,
                after: 1,
                ..
            }]
        ),
        "{skipped:?}"
    );
    let late = found(&[said("Orders", "/order", 2, 1)]);
    assert!(
        matches!(late[..], [Finding::Gap { after: 0, .. }]),
        "{late:?}"
    );
}

/// Behind each transaction lies a marker, which no reader is shown.
#[test]
fn what_was_passed_counts_as_offsets_do() {
    let ends = [("Orders", 0, 9), ("Orders", 1, 4), ("Carts", 0, 2)];
    let mut way = Way::to(&ends);
    for (topic, partition, offset, passed) in [
        ("Orders", 0, 0, 1),
        ("Orders", 0, 2, 3),
        ("Orders", 1, 3, 7),
        ("Carts", 0, 1, 9),
        ("Orders", 0, 8, 15),
        ("Others", 0, 7, 15),
    ] {
        way.pass(topic, partition, offset);
        assert_eq!(way.passed, passed, "{topic}/{partition}@{offset}");
    }
}
