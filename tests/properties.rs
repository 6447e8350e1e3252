//! Log + checkpoint + cache ≡ a map, whatever is evicted, pinned, lost or crashed, with the real pager.

#[path = "sim/tamper.rs"]
#[allow(dead_code, reason = "only one of them is for this seam")]
mod tamper;

use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use tabhub::error::Error;
use tabhub::ids::{BlockNo, CommitSeq, OpId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Block, Durability, Limits, Lookup, Pager, Progress, StoreFailure, StoreOp, StoreReply, StoreResult};

/// Blocks of the largest database: six groups.
const BLOCKS: u32 = 90;
const BLOCK_BYTES: usize = 4096;

#[derive(Clone, Debug)]
enum Step {
    /// Blocks with a new content, and the size of the database afterwards.
    Publish(Vec<u32>, u32),
    Pin,
    Unpin(usize),
    Read(usize),
    /// So many operations of the store complete.
    Run(usize),
    /// The next operation of the store is refused.
    Refuse,
    /// The connection goes, with the next write applied or not.
    Lose(bool),
    Evict,
    Fetch(u32),
    /// Blocks to stay in memory, and the oldest of those no longer.
    Hold(Vec<u32>),
    Release,
    /// The cache's budget, in blocks.
    Budget(usize),
    Warm,
    /// The store reads what is asked for, and the answer is a long time on its way.
    Delay,
    /// A late answer comes.
    Deliver,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec(0..BLOCKS, 0..8), 1..BLOCKS).prop_map(|(blocks, size)| Step::Publish(blocks, size)),
        3 => Just(Step::Pin),
        2 => (0usize..8).prop_map(Step::Unpin),
        4 => (0usize..8).prop_map(Step::Read),
        8 => (0usize..5).prop_map(Step::Run),
        1 => Just(Step::Refuse),
        1 => any::<bool>().prop_map(Step::Lose),
        3 => Just(Step::Evict),
        2 => (0..BLOCKS).prop_map(Step::Fetch),
        2 => prop::collection::vec(0..BLOCKS, 1..20).prop_map(Step::Hold),
        2 => Just(Step::Release),
        1 => prop::sample::select(vec![0, 1, 5, 20, 60, 8000]).prop_map(Step::Budget),
        1 => Just(Step::Warm),
        3 => Just(Step::Delay),
        2 => Just(Step::Deliver),
        1 => Just(Step::Crash),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = prop::sample::select(vec![30_000, 100_000, 2_000_000]);
    let (records, large) = (prop::sample::select(vec![2, 5, 500]), prop::sample::select(vec![10_000, 4_000_000]));
    let cache = prop::sample::select(vec![0, 5_000, 30_000, 300_000, 32 << 20]);
    (bytes, records, large, cache).prop_map(|(log_bytes, log_records, large_commit_bytes, cache_bytes)| Limits {
        cache_bytes,
        log_bytes,
        log_records,
        large_commit_bytes,
        part_bytes: 9_000,
        ..Limits::default()
    })
}

/// What a snapshot holds: the number of the content of each block, and the size.
#[derive(Clone, Debug, Default)]
struct Map {
    blocks: BTreeMap<u32, u32>,
    size: u32,
}

struct Run {
    pager: Pager,
    store: MemoryStore,
    limits: Limits,
    pending: VecDeque<(OpId, StoreOp)>,
    late: VecDeque<(OpId, StoreResult)>,
    /// By commit, from 0.
    maps: Vec<Map>,
    pinned: Vec<CommitSeq>,
    contents: u32,
    evictions: usize,
    held: VecDeque<Vec<BlockNo>>,
    /// The negative control: the block groups hold newer blocks than the oldest snapshot.
    past_snapshots: bool,
}

fn open(store: &mut MemoryStore, limits: Limits) -> Pager {
    let Ok(StoreReply::Opened { header, sessions, log }) = store.run(StoreOp::Open) else { panic!("the store opens") };
    Pager::recover(header, sessions.as_deref(), &log, limits).expect("the format is ours")
}

/// A block whose every byte pair tells its content's number.
fn block(content: u32) -> Block {
    content.to_le_bytes().repeat(BLOCK_BYTES / 4).into()
}

/// Which content a block has, whole.
fn content(data: &[u8]) -> u32 {
    let content = u32::from_le_bytes(data[..4].try_into().expect("four bytes"));
    assert_eq!(data, &block(content)[..], "a block is of one content");
    content
}

