//! The one error type. Operating errors are typed here; an SQL error is `SQLite`'s own code, passed through unchanged;
//! a programmer's error is a panic, never an `Error`.

use std::fmt;

/// What went wrong, as callers of any layer see it. [`Error::code`] is stable and crosses the wire.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `SQLite` refused: its extended result code, its message, and the byte offset in the SQL where it knows one.
    Sqlite { code: i32, message: String, offset: Option<u32> },
    /// The request cannot be understood or asks for something that does not exist.
    BadRequest(String),
    /// The peer speaks another protocol version, or none.
    Protocol(String),
    /// The tab is of a version that the hub no longer serves.
    Outdated(String),
    /// Stopped by the caller before it had an effect.
    Cancelled(String),
    /// A deadline passed; the message says what was awaited.
    Timeout(String),
    /// An interactive transaction was idle for too long and was rolled back.
    TransactionTimeout(String),
    /// An interactive transaction ended without its tab's doing; nothing of it was applied.
    TransactionLost(String),
    /// The transaction named is not open.
    TransactionClosed(String),
    /// `BEGIN`, `COMMIT` and the like as SQL where the hub keeps the transaction itself.
    TransactionControl(String),
    /// A statement that a shared database cannot allow.
    Refused(String),
    /// A changeset does not fit the data.
    Conflict(String),
    /// What is asked for of the commits' changes is not kept, or not any more.
    ChangesGone(String),
    /// The bytes to import are not a whole `SQLite` database.
    NotADatabase(String),
    /// Another hub has opened the database with a newer epoch.
    Fenced(String),
    /// The hub has made room for one of a newer version.
    Replaced(String),
    /// The database is gone: somebody deleted it, and with it whatever was not acknowledged.
    Deleted(String),
    /// An earlier failure left the outcome of writes open; reopen the database.
    Poisoned(String),
    /// A write that may have been carried out before, by a client that the table of sessions no longer knows.
    SessionEvicted(String),
    /// Stored bytes fail their checksum or contradict each other.
    Corrupt(String),
    /// The block store failed.
    Storage(String),
    /// No block store can be opened here.
    StorageUnavailable(String),
    /// Stored by a newer version.
    Format(String),
    /// A limit of the hub's own was exceeded.
    Limit(String),
}

