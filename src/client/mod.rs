//! The client for front-ends in WebAssembly (Leptos, Yew, Dioxus, or none): typed bindings to the JavaScript client `tabhub.js`, so that
//! the protocol, failover and exactly-once have one implementation. Called by applications; it knows nothing of the hub.
//!
//! ```toml
//! tabhub = { version = "0.1", default-features = false, features = ["client"] }
//! ```
//!
//! The module `tabhub` is imported by that name: a bundler finds the npm package, a page without one says where it lies, before its scripts:
//!
//! ```html
//! <script type="importmap">{ "imports": { "tabhub": "/dist/tabhub.js" } }</script>
//! ```
//!
//! What touches the browser exists in WebAssembly only; values and rows everywhere. Dropping a future does not stop its call: give it an
//! `CallOptions::signal` or a timeout. Dropping a stream ends what it follows.
//!
//! ```ignore
//! use tabhub::client::{OpenOptions, open};
//!
//! #[derive(serde::Deserialize)]
//! struct Note { id: i64, text: String }
//!
//! let db = open("app.db", &OpenOptions::default()).await?;
//! db.run("INSERT INTO note (text) VALUES (?)", ("hello",)).await?;
//! let notes: Vec<Note> = db.all("SELECT id, text FROM note", ()).await?;
//! ```

mod decode;
mod value;

pub use decode::{DecodeError, decode_row};
pub use value::{Params, Statement, Value};

#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod database;
#[cfg(target_arch = "wasm32")]
mod error;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(target_arch = "wasm32")]
mod options;
#[cfg(target_arch = "wasm32")]
mod queries;
#[cfg(target_arch = "wasm32")]
mod streams;
#[cfg(target_arch = "wasm32")]
mod transaction;

#[cfg(target_arch = "wasm32")]
pub use {
    database::{CheckResult, Database, Status, delete_database, open},
    error::{Error, Outcome},
    options::{CallOptions, Durability, Mode, OpenOptions, Persistence},
    queries::{Queries, QueryResult, RunResult},
    streams::{Change, Changes, Live, Rows},
    transaction::Transaction,
};
