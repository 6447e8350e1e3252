//! What the negative controls do to operations on their way to the store: as a broken adapter, or a broken engine, would.

use std::rc::Rc;
use tabhub::ids::{BlockNo, Epoch, Generation, GroupNo};
use tabhub::store::codec::{SEAL_BYTES, seal};
use tabhub::store::group::Grouping;
use tabhub::store::memory::MemoryStore;
use tabhub::store::record::CommitRecord;
use tabhub::store::{Block, Key, StoreOp, StoreReply, Write, WriteBatch};

/// Where a commit record says how many bytes of sessions it holds; see `format.md`.
const SESSION_BYTES_AT: usize = 56;

/// Lays the whole log over the block groups, as a checkpoint would that knows of no snapshots.
pub fn fold_everything(store: &mut MemoryStore, epoch: Epoch) {
    let newest = newest_blocks(store, epoch);
    for key in store.keys().collect::<Vec<_>>() {
        if let (Key::Group(generation, group), Some(value)) = (key, store.value(key).map(<[u8]>::to_vec)) {
            store.tamper(key, Some(overlaid(generation, group, &value, &newest)));
        }
    }
}

fn newest_blocks(store: &mut MemoryStore, epoch: Epoch) -> Vec<(BlockNo, Block)> {
    let Ok(StoreReply::Log { log, .. }) = store.run(StoreOp::ReadLog(epoch)) else { return vec![] };
    let (mut blocks, mut rest) = (vec![], &log[..]);
    while let Ok(Some((record, parts))) = CommitRecord::decode(rest) {
        blocks.extend(record.pages);
        rest = &rest[parts..];
    }
    blocks
}

fn overlaid(generation: Generation, group: GroupNo, value: &[u8], newest: &[(BlockNo, Block)]) -> Vec<u8> {
    let grouping = Grouping { block_bytes: 4096 };
    let Ok(mut blocks) = grouping.decode(generation, group, value) else { return value.to_vec() };
    for (number, block) in &mut blocks {
        if let Some((_, newer)) = newest.iter().rev().find(|(n, _)| n == number) {
            *block = newer.clone();
        }
    }
    grouping.encode(generation, group, &blocks)
}

/// An operation that pretends to be of another epoch.
pub fn with_epoch(op: StoreOp, epoch: Epoch) -> StoreOp {
    match op {
        StoreOp::Write(batch) => StoreOp::Write(Rc::new(WriteBatch { epoch, ..(*batch).clone() })),
        StoreOp::ReadGroups { generation, first, last, .. } => StoreOp::ReadGroups { epoch, generation, first, last },
        StoreOp::ReadLog(_) => StoreOp::ReadLog(epoch),
        StoreOp::ReadChanges { first, last, .. } => StoreOp::ReadChanges { epoch, first, last },
        StoreOp::Reopen(_) => StoreOp::Reopen(epoch),
        StoreOp::Open => StoreOp::Open,
    }
}

/// A write without what it says of the clients' numbered writes.
pub fn without_sessions(write: &Write) -> Option<Write> {
    match write {
        Write::Put(Key::Sessions, _) => None,
        Write::Put(Key::Log(position), value) => {
            let mut body = value[..value.len() - SEAL_BYTES].to_vec();
            let field = SESSION_BYTES_AT..SESSION_BYTES_AT + 4;
            let bytes = u32::from_le_bytes(body[field.clone()].try_into().expect("four bytes"));
            body[field].fill(0);
            body.truncate(body.len() - bytes as usize);
            Some(Write::Put(Key::Log(*position), seal(body)))
        }
        other => Some(other.clone()),
    }
}
