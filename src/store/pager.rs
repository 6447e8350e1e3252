//! The pager: one open database as the layers above see it. Reads are answered from memory or reported as misses; commits
//! are published at once and become durable later; fetches, group commits, checkpoint steps and imports leave as operations
//! ([`Pager::take_ops`]) and come back as answers ([`Pager::complete`]). One write transaction is in flight at a time.

mod fetch;
mod replace;

use super::Pages;
use super::checkpoint::{Checkpoint, LOG_BYTES_MAX, LOG_RECORDS_MAX, Step};
use super::header::Header;
use super::import::Import;
use super::log::{Log, LogEntry};
use super::ops::{Durability, Key, StoreFailure, StoreOp, StoreResult, Write, WriteBatch};
use super::versions::{Lookup, Versions};
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, GroupNo, LogPos, OpId};
use crate::sorted::SortedMap;

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
    /// The import wants its next part, or has failed.
    ImportStep(Result<()>),
    /// The database is now what was imported.
    Imported,
    /// Nothing can be written any more.
    Failed(Error),
}

/// Why a write transaction is in flight.
#[derive(Debug)]
enum Purpose {
    Commit(LogEntry),
    Fold,
    FinishCheckpoint(Header),
    ImportPart,
    FinishImport(Header),
    UndoImport,
}

/// Counters since the database was opened; see `metrics` in the README.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub commits: u64,
    pub groups: u64,
    pub group_commits_max: u64,
    pub bytes_written: u64,
    pub checkpoints: u64,
    pub blocks_read: u64,
    pub misses: u64,
}

#[derive(Debug)]
pub struct Pager {
    header: Header,
    versions: Versions,
    log: Log,
    /// Blocks changed by records that are still in the log.
    logged: SortedMap<BlockNo, ()>,
    published: CommitSeq,
    durable: CommitSeq,
    ops: Vec<(OpId, StoreOp)>,
    next_op: OpId,
    fetching: Vec<(OpId, GroupNo, GroupNo)>,
    writing: Option<(OpId, Purpose)>,
    checkpoint: Option<Checkpoint>,
    /// The log must outgrow this before a checkpoint is tried (again).
    checkpoint_bytes: usize,
    import: Option<Import>,
    import_writes: Vec<(Purpose, Vec<Write>)>,
    failed: Option<Error>,
    counters: Counters,
}

