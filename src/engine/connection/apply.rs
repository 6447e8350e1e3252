//! Applying a changeset that came from elsewhere, with `SQLite`'s session extension (<https://www.sqlite.org/session/sqlite3changeset_apply.html>).
//! That passes over what does not fit the schema without a word, so everything is looked at before.

use super::Connection;
use crate::engine::Attempt;
use crate::engine::changeset::{Shape, text_of};
use crate::error::{Error, Result};
use crate::ffi;
use std::ffi::{c_char, c_int, c_uchar, c_void};

/// What becomes of a change that does not fit the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Nothing of the changeset is applied.
    Abort,
    /// It is left out.
    Omit,
    /// It wins, where there is a row that it can win over; otherwise it is left out.
    Replace,
}

/// A change that did not fit the data, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub table: String,
    pub operation: &'static str,
    pub reason: &'static str,
    pub resolution: &'static str,
    /// The row's PRIMARY KEY, as text.
    pub key: String,
}

/// What applying a changeset came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows changed, by the changeset, triggers and foreign keys.
    pub changes: i64,
    /// The first 1,000 of them.
    pub conflicts: Vec<Conflict>,
}

/// Conflicts that are told one by one.
const CONFLICTS_MAX: usize = 1_000;

/// What the callbacks share.
struct Conflicts {
    policy: ConflictPolicy,
    found: Vec<Conflict>,
    aborted_by: Option<Conflict>,
}

impl Connection {
    /// Applies a changeset, or a patchset, inside the open transaction; where it fails nothing of it stays.
    ///
    /// # Errors
    /// [`Error::BadRequest`] for bytes that are none, and for a table that is missing or has other columns; [`Error::Conflict`];
    /// `SQLite`'s error; a miss.
    pub fn apply(&mut self, changeset: &[u8], policy: ConflictPolicy) -> Attempt<Applied> {
        let length = c_int::try_from(changeset.len()).map_err(|_| Error::Limit("the changeset exceeds 2 GiB".into()))?;
        let bytes = changeset.as_ptr().cast_mut().cast::<c_void>();
        // SAFETY: a live handle, and bytes that outlive the iterator, which does not write to them.
        unsafe { self.check_changeset(length, bytes)? };
        let before = self.total_changes();
        let mut conflicts = Conflicts { policy, found: vec![], aborted_by: None };
        // SAFETY: as above; the callbacks get what lives on this stack.
        let rc = unsafe {
            let context = (&raw mut conflicts).cast::<c_void>();
            let (none, no_length) = (std::ptr::null_mut(), std::ptr::null_mut());
            ffi::sqlite3changeset_apply_v2(self.db.0, length, bytes, None, Some(on_conflict), context, none, no_length, 0)
        };
        match conflicts.aborted_by {
            // After a miss its judgement counts for nothing.
            Some(conflict) if !self.file.has_misses() => Err(Error::Conflict(conflict.message()).into()),
            _ => {
                self.check(rc)?;
                self.recorder.has_applied.set(true);
                Ok(Applied { changes: self.total_changes() - before, conflicts: conflicts.found })
            }
        }
    }

    /// # Safety
    /// `bytes` are `length` long and outlive this.
    unsafe fn check_changeset(&self, length: c_int, bytes: *mut c_void) -> Attempt<()> {
        let mut known: Vec<(String, Vec<u8>)> = vec![];
        let mut iterator = Iterator(std::ptr::null_mut());
        // SAFETY: the caller's; what the iterator hands out lives as long as its present change.
        unsafe {
            let mut rc = ffi::sqlite3changeset_start(&raw mut iterator.0, length, bytes);
            while rc == ffi::SQLITE_OK {
                rc = ffi::sqlite3changeset_next(iterator.0);
                if rc != ffi::SQLITE_ROW {
                    break;
                }
                rc = ffi::SQLITE_OK;
                let change = Change::of(iterator.0);
                if !known.iter().any(|(table, keys)| *table == change.table && *keys == change.keys) {
                    match Shape::of(self.db.0, change.table) {
                        Ok(shape) => change.check(shape)?,
                        Err(rc) => return self.check(rc),
                    }
                    known.push((change.table.into(), change.keys.into()));
                }
            }
            if rc == ffi::SQLITE_DONE {
                return Ok(());
            }
        }
        Err(Error::BadRequest("the changeset is damaged, or is none: pass the bytes as changes() gave them".into()).into())
    }
}

/// Ends with its scope.
struct Iterator(*mut ffi::sqlite3_changeset_iter);

impl Drop for Iterator {
    fn drop(&mut self) {
        // SAFETY: finalized once; null is let pass.
        unsafe { ffi::sqlite3changeset_finalize(self.0) };
    }
}

/// The change that an iterator stands at.
struct Change<'a> {
    table: &'a str,
    operation: c_int,
    /// For each column whether it is a part of the PRIMARY KEY.
    keys: &'a [u8],
}

