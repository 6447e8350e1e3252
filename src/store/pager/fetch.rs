//! Fetching: from missing blocks to reads of whole groups, in runs, and back into memory.

use super::{Pager, Progress};
use crate::error::Error;
use crate::ids::{BlockNo, GroupNo};
use crate::sorted::SortedMap;
use crate::store::group::Grouping;
use crate::store::ops::{StoreOp, StoreReply, StoreResult};

impl Pager {
    /// Asks for the groups of these blocks, each with up to `ahead` groups after it. What is there or on its way is skipped.
    pub fn fetch(&mut self, blocks: &[BlockNo], ahead: u32) {
        let grouping = self.grouping();
        self.counters.misses += blocks.len() as u64;
        let groups = grouping.groups(self.blocks_at(self.published).max(self.blocks_at(self.durable)));
        let wanted =
            blocks.iter().map(|b| grouping.group_of(*b).0).flat_map(|g| g..=g.saturating_add(ahead).min(groups.max(g + 1) - 1));
        let wanted: Vec<_> = wanted.map(GroupNo).collect();
        self.fetch_groups(wanted);
    }

    /// Asks for the whole database.
    pub fn fetch_all(&mut self) {
        let groups = self.grouping().groups(self.blocks_at(self.published));
        let all: Vec<_> = (0..groups).map(GroupNo).collect();
        self.fetch_groups(all);
    }

    pub(super) fn fetch_groups(&mut self, wanted: Vec<GroupNo>) {
        /// Groups per read: 4 MiB, so that no single answer floods the worker.
        const RUN_MAX: u32 = 64;
        let grouping = self.grouping();
        let under_way = |g: GroupNo| self.fetching.iter().any(|(_, first, last)| (*first..=*last).contains(&g));
        let wanted: SortedMap<GroupNo, ()> = wanted.into_iter().map(|group| (group, ())).collect();
        let mut runs: Vec<(GroupNo, GroupNo)> = vec![];
        for group in wanted.keys() {
            if self.versions.is_loaded(group, grouping) || under_way(group) {
                continue;
            }
            match runs.last_mut() {
                Some((first, last)) if last.next() == group && group.0 - first.0 < RUN_MAX => *last = group,
                _ => runs.push((group, group)),
            }
        }
        for (first, last) in runs {
            self.read_groups(first, last);
        }
    }

    /// Reads a group whether it is there or not: a hub that has been fenced learns of it.
    pub fn read_again(&mut self, group: GroupNo) {
        self.read_groups(group, group);
    }

    pub(super) fn read_groups(&mut self, first: GroupNo, last: GroupNo) {
        let id = self.op_id();
        self.counters.store_reads += 1;
        self.fetching.push((id, first, last));
        let (epoch, generation) = (self.header.epoch, self.header.generation);
        self.ops.push((id, StoreOp::ReadGroups { epoch, generation, first, last }));
    }

    /// Whether blocks that were misses can now be read, at whatever snapshot.
    #[must_use]
    pub fn are_resident(&self, blocks: &[BlockNo]) -> bool {
        let grouping = self.grouping();
        blocks.iter().all(|block| self.versions.is_loaded(grouping.group_of(*block), grouping))
    }

    /// Whether the whole database is in memory.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let groups = self.grouping().groups(self.blocks_at(self.published));
        (0..groups).all(|g| self.versions.is_loaded(GroupNo(g), self.grouping()))
    }

    #[must_use]
    pub fn grouping(&self) -> Grouping {
        Grouping { block_bytes: self.header.block_bytes }
    }

    /// Puts the groups that were read into memory, those that can be.
    pub(super) fn fetched(&mut self, first: GroupNo, last: GroupNo, result: StoreResult) -> Vec<Progress> {
        let values = match result {
            Ok(StoreReply::Groups(values)) => values,
            Ok(_) => return self.fetch_failed(first, last, Error::Storage("the block store gave the wrong answer".into())),
            Err(failure) => return self.fetch_failed(first, last, failure.error().clone()),
        };
        let (grouping, generation) = (self.grouping(), self.header.generation);
        let mut progress = vec![Progress::Fetched];
        for group in (first.0..=last.0).map(GroupNo) {
            let stored = values.iter().find(|(number, _)| *number == group);
            match stored.map(|(_, bytes)| grouping.decode(generation, group, bytes)).transpose() {
                Ok(blocks) => {
                    let blocks = blocks.unwrap_or_default();
                    self.counters.blocks_read += blocks.len() as u64;
                    self.versions.install(group, blocks);
                }
                Err(error) => progress.extend(self.fetch_failed(group, group, error)),
            }
        }
        self.versions.prune(self.versions.horizon(self.durable));
        progress
    }

    fn fetch_failed(&mut self, first: GroupNo, last: GroupNo, error: Error) -> Vec<Progress> {
        let damaged = if matches!(error, Error::Corrupt(_)) { self.damaged(&error) } else { None };
        self.give_up_checkpoint();
        damaged.into_iter().chain([Progress::FetchFailed(first, last, error)]).collect()
    }
}
