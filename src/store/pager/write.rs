//! Writing: what goes next (commits first, then imports, then the checkpoint's steps), and what each answer means.

use super::{Pager, Progress};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, LogPos, OpId};
use crate::store::Block;
use crate::store::changes::Changes;
use crate::store::checkpoint::{Checkpoint, Step};
use crate::store::header::Header;
use crate::store::log::{Log, LogEntry, LogRange};
use crate::store::ops::{Durability, Key, StoreFailure, StoreOp, Write, WriteBatch};
use crate::store::record::RecordParts;
use crate::store::versions::{Lookup, Versions};
use std::rc::Rc;

/// How many times larger than usual a checkpoint's step may be: 4 MiB.
const STEP_SIZE_MAX: usize = 8;

/// Why a write transaction is in flight.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Some parts of a large commit, not its last.
    CommitParts,
    Commit(LogEntry),
    Fold,
    FinishCheckpoint(Header),
    ImportPart,
    FinishImport(Header),
    UndoImport,
    /// How much is kept of what commits change.
    Keep(Header),
}

/// The write transaction in flight. The batch is kept until it is answered, to be submitted again if the connection is lost.
#[derive(Debug)]
pub(super) struct Writing {
    pub id: OpId,
    pub batch: Rc<WriteBatch>,
    pub purpose: Purpose,
    /// What it deletes of a commit that never happened.
    garbage: Option<LogRange>,
    /// A connection was lost under it: it may have been applied already.
    pub is_in_doubt: bool,
}

/// A commit record on its way to the log.
#[derive(Debug)]
pub(super) struct Committing {
    parts: RecordParts,
    durability: Durability,
    parts_total: u64,
    bytes: usize,
    /// What is kept of what it changes; goes with the last part.
    changes: Vec<(CommitSeq, Changes)>,
    /// The positions taken so far.
    positions: Option<LogRange>,
}

impl Committing {
    /// Bytes in all, and bytes written, counted in parts.
    pub fn progress(&self) -> (u64, u64) {
        let written = self.parts_total - self.parts.size_hint().0 as u64;
        let bytes = self.bytes as u64;
        (bytes * self.parts_total / written.max(1), bytes)
    }
}

impl Pager {
    /// Commits go first, so that none waits behind more than one step of background work; but once the log has outgrown its
    /// limits twice, each commit is followed by a step of the checkpoint, larger ones and more of them the longer the log is, or
    /// endless writing would make it endless too.
    pub(super) fn next_write(&mut self) {
        if self.damage.is_some() {
            // What was published before is still good; an import heals; a checkpoint would destroy what can be salvaged.
            let _ = self.next_commit_write() || self.next_keep_write() || self.next_import_write();
            return;
        }
        let haste = self.log.bytes() / self.limits.log_bytes + self.log.records() / self.limits.log_records;
        let (size, steps) = (haste.clamp(1, STEP_SIZE_MAX), (haste / STEP_SIZE_MAX).max(1));
        if haste >= 2 && self.steps_since_commit < steps && self.import.is_none() {
            self.next_checkpoint_step(size);
        }
        if self.writing.is_some() || self.next_commit_write() || self.next_keep_write() || self.next_import_write() {
            return;
        }
        if self.import.is_none() {
            self.next_checkpoint_step(size);
        }
    }

    fn next_commit_write(&mut self) -> bool {
        let (header, sessions) = (&self.header, &mut self.sessions);
        if self.committing.is_none() {
            let of = (header.epoch, header.generation, header.block_bytes);
            let Some(mut group) = self.log.take_group(of, || sessions.take_section()) else { return false };
            // One of several transactions lets a checkpoint's steps in between, which may end behind what it would build on.
            if group.record.bytes() <= self.limits.large_commit_bytes {
                group.record.shrink(|block| earlier(&self.log, &self.versions, block, self.durable));
            }
            let c = &mut self.counters;
            c.groups += 1;
            c.group_commits_max = c.group_commits_max.max(group.commits as u64);
            c.group_sizes[group.commits.ilog2().min(4) as usize] += 1;
            let parts = group.record.into_parts(self.limits.part_bytes);
            let parts_total = parts.size_hint().0 as u64;
            let (durability, changes) = (group.durability, group.changes);
            self.committing = Some(Committing { parts, durability, parts_total, bytes: 0, changes, positions: None });
        }
        self.next_commit_parts();
        true
    }