impl Run {
    fn new(limits: Limits) -> Self {
        let mut store = MemoryStore::new();
        let pager = open(&mut store, limits);
        let maps = vec![Map::default()];
        Self {
            pager,
            store,
            limits,
            pending: VecDeque::new(),
            late: VecDeque::new(),
            maps,
            pinned: vec![],
            contents: 0,
            evictions: 0,
            held: VecDeque::new(),
            past_snapshots: false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Publish(blocks, size) => self.publish(blocks, *size),
            Step::Pin => {
                let at = self.pager.durable();
                self.pager.pin(at);
                self.pinned.push(at);
            }
            Step::Unpin(at) if *at < self.pinned.len() => {
                let at = self.pinned.swap_remove(*at);
                self.pager.unpin(at);
            }
            Step::Read(at) if *at < self.pinned.len() => self.read(self.pinned[*at]),
            Step::Unpin(_) | Step::Read(_) => {}
            Step::Run(operations) => self.run(*operations),
            Step::Refuse => {
                self.complete(Some(StoreFailure::NotApplied(Error::full())));
            }
            Step::Lose(applied) => self.lose(*applied),
            Step::Evict => self.evictions += self.pager.evict_all_clean(),
            Step::Fetch(block) => self.pager.fetch(&[BlockNo(*block)], 1),
            Step::Hold(blocks) => {
                let blocks: Vec<_> = blocks.iter().copied().map(BlockNo).collect();
                self.pager.hold(&blocks);
                self.held.push_back(blocks);
            }
            Step::Release => {
                let blocks = self.held.pop_front().unwrap_or_default();
                self.pager.release(&blocks);
            }
            Step::Budget(blocks) => self.pager.set_cache_bytes(blocks * BLOCK_BYTES),
            Step::Warm => _ = self.pager.warm(),
            Step::Delay => self.delay(),
            Step::Deliver => _ = self.deliver(),
            Step::Crash => self.crash(),
        }
        self.collect();
        self.is_within_its_budget();
    }

    /// Beside the log and what is held, the cache keeps to its budget.
    fn is_within_its_budget(&self) {
        let figures = self.pager.cache_figures();
        let unheld = figures.bytes.saturating_sub(figures.pinned_bytes);
        let within = figures.bytes + figures.log_resident_bytes <= figures.bytes_max || unheld <= figures.bytes_max / 8;
        assert!(within, "{figures:?}");
    }

    fn run(&mut self, operations: usize) {
        for _ in 0..operations {
            self.complete(None);
        }
    }

    fn publish(&mut self, blocks: &[u32], size: u32) {
        let mut map = self.maps.last().expect("there is the empty one").clone();
        // What a database grows by is written, or nobody ever reads it: that is all that the log promises of blocks which commits
        // of one record cut off and grow again.
        let grown = map.size..size;
        map.blocks.retain(|block, _| *block < size);
        map.size = size;
        let mut pages = tabhub::store::Pages::default();
        for number in grown.chain(blocks.iter().copied()).filter(|block| *block < size) {
            self.contents += 1;
            map.blocks.insert(number, self.contents);
            pages.insert(BlockNo(number), block(self.contents));
        }
        let seq = self.pager.publish(pages, size, Durability::Strict, None);
        assert_eq!(seq.0, self.maps.len() as u64, "commits are numbered without gaps");
        self.maps.push(map);
    }

    fn collect(&mut self) {
        self.pending.extend(self.pager.take_ops());
    }

    /// Completes one operation, truthfully or with a failure; false where there is none.
    fn complete(&mut self, failure: Option<StoreFailure>) -> bool {
        self.collect();
        let Some((id, op)) = self.pending.pop_front() else { return self.deliver() };
        let result = failure.map_or_else(|| self.store.run(op), Err);
        self.answer(id, result);
        true
    }

    fn delay(&mut self) {
        if let Some(at) = self.pending.iter().position(|(_, op)| matches!(op, StoreOp::ReadGroups { .. })) {
            let (id, op) = self.pending.remove(at).expect("just found");
            self.late.push_back((id, self.store.run(op)));
        }
    }

    fn deliver(&mut self) -> bool {
        let Some((id, result)) = self.late.pop_front() else { return false };
        self.answer(id, result);
        true
    }

