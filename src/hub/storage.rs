//! What the block store's answers mean for the tabs: replies released, work to go on, and losses told to whom they concern.

use super::database::Database;
use super::reply::{Reply, wire_error};
use super::writer::Slot;
use crate::error::Error;
use crate::ids::{BlockNo, GroupNo, OpId};
use crate::store::{Progress, StoreResult};
use crate::wire;

impl Database {
    /// Takes an answer of the block store.
    pub fn stored(&mut self, id: OpId, result: StoreResult) {
        let progress = self.pager.borrow_mut().complete(id, result);
        for step in progress {
            match step {
                Progress::Durable(seq) => {
                    for held in self.outbox.release(seq) {
                        self.reply_now(held.port, held.id, held.reply);
                    }
                }
                Progress::Fetched => {}
                Progress::FetchFailed(first, last, error) => self.fetch_failed(first, last, &error),
                Progress::CommitsLost(error) => self.commits_lost(&error),
                Progress::ImportStep(result) => self.import_step(result),
                Progress::Imported => self.imported(),
                Progress::Failed(error) => self.fail_all(&error),
            }
        }
    }

    /// The commits that were not durable are gone: whoever waits for one, or has read one, is told.
    fn commits_lost(&mut self, error: &Error) {
        self.log(wire::LogLevel::Warn, &["commits could not be stored and were rolled back: ", error.message()].concat());
        for held in self.outbox.take_all() {
            self.fail(held.port, held.id, error);
        }
        let durable = self.pager.borrow().durable();
        self.end_transaction(error);
        self.end_streams(error, |stream| stream.at > durable);
        self.end_read_transactions(error, |_, read| read.at > durable);
        for session in self.sessions.values_mut() {
            session.last_write = session.last_write.min(durable);
        }
        // A connection may hold pages of a commit that never was.
        self.forget_connections();
    }

    /// Nothing can be read or written any more.
    fn fail_all(&mut self, error: &Error) {
        for held in self.outbox.take_all() {
            self.fail(held.port, held.id, error);
        }
        self.end_transaction(error);
        self.import_failed(error);
        self.end_streams(error, |_| true);
        self.end_read_transactions(error, |_, _| true);
        for job in self.take_jobs(|_| true) {
            self.fail_job(&job, error, None);
        }
        let ports: Vec<_> = self.sessions.keys().collect();
        for port in ports {
            self.reply_now(port, 0, Reply::bare(wire::Body::Fatal(wire_error(error, None, None))));
        }
        self.failure = Some(error.clone());
    }

    fn fetch_failed(&mut self, first: GroupNo, last: GroupNo, error: &Error) {
        let grouping = self.pager.borrow().grouping();
        let hit = |misses: &[BlockNo]| misses.iter().any(|b| (first..=last).contains(&grouping.group_of(*b)));
        for job in self.take_jobs(|job| hit(&job.misses)) {
            self.fail_job(&job, error, None);
        }
        self.end_streams(error, |stream| hit(&stream.job.misses));
        if matches!(&self.slot, Slot::Transaction(open) if hit(open.misses())) {
            self.end_transaction(error);
        }
    }
}
