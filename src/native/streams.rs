//! What takes many messages: export, import and check, each in bounded pieces and with its progress.

use super::driver::Answer;
use super::error::Result;
use super::frames::unexpected;
use super::{CheckLevel, Checked, LocalHub};
use crate::wire::{self, Body, Op};
use std::io::{Read, Write};

/// The largest part of an import.
const PART_BYTES: u64 = 512 << 10;

impl LocalHub {
    /// Writes the whole database to `to` as an ordinary `SQLite` file, piece by piece. To `salvage` it, what cannot be read is
    /// written as zeros instead of ending the export. `progress` hears the bytes so far and the size. Returns how many bytes are
    /// such zeros.
    ///
    /// # Errors
    /// `HUB_CORRUPT` naming what cannot be read, unless it is to be salvaged; [`LocalError::Io`](super::LocalError::Io) from `to`.
    pub fn export(&mut self, to: &mut impl Write, salvage: bool, mut progress: impl FnMut(u64, u64)) -> Result<u64> {
        let id = self.driver.send(Op::Export(wire::Export { salvage: salvage.then_some(true) }), &[]);
        let mut lost = 0;
        loop {
            let Answer { body, payload } = self.driver.answer(id)?;
            let Body::Bytes(bytes) = body else { return Err(unexpected("bytes", &body)) };
            if let Err(error) = to.write_all(&payload) {
                self.cancel(id);
                return Err(error.into());
            }
            lost += bytes.lost.unwrap_or(0);
            progress(bytes.offset + payload.len() as u64, bytes.total);
            if bytes.end {
                to.flush()?;
                return Ok(lost);
            }
            self.driver.tell(Op::Pull(wire::Pull { target: id }), &[]);
        }
    }

    /// Replaces the whole database by the `SQLite` file of `size` bytes that is read from `from`, piece by piece; the database is
    /// as it was until everything has come. `progress` hears the bytes so far.
    ///
    /// # Errors
    /// `HUB_NOT_A_DATABASE`; [`LocalError::Io`](super::LocalError::Io) from `from`, also where it ends early.
    pub fn import(&mut self, from: &mut impl Read, size: u64, mut progress: impl FnMut(u64)) -> Result<()> {
        let id = self.driver.send(Op::Import(wire::Import { size }), &[]);
        let mut part = vec![];
        loop {
            let received = match self.driver.answer(id)?.body {
                Body::More(more) => more.received,
                Body::Done(_) => return Ok(()),
                other => return Err(unexpected("more", &other)),
            };
            progress(received);
            part.resize(usize::try_from(PART_BYTES.min(size - received)).expect("a part is small"), 0);
            if let Err(error) = from.read_exact(&mut part) {
                self.cancel(id);
                return Err(error.into());
            }
            let end = received + part.len() as u64 == size;
            self.driver.tell(Op::Part(wire::Part { target: id, end }), &part);
        }
    }

    /// Verifies what is stored and `SQLite`'s structures in it, and returns the problems found, none if all is well. `progress`
    /// hears of each step.
    ///
    /// # Errors
    /// Where it cannot be carried out; damage is a problem in the list, not an error.
    pub fn check(&mut self, level: CheckLevel, mut progress: impl FnMut(&Checked)) -> Result<Vec<String>> {
        let id = self.driver.send(Op::Check(wire::Check { level }), &[]);
        let mut problems = vec![];
        loop {
            let body = self.driver.answer(id)?.body;
            let Body::Checked(checked) = body else { return Err(unexpected("checked", &body)) };
            progress(&checked);
            problems.extend(checked.problems);
            if checked.end {
                return Ok(problems);
            }
            self.driver.tell(Op::Pull(wire::Pull { target: id }), &[]);
        }
    }

    /// Stops a stream and hears its end.
    fn cancel(&mut self, id: u64) {
        self.driver.tell(Op::Cancel(wire::Cancel { target: id, session: None }), &[]);
        while self.driver.answer(id).is_ok() {}
    }
}
