//! Live queries: a query that is run again when a commit may have changed what it answers. The same query of several tabs is run once, and each
//! tab is sent what has changed since the state that it knows. A tab that is slow gets the latest state, not every one.
//!
//! *Invariant.* Whatever a commit changes is read again after that commit has become durable, or the tab is told why not.

use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::lanes::{Ask, Job};
use super::pins::Pins;
use super::reply::{Reply, Table, wire_columns, wire_error};
use super::rows::{StoredRow, difference, write_row};
use super::work::{Call, Work};
use crate::engine::{Attempt, Failure, ReadSet, Statement, Watched, WriteSet};
use crate::error::Error;
use crate::ids::{CommitSeq, PortId};
use crate::store::Durability;
use crate::vfs::{ReadAt, Role};
use crate::wire;
use std::rc::Rc;

/// No tab's port: the fibers of live queries are nobody's.
const NOBODY: PortId = PortId(u32::MAX);
/// Live queries that are run at once.
const AT_ONCE_MAX: usize = 4;
/// A query that takes longer is given up, ms.
const RUN_MS: f64 = 30_000.0;
/// Bytes of one result, which the hub keeps, and of all.
const RESULT_BYTES_MAX: usize = 32 << 20;
const RESULTS_BYTES_MAX: usize = 128 << 20;

/// A query and who follows it.
pub struct Live {
    id: u64,
    call: Call,
    reads: ReadSet,
    /// Whether these are of the present schema, and which that is.
    knows_reads: bool,
    schema: u64,
    /// The newest result that is known.
    result: Option<Rc<Snapshot>>,
    /// It is to be run at this commit, or a later one.
    due: Option<CommitSeq>,
    /// What its run under way does not know yet.
    is_running: bool,
    /// A run that waits for its blocks.
    waiting: Option<Box<Job>>,
    followers: Vec<Follower>,
}

struct Follower {
    port: PortId,
    id: u64,
    /// Results that it is ready for.
    credits: u32,
    known: Option<Rc<Snapshot>>,
}

/// One result, row by row.
struct Snapshot {
    at: CommitSeq,
    columns: Vec<wire::Column>,
    rows: Vec<StoredRow>,
    bytes: usize,
}

impl Live {
    /// Whether there is something to be read at the newest durable commit that its result does not know.
    fn is_due(&self, durable: CommitSeq) -> bool {
        self.due.is_some_and(|due| due <= durable || self.result.is_none())
    }
}

/// All of them.
#[derive(Default)]
pub struct Lives {
    all: Vec<Live>,
    last_id: u64,
    /// What they have told apart by columns since one of them was last another.
    watched: Option<Rc<[Watched]>>,
    /// Something has happened since they were looked at that may let one of them go on.
    is_stirred: bool,
    /// Runs, results that differed, and messages, for `metrics`.
    pub runs: u64,
    pub updates: u64,
}

impl Lives {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The columns by whose values it can be told which of them a commit concerns.
    pub fn watched(&mut self) -> Rc<[Watched]> {
        let all = &self.all;
        let gather = || {
            let mut columns = vec![];
            for filter in all.iter().filter_map(|live| live.reads.filter.as_ref()) {
                if !columns.contains(&filter.column) {
                    columns.push(filter.column.clone());
                }
            }
            columns.into()
        };
        self.watched.get_or_insert_with(gather).clone()
    }

    /// Marks what a commit may have changed. None: nobody knows what it changed.
    pub fn changed(&mut self, at: CommitSeq, set: Option<&WriteSet>) {
        self.is_stirred = true;
        for live in &mut self.all {
            if set.is_none_or(|set| set.touches(&live.reads)) {
                live.due = Some(at);
            }
            if set.is_none_or(|set| set.schema) {
                // Until it has been run again, nobody knows what it reads.
                live.reads = anything();
                live.knows_reads = false;
                live.schema += 1;
            }
        }
    }

    /// The database was replaced: what they wait for were the old one's blocks.
    pub fn forget_misses(&mut self) {
        self.all.iter_mut().filter_map(|live| live.waiting.as_mut()).for_each(|job| job.forget_misses());
    }

    /// For `inspect`.
    pub fn tell(&self, table: &mut Table) {
        for live in &self.all {
            table.cells.text(&live.call.sql);
            if live.reads.anything {
                table.cells.null();
            } else {
                table.cells.text(&live.reads.tables.join(", "));
            }
            table.count(live.followers.len() as u64);
            let (rows, bytes, commit) =
                live.result.as_ref().map_or((0, 0, 0), |known| (known.rows.len(), known.bytes, known.at.0));
            [rows as u64, bytes as u64, commit].into_iter().for_each(|number| table.count(number));
            table.flag(live.is_running);
        }
    }

    pub fn forget(&mut self, which: &dyn Fn(PortId, u64) -> bool) {
        for live in &mut self.all {
            live.followers.retain(|follower| !which(follower.port, follower.id));
        }
        self.all.retain(|live| !live.followers.is_empty());
        self.watched = None;
    }

