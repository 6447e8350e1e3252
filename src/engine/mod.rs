//! `SQLite` as the hub uses it: connections over the VFS, prepared statements, values, and the rules for what SQL may do
//! in a database that many tabs share.
//!
//! *Invariants.* Every pragma is set explicitly, since the two builds of `SQLite` differ in their defaults. Every call that
//! can touch a block says so in its type: an [`Attempt`] may end in missed blocks, and then nothing of its result counts.

mod authorizer;
mod changes;
mod changeset;
mod connection;
mod filter;
mod limits;
mod pragma;
mod reads;
mod sql;
mod statement;
mod value;

pub use crate::vfs::{Clock, Pace, Pacing, Suspend};
pub use authorizer::Control;
pub use changes::{Kinds, ReadSet, Recording, TableChange, WriteSet, is_shadow};
pub use connection::Connection;
pub use connection::apply::{Applied, ConflictPolicy};
pub use filter::{Filter, Watched};
pub use sql::{Sql, first_word};
pub use statement::{Column, Params, Prepared, Statement};
pub use value::ValueRef;

use crate::error::Error;
use crate::ids::BlockNo;

/// Why an attempt gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// These blocks are not in memory: fetch them, then restart the whole transaction.
    Missed(Vec<BlockNo>),
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Failed(error)
    }
}

/// The outcome of something that reads blocks.
pub type Attempt<T> = Result<T, Failure>;

/// `SQLite`'s version, as in "3.53.4".
#[must_use]
pub fn sqlite_version() -> String {
    // SAFETY: a constant C string.
    unsafe { std::ffi::CStr::from_ptr(crate::ffi::sqlite3_libversion()) }.to_string_lossy().into_owned()
}
