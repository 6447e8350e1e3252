//! One connection: opened over the VFS with every setting made explicit, its statement cache, and how it runs statements.

pub mod apply;
mod noting;

use super::authorizer::Authorizer;
use super::changes::Recorder;
use super::limits::{CACHE_KB, LIMITS, spilled_too_much};
use super::pragma;
use super::sql::Sql;
use super::statement::{Params, Prepared, Statement};
use super::{Attempt, Failure};
use crate::error::{Error, Result};
use crate::ffi;
use crate::ids::{BlockNo, CommitSeq};
use crate::store::{Changes, Durability, Pager};
use crate::vfs::{self, DbFile, Pace, ReadAt, Role};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;

/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 64;
/// Fields in the order in which they must be dropped.
pub struct Connection {
    /// Most recently used last.
    statements: Vec<(Box<str>, Rc<Statement>)>,
    db: Handle,
    authorizer: Box<Authorizer>,
    recorder: Rc<Recorder>,
    is_recording: bool,
    /// Of the present schema, with their SQL, while they are needed.
    virtual_tables: Option<Vec<(String, String)>>,
    pace: Rc<Pace>,
    foreign_keys_settable: Rc<Cell<bool>>,
    file: Rc<DbFile>,
}

struct Handle(*mut ffi::sqlite3);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: closed once, after its statements.
        let rc = unsafe { ffi::sqlite3_close(self.0) };
        debug_assert_eq!(rc, ffi::SQLITE_OK, "a connection is closed after its statements");
    }
}

impl Connection {
    /// Opens a connection and loads the schema.
    ///
    /// # Errors
    /// [`Failure::Missed`] while blocks of the schema are not in memory: fetch and open again (a schema loaded with a miss
    /// would lack its statistics, silently); `SQLite`'s errors for a damaged file.
    pub fn open(pager: &Rc<RefCell<Pager>>, role: Role, pace: Rc<Pace>) -> Attempt<Self> {
        vfs::register();
        let settable = Rc::new(Cell::new(false));
        let flag = settable.clone();
        let rule = Rc::new(move |name: &str, value: Option<&str>| pragma::rule(name, value, flag.get()));
        let file = Rc::new(DbFile::new(pager.clone(), role, rule, pace.clone()));
        vfs::offer(file.clone());
        let mut db = std::ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        // SAFETY: a plain open; the handle is owned from here on, also where it failed.
        let rc = unsafe { ffi::sqlite3_open_v2(c"main.db".as_ptr(), &raw mut db, flags, vfs::VFS_NAME.as_ptr()) };
        let mut connection = Self {
            statements: vec![],
            db: Handle(db),
            authorizer: Box::new(Authorizer::new(file.clone())),
            recorder: Rc::default(),
            is_recording: false,
            virtual_tables: None,
            pace,
            foreign_keys_settable: settable,
            file,
        };
        connection.check(rc)?;
        let block_bytes = pager.borrow().block_bytes();
        connection.configure(role, block_bytes)?;
        Ok(connection)
    }

    fn configure(&mut self, role: Role, block_bytes: u32) -> Attempt<()> {
        // SAFETY: a live handle; the callbacks' data is boxed and dropped after it.
        unsafe {
            let db = self.db.0;
            ffi::sqlite3_extended_result_codes(db, 1);
            ffi::sqlite3_db_config(db, ffi::SQLITE_DBCONFIG_DEFENSIVE, 1 as c_int, std::ptr::null_mut::<c_int>());
            for (limit, value) in LIMITS {
                ffi::sqlite3_limit(db, limit, value);
            }
            ffi::sqlite3_progress_handler(db, self.pace.steps(), Some(progress), Rc::as_ptr(&self.pace).cast_mut().cast());
        }
        self.authorizer.install(self.db.0);
        let query_only = if role == Role::Reader { "ON" } else { "OFF" };
        self.run_script(&format!(
            "PRAGMA page_size = {block_bytes}; PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = NORMAL; \
             PRAGMA synchronous = FULL; PRAGMA temp_store = FILE; PRAGMA cache_size = -{CACHE_KB}; PRAGMA foreign_keys = ON; \
             PRAGMA recursive_triggers = OFF; PRAGMA query_only = {query_only}; SELECT count(*) FROM sqlite_schema"
        ))?;
        self.file.configured();
        Ok(())
    }

