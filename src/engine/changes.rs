//! What a transaction changes, and what a query reads: by name of table, and by row where `SQLite` tells. The rows come from its pre-update
//! hook, which also sees what triggers, cascades and REPLACE do, and keeps `DELETE` without a condition from being carried out unseen. Virtual
//! tables and the schema are known from the authorizer, while a statement is prepared.
//!
//! *Invariant.* Nothing that is changed is left out. Too much may be named: what was written and then taken back to a savepoint.

use super::authorizer::Touched;
use super::changeset::Rows;
use super::filter::{Filter, Noted, Watched};
use super::statement::value_of;
use crate::ffi;
use crate::ids::CommitSeq;
use crate::sorted::SortedMap;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::rc::Rc;

/// Row ids named of one table in one commit, and values of one column; of more it is only known that there were some.
pub const ROWS_MAX: usize = 1_000;

/// What happened to rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}

/// One table's part of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChange {
    pub table: String,
    pub kinds: Kinds,
    /// The rows' ids, before and after. None where there are too many, or the table has none: a virtual one, or one WITHOUT ROWID.
    pub rows: Option<SortedMap<i64, ()>>,
    pub is_virtual: bool,
    /// The values of watched columns, before and after. None where there are too many.
    values: Vec<(usize, Option<Vec<Noted>>)>,
}

impl TableChange {
    /// Whether a row that the filter lets through may have been changed: also where nobody watched its column.
    fn has_passed(&self, filter: &Filter) -> bool {
        let noted = self.values.iter().find(|(column, _)| *column == filter.column.1).and_then(|(_, values)| values.as_ref());
        noted.is_none_or(|values| values.iter().any(|value| value.may_equal(&filter.value)))
    }

    fn note(&mut self, column: usize, value: Option<Noted>) {
        let at = self.values.iter().position(|(known, _)| *known == column).unwrap_or_else(|| {
            self.values.push((column, Some(vec![])));
            self.values.len() - 1
        });
        match (&mut self.values[at].1, value) {
            (Some(values), Some(value)) if values.last() == Some(&value) => {}
            (Some(values), Some(value)) if values.len() < ROWS_MAX => values.push(value),
            (noted, _) => *noted = None,
        }
    }
}

/// What a commit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// By name.
    pub tables: Vec<TableChange>,
    /// Tables, indexes, views or triggers were made, altered or dropped, or the file was rewritten: anything may be another.
    pub schema: bool,
}

impl WriteSet {
    fn table(&mut self, name: &str) -> &mut TableChange {
        let at = self.tables.binary_search_by(|change| (*change.table).cmp(name)).unwrap_or_else(|at| {
            let rows = Some(SortedMap::default());
            self.tables.insert(at, TableChange { table: name.into(), rows, ..TableChange::default() });
            at
        });
        &mut self.tables[at]
    }

    /// Whether a query that reads these may answer something else now.
    #[must_use]
    pub fn touches(&self, reads: &ReadSet) -> bool {
        let hit = |change: &TableChange| match (&reads.row, &change.rows, &reads.filter) {
            _ if !reads.tables.contains(&change.table) => false,
            (Some(row), Some(rows), _) => rows.contains_key(*row),
            (_, _, Some(filter)) => change.has_passed(filter),
            _ => true,
        };
        self.schema || reads.anything || self.tables.iter().any(hit)
    }
}

/// What a query reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    pub tables: Vec<String>,
    /// It reads what nobody can name: through a virtual table that reads others, or `SQLite`'s own tables.
    pub anything: bool,
    /// The only row that it depends on, where it reads one table by its key.
    pub row: Option<i64>,
    /// What all the rows have that it depends on, where it reads one table.
    pub filter: Option<Filter>,
}

/// Gathers what the writer's connection changes, transaction by transaction, as long as somebody wants to know.
#[derive(Default)]
pub struct Recorder {
    open: RefCell<WriteSet>,
    committed: RefCell<Vec<(CommitSeq, WriteSet)>>,
    watched: RefCell<Rc<[Watched]>>,
    /// The rows that go into a changeset, and whether there is to be one.
    pub rows: RefCell<Rows>,
    keeps: Cell<bool>,
    /// The open transaction has applied a changeset.
    pub has_applied: Cell<bool>,
}

/// What is to be noted of commits.
#[derive(Clone, Default)]
pub struct Recording {
    /// The columns whose values are to be known.
    pub watched: Rc<[Watched]>,
    /// Whether what they change is kept.
    pub keeps: bool,
}

impl Recorder {
    /// Has the connection report to it, or not any more.
    pub fn install(self: &Rc<Self>, db: *mut ffi::sqlite3, is_on: bool) {
        let this = Rc::as_ptr(self).cast_mut().cast::<c_void>();
        // SAFETY: the connection keeps the recorder alive and closes the database first.
        unsafe { ffi::sqlite3_preupdate_hook(db, is_on.then_some(on_row), this) };
    }

