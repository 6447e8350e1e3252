//! The cache: clean blocks, as they stand in the block groups, within a budget of bytes. Called by [`Versions`](super::versions)
//! alone; it knows nothing of commits, so what it holds is always the base, and whatever it drops can be read again.
//!
//! Segmented, so that one long scan cannot throw out what others use again and again: a block comes in on *probation*, becomes
//! *protected* at its second use, and goes by age, those on probation first. With every sixteenth eviction the protected block
//! that was not used for the longest time is back on probation, or what was hot once would keep others out for ever. A *held* block stands aside: it is never evicted,
//! may be held before it is there, and is used once for however long it is held, since a restarted unit of work reads it anew
//! at each try.

use super::Block;
use super::versions::Lookup;
use crate::ids::BlockNo;
use lru::LruCache;
use std::hash::{BuildHasherDefault, Hasher};

/// What an entry costs beside the block's bytes: list node, table slot, the block's own counters, the allocator's share.
pub const ENTRY_BYTES: usize = 128;
/// Parts of the budget, in eighths: what protected blocks may take, and what the cache keeps however much the log holds.
const PROTECTED_EIGHTHS: usize = 6;
const FLOOR_EIGHTHS: usize = 1;
/// Evictions to one protected block that is put on probation.
const EVICTIONS_TO_A_DEMOTION: u64 = 16;

/// Block numbers come from one database: nobody chooses them to collide.
#[derive(Clone, Copy, Default)]
struct BlockHasher(u64);

impl Hasher for BlockHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Blocks = LruCache<BlockNo, Entry, BuildHasherDefault<BlockHasher>>;

#[derive(Debug)]
struct Entry {
    /// `Miss` where it is held and not loaded.
    content: Lookup,
    holds: u32,
    is_used: bool,
    is_protected: bool,
    is_prefetched: bool,
}

impl Entry {
    const EMPTY: Self = Self { content: Lookup::Miss, holds: 0, is_used: false, is_protected: false, is_prefetched: false };

    fn cost(&self) -> usize {
        ENTRY_BYTES + self.data().map_or(0, |data| data.len())
    }

    fn data(&self) -> Option<&Block> {
        if let Lookup::Data(data) = &self.content { Some(data) } else { None }
    }
}

/// Counters since the database was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheCounters {
    /// Lookups answered from memory, and those that were not.
    pub hits: u64,
    pub misses: u64,
    pub evictions: u64,
    /// Blocks read before anybody asked for their group, and those of them that somebody came to ask for.
    pub prefetched: u64,
    pub prefetched_used: u64,
}

#[derive(Debug)]
pub struct Cache {
    probation: Blocks,
    protected: Blocks,
    held: Blocks,
    budget: usize,
    bytes: usize,
    held_bytes: usize,
    protected_bytes: usize,
    /// Entries with bytes of their own.
    resident: usize,
    pub counters: CacheCounters,
}

impl Cache {
    #[must_use]
    pub fn new(budget: usize) -> Self {
        let blocks = || Blocks::unbounded_with_hasher(BuildHasherDefault::default());
        let (probation, protected, held) = (blocks(), blocks(), blocks());
        let counters = CacheCounters::default();
        Self { probation, protected, held, budget, bytes: 0, held_bytes: 0, protected_bytes: 0, resident: 0, counters }
    }

    /// A block, as a reader uses it.
    pub fn get(&mut self, block: BlockNo) -> Lookup {
        if let Some(entry) = self.protected.get(&block) {
            return entry.content.clone();
        }
        if self.probation.peek(&block).is_some_and(|entry| entry.is_used) {
            return self.promote(block);
        }
        let Some(entry) = self.probation.get_mut(&block).or_else(|| self.held.get_mut(&block)) else { return Lookup::Miss };
        let is_first = !std::mem::replace(&mut entry.is_used, true);
        self.counters.prefetched_used += u64::from(is_first && entry.is_prefetched);
        entry.content.clone()
    }

    /// A block, without using it.
    #[must_use]
    pub fn peek(&self, block: BlockNo) -> Lookup {
        let found = [&self.protected, &self.probation, &self.held].into_iter().find_map(|blocks| blocks.peek(&block));
        found.map_or(Lookup::Miss, |entry| entry.content.clone())
    }

    #[must_use]
    pub fn contains(&self, block: BlockNo) -> bool {
        self.protected.contains(&block)
            || self.probation.contains(&block)
            || self.held.peek(&block).is_some_and(|entry| entry.content != Lookup::Miss)
    }

