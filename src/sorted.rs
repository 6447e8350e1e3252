//! A map as a sorted vector. For the small maps of the hub: a fraction of a `BTreeMap`'s code for each pair of types, which
//! counts where the whole program is downloaded.

/// Entries sorted by key. Lookups are binary searches, insertions in the middle move what comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.cmp(&key))
    }

    pub fn get(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    pub fn contains_key(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    /// Puts a value in; one that was there gives way. At the end it costs nothing but the push.
    pub fn insert(&mut self, key: K, value: V) {
        if self.0.last().is_none_or(|(last, _)| *last < key) {
            return self.0.push((key, value));
        }
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Drops the entries from `key` on.
    pub fn remove_from(&mut self, key: K) {
        let start = self.find(key).unwrap_or_else(|at| at);
        self.0.truncate(start);
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(k, v)| keep(k, v));
    }

    /// The entries from one key to another, both included.
    pub fn range(&self, from: K, to: K) -> impl Iterator<Item = (K, &V)> {
        let start = self.find(from).unwrap_or_else(|at| at);
        self.0[start..].iter().take_while(move |(k, _)| *k <= to).map(|(k, v)| (*k, v))
    }

    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(k, v)| (*k, v))
    }

    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.0.iter().map(|(k, _)| *k)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, v)| v)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, v)| v)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..20, any::<Option<u8>>()), 0..60), from in 0u8..20, to in 0u8..20) {
            let (mut map, mut model) = (SortedMap::default(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(value) => { map.insert(key, value); model.insert(key, value); }
                    None => prop_assert_eq!(map.remove(key), model.remove(&key)),
                }
                prop_assert_eq!(map.get(key), model.get(&key));
            }
            prop_assert!(map.iter().eq(model.iter().map(|(k, v)| (*k, v))));
            let to = to.max(from);
            let mut cut = map.clone();
            cut.remove_from(from);
            prop_assert!(cut.iter().eq(model.range(..from).map(|(k, v)| (*k, v))));
            prop_assert!(map.range(from, to).eq(model.range(from..=to).map(|(k, v)| (*k, v))));
        }
    }
}