impl Change<'_> {
    /// # Safety
    /// A live iterator that stands at a change.
    unsafe fn of(iterator: *mut ffi::sqlite3_changeset_iter) -> Self {
        let (mut table, mut columns, mut operation, mut indirect): (*const c_char, c_int, c_int, c_int) =
            (std::ptr::null(), 0, 0, 0);
        let mut keys: *mut c_uchar = std::ptr::null_mut();
        // SAFETY: the caller's.
        unsafe {
            ffi::sqlite3changeset_op(iterator, &raw mut table, &raw mut columns, &raw mut operation, &raw mut indirect);
            ffi::sqlite3changeset_pk(iterator, &raw mut keys, &raw mut columns);
            let keys: &[u8] = match usize::try_from(columns) {
                Ok(columns) if !keys.is_null() => std::slice::from_raw_parts(keys, columns),
                _ => &[],
            };
            Self { table: if table.is_null() { "" } else { text_of(table) }, operation, keys }
        }
    }

    /// The table may have got columns at its end.
    fn check(&self, shape: Option<Shape>) -> Result<()> {
        let fail = |why: &[&str]| {
            Err(Error::BadRequest(["the changeset changes the table \"", self.table, "\", "].concat() + &why.concat()))
        };
        let Some(shape) = shape else { return fail(&["which does not exist here: bring the schema up to date first"]) };
        let mut here = shape.keys.iter().map(|key| *key > 0);
        let are_equal = self.keys.iter().all(|key| here.next() == Some(*key > 0));
        if are_equal && !here.any(|is_key| is_key) {
            return Ok(());
        }
        fail(&["which has other columns or another PRIMARY KEY here: bring both schemas to the same version"])
    }
}

impl Conflict {
    /// # Safety
    /// Called from within the conflict handler, with its iterator.
    unsafe fn of(kind: c_int, iterator: *mut ffi::sqlite3_changeset_iter, resolution: &'static str) -> Self {
        let reason = match kind {
            ffi::SQLITE_CHANGESET_DATA => "the row was changed",
            ffi::SQLITE_CHANGESET_NOTFOUND => "the row does not exist",
            ffi::SQLITE_CHANGESET_CONFLICT => "the row exists already",
            ffi::SQLITE_CHANGESET_CONSTRAINT => "it violates a constraint",
            _ => "it leaves rows that refer to rows which do not exist",
        };
        if kind == ffi::SQLITE_CHANGESET_FOREIGN_KEY {
            return Self { table: String::new(), operation: "", reason, resolution, key: String::new() };
        }
        // SAFETY: the caller's.
        let change = unsafe { Change::of(iterator) };
        let operation = match change.operation {
            ffi::SQLITE_INSERT => "insert",
            ffi::SQLITE_UPDATE => "update",
            _ => "delete",
        };
        let get = if change.operation == ffi::SQLITE_INSERT { ffi::sqlite3changeset_new } else { ffi::sqlite3changeset_old };
        let mut key = String::new();
        for (column, _) in (0..).zip(change.keys).filter(|(_, key)| **key > 0) {
            if !key.is_empty() {
                key += ", ";
            }
            let mut value = std::ptr::null_mut();
            // SAFETY: the caller's; the text is copied at once.
            unsafe {
                get(iterator, column, &raw mut value);
                let text = if value.is_null() { std::ptr::null() } else { ffi::sqlite3_value_text(value) };
                key += if text.is_null() { "NULL" } else { text_of(text.cast()) };
            }
        }
        Self { table: change.table.into(), operation, reason, resolution, key }
    }

    fn message(&self) -> String {
        let remedy = ". Nothing was applied: resolve it, or apply with conflict: 'omit' or 'replace'";
        if self.table.is_empty() {
            return ["the changeset cannot be applied: ", self.reason, ". Nothing was applied"].concat();
        }
        [self.operation, " of row ", &self.key, " of \"", &self.table, "\" cannot be applied: ", self.reason, remedy].concat()
    }
}

unsafe extern "C" fn on_conflict(conflicts: *mut c_void, kind: c_int, iterator: *mut ffi::sqlite3_changeset_iter) -> c_int {
    // SAFETY: `apply` passed it, and it lives on its stack.
    let conflicts = unsafe { &mut *conflicts.cast::<Conflicts>() };
    let can_replace = matches!(kind, ffi::SQLITE_CHANGESET_DATA | ffi::SQLITE_CHANGESET_CONFLICT);
    let (answer, resolution) = match conflicts.policy {
        // What it leaves behind would fail the commit.
        _ if kind == ffi::SQLITE_CHANGESET_FOREIGN_KEY => (ffi::SQLITE_CHANGESET_ABORT, "aborted"),
        ConflictPolicy::Abort => (ffi::SQLITE_CHANGESET_ABORT, "aborted"),
        ConflictPolicy::Replace if can_replace => (ffi::SQLITE_CHANGESET_REPLACE, "replaced"),
        _ => (ffi::SQLITE_CHANGESET_OMIT, "omitted"),
    };
    // SAFETY: within the handler.
    let conflict = || unsafe { Conflict::of(kind, iterator, resolution) };
    if answer == ffi::SQLITE_CHANGESET_ABORT {
        conflicts.aborted_by = Some(conflict());
    } else if conflicts.found.len() < CONFLICTS_MAX {
        conflicts.found.push(conflict());
    }
    answer
}
