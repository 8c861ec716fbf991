//! The names of things: ids, customers, stock keeping units. Parsed at the edge, trusted inside.
//!
//! Derived ids are `uuid5` of a namespace below. The constants are never renamed and never change: ids that were derived
//! yesterday have to be derived again tomorrow, or a retry would become a second order.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

/// Command ids from `principal | method | path | Idempotency-Key`.
pub const COMMANDS: Uuid = uuid!("6f1c2f0e-3c7b-5d0a-9a64-0f7c5b8f1a01");
/// Order ids from `principal | route | Idempotency-Key`.
pub const ORDERS: Uuid = uuid!("6f1c2f0e-3c7b-5d0a-9a64-0f7c5b8f1a02");
/// Hashes of a client's canonical request.
pub const REQUESTS: Uuid = uuid!("6f1c2f0e-3c7b-5d0a-9a64-0f7c5b8f1a03");

/// The id of a command's event, by its place in the decision from 1: the same command gives the same events.
#[must_use]
pub fn event_id(command_id: Uuid, index: u16) -> Uuid {
    Uuid::new_v5(&command_id, &index.to_be_bytes())
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_newtype!(
    /// An order.
    OrderId
);
uuid_newtype!(
    /// A line of an order.
    LineId
);
uuid_newtype!(
    /// A payment of an order.
    PaymentId
);

impl LineId {
    /// The line of an order by its place from 1.
    #[must_use]
    pub fn of(order: OrderId, place: u16) -> Self {
        Self(Uuid::new_v5(&order.0, &place.to_be_bytes()))
    }
}

impl PaymentId {
    /// The payment that a command makes.
    #[must_use]
    pub fn of(command_id: Uuid) -> Self {
        Self(Uuid::new_v5(&command_id, b"payment"))
    }
}

/// Why a text is no name of that kind; says what one looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No customer id.
    #[error("a customer id has 1 to 128 printable characters")]
    CustomerId,
    /// No SKU.
    #[error("a SKU has 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`")]
    Sku,
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let is_valid: fn(&str) -> bool = $is_valid;
                is_valid(text)
                    .then(|| Self(text.into()))
                    .ok_or(InvalidName::$name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_newtype!(
    /// A customer, by the client's own name for them.
    CustomerId,
    |text| {
        let length = text.chars().count();
        (1..=128).contains(&length) && !text.chars().any(char::is_control)
    }
);
text_newtype!(
    /// A stock keeping unit.
    Sku,
    |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(allowed)
    }
);
