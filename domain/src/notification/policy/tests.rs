use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    ids::policy_command_id,
    notification::testing::{EMAIL, at, hook, keep, order_id},
};

const EVENT_ID: Uuid = Uuid::from_u128(0xe1);

fn read(
    name: &str,
    version: u16,
    payload: &Value,
) -> Result<NotificationPolicyEvent, serde_json::Error> {
    NotificationPolicyEvent::deserialize(name, version, payload)
}

fn react(event: &NotificationPolicyEvent, is_news: bool) -> Vec<Reaction<NotificationCommand>> {
    let policy = NotificationPolicy {
        webhooks: vec![hook()],
    };
    let cause = Cause {
        event_id: EVENT_ID,
        now: at(0),
    };
    policy.react(event, at(-1), is_news, cause)
}

fn reaction(label: &str, command: NotificationCommand) -> Reaction<NotificationCommand> {
    Reaction {
        command_id: policy_command_id(EVENT_ID, label, ""),
        command,
    }
}

fn told(template: Template) -> Reaction<NotificationCommand> {
    let command = NotificationCommand::Notify(Notify {
        order_id: order_id(),
        event_id: EVENT_ID,
        template,
        occurred_at: at(-1),
        webhooks: vec![hook()],
        requested_at: at(0),
    });
    reaction("notify", command)
}

/// As the order service writes it.
fn placed() -> NotificationPolicyEvent {
    let golden = include_str!("../../../../docs/events/golden/OrderPlaced.1.json");
    read("OrderPlaced", 1, &serde_json::from_str(golden).unwrap()).unwrap()
}

const TOLD: [(&str, Template); 8] = [
    ("OrderPaid", Template::Payment),
    ("OrderShipped", Template::Shipped),
    ("OrderDelivered", Template::Delivered),
    ("OrderCancelled", Template::Cancelled),
    ("OrderRejected", Template::Cancelled),
    ("OrderExpired", Template::Cancelled),
    ("PaymentRefunded", Template::Refunded),
    ("PaymentVoided", Template::Refunded),
];

#[test]
fn an_order_is_confirmed_and_its_contact_kept() {
    let keep = reaction("keep-contact", keep(Some(EMAIL)));
    let confirmed = told(Template::OrderConfirmation);
    assert_eq!(react(&placed(), true), [keep, confirmed]);
}

#[test]
fn each_event_is_told_by_its_template() {
    for (name, template) in TOLD {
        let event = read(name, 1, &json!({"order_id": order_id()})).unwrap();
        assert_eq!(react(&event, true), [told(template)], "{name}");
    }
}

#[test]
fn of_what_is_no_news_only_contacts_are_kept() {
    let keep = reaction("keep-contact", keep(Some(EMAIL)));
    assert_eq!(react(&placed(), false), [keep]);
    for (name, _) in TOLD {
        let event = read(name, 1, &json!({"order_id": order_id()})).unwrap();
        assert_eq!(react(&event, false), [], "{name}");
    }
}

#[test]
fn other_events_are_passed_over() {
    for name in ["OrderConfirmed", "PaymentCaptured", "AddedLater"] {
        let event = read(name, 7, &json!({})).unwrap();
        assert_eq!(react(&event, true), [], "{name}");
    }
}

#[test]
fn a_version_that_is_not_known_is_refused() {
    let names = TOLD.iter().map(|(name, _)| *name);
    for name in names.chain(["OrderPlaced"]) {
        assert!(read(name, 2, &json!({"order_id": order_id()})).is_err());
    }
}
