//! Memory: how much of the database is kept, what may not be evicted, and what is read in idle time. The hub sets the budget and
//! turns an excess of what is held into an error; nothing here refuses anything.

use super::Pager;
use crate::ids::{BlockNo, GroupNo};
use crate::store::cache::{CacheCounters, ENTRY_BYTES};

/// Groups that are read at once in idle time: whoever comes then waits for no more.
const WARM_GROUPS: u32 = 16;

/// Figures of the cache, in bytes and blocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheFigures {
    /// Clean blocks, with what each costs beside its bytes.
    pub bytes: usize,
    pub bytes_max: usize,
    pub blocks_pinned: usize,
    pub pinned_bytes: usize,
    /// Blocks of commits that are still in the log: no eviction concerns them.
    pub log_resident_bytes: usize,
    /// Blocks that the open transaction has changed.
    pub dirty_bytes: usize,
    pub counters: CacheCounters,
}

impl Pager {
    /// Keeps blocks in memory, now or once they are fetched, until they are [released](Self::release); holds nest.
    pub fn hold(&mut self, blocks: &[BlockNo]) {
        self.versions.hold(blocks);
    }

    pub fn release(&mut self, blocks: &[BlockNo]) {
        self.versions.release(blocks);
    }

    /// What is held, as if all of it were there; a checkpoint under way holds up to 4 MiB for itself.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        self.versions.cache().held() * self.block_cost()
    }

    /// How many blocks the open transaction has changed so far.
    pub fn note_dirty(&mut self, blocks: usize) {
        let bytes = blocks * self.block_cost();
        self.versions.set_dirty_bytes(bytes);
    }

    /// Sets the budget; what is beyond it goes at once.
    pub fn set_cache_bytes(&mut self, bytes: usize) {
        self.warming.0 = GroupNo(0);
        self.versions.set_cache_bytes(bytes);
    }

    /// Drops every block that stands in the store as it does here and is not held, and says how many: for tests, and for when
    /// memory is short.
    pub fn evict_all_clean(&mut self) -> usize {
        self.versions.evict_all_clean()
    }

    /// Reads the next part of a database that fits into the cache, where nothing else is being fetched; false where there is
    /// nothing to read. For idle time.
    pub fn warm(&mut self) -> bool {
        if !self.fetching.is_empty() || !self.fits() {
            return false;
        }
        let (end, evictions) = (self.stored_groups(), self.versions.cache().counters.evictions);
        if self.warming.1 != evictions {
            self.warming = (GroupNo(0), evictions);
        }
        let Some(first) = (self.warming.0.0..end).find(|group| !self.is_group_resident(GroupNo(*group))) else {
            self.warming.0 = GroupNo(end);
            return false;
        };
        let end = end.min(first + WARM_GROUPS);
        self.warming.0 = GroupNo(end);
        self.fetch_groups((first..end).map(GroupNo).collect());
        true
    }

    /// Whether the whole database has room in the cache beside the log, and an eighth to spare.
    pub(super) fn fits(&self) -> bool {
        let room = self.versions.cache().budget() / 8 * 7;
        self.versions.base_blocks() as usize * self.block_cost() + self.versions.recent_bytes() <= room
    }

    /// How many groups may be read beyond what is missing. A reader has two windows in memory that it has not used yet, and what nobody
    /// has used twice is sure of a quarter of the cache only: more would be pushed out before it is looked at, and read again.
    #[must_use]
    pub fn ahead_max(&self) -> u32 {
        let group = self.grouping().blocks_per_group() as usize * self.block_cost();
        u32::try_from(self.versions.cache().budget() / 8 / group).unwrap_or(u32::MAX)
    }

    fn block_cost(&self) -> usize {
        self.block_bytes() as usize + ENTRY_BYTES
    }

    #[must_use]
    pub fn cache_figures(&self) -> CacheFigures {
        let cache = self.versions.cache();
        CacheFigures {
            bytes: cache.bytes(),
            bytes_max: cache.budget(),
            blocks_pinned: cache.held(),
            pinned_bytes: self.pinned_bytes(),
            log_resident_bytes: self.versions.recent_bytes(),
            dirty_bytes: self.versions.dirty_bytes(),
            counters: cache.counters,
        }
    }
}
