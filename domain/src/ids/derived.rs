//! Ids that follow from others, so that doing the same again gives the same ids.
//!
//! The namespaces, and the order of the parts that go into a name, are never changed: what is in the log was named by them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{CartId, CommandId, LineId, NotificationId, OrderId, PaymentId, ShipmentId};

const COMMAND: Uuid = Uuid::from_u128(0x7a1f_0c52_93d4_4e0b_8b61_2f5c_9d3e_6a01);
const CREATION: Uuid = Uuid::from_u128(0x7a1f_0c52_93d4_4e0b_8b61_2f5c_9d3e_6a02);
const REQUEST: Uuid = Uuid::from_u128(0x7a1f_0c52_93d4_4e0b_8b61_2f5c_9d3e_6a03);
const DEADLINE: Uuid = Uuid::from_u128(0x7a1f_0c52_93d4_4e0b_8b61_2f5c_9d3e_6a04);
const CHECKOUT: Uuid = Uuid::from_u128(0x7a1f_0c52_93d4_4e0b_8b61_2f5c_9d3e_6a05);
const LINE: &str = "line";
const PAYMENT: &str = "payment";
const NOTIFICATION: &str = "notification";

/// The id of a command's event at a place in its decision, counted from 1.
#[must_use]
pub fn event_id(command_id: Uuid, index: u16) -> Uuid {
    Uuid::new_v5(&command_id, &index.to_be_bytes())
}

/// As [`event_id`], of a command that is decided once more and on a stream of that version: its events are others than before.
#[must_use]
pub fn later_event_id(command_id: Uuid, stream_version: u32, index: u16) -> Uuid {
    event_id(
        Uuid::new_v5(&command_id, &stream_version.to_be_bytes()),
        index,
    )
}

/// The id of the command that follows from an event: the same for every delivery. A policy that gives several commands tells
/// them apart by the label, and by what the label is about (a SKU).
#[must_use]
pub fn policy_command_id(event_id: Uuid, label: &str, about: &str) -> Uuid {
    Uuid::new_v5(&event_id, format!("policy/{label}/{about}").as_bytes())
}

/// The id of the command that a stream's deadline gives, when due.
#[must_use]
pub fn deadline_command_id(stream: &str, due_at: DateTime<Utc>) -> Uuid {
    let name = format!("{stream}/{}", due_at.timestamp_micros());
    Uuid::new_v5(&DEADLINE, name.as_bytes())
}

/// Names a request to the payment gateway, by the event that it follows from: the same for every repetition, so that the
/// gateway does it once.
#[must_use]
pub fn gateway_request_id(event_id: Uuid, operation: &str) -> Uuid {
    Uuid::new_v5(&event_id, format!("gateway/{operation}").as_bytes())
}

/// Stands for the content of a client's request, given as its canonical serialisation.
#[must_use]
pub fn request_hash(canonical: &[u8]) -> Uuid {
    Uuid::new_v5(&REQUEST, canonical)
}

/// What a client's idempotency key is unique within, and the key.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdentity<'a> {
    /// On whose behalf; empty where nobody has said.
    pub principal: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path, ids included.
    pub path: &'a str,
    /// The client's key.
    pub key: &'a str,
}

impl RequestIdentity<'_> {
    /// The same request again is the same command.
    #[must_use]
    pub fn command_id(&self) -> CommandId {
        self.within(&COMMAND).into()
    }

    /// The same creation again creates the same order.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        self.within(&CREATION).into()
    }

    /// The same creation again creates the same cart; paths differ, so no order has its id.
    #[must_use]
    pub fn cart_id(&self) -> CartId {
        self.within(&CREATION).into()
    }

    /// No part can hold a line feed, so that different parts never read the same.
    fn within(&self, namespace: &Uuid) -> Uuid {
        let Self {
            principal,
            method,
            path,
            key,
        } = self;
        Uuid::new_v5(
            namespace,
            format!("{principal}\n{method}\n{path}\n{key}").as_bytes(),
        )
    }
}

impl OrderId {
    /// The order that a cart becomes. Nobody else can have opened it.
    #[must_use]
    pub fn of_cart(cart_id: CartId) -> Self {
        Uuid::new_v5(&CHECKOUT, cart_id.as_uuid().as_bytes()).into()
    }
}

impl LineId {
    /// The line at an index (from 0) of an order.
    #[must_use]
    pub fn of(order_id: OrderId, index: usize) -> Self {
        let name = format!("{LINE}/{index}");
        Uuid::new_v5(&order_id.as_uuid(), name.as_bytes()).into()
    }
}

impl PaymentId {
    /// The payment that a command makes.
    #[must_use]
    pub fn of(command_id: CommandId) -> Self {
        Uuid::new_v5(&command_id.as_uuid(), PAYMENT.as_bytes()).into()
    }
}

