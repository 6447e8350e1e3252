//! What a call of the local hub fails with. Used by the whole of `native`.

use crate::error::Error;
use crate::wire::{Outcome, WireError};
use std::fmt;

/// Why a call failed.
#[derive(Debug)]
pub enum LocalError {
    /// The hub's answer, as a tab gets it: a stable code, a sentence, and whether the work was applied.
    Hub(WireError),
    /// What was to be imported could not be read, or what was exported could not be written.
    Io(std::io::Error),
}

/// The result of every call.
pub type Result<T> = std::result::Result<T, LocalError>;

impl LocalError {
    /// The stable code: `SQLITE_…`, `HUB_…`, or `IO`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            LocalError::Hub(error) => &error.code,
            LocalError::Io(_) => "IO",
        }
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalError::Hub(error) => write!(f, "{}: {}", error.code, error.message),
            LocalError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LocalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LocalError::Hub(_) => None,
            LocalError::Io(error) => Some(error),
        }
    }
}

impl From<Error> for LocalError {
    fn from(error: Error) -> Self {
        let sqlite = if let Error::Sqlite { code, .. } = error { Some(code) } else { None };
        LocalError::Hub(WireError {
            code: error.code().into(),
            message: error.message().into(),
            outcome: if error.is_in_doubt() { Outcome::Unknown } else { Outcome::NotApplied },
            sqlite,
            sql: None,
            offset: None,
            index: None,
        })
    }
}

impl From<std::io::Error> for LocalError {
    fn from(error: std::io::Error) -> Self {
        LocalError::Io(error)
    }
}
