//! What is kept of a commit for those who carry changes elsewhere: a value of its own, put in the transaction that makes the commit.
//! Layout: `format.md`, "Changes".

use super::codec::{Fields, seal, unseal};
use super::header::FORMAT;
use crate::error::{Error, Result};
use crate::ids::CommitSeq;

const MAGIC: [u8; 4] = *b"THCS";
const KNOWN: u8 = 1;
const SCHEMA: u8 = 2;
const APPLIED: u8 = 4;

/// The rows that one commit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the format of `SQLite`'s session extension; empty where no row was changed. None where it was not noted, or is too large.
    pub changeset: Option<Vec<u8>>,
    /// The schema was changed as well, or may have been, which no changeset tells.
    pub schema: bool,
    /// The commit, or a part of it, came from elsewhere as a changeset.
    pub applied: bool,
}

impl Changes {
    #[must_use]
    pub fn encode(&self, commit: CommitSeq) -> Vec<u8> {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.changeset.is_some(), KNOWN) | flag(self.schema, SCHEMA) | flag(self.applied, APPLIED);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[flags, 0]);
        out.extend_from_slice(&commit.0.to_le_bytes());
        out.extend_from_slice(self.changeset.as_deref().unwrap_or_default());
        seal(out)
    }

    /// # Errors
    /// [`Error::Corrupt`] for a broken checksum, or the value of another commit; [`Error::Format`] for a newer format.
    pub fn decode(commit: CommitSeq, bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::Corrupt(["the changes of commit ", &commit.0.to_string(), " are damaged"].concat());
        let mut f = Fields(unseal(bytes).ok_or_else(corrupt)?);
        let mut read = || Some((f.bytes(4)? == MAGIC, f.u16()?, f.bytes(2)?[0], f.u64()?));
        match read() {
            Some((true, format, flags, of)) if format <= FORMAT && of == commit.0 => Ok(Self {
                changeset: (flags & KNOWN != 0).then(|| f.0.to_vec()),
                schema: flags & SCHEMA != 0,
                applied: flags & APPLIED != 0,
            }),
            Some((true, format, ..)) if format > FORMAT => Err(Error::Format("the changes are stored in a newer format".into())),
            _ => Err(corrupt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_what_is_damaged_or_of_another_commit_is_not() {
        let changeset = Some(b"T...".to_vec());
        for changes in [Changes::default(), Changes { changeset, schema: true, applied: true }] {
            let bytes = changes.encode(CommitSeq(7));
            assert_eq!(Changes::decode(CommitSeq(7), &bytes), Ok(changes));
            assert!(matches!(Changes::decode(CommitSeq(8), &bytes), Err(Error::Corrupt(_))));
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 2;
                assert!(matches!(Changes::decode(CommitSeq(7), &bad), Err(Error::Corrupt(_))), "byte {at}");
            }
        }
    }
}
