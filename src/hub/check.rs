//! The check: verifies what is stored, step by step, and then lets `SQLite` verify what it says. A stream like the others: each
//! step is a chunk with the problems it found, so that a tab sees it go on and can cancel it.

use super::database::Database;
use super::fiber::{Seat, Task};
use super::fibers::Ticket;
use super::lanes::Job;
use super::reply::Reply;
use super::streams::{Chunk, StreamKind};
use crate::engine::{Attempt, Failure, Params, Statement, ValueRef};
use crate::error::Error;
use crate::ids::{CommitSeq, GroupNo};
use crate::vfs::{ReadAt, Role};
use crate::wire::{self, CheckLevel, CheckStage};

/// Block groups read at once: 4 MiB.
const RUN: u32 = 64;
/// How long `SQLite` may take for one statement, in ms.
const STATEMENT_MS: f64 = 600_000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Log,
    /// The run of block groups that begins here.
    Groups(u32),
    /// The statement of this number.
    Sqlite(usize),
}

#[derive(Debug)]
pub struct Check {
    level: CheckLevel,
    step: Step,
    done: u64,
    /// The store is being read; what was found comes back through [`Database::verified`].
    verifying: bool,
    found: Option<Vec<String>>,
}

impl Check {
    pub fn new(level: CheckLevel) -> Self {
        Self { level, step: Step::Log, done: 0, verifying: false, found: None }
    }

    fn statements(&self) -> &'static [&'static str] {
        match self.level {
            CheckLevel::Quick => &["PRAGMA quick_check"],
            CheckLevel::Full => &["PRAGMA integrity_check", "PRAGMA foreign_key_check"],
        }
    }

    pub fn is_verifying(&self) -> bool {
        self.verifying
    }

    /// `SQLite` met what is damaged.
    pub fn unreadable(&mut self, error: &Error) {
        self.found = Some(vec![["SQLite's structures cannot be verified: ", error.message()].concat()]);
    }

    /// The chunk that ends the present step.
    fn chunk(&mut self, problems: Vec<String>, groups: u32) -> Chunk {
        let runs = groups.div_ceil(RUN);
        let (stage, next) = match self.step {
            Step::Log => (CheckStage::Log, Step::Groups(0)),
            Step::Groups(first) => (CheckStage::Groups, Step::Groups(first + RUN)),
            Step::Sqlite(n) => (CheckStage::Sqlite, Step::Sqlite(n + 1)),
        };
        self.step = if matches!(next, Step::Groups(first) if first >= groups) { Step::Sqlite(0) } else { next };
        self.done += 1;
        let end = self.step == Step::Sqlite(self.statements().len());
        let total = (1 + u64::from(runs) + self.statements().len() as u64).max(self.done);
        let checked = wire::Checked { stage, done: self.done, total, problems, end };
        (Reply::bare(wire::Body::Checked(checked)), end)
    }
}

impl Database {
    pub(super) fn is_checking(&self) -> bool {
        self.streams.iter().any(|stream| matches!(stream.kind, StreamKind::Check(_)))
    }

    /// Goes on with a check: none where the store must be read, or `SQLite` asked, first.
    pub(super) fn next_check(&mut self, check: &mut Check, job: &Job, at: CommitSeq) -> Option<Chunk> {
        let groups = self.pager.borrow().stored_groups();
        if let Some(problems) = check.found.take() {
            return Some(check.chunk(problems, groups));
        }
        match check.step {
            Step::Log => self.pager.borrow_mut().verify_log(),
            Step::Groups(first) => {
                let last = (first + RUN).min(groups) - 1;
                self.pager.borrow_mut().verify_groups(GroupNo(first), GroupNo(last));
            }
            Step::Sqlite(n) => {
                let task = SqliteCheck { sql: check.statements()[n], at, problems: Ok(vec![]) };
                let deadline = (self.clock)() + STATEMENT_MS;
                let ticket = Ticket { port: job.port, id: job.id, tx: None, role: Role::Reader, at, deadline };
                let seat = self.new_seat(Role::Reader);
                seat.pace.begin_unit(job.unit);
                self.start(Task::Check(task), seat, ticket);
            }
        }
        check.verifying = true;
        None
    }

    /// What the store's answer to a check's read amounts to.
    pub(super) fn verified(&mut self, problems: Vec<String>) {
        let checks =
            self.streams.iter_mut().find_map(|s| if let StreamKind::Check(check) = &mut s.kind { Some(check) } else { None });
        if let Some(check) = checks {
            (check.verifying, check.found) = (false, Some(problems));
        }
    }

    /// What `SQLite` says: found, or to be asked again when its blocks are there.
    pub(super) fn sqlite_checked(&mut self, task: SqliteCheck, seat: Seat, ticket: &Ticket) {
        self.give_back(seat);
        let Some(at) = self.streams.iter().position(|stream| stream.is(ticket.port, ticket.id)) else { return };
        let failed = match task.problems {
            Ok(problems) => return self.verified(problems),
            Err(Failure::Missed(blocks)) => {
                let mut stream = self.streams.swap_remove(at);
                let fetched = self.fetch_for(&mut stream.job, blocks);
                if let StreamKind::Check(check) = &mut stream.kind {
                    check.verifying = false;
                }
                self.streams.push(stream);
                fetched.err()
            }
            // Damage is what the check is for. What cannot be read for another reason says nothing, and ends it.
            Err(Failure::Failed(error @ Error::Corrupt(_))) => {
                if let StreamKind::Check(check) = &mut self.streams[at].kind {
                    check.unreadable(&error);
                    check.verifying = false;
                }
                None
            }
            Err(Failure::Failed(error)) => Some(error),
        };
        if let Some(error) = failed {
            self.end_streams(&error, &|stream| stream.is(ticket.port, ticket.id));
        }
    }
}

/// One of `SQLite`'s own checks, on a new connection of its own: FTS5 compares the content with what the connection knew of the index
/// when it last searched there, and would call a sound one damaged.
pub struct SqliteCheck {
    sql: &'static str,
    at: CommitSeq,
    problems: Attempt<Vec<String>>,
}

impl SqliteCheck {
    pub fn run(&mut self, seat: &mut Seat) -> bool {
        self.problems = self.attempt(seat);
        true
    }

    fn attempt(&self, seat: &mut Seat) -> Attempt<Vec<String>> {
        let connection = seat.connection()?;
        connection.read_at(ReadAt::Commit(self.at));
        let statement = connection.prepare(self.sql)?;
        let mut problems = vec![];
        connection.run(&statement, &Params::default(), &mut |row| {
            problems.extend(problem(row));
            Ok(())
        })?;
        Ok(problems)
    }
}

/// One row of `integrity_check` (a sentence, or "ok") or of `foreign_key_check` (child, rowid, parent, number of the key).
fn problem(row: &Statement) -> Option<String> {
    let text = |column| if let ValueRef::Text(text) = row.value(column) { text.into_owned() } else { String::new() };
    match (row.column_count(), row.value(0)) {
        (1, ValueRef::Text(text)) if text == "ok" => None,
        (1, _) => Some(["SQLite: ", &text(0)].concat()),
        _ => {
            let rowid = if let ValueRef::Integer(rowid) = row.value(1) { rowid.to_string() } else { "?".into() };
            Some(["SQLite: row ", &rowid, " of ", &text(0), " refers to a row of ", &text(2), " that does not exist"].concat())
        }
    }
}
