//! Fetching: from missing blocks to reads of whole groups, in runs, and back into memory. What waits for a block should
//! [hold](Pager::hold) it first, or others that come with it may push it out of a small cache before it is looked at.

use super::{Pager, Progress};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, GroupNo, OpId};
use crate::sorted::SortedMap;
use crate::store::Block;
use crate::store::group::Grouping;
use crate::store::ops::{StoreOp, StoreReply, StoreResult};

/// Groups per read, about 240 KiB: Chromium reads many values at once more slowly than a few by turns (two reads of 4 under way
/// gave 281 MB/s, one of 16 104, one of 64 101), and what somebody else misses waits for less.
const RUN_MAX: u32 = 4;

/// Groups on their way, from first to last.
#[derive(Debug)]
pub(super) struct Fetching {
    pub id: OpId,
    pub first: GroupNo,
    pub last: GroupNo,
    /// The base when they were asked for.
    base: CommitSeq,
}

impl Pager {
    /// Asks for the groups of those blocks that are missing, each with up to `ahead` groups after it, an eighth of the cache's
    /// budget in all. What is there or on its way is skipped.
    pub fn fetch(&mut self, blocks: &[BlockNo], ahead: u32) {
        let grouping = self.grouping();
        self.counters.misses += blocks.len() as u64;
        let horizon = self.versions.horizon(self.durable);
        let missing = blocks.iter().filter(|block| !self.versions.is_resident(**block, horizon));
        let missing: Vec<_> = missing.map(|block| grouping.group_of(*block)).collect();
        let ahead = ahead.min(self.ahead_max() / u32::try_from(missing.len()).unwrap_or(u32::MAX).max(1));
        let groups = self.stored_groups();
        let wanted: Vec<_> = missing.iter().flat_map(|g| g.0..=g.0.saturating_add(ahead).min(groups - 1)).map(GroupNo).collect();
        self.want(&missing);
        self.fetch_groups(wanted);
    }

    /// Asks for the whole database where it fits into the cache, or else for these blocks, with some groups after each.
    pub fn fetch_all(&mut self, blocks: &[BlockNo]) {
        const AHEAD: u32 = 16;
        if !self.fits() {
            return self.fetch(blocks, AHEAD);
        }
        self.counters.misses += blocks.len() as u64;
        let all: Vec<_> = (0..self.stored_groups()).map(GroupNo).collect();
        let wanted: Vec<_> = blocks.iter().map(|block| self.grouping().group_of(*block)).collect();
        self.want(&wanted);
        self.fetch_groups(all);
    }

    /// Asks for groups that nobody waits for yet, an eighth of the cache's budget at most.
    /// Answers the last of them.
    pub fn read_ahead(&mut self, first: GroupNo, count: u32) -> Option<GroupNo> {
        let end = first.0.saturating_add(count.min(self.ahead_max())).min(self.stored_groups());
        let asked: Vec<_> = (first.0..end).map(GroupNo).collect();
        let last = asked.last().copied();
        self.fetch_groups(asked);
        last
    }

    /// Notes that somebody waits for these, and does not merely read ahead.
    pub(super) fn want(&mut self, groups: &[GroupNo]) {
        for group in groups {
            if !self.wanted.contains(group) {
                self.wanted.push(*group);
            }
        }
    }

    pub(super) fn fetch_groups(&mut self, asked: Vec<GroupNo>) {
        let under_way = |g: GroupNo| self.fetching.iter().any(|fetching| (fetching.first..=fetching.last).contains(&g));
        let asked: SortedMap<GroupNo, ()> = asked.into_iter().map(|group| (group, ())).collect();
        let mut runs: Vec<(GroupNo, GroupNo)> = vec![];
        for group in asked.keys().filter(|group| !under_way(*group) && !self.is_group_resident(*group)) {
            match runs.last_mut() {
                Some((first, last)) if last.next() == group && group.0 - first.0 < RUN_MAX => *last = group,
                _ => runs.push((group, group)),
            }
        }
        for (first, last) in runs {
            self.read_groups(first, last);
        }
    }

