//! What commits changed, kept as changesets for those who carry them elsewhere: how many are kept, and reading them back, a stream like the others.

use super::database::Database;
use super::lanes::Job;
use super::reply::Reply;
use super::streams::{Chunk, StreamKind};
use super::writer::Slot;
use crate::engine::Attempt;
use crate::error::{Error, Result};
use crate::ids::CommitSeq;
use crate::store::Changes;
use crate::wire;
use std::collections::VecDeque;

/// The most commits of which changes can be kept: what is stored beyond is for those who never read it.
const COMMITS_MAX: u64 = 1_000_000;

/// A tab's way through what commits changed.
#[derive(Debug)]
pub struct Changesets {
    next: CommitSeq,
    /// The newest commit when it began.
    last: CommitSeq,
    is_reading: bool,
    found: VecDeque<(CommitSeq, Changes)>,
    failed: Option<Error>,
}

impl Changesets {
    pub fn is_reading(&self) -> bool {
        self.is_reading
    }
}

/// # Errors
/// [`Error::BadRequest`] for more than can be kept.
pub fn commits_kept(commits: u64) -> Result<u64> {
    if commits <= COMMITS_MAX {
        return Ok(commits);
    }
    Err(Error::BadRequest(format!("the changes of at most {COMMITS_MAX} commits can be kept, {commits} were asked for")))
}

impl Database {
    /// Has the writer's turn: every later transaction is one of which the changes are noted.
    pub(super) fn begin_keeping(&mut self, job: &Job, commits: u64) {
        self.slot = Slot::Keeping(job.port, job.id);
        self.pager.borrow_mut().keep_changes(commits);
    }

    /// What was asked for is stored, with every commit before.
    pub(super) fn kept(&mut self, result: &Result<()>) {
        let Slot::Keeping(port, id) = self.slot else { return };
        self.slot = Slot::Free;
        match result {
            Ok(()) => {
                let commit = self.newest_commit().0;
                self.reply_now(port, id, Reply::bare(wire::Body::Kept(wire::Kept { commit })));
            }
            Err(error) => self.fail(port, id, error),
        }
    }

    pub(super) fn begin_changesets(&mut self, job: Box<Job>, since: CommitSeq) {
        let newest = self.newest_commit();
        if !self.pager.borrow().keeps_changes() {
            let why =
                "what commits change is not kept in this database: call keepChanges() first, and begin with what it answers";
            return self.fail_job(&job, &Error::ChangesGone(why.into()), None);
        }
        if since > newest {
            let why = format!("commit {} has not been made in this database, the newest is {}: begin anew", since.0, newest.0);
            return self.fail_job(&job, &Error::ChangesGone(why), None);
        }
        let changesets = Changesets { next: since.next(), last: newest, is_reading: false, found: VecDeque::new(), failed: None };
        self.open_stream(job, StreamKind::Changesets(Box::new(changesets)));
    }

    /// The next commit's changes: none where the store must be read first.
    pub(super) fn next_changeset(&mut self, stream: &mut Changesets) -> Attempt<Option<Chunk>> {
        if let Some(error) = stream.failed.take() {
            return Err(error.into());
        }
        if stream.next > stream.last {
            let end = wire::Changeset { commit: stream.last.0, schema: false, applied: false, end: true };
            return Ok(Some((Reply::bare(wire::Body::Changeset(end)), true)));
        }
        let Some((commit, Changes { changeset, schema, applied })) = stream.found.pop_front() else {
            let mut pager = self.pager.borrow_mut();
            // Another tab's read comes first: after it this is asked once more.
            stream.is_reading = true;
            if !pager.is_reading_changes() {
                pager.read_changes(stream.next, stream.last);
            }
            return Ok(None);
        };
        let changeset = changeset.ok_or_else(|| {
            gone(commit, "is not known, as it changed too much at once or changed the schema of a table with it")
        })?;
        stream.next = commit.next();
        let body = wire::Changeset { commit: commit.0, schema, applied, end: false };
        Ok(Some((Reply { body: wire::Body::Changeset(body), payload: changeset }, false)))
    }

    /// What the store answered to a read from `first` on.
    pub(super) fn changes_found(&mut self, first: CommitSeq, found: &Result<Vec<(CommitSeq, Changes)>>) {
        for stream in &mut self.streams {
            let StreamKind::Changesets(stream) = &mut stream.kind else { continue };
            if std::mem::take(&mut stream.is_reading) && stream.next == first {
                match found {
                    Ok(found) if found.is_empty() => stream.failed = Some(gone(first, "is not kept, or not any more")),
                    Ok(found) => stream.found = found.clone().into(),
                    Err(error) => stream.failed = Some(error.clone()),
                }
            }
        }
    }
}

fn gone(commit: CommitSeq, why: &str) -> Error {
    Error::ChangesGone(format!("what commit {} changed {why}: begin anew from the whole database", commit.0))
}
