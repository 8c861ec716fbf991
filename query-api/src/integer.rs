//! Integers in queries.

use serde::{Deserialize, Deserializer, de::Error as _};

/// Reads one that may be absent; for `deserialize_with`, beside `default`. What cannot be held lies beyond all that there is, and counts as
/// the last on its side that can.
///
/// # Errors
/// When it is none.
pub(crate) fn read<'de, D: Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(value)?;
    let (digits, last) = match text.strip_prefix('-') {
        Some(digits) => (digits, i64::MIN),
        None => (text.strip_prefix('+').unwrap_or(&text), i64::MAX),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Err(_) if is_number => Ok(Some(last)),
        parsed => parsed.map(Some).map_err(D::Error::custom),
    }
}
