//! Lanes: each tab's requests in order of arrival, until they are under way. A request leaves its lane when it has run as a
//! read, waits for its own blocks as one, or stands in the queue for the writer.

use super::database::Database;
use super::streams::StreamKind;
use super::work::{Call, Work};
use super::writer::Slot;
use crate::engine::Failure;
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, PortId};
use crate::store::Durability;
use crate::vfs::unit;
use crate::wire;

/// What a request wants, outside of transactions.
#[derive(Debug)]
pub enum Ask {
    Work(Work),
    Begin { idle_ms: f64 },
    BeginRead { idle_ms: f64 },
    Import { size: u64 },
    Iterate(Call),
    Export { salvage: bool },
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
}

impl Job {
    pub fn enter_unit(&self) {
        unit::begin(self.unit.0, self.unit.1);
    }
}

/// What became of the first request of a lane.
enum Admission {
    /// It is under way or answered: on to the next.
    Gone,
    /// It must wait, and with it the lane.
    Waits(Job),
}

impl Database {
    /// Moves every lane on as far as it goes.
    pub(super) fn pump_lanes(&mut self, now: f64) {
        let busy: Vec<_> = self.sessions.iter().filter(|(_, session)| !session.lane.is_empty()).map(|(port, _)| port).collect();
        for port in busy {
            while let Some(job) = self.sessions.get_mut(port).and_then(|session| session.lane.pop_front()) {
                if let Admission::Waits(job) = self.admit_job(job, now) {
                    if let Some(session) = self.sessions.get_mut(port) {
                        session.lane.push_front(job);
                    }
                    break;
                }
            }
        }
    }

    fn admit_job(&mut self, mut job: Job, now: f64) -> Admission {
        if !self.are_resident(&job.misses) {
            return Admission::Waits(job);
        }
        match &mut job.ask {
            Ask::Begin { .. } | Ask::Import { .. } | Ask::Work(Work::Script(_) | Work::Batch(_)) => self.enqueue(job, now),
            _ if self.must_wait(job.port) => return Admission::Waits(job),
            Ask::Work(Work::Query(call)) => match self.is_read(&call.sql, job.port) {
                Ok(true) => self.run_read(job),
                Ok(false) => self.enqueue(job, now),
                Err(Failure::Missed(blocks)) => {
                    self.fetch_for(&mut job, blocks);
                    return Admission::Waits(job);
                }
                Err(Failure::Failed(error)) => self.fail_job(&job, &error, None),
            },
            Ask::BeginRead { idle_ms } => {
                let idle_ms = *idle_ms;
                self.begin_read(job.port, job.id, idle_ms, now);
            }
            Ask::Export { salvage } => {
                let kind = StreamKind::export(*salvage);
                self.open_stream(job, kind);
            }
            Ask::Check { .. } if self.is_checking() => return Admission::Waits(job),
            Ask::Check { level } => {
                let kind = StreamKind::check(*level);
                self.open_stream(job, kind);
            }
            Ask::Iterate(_) if self.cursors_are_taken() => return Admission::Waits(job),
            Ask::Iterate(call) => {
                let call = call.clone();
                self.open_stream(job, StreamKind::rows(call));
            }
        }
        Admission::Gone
    }

    /// A read keeps its place behind the tab's own writes, unless those wait for somebody's transaction or import.
    fn must_wait(&self, port: PortId) -> bool {
        match &self.slot {
            Slot::Transaction(_) | Slot::Import(_) => false,
            Slot::Working(job) if job.port == port => true,
            Slot::Working(_) | Slot::Free => self.turns.iter().any(|job| job.port == port),
        }
    }

    fn enqueue(&mut self, job: Job, now: f64) {
        self.turns.push_back(job);
        self.pump_writer(now);
    }

    /// Whether a statement only reads; asked of the reader, which caches it prepared.
    fn is_read(&mut self, sql: &str, port: PortId) -> Result<bool, Failure> {
        let at = self.snapshot_of(port);
        let reader = self.reader_at(at)?;
        let statement = reader.prepare(sql)?;
        Ok(statement.is_readonly() && statement.control.is_none() && !statement.is_vacuum)
    }

    /// Runs a read at the tab's snapshot, or puts it aside until its blocks are there.
    fn run_read(&mut self, mut job: Job) {
        let at = self.snapshot_of(job.port);
        match self.try_read(&mut job, at) {
            Ok(reply) => self.reply_after(at, job.port, job.id, reply),
            Err(Failure::Missed(blocks)) => {
                self.fetch_for(&mut job, blocks);
                self.reads.push(job);
            }
            Err(Failure::Failed(error)) => self.fail_job(&job, &error, None),
        }
    }

    /// Runs the reads whose blocks have come.
    pub(super) fn pump_reads(&mut self) {
        for job in std::mem::take(&mut self.reads) {
            if self.are_resident(&job.misses) {
                self.run_read(job);
            } else {
                self.reads.push(job);
            }
        }
    }

    pub(super) fn try_read(&mut self, job: &mut Job, at: CommitSeq) -> Result<super::reply::Reply, Failure> {
        job.enter_unit();
        self.counters.reads += 1;
        let rowid = self.last_rowid_of(job.port);
        let Ask::Work(Work::Query(call)) = &job.ask else {
            return Err(Error::BadRequest("only a query can be a read".into()).into());
        };
        let reader = self.reader_at(at)?;
        reader.set_deadline(Some(job.deadline));
        reader.set_last_insert_rowid(rowid);
        let statement = reader.prepare(&call.sql)?;
        super::work::run_call(&statement, call, reader).map_err(|f| f.failure)
    }
}
