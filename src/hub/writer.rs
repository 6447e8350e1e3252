//! The writer's turns. One request, transaction or import has the writer at a time; the others wait in order of arrival.

use super::database::Database;
use super::imports::ImportTurn;
use super::lanes::{Ask, Job};
use super::reply::Reply;
use super::transactions::Transaction;
use super::work::{Work, WorkFailure};
use crate::engine::Failure;
use crate::error::Error;
use crate::ids::{CommitSeq, PortId};

/// Who has the writer.
#[derive(Debug)]
pub enum Slot {
    Free,
    /// A unit of work that waits for blocks.
    Working(Job),
    Transaction(Transaction),
    Import(ImportTurn),
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
                Slot::Working(job) if self.are_resident(&job.misses) => self.work(job),
                Slot::Free => {
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

    fn take_turn(&mut self, job: Job, now: f64) {
        match job.ask {
            Ask::Import { size } => self.begin_import(job.port, job.id, size, now),
            Ask::Begin { .. } if self.refuse_while_damaged(&job) => {}
            Ask::Begin { idle_ms } => self.begin_transaction(job.port, job.id, job.durability, idle_ms, now),
            _ => self.work(job),
        }
    }

    /// Nothing is written to a damaged database.
    fn refuse_while_damaged(&mut self, job: &Job) -> bool {
        let damage = self.pager.borrow().damage().map(read_only);
        damage.inspect(|error| self.fail_job(job, error, None)).is_some()
    }

    /// Runs a unit of work; on a miss it keeps the turn until its blocks are there.
    fn work(&mut self, mut job: Job) {
        if self.refuse_while_damaged(&job) {
            return;
        }
        match self.try_work(&mut job) {
            Ok((reply, committed)) => self.acknowledge(job.port, job.id, job.write, reply, committed),
            Err(WorkFailure { failure: Failure::Missed(blocks), .. }) => {
                if let Ask::Work(Work::Script(script)) = &job.ask {
                    self.keep_progress(job.port, job.write, script);
                }
                self.fetch_for(&mut job, blocks);
                self.slot = Slot::Working(job);
            }
            // What it failed on may be a commit that is not durable yet.
            Err(WorkFailure { failure: Failure::Failed(error), index }) => {
                let after = self.pager.borrow().published();
                self.fail_job_after(after, &job, &with_earlier_parts(error, &job), index);
            }
        }
    }

    fn try_work(&mut self, job: &mut Job) -> Result<(Reply, Option<CommitSeq>), WorkFailure> {
        job.enter_unit();
        self.counters.writes += 1;
        let rowid = self.last_rowid_of(job.port);
        let (deadline, durability) = (job.deadline, job.durability);
        let Ask::Work(work) = &mut job.ask else { unreachable!("only work is done here") };
        let writer = self.writer()?;
        writer.set_deadline(Some(deadline));
        writer.set_durability(durability);
        writer.set_last_insert_rowid(rowid);
        let result = work.run_alone(writer);
        if result.is_err() {
            writer.rollback();
        }
        let rowid = writer.last_insert_rowid();
        if let (Ok(_), Some(session)) = (&result, self.sessions.get_mut(job.port)) {
            session.last_rowid = rowid;
        }
        result
    }

    /// Answers a write once its commit is durable.
    pub(super) fn acknowledge(&mut self, port: PortId, id: u64, write: Option<u64>, reply: Reply, committed: Option<CommitSeq>) {
        // What changed nothing may still have read a commit that is not durable yet.
        let after = committed.unwrap_or_else(|| self.pager.borrow().published());
        if let (Some(session), Some(seq)) = (self.sessions.get_mut(port), committed) {
            session.last_write = seq;
        }
        self.keep_reply(port, write, &reply, after);
        self.reply_to_write(after, port, id, write, reply);
    }
}

/// What a write to a damaged database gets to hear.
pub(super) fn read_only(damage: &Error) -> Error {
    Error::Corrupt(
        [damage.message(), ": the database is open read-only; salvage() exports what is readable, import() replaces it"].concat(),
    )
}

/// A script that had committed parts of its own before it failed says so.
fn with_earlier_parts(error: Error, job: &Job) -> Error {
    match (&job.ask, error) {
        (Ask::Work(Work::Script(script)), Error::Sqlite { code, message, offset }) if script.committed.is_some() => {
            let message = message + " (what the script committed before stays committed)";
            Error::Sqlite { code, message, offset }
        }
        (_, error) => error,
    }
}
