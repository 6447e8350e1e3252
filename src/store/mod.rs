//! Blocks and commits: how a database lies in a block store, and how it is read, committed, checkpointed and recovered.
//!
//! [`Pager`] is the whole of it to the layers above: the VFS reads blocks of a snapshot from it and publishes commits to it,
//! the hub carries its [`StoreOp`]s to a [`BlockStore`] and feeds the answers back. It is a state machine: no clock, no I/O.
//!
//! *Invariants.* Knows nothing of `SQLite`, tabs or browsers. A commit is acknowledged only after its write transaction
//! completed; every write transaction checks the epoch; a checkpoint never passes a snapshot; memory grows with the log and with the
//! cache's budget, never with the database.
#![doc = include_str!("format.md")]

pub mod cache;
pub mod changes;
pub mod checkpoint;
pub mod codec;
#[cfg(not(target_arch = "wasm32"))]
pub mod file;
pub mod group;
pub mod header;
pub mod import;
pub mod limits;
pub mod log;
pub mod memory;
pub mod ops;
pub mod pager;
pub mod patch;
pub mod read_ahead;
pub mod record;
pub mod sessions;
pub mod versions;

pub use changes::Changes;
pub use limits::Limits;
pub use ops::{BlockStore, Durability, Key, LogValues, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
pub use pager::{Pager, Progress};
pub use read_ahead::ReadAhead;
pub use versions::Lookup;

/// One block's bytes, shared between the versions, the log and `SQLite`'s reads.
pub type Block = std::rc::Rc<[u8]>;

/// Changed blocks by number. They come nearly in order, since `SQLite` writes a transaction's pages sorted.
pub type Pages = crate::sorted::SortedMap<crate::ids::BlockNo, Block>;
