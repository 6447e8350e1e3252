//! The scheduler: which fiber runs next, and for how long.
//!
//! A fiber that is new, or has just got its block, is *fresh* until it has used up a whole slice; then it is *tired*. Fresh ones run
//! at once, first come, first served, so short statements overtake long ones. Tired ones take turns, one slice in each turn of
//! the host's event loop, so requests are let in between any two of their slices.
//!
//! *Nobody starves, by construction:* while a tired fiber waits, at most [`FRESH_IN_A_ROW`] fresh ones run before it is a tired one's
//! turn; tired ones stand in a queue; and a fresh fiber either ends within its slice or joins that queue.

use super::fiber::{Fiber, Standing};
use super::inspect::{AWAITING_BLOCK, RUNNING, SUSPENDED};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, FiberId, PortId, TxId};
use crate::vfs::Role;
use std::collections::VecDeque;

/// How many fresh fibers may run one after another while a tired one waits.
pub const FRESH_IN_A_ROW: u32 = 8;

/// Whose fiber it is, and until when it may go on.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub port: PortId,
    /// The request that it works for.
    pub id: u64,
    pub tx: Option<TxId>,
    pub role: Role,
    /// The newest commit that it may have seen.
    pub at: CommitSeq,
    pub deadline: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Tired,
    /// The host has it.
    Running,
    Blocked(BlockNo),
}

struct Entry {
    fiber: Fiber,
    ticket: Ticket,
    state: State,
    is_tired: bool,
    is_stopped: bool,
}

/// Figures for `metrics`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Times that a statement gave way in its middle: for a block, or for others.
    pub waits: u64,
    pub slices: u64,
    pub turns: u64,
}

/// What the scheduler wants of the host.
pub enum Next {
    Run(Fiber),
    /// Let others come in, then ask again.
    Turn,
    Nothing,
}

#[derive(Default)]
pub struct Fibers {
    all: Vec<Entry>,
    fresh: VecDeque<FiberId>,
    tired: VecDeque<FiberId>,
    running: Option<FiberId>,
    turn_is_asked: bool,
    turn_has_come: bool,
    fresh_in_a_row: u32,
    last: FiberId,
    pub counters: Counters,
}

impl Fibers {
    pub fn next_id(&mut self) -> FiberId {
        self.last = self.last.next();
        self.last
    }

    pub fn start(&mut self, fiber: Fiber, ticket: Ticket) {
        self.fresh.push_back(fiber.id());
        self.all.push(Entry { fiber, ticket, state: State::Fresh, is_tired: false, is_stopped: false });
    }

    fn entry(&mut self, id: FiberId) -> Option<&mut Entry> {
        self.all.iter_mut().find(|entry| entry.fiber.id() == id)
    }

    /// The host's event loop has gone round.
    pub fn turn(&mut self) {
        self.counters.turns += 1;
        self.turn_is_asked = false;
        self.turn_has_come = true;
    }

    /// Chooses who runs next. One at a time.
    pub fn next(&mut self) -> Next {
        if self.running.is_some() {
            return Next::Nothing;
        }
        let turn_of_the_tired = self.turn_has_come || self.fresh_in_a_row >= FRESH_IN_A_ROW;
        let id = match (turn_of_the_tired, self.fresh.is_empty(), self.tired.is_empty()) {
            (_, true, true) => {
                self.turn_has_come = false;
                return Next::Nothing;
            }
            (true, _, false) => {
                self.turn_has_come = false;
                self.fresh_in_a_row = 0;
                self.tired.pop_front()
            }
            (_, false, none_tired) => {
                self.fresh_in_a_row = if none_tired { 0 } else { self.fresh_in_a_row + 1 };
                self.fresh.pop_front()
            }
            (false, true, false) if self.turn_is_asked => return Next::Nothing,
            (false, true, false) => {
                self.turn_is_asked = true;
                return Next::Turn;
            }
        };
        self.running = id;
        let entry = id.and_then(|id| self.entry(id)).expect("whoever stands in a queue exists");
        entry.state = State::Running;
        Next::Run(entry.fiber.clone())
    }

