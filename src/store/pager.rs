//! The pager: one open database as the layers above see it. Reads are answered from memory or reported as misses; commits
//! are published at once and become durable later; fetches, group commits, checkpoint steps and imports leave as operations
//! ([`Pager::take_ops`]) and come back as answers ([`Pager::complete`]). One write transaction is in flight at a time.
//!
//! `write` decides what is written next and what its answer means, `fetch` reads block groups, `memory` bounds what is kept of
//! them, `changes` keeps what commits changed, `link` bridges a lost connection, `replace` imports, `verify` reads what is stored without believing it.

mod changes;
mod fetch;
mod link;
mod memory;
mod replace;
mod verify;
mod write;

use super::Pages;
use super::cache::Cache;
use super::changes::Changes;
use super::checkpoint::Checkpoint;
use super::header::Header;
use super::import::Import;
use super::limits::Limits;
use super::log::{Log, LogRange};
use super::ops::{Durability, LogValues, StoreFailure, StoreOp, StoreResult, Write};
use super::sessions::Sessions;
use super::versions::{Lookup, Versions};
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, GroupNo, OpId};
use changes::ReadingChanges;
use fetch::Fetching;
use link::Link;
pub use memory::CacheFigures;
use verify::Verifying;
use write::{Committing, Purpose, Writing};

/// What an answer of the block store changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Commits up to here are durable: acknowledge them.
    Durable(CommitSeq),
    /// The commits that were published but not durable are gone, as if never made.
    CommitsLost(Error),
    /// Groups arrived: what waited for them may go on.
    Fetched,
    /// The groups from first to last cannot be read.
    FetchFailed(GroupNo, GroupNo, Error),
    /// Something stored is corrupt: nothing is written any more, what is readable stays so.
    Damaged(Error),
    /// What [`Pager::verify_log`] or [`Pager::verify_groups`] found.
    Verified(Vec<String>),
    /// What [`Pager::read_changes`] found from a commit on, in order; it ends where one is missing.
    Changes(CommitSeq, Result<Vec<(CommitSeq, Changes)>>),
    /// The answer to [`Pager::keep_changes`].
    Kept(Result<()>),
    /// The import wants its next part, or has failed.
    ImportStep(Result<()>),
    /// The database is now what was imported.
    Imported,
    /// The connection is gone: ask for [`Pager::reopen`] after a while.
    Disconnected(Error),
    /// The connection is back, and what was lost with the old one is under way again.
    Reconnected,
    /// Nothing can be written any more.
    Failed(Error),
}

/// Counters since the database was opened; see `metrics` in the README.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub commits: u64,
    pub groups: u64,
    /// Groups of 1, 2–3, 4–7, 8–15 and more commits.
    pub group_sizes: [u64; 5],
    pub group_commits_max: u64,
    pub store_reads: u64,
    pub store_writes: u64,
    pub store_puts: u64,
    pub bytes_written: u64,
    /// The largest write transaction, in bytes.
    pub write_bytes_max: u64,
    pub checkpoints: u64,
    pub blocks_read: u64,
    pub misses: u64,
    pub reconnections: u64,
}

#[derive(Debug)]
pub struct Pager {
    limits: Limits,
    header: Header,
    versions: Versions,
    log: Log,
    sessions: Sessions,
    published: CommitSeq,
    durable: CommitSeq,
    ops: Vec<(OpId, StoreOp)>,
    next_op: OpId,
    link: Link,
    fetching: Vec<Fetching>,
    /// Groups on their way that somebody waits for; the others are read ahead.
    wanted: Vec<GroupNo>,
    /// The first group that warming has not come to, and the evictions when it began.
    warming: (GroupNo, u64),
    verifying: Option<Verifying>,
    /// Of how many commits it is kept what they changed, once the store has been told.
    keep: u64,
    keep_wanted: bool,
    reading_changes: Option<ReadingChanges>,
    writing: Option<Writing>,
    committing: Option<Committing>,
    /// Parts of a commit that never happened, to be deleted by the next write.
    garbage: Option<LogRange>,
    checkpoint: Option<Checkpoint>,
    /// The log must outgrow this before a checkpoint is tried (again).
    checkpoint_bytes: usize,
    /// Other writes since the last commit's: in haste some steps of the checkpoint come before the next one.
    steps_since_commit: usize,
    import: Option<Import>,
    import_writes: Vec<(Purpose, Vec<Write>)>,
    damage: Option<Error>,
    failed: Option<Error>,
    counters: Counters,
}