    fn promote(&mut self, block: BlockNo) -> Lookup {
        let Some(mut entry) = self.take(block) else { return Lookup::Miss };
        let content = entry.content.clone();
        entry.is_protected = true;
        self.put(block, entry);
        while self.protected_bytes > self.budget / 8 * PROTECTED_EIGHTHS {
            self.demote();
        }
        content
    }

    fn demote(&mut self) {
        if let Some(oldest) = self.protected.peek_lru().map(|(block, _)| *block)
            && let Some(mut entry) = self.take(oldest)
        {
            entry.is_protected = false;
            self.put(oldest, entry);
        }
    }

    /// Puts a block in; it may be over the budget until [`trim`](Self::trim).
    pub fn insert(&mut self, block: BlockNo, content: Lookup, is_prefetched: bool) {
        let mut entry = self.take(block).unwrap_or(Entry::EMPTY);
        entry.content = content;
        entry.is_prefetched = is_prefetched;
        self.counters.prefetched += u64::from(is_prefetched);
        self.put(block, entry);
    }

    /// Drops a block that is no longer what the base holds; holds on it stay.
    pub fn remove(&mut self, block: BlockNo) {
        if let Some(entry) = self.take(block).filter(|entry| entry.holds > 0) {
            self.put(block, Entry { holds: entry.holds, ..Entry::EMPTY });
        }
    }

    /// The same for every block from `first` on.
    pub fn remove_from(&mut self, first: BlockNo) {
        let all = [&self.probation, &self.protected, &self.held].into_iter().flatten().map(|(block, _)| *block);
        let gone: Vec<_> = all.filter(|block| *block >= first).collect();
        gone.into_iter().for_each(|block| self.remove(block));
    }

    /// Holds nest. They name blocks, loaded or not.
    pub fn hold(&mut self, blocks: &[BlockNo]) {
        for block in blocks {
            let mut entry = self.take(*block).unwrap_or(Entry::EMPTY);
            entry.holds += 1;
            self.put(*block, entry);
        }
    }

    pub fn release(&mut self, blocks: &[BlockNo]) {
        for block in blocks {
            if !self.held.contains(block) {
                continue;
            }
            let Some(mut entry) = self.take(*block) else { continue };
            entry.holds -= 1;
            if entry.holds > 0 || entry.content != Lookup::Miss {
                self.put(*block, entry);
            }
        }
    }

    fn take(&mut self, block: BlockNo) -> Option<Entry> {
        let entry = self.probation.pop(&block).or_else(|| self.protected.pop(&block)).or_else(|| self.held.pop(&block))?;
        self.bytes -= entry.cost();
        self.resident -= usize::from(entry.data().is_some());
        match &entry {
            Entry { holds: 1.., .. } => self.held_bytes -= entry.cost(),
            Entry { is_protected: true, .. } => self.protected_bytes -= entry.cost(),
            _ => {}
        }
        Some(entry)
    }

    fn put(&mut self, block: BlockNo, entry: Entry) {
        self.bytes += entry.cost();
        self.resident += usize::from(entry.data().is_some());
        let segment = match &entry {
            Entry { holds: 1.., .. } => {
                self.held_bytes += entry.cost();
                &mut self.held
            }
            Entry { is_protected: true, .. } => {
                self.protected_bytes += entry.cost();
                &mut self.protected
            }
            _ => &mut self.probation,
        };
        segment.put(block, entry);
    }

    /// Evicts until the cache, and what is in memory `beside` it, keep to the budget.
    pub fn trim(&mut self, beside: usize) {
        let floor = self.budget / 8 * FLOOR_EIGHTHS;
        while self.bytes + beside > self.budget && self.bytes - self.held_bytes > floor && self.evict() {}
    }

    /// Evicts the block whose turn it is, if there is any.
    pub fn evict(&mut self) -> bool {
        let oldest = self.probation.peek_lru().or_else(|| self.protected.peek_lru()).map(|(block, _)| *block);
        let evicted = oldest.and_then(|block| self.take(block)).is_some();
        self.counters.evictions += u64::from(evicted);
        if evicted && self.counters.evictions.is_multiple_of(EVICTIONS_TO_A_DEMOTION) {
            self.demote();
        }
        evicted
    }

