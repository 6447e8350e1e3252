//! The versioned blocks: every block of the database that is in memory, at each commit that some snapshot may still read.
//! Readers pin a commit and see the newest version at or before it; the writer appends versions; neither waits.
//!
//! The *base* is what the block groups hold, that is, the state as of the last checkpoint or a later one; checkpoints never
//! pass the oldest pin, so the base is never newer than a snapshot that has to fall back to it.

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
    /// In a block group that has not been read yet.
    Miss,
}

/// Seq 0 marks the base; no data marks a block cut off by a truncation.
#[derive(Clone, Debug)]
struct Version {
    seq: CommitSeq,
    data: Option<Block>,
}

const BASE: CommitSeq = CommitSeq(0);

#[derive(Debug, Default)]
pub struct Versions {
    /// By block number.
    chains: Vec<Vec<Version>>,
    /// Blocks with versions that may have become unreadable.
    prunable: SortedMap<BlockNo, ()>,
    /// Groups whose base is in memory.
    loaded: Vec<bool>,
    /// Size of the base: groups beyond it hold nothing that is not in memory.
    base_blocks: u32,
    /// Database size in blocks after each commit that changed it; the first entry is the oldest readable one.
    sizes: Vec<(CommitSeq, u32)>,
    /// One entry a pin.
    pins: Vec<CommitSeq>,
    resident: usize,
}

impl Versions {
    /// A database whose committed state is the base, `blocks` long, as of `seq`.
    #[must_use]
    pub fn new(seq: CommitSeq, blocks: u32) -> Self {
        Self { sizes: vec![(seq, blocks)], base_blocks: blocks, ..Self::default() }
    }

    /// Database size in blocks at a commit.
    #[must_use]
    pub fn blocks_at(&self, seq: CommitSeq) -> u32 {
        self.sizes.iter().rev().find(|(s, _)| *s <= seq).or(self.sizes.first()).map_or(0, |(_, n)| *n)
    }

    #[must_use]
    pub fn lookup(&self, block: BlockNo, at: CommitSeq, grouping: Grouping) -> Lookup {
        let version = self.chains.get(block.0 as usize).and_then(|chain| chain.iter().rev().find(|v| v.seq <= at));
        match version {
            Some(Version { data: Some(data), .. }) => Lookup::Data(data.clone()),
            Some(_) => Lookup::Zeros,
            None if self.is_loaded(grouping.group_of(block), grouping) => Lookup::Zeros,
            None => Lookup::Miss,
        }
    }

    /// The last commit in memory that changed a block.
    #[must_use]
    pub fn newest(&self, block: BlockNo) -> CommitSeq {
        self.chains.get(block.0 as usize).and_then(|chain| chain.last()).map_or(BASE, |v| v.seq)
    }

    /// Appends one commit's blocks.
    pub fn publish(&mut self, seq: CommitSeq, pages: &Pages, blocks: u32) {
        let before = self.blocks_at(seq);
        for (number, data) in pages.iter() {
            self.append(number, Version { seq, data: Some(data.clone()) });
        }
        for cut in blocks..before {
            self.append(BlockNo(cut), Version { seq, data: None });
        }
        if blocks != before {
            self.sizes.push((seq, blocks));
        }
    }

    fn append(&mut self, number: BlockNo, version: Version) {
        self.resident += usize::from(version.data.is_some());
        let chain = self.chain(number);
        chain.push(version);
        if chain.len() > 1 {
            self.prunable.insert(number, ());
        }
    }

    fn chain(&mut self, number: BlockNo) -> &mut Vec<Version> {
        let at = number.0 as usize;
        if at >= self.chains.len() {
            self.chains.resize_with(at + 1, Vec::new);
        }
        &mut self.chains[at]
    }

    /// Forgets every version after `seq`: the commits that made them never became durable.
    pub fn revert_to(&mut self, seq: CommitSeq) {
        for chain in &mut self.chains {
            while chain.last().is_some_and(|v| v.seq > seq) {
                self.resident -= usize::from(chain.pop().is_some_and(|v| v.data.is_some()));
            }
        }
        self.sizes.retain(|(s, _)| *s <= seq);
    }

