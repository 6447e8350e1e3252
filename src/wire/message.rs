//! The messages, field by field as in `hub-js/protocol.ts`. Plain data: no method here decides anything.
//!
//! The hub reads them by `op` and writes them by `body`, without serde. The derives are for clients and tests in Rust, which
//! do both the other way round; they are not part of the download.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One frame from a tab. `id` grows over all requests of a client, so that a repeated frame is known; 0 means that no reply is
/// wanted. `write` numbers the client's writes from 1; those up to `answered` have been answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    pub op: Op,
}

/// What a tab asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Hello(Hello),
    Query(Query),
    Exec(Exec),
    Batch(Batch),
    Begin(Begin),
    Commit(Commit),
    Rollback(Rollback),
    Iterate(Iterate),
    Live(Live),
    Changes(Changes),
    Keep(Keep),
    Changesets(Changesets),
    Apply(Apply),
    Export(Export),
    Check(Check),
    Import(Import),
    Part(Part),
    Pull(Pull),
    Cancel(Cancel),
    Metrics(Metrics),
    Inspect(Inspect),
    Close(Close),
    Destroy(Destroy),
}

/// When a write is acknowledged: after the disk was told to flush, or after the storage engine took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    Strict,
    Relaxed,
}

/// `BEGIN`'s three kinds; a `Read` transaction refuses writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionMode {
    Deferred,
    Immediate,
    Read,
}

/// What the tab accepts when persistent storage is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersistenceWanted {
    Required,
    Preferred,
}

/// What the hub really has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    #[serde(rename = "indexeddb")]
    IndexedDb,
    Memory,
}

/// How one statement's parameters lie in its value block. `names` carry their prefix as the caller wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamsShape {
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// One statement of a batch, to be run once, or `times` times, one after the other, each time with the next `params.count` values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementShape {
    pub sql: String,
    pub params: ParamsShape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// The first frame on a port. `lock` names the Web Lock the tab holds for its life, empty where locks are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// The newest stored format that the tab's build knows; 0 from a build that does not say.
    #[serde(default)]
    pub format: u32,
    pub client: String,
    pub lock: String,
    pub build: String,
    pub persistence: PersistenceWanted,
    pub durability: Durability,
    /// How large the block cache should be, in bytes or in blocks; the largest that a connected tab asks for counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_blocks: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

/// A client that has been here before, or with another hub: `since` is the commit of its first welcome, `last` the highest
/// number among its writes, `epoch` that of the hub it was with last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    pub since: u64,
    pub last: u64,
    pub epoch: u64,
}

/// One statement. Payload: one value block. Timeouts are milliseconds everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    pub sql: String,
    pub params: ParamsShape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// Many statements without parameters, as one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    pub sql: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// Many statements with parameters, one transaction. Payload: one value block per statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub statements: Vec<StatementShape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// `timeout`: the longest idle time before the hub rolls the transaction back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    pub mode: TransactionMode,
    pub timeout: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub tx: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    pub tx: u64,
}

/// A read-only statement whose rows are streamed. Payload: one value block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iterate {
    pub sql: String,
    pub params: ParamsShape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// `salvage`: what cannot be read becomes zeros instead of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salvage: Option<bool>,
}

/// How much a check verifies: everything stored, and `SQLite`'s structures by its quick check or its full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckLevel {
    Quick,
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub level: CheckLevel,
}

/// `size`: bytes of the file that follows in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub size: u64,
}

/// One part of import `target`. Payload: raw bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub target: u64,
    pub end: bool,
}

/// The consumer took one chunk of `target` and wants another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    pub target: u64,
}

/// A query that is followed: each `pull` asks for one more state of it. Payload: one value block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    pub sql: String,
    pub params: ParamsShape,
}

/// What commits change in these tables, or in any, from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<String>>,
}

/// Of how many commits, the newest, it is kept what they change; 0: of none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    pub commits: u64,
}

/// What the commits after `since` changed, as far as there are any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changesets {
    pub since: u64,
}

/// What becomes of a change that does not fit the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    Abort,
    Omit,
    Replace,
}

/// A changeset from elsewhere. Payload: its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    pub conflict: OnConflict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<Durability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    pub target: u64,
    /// Whose request it is, as `inspect` names sessions; absent for the tab's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {}

/// What the hub is doing, as tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspect {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {}