    /// Writes as many parts as one transaction may have; the last one commits.
    fn next_commit_parts(&mut self) {
        let Some(mut committing) = self.committing.take() else { return };
        let (mut writes, mut bytes) = (vec![], 0);
        while bytes < self.limits.large_commit_bytes
            && let Some(value) = committing.parts.next()
        {
            let position = self.log.allot();
            committing.positions = Some((committing.positions.map_or(position, |(from, _)| from), position));
            bytes += value.len();
            writes.push(Write::Put(Key::Log(position), value));
        }
        committing.bytes += bytes;
        let to = committing.positions.map_or(LogPos(0), |(_, to)| to);
        let entry = LogEntry { last: committing.parts.commit(), to, bytes: committing.bytes, is_final: false };
        let is_whole = committing.parts.size_hint().0 == 0;
        if is_whole {
            let kept = committing.changes.iter().map(|(commit, of)| Write::Put(Key::Changes(*commit), of.encode(*commit)));
            writes.extend(kept);
        }
        let purpose = if is_whole { Purpose::Commit(entry) } else { Purpose::CommitParts };
        // Flushing the last part flushes what was written before it.
        let durability = if is_whole { committing.durability } else { Durability::Relaxed };
        self.committing = Some(committing);
        self.write(purpose, writes, durability);
    }

    fn next_import_write(&mut self) -> bool {
        if self.import_writes.is_empty() {
            return false;
        }
        let (purpose, writes) = self.import_writes.remove(0);
        let is_last = matches!(purpose, Purpose::FinishImport(_));
        self.write(purpose, writes, if is_last { Durability::Strict } else { Durability::Relaxed });
        true
    }

    pub(super) fn write(&mut self, purpose: Purpose, mut writes: Vec<Write>, durability: Durability) {
        let is_commit = matches!(purpose, Purpose::Commit(_) | Purpose::CommitParts);
        self.steps_since_commit = if is_commit { 0 } else { self.steps_since_commit.saturating_add(1) };
        let garbage = self.garbage.take();
        if let Some((from, to)) = garbage {
            writes.insert(0, Write::Delete(Key::Log(from), Key::Log(to)));
        }
        let puts = writes.iter().filter_map(|w| if let Write::Put(_, value) = w { Some(value.len() as u64) } else { None });
        let (count, bytes) = puts.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
        let c = &mut self.counters;
        c.store_writes += 1;
        c.store_puts += count;
        c.bytes_written += bytes;
        c.write_bytes_max = c.write_bytes_max.max(bytes);
        let id = self.op_id();
        let batch = Rc::new(WriteBatch { epoch: self.header.epoch, durability, writes });
        self.ops.push((id, StoreOp::Write(batch.clone())));
        self.writing = Some(Writing { id, batch, purpose, garbage, is_in_doubt: false });
    }

    fn next_checkpoint_step(&mut self, haste: usize) {
        if self.checkpoint.is_none() {
            self.begin_checkpoint();
        }
        let Some(checkpoint) = &mut self.checkpoint else { return };
        match checkpoint.step(&mut self.versions, &self.header, haste) {
            Step::Fetch(groups) => {
                self.want(&groups);
                self.fetch_groups(groups);
            }
            Step::Fold(writes) => self.write(Purpose::Fold, writes, Durability::Relaxed),
            Step::Finish(mut writes, header) => {
                writes.extend(self.old_changes(header.checkpoint));
                writes.push(Write::Put(Key::Sessions, self.sessions.snapshot(self.durable)));
                self.write(Purpose::FinishCheckpoint(header), writes, Durability::Strict);
            }
        }
    }

