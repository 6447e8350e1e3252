//! The pager's memory: a database larger than its budget, with the real pager over the memory store.

use proptest::prelude::*;
use tabhub::ids::{BlockNo, CommitSeq, GroupNo, OpId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Block, Durability, Limits, Lookup, Pager, Pages, ReadAhead, StoreOp, StoreReply, StoreResult};

const BLOCK_BYTES: usize = 4096;
/// Blocks of a group, and of the database: 200 groups, 12 MB.
const PER_GROUP: u32 = 15;
const BLOCKS: u32 = 200 * PER_GROUP;

struct Disk {
    store: MemoryStore,
    pager: Pager,
    limits: Limits,
    pending: Vec<(OpId, StoreOp)>,
}

fn open(store: &mut MemoryStore, limits: Limits) -> Pager {
    let Ok(StoreReply::Opened { header, sessions, log }) = store.run(StoreOp::Open) else { panic!("the store opens") };
    Pager::recover(header, sessions.as_deref(), &log, limits).expect("the format is ours")
}

fn block(content: u32) -> Block {
    content.to_le_bytes().repeat(BLOCK_BYTES / 4).into()
}

impl Disk {
    /// A database that is all in the block groups, each block with its number in it, and nothing of it in memory.
    fn with(blocks: u32, cache_bytes: usize) -> Self {
        let mut store = MemoryStore::new();
        let limits = Limits { log_records: 1, ..Limits::default() };
        let pager = open(&mut store, limits);
        let mut disk = Self { store, pager, limits, pending: vec![] };
        disk.publish(0..blocks, blocks, 0);
        disk.settle();
        assert_eq!(disk.pager.header().blocks, blocks, "the checkpoint is over");
        disk.limits = Limits { cache_bytes, log_records: 1, ..limits };
        disk.pager = open(&mut disk.store, disk.limits);
        disk
    }

    fn publish(&mut self, blocks: impl Iterator<Item = u32>, size: u32, plus: u32) -> CommitSeq {
        let pages: Pages = blocks.map(|n| (BlockNo(n), block(n + plus))).collect();
        self.pager.publish(pages, size, Durability::Strict, None)
    }

    fn ask(&mut self) {
        self.pending.extend(self.pager.take_ops());
    }

    /// Carries the next operation out, without telling the pager.
    fn carry_out(&mut self) -> Option<(OpId, StoreResult)> {
        self.ask();
        if self.pending.is_empty() {
            return None;
        }
        let (id, op) = self.pending.remove(0);
        Some((id, self.store.run(op)))
    }

    fn settle(&mut self) {
        for _ in 0..2_000 {
            let Some((id, result)) = self.carry_out() else { return };
            self.pager.complete(id, result);
        }
        panic!("the pager asks for ever");
    }

    /// What a block holds now; what is missing is fetched with so many groups after it.
    fn read(&mut self, number: u32, ahead: u32) -> u32 {
        let (number, at) = (BlockNo(number), self.pager.durable());
        self.pager.hold(&[number]);
        let found = loop {
            match self.pager.lookup(number, at) {
                Lookup::Data(data) => break u32::from_le_bytes(data[..4].try_into().expect("four bytes")),
                Lookup::Zeros => break 0,
                Lookup::Miss => self.pager.fetch(&[number], ahead),
            }
            self.settle();
        };
        self.pager.release(&[number]);
        found
    }

    fn bytes(&self) -> usize {
        let figures = self.pager.cache_figures();
        figures.bytes + figures.log_resident_bytes
    }
}

// At stake: a database larger than the worker's memory ends the worker.
#[test]
fn memory_keeps_to_the_budget_however_large_the_database_is() {
    let (mut disk, mut most) = (Disk::with(BLOCKS, 1 << 20), 0);
    for number in 0..BLOCKS {
        assert_eq!(disk.read(number, 16), number);
        most = most.max(disk.bytes());
    }
    assert!((900_000..=1 << 20).contains(&most), "{most}");
    // The negative control: where there is room, everything stays.
    let mut disk = Disk::with(BLOCKS, 64 << 20);
    (0..BLOCKS).for_each(|number| assert_eq!(disk.read(number, 16), number));
    assert!(disk.bytes() > 12_000_000);
}

#[test]
fn reading_ahead_takes_an_eighth_of_the_budget_at_most() {
    let mut disk = Disk::with(BLOCKS, 1 << 20);
    disk.pager.fetch(&[BlockNo(0)], 100);
    disk.settle();
    let read = disk.pager.counters().blocks_read;
    assert!((30..=50).contains(&read), "{read}");
    assert_eq!(disk.pager.cache_figures().counters.prefetched, read - u64::from(PER_GROUP), "its own group was asked for");
    disk.pager.read_ahead(GroupNo(100), 100);
    disk.settle();
    assert!(disk.pager.counters().blocks_read <= 2 * read);
}

// At stake: to whom the whole database is refused, the blocks it misses must still come.
#[test]
fn all_of_a_database_is_fetched_only_where_it_fits() {
    let missed: Vec<_> = [7, 1000, 2000].map(BlockNo).to_vec();
    for (cache_bytes, is_whole) in [(64 << 20, true), (2 << 20, false)] {
        let mut disk = Disk::with(BLOCKS, cache_bytes);
        disk.pager.hold(&missed);
        disk.pager.fetch_all(&missed);
        disk.settle();
        assert_eq!((disk.pager.are_resident(&missed), disk.pager.is_whole()), (true, is_whole));
    }
}

