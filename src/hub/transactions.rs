//! Interactive transactions: a tab's statements between `begin` and `commit`, with the tab thinking in between.
//!
//! A write transaction has the writer for its whole life. When a statement misses a block everything is rolled back, the
//! block is fetched, and all earlier statements are replayed; their results must come out as the tab has already seen them.
//! A read transaction is a pinned snapshot and holds nothing else.

use super::database::Database;
use super::lanes::{Ask, Job};
use super::reply::Reply;
use super::requests::Origin;
use super::work::{Work, WorkFailure, WorkResult};
use super::writer::Slot;
use crate::engine::{Attempt, Connection, Failure};
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, PortId, TxId};
use crate::store::Durability;
use crate::store::codec::checksum;
use crate::vfs::unit;
use crate::wire;

/// What a tab asks of its open transaction.
#[derive(Debug)]
pub enum Step {
    Work(Job),
    Commit { id: u64, write: Option<u64> },
}

/// A statement that has been answered, to be replayed after a miss.
#[derive(Debug)]
struct Replay {
    work: Work,
    unit: (f64, u64),
    digest: u64,
}

#[derive(Debug)]
pub struct Transaction {
    pub id: TxId,
    pub port: PortId,
    pub deadline: f64,
    idle_ms: f64,
    durability: Durability,
    /// The newest commit it may have read.
    base: CommitSeq,
    history: Vec<Replay>,
    waiting: Vec<Step>,
    misses: Vec<BlockNo>,
    tries: u32,
    /// False after a miss: the replay begins it anew.
    begun: bool,
    /// `last_insert_rowid()` when it began, and now.
    first_rowid: i64,
    last_rowid: i64,
}

/// A snapshot that a tab holds across awaits.
#[derive(Debug)]
pub struct ReadTransaction {
    pub port: PortId,
    pub at: CommitSeq,
    pub deadline: f64,
    pub idle_ms: f64,
}

impl Transaction {
    /// Whether it waits for its tab, and not for blocks.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When it, or what waits in it, has waited for too long.
    pub fn next_deadline(&self) -> f64 {
        let jobs = self.waiting.iter().filter_map(|step| if let Step::Work(job) = step { Some(job.deadline) } else { None });
        if self.is_idle() { self.deadline } else { jobs.fold(f64::INFINITY, f64::min) }
    }

    pub fn misses(&self) -> &[BlockNo] {
        &self.misses
    }

    /// Takes the statements that `which` picks, before they are carried out.
    pub fn take_waiting(&mut self, which: &dyn Fn(&Job) -> bool) -> Vec<Job> {
        let picked = self.waiting.extract_if(.., |step| matches!(step, Step::Work(job) if which(job)));
        picked.filter_map(|step| if let Step::Work(job) = step { Some(job) } else { None }).collect()
    }
}

/// What the tab has seen of a statement, in short. A statement that fails can leave effects too (`OR FAIL`), so failures
/// are replayed like successes.
fn digest(result: &WorkResult<Reply>) -> u64 {
    match result {
        Ok(reply) => {
            let shape = match &reply.body {
                wire::Body::Rows(r) => {
                    u64::from(r.rows) ^ r.changes.rotate_left(21) ^ r.last_insert_rowid.cast_unsigned().rotate_left(42)
                }
                wire::Body::Done(d) => d.changes ^ d.last_insert_rowid.cast_unsigned().rotate_left(42),
                _ => 0,
            };
            checksum(&reply.payload) ^ shape
        }
        Err(WorkFailure { failure: Failure::Failed(error), .. }) => checksum(error.code().as_bytes()),
        Err(_) => 0,
    }
}

fn is_miss<T>(result: &WorkResult<T>) -> bool {
    matches!(result, Err(WorkFailure { failure: Failure::Missed(_), .. }))
}

impl Database {
    pub(super) fn begin_transaction(&mut self, port: PortId, id: u64, durability: Durability, idle_ms: f64, now: f64) {
        let tx = self.next_tx();
        let base = self.pager.borrow().published();
        let rowid = self.last_rowid_of(port);
        let transaction = Transaction {
            id: tx,
            port,
            deadline: now + idle_ms,
            idle_ms,
            durability,
            base,
            history: vec![],
            waiting: vec![],
            misses: vec![],
            tries: 0,
            begun: false,
            first_rowid: rowid,
            last_rowid: rowid,
        };
        self.slot = Slot::Transaction(transaction);
        self.reply_now(port, id, Reply::bare(wire::Body::Begun(wire::Begun { tx: tx.0.into() })));
    }

    pub(super) fn begin_read(&mut self, port: PortId, id: u64, idle_ms: f64, now: f64) {
        let (tx, at) = (self.next_tx(), self.snapshot_of(port));
        self.pager.borrow_mut().pin(at);
        self.read_transactions.insert(tx, ReadTransaction { port, at, deadline: now + idle_ms, idle_ms });
        self.reply_now(port, id, Reply::bare(wire::Body::Begun(wire::Begun { tx: tx.0.into() })));
    }

