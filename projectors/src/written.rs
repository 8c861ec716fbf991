//! Which rows a table may hold, so that one filled from nothing is not asked for each row that is new.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Bits that a key sets. With four, and ten bits a key, one in a hundred is taken for another.
const PROBES: u64 = 4;
const WORD_BITS: u64 = u64::BITS as u64;

/// A Bloom filter of the keys that were written: "no" is certain, "perhaps" costs a look at the table. When it is full,
/// everything is "perhaps".
pub(crate) struct WrittenKeys {
    words: Vec<u64>,
}

impl WrittenKeys {
    /// Of so many bytes, rounded down to a power of two.
    pub(crate) fn with_bytes(bytes: usize) -> Self {
        let words = 1 << (bytes / size_of::<u64>()).max(1).ilog2();
        Self {
            words: vec![0; words],
        }
    }

    pub(crate) fn add(&mut self, key: &impl Hash) {
        for (word, bit) in self.probes(key) {
            self.words[word] |= bit;
        }
    }

    pub(crate) fn may_hold(&self, key: &impl Hash) -> bool {
        self.probes(key)
            .all(|(word, bit)| self.words[word] & bit != 0)
    }

    /// By double hashing (Kirsch and Mitzenmacher): the halves of one hash are as good as many hashes.
    fn probes<K: Hash>(&self, key: &K) -> impl Iterator<Item = (usize, u64)> + use<K> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let (first, step) = (hash, hash.rotate_left(32) | 1);
        let mask = self.words.len() as u64 * WORD_BITS - 1;
        (0..PROBES).map(move |probe| {
            let place = first.wrapping_add(probe.wrapping_mul(step)) & mask;
            let word = usize::try_from(place / WORD_BITS).expect("within the filter");
            (word, 1 << (place % WORD_BITS))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::WrittenKeys;

    #[test]
    fn holds_what_was_added_and_little_else() {
        let mut written = WrittenKeys::with_bytes(16 << 10);
        assert!(!written.may_hold(&0_u64));
        (0..10_000_u64).for_each(|key| written.add(&key));
        assert!((0..10_000_u64).all(|key| written.may_hold(&key)));
        let mistaken = (10_000..20_000_u64).filter(|key| written.may_hold(key));
        // 13 bits a key.
        assert!(mistaken.count() < 100);
    }
}
