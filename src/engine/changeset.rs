//! What a transaction changes, row by row, as a changeset of `SQLite`'s session extension (<https://www.sqlite.org/sessionintro.html>; the format is
//! described at the head of its source). That extension wants the one pre-update hook for itself, which also tells listeners and live queries of
//! changes, so its way of recording is repeated here: of every row that is touched its state before the transaction is noted, and at the commit
//! the row is looked up once more. What was written and taken back to a savepoint is no change then.
//!
//! As there, a table needs a PRIMARY KEY, and rows with a NULL in it are passed over.

use super::statement::Statement;
use super::value::ValueRef;
use crate::ffi;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::rc::Rc;

/// Bytes of one commit's changeset, and of what is noted for it; of more it is only known that there were changes.
pub const CHANGESET_BYTES_MAX: usize = 4 << 20;
/// What an entry takes beside its bytes.
const ENTRY_BYTES: usize = 64;

/// The types of values; 0 stands for one that is not told.
const INTEGER: u8 = 1;
const FLOAT: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;
const NULL: u8 = 5;
const UNTOLD: u8 = 0;

/// The columns of a table that hold values of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    names: Vec<String>,
    /// The place of each among all columns of the table.
    places: Vec<c_int>,
    /// The place of each in the PRIMARY KEY, from 1; 0 where it is not a part.
    pub keys: Vec<u8>,
    /// A query for one row, by its key.
    pub query: String,
}

/// A row that has been touched.
#[derive(Debug)]
struct Touched {
    key: Rc<[u8]>,
    /// None where there was no such row.
    before: Option<Vec<u8>>,
    /// By triggers and foreign keys only.
    is_indirect: bool,
}

#[derive(Debug)]
struct Table {
    name: Box<str>,
    shape: Rc<Shape>,
    /// The schema has been changed since that was asked for.
    is_stale: bool,
    rows: Vec<Touched>,
    known: HashMap<Rc<[u8]>, usize>,
}

/// The rows that the open transaction has touched.
#[derive(Debug, Default)]
pub struct Rows {
    tables: Vec<Table>,
    bytes: usize,
    /// They were too many, or a table became another one under them.
    is_lost: bool,
    /// Why it could not be asked what a table is like: the statement is to stop.
    failed: Option<c_int>,
}

/// One table's part of a changeset that is being made: the rows to be looked up, and what came of it.
pub struct TableChanges {
    pub name: Box<str>,
    pub shape: Rc<Shape>,
    rows: Vec<Touched>,
    /// Deletions, updates, insertions: what is deleted makes room for what is inserted.
    changes: [Vec<u8>; 3],
}

