//! The connection to the block store, when it breaks: what was under way is kept, and submitted again once it is back. That
//! repeats nothing: each write batch puts the same values under the same keys, and applies only while the epoch is ours.

use super::{Pager, Progress};
use crate::error::Error;
use crate::ids::OpId;
use crate::store::ops::{StoreOp, StoreResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    Down,
    /// To be asked for.
    Wanted,
    /// Asked for, as this operation.
    Reopening(OpId),
}

impl Pager {
    /// The connection is gone, or is given up for gone; its operations are kept.
    pub fn disconnected(&mut self, error: Error) -> Vec<Progress> {
        if matches!(self.link, Link::Down | Link::Wanted) {
            return vec![];
        }
        self.link = Link::Down;
        if let Some(writing) = &mut self.writing {
            writing.is_in_doubt = true;
        }
        vec![Progress::Disconnected(error)]
    }

    /// Whether the write in flight may have been applied before it failed.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.is_in_doubt)
    }

    /// Asks for a new connection, where the old one is gone.
    pub fn reopen(&mut self) {
        if self.link == Link::Down {
            self.link = Link::Wanted;
        }
    }

    /// The operation that [`reopen`](Self::reopen) wants; all others wait, to be found again in `fetching`, `verifying`,
    /// `reading_changes` and `writing`.
    pub(super) fn take_reopening(&mut self) -> Vec<(OpId, StoreOp)> {
        self.ops.clear();
        if self.link != Link::Wanted {
            return vec![];
        }
        let id = self.op_id();
        self.link = Link::Reopening(id);
        vec![(id, StoreOp::Reopen(self.header.epoch))]
    }

    pub(super) fn reopened(&mut self, result: StoreResult) -> Vec<Progress> {
        let error = match result {
            Ok(_) => {
                self.link = Link::Up;
                self.counters.reconnections += 1;
                self.submit_again();
                return vec![Progress::Reconnected];
            }
            Err(failure) => failure.error().clone(),
        };
        if matches!(error, Error::Fenced(_) | Error::Deleted(_) | Error::Corrupt(_) | Error::Format(_)) {
            return self.fail(error);
        }
        self.link = Link::Down;
        vec![Progress::Disconnected(error)]
    }

    /// Under new numbers, so that a late answer from the old connection means nothing.
    fn submit_again(&mut self) {
        self.ops.clear();
        for fetching in std::mem::take(&mut self.fetching) {
            self.read_groups(fetching.first, fetching.last);
        }
        if let Some(verifying) = self.verifying.take() {
            self.verify(verifying.what);
        }
        if let Some(reading) = self.reading_changes.take() {
            self.read_changes(reading.first, reading.last);
        }
        if let Some(mut writing) = self.writing.take() {
            writing.id = self.op_id();
            self.ops.push((writing.id, StoreOp::Write(writing.batch.clone())));
            self.writing = Some(writing);
        }
    }
}