    fn answer(&mut self, id: OpId, result: StoreResult) {
        if self.past_snapshots {
            tamper::fold_everything(&mut self.store, self.pager.header().epoch);
        }
        for progress in self.pager.complete(id, result) {
            match progress {
                Progress::CommitsLost(_) => self.roll_back(),
                Progress::Disconnected(_) => {
                    self.pending.clear();
                    self.pager.reopen();
                }
                // Lost, then refused: nobody knows whether it was applied, and a fresh hub has to look.
                Progress::Failed(Error::Poisoned(_)) => self.crash(),
                Progress::Failed(error) | Progress::Damaged(error) => panic!("{error}"),
                _ => {}
            }
        }
        self.collect();
    }

    fn roll_back(&mut self) {
        let durable = self.pager.durable();
        self.maps.truncate(usize::try_from(durable.0).expect("small") + 1);
    }

    fn lose(&mut self, applied: bool) {
        self.collect();
        if let Some((_, op)) = self.pending.front().filter(|_| applied) {
            drop(self.store.run(op.clone()));
        }
        self.complete(Some(StoreFailure::Lost(Error::Storage("gone".into()))));
    }

    /// Only what the store holds survives: a prefix of the commits, with every durable one.
    fn crash(&mut self) {
        let (durable, published) = (self.pager.durable(), self.pager.published());
        self.pending.clear();
        self.late.clear();
        self.pinned.clear();
        self.held.clear();
        self.pager = open(&mut self.store, self.limits);
        assert!(self.pager.damage().is_none(), "{:?}", self.pager.damage());
        assert!((durable..=published).contains(&self.pager.durable()));
        self.roll_back();
        self.read(self.pager.durable());
    }

    /// Reads a whole snapshot, which nobody else holds on to unless it is pinned.
    fn read(&mut self, at: CommitSeq) {
        self.pager.pin(at);
        let map = self.maps[usize::try_from(at.0).expect("small")].clone();
        assert_eq!(self.pager.blocks_at(at), map.size, "size at {at:?}");
        for number in 0..map.size {
            let expected = map.blocks.get(&number);
            match self.look_up(BlockNo(number), at) {
                Lookup::Data(data) => assert_eq!(Some(content(&data)), expected.copied(), "block {number} at {at:?}"),
                Lookup::Zeros => assert_eq!(expected, None, "block {number} at {at:?}"),
                Lookup::Miss => unreachable!("it was fetched"),
            }
        }
        self.pager.unpin(at);
    }

    fn look_up(&mut self, number: BlockNo, at: CommitSeq) -> Lookup {
        self.pager.hold(&[number]);
        let found = loop {
            match self.pager.lookup(number, at) {
                Lookup::Miss => {
                    self.pager.fetch(&[number], 0);
                    assert!(self.complete(None), "a missing block is fetched");
                }
                found => break found,
            }
        };
        self.pager.release(&[number]);
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    // At stake: a block of another commit under a snapshot is corruption that no checksum notices.
    #[test]
    fn every_snapshot_reads_its_own_map_whatever_happens(limits in limits(), steps in prop::collection::vec(step(), 1..150)) {
        let mut run = Run::new(limits);
        for step in &steps {
            run.take(step);
        }
        for at in run.pinned.clone() {
            run.read(at);
        }
        while run.complete(None) {}
        prop_assert_eq!(run.pager.durable(), run.pager.published());
        run.crash();
    }
}

/// Snapshots whose groups are not in memory, while later commits change blocks of the same groups.
fn read_back_under_pinned_snapshots(past_snapshots: bool) -> Run {
    let mut run = Run { past_snapshots, ..Run::new(Limits { log_records: 1, ..Limits::default() }) };
    let write = |round: u32| Step::Publish((0..60).filter(|n| n % 3 == round % 3).collect(), 60);
    for round in 0..20 {
        // Everything is in the groups, and nothing in memory, when the snapshot is taken; then a commit goes past it.
        let before = [write(round), Step::Run(9), Step::Evict, Step::Pin];
        let after = [write(round + 1), Step::Run(1), Step::Read(0), Step::Unpin(0)];
        before.iter().chain(&after).for_each(|step| run.take(step));
    }
    run
}

// What the property above is worth depends on how far its steps get.
#[test]
fn evicted_groups_are_read_back_under_a_pinned_snapshot() {
    let run = read_back_under_pinned_snapshots(false);
    let counters = run.pager.counters();
    assert!(
        run.evictions > 10 && counters.checkpoints > 3 && counters.blocks_read > 60,
        "{} evictions, {counters:?}",
        run.evictions
    );
}

// The negative control: what the readers of a snapshot must never meet.
#[test]
#[should_panic(expected = "block")]
fn a_checkpoint_past_a_snapshot_is_caught() {
    read_back_under_pinned_snapshots(true);
}