impl Rows {
    /// Notes a row that is about to be changed.
    ///
    /// # Safety
    /// Called from within the pre-update hook of `db`.
    pub unsafe fn note(&mut self, db: *mut ffi::sqlite3, table: &str, action: c_int) {
        if self.is_lost || self.failed.is_some() || is_own(table) {
            return;
        }
        // SAFETY: within the hook; the values live as long as that.
        unsafe {
            let Some(at) = self.table(db, table) else { return };
            let table = &mut self.tables[at];
            let (shape, is_indirect) = (table.shape.clone(), ffi::sqlite3_preupdate_depth(db) > 0);
            let of = |get: Get, is_key: bool| record(&shape, &|_, place| get_value(db, get, place), is_key);
            let old_key = (action != ffi::SQLITE_INSERT).then(|| of(ffi::sqlite3_preupdate_old, true));
            let new_key = (action != ffi::SQLITE_DELETE).then(|| of(ffi::sqlite3_preupdate_new, true));
            let new_key = new_key.filter(|key| old_key.as_ref() != Some(key));
            if let Some(Some(key)) = old_key {
                self.bytes += table.touch(&key, &|| of(ffi::sqlite3_preupdate_old, false), is_indirect);
            }
            if let Some(Some(key)) = new_key {
                self.bytes += table.touch(&key, &|| None, is_indirect);
            }
        }
        if self.bytes > CHANGESET_BYTES_MAX {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.forget();
        self.is_lost = true;
    }

    /// The place of a table that has a key; where its shape is not known, or may be another, it is asked for.
    unsafe fn table(&mut self, db: *mut ffi::sqlite3, name: &str) -> Option<usize> {
        let found = self.tables.iter().position(|table| *table.name == *name);
        if let Some(at) = found.filter(|at| !self.tables[*at].is_stale) {
            return Some(at).filter(|at| self.tables[*at].shape.has_key());
        }
        // SAFETY: as the caller's.
        let shape = match unsafe { Shape::of(db, name) } {
            Ok(shape) => Rc::new(shape.unwrap_or_default()),
            Err(rc) => {
                self.failed = Some(rc);
                return None;
            }
        };
        let has_key = shape.has_key();
        let at = found.unwrap_or(self.tables.len());
        if let Some(table) = self.tables.get_mut(at) {
            if !table.rows.is_empty() && table.shape != shape {
                self.lose();
                return None;
            }
            (table.shape, table.is_stale) = (shape, false);
        } else {
            self.tables.push(Table { name: name.into(), shape, is_stale: false, rows: vec![], known: HashMap::default() });
        }
        has_key.then_some(at)
    }

    /// A table may be another one now.
    pub fn schema_changes(&mut self) {
        self.tables.retain(|table| !table.rows.is_empty());
        self.tables.iter_mut().for_each(|table| table.is_stale = true);
    }

    /// The transaction is over: what is known of its tables stays.
    pub fn forget(&mut self) {
        (self.bytes, self.is_lost, self.failed) = (0, false, None);
        for table in &mut self.tables {
            table.rows.clear();
            table.known.clear();
        }
    }

    /// The tables with what is to be looked up, but for those that `is_kept` does not want; none where that is not known.
    ///
    /// # Errors
    /// The result code of what went wrong.
    ///
    /// # Safety
    /// A live connection.
    pub unsafe fn take(
        &mut self,
        db: *mut ffi::sqlite3,
        is_kept: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<TableChanges>>, c_int> {
        if let Some(rc) = self.failed {
            return Err(rc);
        }
        let mut taken = vec![];
        for table in self.tables.iter_mut().filter(|table| !table.rows.is_empty() && is_kept(&table.name)) {
            if table.is_stale {
                // SAFETY: the caller's.
                match unsafe { Shape::of(db, &table.name) }? {
                    Some(shape) if shape == *table.shape => {}
                    // Dropped: that the schema has changed is told.
                    None => continue,
                    Some(_) => return Ok(None),
                }
            }
            table.known.clear();
            let rows = std::mem::take(&mut table.rows);
            taken.push(TableChanges { name: table.name.clone(), shape: table.shape.clone(), rows, changes: Default::default() });
        }
        // What is taken is gone: should this commit fail and another be tried, nobody knows.
        let was_lost = std::mem::replace(&mut self.is_lost, true);
        Ok((!was_lost).then_some(taken))
    }
}

impl Table {
    /// Notes a row the first time; returns how many bytes that takes.
    fn touch(&mut self, key: &[u8], before: &dyn Fn() -> Option<Vec<u8>>, is_indirect: bool) -> usize {
        if let Some(at) = self.known.get(key) {
            self.rows[*at].is_indirect &= is_indirect;
            return 0;
        }
        let (key, before) = (Rc::<[u8]>::from(key), before());
        let bytes = key.len() + before.as_ref().map_or(0, Vec::len) + ENTRY_BYTES;
        self.known.insert(key.clone(), self.rows.len());
        self.rows.push(Touched { key, before, is_indirect });
        bytes
    }
}

impl TableChanges {
    /// How many rows are to be looked up.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The key of one of them, as parameters of the query; none where it says text that is none.
    pub fn key(&self, at: usize) -> Option<Vec<ValueRef<'_>>> {
        let mut key = vec![];
        for value in values(&self.rows[at].key) {
            key.push(value_ref(value)?);
        }
        Some(key)
    }

    /// What one of them is now.
    pub fn found(&mut self, at: usize, statement: Option<&Statement>) {
        let row = &self.rows[at];
        let after = statement.and_then(|found| record(&self.shape, &|column, _| Some(found.raw_value(column)), false));
        // By the key's collation it may be another row.
        let after = after.filter(|after| key_of(&self.shape, after) == *row.key);
        let (kind, operation) = match (&row.before, &after) {
            (Some(_), None) => (0, ffi::SQLITE_DELETE),
            (Some(before), Some(after)) if before != after => (1, ffi::SQLITE_UPDATE),
            (None, Some(_)) => (2, ffi::SQLITE_INSERT),
            _ => return,
        };
        let out = &mut self.changes[kind];
        out.extend_from_slice(&[u8::try_from(operation).unwrap_or_default(), u8::from(row.is_indirect)]);
        match (&row.before, &after) {
            (Some(before), Some(after)) => append_update(&self.shape, before, after, out),
            (Some(one), None) | (None, Some(one)) => out.extend_from_slice(one),
            (None, None) => {}
        }
    }

    /// Appends them to a changeset.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        if self.changes.iter().all(Vec::is_empty) {
            return;
        }
        out.push(b'T');
        append_length(self.shape.keys.len(), out);
        out.extend_from_slice(&self.shape.keys);
        out.extend_from_slice(self.name.as_bytes());
        out.push(0);
        self.changes.iter().for_each(|changes| out.extend_from_slice(changes));
    }
}

