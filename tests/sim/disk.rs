//! A simulated `IndexedDB`: one store, a connection for each hub, and operations that take their time. What a transaction does to
//! the store is done by the memory store, the reference; when it happens, whether it happens, and whether anybody learns of it
//! is decided here, by chance and by the plan's faults.
//!
//! What it takes from `IndexedDB`: a transaction is atomic; one that writes waits for all before it and is waited for by all
//! after it; reads between two writes come in any order; a connection that is lost answers nothing but that.

use super::chance::Chance;
use super::commits::Commits;
use super::controls::Control;
use super::tally::Tally;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tabhub::error::Error;
use tabhub::ids::{Epoch, OpId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{StoreFailure, StoreOp, StoreReply, StoreResult, WriteBatch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Hub,
    Everything,
}

/// What may befall one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Abort,
    /// The quota is used up.
    Full,
    Lost {
        applied: bool,
    },
    /// It never answers.
    Silent {
        applied: bool,
    },
    InDoubt {
        applied: bool,
    },
    CrashBefore(Scope),
    CrashAfter(Scope),
}

/// A hub's name in the world.
pub type HubNo = u32;

#[derive(Debug, PartialEq)]
enum State {
    Waiting,
    /// Its outcome is decided, and has not been told yet.
    Done(StoreResult),
    /// Stuck for ever.
    Stuck,
}

#[derive(Debug)]
struct Pending {
    id: OpId,
    op: StoreOp,
    state: State,
}

impl Pending {
    fn is_read(&self) -> bool {
        matches!(self.op, StoreOp::ReadGroups { .. } | StoreOp::ReadLog(_) | StoreOp::ReadChanges { .. })
    }
}

#[derive(Debug, Default)]
struct Connection {
    pending: VecDeque<Pending>,
    is_lost: bool,
}

/// What may happen next at the disk: an operation of a hub's connection, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskMove {
    Execute(HubNo, usize),
    Answer(HubNo, usize),
}

#[derive(Debug)]
pub struct Disk {
    pub store: MemoryStore,
    /// What the store holds of commits.
    pub commits: Commits,
    pub control: Option<Control>,
    /// Operations carried out so far; faults are counted by them.
    pub done: u64,
    pub armed: Vec<(u64, Fault)>,
    /// A write of an epoch that a newer one had fenced.
    pub unfenced: Option<String>,
    pub chance: Chance,
    /// The epoch of whoever opened last.
    pub(super) newest: Epoch,
    /// Reported complete, and not written yet: only the control does that.
    pub(super) late: Vec<(HubNo, Rc<WriteBatch>)>,
    connections: BTreeMap<HubNo, Connection>,
}

impl Disk {
    pub fn new(seed: u64, faults: &[(u64, Fault)], control: Option<Control>) -> Self {
        Self {
            commits: Commits::of(&MemoryStore::new()),
            store: MemoryStore::new(),
            control,
            done: 0,
            armed: faults.to_vec(),
            unfenced: None,
            chance: Chance::new(seed ^ 0xD15C),
            newest: Epoch(0),
            late: vec![],
            connections: BTreeMap::new(),
        }
    }

    /// The database is another one, which nobody has open.
    pub fn replace(&mut self, store: MemoryStore) {
        self.commits = Commits::of(&store);
        (self.store, self.newest) = (store, Epoch(0));
    }

    pub fn submit(&mut self, hub: HubNo, id: OpId, op: StoreOp) {
        if matches!(op, StoreOp::Reopen(_)) {
            self.forget(hub);
        }
        let connection = self.connections.entry(hub).or_default();
        let is_open = matches!(op, StoreOp::Open | StoreOp::Reopen(_));
        let state = if connection.is_lost && !is_open { State::Done(Err(lost())) } else { State::Waiting };
        connection.pending.push_back(Pending { id, op, state });
    }

    /// What could happen next.
    pub fn moves(&self, found: &mut Vec<DiskMove>) {
        for (hub, connection) in &self.connections {
            for (at, pending) in connection.pending.iter().enumerate() {
                let is_clear = || connection.pending.range(..at).all(|earlier| earlier.is_read() && pending.is_read());
                match pending.state {
                    State::Waiting if is_clear() => found.push(DiskMove::Execute(*hub, at)),
                    State::Done(_) if connection.is_lost || is_clear() => found.push(DiskMove::Answer(*hub, at)),
                    _ => {}
                }
            }
        }
    }

