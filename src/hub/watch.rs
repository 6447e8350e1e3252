//! Watches over the block store: how long its answers take, when a lost connection is tried again, when it is given up; and
//! what the tabs are told of it.

use super::database::Database;
use super::writer::read_only;
use crate::error::Error;
use crate::ids::OpId;
use crate::store::Progress;
use crate::wire::{self, StorageState};

/// Without an answer for this long the storage counts as stalled; after the second its connection counts as lost.
const STALLED_MS: f64 = 10_000.0;
const ABANDONED_MS: f64 = 60_000.0;
/// Between two attempts to connect again: the first wait, doubled up to the last.
const RETRY_MS: f64 = 100.0;
const RETRY_MAX_MS: f64 = 5_000.0;
/// Without a connection for this long there is no hope.
const GIVE_UP_MS: f64 = 60_000.0;

#[derive(Debug)]
pub struct Watch {
    pub state: StorageState,
    message: String,
    /// Operations under way and when they were submitted, oldest first.
    pending: Vec<(OpId, f64)>,
    /// When to connect again, while the connection is gone.
    retry_at: Option<f64>,
    delay: f64,
    /// Since when nothing has worked.
    troubled_since: Option<f64>,
}

impl Watch {
    pub fn new(damage: Option<&Error>) -> Self {
        let state = if damage.is_some() { StorageState::ReadOnly } else { StorageState::Ok };
        let message = damage.map_or_else(String::new, |damage| read_only(damage).message().into());
        Self { state, message, pending: vec![], retry_at: None, delay: RETRY_MS, troubled_since: None }
    }

    pub fn submitted(&mut self, id: OpId, now: f64) {
        self.pending.push((id, now));
    }

    /// An operation is over; one that did its work ends the trouble.
    pub fn answered(&mut self, id: OpId, did_its_work: bool) {
        self.pending.retain(|(pending, _)| *pending != id);
        if did_its_work {
            (self.delay, self.troubled_since) = (RETRY_MS, None);
        }
    }

    fn oldest(&self) -> Option<f64> {
        self.pending.first().map(|(_, at)| *at)
    }

    pub fn next_deadline(&self) -> Option<f64> {
        let patience = if self.state == StorageState::Stalled { ABANDONED_MS } else { STALLED_MS };
        self.retry_at.or(self.oldest().map(|at| at + patience))
    }
}

impl Database {
    /// Does what time demands.
    pub(super) fn watch_storage(&mut self, now: f64) {
        if self.watch.retry_at.is_some_and(|at| at <= now) {
            self.watch.retry_at = None;
            self.pager.borrow_mut().reopen();
        }
        let waited = self.watch.oldest().map_or(0.0, |at| now - at);
        if waited >= ABANDONED_MS {
            let error = Error::Storage("the browser's storage has not answered for a minute".into());
            let progress = self.pager.borrow_mut().disconnected(error);
            self.progressed(progress, now);
        } else if waited >= STALLED_MS && self.watch.state != StorageState::Reconnecting {
            self.storage_is(StorageState::Stalled, "the browser's storage has not answered for ten seconds; writes wait for it");
        }
    }

    /// The connection is gone: try again, later each time, and not for ever.
    pub(super) fn disconnected(&mut self, error: &Error, now: f64) {
        self.watch.pending.clear();
        let since = *self.watch.troubled_since.get_or_insert(now);
        if now - since >= GIVE_UP_MS {
            let why = [
                "storage could not be reached for a minute, so the outcome of the last writes is open; open the database again: ",
                error.message(),
            ];
            let progress = vec![Progress::Failed(Error::Poisoned(why.concat()))];
            return self.progressed(progress, now);
        }
        self.watch.retry_at = Some(now + self.watch.delay);
        self.watch.delay = (self.watch.delay * 2.0).min(RETRY_MAX_MS);
        self.storage_is(StorageState::Reconnecting, error.message());
    }

    /// What was wrong with the connection is over.
    pub(super) fn storage_recovered(&mut self, now: f64) {
        if self.watch.oldest().is_some_and(|at| now - at >= STALLED_MS) || self.watch.retry_at.is_some() {
            return;
        }
        let damage = self.pager.borrow().damage().map(read_only);
        match damage {
            Some(error) => self.storage_is(StorageState::ReadOnly, error.message()),
            None => self.storage_is(StorageState::Ok, "the storage works again"),
        }
    }

    pub(super) fn storage_is(&mut self, state: StorageState, message: &str) {
        if self.watch.state == state {
            return;
        }
        (self.watch.state, self.watch.message) = (state, message.into());
        self.tell_all(&wire::Body::Storage(wire::Storage { state, message: message.into() }));
    }

    /// What a tab that has just come must know, where all is not well.
    pub fn storage_trouble(&self) -> Option<wire::Storage> {
        let Watch { state, message, .. } = &self.watch;
        (*state != StorageState::Ok).then(|| wire::Storage { state: *state, message: message.clone() })
    }
}
