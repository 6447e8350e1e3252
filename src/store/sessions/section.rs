//! The table of sessions as bytes: the section in a commit record, and the whole as a checkpoint writes it.

use super::{Entry, Sessions, State};
use crate::error::{Error, Result};
use crate::ids::CommitSeq;
use crate::store::codec::{Fields, seal, unseal};
use crate::store::header::FORMAT;
use crate::store::limits::Limits;
use std::rc::Rc;

const MAGIC: [u8; 4] = *b"THSS";

impl Sessions {
    /// The table as the last checkpoint left it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Format`].
    pub fn recover(stored: Option<&[u8]>, limits: Limits) -> Result<Self> {
        let mut sessions = Self { limits, rows: vec![], evicted: CommitSeq(0), told: CommitSeq(0) };
        let Some(stored) = stored else { return Ok(sessions) };
        let corrupt =
            || Error::Corrupt("the table of sessions is damaged: whether a repeated write is one cannot be told".into());
        let mut f = Fields(unseal(stored).ok_or_else(corrupt)?);
        if f.bytes(4) != Some(&MAGIC) {
            return Err(corrupt());
        }
        let format = f.u16().ok_or_else(corrupt)?;
        if format > FORMAT {
            return Err(Error::Format("the table of sessions was stored by a newer tabhub".into()));
        }
        sessions.evicted = f.bytes(2).and_then(|_| f.u64()).map(CommitSeq).ok_or_else(corrupt)?;
        // Format 2 did not say: every record of the log is laid over it.
        let told = if format == 2 { CommitSeq(0) } else { f.u64().map(CommitSeq).ok_or_else(corrupt)? };
        sessions.lay(f.0).ok_or_else(corrupt)?;
        sessions.told = told;
        Ok(sessions)
    }

    /// The table as a checkpoint writes it: nothing that a crash could undo.
    #[must_use]
    pub fn snapshot(&self, durable: CommitSeq) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.evicted.0.to_le_bytes());
        out.extend_from_slice(&durable.0.to_le_bytes());
        out.extend_from_slice(&self.encode(|entry| entry.after <= durable));
        seal(out)
    }

    pub(super) fn encode(&self, which: impl Fn(&Entry) -> bool) -> Vec<u8> {
        let mut out = vec![];
        for row in &self.rows {
            let entries: Vec<_> = row.entries.iter().filter(|entry| which(entry)).collect();
            let Some(last) = entries.iter().map(|entry| entry.after).max() else { continue };
            put_bytes(row.client.as_bytes(), &mut out);
            out.extend_from_slice(&row.answered.to_le_bytes());
            out.extend_from_slice(&last.0.to_le_bytes());
            out.extend_from_slice(&narrow(entries.len()));
            for entry in entries {
                out.extend_from_slice(&entry.number.to_le_bytes());
                out.push(u8::from(entry.is_final));
                put_bytes(&entry.bytes, &mut out);
            }
        }
        out
    }

    /// Lays what the record of `commit` says over the table; `None` where it cannot be read. Nobody is evicted before the last
    /// record: a later one would bring the client back, without what was known of it. For the same reason the records that the
    /// checkpoint's table knew of, and that a reader's snapshot kept in the log, are passed over.
    pub fn apply(&mut self, section: &[u8], commit: CommitSeq) -> Option<()> {
        if commit > self.told { self.lay(section) } else { Some(()) }
    }

    fn lay(&mut self, section: &[u8]) -> Option<()> {
        let mut f = Fields(section);
        while !f.0.is_empty() {
            let client = std::str::from_utf8(take_bytes(&mut f)?).ok()?;
            let answered = f.u64()?;
            let after = CommitSeq(f.u64()?);
            let at = self.row(client, answered);
            self.rows[at].answer(answered);
            for _ in 0..f.u32()? {
                let number = f.u64()?;
                let is_final = f.bytes(1)? == [1];
                let bytes = Rc::from(take_bytes(&mut f)?);
                self.rows[at].put(Entry { number, is_final, bytes, after, state: State::Stored });
            }
        }
        Some(())
    }
}

fn narrow(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("a session has fewer than 2^32 entries of fewer bytes").to_le_bytes()
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&narrow(bytes.len()));
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(f: &mut Fields<'a>) -> Option<&'a [u8]> {
    let length = f.u32()? as usize;
    f.bytes(length)
}
