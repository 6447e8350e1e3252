//! The writer's turns. One request, transaction or import has the writer at a time; the others wait in order of arrival.

use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::imports::ImportTurn;
use super::lanes::{Ask, Job};
use super::reply::Reply;
use super::transactions::Transaction;
use super::work::{Work, WorkFailure, WorkResult};
use crate::engine::{Connection, Failure, Recording};
use crate::error::Error;
use crate::ids::{CommitSeq, PortId};
use crate::vfs::Role;

/// Who has the writer.
#[derive(Debug)]
pub enum Slot {
    Free,
    /// A unit of work that waits for blocks.
    Waiting(Box<Job>),
    /// A unit of work of this tab, in its fiber.
    Working(PortId),
    Transaction(Transaction),
    Import(ImportTurn),
    /// A tab changes how much is kept of what commits change.
    Keeping(PortId, u64),
}

impl Slot {
    /// Takes the transaction out, if it is one; whoever else has the writer keeps it.
    pub fn take_transaction(&mut self) -> Option<Transaction> {
        match std::mem::replace(self, Slot::Free) {
            Slot::Transaction(open) => Some(open),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Takes the import out, if it is one; whoever else has the writer keeps it.
    pub fn take_import(&mut self) -> Option<ImportTurn> {
        match std::mem::replace(self, Slot::Free) {
            Slot::Import(turn) => Some(turn),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Database {
    /// Gives the writer to whoever is next, for as long as turns end at once.
    pub(super) fn pump_writer(&mut self, now: f64) {
        loop {
            match std::mem::replace(&mut self.slot, Slot::Free) {
                Slot::Waiting(job) if self.are_resident(&job.misses) => self.work(job),
                Slot::Free if !self.is_finishing() => {
                    let Some(job) = self.turns.pop_front() else { return };
                    self.take_turn(job, now);
                }
                busy => {
                    self.slot = busy;
                    return;
                }
            }
        }
    }

    fn take_turn(&mut self, job: Box<Job>, now: f64) {
        match job.ask {
            Ask::Import { size } => self.begin_import(job.port, job.id, size, now),
            Ask::Begin { .. } | Ask::Keep { .. } if self.refuse_while_damaged(&job) => {}
            Ask::Keep { commits } => self.begin_keeping(&job, commits),
            Ask::Begin { idle_ms } => self.begin_transaction(job.port, job.id, job.durability, idle_ms, now),
            _ => self.work(job),
        }
    }

    /// Nothing is written to a damaged database.
    fn refuse_while_damaged(&mut self, job: &Job) -> bool {
        let damage = self.pager.borrow().damage().map(read_only);
        damage.inspect(|error| self.fail_job(job, error, None)).is_some()
    }

    /// Starts a unit of work.
    fn work(&mut self, job: Box<Job>) {
        if self.refuse_while_damaged(&job) {
            return;
        }
        self.counters.writes += 1;
        self.slot = Slot::Working(job.port);
        let ticket =
            Ticket { port: job.port, id: job.id, tx: None, role: Role::Writer, at: self.published(), deadline: job.deadline };
        let rowid = self.last_rowid_of(job.port);
        let seat = self.writer_seat();
        let record = self.recorded();
        self.start(Task::Work(WorkTask { job, rowid, record, result: None }), seat, ticket);
    }

    /// The writer's connection, which nobody has at the moment.
    pub(super) fn writer_seat(&mut self) -> Seat {
        self.writer.take().unwrap_or_else(|| self.new_seat(Role::Writer))
    }

    /// Takes the writer's connection back, if it can be trusted.
    pub(super) fn give_writer_back(&mut self, mut seat: Seat) {
        if let Some(connection) = seat.opened().filter(|c| c.in_transaction()) {
            connection.rollback();
        }
        if seat.set == self.seat_set && !seat.pace.is_tainted() {
            self.writer = Some(seat);
        }
    }

    /// Takes the end of a unit of work; on a miss it keeps the turn until its blocks are there.
    pub(super) fn work_ended(&mut self, work: WorkTask, seat: Seat) {
        let WorkTask { mut job, rowid, record, result } = work;
        self.slot = Slot::Free;
        let committed = match &job.ask {
            // Its parts stay, whatever became of the rest; those of one that was recorded are among the changes.
            Ask::Work(Work::Script(script)) if record.is_none() => script.committed,
            _ => result.as_ref().and_then(|result| result.as_ref().ok()?.1),
        };
        self.note_changes(job.port, committed, seat.take_changes());
        self.give_writer_back(seat);
        match result.expect("work that is done has a result") {
            Ok((reply, committed)) => {
                if let Some(session) = self.sessions.get_mut(job.port) {
                    session.last_rowid = rowid;
                }
                self.acknowledge(job.port, job.id, job.write, reply, committed);
            }
            Err(WorkFailure { failure: Failure::Missed(blocks), .. }) => {
                self.keep_script(&job);
                match self.fetch_for(&mut job, blocks) {
                    Ok(()) => self.slot = Slot::Waiting(job),
                    Err(error) => self.work_failed(error, &job, None),
                }
            }
            Err(WorkFailure { failure: Failure::Failed(error), index }) => self.work_failed(error, &job, index),
        }
    }

    /// What it failed on may be a commit that is not durable yet.
    fn work_failed(&mut self, error: Error, job: &Job, index: Option<usize>) {
        let after = self.published();
        self.fail_job_after(after, job, &with_earlier_parts(error, job, after), index);
    }

    /// Remembers how far a script has come, before its commit leaves.
    pub(super) fn keep_script(&mut self, job: &Job) {
        if let Ask::Work(Work::Script(script)) = &job.ask {
            self.keep_progress(job.port, job.write, script);
        }
    }

    /// Answers a write once its commit is durable.
    pub(super) fn acknowledge(&mut self, port: PortId, id: u64, write: Option<u64>, reply: Reply, committed: Option<CommitSeq>) {
        // What changed nothing may still have read a commit that is not durable yet.
        let after = committed.unwrap_or_else(|| self.published());
        if let (Some(session), Some(seq)) = (self.sessions.get_mut(port), committed) {
            session.last_write = seq;
        }
        self.keep_reply(port, write, &reply, after);
        self.reply_to_write(after, port, id, write, reply);
    }
}

/// A unit of work on the writer's connection, as a transaction of its own; a script's parts are one each.
pub struct WorkTask {
    pub(super) job: Box<Job>,
    rowid: i64,
    /// Whether somebody wants to know what it changes.
    record: Option<Recording>,
    pub result: Option<WorkResult<(Reply, Option<CommitSeq>)>>,
}

impl WorkTask {
    /// Its SQL, if it is a single statement.
    pub fn single_sql(&self) -> Option<&str> {
        if let Ask::Work(Work::Query(call)) = &self.job.ask { Some(&call.sql) } else { None }
    }

    pub fn failure(&self) -> Option<&Failure> {
        self.result.as_ref()?.as_ref().err().map(|failed| &failed.failure)
    }

    /// Pauses after each part of a script that has been committed: the hub must note it before the commit leaves.
    pub fn run(&mut self, seat: &mut Seat) -> bool {
        match self.attempt(seat) {
            Ok(None) => return false,
            Ok(Some(done)) => self.result = Some(Ok(done)),
            Err(failure) => {
                if let Some(connection) = seat.opened() {
                    connection.rollback();
                }
                self.result = Some(Err(failure));
            }
        }
        true
    }

    fn attempt(&mut self, seat: &mut Seat) -> WorkResult<Option<(Reply, Option<CommitSeq>)>> {
        let job = &mut self.job;
        let Ask::Work(work) = &mut job.ask else { unreachable!("only work is done here") };
        seat.pace.begin_unit(work.unit(job.unit));
        seat.pace.set_deadline(Some(job.deadline));
        if let Some(why) = seat.pace.stopped() {
            return Err(why.into());
        }
        let writer: &mut Connection = seat.connection()?;
        writer.set_durability(job.durability);
        writer.record(self.record.as_ref());
        writer.set_last_insert_rowid(self.rowid);
        let done = work.run_alone(writer)?;
        self.rowid = writer.last_insert_rowid();
        Ok(done)
    }
}

/// What a write to a damaged database gets to hear.
pub(super) fn read_only(damage: &Error) -> Error {
    Error::Corrupt(
        [damage.message(), ": the database is open read-only; salvage() exports what is readable, import() replaces it"].concat(),
    )
}

/// A script that had committed parts of its own before it failed says so.
fn with_earlier_parts(error: Error, job: &Job, published: CommitSeq) -> Error {
    match (&job.ask, error) {
        (Ask::Work(Work::Script(script)), Error::Sqlite { code, message, offset })
            if script.committed.is_some_and(|seq| seq <= published) =>
        {
            let message = message + " (what the script committed before stays committed)";
            Error::Sqlite { code, message, offset }
        }
        (_, error) => error,
    }
}
