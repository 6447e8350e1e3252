//! Steps: one statement, or the commit, of an interactive transaction, carried out on the writer's connection. On a host with one
//! stack a step that misses a block rolls everything back, and the next try replays all earlier statements first; their results
//! must come out as the tab has already seen them.

use super::fiber::Seat;
use super::lanes::{Ask, Job};
use super::reply::Reply;
use super::work::{Work, WorkFailure, WorkResult};
use crate::engine::{Connection, Failure, Pace, Recording};
use crate::error::Error;
use crate::ids::CommitSeq;
use crate::store::Durability;
use crate::store::codec::checksum;
use crate::wire;

/// What a tab asks of its open transaction.
#[derive(Debug)]
pub enum Step {
    Work(Box<Job>),
    Commit { id: u64, write: Option<u64> },
}

/// A statement that has been answered, to be replayed after a miss.
#[derive(Debug)]
struct Replay {
    work: Work,
    unit: (f64, u64),
    digest: u64,
}

/// How the transaction came to where it is; goes along with each step.
#[derive(Debug)]
pub struct History {
    done: Vec<Replay>,
    /// False after a miss: the replay begins it anew.
    begun: bool,
    /// `last_insert_rowid()` when it began, and now.
    first_rowid: i64,
    pub last_rowid: i64,
}

/// One step of a transaction, on the writer's connection.
pub struct StepTask {
    pub history: History,
    pub step: Step,
    pub durability: Durability,
    /// Whether somebody wants to know what it changes, if it is the first.
    pub record: Option<Recording>,
    pub result: Option<WorkResult<(Reply, Option<CommitSeq>)>>,
}

impl StepTask {
    pub fn run(&mut self, seat: &mut Seat) -> bool {
        let result = self.attempt(seat);
        if let (true, Some(connection)) = (is_miss(&result), seat.opened()) {
            connection.rollback();
            self.history.begun = false;
        }
        self.result = Some(result);
        true
    }

    fn attempt(&mut self, seat: &mut Seat) -> WorkResult<(Reply, Option<CommitSeq>)> {
        let pace = seat.pace.clone();
        let writer = seat.connection()?;
        writer.set_durability(self.durability);
        if !self.history.begun {
            writer.record(self.record.as_ref());
            self.history.replay(writer, &pace)?;
        }
        match &mut self.step {
            Step::Commit { .. } => {
                let committed = writer.commit()?;
                Ok((Reply::done(0, self.history.last_rowid), committed))
            }
            Step::Work(job) => {
                pace.begin_unit(job.unit);
                pace.set_deadline(Some(job.deadline));
                let Ask::Work(work) = &mut job.ask else { unreachable!("only work is asked inside a transaction") };
                let result = work.run_inside(writer);
                // Where statements are suspended nothing is ever replayed.
                if !pace.can_wait() && !is_miss(&result) {
                    self.history.done.push(Replay { work: work.clone(), unit: job.unit, digest: digest(&result) });
                }
                self.history.last_rowid = writer.last_insert_rowid();
                Ok((result?, None))
            }
        }
    }
}

impl History {
    pub fn new(rowid: i64) -> Self {
        Self { done: vec![], begun: false, first_rowid: rowid, last_rowid: rowid }
    }

    /// Begins the transaction, and brings it to where it was before the miss.
    fn replay(&mut self, writer: &mut Connection, pace: &Pace) -> WorkResult<()> {
        writer.set_last_insert_rowid(self.first_rowid);
        writer.begin()?;
        for done in &mut self.done {
            pace.begin_unit(done.unit);
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
