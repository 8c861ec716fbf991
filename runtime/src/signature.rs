//! Webhooks that are signed as Standard Webhooks 1.0 says (<https://www.standardwebhooks.com>): who has sent a request,
//! that nobody has changed it, and that it is not an old one sent again.
//!
//! A request carries `webhook-id`, `webhook-timestamp` (Unix seconds) and `webhook-signature`: `v1,<base64>` of
//! HMAC-SHA256 over `id.timestamp.body`; several, separated by spaces, while a secret is being replaced.
//! The same event may come twice with the same id, so whoever verifies still has to ignore what it knows.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, HeaderName};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The event's id, the same in every delivery of it.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// When this delivery was sent, in Unix seconds.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The signatures of this delivery.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What anybody can read in the source: for development, where senders and receivers are ours.
pub const DEVELOPMENT_SECRET: &str = "offset-zero development secret";

/// How far the sender's clock and ours may be apart, and how long an intercepted delivery can be sent again.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

const SECRET_PREFIX: &str = "whsec_";
/// What the specification asks of a secret in base64.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Of a secret in plain text: fewer can be guessed, more are a mistake.
const SECRET_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=512;
const VERSION: &str = "v1";
const MAX_ID_LENGTH: usize = 256;
/// Two while a secret is replaced; a few more are no harm.
const MAX_SIGNATURES: usize = 16;

/// What sender and receiver share.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret. It does not say the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It begins with `whsec_`, and what follows is not the base64 of 24 to 64 bytes.
    #[error("after `{SECRET_PREFIX}` there has to be the base64 of {} to {} bytes", SECRET_BYTES.start(), SECRET_BYTES.end())]
    Encoded,
    /// It is too short or too long.
    #[error("a secret has {} to {} characters", SECRET_CHARACTERS.start(), SECRET_CHARACTERS.end())]
    Length,
}

/// The verified id of an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookId(String);

/// Why a request is not taken for the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// A header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header cannot be read.
    #[error("the header {0} cannot be read")]
    Malformed(&'static str),
    /// It was sent too long ago, or is not to be sent yet.
    #[error("the timestamp is more than {} minutes from now", TOLERANCE.num_minutes())]
    Time,
    /// No signature is of this secret, id, timestamp and body.
    #[error("no signature matches")]
    Mismatch,
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let Some(encoded) = text.strip_prefix(SECRET_PREFIX) else {
            let fits = SECRET_CHARACTERS.contains(&text.chars().count());
            return match fits {
                true => Ok(Self(text.as_bytes().to_vec())),
                false => Err(InvalidSecret::Length),
            };
        };
        let decoded = STANDARD.decode(encoded);
        let key = decoded.ok().filter(|key| SECRET_BYTES.contains(&key.len()));
        key.map(Self).ok_or(InvalidSecret::Encoded)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl WebhookId {
    /// As it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Secret {
    /// The value of `webhook-signature` for a delivery that is sent at `timestamp`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: DateTime<Utc>, body: &[u8]) -> String {
        let code = self.authentication(id, &timestamp.timestamp().to_string(), body);
        let encoded = STANDARD.encode(code.finalize().into_bytes());
        format!("{VERSION},{encoded}")
    }

    /// The three headers of a delivery that is sent at `timestamp`.
    #[must_use]
    pub fn headers(
        &self,
        id: &str,
        timestamp: DateTime<Utc>,
        body: &[u8],
    ) -> [(HeaderName, String); 3] {
        [
            (WEBHOOK_ID, id.to_owned()),
            (WEBHOOK_TIMESTAMP, timestamp.timestamp().to_string()),
            (WEBHOOK_SIGNATURE, self.sign(id, timestamp, body)),
        ]
    }

    /// Checks a request's headers against its body, which has to be as it came, byte by byte.
    ///
    /// # Errors
    /// Where it cannot be known that whoever has the secret has sent this, and within five minutes of `now`.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<WebhookId, InvalidSignature> {
        let id = text(headers, &WEBHOOK_ID, "webhook-id")?;
        // A dot in the id would let the bounds between id, timestamp and body be moved.
        if id.is_empty() || id.len() > MAX_ID_LENGTH || id.contains('.') {
            return Err(InvalidSignature::Malformed("webhook-id"));
        }
        let timestamp = text(headers, &WEBHOOK_TIMESTAMP, "webhook-timestamp")?;
        let signatures = text(headers, &WEBHOOK_SIGNATURE, "webhook-signature")?;
        let sent_at = timestamp.parse().ok();
        let sent_at = sent_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let sent_at = sent_at.ok_or(InvalidSignature::Malformed("webhook-timestamp"))?;
        if (now - sent_at).abs() > TOLERANCE {
            return Err(InvalidSignature::Time);
        }
        let code = self.authentication(id, timestamp, body);
        let matches = signatures
            .split(' ')
            .take(MAX_SIGNATURES)
            .filter_map(|signature| signature.split_once(','))
            .filter(|(version, _)| *version == VERSION)
            .filter_map(|(_, encoded)| STANDARD.decode(encoded).ok())
            // In constant time: how long a comparison takes must not tell how much of it was right.
            .any(|signature| code.clone().verify_slice(&signature).is_ok());
        match matches {
            true => Ok(WebhookId(id.to_owned())),
            false => Err(InvalidSignature::Mismatch),
        }
    }

    fn authentication(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut code =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            code.update(part);
        }
        code
    }
}

