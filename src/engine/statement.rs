//! Prepared statements: binding, stepping, reading rows.

use super::authorizer::{Control, Touched};
use super::value::ValueRef;
use crate::error::{Error, Result};
use crate::ffi;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};

/// A result column: its name, and the declared type where it comes straight from a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub declared: Option<String>,
}

/// Parameters of one statement: by position, or by name (with or without the prefix `:`, `@`, `$`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params<'a> {
    pub values: Vec<ValueRef<'a>>,
    pub names: Option<&'a [String]>,
}

/// What preparing found: a statement, or nothing (white space and comments), and where the next one begins.
pub struct Prepared {
    pub statement: Option<std::rc::Rc<Statement>>,
    pub end: usize,
}

/// A compiled statement; finalized when dropped, which must be before its connection closes.
#[derive(Debug)]
pub struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    pub control: Option<Control>,
    pub is_pragma: bool,
    pub is_vacuum: bool,
    /// What it touches, where that was asked for.
    pub touched: Option<Touched>,
}

impl Statement {
    pub(super) fn new(raw: *mut ffi::sqlite3_stmt, control: Option<Control>, is_pragma: bool, is_vacuum: bool) -> Self {
        Self { raw, control, is_pragma, is_vacuum, touched: None }
    }

    /// True where it writes nothing to the database.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw) != 0 }
    }

    /// True where it can be run beside others, as a read: it writes nothing and steers no transaction.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.is_readonly() && self.control.is_none() && !self.is_vacuum
    }

    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: a live statement; the strings are copied before anything else touches it.
        unsafe {
            let text = |p: *const c_char| (!p.is_null()).then(|| CStr::from_ptr(p).to_string_lossy().into_owned());
            (0..ffi::sqlite3_column_count(self.raw))
                .map(|i| Column {
                    name: text(ffi::sqlite3_column_name(self.raw, i)).unwrap_or_default(),
                    declared: text(ffi::sqlite3_column_decltype(self.raw, i)),
                })
                .collect()
        }
    }

    /// Binds all parameters.
    ///
    /// # Errors
    /// [`Error::BadRequest`] naming the parameter that is missing, unknown or too many; `SQLITE_TOOBIG`.
    pub fn bind(&self, params: &Params<'_>) -> Result<()> {
        // SAFETY: a live statement.
        let wanted = unsafe { ffi::sqlite3_bind_parameter_count(self.raw) };
        match params.names {
            None => self.bind_positional(params, wanted),
            Some(names) => self.bind_named(params, names, wanted),
        }
    }

    fn bind_positional(&self, params: &Params<'_>, wanted: c_int) -> Result<()> {
        let given = params.values.len();
        if usize::try_from(wanted) != Ok(given) {
            return Err(Error::BadRequest(format!("the statement takes {wanted} parameters, {given} were given")));
        }
        (1..).zip(&params.values).try_for_each(|(index, value)| self.bind_one(index, value))
    }

    fn bind_named(&self, params: &Params<'_>, names: &[String], wanted: c_int) -> Result<()> {
        let mut used = vec![false; names.len()];
        for index in 1..=wanted {
            let name = self
                .parameter_name(index)
                .ok_or_else(|| Error::BadRequest(format!("parameter {index} of the statement has no name: pass an array")))?;
            let found = names.iter().position(|n| *n == name || name.get(1..) == Some(n));
            let at = found.ok_or_else(|| Error::BadRequest(format!("parameter {name} was not given")))?;
            used[at] = true;
            self.bind_one(index, &params.values[at])?;
        }
        match used.iter().position(|used| !used) {
            Some(at) => Err(Error::BadRequest(format!("the statement has no parameter {}", names[at]))),
            None => Ok(()),
        }
    }

    fn parameter_name(&self, index: c_int) -> Option<String> {
        // SAFETY: a live statement; the name is copied at once.
        unsafe {
            let name = ffi::sqlite3_bind_parameter_name(self.raw, index);
            (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
        }
    }

    fn bind_one(&self, index: c_int, value: &ValueRef<'_>) -> Result<()> {
        // SAFETY: SQLITE_TRANSIENT makes SQLite copy text and blobs before the call returns.
        let rc = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(self.raw, index),
                ValueRef::Integer(n) => ffi::sqlite3_bind_int64(self.raw, index, *n),
                ValueRef::Real(x) => ffi::sqlite3_bind_double(self.raw, index, *x),
                ValueRef::Text(text) => {
                    let (len, utf8) = (text.len() as u64, u8::try_from(ffi::SQLITE_UTF8).expect("1"));
                    ffi::sqlite3_bind_text64(self.raw, index, text.as_ptr().cast(), len, ffi::SQLITE_TRANSIENT(), utf8)
                }
                ValueRef::Blob(blob) => {
                    ffi::sqlite3_bind_blob64(self.raw, index, blob.as_ptr().cast(), blob.len() as u64, ffi::SQLITE_TRANSIENT())
                }
            }
        };
        if rc == ffi::SQLITE_OK {
            return Ok(());
        }
        Err(Error::Sqlite { code: rc, message: format!("parameter {index} cannot be bound"), offset: None })
    }

    /// Steps once; the result code is `SQLITE_ROW`, `SQLITE_DONE` or an error.
    pub(super) fn step(&self) -> c_int {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_step(self.raw) }
    }

    /// Whether `SQLite` has compiled it once more since this was asked last.
    #[must_use]
    pub fn has_compiled_anew(&self) -> bool {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_stmt_status(self.raw, ffi::SQLITE_STMTSTATUS_REPREPARE, 1) != 0 }
    }

    /// Ends the execution and forgets the parameters.
    pub fn reset(&self) {
        // SAFETY: a live statement.
        unsafe {
            ffi::sqlite3_reset(self.raw);
            ffi::sqlite3_clear_bindings(self.raw);
        }
    }

    #[must_use]
    pub fn column_count(&self) -> c_int {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_column_count(self.raw) }
    }

    /// The same as `SQLite` has it.
    #[must_use]
    pub(super) fn raw_value(&self, column: c_int) -> *mut ffi::sqlite3_value {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_column_value(self.raw, column) }
    }

    /// A value of the current row, until the next step.
    #[must_use]
    pub fn value(&self, column: c_int) -> ValueRef<'_> {
        // SAFETY: SQLite keeps the bytes until the statement is stepped, reset or asked for a conversion; none happens
        // while the value is borrowed, since each column is read once and by its own type. The value is not protected by a mutex,
        // which only counts where several threads share a connection.
        unsafe { value_of(self.raw_value(column)) }
    }
}

/// # Safety
/// `SQLite` keeps the value, and has not been asked for another form of it, as long as this is borrowed.
pub(super) unsafe fn value_of<'a>(value: *mut ffi::sqlite3_value) -> ValueRef<'a> {
    unsafe {
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => {
                let bytes = bytes_of(value, ffi::sqlite3_value_text(value));
                // Looked at by words first, which the lossy way does not do.
                ValueRef::Text(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed))
            }
            ffi::SQLITE_BLOB => ValueRef::Blob(bytes_of(value, ffi::sqlite3_value_blob(value).cast())),
            _ => ValueRef::Null,
        }
    }
}

/// # Safety
/// `start` is what `SQLite` has just answered for the value.
pub(super) unsafe fn bytes_of<'a>(value: *mut ffi::sqlite3_value, start: *const u8) -> &'a [u8] {
    let len = unsafe { ffi::sqlite3_value_bytes(value) };
    match usize::try_from(len) {
        Ok(len) if len > 0 && !start.is_null() => unsafe { std::slice::from_raw_parts(start, len) },
        _ => &[],
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: finalized once, before the connection closes.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}