    fn begin_checkpoint(&mut self) {
        let many = self.checkpoint_bytes == self.limits.log_bytes && self.log.records() >= self.limits.log_records;
        if self.log.bytes() < self.checkpoint_bytes && !many {
            return;
        }
        let Some(through) = self.log.foldable(self.versions.horizon(self.durable)) else { return };
        self.versions.pin(through.last);
        self.checkpoint = Some(Checkpoint::new(through, &self.versions, self.grouping()));
    }

    pub(super) fn end_checkpoint(&mut self) {
        if let Some(mut checkpoint) = self.checkpoint.take() {
            checkpoint.end(&mut self.versions);
            self.unpin(checkpoint.through());
        }
    }

    /// To be tried again when the log has grown by half: by then there may be room.
    pub(super) fn give_up_checkpoint(&mut self) {
        self.checkpoint_bytes = self.log.bytes() / 2 * 3;
        self.end_checkpoint();
    }

    pub(super) fn written(&mut self, writing: Writing) -> Vec<Progress> {
        match writing.purpose {
            Purpose::Commit(entry) => {
                self.durable = entry.last;
                if let Some(committing) = self.committing.take() {
                    self.log.append(entry, committing.parts.whole_blocks(), self.versions.blocks_at(entry.last));
                }
                self.sessions.stored();
                self.versions.prune(self.versions.horizon(self.durable));
                vec![Progress::Durable(entry.last)]
            }
            Purpose::CommitParts | Purpose::Fold | Purpose::UndoImport => vec![],
            Purpose::FinishCheckpoint(header) => {
                let through = header.checkpoint;
                self.versions.rebase(through, header.blocks);
                self.header = header;
                self.log.drop_through(through);
                self.counters.checkpoints += 1;
                self.checkpoint_bytes = self.limits.log_bytes;
                self.end_checkpoint();
                vec![]
            }
            Purpose::Keep(header) => self.kept(Ok(header)),
            // Abandoned, or the last part: the end of the import answers for it.
            Purpose::ImportPart if self.import.is_none() || !self.import_writes.is_empty() => vec![],
            Purpose::ImportPart => vec![Progress::ImportStep(Ok(()))],
            Purpose::FinishImport(header) => {
                self.replace(header);
                vec![Progress::Imported]
            }
        }
    }

    pub(super) fn write_failed(&mut self, writing: Writing, failure: StoreFailure) -> Vec<Progress> {
        let error = failure.error().clone();
        if matches!(error, Error::Corrupt(_)) {
            return self.fail(error);
        }
        if matches!(failure, StoreFailure::InDoubt(_)) {
            return self.fail(Error::Poisoned(error.message().into()));
        }
        if writing.is_in_doubt && matches!(writing.purpose, Purpose::Commit(_) | Purpose::FinishImport(_)) {
            let why = [
                "a write was interrupted by a lost connection and then failed, so its outcome is open; open the database again: ",
                error.message(),
            ];
            return self.fail(Error::Poisoned(why.concat()));
        }
        self.garbage = writing.garbage;
        match writing.purpose {
            Purpose::Commit(_) | Purpose::CommitParts => {
                self.garbage = covering(self.garbage, self.committing.take().and_then(|committing| committing.positions));
                self.versions.revert_to(self.durable);
                self.sessions.revert_to(self.durable);
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
            Purpose::Keep(_) => self.kept(Err(error)),
            // The next open deletes what is left.
            Purpose::UndoImport => vec![],
        }
    }
}

/// What a patch of a block may build on: the block as it is durable, where the log holds it.
fn earlier(log: &Log, versions: &Versions, block: BlockNo, durable: CommitSeq) -> Option<Block> {
    match log.holds(block).then(|| versions.peek(block, durable)) {
        Some(Lookup::Data(data)) => Some(data),
        _ => None,
    }
}

/// Both ranges, and what lies between them: nothing that counts ever does.
fn covering(one: Option<LogRange>, other: Option<LogRange>) -> Option<LogRange> {
    match (one, other) {
        (Some((from, to)), Some((from2, to2))) => Some((from.min(from2), to.max(to2))),
        (one, other) => one.or(other),
    }
}