fn text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    told: &'static str,
) -> Result<&'a str, InvalidSignature> {
    let value = headers.get(name).ok_or(InvalidSignature::Missing(told))?;
    value
        .to_str()
        .map_err(|_| InvalidSignature::Malformed(told))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The example of the Standard Webhooks libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_AT: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        SECRET.parse().expect("a secret")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn sent_at() -> DateTime<Utc> {
        at(SENT_AT.parse().expect("seconds"))
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let pairs = [
            (WEBHOOK_ID, id),
            (WEBHOOK_TIMESTAMP, timestamp),
            (WEBHOOK_SIGNATURE, signature),
        ];
        let pairs = pairs.map(|(name, value)| (name, HeaderValue::from_str(value).expect("text")));
        pairs.into_iter().collect()
    }

    #[test]
    fn the_published_example_is_signed_and_verified() {
        assert_eq!(secret().sign(ID, sent_at(), BODY), SIGNATURE);
        let verified = secret().verify(&headers(ID, SENT_AT, SIGNATURE), BODY, sent_at());
        assert_eq!(verified.expect("it is signed").as_str(), ID);
    }

    #[test]
    fn anything_changed_is_noticed() {
        let other = "a secret of somebody else".parse::<Secret>().expect("text");
        let signed = headers(ID, SENT_AT, SIGNATURE);
        let mismatch = Err(InvalidSignature::Mismatch);
        assert_eq!(other.verify(&signed, BODY, sent_at()), mismatch);
        assert_eq!(
            secret().verify(&signed, br#"{"test": 2432232315}"#, sent_at()),
            mismatch
        );
        for headers in [
            headers("msg_other", SENT_AT, SIGNATURE),
            headers(ID, "1614265331", SIGNATURE),
            headers(ID, SENT_AT, &SIGNATURE.replace("g0h", "g0i")),
            headers(ID, SENT_AT, &SIGNATURE.replace("v1", "v1a")),
            headers(ID, SENT_AT, "v1,"),
            headers(ID, SENT_AT, "v1,g0hM9SsE"),
            headers(ID, SENT_AT, "nothing"),
        ] {
            assert_eq!(secret().verify(&headers, BODY, sent_at()), mismatch);
        }
    }

    #[test]
    fn one_matching_signature_of_several_is_enough() {
        let several = format!("v1a,bm90aGluZw== v1,bm90aGluZw== {SIGNATURE}");
        let signed = headers(ID, SENT_AT, &several);
        assert!(secret().verify(&signed, BODY, sent_at()).is_ok());
    }

    #[test]
    fn a_delivery_is_good_for_five_minutes_either_way() {
        let signed = headers(ID, SENT_AT, SIGNATURE);
        let verify = |now| secret().verify(&signed, BODY, now).map(drop);
        for apart in [TOLERANCE, -TOLERANCE] {
            assert_eq!(verify(sent_at() + apart), Ok(()));
        }
        let too_far = TOLERANCE + TimeDelta::seconds(1);
        for apart in [too_far, -too_far] {
            assert_eq!(verify(sent_at() + apart), Err(InvalidSignature::Time));
        }
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        for (name, told) in [
            (WEBHOOK_ID, "webhook-id"),
            (WEBHOOK_TIMESTAMP, "webhook-timestamp"),
            (WEBHOOK_SIGNATURE, "webhook-signature"),
        ] {
            let mut signed = headers(ID, SENT_AT, SIGNATURE);
            signed.remove(&name);
            assert_eq!(
                secret().verify(&signed, BODY, sent_at()),
                Err(InvalidSignature::Missing(told))
            );
        }
        let long = "a".repeat(MAX_ID_LENGTH + 1);
        for (id, timestamp, told) in [
            (ID, "soon", "webhook-timestamp"),
            (ID, "9223372036854775807", "webhook-timestamp"),
            ("", SENT_AT, "webhook-id"),
            ("msg.1614265330", SENT_AT, "webhook-id"),
            (long.as_str(), SENT_AT, "webhook-id"),
        ] {
            assert_eq!(
                secret().verify(&headers(id, timestamp, SIGNATURE), BODY, sent_at()),
                Err(InvalidSignature::Malformed(told))
            );
        }
    }

    #[test]
    fn secrets_are_long_enough_and_never_shown() {
        for (text, error) in [
            ("whsec_", InvalidSecret::Encoded),
            ("whsec_MfKQ9r8GKYqrTwjU", InvalidSecret::Encoded),
            (
                "whsec_this is not base64, however long it is",
                InvalidSecret::Encoded,
            ),
            ("only 15 letters", InvalidSecret::Length),
            ("a".repeat(513).as_str(), InvalidSecret::Length),
        ] {
            assert_eq!(text.parse::<Secret>().err(), Some(error), "{text}");
        }
        let plain: Secret = "plain text is fine too".parse().expect("a secret");
        assert_eq!(format!("{plain:?}"), "Secret(…)");
        assert_ne!(plain.sign(ID, sent_at(), BODY), SIGNATURE);
    }
}
