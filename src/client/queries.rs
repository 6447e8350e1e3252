//! The calls that a database and a transaction have in common.

use super::convert::{get, get_count, get_string, integer, list, params_to_js, set, values_of};
use super::js::JsQueries;
use super::{CallOptions, Error, Params, Statement, Value, decode_row};
use js_sys::{Array, Object, Promise};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Rows inserted, updated or deleted.
    pub changes: u64,
    /// The rowid of the last row this session inserted.
    pub last_insert_rowid: i64,
}

/// What a statement answered.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryResult {
    /// The columns' names, in order.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    pub effect: RunResult,
}

impl QueryResult {
    /// The rows as a type of the caller's.
    ///
    /// # Errors
    /// `DECODE` where a row does not fit.
    pub fn decode<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let Self { columns, rows, .. } = self;
        rows.into_iter().map(|row| decode_row(&columns, row)).collect::<Result<_, _>>().map_err(|error| Error::decode(&error))
    }
}

/// What [`Database`](super::Database) and [`Transaction`](super::Transaction) can both do; both deref to it.
#[derive(Clone)]
pub struct Queries {
    js: JsQueries,
    options: CallOptions,
}

impl Queries {
    pub(super) fn new(js: JsQueries, options: CallOptions) -> Self {
        Self { js, options }
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// `SQLite`'s error with its code; `HUB_BAD_REQUEST` for several statements; `HUB_TIMEOUT`, `HUB_CANCELLED` and the others of the README.
    ///
    /// ```ignore
    /// let result = db.query("SELECT id FROM user WHERE name = ?", ("Ada",)).await?;
    /// ```
    pub async fn query(&self, sql: &str, params: impl Into<Params>) -> Result<QueryResult, Error> {
        let answer = settled(self.js.query(sql, &params_to_js(&params.into()), &self.exact_rows())).await?;
        Ok(result_of(&answer))
    }

    /// The rows of one statement: a struct or a map by the columns' names, a tuple by their order.
    ///
    /// # Errors
    /// As [`query`](Self::query); `DECODE` where a row does not fit `T`.
    ///
    /// ```ignore
    /// let users: Vec<User> = db.all("SELECT * FROM user", ()).await?;
    /// ```
    pub async fn all<T: DeserializeOwned>(&self, sql: &str, params: impl Into<Params>) -> Result<Vec<T>, Error> {
        self.query(sql, params).await?.decode()
    }

    /// The first row of one statement, if there is one.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    ///
    /// ```ignore
    /// let count: Option<(i64,)> = db.get("SELECT count(*) FROM user", ()).await?;
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, sql: &str, params: impl Into<Params>) -> Result<Option<T>, Error> {
        let QueryResult { columns, rows, .. } = self.query(sql, params).await?;
        let first = rows.into_iter().next().map(|row| decode_row(&columns, row));
        first.transpose().map_err(|error| Error::decode(&error))
    }

    /// Runs one statement for its effect; it is durable when this returns.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    ///
    /// ```ignore
    /// let deleted = db.run("DELETE FROM user WHERE id = ?", (7,)).await?.changes;
    /// ```
    pub async fn run(&self, sql: &str, params: impl Into<Params>) -> Result<RunResult, Error> {
        Ok(self.query(sql, params).await?.effect)
    }

    /// Runs many statements without parameters as one transaction: all or nothing.
    ///
    /// # Errors
    /// The error of the statement that failed.
    ///
    /// ```ignore
    /// db.exec("CREATE TABLE a (x); CREATE TABLE b (y)").await?;
    /// ```
    pub async fn exec(&self, sql: &str) -> Result<RunResult, Error> {
        Ok(effect_of(&settled(self.js.exec(sql, &self.options.writing())).await?))
    }

    /// Runs many statements with parameters as one transaction, in one message.
    ///
    /// # Errors
    /// The error of the statement that failed, with its `index`; none is applied then.
    ///
    /// ```ignore
    /// db.batch(&[Statement::new("INSERT INTO a VALUES (?)", (1,)), Statement::new("DELETE FROM b", ())]).await?;
    /// ```
    pub async fn batch(&self, statements: &[Statement]) -> Result<Vec<QueryResult>, Error> {
        let pairs: Array =
            statements.iter().map(|one| Array::of2(&one.sql.as_str().into(), &params_to_js(&one.params))).collect();
        let answer = settled(self.js.batch(&pairs, &self.exact_rows())).await?;
        Ok(list(&answer).iter().map(result_of).collect())
    }

    fn exact_rows(&self) -> Object {
        let options = self.options.writing();
        set(&options, "bigint", "bigint");
        set(&options, "rowMode", "array");
        options
    }
}

/// A promise's end.
pub async fn settled(promise: Promise) -> Result<JsValue, Error> {
    JsFuture::from(promise).await.map_err(|thrown| Error::from_js(&thrown))
}

fn effect_of(answer: &JsValue) -> RunResult {
    let changes = get_count(answer, "changes").unwrap_or_default();
    RunResult { changes, last_insert_rowid: integer(&get(answer, "lastInsertRowid")) }
}

fn result_of(answer: &JsValue) -> QueryResult {
    QueryResult {
        columns: list(&get(answer, "columns")).iter().map(|column| get_string(column, "name")).collect(),
        rows: list(&get(answer, "rows")).iter().map(values_of).collect(),
        effect: effect_of(answer),
    }
}