    /// Runs statements of our own.
    fn run_script(&mut self, text: &str) -> Attempt<()> {
        let sql = Sql::new(text)?;
        let mut at = 0;
        loop {
            let prepared = self.prepare_at(&sql, at)?;
            let Some(statement) = prepared.statement else { return Ok(()) };
            at = prepared.end;
            self.run(&statement, &Params::default(), &mut |_| Ok(()))?;
        }
    }

    // ---- what the hub chooses before a unit of work

    /// The snapshot of the next read.
    pub fn read_at(&self, at: ReadAt) {
        self.file.read_at(at);
    }

    pub fn set_durability(&self, durability: Durability) {
        self.file.set_durability(durability);
    }

    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Whether `PRAGMA foreign_keys = …` is let through.
    pub fn let_foreign_keys_change(&self, let_it: bool) {
        self.foreign_keys_settable.set(let_it);
    }

    /// Whether foreign keys are enforced now.
    #[must_use]
    pub fn foreign_keys(&self) -> bool {
        self.config_foreign_keys(-1)
    }

    /// Enforces foreign keys or not; outside of transactions.
    pub fn set_foreign_keys(&self, on: bool) {
        self.config_foreign_keys(c_int::from(on));
    }

    /// Sets (1, 0) or leaves (-1) the enforcement of foreign keys; returns what it is then.
    fn config_foreign_keys(&self, set: c_int) -> bool {
        let mut on: c_int = 0;
        // SAFETY: a live handle; this operation takes an int and a pointer to one.
        unsafe { ffi::sqlite3_db_config(self.db.0, ffi::SQLITE_DBCONFIG_ENABLE_FKEY, set, &raw mut on) };
        on != 0
    }

    pub fn set_last_insert_rowid(&self, rowid: i64) {
        // SAFETY: a live handle.
        unsafe { ffi::sqlite3_set_last_insert_rowid(self.db.0, rowid) };
    }

    #[must_use]
    pub fn last_insert_rowid(&self) -> i64 {
        // SAFETY: a live handle.
        unsafe { ffi::sqlite3_last_insert_rowid(self.db.0) }
    }

    /// Rows changed since the connection was opened, triggers included.
    #[must_use]
    pub fn total_changes(&self) -> i64 {
        // SAFETY: a live handle.
        unsafe { ffi::sqlite3_total_changes64(self.db.0) }
    }

    /// Rows changed by the last statement that changed any.
    #[must_use]
    pub fn changes(&self) -> i64 {
        // SAFETY: a live handle.
        unsafe { ffi::sqlite3_changes64(self.db.0) }
    }

    #[must_use]
    pub fn in_transaction(&self) -> bool {
        // SAFETY: a live handle.
        unsafe { ffi::sqlite3_get_autocommit(self.db.0) == 0 }
    }

    /// A block ahead of the statement that is worth waiting for between two rows.
    #[must_use]
    pub fn awaits_ahead(&self) -> Option<BlockNo> {
        self.file.awaits_ahead()
    }