impl Pager {
    /// Brings a database to its last committed state from what [`StoreOp::Open`] answered.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the record, [`Error::Format`].
    pub fn recover(header: Header, log: &[(u64, Vec<u8>)]) -> Result<Self> {
        let (log, records) = Log::recover(log, header.generation, header.checkpoint)?;
        let mut pager = Self {
            versions: Versions::new(header.checkpoint, header.blocks),
            log,
            logged: SortedMap::default(),
            published: header.checkpoint,
            durable: header.checkpoint,
            ops: vec![],
            next_op: OpId(1),
            fetching: vec![],
            writing: None,
            checkpoint: None,
            checkpoint_bytes: LOG_BYTES_MAX,
            import: None,
            import_writes: vec![],
            failed: None,
            counters: Counters::default(),
            header,
        };
        for record in records {
            if record.block_bytes != pager.header.block_bytes {
                return Err(Error::Corrupt("the log and the header disagree about the block size".into()));
            }
            record.pages.keys().for_each(|block| pager.logged.insert(block, ()));
            pager.versions.publish(record.last, &record.pages, record.blocks);
            pager.versions.prune(record.last);
            (pager.published, pager.durable) = (record.last, record.last);
        }
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

    #[must_use]
    pub fn lookup(&self, block: BlockNo, at: CommitSeq) -> Lookup {
        self.versions.lookup(block, at, self.grouping())
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
    /// [`Progress::Durable`].
    pub fn publish(&mut self, pages: Pages, blocks: u32, durability: Durability) -> CommitSeq {
        let seq = self.published.next();
        self.published = seq;
        self.counters.commits += 1;
        self.versions.publish(seq, &pages, blocks);
        pages.keys().for_each(|block| self.logged.insert(block, ()));
        self.log.publish(seq, durability, pages, blocks);
        seq
    }

    /// Why nothing can be written any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    // ---- operations out, answers in

    /// The operations for the block store since the last call. Ask after every event.
    pub fn take_ops(&mut self) -> Vec<(OpId, StoreOp)> {
        if self.writing.is_none() && self.failed.is_none() {
            self.next_write();
        }
        std::mem::take(&mut self.ops)
    }

    /// Commits go first, so that none waits behind more than one step of background work.
    fn next_write(&mut self) {
        let header = &self.header;
        if let Some(group) = self.log.take_group(header.epoch, header.generation, header.block_bytes) {
            self.counters.groups += 1;
            self.counters.group_commits_max = self.counters.group_commits_max.max(group.commits as u64);
            let values = group.record.encode();
            let bytes = values.iter().map(Vec::len).sum();
            let (mut to, mut writes) = (LogPos(0), Vec::with_capacity(values.len()));
            for (position, value) in self.log.allot(values.len()).zip(values) {
                to = position;
                writes.push(Write::Put(Key::Log(position), value));
            }
            let entry = LogEntry { last: group.record.last, to, bytes };
            self.write(Purpose::Commit(entry), writes, group.durability);
        } else if !self.import_writes.is_empty() {
            let (purpose, writes) = self.import_writes.remove(0);
            let last = matches!(purpose, Purpose::FinishImport(_));
            self.write(purpose, writes, if last { Durability::Strict } else { Durability::Relaxed });
        } else if self.import.is_none() {
            self.next_checkpoint_step();
        }
    }

    fn write(&mut self, purpose: Purpose, writes: Vec<Write>, durability: Durability) {
        let put = |w: &Write| if let Write::Put(_, value) = w { value.len() as u64 } else { 0 };
        self.counters.bytes_written += writes.iter().map(put).sum::<u64>();
        let id = self.op_id();
        self.writing = Some((id, purpose));
        self.ops.push((id, StoreOp::Write(WriteBatch { epoch: self.header.epoch, durability, writes })));
    }

    fn next_checkpoint_step(&mut self) {
        if self.checkpoint.is_none() {
            self.begin_checkpoint();
        }
        let Some(checkpoint) = &mut self.checkpoint else { return };
        match checkpoint.step(&self.versions, &self.header) {
            Step::Fetch(groups) => self.fetch_groups(groups),
            Step::Fold(writes) => self.write(Purpose::Fold, writes, Durability::Relaxed),
            Step::Finish(writes, header) => self.write(Purpose::FinishCheckpoint(header), writes, Durability::Strict),
        }
    }

    fn begin_checkpoint(&mut self) {
        let many = self.checkpoint_bytes == LOG_BYTES_MAX && self.log.records() >= LOG_RECORDS_MAX;
        if self.log.bytes() < self.checkpoint_bytes && !many {
            return;
        }
        let Some(through) = self.log.foldable(self.versions.horizon(self.durable)) else { return };
        self.versions.pin(through.last);
        self.checkpoint = Some(Checkpoint::new(through, &self.logged, self.grouping()));
    }

    fn end_checkpoint(&mut self) {
        if let Some(checkpoint) = self.checkpoint.take() {
            self.unpin(checkpoint.through());
        }
    }

    /// To be tried again when the log has grown by half: by then there may be room.
    fn give_up_checkpoint(&mut self) {
        self.checkpoint_bytes = self.log.bytes() / 2 * 3;
        self.end_checkpoint();
    }

    /// Takes the answer to an operation.
    pub fn complete(&mut self, id: OpId, result: StoreResult) -> Vec<Progress> {
        if let Some(at) = self.fetching.iter().position(|(fetch, ..)| *fetch == id) {
            let (_, first, last) = self.fetching.swap_remove(at);
            return vec![self.fetched(first, last, result)];
        }
        match self.writing.take() {
            Some((writing, purpose)) if writing == id => match result {
                Ok(_) => self.written(purpose),
                Err(failure) => self.write_failed(&purpose, failure),
            },
            other => {
                self.writing = other;
                vec![]
            }
        }
    }

    fn fetched(&mut self, first: GroupNo, last: GroupNo, result: StoreResult) -> Progress {
        match self.install(first, last, result) {
            Ok(()) => {
                self.versions.prune(self.versions.horizon(self.durable));
                Progress::Fetched
            }
            Err(error) => {
                self.give_up_checkpoint();
                Progress::FetchFailed(first, last, error)
            }
        }
    }

    fn written(&mut self, purpose: Purpose) -> Vec<Progress> {
        match purpose {
            Purpose::Commit(entry) => {
                self.durable = entry.last;
                self.log.append(entry);
                self.versions.prune(self.versions.horizon(self.durable));
                vec![Progress::Durable(entry.last)]
            }
            Purpose::Fold | Purpose::UndoImport => vec![],
            Purpose::FinishCheckpoint(header) => {
                let through = header.checkpoint;
                self.header = header;
                self.log.drop_through(through);
                self.logged.retain(|block, ()| self.versions.newest(*block) > through);
                self.counters.checkpoints += 1;
                self.checkpoint_bytes = LOG_BYTES_MAX;
                self.end_checkpoint();
                vec![]
            }
            // Abandoned, or the last part: the end of the import answers for it.
            Purpose::ImportPart if self.import.is_none() || !self.import_writes.is_empty() => vec![],
            Purpose::ImportPart => vec![Progress::ImportStep(Ok(()))],
            Purpose::FinishImport(header) => {
                self.replace(header);
                vec![Progress::Imported]
            }
        }
    }

    fn write_failed(&mut self, purpose: &Purpose, failure: StoreFailure) -> Vec<Progress> {
        let error = failure.error().clone();
        let fatal = matches!(failure, StoreFailure::InDoubt(_)) || matches!(error, Error::Fenced(_) | Error::Corrupt(_));
        if fatal {
            self.failed = Some(error.clone());
            return vec![Progress::Failed(error)];
        }
        match purpose {
            Purpose::Commit(_) => {
                self.versions.revert_to(self.durable);
                self.log.clear_queue();
                self.published = self.durable;
                vec![Progress::CommitsLost(error)]
            }
            Purpose::Fold | Purpose::FinishCheckpoint(_) => {
                self.give_up_checkpoint();
                vec![]
            }
            Purpose::ImportPart | Purpose::FinishImport(_) => {
                self.import_abort();
                vec![Progress::ImportStep(Err(error))]
            }
            // The next open deletes what is left.
            Purpose::UndoImport => vec![],
        }
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
}