    /// Notes this from now on; only before a transaction, of which it would otherwise know a part.
    pub fn watch(&self, Recording { watched, keeps }: Recording) {
        self.watched.replace(watched);
        self.keeps.set(keeps);
    }

    /// Whether what the open transaction changes is to be kept.
    pub fn keeps(&self) -> bool {
        self.keeps.get()
    }

    /// Whether the open transaction has changed the schema.
    pub fn has_another_schema(&self) -> bool {
        self.open.borrow().schema
    }

    /// A statement is about to be run that was prepared with these.
    pub fn begins(&self, touched: &Touched) {
        let mut open = self.open.borrow_mut();
        open.schema |= touched.schema;
        if touched.schema {
            self.rows.borrow_mut().schema_changes();
        }
        for (table, kinds) in &touched.writes {
            let change = open.table(table);
            (change.kinds, change.rows, change.is_virtual) = (change.kinds.and(*kinds), None, true);
        }
    }

    /// What was gathered has become a commit; whether it has another schema.
    pub fn committed(&self, seq: CommitSeq) -> bool {
        let set = self.open.take();
        let has_another_schema = set.schema;
        self.committed.borrow_mut().push((seq, set));
        self.end();
        has_another_schema
    }

    /// Forgets what was gathered since the last commit; whether that had to do with the schema.
    pub fn rolled_back(&self) -> bool {
        let has_another_schema = self.open.take().schema;
        self.end();
        if has_another_schema {
            // What was asked in between may be of a schema that never came to be.
            self.rows.borrow_mut().schema_changes();
        }
        has_another_schema
    }

    fn end(&self) {
        self.has_applied.set(false);
        self.rows.borrow_mut().forget();
    }

    pub fn take(&self) -> Vec<(CommitSeq, WriteSet)> {
        self.committed.take()
    }

    fn row(&self, table: &str, kinds: Kinds, rows: &[i64]) {
        let mut open = self.open.borrow_mut();
        let change = open.table(table);
        change.kinds = change.kinds.and(kinds);
        match &mut change.rows {
            Some(known) if !rows.is_empty() && known.len() < ROWS_MAX => rows.iter().for_each(|row| known.insert(*row, ())),
            unknown => *unknown = None,
        }
    }

    /// # Safety
    /// Called from within the pre-update hook of `db`.
    unsafe fn values(&self, db: *mut ffi::sqlite3, table: &str, kinds: Kinds) {
        for (_, column) in self.watched.borrow().iter().filter(|(watched, _)| watched == table) {
            let read = |of: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int| {
                let mut value = std::ptr::null_mut();
                // SAFETY: within the hook; the value lives as long as that. A column that the table does not have is an error.
                let rc = unsafe { of(db, c_int::try_from(*column).unwrap_or(c_int::MAX), &raw mut value) };
                (rc == ffi::SQLITE_OK && !value.is_null()).then(|| Noted::of(&unsafe { value_of(value) }))
            };
            let (before, after) = (!kinds.insert, !kinds.delete);
            let values = [before.then(|| read(ffi::sqlite3_preupdate_old)), after.then(|| read(ffi::sqlite3_preupdate_new))];
            let mut open = self.open.borrow_mut();
            let change = open.table(table);
            values.into_iter().flatten().for_each(|value| change.note(*column, value));
        }
    }
}

impl Kinds {
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { insert: self.insert || other.insert, update: self.update || other.update, delete: self.delete || other.delete }
    }
}

unsafe extern "C" fn on_row(
    this: *mut c_void,
    db: *mut ffi::sqlite3,
    action: c_int,
    database: *const c_char,
    table: *const c_char,
    before: i64,
    after: i64,
) {
    // SAFETY: `install` passed a live recorder, and SQLite passes its own connection and a C string.
    unsafe {
        let table = CStr::from_ptr(table).to_str().unwrap_or("?");
        // What SQLite says of a table WITHOUT ROWID.
        let rows: &[i64] = if (before, after) == (0, 0) { &[] } else { &[before, after] };
        // But for an update, one of them is the other once more.
        let kinds = Kinds {
            insert: action == ffi::SQLITE_INSERT,
            update: action == ffi::SQLITE_UPDATE,
            delete: action == ffi::SQLITE_DELETE,
        };
        let recorder = &*this.cast::<Recorder>();
        recorder.row(table, kinds, if before == after { &rows[..rows.len().min(1)] } else { rows });
        recorder.values(db, table, kinds);
        if recorder.keeps() && CStr::from_ptr(database) == c"main" {
            recorder.rows.borrow_mut().note(db, table, action);
        }
    }
}

/// Whether a virtual table keeps in this one what it holds.
pub fn is_shadow(table: &str, virtual_table: &str) -> bool {
    table.strip_prefix(virtual_table).is_some_and(|rest| rest.starts_with('_'))
}