/// Deletes the database and everything stored for it, for every tab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroy {}

/// One frame to a tab. `hub` names the hub instance; `re` is the request answered, 0 for notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    pub hub: String,
    pub re: u64,
    pub body: Body,
}

/// What the hub says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Welcome(Welcome),
    /// Payload: one value block.
    Rows(ResultShape),
    /// Payload: one value block per result.
    Results(Results),
    Done(Done),
    Begun(Begun),
    /// Payload: one value block.
    Chunk(Chunk),
    /// Payload: one value block, the fresh rows.
    Live(LiveUpdate),
    /// Payload: one value block, the rows' ids, table by table.
    Changed(Changed),
    Kept(Kept),
    /// Payload: raw bytes.
    Changeset(Changeset),
    /// Payload: raw bytes.
    Bytes(Bytes),
    Checked(Checked),
    More(More),
    Metrics(Figures),
    Error(WireError),
    Log(Log),
    Storage(Storage),
    Fatal(WireError),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: u32,
    /// The stored format that the hub writes.
    pub format: u32,
    pub version: String,
    pub sqlite: String,
    pub persistence: Persistence,
    pub epoch: u64,
    pub commit: u64,
    pub storage: StorageState,
}

/// How the hub stands with its storage; `ReadOnly` when something stored is corrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageState {
    #[default]
    Ok,
    Reconnecting,
    Stalled,
    ReadOnly,
}

/// `declared` is the column's declared type, absent for expressions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub declared: Option<String>,
}

/// One statement's result. `last_insert_rowid` travels as decimal text: it may exceed 2^53.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultShape {
    pub columns: Vec<Column>,
    pub rows: u32,
    pub changes: u64,
    #[serde(with = "decimal")]
    pub last_insert_rowid: i64,
    /// Of a statement without columns that was run several times: its value block holds changes and rowid of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    pub results: Vec<ResultShape>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub changes: u64,
    #[serde(with = "decimal")]
    pub last_insert_rowid: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub tx: u64,
}

/// A run of streamed rows. `columns` stands only in the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    pub rows: u32,
    pub end: bool,
}

/// How a live query's rows follow from those that the tab knows. `parts` are runs of `(from, count)`, flat: `from` is 0 for the next `fresh`
/// rows, otherwise one more than the place among the known rows where the run begins. `columns` stands where they are new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveUpdate {
    pub commit: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    pub fresh: u32,
    pub parts: Vec<u32>,
}

/// What one commit changed. `own`: by the tab that is told. `schema`: anything may be another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub commit: u64,
    pub own: bool,
    pub schema: bool,
    pub tables: Vec<TableChanged>,
}

/// `rows`: how many ids of the payload are its; absent where they are too many or it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChanged {
    pub table: String,
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
}

/// From the commit after this one on it is kept what commits change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub commit: u64,
}

/// What one commit changed; the last is of the newest commit, without anything, and ends it. `schema`: the schema too. `applied`: it came from
/// elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changeset {
    pub commit: u64,
    pub schema: bool,
    pub applied: bool,
    pub end: bool,
}

/// A run of an exported file: where it lies, the file's whole size, and how many of its bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    pub offset: u64,
    pub total: u64,
    pub end: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStage {
    Log,
    Groups,
    Sqlite,
}

/// How far a check has come, in steps, and the problems found since it last said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub stage: CheckStage,
    pub done: u64,
    pub total: u64,
    pub problems: Vec<String>,
    pub end: bool,
}

/// Credit for one more part of an import; `received` bytes arrived so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    pub received: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub level: LogLevel,
    pub message: String,
}

/// The hub's storage from now on, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    pub state: StorageState,
    pub message: String,
}

/// What became of the work that a failed request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    NotApplied,
    Applied,
    Unknown,
}

/// `sqlite`: extended result code; `offset`: byte offset of the error in `sql`; `index`: failing statement of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    pub code: String,
    pub message: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// Named figures, a JSON object on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(pub Vec<(String, u64)>);

impl From<Vec<(String, u64)>> for Figures {
    fn from(figures: Vec<(String, u64)>) -> Self {
        Self(figures)
    }
}

impl Serialize for Figures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|figures| Self(figures.into_iter().collect()))
    }
}

/// 64-bit integers as decimal text, because a JSON number in JavaScript ends at 2^53.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("expected a 64-bit integer as decimal text"))
    }
}