    pub fn pull(&mut self, port: PortId, id: u64) {
        self.is_stirred = true;
        let followers = self.all.iter_mut().flat_map(|live| &mut live.followers);
        followers.filter(|follower| (follower.port, follower.id) == (port, id)).for_each(|follower| follower.credits += 1);
    }
}

impl Database {
    pub(super) fn follow(&mut self, port: PortId, id: u64, call: Call) {
        // Commits that are published already are not in its first result before they are durable.
        let due = self.published();
        let follower = Follower { port, id, credits: 1, known: None };
        self.lives.is_stirred = true;
        if let Some(live) = self.lives.all.iter_mut().find(|live| live.call == call) {
            return live.followers.push(follower);
        }
        self.lives.last_id += 1;
        let live = Live {
            id: self.lives.last_id,
            call,
            reads: anything(),
            knows_reads: false,
            schema: 0,
            result: None,
            due: Some(due),
            is_running: false,
            waiting: None,
            followers: vec![follower],
        };
        self.lives.all.push(live);
    }

    /// Runs what is due and sends what is new.
    pub(super) fn pump_lives(&mut self, now: f64) {
        // It comes by at every event.
        if !std::mem::take(&mut self.lives.is_stirred) && self.lives.all.iter().all(|live| live.waiting.is_none()) {
            return;
        }
        let durable = self.newest_commit();
        let mut running = self.lives.all.iter().filter(|live| live.is_running).count();
        for at in 0..self.lives.all.len() {
            let live = &mut self.lives.all[at];
            let is_wanted = live.followers.iter().any(|follower| follower.credits > 0);
            if let Some(job) = live.waiting.take_if(|job| self.pager.borrow().are_resident(&job.misses)) {
                self.run_live(at, job, durable, now);
            } else if live.is_due(durable) && !live.is_running && is_wanted && running < AT_ONCE_MAX {
                live.is_running = true;
                running += 1;
                let job = self.live_job(at, now);
                self.run_live(at, job, durable, now);
            }
            self.send_live(at);
        }
    }

    fn live_job(&self, at: usize, now: f64) -> Box<Job> {
        let live = &self.lives.all[at];
        Box::new(Job {
            port: NOBODY,
            id: live.id,
            write: None,
            ask: Ask::Work(Work::Query(live.call.clone())),
            durability: Durability::Relaxed,
            deadline: now + RUN_MS,
            unit: (now, self.seed),
            tries: 0,
            misses: vec![],
            pins: Pins::new(&self.pager),
        })
    }

    fn run_live(&mut self, at: usize, job: Box<Job>, durable: CommitSeq, now: f64) {
        let live = &mut self.lives.all[at];
        // A commit that is published and not yet durable comes again, when it is.
        live.due.take_if(|due| *due <= durable);
        let (wants_reads, schema) = (!live.knows_reads, live.schema);
        self.lives.runs += 1;
        let seat = self.idle_seat();
        let ticket = Ticket { port: NOBODY, id: job.id, tx: None, role: Role::Reader, at: durable, deadline: now + RUN_MS };
        self.pager.borrow_mut().pin(durable);
        let task = LiveTask { job, at: durable, wants_reads, schema, reads: None, open: None, result: None };
        self.start(Task::Live(task), seat, ticket);
    }

    /// Takes the end of a run.
    pub(super) fn live_ended(&mut self, task: LiveTask, seat: Seat) {
        let LiveTask { mut job, at, schema, reads, result, .. } = task;
        let is_stale = seat.set != self.seat_set;
        self.lives.is_stirred = true;
        self.give_back(seat);
        self.pager.borrow_mut().unpin(at);
        let missed = match result.expect("a run that is done has a result") {
            Ok(snapshot) => return self.live_is(job.id, reads.map(|reads| (reads, schema)), snapshot),
            Err(Failure::Missed(blocks)) => self.fetch_for(&mut job, blocks),
            // The database was replaced under it.
            Err(Failure::Failed(Error::TransactionLost(_))) if is_stale => {
                job.forget_misses();
                Ok(())
            }
            Err(Failure::Failed(error)) => Err(error),
        };
        let Some(at) = self.lives.all.iter().position(|live| live.id == job.id) else { return };
        match missed {
            Ok(()) => self.lives.all[at].waiting = Some(job),
            Err(error) => self.end_live(at, &error),
        }
    }

    fn live_is(&mut self, id: u64, reads: Option<(ReadSet, u64)>, snapshot: Snapshot) {
        let others = self.lives.all.iter().filter(|live| live.id != id).filter_map(|live| live.result.as_ref());
        let bytes = snapshot.bytes + others.map(|result| result.bytes).sum::<usize>();
        let Some(at) = self.lives.all.iter().position(|live| live.id == id) else { return };
        if bytes > RESULTS_BYTES_MAX {
            let why = "the results of all live queries together exceed 128 MiB: give them a LIMIT, or follow fewer";
            return self.end_live(at, &Error::Limit(why.into()));
        }
        let live = &mut self.lives.all[at];
        live.is_running = false;
        if let Some((reads, schema)) = reads {
            live.knows_reads = schema == live.schema;
            live.reads = if live.knows_reads { reads } else { anything() };
        }
        self.lives.watched = None;
        let is_same = live.result.as_ref().is_some_and(|known| known.rows == snapshot.rows && known.columns == snapshot.columns);
        if !is_same {
            self.lives.updates += 1;
            live.result = Some(Rc::new(snapshot));
        }
    }