impl ShipmentId {
    /// The shipment of an order: there is one, under the order's own id, so that whoever knows a shipment knows its partition.
    #[must_use]
    pub const fn of(order_id: OrderId) -> Self {
        Self(order_id.as_uuid())
    }

    /// The order that it brings.
    #[must_use]
    pub fn order_id(self) -> OrderId {
        self.0.into()
    }
}

impl NotificationId {
    /// The message about an event by a channel, to a target where the channel has several: nobody is told twice.
    #[must_use]
    pub fn of(event_id: Uuid, channel: &str, target: &str) -> Self {
        let name = format!("{NOTIFICATION}/{channel}/{target}");
        Uuid::new_v5(&event_id, name.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: RequestIdentity<'_> = RequestIdentity {
        principal: "ada",
        method: "POST",
        path: "/v1/orders",
        key: "k",
    };

    /// Whoever changes one of these orphans every key that a client still holds.
    #[test]
    fn are_the_same_for_ever() {
        let id = Uuid::from_u128(1);
        let due_at = DateTime::from_timestamp(1_780_000_000, 123_456_000).unwrap();
        let ids = [
            IDENTITY.command_id().as_uuid(),
            IDENTITY.order_id().as_uuid(),
            request_hash(b"{}"),
            event_id(id, 1),
            LineId::of(id.into(), 0).as_uuid(),
            PaymentId::of(id.into()).as_uuid(),
            policy_command_id(id, "reserve", "TEA"),
            deadline_command_id("order-1", due_at),
            OrderId::of_cart(id.into()).as_uuid(),
            gateway_request_id(id, "capture"),
        ];
        assert_eq!(ids.map(|id| id.to_string()), EXPECTED);
    }

    const EXPECTED: [&str; 10] = [
        "e72a6f48-2977-58a3-b008-882c25eb7072",
        "c6f735d4-fba5-5c8b-844b-898f923e6d1b",
        "6fc5ebf0-9df8-5a23-b677-ebd429dc5c27",
        "5ba50795-0304-53f2-9018-cb641d8ae778",
        "d979743b-5d0f-53d7-b8f4-0ccefb461f1e",
        "c14c3469-f156-5225-83a0-ef96ba61d6b2",
        "7a50b300-641f-5991-a356-e02e85b3f484",
        "853b88a4-63e9-5bfd-812d-a392fc255514",
        "5e36d73c-e577-56cf-bac7-7bc32305f136",
        "62c8be19-73e6-5c55-bd93-9fbcc329dfde",
    ];

    #[test]
    fn differ_where_any_part_does() {
        let others = [
            RequestIdentity {
                principal: "eve",
                ..IDENTITY
            },
            RequestIdentity {
                principal: "",
                ..IDENTITY
            },
            RequestIdentity {
                method: "PUT",
                ..IDENTITY
            },
            RequestIdentity {
                path: "/v1/carts",
                ..IDENTITY
            },
            RequestIdentity {
                key: "l",
                ..IDENTITY
            },
        ];
        for other in others {
            assert_ne!(other.command_id(), IDENTITY.command_id());
            assert_ne!(other.order_id(), IDENTITY.order_id());
        }
        let order = IDENTITY.order_id();
        assert_ne!(LineId::of(order, 0), LineId::of(order, 1));
        let id = order.as_uuid();
        assert_ne!(event_id(id, 1), event_id(id, 2));
        assert_ne!(later_event_id(id, 7, 1), event_id(id, 1));
        assert_ne!(later_event_id(id, 7, 1), later_event_id(id, 8, 1));
        let command = policy_command_id(id, "reserve", "TEA");
        assert_ne!(policy_command_id(id, "reserve", "MUG"), command);
        assert_ne!(policy_command_id(id, "release", "TEA"), command);
        assert_ne!(
            OrderId::of_cart(CartId::from(id)),
            OrderId::of_cart(CartId::from(command))
        );
        let [due_at, later] = [0, 1].map(|second| DateTime::from_timestamp(second, 0).unwrap());
        let expiry = deadline_command_id("order-1", due_at);
        assert_ne!(deadline_command_id("order-2", due_at), expiry);
        assert_ne!(deadline_command_id("order-1", later), expiry);
    }

    /// Whoever changes these has everybody told again.
    #[test]
    fn notifications_are_named_by_what_they_tell_and_to_whom() {
        let id = Uuid::from_u128(1);
        let email = NotificationId::of(id, "email", "");
        let webhook = NotificationId::of(id, "webhook", "https://example.com/hook");
        assert_eq!(email.to_string(), "c8c582b3-9f05-57b0-a850-3a874958c0ce");
        assert_eq!(webhook.to_string(), "f2321811-28ef-51e3-9f5b-b957eb58e22b");
        assert_ne!(
            NotificationId::of(id, "webhook", "https://example.com/"),
            webhook
        );
        assert_ne!(NotificationId::of(webhook.as_uuid(), "email", ""), email);
    }
}
