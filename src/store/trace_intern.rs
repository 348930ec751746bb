//! Values kept once while something refers to them, under small numbers.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A table of values with a count of references. Numbers of values that nobody refers to are used again, so its
/// size follows what is in use, not what ever was.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new(), index: HashTable::new(), hasher: FixedState::default() }
    }
}

impl<T: Hash + Eq + Clone> Interned<T> {
    /// The number of `value`, with one reference more.
    pub(super) fn acquire(&mut self, value: &T) -> u32 {
        let hash = self.hasher.hash_one(value);
        if let Some(&number) = self.index.find(hash, |&number| self.get(number) == value) {
            self.retain(number);
            return number;
        }
        let entry = Some((value.clone(), 1));
        let number = if let Some(number) = self.free.pop() {
            self.values[number as usize] = entry;
            number
        } else {
            self.values.push(entry);
            u32::try_from(self.values.len() - 1).expect("fewer than 2^32 values")
        };
        let Self { values, index, hasher, .. } = self;
        index.insert_unique(hash, number, |&number| hasher.hash_one(value_of(values, number)));
        number
    }

    /// One reference more to a number that is in use.
    pub(super) fn retain(&mut self, number: u32) {
        if let Some((_, count)) = &mut self.values[number as usize] {
            *count += 1;
        }
    }

    /// One reference less.
    pub(super) fn release(&mut self, number: u32) {
        let Some((value, count)) = &mut self.values[number as usize] else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        let hash = self.hasher.hash_one(&*value);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == number) {
            entry.remove();
        }
        self.values[number as usize] = None;
        self.free.push(number);
    }

    /// The value with that number, which is in use.
    pub(super) fn get(&self, number: u32) -> &T {
        value_of(&self.values, number)
    }

    /// The number of a value that is in use.
    pub(super) fn find(&self, value: &T) -> Option<u32> {
        self.index.find(self.hasher.hash_one(value), |&number| self.get(number) == value).copied()
    }
}

fn value_of<T>(values: &[Option<(T, u32)>], number: u32) -> &T {
    &values[number as usize].as_ref().expect("a number in use has a value").0
}

#[cfg(test)]
mod tests {
    use super::Interned;

    #[test]
    fn what_nobody_refers_to_makes_room() {
        let mut table = Interned::default();
        let (a, b) = (table.acquire(&"a"), table.acquire(&"b"));
        assert_eq!(table.acquire(&"a"), a);
        assert_ne!(a, b);
        table.release(a);
        assert_eq!(table.find(&"a"), Some(a), "one reference is left");
        table.release(a);
        assert_eq!(table.find(&"a"), None);
        assert_eq!(table.acquire(&"c"), a, "its number is free");
        assert_eq!((*table.get(a), *table.get(b)), ("c", "b"));
    }
}
