//! Replies that wait for a commit to become durable. A read that saw a commit waits for it as its writer does, so nobody
//! ever knows what a crash could take back.

use crate::ids::{CommitSeq, PortId};

#[derive(Debug)]
pub struct Held {
    pub after: CommitSeq,
    pub port: PortId,
    pub id: u64,
    /// The number of the write that it answers.
    pub write: Option<u64>,
    /// Whether the request has been answered with it.
    pub is_last: bool,
    pub frame: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Outbox {
    held: Vec<Held>,
}

impl Outbox {
    pub fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// The replies whose commits are durable, in the order in which they were made.
    pub fn release(&mut self, durable: CommitSeq) -> Vec<Held> {
        let (released, held) = std::mem::take(&mut self.held).into_iter().partition(|h| h.after <= durable);
        self.held = held;
        released
    }

    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// Whether replies to that tab wait.
    pub fn owes(&self, port: PortId) -> bool {
        self.held.iter().any(|h| h.port == port)
    }

    /// All that still wait: their commits will never be durable.
    pub fn take_all(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// Takes back what waits for a request that has come to another end.
    pub fn withdraw(&mut self, port: PortId, id: u64) {
        self.held.retain(|h| (h.port, h.id) != (port, id));
    }

    pub fn forget(&mut self, port: PortId) {
        self.held.retain(|h| h.port != port);
    }
}
