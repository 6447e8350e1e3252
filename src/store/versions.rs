//! The versioned blocks: what is in memory of the database, at each commit that some snapshot may still read.
//! Readers pin a commit and see the newest version at or before it; the writer appends versions; neither waits.
//!
//! The *base* is what the block groups hold, that is, the state as of the last checkpoint; checkpoints never pass the oldest pin,
//! so the base is never newer than a snapshot that has to fall back to it. Blocks of the base are in the [`Cache`], which may
//! drop them. *Recent* are the versions of the commits since, whose records are still in the log: they stay until a checkpoint
//! has made them the base. Nothing here grows with the database, only with the log and with the cache's budget.

use super::cache::Cache;
use super::group::Grouping;
use super::{Block, Pages};
use crate::ids::{BlockNo, CommitSeq, GroupNo};
use crate::sorted::SortedMap;

/// What a snapshot finds at a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Data(Block),
    /// Inside the file but never written: reads as zeros.
    Zeros,
    /// In a block group, and not in memory.
    Miss,
}

#[derive(Clone, Debug)]
struct Version {
    seq: CommitSeq,
    data: Block,
}

impl Version {
    fn cost(&self) -> usize {
        VERSION_BYTES + self.data.len()
    }
}

/// What a version costs beside the block's bytes.
const VERSION_BYTES: usize = 64;
/// Before any commit: the base's place in the order.
const BASE: CommitSeq = CommitSeq(0);

#[derive(Debug)]
pub struct Versions {
    /// The versions since the base; no chain is empty.
    recent: SortedMap<BlockNo, Vec<Version>>,
    recent_bytes: usize,
    /// Of the open transaction's changes, which are not here yet.
    dirty_bytes: usize,
    recent_versions: usize,
    /// Since the base: what a commit cut off, from which block on. Those read as zeros if the database grows over them again.
    cuts: Vec<(CommitSeq, u32)>,
    cache: Cache,
    /// Blocks with versions that may have become unreadable.
    prunable: SortedMap<BlockNo, ()>,
    /// Size of the base: blocks beyond it hold nothing that is not in memory.
    base_blocks: u32,
    /// Database size in blocks after each commit that changed it; the first entry is the oldest readable one.
    sizes: Vec<(CommitSeq, u32)>,
    /// One entry a pin.
    pins: Vec<CommitSeq>,
}

impl Versions {
    /// A database whose committed state is the base, `blocks` long, as of `seq`.
    #[must_use]
    pub fn new(seq: CommitSeq, blocks: u32, cache: Cache) -> Self {
        Self {
            recent: SortedMap::default(),
            recent_bytes: 0,
            dirty_bytes: 0,
            recent_versions: 0,
            cuts: vec![],
            cache,
            prunable: SortedMap::default(),
            base_blocks: blocks,
            sizes: vec![(seq, blocks)],
            pins: vec![],
        }
    }

    /// Another database takes this one's place. Holds stay, for those who will release them.
    pub fn replace(&mut self, seq: CommitSeq, blocks: u32) {
        let mut cache = std::mem::replace(&mut self.cache, Cache::new(0));
        cache.remove_from(BlockNo(0));
        *self = Self::new(seq, blocks, cache);
    }

    /// Database size in blocks at a commit.
    #[must_use]
    pub fn blocks_at(&self, seq: CommitSeq) -> u32 {
        self.sizes.iter().rev().find(|(s, _)| *s <= seq).or(self.sizes.first()).map_or(0, |(_, n)| *n)
    }

    /// A block as a reader uses it.
    pub fn lookup(&mut self, block: BlockNo, at: CommitSeq) -> Lookup {
        let found = self.recent(block, at).unwrap_or_else(|| match self.cache.get(block) {
            Lookup::Miss if block.0 >= self.base_blocks => Lookup::Zeros,
            found => found,
        });
        let counter = &mut self.cache.counters;
        *if found == Lookup::Miss { &mut counter.misses } else { &mut counter.hits } += 1;
        found
    }

    /// A block as background work looks at it: that is no use of it.
    #[must_use]
    pub fn peek(&self, block: BlockNo, at: CommitSeq) -> Lookup {
        self.recent(block, at).unwrap_or_else(|| match self.cache.peek(block) {
            Lookup::Miss if block.0 >= self.base_blocks => Lookup::Zeros,
            found => found,
        })
    }

