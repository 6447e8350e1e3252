//! The one error of the client: the JavaScript client's `HubError`, field by field.

use super::DecodeError;
use super::convert::{get, get_count, get_string};
use std::fmt;
use wasm_bindgen::JsValue;

/// What became of the work of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed.
    NotApplied,
    /// The work was done and only its reply is missing: do not repeat it.
    Applied,
    /// The hub died with a write under way, and no other could tell: look before you repeat it.
    Unknown,
}

/// Why a call failed, and what became of its work.
///
/// ```ignore
/// match db.run("INSERT INTO user VALUES (?)", (name,)).await {
///     Err(error) if error.code == "SQLITE_CONSTRAINT_UNIQUE" => taken(),
///     other => other.map(drop)?,
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// Stable; match on this, never on the message. `HUB_…` or `SQLITE_…` as in the README, and `DECODE` where a row does not fit its type.
    pub code: String,
    pub message: String,
    pub outcome: Outcome,
    /// `SQLite`'s extended result code.
    pub sqlite: Option<u64>,
    /// The SQL at fault.
    pub sql: Option<String>,
    /// Where in `sql` the error lies, in bytes.
    pub offset: Option<u64>,
    /// The failing statement of a batch, counted from 0.
    pub index: Option<u64>,
}

impl Error {
    pub(super) fn from_js(thrown: &JsValue) -> Self {
        let outcome = match get_string(thrown, "outcome").as_str() {
            "applied" => Outcome::Applied,
            "unknown" => Outcome::Unknown,
            _ => Outcome::NotApplied,
        };
        Self {
            code: get(thrown, "code").as_string().unwrap_or_else(|| "JAVASCRIPT".into()),
            message: get(thrown, "message").as_string().unwrap_or_else(|| format!("{thrown:?}")),
            outcome,
            sqlite: get_count(thrown, "sqlite"),
            sql: get(thrown, "sql").as_string(),
            offset: get_count(thrown, "offset"),
            index: get_count(thrown, "index"),
        }
    }

    /// The call itself went well, so a write that returned rows has been applied.
    pub(super) fn decode(error: &DecodeError) -> Self {
        let (code, message) = ("DECODE".into(), error.to_string());
        Self { code, message, outcome: Outcome::Applied, sqlite: None, sql: None, offset: None, index: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
