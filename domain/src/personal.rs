//! What is known of people. It sits in one member of an event and nowhere else, so that it can be encrypted, and erased,
//! without touching the event's shape.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{InvalidText, Text};

/// The envelope of personal fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Personal<T> {
    /// The envelope's own version.
    v: u16,
    /// Which key the content is encrypted with; none yet.
    kid: Option<Box<str>>,
    /// The fields themselves.
    pub data: T,
}

impl<T> Personal<T> {
    /// Not encrypted.
    #[must_use]
    pub fn clear(data: T) -> Self {
        Self {
            v: 1,
            kid: None,
            data,
        }
    }
}

/// Where goods go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShippingAddress {
    /// The recipient.
    pub name: Text<200>,
    /// Street and number.
    pub line1: Text<200>,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<Text<200>>,
    /// As the country writes it.
    pub postal_code: Text<20>,
    /// Town.
    pub city: Text<100>,
    /// ISO 3166-1 alpha-2.
    pub country: Country,
}

/// How to reach the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contact {
    /// An e-mail address.
    pub email: Email,
}

/// An ISO 3166-1 alpha-2 code: two upper-case letters. Which of them are countries is not judged here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Country(Text<2>);

/// Not two upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be two upper-case letters, as in DE")]
pub struct InvalidCountry;

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidCountry);
        }
        text.parse()
            .map(Self)
            .map_err(|InvalidText { .. }| InvalidCountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An e-mail address. Only sending to it tells whether it is one, so little is asked: something on both sides of an `@`,
/// no white space, 254 characters at most (RFC 5321).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Email(Text<254>);

/// Surely no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most 254 characters")]
pub struct InvalidEmail;

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let parts = text.rsplit_once('@');
        let complete = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !complete || text.contains(char::is_whitespace) {
            return Err(InvalidEmail);
        }
        text.parse()
            .map(Self)
            .map_err(|InvalidText { .. }| InvalidEmail)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn countries_are_two_upper_case_letters() {
        assert_eq!("DE".parse::<Country>().unwrap().to_string(), "DE");
        for text in ["", "de", "D", "DEU", "D1", "Ü"] {
            assert_eq!(text.parse::<Country>(), Err(InvalidCountry), "{text}");
        }
    }

    #[test]
    fn emails_have_two_sides() {
        let longest = format!("{}@example.com", "x".repeat(242));
        for text in ["a@b", "\"a@b\"@example.com", &longest] {
            assert_eq!(text.parse::<Email>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b\n",
            &format!("x{longest}"),
        ] {
            assert_eq!(text.parse::<Email>(), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn the_envelope_has_a_version_and_room_for_a_key() {
        let clear = serde_json::to_value(Personal::clear("Ada")).unwrap();
        assert_eq!(clear, json!({"v": 1, "kid": null, "data": "Ada"}));
    }
}
