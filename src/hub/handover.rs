//! Hand-over: the hub makes room for the next one. It begins nothing more that writes, waits a little for what nobody else could go on
//! with, and ends. What it leaves unanswered, the clients ask of the next hub; the numbers of their writes keep any of them from being
//! carried out twice.

use super::database::Database;
use super::writer::Slot;
use crate::error::Error;
use crate::wire;

/// How long it waits.
const FINISH_MS: f64 = 2_000.0;

/// Why the hub ends.
pub fn replaced() -> Error {
    Error::Replaced("a newer version of tabhub takes over this database".into())
}

impl Database {
    pub fn finish(&mut self, now: f64) {
        self.finish_by.get_or_insert(now + FINISH_MS);
    }

    /// No transaction, write or import begins any more.
    pub(super) fn is_finishing(&self) -> bool {
        self.finish_by.is_some()
    }

    /// Ends when everything is done that has to be done here, or the time is up; then an open transaction was in vain.
    pub(super) fn end_if_finished(&mut self, now: f64) -> bool {
        let is_over = self.failure.is_none() && self.finish_by.is_some_and(|by| by <= now || self.is_quiet());
        if is_over {
            self.end(&replaced());
        }
        is_over
    }

    /// Whether nothing is under way but what can be asked for again: single reads.
    fn is_quiet(&self) -> bool {
        let is_stored = {
            let pager = self.pager.borrow();
            pager.durable() == pager.published()
        };
        is_stored && matches!(self.slot, Slot::Free) && self.streams.is_empty() && self.read_transactions.len() == 0
    }

    /// Tells every tab that the hub is over.
    pub(super) fn end(&mut self, error: &Error) {
        self.tell_all(&wire::Body::Fatal(super::reply::wire_error(error, None, None)));
        self.failure = Some(error.clone());
    }
}