    /// Whether no statement is in its middle, and no transaction open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.file.is_unlocked()
    }

    #[must_use]
    pub fn cached_statements(&self) -> usize {
        self.statements.len()
    }

    // ---- transactions

    /// # Errors
    /// A miss, or `SQLite`'s error.
    pub fn begin(&mut self) -> Attempt<()> {
        self.recorder.rolled_back();
        self.control("BEGIN IMMEDIATE")
    }

    /// Commits; returns the commit to wait for, or `None` where nothing was changed.
    ///
    /// # Errors
    /// A miss or `SQLite`'s error (deferred constraints); the transaction is then still open.
    pub fn commit(&mut self) -> Attempt<Option<CommitSeq>> {
        self.tell_changes()?;
        self.control("COMMIT")?;
        Ok(self.take_published())
    }

    /// Rolls back whatever is open; what was missed so far, or was to stop, is forgotten with it.
    pub fn rollback(&mut self) {
        if self.in_transaction() {
            self.pace.let_go();
            // A rollback with a pending read answers an error that changes nothing: the transaction ends all the same.
            let _ = self.control("ROLLBACK");
        }
        if self.recorder.rolled_back() {
            self.forget_schema();
        }
        self.file.take_misses();
    }

    /// Runs one of our own statements that steer the transaction.
    ///
    /// # Errors
    /// A miss, or `SQLite`'s error.
    pub fn control(&mut self, text: &'static str) -> Attempt<()> {
        let prepared = self.prepare(text)?;
        self.run(&prepared, &Params::default(), &mut |_| Ok(()))
    }

    /// The commit that has just been published, if any.
    pub fn take_published(&mut self) -> Option<CommitSeq> {
        let published = self.file.take_published();
        let has_another_schema = match published.filter(|_| self.is_recording) {
            Some(seq) => self.recorder.committed(seq),
            None => self.recorder.rolled_back(),
        };
        if has_another_schema {
            self.forget_schema();
        }
        published
    }

    // ---- statements

    /// Prepares exactly one statement, or finds it in the cache.
    ///
    /// # Errors
    /// `SQLite`'s error with its offset; [`Error::BadRequest`] for none or several statements; [`Error::Refused`]; a miss.
    pub fn prepare(&mut self, text: &str) -> Attempt<Rc<Statement>> {
        if let Some(at) = self.position(text) {
            self.statements[at..].rotate_left(1);
            return Ok(self.statements[self.statements.len() - 1].1.clone());
        }
        let sql = Sql::new(text)?;
        let prepared = self.prepare_at(&sql, 0)?;
        let none = || Error::BadRequest("the SQL has no statement: pass one".into());
        let statement = prepared.statement.ok_or_else(none)?;
        // What follows may make no sense before the first has been run: it is not compiled, unless it may be no statement at all.
        if !sql.first_word(prepared.end).is_empty() || self.prepare_at(&sql, prepared.end)?.statement.is_some() {
            return Err(Error::BadRequest("the SQL has more than one statement: use exec() or batch()".into()).into());
        }
        if !statement.is_pragma {
            if self.statements.len() == STATEMENTS_MAX {
                self.statements.remove(0);
            }
            self.statements.push((text.into(), statement.clone()));
        }
        Ok(statement)
    }

    /// Whether it has compiled this statement before.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        self.position(text).is_some()
    }

    /// Where a statement stands in the cache; the same one is often asked for again.
    fn position(&self, text: &str) -> Option<usize> {
        self.statements.iter().rposition(|(sql, _)| **sql == *text)
    }

    /// Whether `SQLite` has compiled any statement once more by itself, because the schema is another one, since this was asked last.
    #[must_use]
    pub fn has_compiled_anew(&self) -> bool {
        self.statements.iter().any(|(_, statement)| statement.has_compiled_anew())
    }

    /// Prepares the statement that begins at byte `from`.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare); offsets count from the beginning of the whole text.
    pub fn prepare_at(&mut self, sql: &Sql, from: usize) -> Attempt<Prepared> {
        if !self.is_recording {
            return self.compile(sql, from);
        }
        self.compile_for_recorder(sql, from)
    }

    pub(super) fn compile(&mut self, sql: &Sql, from: usize) -> Attempt<Prepared> {
        let text = sql.with_nul();
        if sql.is_blank_from(from) {
            return Ok(Prepared { statement: None, end: text.len() - 1 });
        }
        self.authorizer.control.set(None);
        self.authorizer.pragma.set(false);
        let (mut raw, mut tail) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: the text ends with NUL, so a negative length lets SQLite find its end without copying it.
        let rc = unsafe {
            let start = text[from..].as_ptr().cast();
            let persistent = c_int_flags(ffi::SQLITE_PREPARE_PERSISTENT);
            ffi::sqlite3_prepare_v3(self.db.0, start, -1, persistent, &raw mut raw, &raw mut tail)
        };
        let end = if tail.is_null() { text.len() - 1 } else { tail.addr() - text.as_ptr().addr() };
        let (control, is_pragma) = (self.authorizer.control.get(), self.authorizer.pragma.get());
        let is_vacuum = sql.first_word(from).eq_ignore_ascii_case(b"vacuum");
        let statement = (!raw.is_null()).then(|| Rc::new(Statement::new(raw, control, is_pragma, is_vacuum)));
        self.check(rc).map_err(|failure| failure.shifted(from))?;
        Ok(Prepared { statement, end })
    }

    /// Runs a statement to its end, handing out each row.
    ///
    /// # Errors
    /// A miss (what was handed out does not count), `SQLite`'s error, [`Error::Timeout`], or what `row` answered.
    pub fn run(
        &mut self,
        statement: &Statement,
        params: &Params<'_>,
        row: &mut dyn FnMut(&Statement) -> Result<()>,
    ) -> Attempt<()> {
        let result = self.start(statement, params).and_then(|()| {
            while self.step(statement)? {
                row(statement)?;
            }
            Ok(())
        });
        statement.reset();
        result
    }

    /// Binds the parameters of a statement that will be [stepped](Self::step).
    ///
    /// # Errors
    /// As [`Statement::bind`].
    pub fn start(&mut self, statement: &Statement, params: &Params<'_>) -> Attempt<()> {
        statement.reset();
        self.file.take_refusal();
        if self.recorder.keeps() && !self.in_transaction() {
            // What commits by itself, a pragma or VACUUM, changes no row; and what an earlier transaction would have said is over.
            self.file.set_changes(Some(Changes { changeset: Some(vec![]), ..Changes::default() }));
        }
        if let Some(touched) = &statement.touched {
            self.recorder.begins(touched);
        }
        Ok(statement.bind(params)?)
    }

    /// Steps to the next row: false at the end.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn step(&mut self, statement: &Statement) -> Attempt<bool> {
        self.authorizer.running.set(true);
        let rc = statement.step();
        self.authorizer.running.set(false);
        let row = rc == ffi::SQLITE_ROW;
        self.check(if row || rc == ffi::SQLITE_DONE { ffi::SQLITE_OK } else { rc })?;
        Ok(row)
    }

    /// Turns a result code into an outcome. Misses are asked for first: they can surface as any error, or as none.
    fn check(&self, rc: c_int) -> Attempt<()> {
        let misses = self.file.take_misses();
        if !misses.is_empty() {
            return Err(Failure::Missed(misses));
        }
        if let Some(why) = self.pace.take_cut_short() {
            return Err(why.into());
        }
        if rc == ffi::SQLITE_OK {
            return Ok(());
        }
        Err(self.error(rc).into())
    }

    fn error(&self, rc: c_int) -> Error {
        if let Some(refusal) = self.file.take_refusal() {
            return refusal;
        }
        if let Some(why) = self.pace.stopped().filter(|_| rc & 0xff == ffi::SQLITE_INTERRUPT) {
            return why;
        }
        if let Some(purpose) = vfs::temp::take_exceeded().filter(|_| rc & 0xff == ffi::SQLITE_FULL) {
            return spilled_too_much(purpose);
        }
        // SAFETY: a live handle; the message is copied at once.
        let (message, offset) = unsafe {
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(self.db.0)).to_string_lossy().into_owned();
            (message, ffi::sqlite3_error_offset(self.db.0))
        };
        Error::Sqlite { code: rc, message, offset: u32::try_from(offset).ok() }
    }
}

impl Failure {
    fn shifted(self, by: usize) -> Self {
        match self {
            Failure::Failed(Error::Sqlite { code, message, offset: Some(at) }) => {
                Failure::Failed(Error::Sqlite { code, message, offset: u32::try_from(at as usize + by).ok() })
            }
            other => other,
        }
    }
}

/// The flag's type differs between the two builds' bindings.
fn c_int_flags<T: TryInto<u32>>(flag: T) -> u32 {
    flag.try_into().unwrap_or_default()
}

unsafe extern "C" fn progress(pace: *mut c_void) -> c_int {
    // SAFETY: `configure` passed what the connection keeps alive.
    c_int::from(unsafe { &*pace.cast::<Pace>() }.look())
}
