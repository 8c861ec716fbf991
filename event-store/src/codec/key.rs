//! Record keys as text. Of a foreign record one may be any bytes.

use uuid::Uuid;

use super::{MAX_FOREIGN_BYTES, storable};

/// Before the hash of what was cut or left out.
const CUT: char = '…';

/// Bytes that are no text are replaced. NUL, which no database takes as text, is left out, and what is long is cut: a hash then tells it
/// from others.
pub(super) fn key(bytes: &[u8]) -> Box<str> {
    let key = String::from_utf8_lossy(bytes);
    if key.len() <= MAX_FOREIGN_BYTES && !key.contains('\0') {
        return key.into();
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes);
    format!("{}{CUT}{hash}", storable(&key)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_database_takes_is_altered() {
        let longest = "k".repeat(MAX_FOREIGN_BYTES);
        for whole in [
            "",
            "A-1",
            "0190d3a0-0000-7000-8000-000000000000",
            "ü…",
            &longest,
        ] {
            assert_eq!(&*key(whole.as_bytes()), whole);
        }
        let too_long = "ü".repeat(MAX_FOREIGN_BYTES);
        for altered in [too_long.as_bytes(), b"A-1\0", b"\0", b"\xff"] {
            let key = key(altered);
            assert_ne!(key.as_bytes(), altered);
            assert!(!key.contains('\0'), "{key}");
        }
    }
}