impl Shape {
    /// What `SQLite` says of a table; none if there is none.
    ///
    /// # Errors
    /// The result code where it does not say all of it, as when it is to stop.
    ///
    /// # Safety
    /// A live connection.
    pub unsafe fn of(db: *mut ffi::sqlite3, table: &str) -> Result<Option<Self>, c_int> {
        let mut sql = String::from("PRAGMA main.table_xinfo(");
        push_quoted(&mut sql, table);
        sql += ")";
        let Ok(sql) = CString::new(sql) else { return Ok(None) };
        let (mut shape, mut raw) = (Self::default(), std::ptr::null_mut());
        // SAFETY: a live connection; the statement is finalized when it is dropped. The schema is in memory: nothing is read.
        let mut rc = unsafe { ffi::sqlite3_prepare_v2(db, sql.as_ptr(), -1, &raw mut raw, std::ptr::null_mut()) };
        let statement = Statement::new(raw, None, true, false);
        while rc == ffi::SQLITE_OK || rc == ffi::SQLITE_ROW {
            rc = statement.step();
            if rc != ffi::SQLITE_ROW {
                break;
            }
            if let (ValueRef::Integer(place), ValueRef::Text(name), ValueRef::Integer(key), ValueRef::Integer(0)) =
                (statement.value(0), statement.value(1), statement.value(5), statement.value(6))
            {
                shape.places.push(c_int::try_from(place).unwrap_or(c_int::MAX));
                shape.names.push(name.into_owned());
                shape.keys.push(u8::try_from(key).unwrap_or(u8::MAX));
            }
        }
        if rc != ffi::SQLITE_DONE {
            return Err(rc);
        }
        shape.query = shape.query_of(table);
        Ok((!shape.names.is_empty()).then_some(shape))
    }

    fn query_of(&self, table: &str) -> String {
        let (mut columns, mut terms) = (String::from("SELECT "), String::from(" WHERE "));
        for (at, (name, key)) in self.names.iter().zip(&self.keys).enumerate() {
            if at > 0 {
                columns += ", ";
            }
            push_quoted(&mut columns, name);
            if *key > 0 {
                if terms.ends_with('?') {
                    terms += " AND ";
                }
                push_quoted(&mut terms, name);
                terms += " IS ?";
            }
        }
        columns += " FROM main.";
        push_quoted(&mut columns, table);
        columns + &terms
    }

    pub fn has_key(&self) -> bool {
        self.keys.iter().any(|key| *key > 0)
    }
}

/// `SQLite`'s own tables.
fn is_own(table: &str) -> bool {
    table.as_bytes().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"sqlite_"))
}

fn push_quoted(sql: &mut String, name: &str) {
    sql.push('"');
    for character in name.chars() {
        sql.push(character);
        if character == '"' {
            sql.push(character);
        }
    }
    sql.push('"');
}

type Get = unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int;

/// # Safety
/// Called from within the pre-update hook of `db`.
unsafe fn get_value(db: *mut ffi::sqlite3, get: Get, place: c_int) -> Option<*mut ffi::sqlite3_value> {
    let mut value = std::ptr::null_mut();
    // SAFETY: the caller's.
    let rc = unsafe { get(db, place, &raw mut value) };
    (rc == ffi::SQLITE_OK && !value.is_null()).then_some(value)
}

/// The values of a row, or of its key, each asked for by its place among these columns and among all; none for a key with a NULL.
fn record(shape: &Shape, value: &dyn Fn(c_int, c_int) -> Option<*mut ffi::sqlite3_value>, is_key: bool) -> Option<Vec<u8>> {
    let mut out = vec![];
    for ((column, place), key) in (0..).zip(&shape.places).zip(&shape.keys) {
        if is_key && *key == 0 {
            continue;
        }
        let start = out.len();
        // SAFETY: SQLite keeps the value until the hook ends, or the statement is stepped.
        match value(column, *place) {
            Some(value) => unsafe { append_value(value, &mut out) },
            None => out.push(NULL),
        }
        if is_key && out[start] == NULL {
            return None;
        }
    }
    Some(out)
}

