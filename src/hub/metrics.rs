//! The figures that `db.metrics()` shows.

use super::database::Database;
use super::writer::Slot;
use crate::engine::Connection;
use crate::wire;

impl Database {
    pub(super) fn metrics(&self) -> wire::Figures {
        let pager = self.pager.borrow();
        let (resident, log_bytes, log_records) = pager.sizes();
        let c = pager.counters();
        let cached = [&self.reader, &self.writer].into_iter().flatten().map(Connection::cached_statements).sum::<usize>();
        let open = self.read_transactions.len() + usize::from(matches!(self.slot, Slot::Transaction(_)));
        [
            ("sessions", self.sessions.len() as u64),
            ("transactions_open", open as u64),
            ("cursors_open", self.streams.iter().filter(|s| s.is_cursor()).count() as u64),
            ("commits", c.commits),
            ("groups", c.groups),
            ("group_commits_max", c.group_commits_max),
            ("bytes_written", c.bytes_written),
            ("log_records", log_records as u64),
            ("log_bytes", log_bytes as u64),
            ("checkpoints", c.checkpoints),
            ("blocks_total", pager.blocks_at(pager.published()).into()),
            ("blocks_resident", resident as u64),
            ("blocks_read", c.blocks_read),
            ("block_bytes", pager.block_bytes().into()),
            ("misses", c.misses),
            ("restarts", self.counters.restarts),
            ("reads", self.counters.reads),
            ("writes", self.counters.writes),
            ("queued", self.turns.len() as u64),
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
