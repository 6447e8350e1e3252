//! Lanes: each tab's requests in order of arrival, until they are under way. A request leaves its lane when it has run as a
//! read, waits for its own blocks as one, or stands in the queue for the writer.

use super::database::Database;
use super::pins::Pins;
use super::session::Session;
use super::streams::StreamKind;
use super::work::{Call, Work};
use super::writer::Slot;
use crate::ids::{BlockNo, CommitSeq, PortId};
use crate::store::Durability;
use crate::vfs::Role;
use crate::wire;
use std::cell::Cell;
use std::rc::Rc;

/// What a request wants, outside of transactions.
#[derive(Debug)]
pub enum Ask {
    Work(Work),
    Begin { idle_ms: f64 },
    BeginRead { idle_ms: f64 },
    Import { size: u64 },
    Keep { commits: u64 },
    Iterate(Call),
    Export { salvage: bool },
    Changesets { since: u64 },
    Check { level: wire::CheckLevel },
}

/// A request on its way.
#[derive(Debug)]
pub struct Job {
    pub port: PortId,
    pub id: u64,
    /// Its number among the client's writes.
    pub write: Option<u64>,
    pub ask: Ask,
    pub durability: Durability,
    /// When it must have been answered, in ms since 1970.
    pub deadline: f64,
    /// Frozen time and seed: the same at every restart.
    pub unit: (f64, u64),
    /// Restarts so far; each fetches further ahead.
    pub tries: u32,
    pub misses: Vec<BlockNo>,
    /// Whatever it has missed, until it ends.
    pub pins: Pins,
}

impl Job {
    /// The database is another one: what it waited for were the old one's blocks.
    pub fn forget_misses(&mut self) {
        self.misses.clear();
        self.pins.let_go();
    }
}

/// What became of the first request of a lane.
enum Admission {
    /// It is under way or answered: on to the next.
    Gone,
    /// It must wait, and with it the lane.
    Waits(Box<Job>),
}

impl Database {
    /// Moves every lane on as far as it goes.
    pub(super) fn pump_lanes(&mut self, now: f64) {
        let busy: Vec<_> = self.sessions.iter().filter(|(_, session)| !session.lane.is_empty()).map(|(port, _)| port).collect();
        for port in busy {
            while self.sessions.get(port).is_some_and(Session::may_go_on)
                && let Some(job) = self.sessions.get_mut(port).and_then(|session| session.lane.pop_front())
            {
                if let Admission::Waits(job) = self.admit_job(job, now) {
                    if let Some(session) = self.sessions.get_mut(port) {
                        session.lane.push_front(job);
                    }
                    break;
                }
            }
        }
    }

    fn admit_job(&mut self, job: Box<Job>, now: f64) -> Admission {
        if !self.are_resident(&job.misses) {
            return Admission::Waits(job);
        }
        match &job.ask {
            Ask::Begin { .. } | Ask::Import { .. } | Ask::Keep { .. } => self.enqueue(job, now),
            Ask::Work(Work::Script(_) | Work::Batch(_) | Work::Apply(_)) => self.enqueue(job, now),
            _ if self.must_wait(job.port) => return Admission::Waits(job),
            Ask::Work(Work::Query(call)) if call.says_that_it_writes() => self.enqueue(job, now),
            Ask::Work(Work::Query(_)) => {
                let port = job.port;
                match self.start_read(job) {
                    Ok(is_read) => self.hold_lane(port, is_read),
                    Err(job) => return Admission::Waits(job),
                }
            }
            // The next hub can keep it longer.
            Ask::BeginRead { .. } if self.is_finishing() => return Admission::Waits(job),
            Ask::BeginRead { idle_ms } => {
                let idle_ms = *idle_ms;
                self.begin_read(job.port, job.id, idle_ms, now);
            }
            Ask::Export { salvage } => {
                let kind = StreamKind::export(*salvage);
                self.open_stream(job, kind);
            }
            Ask::Changesets { since } => {
                let since = CommitSeq(*since);
                self.begin_changesets(job, since);
            }
            Ask::Check { .. } if self.is_checking() => return Admission::Waits(job),
            Ask::Check { level } => {
                let kind = StreamKind::check(*level);
                self.open_stream(job, kind);
            }
            Ask::Iterate(_) if self.cursors_are_taken(job.port) => return Admission::Waits(job),
            Ask::Iterate(call) => {
                let seat = if call.checks_integrity() { self.new_seat(Role::Reader) } else { self.idle_seat() };
                let kind = StreamKind::rows(call.clone(), seat);
                self.open_stream(job, kind);
            }
        }
        Admission::Gone
    }

    /// A read keeps its place behind the tab's own writes, unless those wait for somebody's transaction or import.
    fn must_wait(&self, port: PortId) -> bool {
        match &self.slot {
            Slot::Transaction(_) | Slot::Import(_) | Slot::Keeping(..) => false,
            Slot::Waiting(job) if job.port == port => true,
            Slot::Working(working) if *working == port => true,
            Slot::Waiting(_) | Slot::Working(_) | Slot::Free => self.turns.iter().any(|job| job.port == port),
        }
    }

    /// What came after it waits until it is known to be a read.
    fn hold_lane(&mut self, port: PortId, is_read: Rc<Cell<bool>>) {
        if let Some(session) = self.sessions.get_mut(port) {
            session.undecided = Some(is_read);
        }
    }

    pub(super) fn enqueue(&mut self, job: Box<Job>, now: f64) {
        self.turns.push_back(job);
        self.pump_writer(now);
    }
}
