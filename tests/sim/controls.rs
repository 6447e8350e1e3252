//! Negative controls: stores, and hubs, that break one promise each. Every checker must catch the control that it is meant for, or it
//! checks nothing. (A checkpoint past a snapshot is one more: the pager never meets it under `SQLite`, which reads a page before
//! it writes it, so its control is in `properties`.) None of them needs a switch in the product: all of it is done to what the hub
//! stores, and to what it says.

use super::disk::{Disk, HubNo};
use super::tamper::{with_epoch, without_sessions};
use std::rc::Rc;
use tabhub::store::{Key, StoreOp, StoreReply, StoreResult, Write, WriteBatch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// A crash in the middle of a transaction leaves some of its writes behind.
    TornCommit,
    /// Whoever writes is let in.
    NoEpochCheck,
    /// A write is reported complete before it is.
    EarlyAck,
    /// What the commits say of their clients' numbered writes is dropped.
    DroppedSessions,
    /// Of some commits it is not stored what they changed.
    DroppedChangeset,
    /// What a hub says of live queries gets lost, now and then.
    DroppedState,
    /// The same of what it says of changes.
    DroppedChange,
}

impl Disk {
    /// Carries an operation out as the control wants it.
    pub(super) fn run(&mut self, hub: HubNo, op: StoreOp) -> StoreResult {
        self.write_late_ones(hub);
        match (self.control, op) {
            (Some(Control::EarlyAck), StoreOp::Write(batch)) if self.chance.one_in(2) => {
                self.late.push((hub, batch));
                Ok(StoreReply::Written)
            }
            (Some(Control::NoEpochCheck), op) => {
                let op = with_epoch(op, self.newest);
                self.carry_out(op)
            }
            (Some(Control::DroppedSessions), StoreOp::Write(batch)) => {
                let writes = batch.writes.iter().filter_map(without_sessions).collect();
                self.carry_out(StoreOp::Write(Rc::new(WriteBatch { writes, ..*batch })))
            }
            (Some(Control::DroppedChangeset), StoreOp::Write(batch)) if self.chance.one_in(8) => {
                let mut writes = batch.writes.clone();
                writes.retain(|write| !matches!(write, Write::Put(Key::Changes(_), _)));
                self.carry_out(StoreOp::Write(Rc::new(WriteBatch { writes, ..*batch })))
            }
            (_, op) => self.carry_out(op),
        }
    }

    fn write_late_ones(&mut self, hub: HubNo) {
        for (_, batch) in self.late.extract_if(.., |(late, _)| *late == hub).collect::<Vec<_>>() {
            drop(self.carry_out(StoreOp::Write(batch)));
        }
    }

    /// What a crash leaves of a transaction: nothing, unless this is the control.
    pub(super) fn tear(&mut self, batch: &WriteBatch) {
        if self.control == Some(Control::TornCommit) && batch.writes.len() > 1 {
            let mut writes = batch.writes.clone();
            writes.remove(self.chance.index(writes.len()));
            drop(self.carry_out(StoreOp::Write(Rc::new(WriteBatch { writes, ..*batch }))));
        }
    }
}
