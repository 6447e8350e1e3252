//! What one connection may take: every limit that `SQLite` has, set explicitly, and the error for what is spilled beyond its
//! budget. Used by `connection` alone; the README lists them for users.

use crate::error::Error;
use crate::ffi;
use crate::vfs::temp::{Purpose, SORT_BYTES_MAX, VACUUM_BYTES_MAX};
use std::ffi::c_int;

/// `SQLite`'s own page cache: little, since the block cache below is in memory too.
pub const CACHE_KB: u32 = 500;
/// Longest string, blob or row, in bytes: what a tab can reasonably receive in one message.
const LENGTH_MAX: c_int = 256 << 20;
/// Longest single statement, in bytes.
const SQL_LENGTH_MAX: c_int = 1_000_000;
/// Every limit that `SQLite` has (<https://www.sqlite.org/c3ref/c_limit_attached.html>), the same on both builds. Depths keep the
/// stack within 1 MiB.
pub const LIMITS: [(c_int, c_int); 12] = [
    (ffi::SQLITE_LIMIT_LENGTH, LENGTH_MAX),
    (ffi::SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH_MAX),
    (ffi::SQLITE_LIMIT_COLUMN, 2_000),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH, 1_000),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT, 500),
    (ffi::SQLITE_LIMIT_VDBE_OP, 10_000_000),
    (ffi::SQLITE_LIMIT_FUNCTION_ARG, 127),
    // One for VACUUM's own file; the authorizer refuses all others.
    (ffi::SQLITE_LIMIT_ATTACHED, 1),
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50_000),
    (ffi::SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
    (ffi::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Why a statement could not spill more.
pub fn spilled_too_much(purpose: Purpose) -> Error {
    Error::Limit(match purpose {
        Purpose::Sort => format!(
            "sorting or grouping needs more than the {} MiB of temporary storage that all tabs share: select less, or give the query an index to go by",
            SORT_BYTES_MAX >> 20
        ),
        Purpose::Vacuum => format!("VACUUM works on databases of up to {} MiB", VACUUM_BYTES_MAX >> 20),
    })
}
