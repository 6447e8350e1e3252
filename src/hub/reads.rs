//! Reads: single statements that may turn out to write, each on a connection of the pool and at a snapshot of its own. A tab has
//! always one connection to itself if it wants one, and more while there are some left.

use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::lanes::{Ask, Job};
use super::reply::{Reply, Rows, wire_columns};
use super::work::{Call, Work};
use crate::engine::{Attempt, Connection, Failure, Statement};
use crate::error::Error;
use crate::ids::{CommitSeq, PortId, TxId};
use crate::vfs::{ReadAt, Role};
use crate::wire;
use std::cell::Cell;
use std::rc::Rc;

/// Reads of one tab at once; more wait in its lane.
pub const READS_OF_A_TAB_MAX: usize = 4;
/// Reads at once, of all tabs, beyond the first of each.
pub const READS_MAX: usize = 16;
/// Connections kept for the next reads.
const IDLE_MAX: usize = 8;

/// One statement, which is carried out if it only reads.
pub struct Read {
    pub job: Box<Job>,
    pub at: CommitSeq,
    /// The read transaction that it is in.
    pub tx: Option<TxId>,
    /// Whether it is known to read only: then the requests behind it need not wait to know.
    pub is_read: Rc<Cell<bool>>,
    rowid: i64,
    /// Between two rows.
    open: Option<(Rc<Statement>, Rows)>,
    /// What came of it; no reply where it writes.
    pub result: Option<Attempt<Option<Reply>>>,
}

impl Read {
    /// Its SQL, as long as it has not begun.
    pub fn single_sql(&self) -> Option<&str> {
        match &self.job.ask {
            Ask::Work(Work::Query(call)) if self.open.is_none() => Some(&call.sql),
            _ => None,
        }
    }

    pub fn failure(&self) -> Option<&Failure> {
        self.result.as_ref()?.as_ref().err()
    }

    pub fn run(&mut self, seat: &mut Seat) -> bool {
        let result = self.attempt(seat);
        match (&result, &self.open) {
            (Ok(None), Some(_)) => return false,
            (_, Some((statement, _))) => statement.reset(),
            _ => {}
        }
        self.open = None;
        self.result = Some(result);
        true
    }

    /// No reply: it pauses between two rows, or it writes.
    fn attempt(&mut self, seat: &mut Seat) -> Attempt<Option<Reply>> {
        seat.pace.set_deadline(Some(self.job.deadline));
        if self.open.is_none() {
            seat.pace.begin_unit(self.job.unit);
        }
        let Ask::Work(Work::Query(call)) = &self.job.ask else { return Err(not_a_read().into()) };
        let pace = seat.pace.clone();
        let connection = seat.connection()?;
        if self.open.is_none() {
            connection.read_at(ReadAt::Commit(self.at));
            connection.set_last_insert_rowid(self.rowid);
            let statement = connection.prepare(&call.sql)?;
            if !statement.only_reads() {
                return if self.tx.is_some() { Err(not_a_read().into()) } else { Ok(None) };
            }
            self.is_read.set(true);
            connection.start(&statement, &call.params())?;
            self.open = Some((statement, Rows::default()));
        }
        let (statement, rows) = self.open.as_mut().expect("just opened");
        while connection.step(statement)? {
            rows.push(statement)?;
            if pace.should_pause(|| connection.awaits_ahead()) {
                return match pace.stopped() {
                    Some(why) => Err(why.into()),
                    None => Ok(None),
                };
            }
        }
        Ok(Some(reply(connection, statement, rows)))
    }
}

fn reply(connection: &Connection, statement: &Statement, rows: &Rows) -> Reply {
    let shape = wire::ResultShape {
        columns: wire_columns(statement.columns()),
        rows: rows.count,
        changes: 0,
        last_insert_rowid: connection.last_insert_rowid(),
        times: None,
    };
    let mut payload = vec![];
    rows.write_to(&mut payload);
    Reply { body: wire::Body::Rows(shape), payload }
}

fn not_a_read() -> Error {
    Error::Refused("a transaction of mode 'read' takes reading statements, one at a time, with query()".into())
}

impl Database {
    /// A connection for a tab that wants to read, unless it has enough of them.
    pub(super) fn take_seat(&mut self, port: PortId) -> Option<Seat> {
        let reads = |ticket: &Ticket| ticket.role == Role::Reader;
        let own = self.fibers.tickets().filter(|(ticket, _)| reads(ticket) && ticket.port == port).count();
        let all = self.fibers.tickets().filter(|(ticket, _)| reads(ticket)).count();
        if own >= READS_OF_A_TAB_MAX || (own > 0 && all >= READS_MAX) {
            return None;
        }
        Some(self.idle_seat())
    }

    pub(super) fn idle_seat(&mut self) -> Seat {
        self.seats.pop().unwrap_or_else(|| self.new_seat(Role::Reader))
    }

    pub(super) fn new_seat(&self, role: Role) -> Seat {
        Seat::new(&self.pager, role, (self.clock.clone(), self.pacing), self.seat_set)
    }

    /// Takes a connection back, if it can be trusted: not after an import or lost commits, nor where a read was cut short, since
    /// `SQLite` may have loaded a part of the schema only.
    ///
    /// # Panics
    /// Where a statement is still in its middle: the next read would see its old snapshot.
    pub(super) fn give_back(&mut self, mut seat: Seat) {
        assert!(seat.opened().is_none_or(|connection| connection.is_idle()), "a connection is given back when its work is over");
        if seat.set == self.seat_set && !seat.pace.is_tainted() && self.seats.len() < IDLE_MAX {
            self.seats.push(seat);
        }
    }

