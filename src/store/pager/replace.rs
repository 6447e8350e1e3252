//! Importing: the whole database is replaced by another one, written beside it as a new generation and then named by the header.

use super::Pager;
use super::changes::all_changes;
use super::write::Purpose;
use crate::error::{Error, Result};
use crate::ids::{GroupNo, LogPos};
use crate::store::header::Header;
use crate::store::import::Import;
use crate::store::ops::{Key, Write};

impl Pager {
    /// Begins to replace the database by a file of `size` bytes. Everything published must be durable.
    ///
    /// # Errors
    /// As [`Import::new`].
    pub fn import_begin(&mut self, size: u64) -> Result<()> {
        debug_assert!(self.log.is_empty() && self.import.is_none(), "imports begin on a quiet database");
        self.import = Some(Import::new(self.header.generation.next(), size)?);
        Ok(())
    }

    /// Takes the next bytes of the file; [`Progress::ImportStep`](super::Progress::ImportStep) asks for more,
    /// [`Progress::Imported`](super::Progress::Imported) ends it.
    ///
    /// # Errors
    /// As [`Import::part`]; the import is then over and the database as before.
    pub fn import_part(&mut self, bytes: &[u8], end: bool) -> Result<()> {
        let import = self.import.as_mut().ok_or_else(|| Error::BadRequest("no import is under way".into()))?;
        match import.part(bytes, end) {
            Ok(writes) => self.import_writes.push((Purpose::ImportPart, writes)),
            Err(error) => {
                self.import_abort();
                return Err(error);
            }
        }
        if end {
            self.import_finish();
        }
        Ok(())
    }

    /// How many bytes of the import have come.
    #[must_use]
    pub fn import_received(&self) -> u64 {
        self.import.as_ref().map_or(0, Import::received)
    }

    /// Whether the step that replaces the database is on its way: only the store can say now what becomes of the import.
    #[must_use]
    pub fn import_is_decided(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| matches!(writing.purpose, Purpose::FinishImport(_)))
    }

    /// Gives the import up; the database stays as it was. Not once it [is decided](Self::import_is_decided).
    pub fn import_abort(&mut self) {
        if self.import_is_decided() {
            return;
        }
        if let Some(import) = self.import.take() {
            self.import_writes.clear();
            self.import_writes.push((Purpose::UndoImport, vec![import.undo()]));
        }
    }

    fn import_finish(&mut self) {
        let Some((block_bytes, blocks)) = self.import.as_ref().and_then(Import::shape) else { return };
        let checkpoint = self.published.next();
        let old = self.header.generation;
        let header = Header { generation: old.next(), block_bytes, blocks, checkpoint, ..self.header.clone() };
        let writes = vec![
            Write::Put(Key::Header, header.encode()),
            Write::Delete(Key::Log(LogPos(0)), Key::Log(LogPos(u64::MAX))),
            Write::Delete(Key::Group(old, GroupNo(0)), Key::Group(old, GroupNo(u32::MAX))),
            Write::Put(Key::Sessions, self.sessions.snapshot(self.durable)),
            all_changes(),
        ];
        self.import_writes.push((Purpose::FinishImport(header), writes));
    }

    /// Everything in memory belongs to the old generation: begin anew from the imported one.
    pub(super) fn replace(&mut self, header: Header) {
        self.end_checkpoint();
        self.import = None;
        self.versions.replace(header.checkpoint, header.blocks);
        (self.published, self.durable) = (header.checkpoint, header.checkpoint);
        self.log.drop_through(header.checkpoint);
        self.fetching.clear();
        self.wanted.clear();
        self.warming = (GroupNo(0), 0);
        (self.garbage, self.damage) = (None, None);
        self.header = header;
    }
}
