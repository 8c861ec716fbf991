//! Where a page of orders ended.
//!
//! Order and filter of a list never change while one pages through it: the cursor holds the last row's sort key, which
//! survives rebuilds, and a hash of the filter, so that a cursor of one list is refused by another.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Never renamed, or cursors in the hands of clients die.
const FILTER_NAMESPACE: Uuid = Uuid::from_u128(0x5b1e_8f0a_2f6e_4c55_9a37_6d0c_41c6_02b4);

/// The last row's sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) placed_at: DateTime<Utc>,
    pub(super) id: Uuid,
}

impl Cursor {
    /// Opaque to clients: microseconds (8 bytes), id (16), hash of the filter (8), as base64url.
    pub(super) fn encode(self, filter: &str) -> String {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(self.placed_at.timestamp_micros().to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(hash(filter));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` where it is no cursor of ours, or of another filter.
    pub(super) fn decode(text: &str, filter: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (micros, rest) = bytes.split_first_chunk::<8>()?;
        let (id, filter_hash) = rest.split_first_chunk::<16>()?;
        if *filter_hash != hash(filter) {
            return None;
        }
        Some(Self {
            placed_at: DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?,
            id: Uuid::from_bytes(*id),
        })
    }
}

fn hash(filter: &str) -> [u8; 8] {
    let hash = Uuid::new_v5(&FILTER_NAMESPACE, filter.as_bytes());
    hash.as_u64_pair().0.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            placed_at: DateTime::from_timestamp_micros(1_753_000_000_123_456).expect("in range"),
            id: Uuid::from_u128(42),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let text = cursor().encode("customer");
        assert_eq!(Cursor::decode(&text, "customer"), Some(cursor()));
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let text = cursor().encode("customer");
        assert_eq!(Cursor::decode(&text, "another"), None);
        for text in ["", "nonsense", "????", &text[1..], &format!("{text}AAAA")] {
            assert_eq!(Cursor::decode(text, "customer"), None, "{text}");
        }
    }
}
