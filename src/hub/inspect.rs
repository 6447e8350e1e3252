//! What the hub is doing at this moment, for those who look for what is slow or stuck: sessions, requests and where each stands, open
//! transactions, live queries, how long answers took, and the last lines of the log. Tables, so that they travel as the results of a batch do;
//! their columns are described in `hub-js/inspect.ts`.

use super::database::Database;
use super::reply::{Reply, Table};
use super::writer::Slot;
use crate::ids::PortId;
use crate::sorted::SortedMap;
use crate::wire::{self, Body, Results};

/// A line of the hub's log.
pub struct Logged {
    pub at: f64,
    pub level: wire::LogLevel,
    pub message: Box<str>,
}

impl Logged {
    /// Lines that are kept.
    pub const KEPT: usize = 100;
}

/// A request by its session and id, and where it stands.
type Standings = SortedMap<(PortId, u64), &'static str>;

const QUEUED: &str = "queued";
const AWAITING_WRITER: &str = "awaiting-writer";
pub const AWAITING_BLOCK: &str = "awaiting-block";
pub const RUNNING: &str = "running";
pub const SUSPENDED: &str = "suspended";
const STORING: &str = "storing";
/// Between two chunks, or two states, or two parts.
const OPEN: &str = "open";

impl Database {
    /// For the tab that asks; what it sees is of one moment.
    pub(super) fn inspect(&self, port: PortId) -> Reply {
        let mut payload = vec![];
        let tables = [
            self.sessions_table(port),
            self.requests_table(),
            self.transactions_table(),
            self.live_table(),
            self.latencies_table(),
            self.log_table(),
        ];
        let results = tables.into_iter().map(|table| table.finish(&mut payload)).collect();
        Reply { body: Body::Results(Results { results }), payload }
    }

    fn sessions_table(&self, asking: PortId) -> Table {
        let mut table = Table::new(&["session", "client", "isOwn", "build", "openMs", "requests", "lastWrite", "cacheBytes"]);
        for (port, session) in self.sessions.iter() {
            table.count(port.0.into());
            table.cells.text(&session.client);
            table.flag(port == asking);
            table.cells.text(&session.build);
            table.cells.real(self.now - session.since);
            table.count(session.asked.len() as u64);
            table.count(session.last_write.0);
            table.count_if_any(session.cache_bytes.map(|bytes| bytes as u64));
        }
        table
    }

    fn requests_table(&self) -> Table {
        let mut table = Table::new(&["session", "id", "op", "sql", "state", "ms"]);
        let standings = self.standings();
        for (port, session) in self.sessions.iter() {
            for (id, asked) in session.asked.iter() {
                table.count(port.0.into());
                table.count(id);
                table.cells.text(asked.op);
                table.cells.text(&asked.sql);
                table.cells.text(standings.get((port, id)).unwrap_or(&OPEN));
                table.cells.real(self.now - asked.at);
            }
        }
        table
    }

    /// What is further on its way comes later, and is what counts.
    fn standings(&self) -> Standings {
        let mut all = Standings::default();
        let mut stands = |port: PortId, id: u64, state| all.insert((port, id), state);
        let waits = |misses: &[_]| if self.are_resident(misses) { QUEUED } else { AWAITING_BLOCK };
        for job in self.sessions.values().flat_map(|session| &session.lane) {
            stands(job.port, job.id, waits(&job.misses));
        }
        for job in self.reads.iter().chain(self.inside_reads.iter().map(|(_, job)| job)) {
            stands(job.port, job.id, waits(&job.misses));
        }
        for stream in self.streams.iter().filter(|stream| !self.are_resident(&stream.job.misses)) {
            stands(stream.job.port, stream.job.id, AWAITING_BLOCK);
        }
        self.turns.iter().for_each(|job| stands(job.port, job.id, AWAITING_WRITER));
        match &self.slot {
            Slot::Waiting(job) => stands(job.port, job.id, AWAITING_BLOCK),
            Slot::Transaction(open) => open.waiting_ids().for_each(|id| stands(open.port, id, waits(open.misses()))),
            _ => {}
        }
        self.fibers.standings().for_each(|(ticket, state)| stands(ticket.port, ticket.id, state));
        self.outbox.held().filter(|held| held.is_last).for_each(|held| stands(held.port, held.id, STORING));
        all
    }

    fn transactions_table(&self) -> Table {
        let mut table = Table::new(&["session", "transaction", "mode", "isIdle", "ms", "snapshot"]);
        if let Slot::Transaction(open) = &self.slot {
            table.count(open.port.0.into());
            table.count(open.id.0.into());
            table.cells.text("write");
            table.flag(open.is_idle());
            table.cells.real(self.now - open.begun_at());
            table.cells.null();
        }
        for (tx, read) in self.read_transactions.iter() {
            table.count(read.port.0.into());
            table.count(tx.0.into());
            table.cells.text("read");
            table.flag(!self.is_reading(tx));
            table.cells.real(self.now - read.begun_at());
            table.count(read.at.0);
        }
        table
    }

    fn live_table(&self) -> Table {
        let mut table = Table::new(&["sql", "tables", "followers", "rows", "bytes", "commit", "isRunning"]);
        self.lives.tell(&mut table);
        table
    }

    fn latencies_table(&self) -> Table {
        let mut table = Table::new(&["op", "upToMs", "count"]);
        for (op, up_to_ms, count) in self.latencies.iter() {
            table.cells.text(op);
            table.count_if_any(up_to_ms);
            table.count(count);
        }
        table
    }

    fn log_table(&self) -> Table {
        let mut table = Table::new(&["at", "level", "message"]);
        for line in &self.logged {
            table.cells.real(line.at);
            table.cells.text(wire::level_name(line.level));
            table.cells.text(&line.message);
        }
        table
    }
}
