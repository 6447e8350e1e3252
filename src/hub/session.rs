//! What the hub knows of one tab.

use super::asked::Asked;
use super::lanes::Job;
use crate::error::Error;
use crate::ids::{CommitSeq, TxId};
use crate::sorted::SortedMap;
use crate::store::Durability;
use crate::store::sessions::Resumed;
use crate::wire::Hello;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Ended transactions whose reason is remembered, for the call that comes too late.
const ENDED_MAX: usize = 32;

#[derive(Debug)]
pub struct Session {
    /// The client's own name, the same on whatever port and hub it comes back.
    pub client: Rc<str>,
    pub resumed: Resumed,
    /// The highest id of its requests: one that is not higher is a repetition.
    pub last_id: u64,
    /// All its writes up to this number have been answered.
    pub answered: u64,
    /// The highest number among its writes that this hub has seen, or one before it.
    pub last_number: u64,
    /// Of writes that name none.
    pub durability: Durability,
    /// The tab's newest commit: its reads never see an older state.
    pub last_write: CommitSeq,
    /// How large it wants the block cache.
    pub cache_bytes: Option<usize>,
    /// `last_insert_rowid()` as this tab knows it; the connection is shared.
    pub last_rowid: i64,
    /// When it said hello, and which build it is.
    pub since: f64,
    pub build: Box<str>,
    /// What it has asked for, until the last reply.
    pub asked: SortedMap<u64, Asked>,
    /// Requests that are not under way yet, in order.
    pub lane: VecDeque<Box<Job>>,
    /// The statement under way of which it is not known yet whether it reads; what came after it waits.
    pub undecided: Option<Rc<Cell<bool>>>,
    /// When it was last told that a commit of its is durable.
    pub answered_at: f64,
    /// Whether its next write came at once then, the last time.
    pub is_prompt: bool,
    ended: Vec<(TxId, Error)>,
}

impl Session {
    pub fn new(hello: &Hello, resumed: Resumed, since: f64) -> Self {
        Self {
            client: hello.client.as_str().into(),
            resumed,
            last_id: 0,
            answered: 0,
            last_number: resumed.last,
            durability: hello.durability.into(),
            last_write: CommitSeq(0),
            cache_bytes: None,
            last_rowid: 0,
            since,
            build: hello.build.as_str().into(),
            asked: SortedMap::default(),
            lane: VecDeque::new(),
            undecided: None,
            answered_at: f64::NEG_INFINITY,
            is_prompt: false,
            ended: vec![],
        }
    }

    /// Whether the next request of the lane may be looked at. Dropped flags belong to fibers that have ended.
    pub fn may_go_on(&self) -> bool {
        self.undecided.as_ref().is_none_or(|is_read| is_read.get() || Rc::strong_count(is_read) == 1)
    }

    /// Remembers why a transaction ended without its tab's doing.
    pub fn transaction_ended(&mut self, tx: TxId, why: Error) {
        if self.ended.len() == ENDED_MAX {
            self.ended.remove(0);
        }
        self.ended.push((tx, why));
    }

    /// Why the transaction is not open.
    pub fn why_ended(&self, tx: TxId) -> Error {
        let known = self.ended.iter().find(|(ended, _)| *ended == tx).map(|(_, why)| why.clone());
        known.unwrap_or_else(|| Error::TransactionClosed(format!("transaction {} is not open in this tab", tx.0)))
    }
}
