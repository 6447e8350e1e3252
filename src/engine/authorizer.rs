//! What a statement is about, as `SQLite` tells its authorizer while it prepares it: transaction control is noted for the
//! hub to rule on, so are the tables that it reads and writes, and what a shared database cannot allow is refused.

use super::changes::Kinds;
use crate::error::Error;
use crate::ffi;
use crate::vfs::DbFile;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;

const TEMP: &str =
    "TEMP tables, views and triggers belong to a connection, and all tabs share the hub's: use an ordinary one or a WITH clause";

/// A statement that steers the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Begin,
    Commit,
    Rollback,
    /// `SAVEPOINT`, `RELEASE`, `ROLLBACK TO`.
    Savepoint,
}

/// What a statement touches, by its own words and by those of views, triggers and foreign keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    pub reads: Vec<String>,
    pub writes: Vec<(String, Kinds)>,
    /// It makes, alters or drops something, or has the database analyzed.
    pub schema: bool,
}

impl Touched {
    fn read(&mut self, table: &str) {
        if !self.reads.iter().any(|known| known == table) {
            self.reads.push(table.into());
        }
    }

    fn write(&mut self, table: &str, kinds: Kinds) {
        match self.writes.iter_mut().find(|(known, _)| known == table) {
            Some((_, known)) => *known = known.and(kinds),
            None => self.writes.push((table.into(), kinds)),
        }
    }
}

/// Shared with the connection, which resets it before each prepare.
pub struct Authorizer {
    file: Rc<DbFile>,
    pub control: Cell<Option<Control>>,
    pub pragma: Cell<bool>,
    /// Noted while somebody wants to know.
    pub touched: RefCell<Option<Touched>>,
    /// While a statement runs, the only thing that attaches is `VACUUM`, its own nameless file.
    pub running: Cell<bool>,
}

impl Authorizer {
    pub fn new(file: Rc<DbFile>) -> Self {
        Self { file, control: Cell::new(None), pragma: Cell::new(false), touched: RefCell::new(None), running: Cell::new(false) }
    }

    /// Installs it; `self` must outlive the connection.
    pub fn install(&self, db: *mut ffi::sqlite3) {
        let this = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: the connection owns both and closes the database first.
        unsafe { ffi::sqlite3_set_authorizer(db, Some(authorize), this) };
    }

    fn rule(&self, action: c_int, first: &str, database: &str) -> c_int {
        self.note(action, first);
        match action {
            ffi::SQLITE_TRANSACTION => self.control.set(Some(match first {
                "BEGIN" => Control::Begin,
                "COMMIT" => Control::Commit,
                _ => Control::Rollback,
            })),
            ffi::SQLITE_SAVEPOINT => self.control.set(Some(Control::Savepoint)),
            ffi::SQLITE_PRAGMA => self.pragma.set(true),
            ffi::SQLITE_ATTACH if self.running.get() && first.is_empty() => {}
            ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH if self.running.get() => {
                return self.refuse("VACUUM INTO has no file to write to: use db.export()");
            }
            ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH => {
                return self
                    .refuse("ATTACH and DETACH are not available: one hub serves one database; open() the other one beside it");
            }
            ffi::SQLITE_CREATE_TEMP_INDEX
            | ffi::SQLITE_CREATE_TEMP_TABLE
            | ffi::SQLITE_CREATE_TEMP_TRIGGER
            | ffi::SQLITE_CREATE_TEMP_VIEW => {
                return self.refuse(TEMP);
            }
            ffi::SQLITE_CREATE_TABLE
            | ffi::SQLITE_CREATE_VIEW
            | ffi::SQLITE_CREATE_INDEX
            | ffi::SQLITE_CREATE_TRIGGER
            | ffi::SQLITE_CREATE_VTABLE
                if database.eq_ignore_ascii_case("temp") =>
            {
                return self.refuse(TEMP);
            }
            _ => {}
        }
        ffi::SQLITE_OK
    }

    fn note(&self, action: c_int, first: &str) {
        let mut touched = self.touched.borrow_mut();
        let Some(touched) = touched.as_mut() else { return };
        match action {
            ffi::SQLITE_READ => touched.read(first),
            ffi::SQLITE_INSERT => touched.write(first, Kinds { insert: true, ..Kinds::default() }),
            ffi::SQLITE_UPDATE => touched.write(first, Kinds { update: true, ..Kinds::default() }),
            ffi::SQLITE_DELETE => touched.write(first, Kinds { delete: true, ..Kinds::default() }),
            ffi::SQLITE_CREATE_INDEX
            | ffi::SQLITE_CREATE_TABLE
            | ffi::SQLITE_CREATE_TRIGGER
            | ffi::SQLITE_CREATE_VIEW
            | ffi::SQLITE_CREATE_VTABLE
            | ffi::SQLITE_DROP_INDEX
            | ffi::SQLITE_DROP_TABLE
            | ffi::SQLITE_DROP_TRIGGER
            | ffi::SQLITE_DROP_VIEW
            | ffi::SQLITE_DROP_VTABLE
            | ffi::SQLITE_ALTER_TABLE
            | ffi::SQLITE_ANALYZE
            | ffi::SQLITE_PRAGMA => touched.schema = true,
            _ => {}
        }
    }

    fn refuse(&self, why: &str) -> c_int {
        self.file.refuse(Error::Refused(why.into()));
        ffi::SQLITE_DENY
    }
}

unsafe extern "C" fn authorize(
    this: *mut c_void,
    action: c_int,
    first: *const c_char,
    _: *const c_char,
    database: *const c_char,
    _: *const c_char,
) -> c_int {
    // SAFETY: `install` passed a live authorizer, and SQLite passes C strings or null.
    unsafe {
        let first = if first.is_null() { "" } else { CStr::from_ptr(first).to_str().unwrap_or("?") };
        let database = if database.is_null() { "" } else { CStr::from_ptr(database).to_str().unwrap_or("?") };
        (*this.cast::<Authorizer>()).rule(action, first, database)
    }
}
