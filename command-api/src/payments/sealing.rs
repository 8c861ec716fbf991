//! A payment method on its way through the topics: encrypted where it comes in, opened where the gateway is called. A request
//! to pay is known again by its fingerprint, which takes the key, too.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use domain::{ids::PaymentId, sealed::SealedMethod};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Names the way of sealing, so that there can be another.
const VERSION: &str = "v1.";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// What sets the key of fingerprints apart from the one that seals. Never changed: repetitions are known by it.
const FINGERPRINTS: &[u8] = b"offset-zero: fingerprints of payment methods";
/// What everybody can read in the source; for development.
const DEVELOPMENT_KEY: [u8; KEY_BYTES] = *b"offset-zero: anybody can read it";

/// The key that the order service seals with, and the payment service opens with.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentKey([u8; KEY_BYTES]);

/// Not the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the base64 of {KEY_BYTES} bytes, as `openssl rand -base64 {KEY_BYTES}` makes them"
)]
pub struct InvalidPaymentKey;

/// It was sealed with another key, for another payment, or is no sealed method at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payment method cannot be opened: was it sealed with this key?")]
pub(crate) struct Unopenable;

impl PaymentKey {
    /// No secret: for development.
    pub const DEVELOPMENT: Self = Self(DEVELOPMENT_KEY);

    /// Seals a method for one payment: nobody can put it into another.
    pub(crate) fn seal(&self, method: &str, payment_id: PaymentId) -> SealedMethod {
        let mut nonce = [0; NONCE_BYTES];
        // Two random ids have 244 random bits between them; a nonce has 192.
        let random = [Uuid::new_v4(), Uuid::new_v4()];
        let bytes = random.iter().flat_map(Uuid::as_bytes);
        for (place, byte) in nonce.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let bound_to = payment_id.as_uuid();
        let payload = Payload {
            msg: method.as_bytes(),
            aad: bound_to.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a method is far shorter than what can be encrypted");
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        format!("{VERSION}{text}")
            .parse()
            .expect("a method of 255 characters, of four bytes each, is sealed in fewer than 1,536")
    }

    /// What was sealed.
    pub(crate) fn open(
        &self,
        sealed: &SealedMethod,
        payment_id: PaymentId,
    ) -> Result<String, Unopenable> {
        let text = sealed.as_str().strip_prefix(VERSION).ok_or(Unopenable)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unopenable)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unopenable)?;
        let bound_to = payment_id.as_uuid();
        let payload = Payload {
            msg: sealed,
            aad: bound_to.as_bytes(),
        };
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        String::from_utf8(opened.map_err(|_| Unopenable)?).map_err(|_| Unopenable)
    }

    /// Stands for a method of one payment in what lies in the log: always the same, and without the key nobody can try methods
    /// out against it, nor see that two payments have one.
    pub(crate) fn fingerprint(&self, method: &str, payment_id: PaymentId) -> String {
        let key = authentication(&self.0, &[FINGERPRINTS]);
        let bound_to = payment_id.as_uuid();
        let parts = [bound_to.as_bytes().as_slice(), method.as_bytes()];
        URL_SAFE_NO_PAD.encode(authentication(&key, &parts))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.0))
    }
}

/// HMAC-SHA256 of parts of which all but the last have a fixed length.
fn authentication(key: &[u8], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().into()
}

impl FromStr for PaymentKey {
    type Err = InvalidPaymentKey;

    fn from_str(text: &str) -> Result<Self, InvalidPaymentKey> {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
        let bytes = decoded.map_err(|_| InvalidPaymentKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidPaymentKey)
    }
}

impl fmt::Debug for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(number: u128) -> PaymentId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn what_was_sealed_is_opened_for_that_payment_and_with_that_key_only() {
        let key = PaymentKey::DEVELOPMENT;
        let longest = "😀".repeat(255);
        for method in ["tok_visa", "ü", &longest] {
            let sealed = key.seal(method, payment(1));
            assert!(!sealed.as_str().contains(method));
            assert_eq!(key.open(&sealed, payment(1)).as_deref(), Ok(method));
            assert_eq!(key.open(&sealed, payment(2)), Err(Unopenable));
            assert_eq!(
                PaymentKey([1; 32]).open(&sealed, payment(1)),
                Err(Unopenable)
            );
            assert_ne!(key.seal(method, payment(1)), sealed, "a nonce is used once");
        }
        for text in ["x", "v1.", "v1.AAAA", "v1.!", "v2.AAAA"] {
            let sealed = text.parse().expect("visible");
            assert_eq!(key.open(&sealed, payment(1)), Err(Unopenable), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_one_method_one_payment_and_one_key() {
        let key = PaymentKey::DEVELOPMENT;
        let fingerprint = key.fingerprint("tok_visa", payment(1));
        assert_eq!(key.fingerprint("tok_visa", payment(1)), fingerprint);
        for other in [
            key.fingerprint("tok_vis", payment(1)),
            key.fingerprint("tok_visa", payment(2)),
            PaymentKey([1; 32]).fingerprint("tok_visa", payment(1)),
        ] {
            assert_ne!(other, fingerprint);
        }
    }

    #[test]
    fn keys_are_32_bytes() {
        let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        assert_eq!(key.parse(), Ok(PaymentKey([7; 32])));
        for text in ["", "AAAA", "not base64!"] {
            assert_eq!(text.parse::<PaymentKey>(), Err(InvalidPaymentKey));
        }
        assert_eq!(format!("{:?}", PaymentKey([7; 32])), "PaymentKey(…)");
    }
}
