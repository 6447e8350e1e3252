//! The database as a front-end sees it: opening, its own calls, its end. What it shares with a transaction is in `queries`.

use super::convert::{get, get_count, get_string, params_to_js, set, strings};
use super::js::{self, JsDatabase};
use super::queries::settled;
use super::{CallOptions, Changes, Error, Live, OpenOptions, Params, Queries, Rows, Transaction, transaction};
use js_sys::{Object, Uint8Array};
use std::future::Future;
use std::ops::Deref;
use wasm_bindgen::{JsCast, JsValue};

/// Opens the database `name` of this origin, shared by all its tabs; it is created if there is none.
///
/// # Errors
/// `HUB_LOAD_FAILED` or `HUB_LOAD_TIMEOUT`, `HUB_UNSUPPORTED`, `HUB_STORAGE_UNAVAILABLE`, `HUB_OUTDATED`, `HUB_UNREACHABLE`, `HUB_BAD_OPTION`;
/// `HUB_MIGRATION_FAILED`, `HUB_SCHEMA_NEWER` by its migrations.
///
/// ```ignore
/// let db = open("app.db", &OpenOptions::default()).await?;
/// ```
pub async fn open(name: &str, options: &OpenOptions) -> Result<Database, Error> {
    let js: JsDatabase = settled(js::open(name, &options.to_js())).await?.unchecked_into();
    Ok(Database::new(js, CallOptions::default()))
}

/// Deletes the database `name`, also while other tabs have it open: their calls fail with `HUB_DELETED`.
///
/// # Errors
/// As [`open`]; `HUB_STORAGE` where the browser does not let go of it.
///
/// ```ignore
/// delete_database("app.db", &OpenOptions::default()).await?;
/// ```
pub async fn delete_database(name: &str, options: &OpenOptions) -> Result<(), Error> {
    settled(js::delete_database(name, &options.to_js())).await.map(drop)
}

/// How the connection to the hub stands, and what the hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// `open`, `reconnecting`, `lost`, `failed` or `closed`.
    pub state: String,
    /// `shared` or `leader`.
    pub mode: String,
    /// The hub instance: another one, another id.
    pub hub: String,
    /// Grows by one with each hub that took over the database.
    pub epoch: u64,
    /// `indexeddb` or `memory`.
    pub persistence: String,
    /// `ok`, `reconnecting`, `stalled` or `read-only`.
    pub storage: String,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub ok: bool,
    /// Each a sentence naming what is damaged.
    pub problems: Vec<String>,
}

/// An open database. Clones are the same one. If the hub dies, calls go on with the next one, and each write is carried out once.
#[derive(Clone)]
pub struct Database {
    js: JsDatabase,
    options: CallOptions,
    queries: Queries,
}

impl Deref for Database {
    type Target = Queries;

    fn deref(&self) -> &Queries {
        &self.queries
    }
}

impl Database {
    fn new(js: JsDatabase, options: CallOptions) -> Self {
        let queries = Queries::new(js.clone().into(), options.clone());
        Self { js, options, queries }
    }