    /// Sends the newest result to those that are ready for one and do not know it.
    fn send_live(&mut self, at: usize) {
        let live = &mut self.lives.all[at];
        let Some(newest) = live.result.clone() else { return };
        let is_new =
            |follower: &Follower| follower.credits > 0 && follower.known.as_ref().is_none_or(|known| !Rc::ptr_eq(known, &newest));
        let mut told = vec![];
        for follower in live.followers.iter_mut().filter(|follower| is_new(follower)) {
            follower.credits -= 1;
            told.push((follower.port, follower.id, follower.known.replace(newest.clone())));
        }
        for (port, id, known) in told {
            self.reply_now(port, id, update(known.as_deref(), &newest));
        }
    }

    /// Blocks that a run waits for cannot be read.
    pub(super) fn end_lives(&mut self, why: &Error, which: &dyn Fn(&Job) -> bool) {
        while let Some(at) = self.lives.all.iter().position(|live| live.waiting.as_ref().is_some_and(|job| which(job))) {
            self.end_live(at, why);
        }
    }

    /// Tells its followers why it is over.
    fn end_live(&mut self, at: usize, why: &Error) {
        let live = self.lives.all.remove(at);
        for follower in live.followers {
            let error = wire_error(why, Some(&live.call.sql), None);
            self.reply_now(follower.port, follower.id, Reply::bare(wire::Body::Error(error)));
        }
    }
}

fn anything() -> ReadSet {
    ReadSet { anything: true, ..ReadSet::default() }
}

/// What leads from the result that a tab knows to the newest.
fn update(known: Option<&Snapshot>, newest: &Snapshot) -> Reply {
    let none = vec![];
    let known_rows = known.map_or(&none, |known| &known.rows);
    let (parts, fresh) = difference(known_rows, &newest.rows);
    let has_other_columns = known.is_none_or(|known| known.columns != newest.columns);
    let mut writer = wire::RowsWriter::new();
    fresh.iter().for_each(|row| write_row(row, &mut writer));
    let mut payload = vec![];
    writer.write_to(&mut payload);
    let body = wire::Body::Live(wire::LiveUpdate {
        commit: newest.at.0,
        columns: has_other_columns.then(|| newest.columns.clone()),
        fresh: u32::try_from(fresh.len()).expect("a result has fewer than 2^32 rows"),
        parts,
    });
    Reply { body, payload }
}

/// A run of a live query.
pub struct LiveTask {
    job: Box<Job>,
    at: CommitSeq,
    wants_reads: bool,
    /// Which schema it was when it began.
    schema: u64,
    reads: Option<ReadSet>,
    /// Between two rows: the statement, its rows, and how many bytes they have.
    open: Option<(Rc<Statement>, Vec<StoredRow>, usize)>,
    result: Option<Attempt<Snapshot>>,
}

impl LiveTask {
    pub fn run(&mut self, seat: &mut Seat) -> bool {
        let result = self.attempt(seat);
        match (&result, &self.open) {
            (Ok(None), Some(_)) => return false,
            (_, Some((statement, ..))) => statement.reset(),
            _ => {}
        }
        self.open = None;
        self.result = Some(result.map(|snapshot| snapshot.expect("it has no rows left")));
        true
    }

    /// None: it pauses between two rows.
    fn attempt(&mut self, seat: &mut Seat) -> Attempt<Option<Snapshot>> {
        let pace = seat.pace.clone();
        pace.set_deadline(Some(self.job.deadline));
        let Ask::Work(Work::Query(call)) = &self.job.ask else { unreachable!("only queries are live") };
        if self.open.is_none() {
            pace.begin_unit(self.job.unit);
        }
        let connection = seat.connection()?;
        if self.open.is_none() {
            connection.read_at(ReadAt::Commit(self.at));
            if self.wants_reads {
                self.reads = Some(connection.reads_of(&call.sql, &call.params())?);
            }
            let statement = connection.prepare(&call.sql)?;
            connection.start(&statement, &call.params())?;
            self.open = Some((statement, vec![], 0));
        }
        let (statement, rows, bytes) = self.open.as_mut().expect("just opened");
        while connection.step(statement)? {
            let row = StoredRow::of(statement);
            *bytes += row.bytes();
            rows.push(row);
            if *bytes > RESULT_BYTES_MAX {
                return Err(Error::Limit("the result of a live query exceeds 32 MiB: give it a LIMIT".into()).into());
            }
            if pace.should_pause(|| connection.awaits_ahead()) {
                return match pace.stopped() {
                    Some(why) => Err(why.into()),
                    None => Ok(None),
                };
            }
        }
        let columns = wire_columns(statement.columns());
        Ok(Some(Snapshot { at: self.at, columns, rows: std::mem::take(rows), bytes: *bytes }))
    }
}