    #[must_use]
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Takes effect at the next [`trim`](Self::trim).
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Bytes of all entries, with what each costs beside its block.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many blocks are held, loaded or not.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Blocks with bytes of their own.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.resident
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BYTES: usize = 1000 - ENTRY_BYTES;

    /// A cache with room for so many blocks.
    fn cache(blocks: usize) -> Cache {
        Cache::new(blocks * 1000)
    }

    fn read(cache: &mut Cache, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            if cache.get(BlockNo(number)) == Lookup::Miss {
                cache.insert(BlockNo(number), Lookup::Data(vec![0; BYTES].into()), false);
                cache.trim(0);
                cache.get(BlockNo(number));
            }
        }
    }

    fn count(cache: &Cache, mut numbers: std::ops::Range<u32>) -> usize {
        numbers.by_ref().filter(|number| cache.contains(BlockNo(*number))).count()
    }

    // At stake: one tab that scans a large table must not make all others wait for the store.
    #[test]
    fn a_scan_throws_out_what_is_used_once_and_nothing_that_is_used_again_and_again() {
        let mut cache = cache(64);
        read(&mut cache, (0..30).chain(0..30));
        // The negative control: used once before the scan, and never by turns with it.
        read(&mut cache, 30..40);
        for number in 1000..3000 {
            read(&mut cache, [number]);
            if number % 30 == 0 {
                assert_eq!(count(&cache, 0..30), 30);
                read(&mut cache, 0..30);
            }
        }
        assert_eq!(count(&cache, 30..40), 0);
    }

    // At stake: what was hot yesterday must not keep today's blocks out for ever.
    #[test]
    fn protected_blocks_give_way_to_others_that_are_used_again() {
        let mut cache = cache(64);
        read(&mut cache, (0..60).chain(0..60));
        assert!((40..=48).contains(&cache.protected.len()), "{}", cache.protected.len());
        (0..20).for_each(|_| read(&mut cache, 100..140));
        assert_eq!(count(&cache, 100..140), 40);
    }

    // At stake: without its pages a transaction that is replayed never ends.
    #[test]
    fn held_blocks_stay_whatever_comes_and_go_when_they_are_released() {
        let mut cache = cache(10);
        let held: Vec<_> = (0..20).map(BlockNo).collect();
        cache.hold(&held);
        cache.hold(&held[..5]);
        read(&mut cache, 0..500);
        assert_eq!((count(&cache, 0..20), cache.held()), (20, 20));
        cache.release(&held);
        cache.trim(0);
        assert_eq!((count(&cache, 0..5), cache.held(), cache.bytes()), (5, 5, 10_000));
        cache.release(&held);
        assert_eq!(cache.held(), 0);
    }

    #[test]
    fn the_log_takes_its_room_from_the_cache_but_not_all_of_it() {
        let mut cache = cache(80);
        read(&mut cache, 0..80);
        cache.trim(40_000);
        assert_eq!(cache.bytes(), 40_000);
        cache.trim(1_000_000);
        assert_eq!(cache.bytes(), 10_000);
    }

    proptest! {
        // At stake: a count that drifts makes the budget mean nothing.
        #[test]
        fn what_is_counted_is_what_is_there(steps in prop::collection::vec((0u8..8, 0u32..24, 0usize..4), 0..200), budget in 0usize..20) {
            let mut cache = cache(budget);
            for (step, number, size) in steps {
                let block = BlockNo(number);
                match step {
                    0 | 1 => cache.insert(block, Lookup::Data(vec![0; BYTES * size].into()), size == 1),
                    2 => cache.insert(block, Lookup::Zeros, false),
                    3 => drop((cache.get(block), cache.get(block))),
                    4 => cache.hold(&[block, BlockNo(number / 2)]),
                    5 => cache.release(&[block]),
                    6 => cache.remove(block),
                    _ => cache.remove_from(BlockNo(20)),
                }
                cache.trim(size * 1000);
                let bytes = |blocks: &Blocks| blocks.iter().map(|(_, entry)| entry.cost()).sum::<usize>();
                let (held, protected) = (bytes(&cache.held), bytes(&cache.protected));
                prop_assert_eq!((cache.held_bytes, cache.protected_bytes), (held, protected));
                prop_assert_eq!(cache.bytes, held + protected + bytes(&cache.probation));
                let within = cache.bytes + size * 1000 <= cache.budget || cache.bytes - held <= cache.budget / 8;
                prop_assert!(within, "{} bytes, {held} held", cache.bytes);
            }
        }
    }
}
