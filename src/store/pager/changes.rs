//! Keeping what commits changed: how many of them, as the header says, and reading them back.

use super::write::Purpose;
use super::{Pager, Progress};
use crate::error::{Error, Result};
use crate::ids::{CommitSeq, OpId};
use crate::store::changes::Changes;
use crate::store::header::Header;
use crate::store::ops::{Durability, Key, StoreOp, StoreReply, StoreResult, Write};

/// Commits read at once.
const RUN: u64 = 16;

/// A read of kept changes, under way.
#[derive(Debug)]
pub(super) struct ReadingChanges {
    pub id: OpId,
    pub first: CommitSeq,
    pub last: CommitSeq,
}

impl Pager {
    /// Whether what commits change is to be handed to [`publish`](Self::publish).
    #[must_use]
    pub fn keeps_changes(&self) -> bool {
        self.keep > 0
    }

    /// From the next commit on, what the newest `commits` changed is kept: at least theirs, and nobody's for 0. [`Progress::Kept`] answers;
    /// one at a time.
    pub fn keep_changes(&mut self, commits: u64) {
        self.keep = commits;
        self.keep_wanted = true;
    }

    pub(super) fn next_keep_write(&mut self) -> bool {
        if !self.keep_wanted {
            return false;
        }
        let header = Header { keep: self.keep, ..self.header.clone() };
        let mut writes = vec![Write::Put(Key::Header, header.encode())];
        if header.keep == 0 {
            writes.push(all_changes());
        }
        self.write(Purpose::Keep(header), writes, Durability::Strict);
        true
    }

    pub(super) fn kept(&mut self, result: Result<Header>) -> Vec<Progress> {
        self.keep_wanted = false;
        let result = result.map(|header| self.header = header);
        self.keep = self.header.keep;
        vec![Progress::Kept(result)]
    }

    /// What a checkpoint up to `through` drops of them.
    pub(super) fn old_changes(&self, through: CommitSeq) -> Option<Write> {
        let last = through.0.checked_sub(self.keep).filter(|_| self.keep > 0)?;
        Some(Write::Delete(Key::Changes(CommitSeq(0)), Key::Changes(CommitSeq(last))))
    }

    /// Reads what some commits changed, from `first` to `last` at most. [`Progress::Changes`] answers; one at a time.
    pub fn read_changes(&mut self, first: CommitSeq, last: CommitSeq) {
        let (id, epoch, last) = (self.op_id(), self.header.epoch, last.min(CommitSeq(first.0 + RUN - 1)));
        self.reading_changes = Some(ReadingChanges { id, first, last });
        self.counters.store_reads += 1;
        self.ops.push((id, StoreOp::ReadChanges { epoch, first, last }));
    }

    #[must_use]
    pub fn is_reading_changes(&self) -> bool {
        self.reading_changes.is_some()
    }

    /// Those that follow one another from the first.
    pub(super) fn changes_read(first: CommitSeq, result: StoreResult) -> Result<Vec<(CommitSeq, Changes)>> {
        let values = match result {
            Ok(StoreReply::Changes(values)) => values,
            Ok(_) => return Err(Error::Storage("the block store gave the wrong answer".into())),
            Err(failure) => return Err(failure.error().clone()),
        };
        let in_row = (first.0..).zip(values).take_while(|(due, (commit, _))| due == commit);
        in_row.map(|(commit, (_, bytes))| Ok((CommitSeq(commit), Changes::decode(CommitSeq(commit), &bytes)?))).collect()
    }
}

/// Deletes whatever is kept.
pub(super) fn all_changes() -> Write {
    Write::Delete(Key::Changes(CommitSeq(0)), Key::Changes(CommitSeq::MAX_KEPT))
}
