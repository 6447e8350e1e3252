//! Interactive transactions: a tab's statements between `begin` and `commit`, with the tab thinking in between.
//!
//! A write transaction has the writer for its whole life; what it does there is `steps`. A read transaction is a pinned snapshot and holds nothing else.

use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::lanes::Job;
use super::pins::Pins;
use super::reply::Reply;
use super::requests::Origin;
use super::steps::{History, Step, StepTask};
use super::work::WorkFailure;
use super::writer::Slot;
use crate::engine::Failure;
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, PortId, TxId};
use crate::store::Durability;
use crate::vfs::Role;
use crate::wire;

/// How long a transaction may keep others waiting that want to write, unless its own idle timeout is longer.
const TURN_MS: f64 = 60_000.0;
/// How long a read transaction may hold its snapshot: what is committed meanwhile stays in the log and in memory.
const READING_MS: f64 = 600_000.0;

#[derive(Debug)]
pub struct Transaction {
    pub id: TxId,
    pub port: PortId,
    pub deadline: f64,
    /// From then on it must not keep others from writing.
    pub over_at: f64,
    idle_ms: f64,
    durability: Durability,
    /// The newest commit it may have read.
    base: CommitSeq,
    /// None while a step is under way.
    history: Option<History>,
    waiting: Vec<Step>,
    misses: Vec<BlockNo>,
    /// Whatever it has missed, until it ends.
    pins: Pins,
    tries: u32,
    /// Why it is over, while the step that was under way then has not ended yet.
    ended: Option<Error>,
}

/// A snapshot that a tab holds across awaits.
#[derive(Debug)]
pub struct ReadTransaction {
    pub port: PortId,
    pub at: CommitSeq,
    pub deadline: f64,
    /// From then on it must not keep the log from being folded.
    pub over_at: f64,
    pub idle_ms: f64,
}

impl ReadTransaction {
    /// When it began.
    pub fn begun_at(&self) -> f64 {
        self.over_at - READING_MS
    }
}

