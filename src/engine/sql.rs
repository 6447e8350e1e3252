//! SQL as text: made ready for `SQLite`, and the little that is asked of it without parsing.

use crate::error::{Error, Result};
use std::ffi::CString;

/// SQL text ready for `SQLite`: without NUL, and ending with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql(CString);

impl Sql {
    /// # Errors
    /// [`Error::BadRequest`] for text with a NUL character.
    pub fn new(text: &str) -> Result<Self> {
        CString::new(text)
            .map(Self)
            .map_err(|e| Error::BadRequest(format!("the SQL has a NUL character at byte {}", e.nul_position())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("made from a str")
    }

    /// Whether nothing but white space and semicolons follows.
    #[must_use]
    pub fn is_blank_from(&self, at: usize) -> bool {
        self.0.as_bytes()[at..].iter().all(|b| b.is_ascii_whitespace() || *b == b';')
    }

    /// The text as `SQLite` takes it, with the NUL at its end.
    #[must_use]
    pub fn with_nul(&self) -> &[u8] {
        self.0.as_bytes_with_nul()
    }

    /// The first word of the statement at `from`, after white space and comments.
    #[must_use]
    pub fn first_word(&self, from: usize) -> &[u8] {
        first_word(&self.0.as_bytes()[from..])
    }
}

/// The first word of a statement, after white space and comments; empty where it begins with something else.
#[must_use]
pub fn first_word(mut sql: &[u8]) -> &[u8] {
    loop {
        sql = sql.trim_ascii_start();
        if let Some(rest) = sql.strip_prefix(b"--") {
            sql = rest.iter().position(|b| *b == b'\n').map_or(&[][..], |at| &rest[at..]);
        } else if let Some(rest) = sql.strip_prefix(b"/*") {
            sql = rest.windows(2).position(|w| w == b"*/").map_or(&[][..], |at| &rest[at + 2..]);
        } else {
            let end = sql.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(sql.len());
            return &sql[..end];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_found_behind_comments() {
        for (sql, word) in [("VACUUM", "VACUUM"), (" -- x\n/* vacuum */ vacuum;", "vacuum"), ("-- vacuum", ""), ("/* vacuum", "")]
        {
            assert_eq!(first_word(sql.as_bytes()), word.as_bytes(), "{sql}");
        }
    }
}
