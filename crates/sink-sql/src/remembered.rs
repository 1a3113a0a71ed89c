//! A bounded memory of rows: what was used lately is at hand, what was not is asked for again.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of at most `limit` rows each. What is used moves into the younger one; when that is full it becomes the older
/// one, and what nobody has used since is forgotten.
pub struct Remembered<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    limit: usize,
}

impl<K: Copy + Eq + Hash, V> Remembered<K, V> {
    pub fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), limit }
    }

    /// What is remembered; from now on, and until [`Self::age`] was called twice, it stays.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(&key) {
            self.young.insert(key, value);
        }
        self.young.get_mut(&key)
    }

    /// What is remembered.
    pub fn get(&self, key: K) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub fn remove(&mut self, key: K) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Forgets what is too much. Nothing is forgotten at another time.
    pub fn age(&mut self) {
        if self.young.len() > self.limit {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Remembered;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut rows = Remembered::new(2);
        for key in 0..3 {
            rows.insert(key, key);
        }
        rows.age();
        assert_eq!(rows.get_mut(1), Some(&mut 1), "still there, and young again");
        for key in 10..12 {
            rows.insert(key, key);
        }
        rows.age();
        assert_eq!((rows.get(0), rows.get(1), rows.get(10)), (None, Some(&1), Some(&10)));
        rows.remove(1);
        assert_eq!(rows.get_mut(1), None);
    }
}
