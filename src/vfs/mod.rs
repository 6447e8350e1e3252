//! The VFS: `SQLite`'s files over the [`Pager`](crate::store::Pager)'s versioned blocks. [`DbFile`] holds the rules, in safe
//! code; `glue` is the C interface to it; `pace` is how a running statement gives way; `temp` is
//! what it spills; `unit` is the clock and the randomness that
//! `SQLite` sees.
//!
//! How a commit arrives here (journal in memory, batch-atomic writes): all page writes of a transaction gather in the
//! writer's private overlay; `COMMIT_ATOMIC_WRITE` may still refuse; `COMMIT_PHASETWO` publishes; an unlock discards what
//! was not published. `xSync` is no commit signal: it also comes with a rollback after a spill.
//!
//! *Invariants.* A raw `sqlite3_vfs`; no borrow of the pager outlives one call or is held while a statement is suspended. A missing
//! block suspends the statement where the host can do that (`pace`); elsewhere it answers plain `SQLITE_BUSY` and is noted, and a
//! transaction with a miss can never commit.

mod db_file;
mod glue;
mod pace;
pub mod temp;
pub mod unit;

pub use db_file::{DbFile, Fault, PragmaRule, PragmaRuling, ReadAt, Role};
pub use glue::{VFS_NAME, offer, register};
pub use pace::{Clock, Pace, Pacing, Suspend, late};