impl Transaction {
    /// Whether it waits for its tab, and not for blocks.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.history.is_some()
    }

    /// When it, or what waits in it, has waited for too long.
    pub fn next_deadline(&self) -> f64 {
        let jobs = self.waiting.iter().filter_map(|step| if let Step::Work(job) = step { Some(job.deadline) } else { None });
        if self.is_idle() { self.deadline } else { jobs.fold(f64::INFINITY, f64::min) }
    }

    /// When it began.
    pub fn begun_at(&self) -> f64 {
        self.over_at - TURN_MS.max(self.idle_ms)
    }

    /// The requests that wait in it.
    pub fn waiting_ids(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().map(|step| match step {
            Step::Work(job) => job.id,
            Step::Commit { id, .. } => *id,
        })
    }

    pub fn misses(&self) -> &[BlockNo] {
        &self.misses
    }

    /// Whether it is this tab's transaction of that number, and open.
    fn is(&self, tx: TxId, port: PortId) -> bool {
        self.id == tx && self.port == port && self.ended.is_none()
    }

    /// Takes the statements that `which` picks, before they are carried out.
    pub fn take_waiting(&mut self, which: &dyn Fn(&Job) -> bool) -> Vec<Box<Job>> {
        let picked = self.waiting.extract_if(.., |step| matches!(step, Step::Work(job) if which(job)));
        picked.filter_map(|step| if let Step::Work(job) = step { Some(job) } else { None }).collect()
    }
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
            over_at: now + TURN_MS.max(idle_ms),
            idle_ms,
            durability,
            base,
            history: Some(History::new(rowid)),
            waiting: vec![],
            misses: vec![],
            pins: Pins::new(&self.pager),
            tries: 0,
            ended: None,
        };
        self.slot = Slot::Transaction(transaction);
        self.reply_now(port, id, Reply::bare(wire::Body::Begun(wire::Begun { tx: tx.0.into() })));
    }

    pub(super) fn begin_read(&mut self, port: PortId, id: u64, idle_ms: f64, now: f64) {
        let (tx, at) = (self.next_tx(), self.snapshot_of(port));
        self.pager.borrow_mut().pin(at);
        self.read_transactions
            .insert(tx, ReadTransaction { port, at, deadline: now + idle_ms, over_at: now + READING_MS, idle_ms });
        self.reply_now(port, id, Reply::bare(wire::Body::Begun(wire::Begun { tx: tx.0.into() })));
    }

    /// A request that names a transaction.
    pub(super) fn request_inside(&mut self, tx: TxId, job: Box<Job>) {
        if self.read_transactions.get(tx).is_some_and(|read| read.port == job.port) {
            self.inside_reads.push((tx, job));
            return self.pump_inside_reads();
        }
        match &mut self.slot {
            Slot::Transaction(open) if open.is(tx, job.port) => {
                open.waiting.push(Step::Work(job));
                self.pump_transaction();
            }
            _ => {
                let error = self.why_ended(job.port, tx);
                self.fail_job(&job, &error, None);
            }
        }
    }

    pub(super) fn request_commit(&mut self, (port, id, write): Origin, tx: TxId, durability: Option<Durability>) {
        if self.end_read(port, tx) {
            return self.reply_now(port, id, Reply::done(0, 0));
        }
        match &mut self.slot {
            Slot::Transaction(open) if open.is(tx, port) => {
                open.durability = durability.unwrap_or(open.durability);
                open.waiting.push(Step::Commit { id, write });
                self.pump_transaction();
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
        matches!(&self.slot, Slot::Transaction(open) if open.is(tx, port))
    }

    pub(super) fn why_ended(&self, port: PortId, tx: TxId) -> Error {
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

    /// Rolls the open write transaction back; what waits in it gets the reason, and so does whatever comes later. A step that is
    /// under way is stopped first.
    pub(super) fn end_transaction(&mut self, why: &Error) {
        let Some(mut open) = self.slot.take_transaction() else { return };
        if open.ended.is_some() {
            self.slot = Slot::Transaction(open);
            return;
        }
        if let Some(session) = self.sessions.get_mut(open.port) {
            session.transaction_ended(open.id, why.clone());
        }
        let durable = self.newest_commit();
        for step in open.waiting.drain(..) {
            self.fail_step(open.port, &step, why, None, durable);
        }
        if open.history.is_none() {
            self.fibers.stop(why, &|ticket, _| ticket.tx == Some(open.id));
            open.ended = Some(why.clone());
            self.slot = Slot::Transaction(open);
        } else if let Some(connection) = self.writer.as_mut().and_then(Seat::opened) {
            connection.rollback();
        }
    }

    fn fail_step(&mut self, port: PortId, step: &Step, why: &Error, index: Option<usize>, after: CommitSeq) {
        match step {
            Step::Work(job) => self.fail_job_after(after, job, why, index),
            Step::Commit { id, write } => self.fail_write(port, *id, *write, why),
        }
    }

    /// Starts what the tab has asked of its transaction next, unless it waits for the tab, for blocks or for the step before.
    pub(super) fn pump_transaction(&mut self) {
        let Slot::Transaction(open) = &mut self.slot else { return };
        if open.waiting.is_empty() || !self.pager.borrow().are_resident(&open.misses) {
            return;
        }
        let Some(history) = open.history.take() else { return };
        let step = open.waiting.remove(0);
        let (id, deadline) = match &step {
            Step::Work(job) => (job.id, job.deadline),
            Step::Commit { id, .. } => (*id, f64::INFINITY),
        };
        let ticket = Ticket { port: open.port, id, tx: Some(open.id), role: Role::Writer, at: open.base, deadline };
        let durability = open.durability;
        let task = StepTask { history, step, durability, record: self.recorded(), result: None };
        self.counters.writes += 1;
        let seat = self.writer_seat();
        self.start(Task::Step(task), seat, ticket);
    }

    /// Takes the end of a step.
    pub(super) fn step_ended(&mut self, task: StepTask, mut seat: Seat, now: f64) {
        let StepTask { history, step, result, .. } = task;
        // A statement that was cut short in its middle may have left a part of its changes.
        let alive = !seat.pace.is_tainted() && seat.opened().is_some_and(|connection| connection.in_transaction());
        let Some(mut open) = self.slot.take_transaction() else { return self.give_writer_back(seat) };
        let last_rowid = history.last_rowid;
        if let Some(Ok((_, committed @ Some(_)))) = &result {
            self.note_changes(open.port, *committed, seat.take_changes());
        }
        open.history = Some(history);
        open.deadline = now + open.idle_ms;
        let result = match (open.ended.take(), result.expect("a step that is done has a result")) {
            // What has been committed has been committed.
            (Some(why), result) if !matches!((&step, &result), (Step::Commit { .. }, Ok(_))) => {
                self.give_writer_back(seat);
                // What it began on may be lost, and never become durable.
                let base = open.base.min(self.published());
                return self.fail_step(open.port, &step, &why, None, base);
            }
            (_, result) => result,
        };
        if alive && matches!(step, Step::Work(_)) {
            self.writer = Some(seat);
        } else {
            self.give_writer_back(seat);
        }
        match (result, step) {
            (Ok((reply, _)), Step::Work(job)) => {
                open.tries = 0;
                self.reply_after(open.base, open.port, job.id, reply);
                self.slot = Slot::Transaction(open);
            }
            (Ok((reply, committed)), Step::Commit { id, write }) => {
                if let Some(session) = self.sessions.get_mut(open.port) {
                    session.last_rowid = last_rowid;
                }
                self.acknowledge(open.port, id, write, reply, committed);
            }
            (Err(WorkFailure { failure: Failure::Missed(blocks), .. }), step) => self.step_missed(open, step, blocks),
            (Err(WorkFailure { failure: Failure::Failed(error), index }), step) => {
                self.fail_step(open.port, &step, &error, index, open.base);
                let over = !alive || matches!(step, Step::Commit { .. }) || matches!(error, Error::TransactionLost(_));
                self.slot = Slot::Transaction(open);
                if over {
                    let why = format!("the transaction was rolled back after: {}", error.message());
                    self.end_transaction(&Error::TransactionLost(why));
                }
            }
        }
    }

    /// It has been rolled back; when the blocks are there, everything is done once more.
    fn step_missed(&mut self, mut open: Transaction, step: Step, blocks: Vec<BlockNo>) {
        self.counters.restarts += 1;
        if let Err(error) = open.pins.hold(&blocks, self.limits.pinned_bytes) {
            self.fail_step(open.port, &step, &error, None, open.base);
            self.slot = Slot::Transaction(open);
            return self
                .end_transaction(&Error::TransactionLost(format!("the transaction was rolled back: {}", error.message())));
        }
        self.pager.borrow_mut().fetch(&blocks, 1 << open.tries.min(6));
        open.tries += 1;
        open.misses = blocks;
        open.waiting.insert(0, step);
        self.slot = Slot::Transaction(open);
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
