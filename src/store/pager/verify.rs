//! Verifying: reads what is stored, as a check asks for it, and says what is wrong with it. Nothing read here is believed or kept.

use super::Pager;
use crate::ids::{GroupNo, OpId};
use crate::store::log::Log;
use crate::store::ops::{StoreOp, StoreReply, StoreResult};

/// A read that verifies, under way.
#[derive(Debug)]
pub(super) struct Verifying {
    pub id: OpId,
    pub what: Verify,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Verify {
    Log,
    Groups(GroupNo, GroupNo),
}

impl Pager {
    /// Reads header and log: checksums, order, nothing missing. [`Progress::Verified`](super::Progress::Verified) answers; one
    /// at a time.
    pub fn verify_log(&mut self) {
        self.verify(Verify::Log);
    }

    /// Reads block groups: checksums, and each in its place.
    pub fn verify_groups(&mut self, first: GroupNo, last: GroupNo) {
        self.verify(Verify::Groups(first, last));
    }

    /// How many block groups the checkpointed database has.
    #[must_use]
    pub fn stored_groups(&self) -> u32 {
        self.grouping().groups(self.header.blocks)
    }

    pub(super) fn verify(&mut self, what: Verify) {
        let (id, epoch) = (self.op_id(), self.header.epoch);
        self.verifying = Some(Verifying { id, what });
        let op = match what {
            Verify::Log => StoreOp::ReadLog(epoch),
            Verify::Groups(first, last) => StoreOp::ReadGroups { epoch, generation: self.header.generation, first, last },
        };
        self.counters.store_reads += 1;
        self.ops.push((id, op));
    }

    pub(super) fn verified(&self, verifying: &Verifying, result: StoreResult) -> Vec<String> {
        match (verifying.what, result) {
            (Verify::Log, Ok(StoreReply::Log { header, log })) => {
                let recovered = Log::recover(&log, header.generation, header.checkpoint);
                recovered.map_or_else(Some, |r| r.damage).map(|e| e.message().to_owned()).into_iter().collect()
            }
            (Verify::Groups(..), Ok(StoreReply::Groups(groups))) => {
                let decode =
                    |(group, bytes): &(GroupNo, Vec<u8>)| self.grouping().decode(self.header.generation, *group, bytes).err();
                groups.iter().filter_map(decode).map(|e| e.message().to_owned()).collect()
            }
            (_, Ok(_)) => vec!["the block store gave the wrong answer".into()],
            (_, Err(failure)) => vec![failure.error().to_string()],
        }
    }
}
