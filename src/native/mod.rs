//! The same engine on a directory: for servers, desktop shells and support work. Native only.
//!
//! A [`LocalHub`] is the hub of the browser, with the same `SQLite`, log, checkpoints and checks, over a
//! [`FileStore`] instead of `IndexedDB`. It talks to it in the tabs' own protocol, as the only tab there
//! is, and every call returns when its answer is there: a write when it is on the disk. A kill at any moment loses nothing that
//! was answered.
//!
//! ```
//! use tabhub::native::{LocalHub, Value};
//! # let dir = std::env::temp_dir().join(format!("tabhub-doc-{}", std::process::id()));
//! let mut db = LocalHub::open(&dir)?;
//! db.script("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")?;
//! let done = db.execute("INSERT INTO note (text) VALUES (?)", &["on the disk once this has returned".into()])?;
//! let found = db.query("SELECT text FROM note WHERE id = ?", &[done.last_insert_rowid.into()])?;
//! assert_eq!(found.rows, [[Value::from("on the disk once this has returned")]]);
//!
//! db.transaction(|tx| {
//!     tx.execute("UPDATE note SET text = upper(text)", &[])?;
//!     tx.execute("DELETE FROM note WHERE text = ''", &[])
//! })?;
//! db.close()?;
//! # std::fs::remove_dir_all(&dir).unwrap();
//! # Ok::<(), tabhub::native::LocalError>(())
//! ```
//!
//! One process at a time may open a directory, and a hub stays in the thread that opened it: give it one of its own, and talk to
//! that by channels.
//!
//! *Invariants.* It decides nothing that the hub decides, and knows nothing of what a frame's values mean. No thread, no timer:
//! between two calls nothing happens.

mod driver;
mod error;
mod frames;
mod streams;
#[cfg(test)]
mod tests;

use crate::store::file::FileStore;
use crate::wire::{self, Body, Done, Op};
use driver::Driver;
use frames::{decode_rows, encode_values, unexpected};
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::wire::{CheckLevel, Checked, Column, Durability, StorageState, Value, Welcome, WireError};
pub use error::{LocalError, Result};

/// How to open a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// When a write is answered: flushed to the disk, or (`Relaxed`) in memory, where a kill may take the last writes back.
    /// See [`FileStore`](crate::store::file).
    pub durability: Durability,
    /// Make the directory and the store where there is none.
    pub create: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { durability: Durability::Strict, create: true }
    }
}

/// What one statement gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub columns: Vec<Column>,
    /// As many values in each as there are columns.
    pub rows: Vec<Vec<Value>>,
    /// Rows inserted, updated or deleted.
    pub changes: u64,
    pub last_insert_rowid: i64,
}

/// An open database in a directory.
pub struct LocalHub {
    driver: Driver,
    welcome: Welcome,
}