impl Pager {
    /// Brings a database to its last committed state from what [`StoreOp::Open`] answered. Where a record of the log is
    /// corrupt the state is the one before it, and [`damage`](Self::damage) says so.
    ///
    /// # Errors
    /// [`Error::Format`].
    pub fn recover(header: Header, sessions: Option<&[u8]>, log: &LogValues, limits: Limits) -> Result<Self> {
        let recovered = Log::recover(log, header.generation, header.checkpoint)?;
        let (sessions, sessions_damage) = match Sessions::recover(sessions, limits) {
            Err(damage @ Error::Corrupt(_)) => (Sessions::recover(None, limits)?, Some(damage)),
            other => (other?, None),
        };
        let mut pager = Self {
            versions: Versions::new(header.checkpoint, header.blocks, Cache::new(limits.cache_bytes)),
            log: recovered.log,
            sessions,
            published: header.checkpoint,
            durable: header.checkpoint,
            ops: vec![],
            next_op: OpId(1),
            link: Link::Up,
            fetching: vec![],
            wanted: vec![],
            warming: (GroupNo(0), 0),
            verifying: None,
            keep: header.keep,
            keep_wanted: false,
            reading_changes: None,
            writing: None,
            committing: None,
            garbage: recovered.incomplete,
            checkpoint: None,
            checkpoint_bytes: limits.log_bytes,
            steps_since_commit: 1,
            import: None,
            import_writes: vec![],
            damage: recovered.damage.or(sessions_damage),
            failed: None,
            counters: Counters::default(),
            limits,
            header,
        };
        for record in recovered.records {
            let fits = record.block_bytes == pager.header.block_bytes;
            if !fits || pager.sessions.apply(&record.sessions, record.last).is_none() {
                let what = if fits { "the sessions" } else { "the block size" };
                let damage = ["commit ", &record.first.0.to_string(), " of the log contradicts the header in ", what].concat();
                pager.damage.get_or_insert(Error::Corrupt(damage));
                break;
            }
            pager.versions.publish(record.last, &record.pages, record.blocks);
            pager.versions.prune(record.last);
            (pager.published, pager.durable) = (record.last, record.last);
        }
        pager.sessions.evict();
        Ok(pager)
    }

    // ---- what the VFS asks

    #[must_use]
    pub fn block_bytes(&self) -> u32 {
        self.header.block_bytes
    }

    /// The newest commit, durable or not: what the next writer builds on.
    #[must_use]
    pub fn published(&self) -> CommitSeq {
        self.published
    }

    /// The newest commit that survives anything: what readers see.
    #[must_use]
    pub fn durable(&self) -> CommitSeq {
        self.durable
    }

    /// Database size in blocks at a commit.
    #[must_use]
    pub fn blocks_at(&self, at: CommitSeq) -> u32 {
        self.versions.blocks_at(at)
    }

    /// What a snapshot holds at a block, as far as it is in memory. That counts as a use of it.
    pub fn lookup(&mut self, block: BlockNo, at: CommitSeq) -> Lookup {
        self.versions.lookup(block, at)
    }

    /// Keeps a snapshot readable until it is unpinned; pins nest.
    pub fn pin(&mut self, at: CommitSeq) {
        self.versions.pin(at);
    }

    pub fn unpin(&mut self, at: CommitSeq) {
        self.versions.unpin(at);
        self.versions.prune(self.versions.horizon(self.durable));
    }

