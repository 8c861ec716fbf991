//! What all lists have in common: how many items a page has, and where it ended.
//!
//! Order and filter of a list never change while one pages through it: the cursor holds the last row's sort key, which
//! survives rebuilds, and a hash of it and of which list it is, so that a cursor of another list, or one that was changed, is refused.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use runtime::problem::Problem;
use uuid::Uuid;

const MAX_LIMIT: i64 = 200;
pub(crate) const DEFAULT_LIMIT: i64 = 50;
/// Never renamed, or cursors in the hands of clients die.
const LIST_NAMESPACE: Uuid = Uuid::from_u128(0x5b1e_8f0a_2f6e_4c55_9a37_6d0c_41c6_02b4);

/// 4713 BC: Postgres begins in the year before it, and ends later than chrono.
const FIRST_YEAR: i32 = -4712;

/// What a list is ordered by; no two rows have the same.
pub(crate) trait SortKey: Sized {
    /// Opaque to clients, and never changed for the same reason as the namespace.
    fn to_bytes(&self) -> Vec<u8>;

    /// None where they are not of a key of this list.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// Adds to the problem where the limit is out of range.
pub(crate) fn check_limit(problem: Problem, limit: Option<i64>) -> Problem {
    if limit.is_none_or(|limit| (1..=MAX_LIMIT).contains(&limit)) {
        return problem;
    }
    let detail = format_args!("has to be 1 to {MAX_LIMIT}");
    problem.error("/limit", "out-of-range", detail)
}

/// The limit, where there is nothing else that can be wrong with the query.
pub(crate) fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    check_limit(Problem::validation(), limit).if_any()?;
    Ok(limit.unwrap_or(DEFAULT_LIMIT))
}

/// Cuts the one row off that was read beyond the limit, and answers the cursor to the next page where there was one.
pub(crate) fn cut<T, K: SortKey>(
    items: &mut Vec<T>,
    limit: i64,
    list: &str,
    key: impl FnOnce(&T) -> K,
) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    last.map(|item| encode(&key(item), list))
}

/// The sort key after which a page begins; none for the first page.
pub(crate) fn after<K: SortKey>(cursor: Option<&str>, list: &str) -> Result<Option<K>, Problem> {
    let invalid = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-cursor",
            "The cursor is not one of this list",
        )
        .detail("a cursor is a `next_cursor` of the same list, used with the same filter")
    };
    let key = cursor.map(|text| decode(text, list).ok_or_else(invalid));
    key.transpose()
}

/// The part of a key that is a time, in microseconds. As with other parts, none where Postgres cannot hold it: then no row has it.
pub(crate) fn time(micros: [u8; 8]) -> Option<DateTime<Utc>> {
    let time = DateTime::from_timestamp_micros(i64::from_be_bytes(micros));
    time.filter(|time| time.year() >= FIRST_YEAR)
}

/// The part of a key that is a day, counted from the first of the common era.
pub(crate) fn day(number: [u8; 4]) -> Option<NaiveDate> {
    let day = NaiveDate::from_num_days_from_ce_opt(i32::from_be_bytes(number));
    day.filter(|day| day.year() >= FIRST_YEAR)
}

/// The part of a key that is text.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8(bytes.into()).ok();
    text.filter(|text| !text.contains('\0'))
}

/// The key and a hash of it and the list (8 bytes), as base64url.
fn encode(key: &impl SortKey, list: &str) -> String {
    let mut bytes = key.to_bytes();
    let hash = hash(list, &bytes);
    bytes.extend(hash);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<K: SortKey>(text: &str, list: &str) -> Option<K> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (key, key_hash) = bytes.split_last_chunk::<8>()?;
    if *key_hash != hash(list, key) {
        return None;
    }
    K::from_bytes(key)
}

/// No secret is part of it: a cursor gives nobody more than the list does.
fn hash(list: &str, key: &[u8]) -> [u8; 8] {
    let list = Uuid::new_v5(&LIST_NAMESPACE, list.as_bytes());
    let hash = Uuid::new_v5(&list, key);
    hash.as_u64_pair().0.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Number(u64);

    impl SortKey for Number {
        fn to_bytes(&self) -> Vec<u8> {
            self.0.to_be_bytes().into()
        }

        fn from_bytes(bytes: &[u8]) -> Option<Self> {
            Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let text = encode(&Number(42), "customer");
        assert_eq!(decode(&text, "customer"), Some(Number(42)));
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }

    #[test]
    fn refuses_what_it_did_not_write() {
        let text = encode(&Number(42), "customer");
        assert_eq!(decode::<Number>(&text, "another"), None);
        for text in ["", "nonsense", "????", &text[1..], &format!("{text}AAAA")] {
            assert_eq!(decode::<Number>(text, "customer"), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_was_changed_since() {
        let text = encode(&Number(42), "customer");
        let written = URL_SAFE_NO_PAD.decode(text).expect("it is base64");
        for place in 0..written.len() {
            let mut changed = written.clone();
            changed[place] ^= 1;
            let text = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(decode::<Number>(&text, "customer"), None, "{place}");
        }
    }

    #[test]
    fn a_page_is_cut_to_its_limit() {
        let mut items = vec![1, 2, 3];
        let key = |item: &u64| Number(*item);
        let next = cut(&mut items, 2, "all", key).expect("a next page");
        assert_eq!(items, [1, 2]);
        assert_eq!(decode(&next, "all"), Some(Number(2)));
        assert_eq!(cut(&mut items, 2, "all", key), None);
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(limit(None).ok(), Some(DEFAULT_LIMIT));
        for number in [1, MAX_LIMIT] {
            assert_eq!(limit(Some(number)).ok(), Some(number));
        }
        for number in [i64::MIN, 0, MAX_LIMIT + 1] {
            assert!(limit(Some(number)).is_err(), "{number}");
        }
    }
}