    /// Adds a block group as read from the store; blocks it lacks read as zeros from now on.
    pub fn install(&mut self, group: GroupNo, blocks: Vec<(BlockNo, Block)>) {
        let at = group.0 as usize;
        if at >= self.loaded.len() {
            self.loaded.resize(at + 1, false);
        }
        if std::mem::replace(&mut self.loaded[at], true) {
            return;
        }
        for (number, data) in blocks {
            self.resident += 1;
            self.chain(number).insert(0, Version { seq: BASE, data: Some(data) });
            self.prunable.insert(number, ());
        }
    }

    /// Whether nothing of a group is missing.
    #[must_use]
    pub fn is_loaded(&self, group: GroupNo, grouping: Grouping) -> bool {
        group.0 >= grouping.groups(self.base_blocks) || self.loaded.get(group.0 as usize) == Some(&true)
    }

    /// The base is `blocks` long from now on: a checkpoint has ended.
    pub fn rebase(&mut self, blocks: u32, grouping: Grouping) {
        let (before, after) = (grouping.groups(self.base_blocks), grouping.groups(blocks));
        self.loaded.resize(after as usize, false);
        if let Some(new) = self.loaded.get_mut(before as usize..) {
            new.fill(true);
        }
        self.base_blocks = blocks;
    }

