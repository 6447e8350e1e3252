//! Units of work: what one request does to a connection, from the first statement to the reply. A unit that misses a block
//! is rolled back by its caller and run again from the start; nothing of it has been seen by then.

use super::reply::{Reply, Rows, Table, wire_columns};
use crate::engine::{Attempt, ConflictPolicy, Connection, Control, Failure, Params, Sql, Statement, ValueRef};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq};
use crate::store::codec::Fields;
use crate::wire;
use std::borrow::Cow;
use std::rc::Rc;

/// One statement and its parameters, as they came; in a batch, those of each of the `times` that it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub sql: String,
    pub values: Vec<wire::Value>,
    pub names: Option<Vec<String>>,
    pub times: usize,
}

impl Call {
    pub fn params(&self) -> Params<'_> {
        self.params_of(0)
    }

    fn params_of(&self, run: usize) -> Params<'_> {
        let count = self.values.len() / self.times;
        let values = self.values[run * count..(run + 1) * count].iter().map(|value| match value {
            wire::Value::Null => ValueRef::Null,
            wire::Value::Integer(n) => ValueRef::Integer(*n),
            wire::Value::Real(x) => ValueRef::Real(*x),
            wire::Value::Text(text) => ValueRef::Text(Cow::Borrowed(text)),
            wire::Value::Blob(blob) => ValueRef::Blob(blob),
        });
        Params { values: values.collect(), names: self.names.as_deref() }
    }
}

/// A script and how far it has been committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    sql: Sql,
    /// Where the part begins that is not committed yet; a restart begins here.
    from: usize,
    changes: i64,
    /// Whether foreign keys are enforced there, and `last_insert_rowid()`.
    foreign_keys: bool,
    last_rowid: i64,
    pub committed: Option<CommitSeq>,
}

impl Script {
    pub fn new(sql: Sql) -> Self {
        Self { sql, from: 0, changes: 0, foreign_keys: true, last_rowid: 0, committed: None }
    }

    /// How far it has come, for [`resume`](Self::resume).
    pub fn progress(&self) -> Vec<u8> {
        let mut out = (self.from as u64).to_le_bytes().to_vec();
        out.extend_from_slice(&self.changes.to_le_bytes());
        out.extend_from_slice(&self.last_rowid.to_le_bytes());
        out.push(u8::from(self.foreign_keys));
        out
    }

    /// Goes on where another hub left it, after its last commit.
    pub fn resume(&mut self, progress: &[u8], committed: CommitSeq) {
        let mut f = Fields(progress);
        let mut read = || Some((f.u64()?, f.u64()?, f.u64()?, f.bytes(1)? == [1]));
        if let Some((from, changes, last_rowid, foreign_keys)) = read() {
            self.from = usize::try_from(from).unwrap_or(usize::MAX).min(self.sql.as_str().len());
            (self.changes, self.last_rowid) = (changes.cast_signed(), last_rowid.cast_signed());
            (self.foreign_keys, self.committed) = (foreign_keys, Some(committed));
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Query(Call),
    Script(Script),
    Batch(Vec<Call>),
    Apply(Apply),
}

/// A changeset to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    pub changeset: Rc<[u8]>,
    pub policy: ConflictPolicy,
}

/// A failure, with the failing statement of a batch.
#[derive(Debug)]
pub struct WorkFailure {
    pub failure: Failure,
    pub index: Option<usize>,
}

impl<F: Into<Failure>> From<F> for WorkFailure {
    fn from(failure: F) -> Self {
        Self { failure: failure.into(), index: None }
    }
}

pub type WorkResult<T> = Result<T, WorkFailure>;

impl Work {
    pub fn sql(&self) -> &str {
        match self {
            Work::Query(call) => &call.sql,
            Work::Script(script) => script.sql.as_str(),
            Work::Batch(calls) => calls.first().map_or("", |call| &call.sql),
            Work::Apply(_) => "",
        }
    }

