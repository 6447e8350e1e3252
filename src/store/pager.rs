//! The pager: one open database as the layers above see it. Reads are answered from memory or reported as misses; commits
//! are published at once and become durable later; fetches, group commits, checkpoint steps and imports leave as operations
//! ([`Pager::take_ops`]) and come back as answers ([`Pager::complete`]). One write transaction is in flight at a time.

use super::Pages;
use super::checkpoint::{Checkpoint, LOG_BYTES_MAX, LOG_RECORDS_MAX, Step};
use super::group::Grouping;
use super::header::Header;
use super::import::Import;
use super::log::{Log, LogEntry};
use super::ops::{Durability, Key, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
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
    logged: Vec<BlockNo>,
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
            logged: vec![],
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
            pager.logged.extend(record.pages.keys());
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
        self.logged.extend(pages.keys());
        self.log.publish(seq, durability, pages, blocks);
        seq
    }

    /// Why nothing can be written any more, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    // ---- fetching

    /// Asks for the groups of these blocks, each with up to `ahead` groups after it. What is there or on its way is skipped.
    pub fn fetch(&mut self, blocks: &[BlockNo], ahead: u32) {
        let grouping = self.grouping();
        self.counters.misses += blocks.len() as u64;
        let groups = grouping.groups(self.blocks_at(self.published).max(self.blocks_at(self.durable)));
        let wanted =
            blocks.iter().map(|b| grouping.group_of(*b).0).flat_map(|g| g..=g.saturating_add(ahead).min(groups.max(g + 1) - 1));
        let wanted: Vec<_> = wanted.map(GroupNo).collect();
        self.fetch_groups(wanted);
    }

    /// Asks for the whole database.
    pub fn fetch_all(&mut self) {
        let groups = self.grouping().groups(self.blocks_at(self.published));
        let all: Vec<_> = (0..groups).map(GroupNo).collect();
        self.fetch_groups(all);
    }

    fn fetch_groups(&mut self, wanted: Vec<GroupNo>) {
        /// Groups per read: 4 MiB, so that no single answer floods the worker.
        const RUN_MAX: u32 = 64;
        let grouping = self.grouping();
        let under_way = |g: GroupNo| self.fetching.iter().any(|(_, first, last)| (*first..=*last).contains(&g));
        let wanted: SortedMap<GroupNo, ()> = wanted.into_iter().map(|group| (group, ())).collect();
        let mut runs: Vec<(GroupNo, GroupNo)> = vec![];
        for group in wanted.keys() {
            if self.versions.is_loaded(group, grouping) || under_way(group) {
                continue;
            }
            match runs.last_mut() {
                Some((first, last)) if last.next() == group && group.0 - first.0 < RUN_MAX => *last = group,
                _ => runs.push((group, group)),
            }
        }
        for (first, last) in runs {
            let id = self.op_id();
            self.fetching.push((id, first, last));
            self.ops.push((id, StoreOp::ReadGroups(self.header.generation, first, last)));
        }
    }

    /// Whether blocks that were misses can now be read, at whatever snapshot.
    #[must_use]
    pub fn are_resident(&self, blocks: &[BlockNo]) -> bool {
        let grouping = self.grouping();
        blocks.iter().all(|block| self.versions.is_loaded(grouping.group_of(*block), grouping))
    }

    /// Whether the whole database is in memory.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let groups = self.grouping().groups(self.blocks_at(self.published));
        (0..groups).all(|g| self.versions.is_loaded(GroupNo(g), self.grouping()))
    }

    #[must_use]
    pub fn grouping(&self) -> Grouping {
        Grouping { block_bytes: self.header.block_bytes }
    }

    // ---- importing

    /// Begins to replace the database by a file of `size` bytes. Everything published must be durable.
    ///
    /// # Errors
    /// As [`Import::new`].
    pub fn import_begin(&mut self, size: u64) -> Result<()> {
        debug_assert!(self.log.is_empty() && self.import.is_none(), "imports begin on a quiet database");
        self.import = Some(Import::new(self.header.generation.next(), size)?);
        Ok(())
    }

    /// Takes the next bytes of the file; [`Progress::ImportStep`] asks for more, [`Progress::Imported`] ends it.
    ///
    /// # Errors
    /// As [`Import::part`]; the import is then over and the database as before.
    pub fn import_part(&mut self, bytes: &[u8], end: bool) -> Result<()> {
        let import = self.import.as_mut().ok_or_else(|| Error::BadRequest("no import is under way".into()))?;
        match import.part(bytes, end) {
            Ok(writes) => self.import_writes.push((Purpose::ImportPart, writes)),
            Err(error) => {
                self.import_abort();
                return Err(error);
            }
        }
        if end {
            self.import_finish();
        }
        Ok(())
    }

    /// How many bytes of the import have come.
    #[must_use]
    pub fn import_received(&self) -> u64 {
        self.import.as_ref().map_or(0, Import::received)
    }

    /// Gives the import up; the database stays as it was.
    pub fn import_abort(&mut self) {
        if let Some(import) = self.import.take() {
            self.import_writes.clear();
            self.import_writes.push((Purpose::UndoImport, vec![import.undo()]));
        }
    }

    fn import_finish(&mut self) {
        let Some((block_bytes, blocks)) = self.import.as_ref().and_then(Import::shape) else { return };
        let checkpoint = self.published.next();
        let old = self.header.generation;
        let header = Header { generation: old.next(), block_bytes, blocks, checkpoint, ..self.header.clone() };
        let writes = vec![
            Write::Put(Key::Header, header.encode()),
            Write::Delete(Key::Log(LogPos(0)), Key::Log(LogPos(u64::MAX))),
            Write::Delete(Key::Group(old, GroupNo(0)), Key::Group(old, GroupNo(u32::MAX))),
        ];
        self.import_writes.push((Purpose::FinishImport(header), writes));
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

    fn install(&mut self, first: GroupNo, last: GroupNo, result: StoreResult) -> Result<()> {
        let values = match result {
            Ok(StoreReply::Groups(values)) => values,
            Ok(_) => return Err(Error::Storage("the block store gave the wrong answer to a read".into())),
            Err(failure) => return Err(failure.error().clone()),
        };
        let grouping = self.grouping();
        for group in (first.0..=last.0).map(GroupNo) {
            let stored = values.iter().find(|(number, _)| *number == group);
            let stored = stored.map(|(_, bytes)| grouping.decode(self.header.generation, group, bytes));
            let blocks = stored.transpose()?.unwrap_or_default();
            self.counters.blocks_read += blocks.len() as u64;
            self.versions.install(group, blocks);
        }
        Ok(())
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
                self.logged.retain(|block| self.versions.newest(*block) > through);
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

    /// Everything in memory belongs to the old generation: begin anew from the imported one.
    fn replace(&mut self, header: Header) {
        self.end_checkpoint();
        self.import = None;
        self.versions = Versions::new(header.checkpoint, header.blocks);
        (self.published, self.durable) = (header.checkpoint, header.checkpoint);
        self.logged.clear();
        self.log.drop_through(header.checkpoint);
        self.fetching.clear();
        self.header = header;
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
