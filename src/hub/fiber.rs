//! Fibers: tasks that run on a stack of their own where the host has more than one, and between two of which it may take turns
//! where it has only one. A fiber takes all that it works with along (its task, its connection), so that the hub is free for other
//! events while it is suspended.
//!
//! *Invariant.* A running fiber touches nothing of the hub's but the pager, and that only for the length of one call.

use super::check::SqliteCheck;
use super::live::LiveTask;
use super::reads::Read;
use super::steps::StepTask;
use super::streams::ChunkTask;
use super::writer::WorkTask;
use crate::engine::{Attempt, Connection, Failure, Pace, Pacing, WriteSet};
use crate::ids::{CommitSeq, FiberId};
use crate::store::Pager;
use crate::vfs::{Clock, Role};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// A connection, opened when it is first needed, and the pace at which it works.
pub struct Seat {
    connection: Option<Connection>,
    pager: Rc<RefCell<Pager>>,
    role: Role,
    pub pace: Rc<Pace>,
    /// Which of the database's sets of connections it belongs to.
    pub set: u32,
}

impl Seat {
    pub fn new(pager: &Rc<RefCell<Pager>>, role: Role, (clock, pacing): (Clock, Pacing), set: u32) -> Self {
        Self { connection: None, pager: pager.clone(), role, pace: Rc::new(Pace::new(clock, pacing)), set }
    }

    /// # Errors
    /// As [`Connection::open`].
    pub fn connection(&mut self) -> Attempt<&mut Connection> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.pager, self.role, self.pace.clone())?);
        }
        Ok(self.connection.as_mut().expect("just opened"))
    }

    pub fn opened(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// As [`Connection::take_changes`].
    pub fn take_changes(&self) -> Vec<(CommitSeq, WriteSet)> {
        self.connection.as_ref().map(Connection::take_changes).unwrap_or_default()
    }

    pub fn cached_statements(&self) -> usize {
        self.connection.as_ref().map_or(0, Connection::cached_statements)
    }
}

/// What a fiber does. Each is run again until it says that it is done; what came of it stands in itself.
pub enum Task {
    Read(Read),
    Work(WorkTask),
    Step(StepTask),
    Chunk(ChunkTask),
    Check(SqliteCheck),
    Live(LiveTask),
}

impl Task {
    /// Whether it is one statement that has not begun, and that the connection knows: nothing needs to be loaded to compile it.
    fn may_be_short(&self, seat: &mut Seat) -> bool {
        let sql = match self {
            Task::Read(read) => read.single_sql(),
            Task::Work(work) => work.single_sql(),
            Task::Step(_) | Task::Chunk(_) | Task::Check(_) | Task::Live(_) => None,
        };
        sql.is_some_and(|sql| seat.opened().is_some_and(|connection| connection.knows(sql)))
    }

    /// Forgets what came of it where that is only that it was too long, or that a block was missing which a fiber can wait for.
    fn begin_anew(&mut self, seat: &mut Seat, is_too_long: bool) -> bool {
        let failure = match self {
            Task::Read(read) => read.failure(),
            Task::Work(work) => work.failure(),
            Task::Step(_) | Task::Chunk(_) | Task::Check(_) | Task::Live(_) => None,
        };
        let is_missed = matches!(failure, Some(Failure::Missed(_))) && seat.pace.can_suspend();
        if failure.is_none() || !is_missed && !is_too_long {
            return false;
        }
        match self {
            Task::Read(read) => read.result = None,
            Task::Work(work) => work.result = None,
            Task::Step(_) | Task::Chunk(_) | Task::Check(_) | Task::Live(_) => {}
        }
        // What was missing may be a part of the schema that `SQLite` goes on without.
        if seat.opened().is_some_and(|connection| connection.has_compiled_anew()) {
            seat.connection = None;
        }
        true
    }

    /// Goes on; true when it is done.
    fn run(&mut self, seat: &mut Seat) -> bool {
        match self {
            Task::Read(read) => read.run(seat),
            Task::Work(work) => work.run(seat),
            Task::Step(step) => step.run(seat),
            Task::Chunk(chunk) => chunk.run(seat),
            Task::Check(check) => check.run(seat),
            Task::Live(live) => live.run(seat),
        }
    }
}

/// Where a fiber stands between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the middle of a statement, on its own stack.
    Suspended,
    /// Between two steps, with no stack.
    Paused,
    Done,
}

struct Inner {
    id: FiberId,
    pace: Rc<Pace>,
    /// The task first, which may hold statements of the seat's connection. None while it runs or is suspended.
    body: RefCell<Option<(Task, Seat)>>,
    is_done: Cell<bool>,
}

/// A handle to a fiber: the hub has one, and the host, which runs it.
#[derive(Clone)]
pub struct Fiber(Rc<Inner>);

impl Fiber {
    pub(super) fn new(id: FiberId, task: Task, seat: Seat) -> Self {
        seat.pace.work_for(id);
        let pace = seat.pace.clone();
        Self(Rc::new(Inner { id, pace, body: RefCell::new(Some((task, seat))), is_done: Cell::new(false) }))
    }

    #[must_use]
    pub fn id(&self) -> FiberId {
        self.0.id
    }

    /// Runs the task until it is done or pauses; a host with several stacks gives it one of its own, on which it may be suspended.
    /// For a fiber that is suspended this does nothing: the host resumes its stack instead.
    pub fn run(&self) {
        let Some((mut task, mut seat)) = self.0.body.take() else { return };
        self.0.pace.enter();
        let done = task.run(&mut seat);
        self.0.pace.leave();
        self.0.is_done.set(done);
        self.0.body.replace(Some((task, seat)));
    }

    /// Runs a short statement from its beginning to its end, on whatever stack. False where it is none, or turned out to be none: then nothing has
    /// happened, and the fiber is to be [run](Self::run).
    #[must_use]
    pub fn run_at_once(&self) -> bool {
        let Some((mut task, mut seat)) = self.0.body.take() else { return false };
        let is_done = task.may_be_short(&mut seat) && {
            self.0.pace.enter_briefly();
            let is_done = task.run(&mut seat);
            let is_too_long = self.0.pace.leave_briefly();
            is_done && !task.begin_anew(&mut seat, is_too_long)
        };
        self.0.is_done.set(is_done);
        self.0.body.replace(Some((task, seat)));
        is_done
    }

    /// Asks it to stop, however far it has come. It must be run once more to end.
    pub fn stop(&self, why: &crate::error::Error) {
        self.0.pace.stop(why);
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.0.body.borrow().is_some(), self.0.is_done.get()) {
            (false, _) => Standing::Suspended,
            (true, false) => Standing::Paused,
            (true, true) => Standing::Done,
        }
    }

    /// Looks at the task, unless it is suspended.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&Task) -> T) -> Option<T> {
        self.0.body.borrow().as_ref().map(|(task, _)| look(task))
    }

    /// Takes everything back that is not suspended.
    pub(super) fn take(&self) -> Option<(Task, Seat)> {
        self.0.body.take()
    }
}

impl PartialEq for Fiber {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Fiber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fiber({}, {:?})", self.0.id.0, self.standing())
    }
}
