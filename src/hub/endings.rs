//! How things end early: a tab goes, a caller cancels, a deadline passes.

use super::database::Database;
use super::lanes::Job;
use super::transactions::ReadTransaction;
use super::writer::Slot;
use crate::error::Error;
use crate::ids::{PortId, TxId};
use std::collections::VecDeque;

impl Database {
    /// The client has said goodbye: it will never repeat a write.
    pub fn forget_session(&mut self, port: PortId) {
        if let Some(session) = self.sessions.get(port) {
            self.pager.borrow_mut().sessions_mut().forget(&session.client);
        }
        self.end_session(port);
    }

    /// The tab is gone: nothing of what it had under way goes on.
    pub fn end_session(&mut self, port: PortId) {
        let closed = Error::Cancelled("the tab closed the database".into());
        drop(self.take_jobs(&|job| job.port == port));
        if matches!(&self.slot, Slot::Transaction(open) if open.port == port) {
            self.end_transaction(&closed);
        }
        self.give_up_import(&closed, |turn| turn.port == port);
        self.end_streams(&closed, &|stream| stream.job.port == port);
        self.end_read_transactions(&closed, &|_, read| read.port == port);
        self.outbox.forget(port);
        self.sessions.remove(port);
    }

    /// Stops a request that has not been carried out yet; one that has is left to its reply.
    pub(super) fn cancel(&mut self, port: PortId, target: u64) {
        let cancelled = Error::Cancelled("the caller cancelled the request".into());
        for job in self.take_jobs(&|job| job.port == port && job.id == target) {
            self.fail_job(&job, &cancelled, None);
        }
        self.give_up_import(&cancelled, |turn| turn.port == port && turn.id == target);
        self.end_streams(&cancelled, &|stream| stream.is(port, target));
    }

    /// Takes every waiting request that `which` picks from wherever it waits.
    pub(super) fn take_jobs(&mut self, which: &dyn Fn(&Job) -> bool) -> Vec<Job> {
        let mut taken = vec![];
        for session in self.sessions.values_mut() {
            taken.extend(extract(&mut session.lane, which));
        }
        taken.extend(self.reads.extract_if(.., |job| which(job)));
        taken.extend(self.inside_reads.extract_if(.., |(_, job)| which(job)).map(|(_, job)| job));
        taken.extend(extract(&mut self.turns, which));
        match std::mem::replace(&mut self.slot, Slot::Free) {
            Slot::Working(job) if which(&job) => taken.push(job),
            Slot::Transaction(mut open) => {
                taken.extend(open.take_waiting(which));
                self.slot = Slot::Transaction(open);
            }
            other => self.slot = other,
        }
        taken
    }

    pub(super) fn end_read_transactions(&mut self, why: &Error, which: &dyn Fn(TxId, &ReadTransaction) -> bool) {
        let (pager, sessions) = (&self.pager, &mut self.sessions);
        self.read_transactions.retain(|tx, read| {
            let over = which(*tx, read);
            if over {
                pager.borrow_mut().unpin(read.at);
            }
            if let Some(session) = sessions.get_mut(read.port).filter(|_| over) {
                session.transaction_ended(*tx, why.clone());
            }
            !over
        });
    }

    pub fn next_deadline(&self) -> Option<f64> {
        let jobs =
            self.sessions.values().flat_map(|session| &session.lane).chain(&self.reads).chain(&self.turns).map(|j| j.deadline);
        let inside = self.inside_reads.iter().map(|(_, j)| j.deadline);
        let reads = self.read_transactions.iter().filter(|(tx, _)| !self.is_reading(*tx)).map(|(_, read)| read.deadline);
        let slot = match &self.slot {
            Slot::Free => None,
            Slot::Working(job) => Some(job.deadline),
            Slot::Transaction(open) => Some(open.next_deadline()),
            Slot::Import(turn) => Some(turn.deadline),
        };
        let storage = self.watch.next_deadline();
        jobs.chain(inside).chain(reads).chain(slot).chain(storage).filter(|at| at.is_finite()).min_by(f64::total_cmp)
    }

    /// Ends whatever has waited past its deadline.
    pub fn expire(&mut self, now: f64) {
        self.watch_storage(now);
        let awaited = match &self.slot {
            Slot::Transaction(_) => "another transaction to end",
            Slot::Import(_) => "an import to end",
            _ => "its turn or its blocks",
        };
        for job in self.take_jobs(&|job| job.deadline <= now) {
            self.fail_job(&job, &Error::Timeout(["the request waited past its timeout for ", awaited].concat()), None);
        }
        let idle = Error::TransactionTimeout(
            "the transaction was idle for longer than its timeout and was rolled back: keep other work out of it, or pass a longer timeout".into(),
        );
        if matches!(&self.slot, Slot::Transaction(open) if open.is_idle() && open.deadline <= now) {
            self.end_transaction(&idle);
        }
        self.give_up_import(&Error::Timeout("the next part of the import did not come".into()), |turn| turn.deadline <= now);
        let busy: Vec<_> = self.inside_reads.iter().map(|(tx, _)| *tx).collect();
        self.end_read_transactions(&idle, &|tx, read| read.deadline <= now && !busy.contains(&tx));
    }

    /// Whether a statement of the read transaction waits for blocks.
    fn is_reading(&self, tx: TxId) -> bool {
        self.inside_reads.iter().any(|(reading, _)| *reading == tx)
    }
}

/// Takes what `which` picks out of a queue; both keep their order.
pub(super) fn extract<T>(queue: &mut VecDeque<T>, which: &dyn Fn(&T) -> bool) -> Vec<T> {
    let (taken, kept) = std::mem::take(queue).into_iter().partition(|item| which(item));
    *queue = kept;
    VecDeque::into(taken)
}
