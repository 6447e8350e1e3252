//! The port protocol between a tab and the hub: message types, frames and value blocks. No behaviour.
//!
//! Called by `web` (decodes what a port delivers, encodes what the hub answers) and `hub` (works on the messages).
//! It never touches `SQLite`, the store or the browser, and it never panics on any bytes a tab sends.
//! The TypeScript side is `hub-js/protocol.ts` and `hub-js/codec.ts`; `tests/wire_golden/*.json` holds frames that both sides
//! must read and write alike.

mod body;
mod bundle;
mod frame;
mod json;
mod message;
mod op;
pub(crate) mod value;

pub use body::{body_text, level_name};
pub use bundle::{Bundler, is_bundle, unbundle};
pub use frame::{FrameError, decode_request, encode_response, encode_stored};
pub use message::{
    Apply, Batch, Begin, Begun, Body, Bytes, Cancel, Changed, Changes, Changeset, Changesets, Check, CheckLevel, CheckStage,
    Checked, Chunk, Close, Column, Commit, Destroy, Done, Durability, Exec, Export, Figures, Hello, Import, Inspect, Iterate,
    Keep, Kept, Live, LiveUpdate, Log, LogLevel, Metrics, More, OnConflict, Op, Outcome, ParamsShape, Part, Persistence,
    PersistenceWanted, Pull, Query, Request, Response, ResultShape, Results, Resume, Rollback, StatementShape, Storage,
    StorageState, TableChanged, TransactionMode, Welcome, WireError,
};
pub use value::{RowsWriter, Value, ValuesReader};

/// The newest version that this build speaks; `hello` carries the tab's, `welcome` the one that both go on with.
pub const PROTOCOL_VERSION: u32 = 7;
/// The oldest version that the hub still serves: lower where older tabs would notice no difference.
pub const PROTOCOL_OLDEST: u32 = 4;
