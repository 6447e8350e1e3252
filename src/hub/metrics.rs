//! The figures that `db.metrics()` shows.

use super::database::Database;
use super::fiber::Seat;
use super::writer::Slot;
use crate::wire;

impl Database {
    pub(super) fn metrics(&self) -> wire::Figures {
        let pager = self.pager.borrow();
        let (resident, log_bytes, log_records) = pager.sizes();
        let (c, large, cache) = (pager.counters(), pager.large_commit(), pager.cache_figures());
        let cached = self.seats.iter().chain(&self.writer).map(Seat::cached_statements).sum::<usize>();
        let open = self.read_transactions.len() + usize::from(matches!(self.slot, Slot::Transaction(_)));
        [
            ("sessions", self.sessions.len() as u64),
            ("requests", self.sessions.values().map(|session| session.asked.len() as u64).sum()),
            ("transactions_open", open as u64),
            ("cursors_open", self.streams.iter().filter(|s| s.is_cursor()).count() as u64),
            ("commits", c.commits),
            ("groups", c.groups),
            ("group_commits_max", c.group_commits_max),
            ("group_commits_1", c.group_sizes[0]),
            ("group_commits_2_3", c.group_sizes[1]),
            ("group_commits_4_7", c.group_sizes[2]),
            ("group_commits_8_15", c.group_sizes[3]),
            ("group_commits_16", c.group_sizes[4]),
            ("bytes_written", c.bytes_written),
            ("store_reads", c.store_reads),
            ("store_writes", c.store_writes),
            ("store_puts", c.store_puts),
            ("write_batch_bytes_max", c.write_bytes_max),
            ("large_commit_bytes", large.0),
            ("large_commit_written", large.1),
            ("reconnections", c.reconnections),
            ("sessions_kept", pager.sessions().len() as u64),
            ("replies_kept_bytes", pager.sessions().bytes() as u64),
            ("recalled", self.counters.recalled),
            ("log_records", log_records as u64),
            ("log_bytes", log_bytes as u64),
            ("checkpoints", c.checkpoints),
            ("blocks_total", pager.blocks_at(pager.published()).into()),
            ("blocks_resident", resident as u64),
            ("blocks_read", c.blocks_read),
            ("cache_bytes", cache.bytes as u64),
            ("cache_bytes_max", cache.bytes_max as u64),
            ("cache_hits", cache.counters.hits),
            ("cache_misses", cache.counters.misses),
            ("cache_evictions", cache.counters.evictions),
            ("blocks_pinned", cache.blocks_pinned as u64),
            ("pinned_bytes", cache.pinned_bytes as u64),
            ("log_resident_bytes", cache.log_resident_bytes as u64),
            ("dirty_bytes", cache.dirty_bytes as u64),
            ("prefetched", cache.counters.prefetched),
            ("prefetched_used", cache.counters.prefetched_used),
            ("memory_bytes", crate::ffi::memory_bytes()),
            ("temp_bytes", crate::vfs::temp::bytes() as u64),
            ("block_bytes", pager.block_bytes().into()),
            ("misses", c.misses),
            ("restarts", self.counters.restarts),
            ("reads", self.counters.reads),
            ("writes", self.counters.writes),
            ("live_queries", self.lives.len() as u64),
            ("live_runs", self.lives.runs),
            ("live_updates", self.lives.updates),
            ("queued", self.turns.len() as u64),
            ("running", self.fibers.len() as u64),
            ("suspended", self.fibers.suspended() as u64),
            ("waits", self.fibers.counters.waits),
            ("slices", self.fibers.counters.slices),
            ("turns", self.fibers.counters.turns),
            ("statements_cached", cached as u64),
            ("epoch", pager.header().epoch.0),
            ("commit_published", pager.published().0),
            ("commit_durable", pager.durable().0),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Vec<_>>()
        .into()
    }
}
