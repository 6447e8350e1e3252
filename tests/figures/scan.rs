//! Warm scans through our VFS against `SQLite`'s own `:memory:` in one process: `cargo run --release --example scan` natively;
//! `npm run isolation` compiles it to WebAssembly and runs it in Node, whose engine is Chromium's. Both sides are the same
//! `SQLite` with the same settings over the same rows. It prints one line of JSON a query: milliseconds, round by round.

#[cfg(not(target_arch = "wasm32"))]
use libsqlite3_sys as ffi;
#[cfg(target_arch = "wasm32")]
use sqlite_wasm_rs as ffi;

mod ours;

use ours::Ours;
use std::rc::Rc;
use tabhub::engine::{Failure, Params};
use tabhub::store::Limits;
use tabhub::vfs::ReadAt;

const ROUNDS: usize = 9;
/// About 24 MB and 12 MB.
const SCHEMA: [&str; 4] = [
    "CREATE TABLE large(id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE small(id INTEGER PRIMARY KEY, n INT NOT NULL, name TEXT NOT NULL)",
    "WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 20000) INSERT INTO large SELECT i, zeroblob(1000) FROM p",
    "WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 200000)
     INSERT INTO small SELECT i, i * 7919 % 10007, printf('name %d of no particular length', i) FROM p",
];
/// What is measured, how often in a round, and the query.
const QUERIES: [(&str, usize, &str); 5] = [
    ("rows of 1 KB, lengths alone", 8, "SELECT sum(length(body)) FROM large"),
    ("rows of 1 KB, every byte", 2, "SELECT count(*) FROM large WHERE instr(body, x'0102') = 0"),
    ("rows of 50 bytes", 4, "SELECT sum(n), max(length(name)) FROM small"),
    ("rows of 50 bytes, LIKE", 1, "SELECT count(*) FROM small WHERE name LIKE '%77%'"),
    ("200,000 lookups by key", 1, "SELECT sum(b.n) FROM small a CROSS JOIN small b ON b.id = 1 + a.id * 7919 % 200000"),
];

trait Database {
    fn run(&mut self, sql: &str);
}

/// Through our VFS, as the hub does it, with every block in memory unless `cold`.
impl Database for Ours {
    fn run(&mut self, sql: &str) {
        self.connection.read_at(ReadAt::Durable);
        loop {
            let connection = &mut self.connection;
            let ran =
                connection.prepare(sql).and_then(|statement| connection.run(&statement, &Params::default(), &mut |_| Ok(())));
            match ran {
                Ok(()) => return self.settle(),
                Err(Failure::Missed(blocks)) => self.pager.borrow_mut().fetch(&blocks, 16),
                Err(Failure::Failed(error)) => panic!("{sql}: {error}"),
            }
            self.settle();
        }
    }
}

/// `SQLite`'s own database in memory: no VFS is called.
struct Memory(*mut ffi::sqlite3);

impl Memory {
    fn new() -> Self {
        let mut db = std::ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        // SAFETY: a plain open.
        let rc = unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut db, flags, std::ptr::null()) };
        assert_eq!(rc, ffi::SQLITE_OK);
        Self(db)
    }
}

impl Database for Memory {
    fn run(&mut self, sql: &str) {
        let sql = std::ffi::CString::new(sql).expect("no NUL in it");
        let mut statement = std::ptr::null_mut();
        // SAFETY: a live handle, a terminated text; the statement is finalized at once.
        unsafe {
            assert_eq!(
                ffi::sqlite3_prepare_v2(self.0, sql.as_ptr(), -1, &raw mut statement, std::ptr::null_mut()),
                ffi::SQLITE_OK
            );
            while ffi::sqlite3_step(statement) == ffi::SQLITE_ROW {}
            assert_eq!(ffi::sqlite3_finalize(statement), ffi::SQLITE_OK);
        }
    }
}

fn time(database: &mut dyn Database, times: usize, sql: &str) -> f64 {
    let begun = now();
    (0..times).for_each(|_| database.run(sql));
    now() - begun
}

fn main() {
    let limits = Limits { cache_bytes: 128 << 20, ..Limits::default() };
    let (mut ours, mut memory) = (Ours::new(limits, Rc::new(now)), Memory::new());
    for sql in SCHEMA {
        ours.run(sql);
        memory.run(sql);
    }
    for (name, times, sql) in QUERIES {
        let (mut vfs_ms, mut memory_ms, mut cold_ms) = (vec![], vec![], vec![]);
        for round in 0..=ROUNDS {
            let one = time(&mut ours, times, sql);
            let other = time(&mut memory, times, sql);
            // The first of both is for the engine's compiler.
            if round > 0 {
                vfs_ms.push(one);
                memory_ms.push(other);
            }
        }
        // Read back from the store in memory each time: what the cold way costs without IndexedDB.
        for _ in 0..ROUNDS {
            ours.pager.borrow_mut().evict_all_clean();
            let all = ours.pager.borrow().blocks_at(ours.pager.borrow().durable());
            let begun = now();
            ours.pager.borrow_mut().fetch_all(&[tabhub::ids::BlockNo(all - 1)]);
            ours.settle();
            cold_ms.push(now() - begun);
        }
        let blocks = ours.pager.borrow().blocks_at(ours.pager.borrow().durable());
        say(&format!(
            r#"{{"query":"{name}","times":{times},"vfs_ms":{vfs_ms:?},"memory_ms":{memory_ms:?},"load_ms":{cold_ms:?},"blocks":{blocks}}}"#
        ));
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0
}

#[cfg(not(target_arch = "wasm32"))]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(target_arch = "wasm32")]
fn now() -> f64 {
    js_sys::Date::now()
}

#[cfg(target_arch = "wasm32")]
fn say(line: &str) {
    web_sys::console::log_1(&line.into());
}