    /// Lets go of a group whose blocks all stand in the store as they do here, that is, as of `checkpoint` or before. False
    /// where it must stay.
    pub fn evict(&mut self, group: GroupNo, checkpoint: CommitSeq, grouping: Grouping) -> bool {
        let is_clean = |chain: &Vec<Version>| {
            matches!(&chain[..], [] | [Version { data: Some(_), .. }]) && chain.iter().all(|v| v.seq <= checkpoint)
        };
        let numbers: Vec<_> = grouping.blocks_of(group).map(|n| n.0 as usize).take_while(|n| *n < self.chains.len()).collect();
        let loaded = self.loaded.get(group.0 as usize) == Some(&true) && group.0 < grouping.groups(self.base_blocks);
        if !loaded || !numbers.iter().all(|n| is_clean(&self.chains[*n])) {
            return false;
        }
        for n in numbers {
            self.resident -= std::mem::take(&mut self.chains[n]).len();
        }
        self.loaded[group.0 as usize] = false;
        true
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

    /// Drops the versions that no snapshot at or after the horizon can read.
    pub fn prune(&mut self, horizon: CommitSeq) {
        for (number, ()) in std::mem::take(&mut self.prunable) {
            let Some(chain) = self.chains.get_mut(number.0 as usize) else { continue };
            let unreadable = chain.iter().rposition(|v| v.seq <= horizon).unwrap_or(0);
            self.resident -= chain.drain(..unreadable).filter(|v| v.data.is_some()).count();
            if chain.len() > 1 {
                self.prunable.insert(number, ());
            }
        }
        let unreadable = self.sizes.iter().rposition(|(s, _)| *s <= horizon).unwrap_or(0);
        self.sizes.drain(..unreadable);
    }

    /// Blocks held in memory, all versions counted.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.resident
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const GROUPING: Grouping = Grouping { block_bytes: 4096 };

    fn pages(fill: u8, numbers: &[u32]) -> Pages {
        numbers.iter().map(|n| (BlockNo(*n), Block::from(vec![fill; 4]))).collect()
    }

    fn read(v: &Versions, block: u32, at: u64) -> Option<u8> {
        match v.lookup(BlockNo(block), CommitSeq(at), GROUPING) {
            Lookup::Data(d) => Some(d[0]),
            Lookup::Zeros => Some(0),
            Lookup::Miss => None,
        }
    }

    #[test]
    fn a_pinned_snapshot_keeps_its_versions_and_others_are_dropped() {
        let mut v = Versions::new(CommitSeq(0), 0);
        for seq in 1..=9u8 {
            v.publish(CommitSeq(seq.into()), &pages(seq, &[0]), 1);
            if seq == 4 {
                v.pin(CommitSeq(4));
            }
        }
        v.prune(v.horizon(CommitSeq(9)));
        assert_eq!((read(&v, 0, 4), read(&v, 0, 9), v.resident()), (Some(4), Some(9), 6));
        v.unpin(CommitSeq(4));
        v.prune(v.horizon(CommitSeq(9)));
        assert_eq!((read(&v, 0, 9), v.resident()), (Some(9), 1));
    }

    // At stake: a tab that reads slowly must not make every commit of the others dearer than the last.
    #[test]
    fn what_waits_to_be_pruned_is_bounded_by_the_blocks_not_by_the_commits() {
        let mut v = Versions::new(CommitSeq(0), 0);
        v.publish(CommitSeq(1), &pages(1, &[0, 1]), 2);
        v.pin(CommitSeq(1));
        for seq in 2..500u64 {
            v.publish(CommitSeq(seq), &pages(2, &[0, 1]), 2);
            v.prune(v.horizon(CommitSeq(seq)));
        }
        assert_eq!(v.prunable.len(), 2);
    }

    #[test]
    fn a_block_is_a_miss_until_its_group_is_there_and_zeros_where_the_group_lacks_it() {
        let mut v = Versions::new(CommitSeq(3), 15);
        assert_eq!(read(&v, 2, 3), None);
        v.publish(CommitSeq(4), &pages(4, &[2]), 15);
        assert_eq!((read(&v, 2, 3), read(&v, 2, 4)), (None, Some(4)));
        v.install(GroupNo(0), pages(1, &[2, 3]).into_iter().collect());
        assert_eq!((read(&v, 2, 3), read(&v, 2, 4), read(&v, 3, 4), read(&v, 5, 4)), (Some(1), Some(4), Some(1), Some(0)));
    }

    #[test]
    fn blocks_cut_off_and_grown_again_read_as_zeros_but_not_for_older_snapshots() {
        let mut v = Versions::new(CommitSeq(0), 0);
        v.publish(CommitSeq(1), &pages(1, &[0, 1, 2]), 3);
        v.publish(CommitSeq(2), &pages(2, &[0]), 1);
        v.publish(CommitSeq(3), &pages(3, &[0]), 3);
        assert_eq!((read(&v, 2, 1), read(&v, 2, 3)), (Some(1), Some(0)));
        assert_eq!([1, 2, 3].map(|s| v.blocks_at(CommitSeq(s))), [3, 1, 3]);
    }

    proptest! {
        // At stake: whatever is pruned or reverted, a snapshot reads exactly its own commit.
        #[test]
        fn snapshots_read_their_commit_whatever_is_pruned(commits in prop::collection::vec((prop::collection::btree_set(0u32..12, 0..4), 1u32..12, any::<bool>()), 1..30), revert in any::<bool>()) {
            let mut v = Versions::new(CommitSeq(0), 0);
            let mut model: Vec<BTreeMap<u32, u8>> = vec![BTreeMap::new()];
            let mut pinned = vec![];
            for (i, (set, blocks, pin)) in commits.iter().enumerate() {
                let seq = CommitSeq(i as u64 + 1);
                let set: Vec<u32> = set.iter().copied().filter(|b| b < blocks).collect();
                v.publish(seq, &pages(i as u8 + 1, &set), *blocks);
                let mut state = model[i].clone();
                state.retain(|b, _| b < blocks);
                state.extend(set.iter().map(|b| (*b, i as u8 + 1)));
                model.push(state);
                if *pin { v.pin(seq); pinned.push(seq); }
                v.prune(v.horizon(seq));
                for at in pinned.iter().chain([&seq]) {
                    for (block, fill) in &model[at.0 as usize] {
                        prop_assert_eq!(read(&v, *block, at.0), Some(*fill), "block {} at {:?}", block, at);
                    }
                }
            }
            if let (true, Some(to)) = (revert, pinned.last()) {
                v.revert_to(*to);
                for (block, fill) in &model[to.0 as usize] {
                    prop_assert_eq!(read(&v, *block, u64::MAX), Some(*fill));
                }
            }
        }
    }
}