    /// The same database, whose calls have these options.
    ///
    /// ```ignore
    /// let quick = db.with(CallOptions { timeout: Some(Duration::from_secs(1)), ..CallOptions::default() });
    /// ```
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self::new(self.js.clone(), options)
    }

    /// Streams the rows of one reading statement, as structs or maps. As a tuple, columns named like numbers come first, and of equal
    /// names there is the last only.
    ///
    /// # Errors
    /// The stream ends with the first of the statement's; an item that does not fit `T` is `DECODE`, and the stream goes on.
    ///
    /// ```ignore
    /// let mut rows = db.iterate::<Big>("SELECT * FROM big", ());
    /// while let Some(row) = rows.next().await { if enough(row?) { break } }
    /// ```
    pub fn iterate<T>(&self, sql: &str, params: impl Into<Params>) -> Rows<T> {
        let options = self.options.reading();
        set(&options, "bigint", "bigint");
        Rows::new(self.js.iterate(sql, &params_to_js(&params.into()), &options))
    }

    /// A query that is followed: its rows now, and whenever a commit of any tab has changed them, also when the hub dies in between.
    /// Rows are as [`iterate`](Self::iterate)'s. It ends with the database.
    ///
    /// # Errors
    /// For parameters that cannot be bound; what the hub refuses comes as the stream's last item.
    ///
    /// ```ignore
    /// let mut todos = db.live::<Todo>("SELECT * FROM todo WHERE done = ?", (false,))?;
    /// while let Some(rows) = todos.next().await { render(rows?) }
    /// ```
    pub fn live<T>(&self, sql: &str, params: impl Into<Params>) -> Result<Live<T>, Error> {
        Live::new(&self.js, sql, &params_to_js(&params.into()))
    }

    /// The commits that change one of these tables, or any if none is named, once they are durable.
    ///
    /// # Errors
    /// For a table that is no name.
    ///
    /// ```ignore
    /// let mut changes = db.on_change(&["todo"])?;
    /// ```
    pub fn on_change(&self, tables: &[&str]) -> Result<Changes, Error> {
        Changes::new(&self.js, tables)
    }

    /// Runs `work` as one transaction across its awaits: committed when it is `Ok`, rolled back when it is `Err`, and the same error comes
    /// back. Inside, use what it is given, not the database: a write of that would wait for this very transaction. When the hub died in
    /// the middle nothing was applied, and it can be run again.
    ///
    /// # Errors
    /// `work`'s own; `HUB_TRANSACTION_TIMEOUT`, `HUB_TRANSACTION_LOST`, `HUB_CANCELLED`, and those of a commit.
    ///
    /// ```ignore
    /// db.transaction(|tx| async move {
    ///     let (n,): (i64,) = tx.get("SELECT n FROM counter", ()).await?.unwrap_or_default();
    ///     tx.run("UPDATE counter SET n = ?", (n + 1,)).await
    /// }).await?;
    /// ```
    pub async fn transaction<T, E, F, Work>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Transaction) -> Work + 'static,
        Work: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: From<Error> + 'static,
    {
        transaction::run(&self.js, &self.options, work).await
    }

    /// Replaces the whole database by an `SQLite` file, for every tab; all or nothing.
    ///
    /// # Errors
    /// `HUB_NOT_A_DATABASE` for anything but a whole `SQLite` file; the database is as it was then.
    ///
    /// ```ignore
    /// db.import(&file).await?;
    /// ```
    pub async fn import(&self, file: &[u8]) -> Result<(), Error> {
        settled(self.js.import(&Uint8Array::from(file))).await.map(drop)
    }

    /// The database as an ordinary `SQLite` file, of one moment.
    ///
    /// # Errors
    /// `HUB_LOST` if the hub dies meanwhile; `HUB_CORRUPT`.
    ///
    /// ```ignore
    /// let file = db.export().await?;
    /// ```
    pub async fn export(&self) -> Result<Vec<u8>, Error> {
        let file = settled(self.js.export()).await?;
        Ok(Uint8Array::new(&file).to_vec())
    }

    /// Verifies every stored record, and `SQLite`'s structures: quickly, or also indexes against their tables if `full`.
    ///
    /// # Errors
    /// Those of a call; what is damaged is no error but a problem.
    ///
    /// ```ignore
    /// assert!(db.check(false).await?.ok);
    /// ```
    pub async fn check(&self, full: bool) -> Result<CheckResult, Error> {
        let options = Object::new();
        set(&options, "level", if full { "full" } else { "quick" });
        let found = settled(self.js.check(&options)).await?;
        Ok(CheckResult { ok: get(&found, "ok").is_truthy(), problems: strings(&get(&found, "problems")) })
    }

    /// How the connection to the hub stands.
    ///
    /// ```ignore
    /// let is_open = db.status().state == "open";
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        let status: JsValue = self.js.status();
        Status {
            state: get_string(&status, "state"),
            mode: get_string(&status, "mode"),
            hub: get_string(&status, "hub"),
            epoch: get_count(&status, "epoch").unwrap_or_default(),
            persistence: get_string(&status, "persistence"),
            storage: get_string(&status, "storage"),
        }
    }

    /// Ends this page's use of the database, of all clones: open transactions roll back, later calls fail with `HUB_CLOSED`.
    ///
    /// # Errors
    /// None that is known of.
    ///
    /// ```ignore
    /// db.close().await?;
    /// ```
    pub async fn close(&self) -> Result<(), Error> {
        settled(self.js.close()).await.map(drop)
    }
}
