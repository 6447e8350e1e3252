//! tabhub: `SQLite` for multi-tab web apps. One hub, in a `SharedWorker` or in a worker of an elected tab, owns the database; every tab
//! reads and writes it.
//!
//! # Code map
//!
//! A call goes `web → hub → engine → vfs → store`; [`wire`] is known to `web` and `hub` only; everything knows [`ids`] and
//! [`error`].
//!
//! - [`store`]: blocks and commits: format, log, checkpoint, snapshots, recovery. Emits operations for a block store.
//! - [`vfs`]: a `sqlite3_vfs` over the store's versioned blocks; how a running statement gives way to others.
//! - [`engine`]: connections, statements, values, what SQL may do.
//! - [`hub`]: sessions, fibers and who runs when, transactions, cursors, import and export. Events and `now` in, actions out.
//! - [`wire`]: the messages between tab and hub.
//! - `web` (wasm32 only): `IndexedDB`, ports, locks, timers, stacks to run on. Adapters without decisions.
//! - `native` (elsewhere): the same hub over a directory, as a library and as the command line `tabhub`.
//!
//! *Architecture invariants.* Nothing below `web` and `native` names the browser, reads a clock or does I/O (but `store::file`,
//! which is `native`'s block store), so the whole hub with the real `SQLite` runs in a deterministic simulation. Nothing is
//! acknowledged before its write transaction completed. No borrow is held while a statement is suspended, and a fiber touches
//! nothing of the hub's but the pager. Memory grows with the cache's budget, the log and the open transaction, never with the
//! database.

pub mod engine;
pub mod error;
mod ffi;
pub mod hub;
pub mod ids;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod sorted;
pub mod store;
pub mod vfs;
pub mod wire;

#[cfg(target_arch = "wasm32")]
pub mod web;
