//! The memory of blocks: what is there, what is not and pushes another out, and a block of which several snapshots see versions.

use divan::Bencher;
use divan::counter::ItemsCount;
use tabhub::ids::{BlockNo, CommitSeq};
use tabhub::store::cache::{Cache, ENTRY_BYTES};
use tabhub::store::versions::Versions;
use tabhub::store::{Block, Lookup, Pages};

const BLOCK_BYTES: usize = 4096;
/// Blocks that are there, and lookups at once: an odd step visits each of them, in no order.
const ROOM: u32 = 1 << 10;
const STEP: u32 = 397;

fn main() {
    divan::main();
}

#[divan::bench]
fn hit(bencher: Bencher) {
    let mut cache = filled();
    bencher.counter(ItemsCount::new(ROOM)).bench_local(|| (0..ROOM).filter(|at| get(&mut cache, at * STEP % ROOM)).count());
    assert_eq!(cache.counters.evictions, 0, "all of it fits");
}

#[divan::bench]
fn miss_and_evict(bencher: Bencher) {
    let (mut cache, block, mut next) = (filled(), block(), ROOM);
    cache.set_budget(cache.bytes());
    bencher.counter(ItemsCount::new(ROOM)).bench_local(|| {
        for _ in 0..ROOM {
            assert!(!get(&mut cache, next), "nobody has asked for it yet");
            cache.insert(BlockNo(next), Lookup::Data(block.clone()), false);
            cache.trim(0);
            next = next.wrapping_add(1);
        }
    });
    assert!(cache.counters.evictions >= u64::from(ROOM), "each pushes another out");
}

/// Each snapshot finds its own version of the block.
#[divan::bench(args = [1, 8, 64])]
fn snapshot_version(bencher: Bencher, snapshots: u64) {
    let mut versions = Versions::new(CommitSeq(0), ROOM, filled());
    for seq in (1..=snapshots).map(CommitSeq) {
        versions.publish(seq, &page(), ROOM);
        versions.pin(seq);
    }
    bencher.counter(ItemsCount::new(snapshots)).bench_local(|| {
        (1..=snapshots).filter(|seq| matches!(versions.lookup(BlockNo(7), CommitSeq(*seq)), Lookup::Data(_))).count()
    });
}

/// A commit, the read of its snapshot, and the end of the version before it.
#[divan::bench]
fn publish_read_and_prune(bencher: Bencher) {
    let mut versions = Versions::new(CommitSeq(0), ROOM, filled());
    let (page, mut last) = (page(), CommitSeq(0));
    bencher.bench_local(|| {
        last = last.next();
        versions.publish(last, &page, ROOM);
        versions.pin(last);
        let found = versions.lookup(BlockNo(7), last);
        versions.unpin(last);
        versions.prune(last);
        found
    });
}

fn get(cache: &mut Cache, number: u32) -> bool {
    cache.get(BlockNo(number)) != Lookup::Miss
}

fn filled() -> Cache {
    let mut cache = Cache::new(ROOM as usize * (BLOCK_BYTES + ENTRY_BYTES) / 6 * 8);
    let block = block();
    for number in 0..ROOM {
        cache.insert(BlockNo(number), Lookup::Data(block.clone()), false);
    }
    // Used twice, each is protected.
    let found = (0..2 * ROOM).filter(|at| get(&mut cache, at % ROOM)).count();
    assert_eq!(found, 2 * ROOM as usize, "all of it fits");
    cache
}

fn page() -> Pages {
    [(BlockNo(7), block())].into_iter().collect()
}

fn block() -> Block {
    vec![7; BLOCK_BYTES].into()
}