    /// A request that names a transaction.
    pub(super) fn request_inside(&mut self, tx: TxId, job: Job, now: f64) {
        if self.read_transactions.get(tx).is_some_and(|read| read.port == job.port) {
            self.inside_reads.push((tx, job));
            return self.pump_inside_reads(now);
        }
        match &mut self.slot {
            Slot::Transaction(open) if open.id == tx && open.port == job.port => {
                open.waiting.push(Step::Work(job));
                self.pump_transaction(now);
            }
            _ => {
                let error = self.why_ended(job.port, tx);
                self.fail_job(&job, &error, None);
            }
        }
    }

    pub(super) fn request_commit(&mut self, (port, id, write): Origin, tx: TxId, durability: Option<Durability>, now: f64) {
        if self.end_read(port, tx) {
            return self.reply_now(port, id, Reply::done(0, 0));
        }
        match &mut self.slot {
            Slot::Transaction(open) if open.id == tx && open.port == port => {
                open.durability = durability.unwrap_or(open.durability);
                open.waiting.push(Step::Commit { id, write });
                self.pump_transaction(now);
            }
            _ => {
                // Whatever hub it was begun on: it was not committed, or the table of sessions would know.
                let error = if write.is_some() { self.why_lost(port, tx) } else { self.why_ended(port, tx) };
                self.fail_write(port, id, write, &error);
            }
        }
    }

    /// Rolls back. A transaction that has ended already is what the caller wants.
    pub(super) fn request_rollback(&mut self, port: PortId, id: u64, tx: TxId) {
        if !self.end_read(port, tx) && self.has_transaction(port, tx) {
            self.end_transaction(&Error::TransactionClosed("the transaction was rolled back".into()));
        }
        self.reply_now(port, id, Reply::done(0, 0));
    }

    fn has_transaction(&self, port: PortId, tx: TxId) -> bool {
        matches!(&self.slot, Slot::Transaction(open) if open.id == tx && open.port == port)
    }

    fn why_ended(&self, port: PortId, tx: TxId) -> Error {
        self.sessions.get(port).map_or_else(|| Error::TransactionClosed("the session is over".into()), |s| s.why_ended(tx))
    }

    /// Why a transaction that is to be committed is not open.
    fn why_lost(&self, port: PortId, tx: TxId) -> Error {
        match self.why_ended(port, tx) {
            Error::TransactionClosed(_) => {
                Error::TransactionLost("the hub that had the transaction is gone: run it again".into())
            }
            known => known,
        }
    }

    /// Ends a read transaction, if it is one.
    fn end_read(&mut self, port: PortId, tx: TxId) -> bool {
        let Some(read) = self.read_transactions.get(tx).filter(|read| read.port == port) else { return false };
        self.pager.borrow_mut().unpin(read.at);
        self.read_transactions.remove(tx);
        true
    }

    /// Rolls the open write transaction back; what waits in it gets the reason, and so does whatever comes later.
    pub(super) fn end_transaction(&mut self, why: &Error) {
        let Some(mut open) = self.slot.take_transaction() else { return };
        if let Some(writer) = &mut self.writer {
            writer.rollback();
        }
        if let Some(session) = self.sessions.get_mut(open.port) {
            session.transaction_ended(open.id, why.clone());
        }
        for step in open.waiting.drain(..) {
            match step {
                Step::Work(job) => self.fail_job(&job, why, None),
                Step::Commit { id, write } => self.fail_write(open.port, id, write, why),
            }
        }
    }

    /// Carries out what the tab has asked of its transaction, until it waits for the tab or for blocks.
    pub(super) fn pump_transaction(&mut self, now: f64) {
        loop {
            let step = match &mut self.slot {
                Slot::Transaction(open) if !open.waiting.is_empty() && self.pager.borrow().are_resident(&open.misses) => {
                    Some(open.waiting.remove(0))
                }
                _ => None,
            };
            let Some(step) = step else { return };
            if let Some(open) = self.slot.take_transaction() {
                self.take_step(open, step, now);
            }
        }
    }

    /// Takes one step; puts the transaction back into the slot unless it is over.
    fn take_step(&mut self, mut open: Transaction, mut step: Step, now: f64) {
        match self.try_step(&mut open, &mut step) {
            Ok((reply, committed)) => {
                open.deadline = now + open.idle_ms;
                open.tries = 0;
                match step {
                    Step::Work(job) => {
                        self.reply_after(open.base, open.port, job.id, reply);
                        self.slot = Slot::Transaction(open);
                    }
                    Step::Commit { id, write } => {
                        if let Some(session) = self.sessions.get_mut(open.port) {
                            session.last_rowid = open.last_rowid;
                        }
                        self.acknowledge(open.port, id, write, reply, committed);
                    }
                }
            }
            Err(WorkFailure { failure: Failure::Missed(blocks), .. }) => {
                self.counters.restarts += 1;
                self.pager.borrow_mut().fetch(&blocks, 1 << open.tries.min(6));
                open.tries += 1;
                open.misses = blocks;
                open.begun = false;
                open.waiting.insert(0, step);
                self.slot = Slot::Transaction(open);
            }
            Err(WorkFailure { failure: Failure::Failed(error), index }) => self.step_failed(open, &step, &error, index, now),
        }
    }

