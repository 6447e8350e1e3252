//! How results and errors become frames.

use crate::engine::{Column, Statement, ValueRef};
use crate::error::{Error, Result};
use crate::wire;

/// A reply without its address: what a unit of work came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub body: wire::Body,
    pub payload: Vec<u8>,
}

impl Reply {
    pub fn bare(body: wire::Body) -> Self {
        Self { body, payload: vec![] }
    }

    pub fn done(changes: i64, last_insert_rowid: i64) -> Self {
        Self::bare(wire::Body::Done(wire::Done { changes: changes.cast_unsigned(), last_insert_rowid }))
    }
}

/// A failed request as it crosses the wire.
pub fn wire_error(error: &Error, sql: Option<&str>, index: Option<usize>) -> wire::WireError {
    let (sqlite, offset) = match error {
        Error::Sqlite { code, offset, .. } => (Some(*code), *offset),
        _ => (None, None),
    };
    let outcome = if error.is_in_doubt() { wire::Outcome::Unknown } else { wire::Outcome::NotApplied };
    wire::WireError {
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        outcome,
        sqlite,
        sql: sql.map(str::to_owned),
        offset,
        index: index.and_then(|i| u32::try_from(i).ok()),
    }
}

/// A result of the hub's own, not of a statement: its columns, and its cells row by row.
pub struct Table {
    columns: &'static [&'static str],
    pub cells: wire::RowsWriter,
}

impl Table {
    pub fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, cells: wire::RowsWriter::new() }
    }

    pub fn count(&mut self, number: u64) {
        self.cells.integer(number.cast_signed());
    }

    /// NULL for none.
    pub fn count_if_any(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.count(number),
            None => self.cells.null(),
        }
    }

    pub fn flag(&mut self, yes: bool) {
        self.cells.integer(yes.into());
    }

    /// Appends the cells to the payload.
    pub fn finish(self, payload: &mut Vec<u8>) -> wire::ResultShape {
        let rows = u32::try_from(self.cells.count() / self.columns.len()).expect("a result has fewer than 2^32 rows");
        self.cells.write_to(payload);
        let columns = self.columns.iter().map(|name| wire::Column { name: (*name).into(), declared: None }).collect();
        wire::ResultShape { columns, rows, ..wire::ResultShape::default() }
    }
}

/// Bytes of rows in one reply; larger results are for `iterate`.
const RESULT_BYTES_MAX: usize = 256 << 20;

/// Gathers the rows of one result.
#[derive(Default)]
pub struct Rows {
    writer: wire::RowsWriter,
    pub count: u32,
}

impl Rows {
    /// Takes the statement's current row.
    ///
    /// # Errors
    /// [`Error::Limit`] where the result outgrows one message.
    pub fn push(&mut self, statement: &Statement) -> Result<()> {
        for column in 0..statement.column_count() {
            match statement.value(column) {
                ValueRef::Null => self.writer.null(),
                ValueRef::Integer(n) => self.writer.integer(n),
                ValueRef::Real(x) => self.writer.real(x),
                ValueRef::Text(text) => self.writer.text(&text),
                ValueRef::Blob(blob) => self.writer.blob(blob),
            }
        }
        self.count += 1;
        if self.writer.bytes() > RESULT_BYTES_MAX {
            return Err(Error::Limit("the result exceeds 256 MiB: read it with iterate()".into()));
        }
        Ok(())
    }

    /// Takes what a statement without columns did.
    pub fn push_effect(&mut self, result: &wire::ResultShape) {
        self.writer.integer(result.changes.cast_signed());
        self.writer.integer(result.last_insert_rowid);
        self.count += 1;
    }

    pub fn bytes(&self) -> usize {
        self.writer.bytes()
    }

    pub fn write_to(&self, payload: &mut Vec<u8>) {
        self.writer.write_to(payload);
    }
}

pub fn wire_columns(columns: Vec<Column>) -> Vec<wire::Column> {
    columns.into_iter().map(|c| wire::Column { name: c.name, declared: c.declared }).collect()
}
