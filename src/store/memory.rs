//! A block store in memory: the reference for every other one, the store of the native tests, and what
//! `persistence: 'preferred'` falls back to where `IndexedDB` is missing. It completes each operation at once.

use super::header::{Header, check_epoch, claim};
use super::ops::{BlockStore, Key, LogValues, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
use crate::error::Result;
use crate::ids::{CommitSeq, Epoch, Generation, GroupNo, LogPos, OpId};
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

    /// The bytes stored under a key.
    #[must_use]
    pub fn value(&self, key: Key) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Puts bytes in, or takes them out, past every rule: for tests that damage what is stored.
    pub fn tamper(&mut self, key: Key, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.values.insert(key, value),
            None => drop(self.values.remove(key)),
        }
    }

    /// Carries one operation out.
    ///
    /// # Errors
    /// [`StoreFailure::NotApplied`] when the header cannot be claimed or the caller is fenced.
    pub fn run(&mut self, op: StoreOp) -> StoreResult {
        let result = match op {
            StoreOp::Open => self.open(),
            StoreOp::Reopen(epoch) => self.header(epoch).map(|_| StoreReply::Reopened),
            StoreOp::ReadGroups { epoch, generation, first, last } => {
                self.header(epoch).map(|_| StoreReply::Groups(self.groups(generation, first, last)))
            }
            StoreOp::ReadLog(epoch) => self.header(epoch).map(|header| StoreReply::Log { header, log: self.log() }),
            StoreOp::ReadChanges { epoch, first, last } => {
                self.header(epoch).map(|_| StoreReply::Changes(self.changes(first, last)))
            }
            StoreOp::Write(batch) => self.write(&batch),
        };
        result.map_err(StoreFailure::NotApplied)
    }

    fn header(&self, epoch: Epoch) -> Result<Header> {
        check_epoch(self.value(Key::Header), epoch)
    }

    fn open(&mut self) -> Result<StoreReply> {
        let (header, bytes) = claim(self.value(Key::Header))?;
        self.values.insert(Key::Header, bytes);
        self.values.retain(|key, _| !matches!(key, Key::Group(generation, _) if *generation != header.generation));
        let sessions = self.value(Key::Sessions).map(<[u8]>::to_vec);
        Ok(StoreReply::Opened { header, sessions, log: self.log() })
    }

    fn log(&self) -> LogValues {
        let log = self.values.range(Key::Log(LogPos(0)), Key::Log(LogPos(u64::MAX)));
        let log = log.filter_map(|(key, value)| match key {
            Key::Log(position) => Some((position.0, value.clone())),
            _ => None,
        });
        log.collect()
    }

    fn groups(&self, generation: Generation, first: GroupNo, last: GroupNo) -> Vec<(GroupNo, Vec<u8>)> {
        let groups = self.values.range(Key::Group(generation, first), Key::Group(generation, last));
        let groups = groups.filter_map(|(key, value)| match key {
            Key::Group(_, number) => Some((number, value.clone())),
            _ => None,
        });
        groups.collect()
    }

    fn changes(&self, first: CommitSeq, last: CommitSeq) -> LogValues {
        let changes = self.values.range(Key::Changes(first), Key::Changes(last));
        let changes = changes.filter_map(|(key, value)| match key {
            Key::Changes(commit) => Some((commit.0, value.clone())),
            _ => None,
        });
        changes.collect()
    }

    fn write(&mut self, batch: &WriteBatch) -> Result<StoreReply> {
        self.header(batch.epoch)?;
        for write in &batch.writes {
            match write {
                Write::Put(key, value) => self.values.insert(*key, value.clone()),
                Write::Delete(from, to) => self.values.retain(|key, _| key < from || key > to),
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