    /// Starts a read at the tab's snapshot, or gives it back where there is no connection for it.
    pub(super) fn start_read(&mut self, job: Box<Job>) -> Result<Rc<Cell<bool>>, Box<Job>> {
        let at = self.snapshot_of(job.port);
        self.start_read_at(job, at, None)
    }

    pub(super) fn start_read_at(&mut self, job: Box<Job>, at: CommitSeq, tx: Option<TxId>) -> Result<Rc<Cell<bool>>, Box<Job>> {
        let Some(mut seat) = self.take_seat(job.port) else { return Err(job) };
        if matches!(&job.ask, Ask::Work(Work::Query(call)) if call.checks_integrity()) {
            seat = self.new_seat(Role::Reader);
        }
        let ticket = Ticket { port: job.port, id: job.id, tx, role: Role::Reader, at, deadline: job.deadline };
        let is_read = Rc::new(Cell::new(tx.is_some()));
        let rowid = self.last_rowid_of(job.port);
        self.counters.reads += 1;
        // From now on: it may have to wait for the schema before it takes its snapshot by itself.
        self.pager.borrow_mut().pin(at);
        let read = Read { job, at, tx, is_read: is_read.clone(), rowid, open: None, result: None };
        self.start(Task::Read(read), seat, ticket);
        Ok(is_read)
    }

    /// Takes the end of a read.
    pub(super) fn read_ended(&mut self, read: Read, seat: Seat, now: f64) {
        let Read { mut job, at, tx, is_read, result, .. } = read;
        let is_stale = seat.set != self.seat_set;
        self.give_back(seat);
        self.pager.borrow_mut().unpin(at);
        match result.expect("a read that is done has a result") {
            Ok(Some(reply)) => self.reply_after(at, job.port, job.id, reply),
            // It writes: its turn is next, before anything that its tab has asked for later.
            Ok(None) => self.enqueue(job, now),
            Err(Failure::Missed(blocks)) => {
                let fetched = self.fetch_for(&mut job, blocks);
                self.wait_for_blocks(job, tx, is_read.get(), fetched);
            }
            // The database was replaced under it.
            Err(Failure::Failed(Error::TransactionLost(_))) if is_stale && tx.is_none() => {
                self.wait_for_blocks(job, tx, is_read.get(), Ok(()));
            }
            Err(Failure::Failed(error)) => self.fail_job(&job, &error, None),
        }
        if let Some(open) = tx.and_then(|tx| self.read_transactions.get_mut(tx)) {
            open.deadline = now + open.idle_ms;
        }
    }

    /// A read goes on later, where it came from.
    fn wait_for_blocks(&mut self, job: Box<Job>, tx: Option<TxId>, is_read: bool, fetched: crate::error::Result<()>) {
        if let Err(error) = fetched {
            return self.fail_job(&job, &error, None);
        }
        match (tx, self.sessions.get_mut(job.port)) {
            (Some(tx), _) => self.inside_reads.insert(0, (tx, job)),
            (None, Some(session)) if !is_read => session.lane.push_front(job),
            (None, _) => self.reads.push(job),
        }
    }

    /// Starts the reads whose blocks have come.
    pub(super) fn pump_reads(&mut self) {
        for job in std::mem::take(&mut self.reads) {
            if !self.are_resident(&job.misses) {
                self.reads.push(job);
            } else if let Err(job) = self.start_read(job) {
                self.reads.push(job);
            }
        }
    }

    /// Starts the statements of read transactions whose blocks are there, one at a time in each.
    pub(super) fn pump_inside_reads(&mut self) {
        let mut held: Vec<TxId> = self.fibers.tickets().filter_map(|(ticket, _)| ticket.tx).collect();
        for (tx, job) in std::mem::take(&mut self.inside_reads) {
            let Some(at) = self.read_transactions.get(tx).map(|read| read.at) else {
                let error = self.why_ended(job.port, tx);
                self.fail_job(&job, &error, None);
                continue;
            };
            let waits = held.contains(&tx) || !self.are_resident(&job.misses);
            held.push(tx);
            if waits {
                self.inside_reads.push((tx, job));
            } else if let Err(job) = self.start_read_at(job, at, Some(tx)) {
                self.inside_reads.push((tx, job));
            }
        }
    }
}

impl Call {
    /// Whether it may be one of `SQLite`'s own checks, which need a connection that knows nothing yet: see `SqliteCheck`.
    pub fn checks_integrity(&self) -> bool {
        const CHECKS: [&[u8]; 2] = [b"integrity_check", b"quick_check"];
        let sql = self.sql.as_bytes();
        // Nearly every statement ends here.
        if !sql.contains(&b'_') {
            return false;
        }
        CHECKS.iter().any(|check| sql.windows(check.len()).any(|part| part.eq_ignore_ascii_case(check)))
    }

    /// Whether its first word says that it writes: then it need not be prepared to know.
    pub fn says_that_it_writes(&self) -> bool {
        const WRITES: [&[u8]; 9] =
            [b"insert", b"update", b"delete", b"replace", b"create", b"drop", b"alter", b"vacuum", b"reindex"];
        let word = crate::engine::first_word(self.sql.as_bytes());
        WRITES.iter().any(|write| word.eq_ignore_ascii_case(write))
    }
}