#[test]
fn warming_reads_what_fits_run_by_run_and_then_has_nothing_to_do() {
    let mut disk = Disk::with(BLOCKS, 64 << 20);
    let mut runs = 0;
    while disk.pager.warm() {
        assert!(!disk.pager.warm(), "one run at a time");
        disk.settle();
        runs += 1;
    }
    assert!(disk.pager.is_whole() && runs == 13, "{runs}");
    assert!(!Disk::with(BLOCKS, 4 << 20).pager.warm(), "what does not fit is not warmed");
}

#[test]
fn a_scan_that_is_read_ahead_seldom_waits() {
    let (mut disk, mut ahead, mut waits) = (Disk::with(BLOCKS, 8 << 20), ReadAhead::default(), 0);
    for number in (0..BLOCKS).map(BlockNo) {
        let group = disk.pager.grouping().group_of(number);
        if disk.pager.are_resident(&[number]) {
            if let Some((first, count)) = ahead.touched(group, || disk.pager.ahead_max()) {
                disk.pager.read_ahead(first, count);
            }
        } else {
            waits += 1;
            let count = ahead.missed(group, disk.pager.ahead_max());
            disk.pager.fetch(&[number], count);
        }
        disk.settle();
        disk.read(number.0, 0);
    }
    let counters = disk.pager.cache_figures().counters;
    assert_eq!(waits, 2);
    assert_eq!((counters.prefetched, counters.prefetched_used), (198 * 15, 198 * 15));
}

// At stake: a checkpoint that needs more than the cache holds must not read the same groups for ever.
#[test]
fn a_checkpoint_ends_under_a_cache_of_no_blocks_at_all() {
    let mut disk = Disk::with(BLOCKS, 0);
    disk.publish((0..BLOCKS).step_by(20), BLOCKS, 5);
    disk.settle();
    assert_eq!(disk.pager.counters().checkpoints, 1);
    let figures = disk.pager.cache_figures();
    assert_eq!((figures.blocks_pinned, figures.bytes, figures.log_resident_bytes), (0, 0, 0));
    assert!(disk.pager.counters().blocks_read <= u64::from(BLOCKS), "each group once");
    assert_eq!([20, 21, 40].map(|number| disk.read(number, 0)), [25, 21, 45]);
}

/// A read that the store has carried out before a checkpoint, and that is answered after it.
fn read_across_a_checkpoint(stale_again: bool) {
    let mut disk = Disk::with(2 * PER_GROUP, 1 << 20);
    disk.pager.fetch(&[BlockNo(3)], 0);
    let (id, before) = disk.carry_out().expect("the read");
    disk.publish([3, 4].into_iter(), 2 * PER_GROUP, 1000);
    // The fold needs the group that is on its way: the checkpoint reads the other one meanwhile, and folds both.
    disk.ask();
    while disk.pager.counters().checkpoints == 0 {
        match disk.carry_out() {
            Some((id, result)) => drop(disk.pager.complete(id, result)),
            // It waits for the late answer's group: read by an epoch check, it comes another way.
            None => disk.pager.read_again(GroupNo(0)),
        }
    }
    disk.pager.evict_all_clean();
    assert_eq!(disk.pager.complete(id, before.clone()), [], "nothing of it is taken in");
    let (again, after) = disk.carry_out().expect("it is read again");
    disk.pager.complete(again, if stale_again { before } else { after });
    assert_eq!([3, 4, 5].map(|number| disk.read(number, 0)), [1003, 1004, 5]);
}

// At stake: an answer from before the checkpoint is the database of yesterday.
#[test]
fn an_answer_that_a_checkpoint_has_overtaken_is_read_again() {
    read_across_a_checkpoint(false);
}

// The negative control: the old answer, taken for the new one.
#[test]
#[should_panic(expected = "[3, 4, 5]")]
fn an_old_answer_that_is_believed_is_noticed() {
    read_across_a_checkpoint(true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    // At stake: what a transaction holds is what it needs to end.
    #[test]
    fn what_is_held_stays_and_is_counted_until_it_is_released(held in prop::collection::vec(prop::collection::btree_set(0..BLOCKS, 0..40), 1..6), reads in prop::collection::vec(0..BLOCKS, 0..100)) {
        let mut disk = Disk::with(BLOCKS, 100_000);
        let held: Vec<Vec<_>> = held.into_iter().map(|set| set.into_iter().map(BlockNo).collect()).collect();
        for blocks in &held {
            disk.pager.hold(blocks);
            disk.pager.fetch(blocks, 0);
            disk.settle();
        }
        reads.iter().for_each(|number| _ = disk.read(*number, 3));
        for blocks in &held {
            prop_assert!(disk.pager.are_resident(blocks));
            prop_assert!(disk.pager.pinned_bytes() >= blocks.len() * BLOCK_BYTES);
            disk.pager.release(blocks);
        }
        prop_assert_eq!(disk.pager.pinned_bytes(), 0);
        prop_assert!(disk.bytes() <= 100_000);
    }
}
