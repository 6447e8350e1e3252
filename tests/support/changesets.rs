//! What commits changed, as a tab asks for it, and applying it.

use super::{Answer, Rows, World, decode_rows};
use tabhub::ids::PortId;
use tabhub::wire::{self, Body, OnConflict, Op, WireError};

/// One commit's changes, as a tab is told.
pub type Told = (wire::Changeset, Vec<u8>);

impl World {
    /// The commit after which everything is kept.
    pub fn keep(&mut self, tab: PortId, commits: u64) -> Result<u64, WireError> {
        let id = self.send(tab, Op::Keep(wire::Keep { commits }), &[]);
        self.settle();
        match self.take(tab, id).expect("it is answered").body {
            Body::Kept(kept) => Ok(kept.commit),
            Body::Error(error) => Err(error),
            other => panic!("kept, not {other:?}"),
        }
    }

    /// What the commits after `since` changed; and the newest commit.
    pub fn changes(&mut self, tab: PortId, since: u64) -> Result<(Vec<Told>, u64), WireError> {
        let id = self.send(tab, Op::Changesets(wire::Changesets { since }), &[]);
        let mut told = vec![];
        loop {
            self.settle();
            match self.take(tab, id).expect("the next one comes") {
                Answer { body: Body::Changeset(end), .. } if end.end => return Ok((told, end.commit)),
                Answer { body: Body::Changeset(change), payload } => told.push((change, payload)),
                Answer { body: Body::Error(error), .. } => return Err(error),
                other => panic!("a changeset, not {other:?}"),
            }
            self.send(tab, Op::Pull(wire::Pull { target: id }), &[]);
        }
    }

    pub fn ask_apply(&mut self, tab: PortId, changeset: &[u8], conflict: OnConflict, tx: Option<u64>, write: Option<u64>) -> u64 {
        let apply = wire::Apply { conflict, tx, durability: None, timeout: None };
        let id = self.send_write(tab, write, None, Op::Apply(apply), changeset);
        self.settle();
        id
    }

    /// How many rows it changed, and the conflicts.
    pub fn apply(&mut self, tab: PortId, changeset: &[u8], conflict: OnConflict) -> Result<(u64, Rows), WireError> {
        let id = self.ask_apply(tab, changeset, conflict, None, None);
        self.applied(tab, id)
    }

    pub fn applied(&mut self, tab: PortId, id: u64) -> Result<(u64, Rows), WireError> {
        match self.take(tab, id).expect("it is answered") {
            Answer { body: Body::Rows(shape), payload } => {
                Ok((shape.changes, decode_rows(&payload, shape.rows as usize, shape.columns.len()).0))
            }
            Answer { body: Body::Error(error), .. } => Err(error),
            other => panic!("rows, not {other:?}"),
        }
    }
}