    fn step_failed(&mut self, mut open: Transaction, step: &Step, error: &Error, index: Option<usize>, now: f64) {
        let alive = self.writer.as_ref().is_some_and(Connection::in_transaction);
        open.deadline = now + open.idle_ms;
        match step {
            Step::Work(job) => self.fail_job_after(open.base, job, error, index),
            Step::Commit { id, write } => self.fail_write(open.port, *id, *write, error),
        }
        let over = !alive || matches!(step, Step::Commit { .. }) || matches!(error, Error::TransactionLost(_));
        self.slot = Slot::Transaction(open);
        if over {
            self.end_transaction(&Error::TransactionLost(format!("the transaction was rolled back after: {}", error.message())));
        }
    }

    fn try_step(&mut self, open: &mut Transaction, step: &mut Step) -> WorkResult<(Reply, Option<CommitSeq>)> {
        self.counters.writes += 1;
        let writer = self.writer()?;
        let result = open.run(writer, step);
        if is_miss(&result) {
            writer.rollback();
        }
        result
    }

    /// Runs statements of read transactions whose blocks are there, each tab's in order.
    pub(super) fn pump_inside_reads(&mut self, now: f64) {
        let mut held = vec![];
        for (tx, mut job) in std::mem::take(&mut self.inside_reads) {
            let Some(at) = self.read_transactions.get(tx).map(|read| read.at) else {
                let error = self.why_ended(job.port, tx);
                self.fail_job(&job, &error, None);
                continue;
            };
            if held.contains(&tx) || !self.are_resident(&job.misses) {
                held.push(tx);
                self.inside_reads.push((tx, job));
                continue;
            }
            match self.try_inside_read(&mut job, at) {
                Ok(reply) => self.reply_after(at, job.port, job.id, reply),
                Err(Failure::Missed(blocks)) => {
                    self.fetch_for(&mut job, blocks);
                    held.push(tx);
                    self.inside_reads.push((tx, job));
                    continue;
                }
                Err(Failure::Failed(error)) => self.fail_job(&job, &error, None),
            }
            if let Some(read) = self.read_transactions.get_mut(tx) {
                read.deadline = now + read.idle_ms;
            }
        }
    }

    fn try_inside_read(&mut self, job: &mut Job, at: CommitSeq) -> Attempt<Reply> {
        let not_a_read =
            || Error::Refused("a transaction of mode 'read' takes reading statements, one at a time, with query()".into());
        let Ask::Work(Work::Query(call)) = &job.ask else { return Err(not_a_read().into()) };
        let statement = self.reader_at(at)?.prepare(&call.sql)?;
        if !statement.is_readonly() || statement.control.is_some() || statement.is_vacuum {
            return Err(not_a_read().into());
        }
        self.try_read(job, at)
    }
}

impl Transaction {
    fn run(&mut self, writer: &mut Connection, step: &mut Step) -> WorkResult<(Reply, Option<CommitSeq>)> {
        writer.set_durability(self.durability);
        if !self.begun {
            self.replay(writer)?;
        }
        match step {
            Step::Commit { .. } => {
                let committed = writer.commit()?;
                Ok((Reply::done(0, self.last_rowid), committed))
            }
            Step::Work(job) => {
                job.enter_unit();
                writer.set_deadline(Some(job.deadline));
                let Ask::Work(work) = &mut job.ask else { unreachable!("only work is asked inside a transaction") };
                let result = work.run_inside(writer);
                if !is_miss(&result) {
                    self.history.push(Replay { work: work.clone(), unit: job.unit, digest: digest(&result) });
                }
                self.last_rowid = writer.last_insert_rowid();
                Ok((result?, None))
            }
        }
    }

    /// Begins the transaction, and brings it to where it was before the miss.
    fn replay(&mut self, writer: &mut Connection) -> WorkResult<()> {
        writer.set_deadline(None);
        writer.set_last_insert_rowid(self.first_rowid);
        writer.begin()?;
        for done in &mut self.history {
            unit::begin(done.unit.0, done.unit.1);
            let result = done.work.run_inside(writer);
            if is_miss(&result) {
                return result.map(|_| ());
            }
            if digest(&result) != done.digest {
                let why = "its statements gave other results when they were replayed for a missing block: run it again";
                return Err(Error::TransactionLost(why.into()).into());
            }
        }
        self.begun = true;
        Ok(())
    }
}

/// The idle time that a tab may ask for.
///
/// # Errors
/// [`Error::BadRequest`] for none at all or more than ten minutes.
pub fn idle_ms(timeout: u32) -> Result<f64> {
    const IDLE_MAX_MS: u32 = 600_000;
    if (1..=IDLE_MAX_MS).contains(&timeout) {
        return Ok(timeout.into());
    }
    Err(Error::BadRequest(format!("a transaction's timeout is 1 to {IDLE_MAX_MS} ms, {timeout} was asked for")))
}
