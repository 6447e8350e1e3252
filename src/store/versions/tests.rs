//! What each snapshot reads, whatever is pruned, evicted, reverted or checkpointed.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const GROUPING: Grouping = Grouping { block_bytes: 4096 };

fn new(seq: u64, blocks: u32) -> Versions {
    Versions::new(CommitSeq(seq), blocks, Cache::new(1 << 20))
}

fn pages(fill: u8, numbers: &[u32]) -> Pages {
    numbers.iter().map(|n| (BlockNo(*n), Block::from(vec![fill; 4]))).collect()
}

fn read(v: &mut Versions, block: u32, at: u64) -> Option<u8> {
    match v.lookup(BlockNo(block), CommitSeq(at)) {
        Lookup::Data(d) => Some(d[0]),
        Lookup::Zeros => Some(0),
        Lookup::Miss => None,
    }
}

#[test]
fn a_pinned_snapshot_keeps_its_versions_and_others_are_dropped() {
    let mut v = new(0, 0);
    for seq in 1..=9u8 {
        v.publish(CommitSeq(seq.into()), &pages(seq, &[0]), 1);
        if seq == 4 {
            v.pin(CommitSeq(4));
        }
    }
    v.prune(v.horizon(CommitSeq(9)));
    assert_eq!((read(&mut v, 0, 4), read(&mut v, 0, 9), v.resident()), (Some(4), Some(9), 6));
    v.unpin(CommitSeq(4));
    v.prune(v.horizon(CommitSeq(9)));
    assert_eq!((read(&mut v, 0, 9), v.resident()), (Some(9), 1));
}

// At stake: a tab that reads slowly must not make every commit of the others dearer than the last.
#[test]
fn what_waits_to_be_pruned_is_bounded_by_the_blocks_not_by_the_commits() {
    let mut v = new(0, 0);
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
    let mut v = new(3, 15);
    assert_eq!(read(&mut v, 2, 3), None);
    v.publish(CommitSeq(4), &pages(4, &[2]), 15);
    assert_eq!((read(&mut v, 2, 3), read(&mut v, 2, 4)), (None, Some(4)));
    let stored: Vec<_> = pages(1, &[2, 3]).into_iter().collect();
    v.install(GroupNo(0), &stored, GROUPING, CommitSeq(3), false);
    assert_eq!(
        (read(&mut v, 2, 3), read(&mut v, 2, 4), read(&mut v, 3, 4), read(&mut v, 5, 4)),
        (Some(1), Some(4), Some(1), Some(0))
    );
}

#[test]
fn blocks_cut_off_and_grown_again_read_as_zeros_but_not_for_older_snapshots() {
    let mut v = new(0, 0);
    v.publish(CommitSeq(1), &pages(1, &[0, 1, 2]), 3);
    v.publish(CommitSeq(2), &pages(2, &[0]), 1);
    v.publish(CommitSeq(3), &pages(3, &[0]), 3);
    assert_eq!((read(&mut v, 2, 1), read(&mut v, 2, 3)), (Some(1), Some(0)));
    assert_eq!([1, 2, 3].map(|s| v.blocks_at(CommitSeq(s))), [3, 1, 3]);
}

// At stake: the copy of before the checkpoint, left in the cache, is read for that of after it.
#[test]
fn a_checkpoint_makes_what_it_folded_the_base_and_lets_the_cache_have_it() {
    let mut v = new(3, 15);
    let stored: Vec<_> = pages(1, &[0, 1, 2, 3]).into_iter().collect();
    v.install(GroupNo(0), &stored, GROUPING, CommitSeq(3), false);
    v.publish(CommitSeq(4), &pages(4, &[0, 1]), 15);
    v.publish(CommitSeq(5), &pages(5, &[1]), 15);
    v.pin(CommitSeq(4));
    v.rebase(CommitSeq(4), 15);
    assert_eq!(
        (read(&mut v, 0, 4), read(&mut v, 1, 4), read(&mut v, 1, 5), read(&mut v, 2, 4)),
        (Some(4), Some(4), Some(5), Some(1))
    );
    assert_eq!(v.recent_bytes(), VERSION_BYTES + 4, "only the later commit's block must stay");
    assert_eq!(v.evict_all_clean(), 15);
    assert_eq!((read(&mut v, 0, 4), read(&mut v, 1, 4), read(&mut v, 1, 5)), (None, None, Some(5)));
}

#[test]
fn a_commit_leaves_the_bases_copy_until_no_snapshot_can_reach_it() {
    let mut v = new(3, 15);
    let stored: Vec<_> = pages(1, &[0]).into_iter().collect();
    v.install(GroupNo(0), &stored, GROUPING, CommitSeq(3), false);
    v.pin(CommitSeq(3));
    v.publish(CommitSeq(4), &pages(4, &[0]), 15);
    v.prune(v.horizon(CommitSeq(4)));
    assert_eq!((read(&mut v, 0, 3), read(&mut v, 0, 4)), (Some(1), Some(4)));
    v.unpin(CommitSeq(3));
    v.prune(v.horizon(CommitSeq(4)));
    assert!(!v.cache().contains(BlockNo(0)));
    v.install(GroupNo(0), &stored, GROUPING, CommitSeq(4), false);
    assert!(!v.cache().contains(BlockNo(0)), "nor is it taken in again");
}

// At stake: a lost commit must leave the database as before it.
#[test]
fn a_lost_commit_leaves_the_base_as_it_was() {
    let mut v = new(3, 15);
    let stored: Vec<_> = pages(1, &[0, 9]).into_iter().collect();
    v.install(GroupNo(0), &stored, GROUPING, CommitSeq(3), false);
    v.publish(CommitSeq(4), &pages(4, &[0]), 5);
    v.publish(CommitSeq(5), &pages(5, &[0]), 15);
    v.prune(v.horizon(CommitSeq(3)));
    assert_eq!((read(&mut v, 9, 5), read(&mut v, 0, 5)), (Some(0), Some(5)));
    v.revert_to(CommitSeq(3));
    assert_eq!((read(&mut v, 9, 5), read(&mut v, 0, 5), v.blocks_at(CommitSeq(5)), v.recent_bytes()), (Some(1), Some(1), 15, 0));
}

// At stake: a database that is vacuumed little by little must not make every lookup longer.
#[test]
fn cuts_that_a_later_one_covers_are_forgotten() {
    let mut v = new(0, 500);
    for seq in 1..=400u32 {
        v.publish(CommitSeq(seq.into()), &pages(1, &[0]), 500 - seq);
        v.prune(v.horizon(CommitSeq(seq.into())));
    }
    assert_eq!(v.cuts.len(), 1);
    assert_eq!(v.changed(CommitSeq(400)).collect::<Vec<_>>(), [BlockNo(0), BlockNo(100)], "the end of its group is cut off too");
}

proptest! {
    // At stake: whatever is pruned or reverted, a snapshot reads exactly its own commit.
    #[test]
    fn snapshots_read_their_commit_whatever_is_pruned(commits in prop::collection::vec((prop::collection::btree_set(0u32..12, 0..4), 1u32..12, any::<bool>()), 1..30), revert in any::<bool>()) {
        let mut v = new(0, 0);
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
                    prop_assert_eq!(read(&mut v, *block, at.0), Some(*fill), "block {} at {:?}", block, at);
                }
            }
        }
        if let (true, Some(to)) = (revert, pinned.last()) {
            v.revert_to(*to);
            for (block, fill) in &model[to.0 as usize] {
                prop_assert_eq!(read(&mut v, *block, u64::MAX), Some(*fill));
            }
        }
    }
}