impl LocalHub {
    /// Opens the database in `dir`, strictly durable; makes it where there is none.
    ///
    /// # Errors
    /// `HUB_STORAGE_UNAVAILABLE` where the directory cannot be made or used, or another process has it open; `HUB_FORMAT` and
    /// `HUB_CORRUPT` where its file cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(dir, LocalOptions::default())
    }

    /// As [`LocalHub::open`], with options.
    ///
    /// # Errors
    /// As [`LocalHub::open`]; `HUB_STORAGE_UNAVAILABLE` also where there is no store and none is to be made.
    pub fn open_with(dir: impl AsRef<Path>, options: LocalOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let store = if options.create { FileStore::create(dir)? } else { FileStore::open(dir)? };
        let mut driver = Driver::new(&dir.display().to_string(), store);
        let hello = wire::Hello {
            protocol: wire::PROTOCOL_VERSION,
            format: crate::store::header::FORMAT.into(),
            client: "local".into(),
            lock: String::new(),
            build: env!("CARGO_PKG_VERSION").into(),
            persistence: wire::PersistenceWanted::Required,
            durability: options.durability,
            cache_bytes: None,
            cache_blocks: None,
            resume: None,
        };
        match driver.ask(Op::Hello(hello), &[])?.body {
            Body::Welcome(welcome) => Ok(Self { driver, welcome }),
            other => Err(unexpected("welcome", &other)),
        }
    }

    /// What the hub said of itself when it opened: versions, epoch, newest commit.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// How the hub stands with its storage, and why: [`StorageState::ReadOnly`] when something stored is damaged.
    #[must_use]
    pub fn storage(&self) -> (StorageState, &str) {
        self.driver.storage()
    }

    /// Runs one statement and reads all its rows.
    ///
    /// # Errors
    /// `SQLite`'s own, with its extended code; `HUB_REFUSED` for what the hub does not allow; `HUB_LIMIT` above 256 MiB.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows> {
        self.query_in(None, sql, params)
    }

    /// Runs one statement for what it does.
    ///
    /// # Errors
    /// As [`LocalHub::query`].
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Done> {
        self.query(sql, params).map(done)
    }

    /// Runs any number of statements without parameters, in one transaction.
    ///
    /// # Errors
    /// As [`LocalHub::query`]; nothing of the script is applied then, except what came before a `COMMIT` of its own.
    pub fn script(&mut self, sql: &str) -> Result<Done> {
        self.done(Op::Exec(wire::Exec { sql: sql.into(), tx: None, durability: None, timeout: None }))
    }

    /// Runs statements with their parameters in one transaction; one result for each.
    ///
    /// # Errors
    /// As [`LocalHub::query`], with the statement's index; nothing is applied then.
    pub fn batch(&mut self, statements: &[(&str, &[Value])]) -> Result<Vec<Rows>> {
        let shape = |(sql, params): &(&str, &[Value])| wire::StatementShape {
            sql: (*sql).into(),
            params: positional(params),
            times: None,
        };
        let payload: Vec<u8> = statements.iter().flat_map(|(_, params)| encode_values(params)).collect();
        let shapes = statements.iter().map(shape).collect();
        let op = Op::Batch(wire::Batch { statements: shapes, tx: None, durability: None, timeout: None });
        let answer = self.driver.ask(op, &payload)?;
        let Body::Results(results) = answer.body else { return Err(unexpected("results", &answer.body)) };
        let mut rest = answer.payload.as_slice();
        results.results.into_iter().map(|shape| rows(shape, &mut rest)).collect()
    }

    /// Runs `work` in a transaction: committed when it returns `Ok`, rolled back when it fails or panics.
    ///
    /// # Errors
    /// Those of `work`, and of the commit.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut LocalTransaction<'_>) -> Result<T>) -> Result<T> {
        let begin = wire::Begin { mode: wire::TransactionMode::Immediate, timeout: IDLE_MS_MAX };
        let answer = self.driver.ask(Op::Begin(begin), &[])?;
        let Body::Begun(begun) = answer.body else { return Err(unexpected("begun", &answer.body)) };
        let mut transaction = LocalTransaction { hub: self, open: Some(begun.tx) };
        let value = work(&mut transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// The hub's figures, by name.
    ///
    /// # Errors
    /// Once the hub is over.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, u64>> {
        match self.driver.ask(Op::Metrics(wire::Metrics {}), &[])?.body {
            Body::Metrics(figures) => Ok(figures.0.into_iter().collect()),
            other => Err(unexpected("metrics", &other)),
        }
    }

    /// Closes the database, with everything on the disk. Dropping it does the same without saying how it went.
    ///
    /// # Errors
    /// `SQLITE_FULL` or `HUB_STORAGE`: the last relaxed writes may not have reached the disk.
    pub fn close(mut self) -> Result<()> {
        self.done(Op::Close(wire::Close {}))?;
        Ok(self.driver.into_store().close()?)
    }

    fn query_in(&mut self, tx: Option<u64>, sql: &str, params: &[Value]) -> Result<Rows> {
        let op = Op::Query(wire::Query { sql: sql.into(), params: positional(params), tx, durability: None, timeout: None });
        let answer = self.driver.ask(op, &encode_values(params))?;
        match answer.body {
            Body::Rows(shape) => rows(shape, &mut answer.payload.as_slice()),
            other => Err(unexpected("rows", &other)),
        }
    }

    fn done(&mut self, op: Op) -> Result<Done> {
        match self.driver.ask(op, &[])?.body {
            Body::Done(done) => Ok(done),
            other => Err(unexpected("done", &other)),
        }
    }
}

/// The longest that the hub lets a transaction idle.
const IDLE_MS_MAX: u32 = 600_000;

/// A transaction under way; see [`LocalHub::transaction`].
pub struct LocalTransaction<'a> {
    hub: &'a mut LocalHub,
    /// Its number, until it has ended.
    open: Option<u64>,
}

impl LocalTransaction<'_> {
    /// As [`LocalHub::query`].
    ///
    /// # Errors
    /// As [`LocalHub::query`].
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows> {
        self.hub.query_in(self.open, sql, params)
    }

    /// As [`LocalHub::execute`].
    ///
    /// # Errors
    /// As [`LocalHub::query`].
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Done> {
        self.query(sql, params).map(done)
    }

    fn commit(mut self) -> Result<()> {
        let tx = self.open.take().expect("it is open until here");
        self.hub.done(Op::Commit(wire::Commit { tx, durability: None })).map(drop)
    }
}

impl Drop for LocalTransaction<'_> {
    fn drop(&mut self) {
        if let Some(tx) = self.open.take() {
            // It fails only where the transaction is gone already.
            let _ = self.hub.done(Op::Rollback(wire::Rollback { tx }));
        }
    }
}

fn positional(params: &[Value]) -> wire::ParamsShape {
    wire::ParamsShape { count: u32::try_from(params.len()).unwrap_or(u32::MAX), names: None }
}

fn rows(shape: wire::ResultShape, payload: &mut &[u8]) -> Result<Rows> {
    let rows = decode_rows(payload, shape.rows as usize, shape.columns.len())?;
    Ok(Rows { columns: shape.columns, rows, changes: shape.changes, last_insert_rowid: shape.last_insert_rowid })
}

fn done(rows: Rows) -> Done {
    Done { changes: rows.changes, last_insert_rowid: rows.last_insert_rowid }
}
