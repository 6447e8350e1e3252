//! What the block store's answers mean for the tabs: replies released, work to go on, and losses told to whom they concern.

use super::database::Database;
use super::fiber::Standing;
use super::fibers::Ticket;
use super::lanes::{Ask, Job};
use super::outbox::Held;
use super::reply::{Reply, wire_error};
use super::work::Work;
use super::writer::{Slot, read_only};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, GroupNo, OpId};
use crate::store::{Progress, StoreFailure, StoreReply, StoreResult};
use crate::vfs::Role;
use crate::wire;

impl Database {
    /// Takes an answer of the block store.
    pub fn stored(&mut self, id: OpId, result: StoreResult, now: f64) {
        let did_its_work = !matches!(result, Ok(StoreReply::Reopened) | Err(StoreFailure::Lost(_)));
        self.watch.answered(id, did_its_work);
        let progress = self.pager.borrow_mut().complete(id, result);
        self.progressed(progress, now);
        if did_its_work {
            self.storage_recovered(now);
        }
    }

    pub(super) fn progressed(&mut self, progress: Vec<Progress>, now: f64) {
        for step in progress {
            match step {
                Progress::Durable(seq) => {
                    let released = self.outbox.release(seq);
                    let told: Vec<_> = released.iter().filter(|held| held.write.is_some()).map(|held| held.port).collect();
                    for held in released {
                        self.send_after(held);
                    }
                    self.publish_changes(seq);
                    self.hold_for(&told, now);
                }
                Progress::Fetched => {}
                Progress::FetchFailed(first, last, error) => self.fetch_failed(first, last, &error),
                Progress::CommitsLost(error) => self.commits_lost(&error),
                Progress::Damaged(error) => self.damaged(&read_only(&error)),
                Progress::Verified(problems) => self.verified(problems),
                Progress::Changes(first, found) => self.changes_found(first, &found),
                Progress::Kept(result) => self.kept(&result),
                Progress::ImportStep(result) => self.import_step(result),
                Progress::Imported => {
                    self.imported();
                    self.storage_recovered(now);
                }
                Progress::Disconnected(error) => self.disconnected(&error, now),
                Progress::Reconnected => self.storage_recovered(now),
                Progress::Failed(error) => self.fail_all(&error),
            }
        }
    }

    /// The commits that were not durable are gone: whoever waits for one, or has read one, is told.
    fn commits_lost(&mut self, error: &Error) {
        self.log(wire::LogLevel::Warn, &["commits could not be stored and were rolled back: ", error.message()].concat());
        for held in self.take_held() {
            self.fail_write(held.port, held.id, held.write, error);
        }
        let durable = self.pager.borrow().durable();
        self.changes.lost(durable);
        self.end_transaction(error);
        self.stop_lost_work(error, durable);
        self.end_streams(error, &|stream| stream.at > durable);
        self.end_read_transactions(error, &|_, read| read.at > durable);
        for session in self.sessions.values_mut() {
            session.last_write = session.last_write.min(durable);
        }
        // A connection may hold pages of a commit that never was.
        self.forget_connections();
    }

    /// Whatever is under way and builds on a commit that is lost.
    fn stop_lost_work(&mut self, error: &Error, durable: CommitSeq) {
        self.fibers.stop(error, &|ticket, _| ticket.role == Role::Writer || ticket.at > durable);
        let lost = |job: &Job| matches!(&job.ask, Ask::Work(Work::Script(script)) if script.committed > Some(durable));
        for job in self.take_jobs(&lost) {
            self.fail_job(&job, error, None);
        }
    }

    /// What waits for a commit that will never be durable, once for each request: a stream has several chunks on their way, and
    /// one that is still open is ended by itself.
    fn take_held(&mut self) -> Vec<Held> {
        let mut kept: Vec<Held> = vec![];
        for held in self.outbox.take_all() {
            let is_open = self.streams.iter().any(|stream| stream.is(held.port, held.id));
            if !is_open && !kept.iter().any(|other| (other.port, other.id) == (held.port, held.id)) {
                kept.push(held);
            }
        }
        kept
    }

    /// Something stored is corrupt: no transaction that writes goes on.
    fn damaged(&mut self, error: &Error) {
        self.storage_is(wire::StorageState::ReadOnly, error.message());
        self.end_transaction(error);
        self.fibers.stop(error, &|ticket, _| ticket.role == Role::Writer);
    }

    /// Nothing can be read or written any more.
    fn fail_all(&mut self, error: &Error) {
        let mut told = wire_error(error, None, None);
        // Of a database that was deleted nothing is applied, whatever it was.
        if self.pager.borrow().is_in_doubt() && !matches!(error, Error::Deleted(_)) {
            told.outcome = wire::Outcome::Unknown;
        }
        let streamed = |ticket: &Ticket| self.streams.iter().any(|stream| stream.is(ticket.port, ticket.id));
        let running = self.fibers.tickets().filter(|(ticket, _)| !streamed(ticket));
        let running: Vec<_> = running.map(|(ticket, _)| (ticket.port, ticket.id)).collect();
        let mut waiting: Vec<_> = self.take_held().into_iter().map(|held| (held.port, held.id)).collect();
        waiting.extend(self.slot.take_import().map(|turn| (turn.port, turn.id)));
        for (port, id) in waiting {
            self.reply_now(port, id, Reply::bare(wire::Body::Error(told.clone())));
        }
        self.end_transaction(error);
        self.end_streams(error, &|_| true);
        self.end_read_transactions(error, &|_, _| true);
        for job in self.take_jobs(&|_| true) {
            self.fail_job(&job, error, None);
        }
        self.fibers.stop(error, &|_, _| true);
        for (port, id) in running {
            self.fail(port, id, error);
        }
        self.end(error);
    }

    fn fetch_failed(&mut self, first: GroupNo, last: GroupNo, error: &Error) {
        let grouping = self.pager.borrow().grouping();
        let hit = |misses: &[BlockNo]| misses.iter().any(|b| (first..=last).contains(&grouping.group_of(*b)));
        // Whoever only wanted to read is to hear what can be done about it, too.
        let told = &if matches!(error, Error::Corrupt(_)) { read_only(error) } else { error.clone() };
        for job in self.take_jobs(&|job| hit(&job.misses)) {
            self.fail_job(&job, told, None);
        }
        let blocked = self.fibers.blocked_on(|block| hit(&[block]));
        // One that pauses between two rows only thought that it would need them.
        self.fibers.stop(told, &|_, fiber| blocked.contains(&fiber.id()) && fiber.standing() == Standing::Suspended);
        for stream in self.streams.iter_mut().filter(|stream| hit(&stream.job.misses)) {
            stream.unreadable(first, last, error);
        }
        self.end_streams(told, &|stream| hit(&stream.job.misses));
        self.end_lives(told, &|job| hit(&job.misses));
        if matches!(&self.slot, Slot::Transaction(open) if hit(open.misses())) {
            self.end_transaction(told);
        }
    }
}
