//! The streams in memory: all of them, or the ones used last.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Entries in two generations. What is used moves to the young one; when that is full it becomes the old one, and what was
/// in the old one and may go is forgotten. So it holds what was used last, and costs nothing for each use.
pub(crate) struct Resident<K, V> {
    // Boxed, since states are large: a table that grows, and a generation that ends, move pointers.
    young: FxHashMap<K, Box<V>>,
    old: FxHashMap<K, Box<V>>,
    /// So many make a generation,
    generation: usize,
    /// beside those that could not be forgotten when the last one ended.
    kept: usize,
}

impl<K: Eq + Hash, V> Resident<K, V> {
    /// Holds about so many.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            young: FxHashMap::default(),
            old: FxHashMap::default(),
            generation: (most / 2).max(1),
            kept: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Looks without using it.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let value = self.young.get(key).or_else(|| self.old.get(key));
        value.map(Box::as_ref)
    }

    /// Moves it among those used last; false where it is in neither.
    pub(crate) fn touch(&mut self, key: &K) -> bool {
        if self.young.contains_key(key) {
            return true;
        }
        let Some((key, value)) = self.old.remove_entry(key) else {
            return false;
        };
        self.young.insert(key, value);
        true
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.young.get_mut(key).or_else(|| self.old.get_mut(key));
        value.map(Box::as_mut)
    }

    /// A new one.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.young.insert(key, Box::new(value));
    }

    /// Forgets what has not been used for long, where there is too much. What may not go counts as used.
    pub(crate) fn make_room(&mut self, may_go: impl Fn(&V) -> bool) {
        // Asked often: what may not go is not to be moved about each time.
        if self.young.len() < self.generation.saturating_add(self.kept) {
            return;
        }
        let mut forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        self.young
            .extend(forgotten.extract_if(|_, value| !may_go(value)));
        self.kept = self.young.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_used_last_and_what_may_not_go() {
        let mut resident = Resident::new(4);
        for key in 0..100 {
            if resident.contains(&0) {
                assert!(resident.touch(&0));
            }
            resident.insert(key, key);
            resident.make_room(|value| *value != 1);
            assert!(resident.len() <= 6, "{}", resident.len());
        }
        assert!(resident.contains(&0), "used all the time");
        assert!(resident.contains(&1), "may not go");
        assert!(!resident.contains(&2), "used long ago");
        assert!(resident.contains(&99));
    }
}
