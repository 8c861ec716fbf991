//! Names of things. Each is parsed at the edge and trusted inside.
//!
//! Reading an event back does not judge them again: it is a fact, and what was once accepted stays readable when a rule
//! gets stricter.

mod derived;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::derived::{
    RequestIdentity, deadline_command_id, event_id, gateway_request_id, later_event_id,
    policy_command_id, request_hash,
};
use crate::text::{InvalidText, Text};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The bare id.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One request to change something, retries included.
    CommandId
);
uuid_id!(
    /// An order.
    OrderId
);
uuid_id!(
    /// A line of an order. A SKU may come up in several lines; this tells them apart.
    LineId
);
uuid_id!(
    /// A shopping cart.
    CartId
);
uuid_id!(
    /// A payment.
    PaymentId
);
uuid_id!(
    /// A shipment.
    ShipmentId
);
uuid_id!(
    /// One message to somebody about something.
    NotificationId
);

/// Who buys: the client's own string, 1 to 128 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CustomerId(Text<128>);

impl CustomerId {
    /// As the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for CustomerId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        text.parse().map(Self)
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is sold: `[A-Za-z0-9._-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Sku(Box<str>);

/// Not of the form of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {} of the characters A-Z, a-z, 0-9, '.', '_' and '-', and neither '.' nor '..'",
    Sku::MAX_LENGTH
)]
pub struct InvalidSku;

impl Sku {
    /// At most so many characters.
    pub const MAX_LENGTH: usize = 64;

    /// As the catalogue spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sku {
    type Err = InvalidSku;

    /// Clients resolve `.` and `..` away where they stand in a path, so that nobody could reach such a product. Events are not read
    /// by this: what has them already stays readable.
    fn from_str(text: &str) -> Result<Self, InvalidSku> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(allowed);
        if fits && !matches!(text, "." | "..") {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSku)
        }
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skus_are_parsed() {
        let longest = "x".repeat(64);
        for text in ["A", "tea.green_1-kg", "...", ".a", &longest] {
            assert_eq!(text.parse::<Sku>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "größe", "a/b", &format!("{longest}x")] {
            assert_eq!(text.parse::<Sku>(), Err(InvalidSku), "{text}");
        }
    }

    #[test]
    fn what_no_path_can_name_is_refused_and_read() {
        for text in [".", ".."] {
            assert_eq!(text.parse::<Sku>(), Err(InvalidSku), "{text}");
            let read: Sku = serde_json::from_value(text.into()).unwrap();
            assert_eq!(read.as_str(), text);
        }
    }

    #[test]
    fn customer_ids_are_parsed() {
        let longest = "ü".repeat(128);
        for text in ["a", "ada@example.com", "auth0|42", &longest] {
            assert_eq!(text.parse::<CustomerId>().unwrap().as_str(), text);
        }
        for text in ["", "  ", "a\nb", "a\u{0}", &format!("{longest}x")] {
            assert!(text.parse::<CustomerId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn uuids_are_plain_strings_outside() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        let id: OrderId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_value(id).unwrap(), text);
        assert!("order-1".parse::<OrderId>().is_err());
    }
}