    /// A block as of a commit since the base, or none where the base has it.
    fn recent(&self, block: BlockNo, at: CommitSeq) -> Option<Lookup> {
        let version = self.recent.get(block).and_then(|chain| chain.iter().rev().find(|v| v.seq <= at));
        if self.is_cut(block, version.map_or(BASE, |v| v.seq), at) {
            return Some(Lookup::Zeros);
        }
        version.map(|v| Lookup::Data(v.data.clone()))
    }

    fn is_cut(&self, block: BlockNo, after: CommitSeq, at: CommitSeq) -> bool {
        self.cuts.iter().any(|(seq, blocks)| after < *seq && *seq <= at && *blocks <= block.0)
    }

    /// Whether no snapshot at or after the horizon can miss a block.
    #[must_use]
    pub fn is_resident(&self, block: BlockNo, horizon: CommitSeq) -> bool {
        block.0 >= self.base_blocks || self.cache.contains(block) || self.recent(block, horizon).is_some()
    }

    /// The blocks that commits up to `through` changed since the base: written, or cut off and grown over again.
    pub fn changed(&self, through: CommitSeq) -> impl Iterator<Item = BlockNo> {
        let cut = self.cuts.iter().filter(|(seq, _)| *seq <= through).map(|(_, blocks)| *blocks).min().unwrap_or(u32::MAX);
        let regrown = cut..self.base_blocks.min(self.blocks_at(through).max(cut.saturating_add(1)));
        let written = self.recent.iter().filter(move |(_, chain)| chain[0].seq <= through).map(|(block, _)| block);
        written.chain(regrown.map(BlockNo))
    }

    /// Appends one commit's blocks. The base's copies stay: older snapshots may need them, and for those they are true.
    pub fn publish(&mut self, seq: CommitSeq, pages: &Pages, blocks: u32) {
        let before = self.blocks_at(seq);
        for (number, data) in pages.iter() {
            self.append(number, Version { seq, data: data.clone() });
        }
        if blocks < before {
            self.cuts.push((seq, blocks));
        }
        if blocks != before {
            self.sizes.push((seq, blocks));
        }
        self.trim();
    }

    fn append(&mut self, number: BlockNo, version: Version) {
        self.recent_bytes += version.cost();
        self.recent_versions += 1;
        match self.recent.get_mut(number) {
            Some(chain) => chain.push(version),
            None => self.recent.insert(number, vec![version]),
        }
        self.mark_prunable(number);
    }

    fn mark_prunable(&mut self, number: BlockNo) {
        if self.recent.get(number).is_some_and(|chain| chain.len() > 1 || self.cache.contains(number)) {
            self.prunable.insert(number, ());
        }
    }

    /// Forgets every version after `seq`: the commits that made them never became durable.
    pub fn revert_to(&mut self, seq: CommitSeq) {
        self.drop_versions(|chain| chain.partition_point(|v| v.seq <= seq)..chain.len());
        self.cuts.retain(|(s, _)| *s <= seq);
        self.sizes.retain(|(s, _)| *s <= seq);
    }

    /// Takes a range out of each chain.
    fn drop_versions(&mut self, range: impl Fn(&[Version]) -> std::ops::Range<usize>) -> Vec<(BlockNo, Version)> {
        let mut dropped = vec![];
        self.recent.retain(|number, chain| {
            let range = range(chain);
            dropped.extend(chain.drain(range).map(|version| (*number, version)));
            !chain.is_empty()
        });
        self.recent_versions -= dropped.len();
        self.recent_bytes -= dropped.iter().map(|(_, version)| version.cost()).sum::<usize>();
        dropped
    }

    /// Adds a block group as read from the store; blocks it lacks are zeros. What is known already, or can no longer be seen,
    /// is left out, and so is what lies beyond the base.
    pub fn install(&mut self, group: GroupNo, blocks: &[(BlockNo, Block)], grouping: Grouping, horizon: CommitSeq, ahead: bool) {
        for number in grouping.blocks_of(group) {
            if self.is_resident(number, horizon) {
                continue;
            }
            let stored = blocks.iter().find(|(n, _)| *n == number);
            self.cache.insert(number, stored.map_or(Lookup::Zeros, |(_, data)| Lookup::Data(data.clone())), ahead);
            self.mark_prunable(number);
        }
        self.trim();
    }

