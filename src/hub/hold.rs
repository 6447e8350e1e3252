//! Whom the next group of commits waits for. When a group has become durable its clients are told, and one that writes without a pause
//! sends its next write at once. Without patience the next group would leave with those alone who wrote meanwhile, and n clients would go by
//! turns, half of them a group. So it waits for the others too, for a moment, as long as they have kept coming.
//!
//! *Invariants.* Nobody waits for a client that is gone, or for longer than [`HOLD_MS`]; whoever writes alone waits for nobody.

use super::database::Database;
use super::writer::Slot;
use crate::ids::PortId;

/// The longest that a group waits, ms. A client that takes longer is not waited for again until it has been quicker.
const HOLD_MS: f64 = 1.0;

/// The clients whose next write is waited for.
#[derive(Debug, Default)]
pub struct Hold {
    awaited: Vec<Awaited>,
    until: f64,
}

#[derive(Debug)]
struct Awaited {
    port: PortId,
    has_come: bool,
}

impl Hold {
    pub fn deadline(&self) -> Option<f64> {
        (!self.awaited.is_empty()).then_some(self.until)
    }
}

impl Database {
    /// Notes how soon a client comes back after it was answered.
    pub(super) fn note_return(&mut self, port: PortId, now: f64) {
        if let Some(session) = self.sessions.get_mut(port) {
            session.is_prompt = now - session.answered_at <= HOLD_MS;
        }
        for awaited in self.hold.awaited.iter_mut().filter(|awaited| awaited.port == port) {
            awaited.has_come = true;
        }
    }

    /// A group is durable, and these clients have been told.
    pub(super) fn hold_for(&mut self, told: &[PortId], now: f64) {
        let mut awaited: Vec<Awaited> = vec![];
        for port in told.iter().copied() {
            let Some(session) = self.sessions.get_mut(port) else { continue };
            session.answered_at = now;
            if session.is_prompt && !self.outbox.owes(port) && !awaited.iter().any(|a| a.port == port) {
                awaited.push(Awaited { port, has_come: false });
            }
        }
        let company = awaited.len() + usize::from(self.pager.borrow().has_waiting_commits());
        if company >= 2 && !self.is_finishing() {
            self.hold = Hold { awaited, until: now + HOLD_MS };
        }
    }

    /// Whether the next group is to wait.
    pub(super) fn holds_back(&mut self) -> bool {
        let mut awaited = std::mem::take(&mut self.hold.awaited);
        awaited.retain(|a| self.knows(a.port) && (!a.has_come || self.is_about_to_write(a.port)));
        self.hold.awaited = awaited;
        !self.hold.awaited.is_empty()
    }

    fn is_about_to_write(&self, port: PortId) -> bool {
        let is_at_work = match &self.slot {
            Slot::Working(working) => *working == port,
            Slot::Waiting(job) => job.port == port,
            Slot::Free | Slot::Transaction(_) | Slot::Import(_) | Slot::Keeping(..) => false,
        };
        is_at_work
            || self.sessions.get(port).is_some_and(|session| !session.lane.is_empty())
            || self.turns.iter().any(|job| job.port == port)
    }

    /// Who has not come in time is not waited for again before he has been quicker.
    pub(super) fn expire_hold(&mut self, now: f64) {
        if self.hold.until > now {
            return;
        }
        for Awaited { port, .. } in std::mem::take(&mut self.hold.awaited) {
            if let Some(session) = self.sessions.get_mut(port) {
                session.is_prompt = false;
            }
        }
    }
}