    /// The host has run a fiber: queues it anew, or hands it out if it is done.
    pub fn ran(&mut self, id: FiberId) -> Option<(Fiber, Ticket, Standing)> {
        self.running.take_if(|running| *running == id)?;
        let entry = self.entry(id)?;
        let (fiber, ticket, standing) = (entry.fiber.clone(), entry.ticket.clone(), entry.fiber.standing());
        match (standing, fiber.pace().awaited()) {
            (Standing::Done, _) => self.all.retain(|entry| entry.fiber.id() != id),
            (_, Some(block)) if !entry.is_stopped => {
                entry.state = State::Blocked(block);
                self.counters.waits += 1;
            }
            _ => {
                entry.is_tired = true;
                self.counters.slices += 1;
                self.queue(id);
            }
        }
        Some((fiber, ticket, standing))
    }

    fn queue(&mut self, id: FiberId) {
        let Some(entry) = self.entry(id) else { return };
        let tired = entry.is_tired && !entry.is_stopped;
        entry.state = if tired { State::Tired } else { State::Fresh };
        if tired { self.tired.push_back(id) } else { self.fresh.push_back(id) }
    }

    /// Wakes those whose blocks have come.
    pub fn wake(&mut self, is_resident: impl Fn(BlockNo) -> bool) {
        let ready = |entry: &Entry| matches!(entry.state, State::Blocked(block) if is_resident(block));
        let ready: Vec<_> = self.all.iter().filter(|entry| ready(entry)).map(|entry| entry.fiber.id()).collect();
        ready.into_iter().for_each(|id| self.queue(id));
    }

    /// Asks those that `which` picks to stop. A stopped fiber runs as soon as it can, so that it ends; what becomes of its request
    /// is decided then.
    pub fn stop(&mut self, why: &Error, which: &dyn Fn(&Ticket, &Fiber) -> bool) {
        let stopped: Vec<_> = self.all.iter().filter(|e| which(&e.ticket, &e.fiber)).map(|e| e.fiber.id()).collect();
        for id in stopped {
            let Some(entry) = self.entry(id) else { continue };
            entry.fiber.stop(why);
            let waited = !std::mem::replace(&mut entry.is_stopped, true) && entry.state != State::Running;
            if waited && entry.state != State::Fresh {
                self.tired.retain(|tired| *tired != id);
                self.queue(id);
            }
        }
    }

    /// Those that wait for one of these blocks.
    pub fn blocked_on(&self, hit: impl Fn(BlockNo) -> bool) -> Vec<FiberId> {
        let is_hit = |entry: &&Entry| matches!(entry.state, State::Blocked(block) if hit(block));
        self.all.iter().filter(is_hit).map(|entry| entry.fiber.id()).collect()
    }

    pub fn tickets(&self) -> impl Iterator<Item = (&Ticket, &Fiber)> {
        self.all.iter().map(|entry| (&entry.ticket, &entry.fiber))
    }

    /// Each with where it stands, for `inspect`.
    pub fn standings(&self) -> impl Iterator<Item = (&Ticket, &'static str)> {
        self.all.iter().map(|entry| {
            let state = match entry.state {
                State::Blocked(_) => AWAITING_BLOCK,
                State::Tired => SUSPENDED,
                State::Fresh | State::Running => RUNNING,
            };
            (&entry.ticket, state)
        })
    }

    pub fn is_any(&self, which: impl Fn(&Ticket) -> bool) -> bool {
        self.all.iter().any(|entry| which(&entry.ticket))
    }

    /// When the next one that nobody has stopped yet has taken too long.
    pub fn next_deadline(&self) -> f64 {
        self.all.iter().filter(|entry| !entry.is_stopped).fold(f64::INFINITY, |min, entry| min.min(entry.ticket.deadline))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn suspended(&self) -> usize {
        self.all.iter().filter(|entry| entry.fiber.standing() == Standing::Suspended).count()
    }
}