    /// A checkpoint has ended: the base is the state as of `through` from now on, `blocks` long. Nobody reads before it.
    pub fn rebase(&mut self, through: CommitSeq, blocks: u32) {
        self.prune(through);
        let cut = self.cuts.iter().filter(|(seq, _)| *seq <= through).map(|(_, blocks)| *blocks).min();
        if cut.is_some() || blocks < self.base_blocks {
            self.cache.remove_from(BlockNo(cut.unwrap_or(blocks).min(blocks)));
        }
        self.base_blocks = blocks;
        for (number, version) in self.drop_versions(|chain| 0..usize::from(chain[0].seq <= through)) {
            if number.0 >= blocks || self.is_cut(number, version.seq, through) {
                self.cache.remove(number);
                continue;
            }
            self.cache.insert(number, Lookup::Data(version.data), false);
            self.mark_prunable(number);
        }
        self.cuts.retain(|(seq, _)| *seq > through);
        self.trim();
    }

    /// Keeps a snapshot readable until [`unpin`](Self::unpin); pins nest.
    pub fn pin(&mut self, seq: CommitSeq) {
        self.pins.push(seq);
    }

    /// Ends a pin. One that an import has swept away with its database is already over.
    pub fn unpin(&mut self, seq: CommitSeq) {
        if let Some(at) = self.pins.iter().position(|pin| *pin == seq) {
            self.pins.swap_remove(at);
        }
    }

    /// The oldest commit that anybody reads or may come to read.
    #[must_use]
    pub fn horizon(&self, durable: CommitSeq) -> CommitSeq {
        self.pins.iter().fold(durable, |oldest, pin| oldest.min(*pin))
    }

    /// Drops the versions that no snapshot at or after the horizon can read, the base's copies among them.
    pub fn prune(&mut self, horizon: CommitSeq) {
        for (number, ()) in std::mem::take(&mut self.prunable) {
            let Some(chain) = self.recent.get_mut(number) else { continue };
            let unreadable = chain.iter().rposition(|v| v.seq <= horizon).unwrap_or(0);
            self.recent_bytes -= chain.drain(..unreadable).map(|v| v.cost()).sum::<usize>();
            self.recent_versions -= unreadable;
            if chain[0].seq <= horizon {
                self.cache.remove(number);
            }
            self.mark_prunable(number);
        }
        self.prune_cuts(horizon);
        let unreadable = self.sizes.iter().rposition(|(s, _)| *s <= horizon).unwrap_or(0);
        self.sizes.drain(..unreadable);
    }

    /// A cut that a later one covers, for every snapshot, says nothing more.
    fn prune_cuts(&mut self, horizon: CommitSeq) {
        let mut covered = u32::MAX;
        for (seq, blocks) in std::mem::take(&mut self.cuts).into_iter().rev() {
            if blocks < covered {
                self.cuts.insert(0, (seq, blocks));
            }
            if seq <= horizon {
                covered = covered.min(blocks);
            }
        }
    }

    /// Keeps blocks in memory, now or once they are there, until they are released; holds nest.
    pub fn hold(&mut self, blocks: &[BlockNo]) {
        self.cache.hold(blocks);
        self.trim();
    }

    pub fn release(&mut self, blocks: &[BlockNo]) {
        self.cache.release(blocks);
        self.trim();
    }

    /// What the open transaction has changed takes its room from the cache, as what the log holds.
    pub fn set_dirty_bytes(&mut self, bytes: usize) {
        self.dirty_bytes = bytes;
        self.trim();
    }

    #[must_use]
    pub fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    pub fn set_cache_bytes(&mut self, bytes: usize) {
        self.cache.set_budget(bytes);
        self.trim();
    }

    /// Drops every block that can be read again and is not held.
    pub fn evict_all_clean(&mut self) -> usize {
        std::iter::from_fn(|| self.cache.evict().then_some(())).count()
    }

    fn trim(&mut self) {
        self.cache.trim(self.recent_bytes + self.dirty_bytes);
    }

    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Bytes of the versions since the base.
    #[must_use]
    pub fn recent_bytes(&self) -> usize {
        self.recent_bytes
    }

    /// Size of the base in blocks.
    #[must_use]
    pub fn base_blocks(&self) -> u32 {
        self.base_blocks
    }

    /// Blocks held in memory, all versions counted.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.recent_versions + self.cache.resident()
    }
}

#[cfg(test)]
mod tests;