impl Error {
    /// The stable code, as in `HubError.code`: `HUB_…`, or `SQLite`'s extended name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Sqlite { code, .. } => sqlite_code_name(*code),
            Error::BadRequest(_) => "HUB_BAD_REQUEST",
            Error::Protocol(_) => "HUB_PROTOCOL",
            Error::Outdated(_) => "HUB_OUTDATED",
            Error::Cancelled(_) => "HUB_CANCELLED",
            Error::Timeout(_) => "HUB_TIMEOUT",
            Error::TransactionTimeout(_) => "HUB_TRANSACTION_TIMEOUT",
            Error::TransactionLost(_) => "HUB_TRANSACTION_LOST",
            Error::TransactionClosed(_) => "HUB_TRANSACTION_CLOSED",
            Error::TransactionControl(_) => "HUB_TRANSACTION_CONTROL",
            Error::Refused(_) => "HUB_REFUSED",
            Error::Conflict(_) => "HUB_CONFLICT",
            Error::ChangesGone(_) => "HUB_CHANGES_GONE",
            Error::NotADatabase(_) => "HUB_NOT_A_DATABASE",
            Error::Fenced(_) => "HUB_FENCED",
            Error::Replaced(_) => "HUB_REPLACED",
            Error::Deleted(_) => "HUB_DELETED",
            Error::Poisoned(_) => "HUB_POISONED",
            Error::SessionEvicted(_) => "HUB_SESSION_EVICTED",
            Error::Corrupt(_) => "HUB_CORRUPT",
            Error::Storage(_) => "HUB_STORAGE",
            Error::StorageUnavailable(_) => "HUB_STORAGE_UNAVAILABLE",
            Error::Format(_) => "HUB_FORMAT",
            Error::Limit(_) => "HUB_LIMIT",
        }
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Error::Sqlite { message, .. } => message,
            Error::BadRequest(m)
            | Error::Protocol(m)
            | Error::Outdated(m)
            | Error::Cancelled(m)
            | Error::Timeout(m)
            | Error::TransactionTimeout(m)
            | Error::TransactionLost(m)
            | Error::TransactionClosed(m)
            | Error::TransactionControl(m)
            | Error::Refused(m)
            | Error::Conflict(m)
            | Error::ChangesGone(m)
            | Error::NotADatabase(m)
            | Error::Fenced(m)
            | Error::Replaced(m)
            | Error::Deleted(m)
            | Error::Poisoned(m)
            | Error::SessionEvicted(m)
            | Error::Corrupt(m)
            | Error::Storage(m)
            | Error::StorageUnavailable(m)
            | Error::Format(m)
            | Error::Limit(m) => m,
        }
    }

    /// True where a failed write may nevertheless have reached the disk.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Error::Poisoned(_) | Error::SessionEvicted(_))
    }

    /// `SQLITE_FULL`, as `SQLite` itself would say it: the browser's quota is used up.
    #[must_use]
    pub fn full() -> Self {
        Error::Sqlite {
            code: SQLITE_FULL,
            message: "the browser's storage quota is used up: free space, then try again".into(),
            offset: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        f.write_str(": ")?;
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

const SQLITE_FULL: i32 = 13;

/// `SQLite`'s name for an extended result code, falling back to the primary code's name
/// (<https://www.sqlite.org/rescode.html>).
#[must_use]
pub fn sqlite_code_name(code: i32) -> &'static str {
    match code {
        257 => "SQLITE_ERROR_MISSING_COLLSEQ",
        513 => "SQLITE_ERROR_RETRY",
        769 => "SQLITE_ERROR_SNAPSHOT",
        266 => "SQLITE_IOERR_READ",
        522 => "SQLITE_IOERR_SHORT_READ",
        778 => "SQLITE_IOERR_WRITE",
        3082 => "SQLITE_IOERR_NOMEM",
        267 => "SQLITE_CORRUPT_VTAB",
        779 => "SQLITE_CORRUPT_INDEX",
        516 => "SQLITE_ABORT_ROLLBACK",
        275 => "SQLITE_CONSTRAINT_CHECK",
        531 => "SQLITE_CONSTRAINT_COMMITHOOK",
        787 => "SQLITE_CONSTRAINT_FOREIGNKEY",
        1043 => "SQLITE_CONSTRAINT_FUNCTION",
        1299 => "SQLITE_CONSTRAINT_NOTNULL",
        1555 => "SQLITE_CONSTRAINT_PRIMARYKEY",
        1811 => "SQLITE_CONSTRAINT_TRIGGER",
        2067 => "SQLITE_CONSTRAINT_UNIQUE",
        2323 => "SQLITE_CONSTRAINT_VTAB",
        2579 => "SQLITE_CONSTRAINT_ROWID",
        3091 => "SQLITE_CONSTRAINT_DATATYPE",
        _ => sqlite_primary_name(code & 0xff),
    }
}

fn sqlite_primary_name(code: i32) -> &'static str {
    const NAMES: [&str; 29] = [
        "SQLITE_OK",
        "SQLITE_ERROR",
        "SQLITE_INTERNAL",
        "SQLITE_PERM",
        "SQLITE_ABORT",
        "SQLITE_BUSY",
        "SQLITE_LOCKED",
        "SQLITE_NOMEM",
        "SQLITE_READONLY",
        "SQLITE_INTERRUPT",
        "SQLITE_IOERR",
        "SQLITE_CORRUPT",
        "SQLITE_NOTFOUND",
        "SQLITE_FULL",
        "SQLITE_CANTOPEN",
        "SQLITE_PROTOCOL",
        "SQLITE_EMPTY",
        "SQLITE_SCHEMA",
        "SQLITE_TOOBIG",
        "SQLITE_CONSTRAINT",
        "SQLITE_MISMATCH",
        "SQLITE_MISUSE",
        "SQLITE_NOLFS",
        "SQLITE_AUTH",
        "SQLITE_FORMAT",
        "SQLITE_RANGE",
        "SQLITE_NOTADB",
        "SQLITE_NOTICE",
        "SQLITE_WARNING",
    ];
    usize::try_from(code).ok().and_then(|c| NAMES.get(c)).copied().unwrap_or("SQLITE_ERROR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_keep_their_own_names_and_unknown_ones_fall_back_to_the_primary() {
        assert_eq!(sqlite_code_name(2067), "SQLITE_CONSTRAINT_UNIQUE");
        assert_eq!(sqlite_code_name(13), "SQLITE_FULL");
        assert_eq!(sqlite_code_name(0x6313), "SQLITE_CONSTRAINT");
        assert_eq!(sqlite_code_name(-1), "SQLITE_ERROR");
    }

    #[test]
    fn display_names_code_and_sentence() {
        assert_eq!(Error::full().to_string(), format!("SQLITE_FULL: {}", Error::full().message()));
    }
}
