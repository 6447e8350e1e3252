//! A block store in memory: the reference for every other one, the store of the native tests, and what
//! `persistence: 'preferred'` falls back to where `IndexedDB` is missing. It completes each operation at once.

use super::header::{check_epoch, claim};
use super::ops::{BlockStore, Key, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
use crate::error::Error;
use crate::ids::{LogPos, OpId};
use crate::sorted::SortedMap;

#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    values: SortedMap<Key, Vec<u8>>,
    completed: Vec<(OpId, StoreResult)>,
}

impl MemoryStore {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The answers since the last call, in order.
    pub fn take_completed(&mut self) -> Vec<(OpId, StoreResult)> {
        std::mem::take(&mut self.completed)
    }

    /// The keys of the stored values, in order.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.values.keys()
    }

    /// Carries one operation out.
    ///
    /// # Errors
    /// [`StoreFailure::NotApplied`] when the header cannot be claimed or the writer is fenced.
    pub fn run(&mut self, op: StoreOp) -> StoreResult {
        match op {
            StoreOp::Open => self.open().map_err(StoreFailure::NotApplied),
            StoreOp::ReadGroups(generation, first, last) => {
                let groups =
                    self.values.range(Key::Group(generation, first), Key::Group(generation, last)).filter_map(|(key, value)| {
                        match key {
                            Key::Group(_, number) => Some((number, value.clone())),
                            _ => None,
                        }
                    });
                Ok(StoreReply::Groups(groups.collect()))
            }
            StoreOp::Write(batch) => self.write(batch).map_err(StoreFailure::NotApplied),
        }
    }

    fn open(&mut self) -> Result<StoreReply, Error> {
        let (header, bytes) = claim(self.values.get(Key::Header).map(Vec::as_slice))?;
        self.values.insert(Key::Header, bytes);
        self.values.retain(|key, _| !matches!(key, Key::Group(generation, _) if *generation != header.generation));
        let log = self.values.range(Key::Log(LogPos(0)), Key::Log(LogPos(u64::MAX)));
        let log = log.filter_map(|(key, value)| match key {
            Key::Log(position) => Some((position.0, value.clone())),
            _ => None,
        });
        let log = log.collect();
        Ok(StoreReply::Opened { header, log })
    }

    fn write(&mut self, batch: WriteBatch) -> Result<StoreReply, Error> {
        check_epoch(self.values.get(Key::Header).map(Vec::as_slice), batch.epoch)?;
        for write in batch.writes {
            match write {
                Write::Put(key, value) => {
                    self.values.insert(key, value);
                }
                Write::Delete(from, to) => self.values.retain(|key, _| *key < from || *key > to),
            }
        }
        Ok(StoreReply::Written)
    }
}

impl BlockStore for MemoryStore {
    fn submit(&mut self, id: OpId, op: StoreOp) {
        let result = self.run(op);
        self.completed.push((id, result));
    }
}