    /// Time and seed of the unit: each part of a script has a seed of its own, the same at every restart.
    pub fn unit(&self, (now_ms, seed): (f64, u64)) -> (f64, u64) {
        let part = if let Work::Script(script) = self { script.from as u64 } else { 0 };
        (now_ms, seed.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// The statement that failed, for the error.
    pub fn sql_of(&self, index: Option<usize>) -> &str {
        match (self, index) {
            (Work::Batch(calls), Some(at)) => sql_at(calls, at),
            _ => self.sql(),
        }
    }

    /// Runs as a transaction of its own; returns the reply and the commit that it must wait for. None for a script that has
    /// committed a part of several: run it again for the next.
    pub fn run_alone(&mut self, connection: &mut Connection) -> WorkResult<Option<(Reply, Option<CommitSeq>)>> {
        match self {
            Work::Query(call) => run_query_alone(call, connection).map(Some),
            Work::Script(script) => script.run_alone(connection),
            Work::Batch(calls) => {
                connection.begin()?;
                let reply = run_batch(calls, connection)?;
                Ok(Some((reply, connection.commit()?)))
            }
            Work::Apply(apply) => {
                connection.begin()?;
                let reply = apply.run(connection)?;
                Ok(Some((reply, connection.commit()?)))
            }
        }
    }

    /// Runs inside the open transaction, where it either happens whole or not at all.
    pub fn run_inside(&mut self, connection: &mut Connection) -> WorkResult<Reply> {
        if let Work::Query(call) = self {
            let statement = connection.prepare(&call.sql)?;
            match statement.control {
                None | Some(Control::Savepoint) => return run_call(&statement, call, connection),
                Some(_) => return Err(no_control("a transaction").into()),
            }
        }
        // A single statement is atomic by itself, and may be a SAVEPOINT that is meant to stay open.
        if let Work::Script(script) = self
            && script.is_single(connection)?
        {
            return script.run_inside(connection);
        }
        connection.control("SAVEPOINT tabhub_unit")?;
        let result = match self {
            Work::Script(script) => script.run_inside(connection),
            Work::Batch(calls) => run_batch(calls, connection),
            Work::Apply(apply) => apply.run(connection),
            Work::Query(_) => unreachable!("returned above"),
        };
        if connection.in_transaction() {
            if result.is_err() {
                connection.control("ROLLBACK TO tabhub_unit")?;
            }
            connection.control("RELEASE tabhub_unit")?;
        }
        result
    }
}

fn no_control(place: &str) -> Error {
    Error::TransactionControl(format!(
        "BEGIN, COMMIT and ROLLBACK cannot be used as SQL in {place}: use db.transaction(), or write them in one exec() script"
    ))
}

fn run_query_alone(call: &Call, connection: &mut Connection) -> WorkResult<(Reply, Option<CommitSeq>)> {
    let statement = connection.prepare(&call.sql)?;
    if statement.control.is_some() {
        return Err(no_control("query()").into());
    }
    // VACUUM is a transaction of its own; everything else gets one, so that a restart undoes all of it.
    if statement.is_vacuum {
        let reply = run_call(&statement, call, connection)?;
        return Ok((reply, connection.take_published()));
    }
    connection.begin()?;
    let reply = run_call(&statement, call, connection)?;
    Ok((reply, connection.commit()?))
}

/// Runs a prepared statement and gathers its rows.
pub fn run_call(statement: &Statement, call: &Call, connection: &mut Connection) -> WorkResult<Reply> {
    let (mut rows, mut payload) = (Rows::default(), vec![]);
    let result = run_into(statement, &call.params(), connection, &mut rows)?;
    rows.write_to(&mut payload);
    Ok(Reply { body: wire::Body::Rows(result), payload })
}

fn run_into(
    statement: &Statement,
    params: &Params<'_>,
    connection: &mut Connection,
    rows: &mut Rows,
) -> Attempt<wire::ResultShape> {
    let before = connection.total_changes();
    connection.run(statement, params, &mut |statement| rows.push(statement))?;
    let changes = if connection.total_changes() == before { 0 } else { connection.changes() };
    Ok(wire::ResultShape {
        columns: wire_columns(statement.columns()),
        rows: rows.count,
        changes: changes.cast_unsigned(),
        last_insert_rowid: connection.last_insert_rowid(),
        times: None,
    })
}

/// The SQL of a batch's statement, counted as they are run.
fn sql_at(calls: &[Call], mut at: usize) -> &str {
    for call in calls {
        if at < call.times {
            return &call.sql;
        }
        at -= call.times;
    }
    ""
}

/// After a miss the rest still runs, only to learn what else is missing: one fetch instead of one per statement.
fn run_batch(calls: &[Call], connection: &mut Connection) -> WorkResult<Reply> {
    let (mut done, mut missed, mut index) = (BatchResults::default(), Vec::<BlockNo>::new(), 0);
    for call in calls {
        for run in 0..call.times {
            match run_batch_call(call, run, connection, &mut done) {
                Ok(()) => {}
                Err(Failure::Missed(blocks)) => missed.extend(blocks),
                Err(failure) if missed.is_empty() => return Err(WorkFailure { failure, index: Some(index) }),
                Err(_) => {}
            }
            index += 1;
        }
        done.end_call();
    }
    if !missed.is_empty() {
        return Err(Failure::Missed(missed).into());
    }
    Ok(Reply { body: wire::Body::Results(wire::Results { results: done.results }), payload: done.payload })
}

fn run_batch_call(call: &Call, run: usize, connection: &mut Connection, done: &mut BatchResults) -> Attempt<()> {
    let statement = connection.prepare(&call.sql)?;
    if statement.control.is_some() {
        return Err(no_control("batch()").into());
    }
    let mut rows = Rows::default();
    let result = run_into(&statement, &call.params_of(run), connection, &mut rows)?;
    done.push(result, &rows, call.times > 1);
    Ok(())
}

/// The results of a batch, as they come.
#[derive(Default)]
struct BatchResults {
    results: Vec<wire::ResultShape>,
    payload: Vec<u8>,
    /// What the runs of the present call did.
    effects: Rows,
}

impl BatchResults {
    /// What is run many times and answers nothing takes two numbers each time, and no shape.
    fn push(&mut self, result: wire::ResultShape, rows: &Rows, is_repeated: bool) {
        if is_repeated && result.columns.is_empty() {
            return self.effects.push_effect(&result);
        }
        rows.write_to(&mut self.payload);
        self.results.push(result);
    }

    fn end_call(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        if effects.count > 0 {
            effects.write_to(&mut self.payload);
            self.results.push(wire::ResultShape { times: Some(effects.count), ..wire::ResultShape::default() });
        }
    }
}

impl Apply {
    /// The reply's rows are the conflicts.
    fn run(&self, connection: &mut Connection) -> WorkResult<Reply> {
        let applied = connection.apply(&self.changeset, self.policy)?;
        let mut table = Table::new(&["table", "key", "operation", "reason", "resolution"]);
        for conflict in &applied.conflicts {
            let texts = [&*conflict.table, &conflict.key, conflict.operation, conflict.reason, conflict.resolution];
            texts.into_iter().for_each(|text| table.cells.text(text));
        }
        let mut payload = vec![];
        let result = wire::ResultShape {
            changes: applied.changes.cast_unsigned(),
            last_insert_rowid: connection.last_insert_rowid(),
            ..table.finish(&mut payload)
        };
        Ok(Reply { body: wire::Body::Rows(result), payload })
    }
}

impl Script {
    /// One transaction over all statements, unless the script has transactions of its own: then each of its parts.
    fn run_alone(&mut self, connection: &mut Connection) -> WorkResult<Option<(Reply, Option<CommitSeq>)>> {
        connection.set_foreign_keys(self.foreign_keys);
        if self.committed.is_some() {
            connection.set_last_insert_rowid(self.last_rowid);
        }
        let result = self.run_parts(connection);
        // Whatever becomes of the script, the next one to use the connection finds it as it was.
        connection.rollback();
        connection.set_foreign_keys(true);
        connection.let_foreign_keys_change(false);
        Ok(result?.then(|| (Reply::done(self.changes, connection.last_insert_rowid()), self.committed)))
    }

    /// Runs to the end, or to the first part that was committed before it: false then.
    fn run_parts(&mut self, connection: &mut Connection) -> WorkResult<bool> {
        let (mut at, mut explicit) = (self.from, false);
        let mut changes = connection.total_changes();
        loop {
            connection.let_foreign_keys_change(!connection.in_transaction());
            let prepared = connection.prepare_at(&self.sql, at)?;
            let Some(statement) = prepared.statement else { break };
            let ends_part = match statement.control {
                Some(Control::Begin) if explicit => return Err(nested().into()),
                Some(Control::Begin) => {
                    if self.commit_part(connection, at, &mut changes)? {
                        return Ok(false);
                    }
                    connection.begin()?;
                    explicit = true;
                    false
                }
                Some(Control::Commit | Control::Rollback) if !explicit => {
                    return Err(Error::TransactionControl("COMMIT or ROLLBACK without BEGIN in the script".into()).into());
                }
                Some(Control::Commit | Control::Rollback) => true,
                _ if statement.is_vacuum && !explicit => {
                    if self.commit_part(connection, at, &mut changes)? {
                        return Ok(false);
                    }
                    run_statement(&statement, connection)?;
                    true
                }
                _ => {
                    if !connection.in_transaction() && !statement.is_pragma {
                        connection.begin()?;
                    }
                    run_statement(&statement, connection)?;
                    false
                }
            };
            at = prepared.end;
            if ends_part {
                if statement.control == Some(Control::Rollback) {
                    connection.rollback();
                }
                if self.commit_part(connection, at, &mut changes)? && !self.sql.is_blank_from(at) {
                    return Ok(false);
                }
                explicit = false;
            }
        }
        if explicit {
            return Err(
                Error::TransactionControl("the script begins a transaction that it does not end: add COMMIT".into()).into()
            );
        }
        self.commit_part(connection, at, &mut changes)?;
        Ok(true)
    }

    /// Commits what is open; a restart begins after it. True where that changed anything.
    fn commit_part(&mut self, connection: &mut Connection, end: usize, changes: &mut i64) -> WorkResult<bool> {
        let published = if connection.in_transaction() { connection.commit()? } else { connection.take_published() };
        self.committed = published.or(self.committed);
        self.changes += connection.total_changes() - *changes;
        *changes = connection.total_changes();
        (self.from, self.foreign_keys, self.last_rowid) = (end, connection.foreign_keys(), connection.last_insert_rowid());
        Ok(published.is_some())
    }

    fn is_single(&self, connection: &mut Connection) -> Attempt<bool> {
        let first = connection.prepare_at(&self.sql, 0)?;
        Ok(self.sql.is_blank_from(first.end))
    }

    fn run_inside(&mut self, connection: &mut Connection) -> WorkResult<Reply> {
        let (mut at, before) = (0, connection.total_changes());
        loop {
            let prepared = connection.prepare_at(&self.sql, at)?;
            let Some(statement) = prepared.statement else { break };
            if !matches!(statement.control, None | Some(Control::Savepoint)) {
                return Err(no_control("a transaction").into());
            }
            run_statement(&statement, connection)?;
            at = prepared.end;
        }
        Ok(Reply::done(connection.total_changes() - before, connection.last_insert_rowid()))
    }
}

fn nested() -> Error {
    Error::TransactionControl("the script begins a transaction inside a transaction: use SAVEPOINT".into())
}

fn run_statement(statement: &Statement, connection: &mut Connection) -> Attempt<()> {
    connection.run(statement, &Params::default(), &mut |_| Ok(()))
}