    /// Carries an operation out; tells whether its fault ends more than itself.
    pub fn execute(&mut self, hub: HubNo, at: usize, tally: &mut Tally) -> Option<Scope> {
        let fault = self.take_fault();
        self.done += 1;
        tally.note_fault(fault);
        let op = self.connections.get(&hub)?.pending.get(at)?.op.clone();
        let (is_applied, state, scope) = match (fault, &op) {
            (None, _) => (true, None, None),
            (Some(Fault::CrashBefore(scope)), _) => return Some(scope),
            (Some(Fault::CrashAfter(scope)), _) => (true, None, Some(scope)),
            (Some(fault), StoreOp::Write(_)) => {
                let (is_applied, state) = fault_of_write(fault);
                (is_applied, Some(state), None)
            }
            (Some(_), StoreOp::Open) => (false, Some(State::Done(Err(StoreFailure::NotApplied(broken())))), None),
            (Some(_), StoreOp::Reopen(_)) => (false, Some(State::Done(Err(lost()))), None),
            (Some(Fault::Silent { .. }), _) => (false, Some(State::Stuck), None),
            (Some(Fault::Lost { .. }), _) => (false, Some(State::Done(Err(lost()))), None),
            (Some(_), _) => (false, Some(State::Done(Err(StoreFailure::NotApplied(broken())))), None),
        };
        let result = if is_applied { Some(self.apply(hub, op)) } else { None };
        let state = match (state, result) {
            // A write that was refused for a reason of its own was not lost.
            (_, Some(Err(refusal))) => State::Done(Err(refusal)),
            (Some(state), _) => state,
            (None, Some(result)) => State::Done(result),
            (None, None) => unreachable!("without a fault it is applied"),
        };
        self.settle(hub, at, state);
        scope
    }

    fn take_fault(&mut self) -> Option<Fault> {
        let at = self.armed.iter().position(|(due, _)| *due <= self.done)?;
        Some(self.armed.remove(at).1)
    }

    fn settle(&mut self, hub: HubNo, at: usize, state: State) {
        let connection = self.connections.get_mut(&hub).expect("it has a pending operation");
        match (&state, &connection.pending[at].op) {
            (State::Done(Err(StoreFailure::Lost(_))), _) => {
                connection.is_lost = true;
                for other in connection.pending.iter_mut().filter(|other| other.state == State::Waiting) {
                    other.state = State::Done(Err(lost()));
                }
            }
            (State::Done(Ok(StoreReply::Reopened | StoreReply::Opened { .. })), _) => connection.is_lost = false,
            _ => {}
        }
        connection.pending[at].state = state;
    }

    /// Tells the outcome of an operation.
    pub fn answer(&mut self, hub: HubNo, at: usize) -> Option<(OpId, StoreResult)> {
        let pending = self.connections.get_mut(&hub)?.pending.remove(at)?;
        match pending.state {
            State::Done(result) => Some((pending.id, result)),
            _ => None,
        }
    }

    fn apply(&mut self, hub: HubNo, op: StoreOp) -> StoreResult {
        let writer = if let StoreOp::Write(batch) = &op { Some(batch.epoch) } else { None };
        let result = self.run(hub, op);
        match (&result, writer) {
            (Ok(StoreReply::Opened { header, .. }), _) => self.newest = self.newest.max(header.epoch),
            (Ok(StoreReply::Written), Some(epoch)) if epoch < self.newest => {
                let text = format!("epoch {} wrote after epoch {} had opened the database", epoch.0, self.newest.0);
                self.unfenced.get_or_insert(text);
            }
            _ => {}
        }
        result
    }

    /// Has the store do it, and notes the commits that it then holds.
    pub(super) fn carry_out(&mut self, op: StoreOp) -> StoreResult {
        let batch = if let StoreOp::Write(batch) = &op { Some(batch.clone()) } else { None };
        let result = self.store.run(op);
        if let (Some(batch), Ok(_)) = (batch, &result) {
            self.commits.note(&batch, &self.store);
        }
        result
    }

    /// The hub's connection is over: of what it had under way some may still be carried out, in order; nobody is told.
    pub fn forget(&mut self, hub: HubNo) {
        self.late.retain(|(late, _)| *late != hub);
        let Some(connection) = self.connections.remove(&hub) else { return };
        let waiting: Vec<_> = connection.pending.into_iter().filter(|p| p.state == State::Waiting).collect();
        let carried_out = self.chance.index(waiting.len() + 1);
        for (at, pending) in waiting.into_iter().enumerate() {
            match pending.op {
                StoreOp::Write(batch) if at < carried_out => drop(self.apply(hub, StoreOp::Write(batch))),
                StoreOp::Write(batch) if at == carried_out => self.tear(&batch),
                _ => {}
            }
        }
    }
}

fn fault_of_write(fault: Fault) -> (bool, State) {
    let done = |failure| State::Done(Err(failure));
    match fault {
        Fault::Abort => (false, done(StoreFailure::NotApplied(broken()))),
        Fault::Full => (false, done(StoreFailure::NotApplied(Error::full()))),
        Fault::Lost { applied } => (applied, done(lost())),
        Fault::Silent { applied } => (applied, State::Stuck),
        Fault::InDoubt { applied } => (applied, done(StoreFailure::InDoubt(Error::Poisoned("simulated".into())))),
        Fault::CrashBefore(_) | Fault::CrashAfter(_) => unreachable!("handled by the caller"),
    }
}

fn broken() -> Error {
    Error::Storage("the simulated transaction was aborted".into())
}

fn lost() -> StoreFailure {
    StoreFailure::Lost(Error::Storage("the simulated connection is gone".into()))
}