    /// Makes a transaction's blocks the newest state. Returns its sequence number, to be acknowledged at
    /// [`Progress::Durable`]. `changes`: what it changed, where [that is kept](Self::keeps_changes).
    pub fn publish(&mut self, pages: Pages, blocks: u32, durability: Durability, changes: Option<Changes>) -> CommitSeq {
        let seq = self.published.next();
        self.published = seq;
        self.counters.commits += 1;
        self.versions.publish(seq, &pages, blocks);
        let changes = self.keeps_changes().then(|| changes.unwrap_or_default());
        self.log.publish(seq, durability, pages, blocks, changes);
        seq
    }

    /// Whether commits wait for the next write.
    #[must_use]
    pub fn has_waiting_commits(&self) -> bool {
        !self.log.is_empty()
    }

    /// What is remembered of the clients' writes.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    /// Why nothing can be written any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// What is corrupt, if anything is known to be: the database is read-only then, until an import replaces it.
    #[must_use]
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    // ---- operations out, answers in

    /// The operations for the block store since the last call. Ask after every event.
    pub fn take_ops(&mut self) -> Vec<(OpId, StoreOp)> {
        self.take_ops_held(false)
    }

    /// The same; while `is_held`, no write begins.
    pub fn take_ops_held(&mut self, is_held: bool) -> Vec<(OpId, StoreOp)> {
        if self.link != Link::Up {
            return self.take_reopening();
        }
        if self.writing.is_none() && self.failed.is_none() && !is_held {
            self.next_write();
        }
        std::mem::take(&mut self.ops)
    }

    /// Takes the answer to an operation.
    pub fn complete(&mut self, id: OpId, result: StoreResult) -> Vec<Progress> {
        if self.link == Link::Reopening(id) {
            return self.reopened(result);
        }
        let is_ours = self.fetching.iter().any(|fetching| fetching.id == id)
            || self.writing.as_ref().is_some_and(|writing| writing.id == id)
            || self.verifying.as_ref().is_some_and(|verifying| verifying.id == id)
            || self.reading_changes.as_ref().is_some_and(|reading| reading.id == id);
        match result {
            // An answer that comes after its operation was submitted anew.
            _ if !is_ours => vec![],
            Err(StoreFailure::Lost(error)) => self.disconnected(error),
            Err(StoreFailure::NotApplied(error @ (Error::Fenced(_) | Error::Deleted(_)))) => self.fail(error),
            result => self.answered(id, result),
        }
    }

    fn answered(&mut self, id: OpId, result: StoreResult) -> Vec<Progress> {
        if let Some(at) = self.fetching.iter().position(|fetching| fetching.id == id) {
            let fetching = self.fetching.swap_remove(at);
            return self.fetched(&fetching, result);
        }
        if let Some(verifying) = self.verifying.take_if(|verifying| verifying.id == id) {
            return vec![Progress::Verified(self.verified(&verifying, result))];
        }
        if let Some(reading) = self.reading_changes.take_if(|reading| reading.id == id) {
            return vec![Progress::Changes(reading.first, Self::changes_read(reading.first, result))];
        }
        let Some(writing) = self.writing.take() else { return vec![] };
        match result {
            Ok(_) => self.written(writing),
            Err(failure) => self.write_failed(writing, failure),
        }
    }

    fn fail(&mut self, error: Error) -> Vec<Progress> {
        self.failed = Some(error.clone());
        vec![Progress::Failed(error)]
    }

    /// From now on the database is read-only.
    fn damaged(&mut self, error: &Error) -> Option<Progress> {
        if self.damage.is_some() {
            return None;
        }
        self.damage = Some(error.clone());
        self.end_checkpoint();
        Some(Progress::Damaged(error.clone()))
    }

    fn op_id(&mut self) -> OpId {
        let id = self.next_op;
        self.next_op = id.next();
        id
    }

    // ---- figures

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Blocks in memory, bytes and records in the log.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.versions.resident(), self.log.bytes(), self.log.records())
    }

    /// Bytes of the large commit under way, and how many of them are written.
    #[must_use]
    pub fn large_commit(&self) -> (u64, u64) {
        self.committing.as_ref().map_or((0, 0), Committing::progress)
    }
}
