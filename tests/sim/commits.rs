//! The commits that the simulated disk holds, and which state of the ledger each record of them makes: read from the values that hubs
//! put, past every hub, so that what tabs are told of commits has something to be held against. Fed by `disk`, asked by `post` and `told`.

use super::frames;
use super::ledger::READ;
use crate::support;
use std::collections::BTreeMap;
use tabhub::ids::{BlockNo, Generation, LogPos};
use tabhub::store::header::Header;
use tabhub::store::memory::MemoryStore;
use tabhub::store::record::CommitRecord;
use tabhub::store::{Block, Key, Write, WriteBatch};

/// The commits that became durable as one record, and how many rows the ledger had before them and has with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub first: u64,
    pub last: u64,
    pub before: i64,
    pub n: i64,
}

#[derive(Debug)]
pub struct Commits {
    /// In order, since the database was made or replaced.
    pub stored: Vec<Stored>,
    generation: Generation,
    /// Of records whose last part is not there yet, by their place in the log.
    parts: BTreeMap<u64, Vec<u8>>,
    /// The blocks as the log has them, which patches build on.
    blocks: BTreeMap<u32, Block>,
}

impl Commits {
    pub fn of(store: &MemoryStore) -> Self {
        let mut this = Self { stored: vec![], generation: generation(store), parts: BTreeMap::new(), blocks: BTreeMap::new() };
        for key in store.keys() {
            if let (Key::Log(at), Some(value)) = (key, store.value(key)) {
                this.parts.insert(at.0, value.to_vec());
            }
        }
        this.take_records();
        this
    }

    /// The newest that no crash takes back.
    pub fn newest(&self) -> u64 {
        self.stored.last().map_or(0, |stored| stored.last)
    }

    /// The oldest of which it is known what it made.
    pub fn oldest(&self) -> u64 {
        self.stored.first().map_or(0, |stored| stored.last)
    }

    /// How many rows the ledger had as of the record that ends with this commit.
    pub fn rows_at(&self, commit: u64) -> Option<i64> {
        let at = self.stored.binary_search_by_key(&commit, |stored| stored.last).ok()?;
        Some(self.stored[at].n)
    }

    /// The store has carried this out.
    pub fn note(&mut self, batch: &WriteBatch, store: &MemoryStore) {
        for write in &batch.writes {
            match write {
                Write::Put(Key::Log(at), value) => drop(self.parts.insert(at.0, value.clone())),
                Write::Put(..) => {}
                Write::Delete(from, to) => self.parts.retain(|at, _| !(*from..=*to).contains(&Key::Log(LogPos(*at)))),
            }
        }
        let names_header = || batch.writes.iter().any(|write| matches!(write, Write::Put(Key::Header, _)));
        if names_header() && generation(store) != self.generation {
            self.begin_with_import(store);
        }
        self.take_records();
    }

    /// The database was replaced: a fresh hub says what by.
    fn begin_with_import(&mut self, store: &MemoryStore) {
        let mut fresh = support::World::over(store.clone());
        let (tab, commit) = fresh.welcome("reader");
        let n = fresh.query(tab, READ).ok().and_then(|rows| frames::state(&rows).ok()).map_or(0, |state| state.n);
        let stored = vec![Stored { first: commit, last: commit, before: n, n }];
        *self = Self { stored, generation: generation(store), parts: BTreeMap::new(), blocks: BTreeMap::new() };
    }

    fn take_records(&mut self) {
        while let Some(first) = self.parts.keys().next().copied() {
            let values: Vec<_> = self.parts.iter().map(|(at, value)| (*at, value.clone())).collect();
            match CommitRecord::decode(&values) {
                Ok(Some((record, used))) => {
                    values[..used].iter().for_each(|(at, _)| drop(self.parts.remove(at)));
                    self.take(record);
                }
                Ok(None) => return,
                // The last part of a record that was put once more, after its answer had been lost.
                Err(_) => drop(self.parts.remove(&first)),
            }
        }
    }

    fn take(&mut self, mut record: CommitRecord) {
        if record.grow(|BlockNo(number)| self.blocks.get(&number).cloned()).is_none() {
            // A broken store's; the audit will tell.
            return;
        }
        // One that was put once more, or took the place of one that never happened.
        while self.stored.last().is_some_and(|stored| stored.last >= record.first.0) {
            self.stored.pop();
        }
        let before = self.stored.last().map_or(0, |stored| stored.n);
        let mut n = before;
        for (number, block) in record.pages {
            n = rows_of_state(&block).unwrap_or(n);
            self.blocks.insert(number.0, block);
        }
        self.stored.push(Stored { first: record.first.0, last: record.last.0, before, n });
    }
}

fn generation(store: &MemoryStore) -> Generation {
    let header = store.value(Key::Header).and_then(|value| Header::decode(value).ok());
    header.unwrap_or_default().generation
}

/// What a page says that holds the only row of the table `state`, wherever `SQLite` has put it: a leaf with one cell, row 1, of three columns,
/// the key itself (which is stored as NULL), `n` and `hash`. No other table of the ledger has such a row.
fn rows_of_state(page: &[u8]) -> Option<i64> {
    const LEAF: u8 = 13;
    let [LEAF, _, _, 0, 1, _, _, _, high, low, ..] = page else { return None };
    let cell = page.get(usize::from(u16::from_be_bytes([*high, *low]))..)?;
    let [_, 1, 4, 0, n, 1..=6 | 8 | 9, values @ ..] = cell else { return None };
    match n {
        // Zero and one are stored in the type.
        8 | 9 => Some(i64::from(n - 8)),
        1..=4 => Some(values.get(..usize::from(*n))?.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))),
        _ => None,
    }
}
