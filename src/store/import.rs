//! Turns the bytes of a `SQLite` file into the block groups of a new generation. Nothing of it is visible until the header
//! names that generation; an import that stops half-way leaves only garbage that the next open deletes.

use super::Block;
use super::group::Grouping;
use super::ops::{Key, Write};
use crate::error::{Error, Result};
use crate::ids::{Generation, GroupNo};

/// Bytes of `SQLite`'s file header (<https://www.sqlite.org/fileformat.html>, 1.3).
const FILE_HEADER_BYTES: usize = 100;

#[derive(Debug)]
pub struct Import {
    generation: Generation,
    size: u64,
    received: u64,
    pending: Vec<u8>,
    grouping: Option<Grouping>,
    next: GroupNo,
}

impl Import {
    /// `size`: bytes to come.
    ///
    /// # Errors
    /// [`Error::NotADatabase`] where no database has that size.
    pub fn new(generation: Generation, size: u64) -> Result<Self> {
        if size < 512 {
            return Err(Error::NotADatabase(format!("a SQLite database has at least 512 bytes, this has {size}")));
        }
        Ok(Self { generation, size, received: 0, pending: vec![], grouping: None, next: GroupNo(0) })
    }

    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next bytes; returns the groups that they complete.
    ///
    /// # Errors
    /// [`Error::NotADatabase`] for a wrong file header, a file shorter than its header says, or more bytes than announced.
    pub fn part(&mut self, bytes: &[u8], end: bool) -> Result<Vec<Write>> {
        self.received += bytes.len() as u64;
        self.pending.extend_from_slice(bytes);
        if self.received > self.size || (end && self.received < self.size) {
            return Err(Error::NotADatabase(format!("{} bytes were announced, {} came", self.size, self.received)));
        }
        let grouping = match self.grouping {
            Some(grouping) => grouping,
            None if self.pending.len() < FILE_HEADER_BYTES => return Ok(vec![]),
            None => {
                let block_bytes = check_file_header(&mut self.pending, self.size)?;
                *self.grouping.insert(Grouping { block_bytes })
            }
        };
        Ok(self.take_groups(grouping, end))
    }

    fn take_groups(&mut self, grouping: Grouping, end: bool) -> Vec<Write> {
        let block = grouping.block_bytes as usize;
        let group = block * grouping.blocks_per_group() as usize;
        let whole = if end { self.pending.len() } else { self.pending.len() / group * group };
        let mut writes = vec![];
        for bytes in self.pending[..whole].chunks(group) {
            let blocks: Vec<_> = grouping.blocks_of(self.next).zip(bytes.chunks_exact(block).map(Block::from)).collect();
            let value = grouping.encode(self.generation, self.next, &blocks);
            writes.push(Write::Put(Key::Group(self.generation, self.next), value));
            self.next = self.next.next();
        }
        self.pending.drain(..whole);
        writes
    }

    /// Block size and number of blocks, once everything has come.
    #[must_use]
    pub fn shape(&self) -> Option<(u32, u32)> {
        let block_bytes = self.grouping?.block_bytes;
        let blocks = u32::try_from(self.size / u64::from(block_bytes)).ok()?;
        (self.received == self.size).then_some((block_bytes, blocks))
    }

    /// What removes all that an abandoned import has written.
    #[must_use]
    pub fn undo(&self) -> Write {
        Write::Delete(Key::Group(self.generation, GroupNo(0)), Key::Group(self.generation, GroupNo(u32::MAX)))
    }
}

/// Checks the file header against the size, makes the file a rollback-journal database, and returns its page size.
fn check_file_header(file: &mut [u8], size: u64) -> Result<u32> {
    let fail = |why: String| Err(Error::NotADatabase(why));
    if &file[..16] != b"SQLite format 3\0" {
        return fail("the file does not begin with SQLite's magic string".into());
    }
    let page = match u32::from(u16::from_be_bytes([file[16], file[17]])) {
        1 => 65536,
        n => n,
    };
    if !page.is_power_of_two() || !(512..=65536).contains(&page) {
        return fail(format!("the file header names an impossible page size, {page}"));
    }
    let field = |at: usize| u32::from_be_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
    let (changes, pages, valid_for) = (field(24), field(28), field(92));
    if !size.is_multiple_of(u64::from(page)) || size / u64::from(page) > u64::from(u32::MAX) {
        return fail(format!("{size} bytes are not a whole number of {page}-byte pages: the file is truncated"));
    }
    if changes == valid_for && u64::from(pages) * u64::from(page) > size {
        return fail(format!("the file has {} of its {pages} pages: it is truncated", size / u64::from(page)));
    }
    if !matches!(file.get(100), None | Some(0x05 | 0x0d)) {
        return fail("the first page holds no schema table: the file is damaged".into());
    }
    // A database left in WAL mode cannot be opened by a VFS without shared memory.
    (file[18], file[19]) = (1, 1);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pages: u32) -> Vec<u8> {
        let mut file = vec![0u8; pages as usize * 1024];
        file[..16].copy_from_slice(b"SQLite format 3\0");
        file[16..18].copy_from_slice(&1024u16.to_be_bytes());
        (file[18], file[19], file[100]) = (2, 2, 0x0d);
        file[28..32].copy_from_slice(&pages.to_be_bytes());
        file
    }

    /// What an import wrote, and the shape of the database.
    type Imported = (Vec<Write>, Option<(u32, u32)>);

    fn import(bytes: &[u8], announced: u64, part: usize) -> Result<Imported> {
        let mut import = Import::new(Generation(2), announced)?;
        let mut writes = vec![];
        let parts: Vec<_> = bytes.chunks(part).collect();
        for (i, bytes) in parts.iter().enumerate() {
            writes.extend(import.part(bytes, i + 1 == parts.len())?);
        }
        Ok((writes, import.shape()))
    }

    #[test]
    fn any_slicing_gives_the_same_groups() {
        let bytes = file(150);
        let whole = import(&bytes, bytes.len() as u64, bytes.len()).unwrap();
        assert_eq!((whole.0.len(), whole.1), (3, Some((1024, 150))));
        for part in [7, 100, 1000, 65536] {
            assert_eq!(import(&bytes, bytes.len() as u64, part), Ok(whole.clone()), "parts of {part}");
        }
    }

    #[test]
    fn what_is_not_a_whole_database_is_refused() {
        let good = file(4);
        let cases: [(&str, Vec<u8>); 5] = [
            ("magic", [b"SQLite format 4\0", &good[16..]].concat()),
            ("page size", [&good[..16], &[3, 3], &good[18..]].concat()),
            ("cut inside a page", good[..4000].to_vec()),
            ("cut at a page", good[..3072].to_vec()),
            ("schema", [&good[..100], &[0x77], &good[101..]].concat()),
        ];
        for (what, bytes) in cases {
            let result = import(&bytes, bytes.len() as u64, 512);
            assert!(matches!(result, Err(Error::NotADatabase(_))), "{what}: {result:?}");
        }
        assert!(import(&good, 5000, 512).is_err(), "fewer bytes than announced");
        assert!(import(&good, 2048, 512).is_err(), "more bytes than announced");
        assert!(import(&[], 0, 1).is_err(), "empty");
    }
}
