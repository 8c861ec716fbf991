//! What is told, and by which way.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::NotificationId,
    personal::{Email, Personal},
    text::{InvalidText, Text},
};

/// Why something did not reach anybody, for operators. Never what the other side wrote, which may name people.
pub type FailureReason = Text<200>;

/// Everything that it takes to tell somebody about something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// The event that it is about.
    pub event_id: Uuid,
    /// What is said.
    pub template: Template,
    /// When that happened which it is about.
    pub occurred_at: DateTime<Utc>,
    /// Which way, and to whom.
    #[serde(flatten)]
    pub channel: Channel,
}

impl Message {
    /// The message's own name.
    #[must_use]
    pub fn id(&self) -> NotificationId {
        let target = match &self.channel {
            Channel::Email { .. } => "",
            Channel::Webhook { target } => target.as_str(),
        };
        NotificationId::of(self.event_id, self.channel.as_str(), target)
    }
}

/// Which way somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum Channel {
    /// The customer, by e-mail.
    Email {
        /// To whom.
        personal: Personal<Addressee>,
    },
    /// Another system, over HTTP.
    Webhook {
        /// Where.
        target: WebhookUrl,
    },
}

impl Channel {
    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
        }
    }
}

/// Who gets an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Addressee {
    /// The address.
    pub to: Email,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The order has come in.
    OrderConfirmation,
    /// It is paid.
    Payment,
    /// It has left.
    Shipped,
    /// It has arrived.
    Delivered,
    /// It has ended before that: called off, out of stock, or too late.
    Cancelled,
    /// Its money is the customer's again.
    Refunded,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OrderConfirmation,
        Self::Payment,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// As it is spelled in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderConfirmation => "order_confirmation",
            Self::Payment => "payment",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where another system is told: an `http` or `https` URL of at most 2,000 characters, without white space. It is kept in
/// events, so it must not carry a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct WebhookUrl(Text<2000>);

/// Not a URL that anybody can be told at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL with a host, without user or password")]
pub struct InvalidWebhookUrl;

impl WebhookUrl {
    /// As it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookUrl> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(InvalidWebhookUrl)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let has_host = !authority.is_empty() && !authority.starts_with(':');
        if !has_host || authority.contains('@') || text.contains(char::is_whitespace) {
            return Err(InvalidWebhookUrl);
        }
        text.parse()
            .map(Self)
            .map_err(|InvalidText { .. }| InvalidWebhookUrl)
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_urls_without_secrets() {
        let longest = format!("https://example.com/{}", "x".repeat(1_980));
        for text in [
            "http://localhost:9000",
            "https://example.com/hooks?shop=1#top",
            "https://example.com/@shop",
            &longest,
        ] {
            assert_eq!(text.parse::<WebhookUrl>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https:///path",
            "https://:80",
            "https://user:password@example.com/",
            "https://example.com/a b",
            &format!("{longest}x"),
        ] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(InvalidWebhookUrl), "{text}");
        }
    }

    #[test]
    fn templates_are_spelled_alike_everywhere() {
        for template in Template::ALL {
            let json = serde_json::to_value(template).unwrap();
            assert_eq!(json, template.as_str());
        }
    }
}
