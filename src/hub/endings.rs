//! How things end early: a tab goes, a caller cancels, a deadline passes.

use super::database::Database;
use super::lanes::Job;
use super::transactions::ReadTransaction;
use super::writer::Slot;
use crate::error::Error;
use crate::ids::{PortId, TxId};
use crate::vfs::late;
use crate::wire;
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
        self.fibers.stop(&closed, &|ticket, _| ticket.port == port);
        if matches!(&self.slot, Slot::Transaction(open) if open.port == port) {
            self.end_transaction(&closed);
        }
        self.give_up_import(&closed, |turn| turn.port == port);
        self.end_streams(&closed, &|stream| stream.job.port == port);
        self.end_read_transactions(&closed, &|_, read| read.port == port);
        self.outbox.forget(port);
        self.lives.forget(&|of, _| of == port);
        self.changes.forget(&|of, _| of == port);
        self.sessions.remove(port);
        self.fit_cache();
    }

    /// Stops a request of the tab's own, or of another's, who must be told where his own cancelling needs no answer.
    pub(super) fn cancel_for(&mut self, port: PortId, &wire::Cancel { target, session }: &wire::Cancel) {
        let Some(session) = session else {
            return self.cancel(port, target, &Error::Cancelled("the caller cancelled the request".into()));
        };
        // It may have gone, or been answered, since it was looked at.
        let Ok(port) = u32::try_from(session).map(PortId) else { return };
        let Some(asked) = self.sessions.get(port).and_then(|session| session.asked.get(target)) else { return };
        let cancelled = Error::Cancelled("another tab cancelled the request, through inspect()".into());
        if asked.is_followed() {
            self.fail(port, target, &cancelled);
        }
        self.cancel(port, target, &cancelled);
    }

    /// Stops a request, also in the middle of its statement; one that has been carried out is left to its reply.
    fn cancel(&mut self, port: PortId, target: u64, cancelled: &Error) {
        for job in self.take_jobs(&|job| job.port == port && job.id == target) {
            self.fail_job(&job, cancelled, None);
        }
        self.fibers.stop(cancelled, &|ticket, _| ticket.port == port && ticket.id == target);
        self.give_up_import(cancelled, |turn| turn.port == port && turn.id == target);
        self.end_streams(cancelled, &|stream| stream.is(port, target));
        self.lives.forget(&|of, id| (of, id) == (port, target));
        self.changes.forget(&|of, id| (of, id) == (port, target));
        // Of what is followed no reply is the last.
        if let Some(session) = self.sessions.get_mut(port) {
            session.asked.retain(|id, asked| *id != target || !asked.is_followed());
        }
    }

    /// Takes every waiting request that `which` picks from wherever it waits.
    pub(super) fn take_jobs(&mut self, which: &dyn Fn(&Job) -> bool) -> Vec<Box<Job>> {
        let mut taken = vec![];
        for session in self.sessions.values_mut() {
            taken.extend(extract(&mut session.lane, which));
        }
        taken.extend(self.reads.extract_if(.., |job| which(job)));
        taken.extend(self.inside_reads.extract_if(.., |(_, job)| which(job)).map(|(_, job)| job));
        taken.extend(extract(&mut self.turns, which));
        match std::mem::replace(&mut self.slot, Slot::Free) {
            Slot::Waiting(job) if which(&job) => taken.push(job),
            Slot::Transaction(mut open) => {
                taken.extend(open.take_waiting(which));
                self.slot = Slot::Transaction(open);
            }
            other => self.slot = other,
        }
        taken
    }

    pub(super) fn end_read_transactions(&mut self, why: &Error, which: &dyn Fn(TxId, &ReadTransaction) -> bool) {
        let (pager, sessions, fibers) = (&self.pager, &mut self.sessions, &mut self.fibers);
        self.read_transactions.retain(|tx, read| {
            let over = which(*tx, read);
            if over {
                pager.borrow_mut().unpin(read.at);
                fibers.stop(why, &|ticket, _| ticket.tx == Some(*tx));
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
        let snapshots = self.read_transactions.values().map(|read| read.over_at);
        let slot = match &self.slot {
            Slot::Free | Slot::Working(_) | Slot::Keeping(..) => None,
            Slot::Waiting(job) => Some(job.deadline),
            Slot::Transaction(open) if self.turns.is_empty() => Some(open.next_deadline()),
            Slot::Transaction(open) => Some(open.next_deadline().min(open.over_at)),
            Slot::Import(turn) => Some(turn.deadline),
        };
        let storage = self
            .watch
            .next_deadline()
            .into_iter()
            .chain([self.fibers.next_deadline(), self.warm_at])
            .chain(self.finish_by)
            .chain(self.hold.deadline());
        jobs.chain(inside)
            .chain(reads)
            .chain(snapshots)
            .chain(slot)
            .chain(storage)
            .filter(|at| at.is_finite())
            .min_by(f64::total_cmp)
    }

    /// Ends whatever has waited past its deadline.
    pub fn expire(&mut self, now: f64) {
        self.watch_storage(now);
        self.expire_hold(now);
        if self.warm_at <= now {
            (self.warm_at, self.is_warming) = (f64::INFINITY, true);
        }
        let awaited = match &self.slot {
            Slot::Transaction(_) => "another transaction to end",
            Slot::Import(_) => "an import to end",
            _ => "its turn or its blocks",
        };
        for job in self.take_jobs(&|job| job.deadline <= now) {
            self.fail_job(&job, &Error::Timeout(["the request waited past its timeout for ", awaited].concat()), None);
        }
        self.fibers.stop(&late(), &|ticket, _| ticket.deadline <= now);
        let idle = Error::TransactionTimeout(
            "the transaction was idle for longer than its timeout and was rolled back: keep other work out of it, or pass a longer timeout".into(),
        );
        if matches!(&self.slot, Slot::Transaction(open) if open.is_idle() && open.deadline <= now) {
            self.end_transaction(&idle);
        }
        self.give_up_import(&Error::Timeout("the next part of the import did not come".into()), |turn| turn.deadline <= now);
        let reads = self.read_transactions.iter();
        let over: Vec<_> = reads.filter(|(tx, read)| read.deadline <= now && !self.is_reading(*tx)).map(|(tx, _)| tx).collect();
        self.end_read_transactions(&idle, &|tx, _| over.contains(&tx));
        self.end_those_in_the_way(now);
    }

    /// Nobody keeps others waiting for ever, however busy he is.
    fn end_those_in_the_way(&mut self, now: f64) {
        let others_wait = !self.turns.is_empty();
        if matches!(&self.slot, Slot::Transaction(open) if others_wait && open.over_at <= now) {
            let why = "others waited to write while the transaction went on and on, so it was rolled back: make it shorter, or divide it";
            self.end_transaction(&Error::TransactionTimeout(why.into()));
        }
        let why = "the read transaction held its snapshot for ten minutes, and was ended: begin another one";
        self.end_read_transactions(&Error::TransactionTimeout(why.into()), &|_, read| read.over_at <= now);
    }

    /// Whether a statement of the read transaction is under way.
    pub(super) fn is_reading(&self, tx: TxId) -> bool {
        self.inside_reads.iter().any(|(reading, _)| *reading == tx) || self.fibers.is_any(|ticket| ticket.tx == Some(tx))
    }
}

/// Takes what `which` picks out of a queue; both keep their order.
fn extract(queue: &mut VecDeque<Box<Job>>, which: &dyn Fn(&Job) -> bool) -> Vec<Box<Job>> {
    let (taken, kept) = std::mem::take(queue).into_iter().partition(|job| which(job));
    *queue = kept;
    VecDeque::into(taken)
}
