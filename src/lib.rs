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
//! - `client` (feature `client`): for front-ends in WebAssembly, bindings to the JavaScript client. It knows nothing of the others, and they
//!   are not in a build without the feature `hub`.
//!
//! *Architecture invariants.* Nothing below `web` and `native` names the browser, reads a clock or does I/O (but `store::file`,
//! which is `native`'s block store), so the whole hub with the real `SQLite` runs in a deterministic simulation. Nothing is
//! acknowledged before its write transaction completed. No borrow is held while a statement is suspended, and a fiber touches
//! nothing of the hub's but the pager. Memory grows with the cache's budget, the log and the open transaction, never with the
//! database.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "hub")]
pub mod engine;
#[cfg(feature = "hub")]
pub mod error;
#[cfg(feature = "hub")]
mod ffi;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hub")]
pub mod ids;
#[cfg(all(feature = "hub", not(target_arch = "wasm32")))]
pub mod native;
#[cfg(feature = "hub")]
mod sorted;
#[cfg(feature = "hub")]
pub mod store;
#[cfg(feature = "hub")]
pub mod vfs;
#[cfg(feature = "hub")]
pub mod wire;

#[cfg(all(feature = "hub", target_arch = "wasm32"))]
pub mod web;
