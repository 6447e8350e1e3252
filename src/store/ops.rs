//! The block store seam: the few operations that everything durable is made of. `Store` emits them; an adapter
//! (`IndexedDB`, memory, later files) carries them out and answers with the same id. Adapters make no decisions: what to
//! write inside [`StoreOp::Open`] and whether to go on is asked of `header`.

use super::header::Header;
use crate::error::Error;
use crate::ids::{CommitSeq, Epoch, Generation, GroupNo, LogPos, OpId};
use std::rc::Rc;

/// Where a value lies. Header and sessions are single values; the others are ordered by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Header,
    Sessions,
    /// What a commit changed, where that is kept.
    Changes(CommitSeq),
    Log(LogPos),
    Group(Generation, GroupNo),
}

/// Whether an acknowledged commit must have been flushed to the device or may wait in the system's buffers. Either survives
/// the death of the tab, the worker and the browser; only `Strict` is meant to survive a power loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    Relaxed,
    #[default]
    Strict,
}

/// One step of a write transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Put(Key, Vec<u8>),
    /// All keys from the first to the last, both included; both lie in one space.
    Delete(Key, Key),
}

/// One atomic write transaction: all of it or nothing, and nothing unless the stored header carries `epoch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBatch {
    pub epoch: Epoch,
    pub durability: Durability,
    pub writes: Vec<Write>,
}

/// What an adapter carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// In one transaction: read the header, [`claim`](super::header::claim) it, put it back, and read sessions and log.
    Open,
    /// Forget what is pending, let go of the connection, connect anew, and [`check_epoch`](super::header::check_epoch).
    Reopen(Epoch),
    /// Read the groups from first to last, both included, after `check_epoch` in the same transaction; those that do not
    /// exist are left out of the answer.
    ReadGroups { epoch: Epoch, generation: Generation, first: GroupNo, last: GroupNo },
    /// Read header and log in one transaction, after `check_epoch`.
    ReadLog(Epoch),
    /// Read what commits from first to last, both included, changed, after `check_epoch`; those of which nothing is kept are left out.
    ReadChanges { epoch: Epoch, first: CommitSeq, last: CommitSeq },
    /// Write, after `check_epoch` in the same transaction.
    Write(Rc<WriteBatch>),
}

/// A range of the log, or of what commits changed: numbers and values, in order.
pub type LogValues = Vec<(u64, Vec<u8>)>;

/// What an adapter answers on success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreReply {
    Opened { header: Header, sessions: Option<Vec<u8>>, log: LogValues },
    Reopened,
    Groups(Vec<(GroupNo, Vec<u8>)>),
    Log { header: Header, log: LogValues },
    Changes(LogValues),
    Written,
}

/// What an adapter answers on failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// The transaction was aborted and left nothing behind; the error says why ([`Error::full`], [`Error::Fenced`], …).
    NotApplied(Error),
    /// The connection is gone, and whether a write was applied is open. After a [`StoreOp::Reopen`] the same operation may be
    /// submitted again: each write batch is idempotent for as long as the epoch is its own.
    Lost(Error),
    /// Nobody knows whether it was applied, and nothing can be done about it.
    InDoubt(Error),
}

impl StoreFailure {
    #[must_use]
    pub fn error(&self) -> &Error {
        match self {
            StoreFailure::NotApplied(e) | StoreFailure::Lost(e) | StoreFailure::InDoubt(e) => e,
        }
    }
}

/// The answer to one operation.
pub type StoreResult = Result<StoreReply, StoreFailure>;

/// Carries out operations. Writes take effect in the order of their submission; answers come back as events, later.
pub trait BlockStore {
    fn submit(&mut self, id: OpId, op: StoreOp);
}