    pub(super) fn is_group_resident(&self, group: GroupNo) -> bool {
        let horizon = self.versions.horizon(self.durable);
        self.grouping().blocks_of(group).all(|block| self.versions.is_resident(block, horizon))
    }

    /// Reads a group whether it is there or not: a hub that has been fenced learns of it.
    pub fn read_again(&mut self, group: GroupNo) {
        self.read_groups(group, group);
    }

    /// Whether any group is being read.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !self.fetching.is_empty()
    }

    pub(super) fn read_groups(&mut self, first: GroupNo, last: GroupNo) {
        let id = self.op_id();
        self.counters.store_reads += 1;
        self.fetching.push(Fetching { id, first, last, base: self.header.checkpoint });
        let (epoch, generation) = (self.header.epoch, self.header.generation);
        self.ops.push((id, StoreOp::ReadGroups { epoch, generation, first, last }));
    }

    /// Whether a block's group is being read.
    #[must_use]
    pub fn is_on_its_way(&self, block: BlockNo) -> bool {
        let group = self.grouping().group_of(block);
        self.fetching.iter().any(|fetching| (fetching.first..=fetching.last).contains(&group))
    }

    /// Whether blocks that were misses can now be read, at whatever snapshot.
    #[must_use]
    pub fn are_resident(&self, blocks: &[BlockNo]) -> bool {
        let horizon = self.versions.horizon(self.durable);
        blocks.iter().all(|block| self.versions.is_resident(*block, horizon))
    }

    /// Whether the whole database is in memory.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        (0..self.stored_groups()).all(|group| self.is_group_resident(GroupNo(group)))
    }

    #[must_use]
    pub fn grouping(&self) -> Grouping {
        Grouping { block_bytes: self.header.block_bytes }
    }

    /// Puts the groups that were read into memory, those that can be. An answer that a checkpoint has overtaken may be of before
    /// it, which is no longer the base: those groups are read again.
    pub(super) fn fetched(&mut self, fetching: &Fetching, result: StoreResult) -> Vec<Progress> {
        let (first, last) = (fetching.first, fetching.last);
        let values = match result {
            Ok(StoreReply::Groups(_)) if fetching.base != self.header.checkpoint => {
                self.read_groups(first, last);
                return vec![];
            }
            Ok(StoreReply::Groups(values)) => values,
            Ok(_) => return self.fetch_failed(first, last, Error::Storage("the block store gave the wrong answer".into())),
            Err(failure) => return self.fetch_failed(first, last, failure.error().clone()),
        };
        let (grouping, generation) = (self.grouping(), self.header.generation);
        let mut progress = vec![Progress::Fetched];
        for group in (first.0..=last.0).map(GroupNo) {
            let stored = values.iter().find(|(number, _)| *number == group);
            match stored.map(|(_, bytes)| grouping.decode(generation, group, bytes)).transpose() {
                Ok(blocks) => self.install(group, &blocks.unwrap_or_default()),
                Err(error) => progress.extend(self.fetch_failed(group, group, error)),
            }
        }
        self.wanted.retain(|group| !(first..=last).contains(group));
        progress
    }

    fn install(&mut self, group: GroupNo, blocks: &[(BlockNo, Block)]) {
        self.counters.blocks_read += blocks.len() as u64;
        let (horizon, ahead) = (self.versions.horizon(self.durable), !self.wanted.contains(&group));
        self.versions.install(group, blocks, self.grouping(), horizon, ahead);
    }

    fn fetch_failed(&mut self, first: GroupNo, last: GroupNo, error: Error) -> Vec<Progress> {
        self.wanted.retain(|group| !(first..=last).contains(group));
        let damaged = if matches!(error, Error::Corrupt(_)) { self.damaged(&error) } else { None };
        self.give_up_checkpoint();
        damaged.into_iter().chain([Progress::FetchFailed(first, last, error)]).collect()
    }
}
