//! `SQLite` over the VFS and the memory store, beside its own `:memory:`: the same rows, the same statements, prepared once. The
//! difference is what versioned blocks cost.

#[path = "../figures/ours.rs"]
mod ours;
mod sample;

use divan::Bencher;
use divan::counter::ItemsCount;
use libsqlite3_sys as ffi;
use ours::Ours;
use sample::{INSERT_ITEM, ITEMS, READ_ITEM, ROWS, SCAN_ITEMS, SOME_ID};
use std::ffi::CString;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use tabhub::engine::{Failure, Params, ValueRef};
use tabhub::store::Limits;
use tabhub::vfs::ReadAt;

fn main() {
    divan::main();
}

trait Database {
    fn new() -> Self;
    /// Runs a statement to its end; a commit of it is stored then.
    fn run(&mut self, sql: &str, parameter: Option<ValueRef<'_>>);
}

fn filled<D: Database>() -> D {
    let mut database = D::new();
    ITEMS.iter().for_each(|sql| database.run(sql, None));
    database
}

#[divan::bench(types = [Vfs, Memory])]
fn point_lookup<D: Database>(bencher: Bencher) {
    let mut database: D = filled();
    bencher.bench_local(|| database.run(READ_ITEM, Some(ValueRef::Integer(SOME_ID))));
}

#[divan::bench(types = [Vfs, Memory])]
fn scan<D: Database>(bencher: Bencher) {
    let mut database: D = filled();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| database.run(SCAN_ITEMS, None));
}

#[divan::bench(types = [Vfs, Memory])]
fn commit_of_one_row<D: Database>(bencher: Bencher) {
    let (mut database, body): (D, _) = (filled(), sample::body());
    bencher.bench_local(|| database.run(INSERT_ITEM, Some(ValueRef::Text(body.as_str().into()))));
}

/// As the hub has it.
struct Vfs(Ours);

impl Database for Vfs {
    fn new() -> Self {
        Self(Ours::new(Limits::default(), Rc::new(now)))
    }

    fn run(&mut self, sql: &str, parameter: Option<ValueRef<'_>>) {
        let connection = &mut self.0.connection;
        connection.read_at(ReadAt::Durable);
        let params = Params { values: parameter.into_iter().collect(), names: None };
        let ran = connection.prepare(sql).and_then(|statement| connection.run(&statement, &params, &mut |_| Ok(())));
        match ran {
            Ok(()) => self.0.settle(),
            Err(Failure::Missed(blocks)) => panic!("{sql}: all blocks are in memory, but for {blocks:?}"),
            Err(Failure::Failed(error)) => panic!("{sql}: {error}"),
        }
    }
}

/// `SQLite`'s own database in memory: no VFS is called.
struct Memory {
    db: *mut ffi::sqlite3,
    statements: Vec<(String, *mut ffi::sqlite3_stmt)>,
}

impl Database for Memory {
    fn new() -> Self {
        let mut db = std::ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        // SAFETY: a plain open.
        let rc = unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut db, flags, std::ptr::null()) };
        assert_eq!(rc, ffi::SQLITE_OK);
        Self { db, statements: vec![] }
    }

    fn run(&mut self, sql: &str, parameter: Option<ValueRef<'_>>) {
        let statement = self.prepared(sql);
        // SAFETY: a live statement; SQLITE_TRANSIENT has SQLite copy the text.
        unsafe {
            let bound = match parameter {
                None => ffi::SQLITE_OK,
                Some(ValueRef::Integer(n)) => ffi::sqlite3_bind_int64(statement, 1, n),
                Some(ValueRef::Text(text)) => {
                    let length = i32::try_from(text.len()).expect("a short text");
                    ffi::sqlite3_bind_text(statement, 1, text.as_ptr().cast(), length, ffi::SQLITE_TRANSIENT())
                }
                Some(other) => panic!("{other:?} is bound by no bench"),
            };
            assert_eq!(bound, ffi::SQLITE_OK);
            while ffi::sqlite3_step(statement) == ffi::SQLITE_ROW {}
            assert_eq!(ffi::sqlite3_reset(statement), ffi::SQLITE_OK);
        }
    }
}

impl Memory {
    fn prepared(&mut self, sql: &str) -> *mut ffi::sqlite3_stmt {
        if let Some((_, known)) = self.statements.iter().find(|(text, _)| text == sql) {
            return *known;
        }
        let text = CString::new(sql).expect("no NUL in it");
        let mut statement = std::ptr::null_mut();
        // SAFETY: a live handle, a terminated text.
        let rc = unsafe { ffi::sqlite3_prepare_v2(self.db, text.as_ptr(), -1, &raw mut statement, std::ptr::null_mut()) };
        assert_eq!(rc, ffi::SQLITE_OK, "{sql}");
        self.statements.push((sql.into(), statement));
        statement
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: each is finalized once, and the handle closed after them.
        unsafe {
            for (_, statement) in &self.statements {
                assert_eq!(ffi::sqlite3_finalize(*statement), ffi::SQLITE_OK);
            }
            assert_eq!(ffi::sqlite3_close(self.db), ffi::SQLITE_OK);
        }
    }
}

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0
}
