//! Temporary files: what sorting, grouping and `VACUUM` spill. They live in memory, in chunks, and all of one kind together may
//! take so much and no more: a statement that wants more fails, and the hub goes on.

use std::cell::Cell;

const CHUNK: usize = 64 << 10;

/// Who fills the file, and so which budget it counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sorting, grouping, `DISTINCT`, materialized subqueries.
    Sort,
    /// `VACUUM` builds the new database in one.
    Vacuum,
}

/// Bytes that all sorting statements together may have spilled.
pub const SORT_BYTES_MAX: usize = 256 << 20;
/// Bytes of the database that a `VACUUM` builds.
pub const VACUUM_BYTES_MAX: usize = 512 << 20;

thread_local! {
    static SORT_BYTES: Cell<usize> = const { Cell::new(0) };
    static VACUUM_BYTES: Cell<usize> = const { Cell::new(0) };
    static EXCEEDED: Cell<Option<Purpose>> = const { Cell::new(None) };
}

impl Purpose {
    /// Takes bytes from the budget, if there are so many left.
    fn take(self, bytes: usize) -> bool {
        let (used, most) = match self {
            Purpose::Sort => (&SORT_BYTES, SORT_BYTES_MAX),
            Purpose::Vacuum => (&VACUUM_BYTES, VACUUM_BYTES_MAX),
        };
        let fits = used.get() + bytes <= most;
        if fits {
            used.set(used.get() + bytes);
        } else {
            EXCEEDED.set(Some(self));
        }
        fits
    }

    fn give_back(self, bytes: usize) {
        let used = if self == Purpose::Sort { &SORT_BYTES } else { &VACUUM_BYTES };
        used.set(used.get() - bytes);
    }
}

/// Bytes in temporary files.
#[must_use]
pub fn bytes() -> usize {
    SORT_BYTES.get() + VACUUM_BYTES.get()
}

/// The budget that a write did not fit since the last call, if there was one.
pub fn take_exceeded() -> Option<Purpose> {
    EXCEEDED.take()
}

pub struct TempFile {
    purpose: Purpose,
    chunks: Vec<Box<[u8]>>,
    size: usize,
}

impl TempFile {
    pub fn new(purpose: Purpose) -> Self {
        Self { purpose, chunks: vec![], size: 0 }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Fills `buf` from the file, with zeros beyond its end; returns how many bytes there were.
    pub fn read(&self, buf: &mut [u8], from: usize) -> usize {
        let found = self.size.saturating_sub(from).min(buf.len());
        buf[found..].fill(0);
        let mut done = 0;
        while done < found {
            let (chunk, within) = ((from + done) / CHUNK, (from + done) % CHUNK);
            let n = (found - done).min(CHUNK - within);
            buf[done..done + n].copy_from_slice(&self.chunks[chunk][within..within + n]);
            done += n;
        }
        found
    }

    /// False where the budget has no room for it.
    pub fn write(&mut self, bytes: &[u8], from: usize) -> bool {
        let end = from + bytes.len();
        while self.chunks.len() * CHUNK < end {
            if !self.purpose.take(CHUNK) {
                return false;
            }
            let Some(chunk) = zeros() else {
                self.purpose.give_back(CHUNK);
                EXCEEDED.set(Some(self.purpose));
                return false;
            };
            self.chunks.push(chunk);
        }
        let mut done = 0;
        while done < bytes.len() {
            let (chunk, within) = ((from + done) / CHUNK, (from + done) % CHUNK);
            let n = (bytes.len() - done).min(CHUNK - within);
            self.chunks[chunk][within..within + n].copy_from_slice(&bytes[done..done + n]);
            done += n;
        }
        self.size = self.size.max(end);
        true
    }

    pub fn truncate(&mut self, size: usize) {
        let (kept, before) = (size.div_ceil(CHUNK), self.chunks.len());
        if size < self.size {
            self.size = size;
            self.chunks.truncate(kept);
            self.purpose.give_back((before - self.chunks.len()) * CHUNK);
            if let Some(last) = self.chunks.last_mut().filter(|_| !size.is_multiple_of(CHUNK)) {
                last[size % CHUNK..].fill(0);
            }
        }
    }
}

/// A chunk, unless there is no memory left, which must not end the hub.
fn zeros() -> Option<Box<[u8]>> {
    let mut chunk = Vec::new();
    chunk.try_reserve_exact(CHUNK).ok()?;
    chunk.resize(CHUNK, 0);
    Some(chunk.into())
}

impl Drop for TempFile {
    fn drop(&mut self) {
        self.purpose.give_back(self.chunks.len() * CHUNK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_file(steps in prop::collection::vec((0usize..200_000, 0usize..90_000, any::<u8>(), any::<bool>()), 1..20)) {
            let (mut file, mut model) = (TempFile::new(Purpose::Sort), Vec::<u8>::new());
            for (from, len, fill, cut) in steps {
                if cut {
                    file.truncate(from);
                    model.truncate(from);
                } else {
                    prop_assert!(file.write(&vec![fill; len], from));
                    if len > 0 || from + len > model.len() {
                        model.resize(model.len().max(from + len), 0);
                    }
                    model[from..from + len].fill(fill);
                }
                let (mut buf, at) = (vec![9; 1000], from.saturating_sub(500));
                let found = file.read(&mut buf, at);
                let expected = model.get(at..).unwrap_or_default();
                prop_assert_eq!(file.size(), model.len());
                prop_assert_eq!(found, expected.len().min(1000));
                prop_assert_eq!(&buf[..found], &expected[..found]);
                prop_assert!(buf[found..].iter().all(|byte| *byte == 0));
            }
            drop(file);
            prop_assert_eq!(bytes(), 0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_was_taken_comes_back() {
        let mut file = TempFile::new(Purpose::Sort);
        assert!(!file.write(&[1], SORT_BYTES_MAX));
        assert_eq!((take_exceeded(), bytes()), (Some(Purpose::Sort), SORT_BYTES_MAX));
        drop(file);
        assert_eq!((take_exceeded(), bytes()), (None, 0));
    }
}