fn key_of(shape: &Shape, record: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    for (value, key) in values(record).zip(&shape.keys) {
        if *key > 0 {
            out.extend_from_slice(value);
        }
    }
    out
}

/// The key and what has changed, as it was; then what has changed, as it is.
fn append_update(shape: &Shape, before: &[u8], after: &[u8], out: &mut Vec<u8>) {
    let mut is = vec![];
    for ((old, new), key) in values(before).zip(values(after)).zip(&shape.keys) {
        let has_changed = old != new;
        out.extend_from_slice(if has_changed || *key > 0 { old } else { &[UNTOLD] });
        is.extend_from_slice(if has_changed { new } else { &[UNTOLD] });
    }
    out.extend_from_slice(&is);
}

/// # Safety
/// `SQLite` keeps the value.
unsafe fn append_value(value: *mut ffi::sqlite3_value, out: &mut Vec<u8>) {
    // SAFETY: the caller's; the length is asked for after the bytes, which may be converted.
    unsafe {
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => {
                out.push(INTEGER);
                out.extend_from_slice(&ffi::sqlite3_value_int64(value).to_be_bytes());
            }
            ffi::SQLITE_FLOAT => {
                out.push(FLOAT);
                out.extend_from_slice(&ffi::sqlite3_value_double(value).to_be_bytes());
            }
            ffi::SQLITE_TEXT => append_bytes(TEXT, super::statement::bytes_of(value, ffi::sqlite3_value_text(value)), out),
            ffi::SQLITE_BLOB => append_bytes(BLOB, super::statement::bytes_of(value, ffi::sqlite3_value_blob(value).cast()), out),
            _ => out.push(NULL),
        }
    }
}

fn append_bytes(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    append_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// `SQLite`'s varint.
fn append_length(length: usize, out: &mut Vec<u8>) {
    let groups = (usize::BITS - length.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = (length >> (7 * group)) & 0x7f;
        out.push(u8::try_from(bits).unwrap_or_default() | if group > 0 { 0x80 } else { 0 });
    }
}

/// The values of a record, each with its type.
fn values(mut record: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, bytes) = match *record.first()? {
            INTEGER | FLOAT => (1, 8),
            TEXT | BLOB => length(record),
            _ => (1, 0),
        };
        let (value, rest) = record.split_at_checked(head + bytes)?;
        record = rest;
        Some(value)
    })
}

/// Where the bytes of a text or blob begin, and how many they are.
fn length(value: &[u8]) -> (usize, usize) {
    let (mut at, mut length) = (1, 0);
    while let Some(byte) = value.get(at) {
        at += 1;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (at, length)
}

/// As a parameter; none for text that is none.
fn value_ref(value: &[u8]) -> Option<ValueRef<'_>> {
    let number = || value.get(1..).and_then(|bytes| bytes.try_into().ok());
    Some(match *value.first()? {
        INTEGER => ValueRef::Integer(i64::from_be_bytes(number()?)),
        FLOAT => ValueRef::Real(f64::from_be_bytes(number()?)),
        TEXT => ValueRef::Text(Cow::Borrowed(std::str::from_utf8(&value[length(value).0..]).ok()?)),
        BLOB => ValueRef::Blob(&value[length(value).0..]),
        _ => ValueRef::Null,
    })
}

/// What `SQLite` calls something; "?" where that is no text.
///
/// # Safety
/// A C string that lives as long.
pub unsafe fn text_of<'a>(text: *const std::ffi::c_char) -> &'a str {
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_varints_and_values_are_found_one_after_the_other() {
        let mut record = vec![];
        let long = vec![7; 20_000];
        append_bytes(TEXT, b"", &mut record);
        append_bytes(BLOB, &long, &mut record);
        append_bytes(TEXT, &[b'x'; 127], &mut record);
        append_bytes(TEXT, &[b'x'; 128], &mut record);
        record.push(NULL);
        let lengths: Vec<_> = values(&record).map(<[u8]>::len).collect();
        assert_eq!(lengths, [2, 20_004, 129, 131, 1]);
        assert_eq!(values(&record).nth(1).and_then(value_ref), Some(ValueRef::Blob(&long)));
        assert_eq!(&record[2..6], [BLOB, 0x81, 0x9c, 0x20]);
    }
}
