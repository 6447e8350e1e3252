//! The way in for requests: each becomes a job in its tab's lane, or is answered on the spot.

use super::Action;
use super::changesets::commits_kept;
use super::database::Database;
use super::lanes::{Ask, Job};
use super::pins::Pins;
use super::reply::Reply;
use super::transactions::idle_ms;
use super::work::{Apply, Call, Script, Work};
use crate::engine::{ConflictPolicy, Sql};
use crate::error::{Error, Result};
use crate::ids::{PortId, TxId};
use crate::store::Durability;
use crate::wire::{self, Op};

/// Without a request for so long the hub is idle.
const IDLE_MS: f64 = 100.0;
/// How long a statement may wait and run where the call names no timeout.
const TIMEOUT_MS: u32 = 30_000;

impl Database {
    pub fn request(&mut self, port: PortId, request: wire::Request, payload: &[u8], now: f64) {
        let id = request.id;
        if self.is_repeated(port, &request) {
            return;
        }
        (self.warm_at, self.is_warming) = (now + IDLE_MS, false);
        self.note_return(port, now);
        self.note_asked(port, &request);
        if let Err(error) = self.take_request(port, request, payload, now) {
            self.fail(port, id, &error);
        }
    }

    /// Whether the very same frame came before on this port; notes what the client says of itself.
    fn is_repeated(&mut self, port: PortId, request: &wire::Request) -> bool {
        let Some(session) = self.sessions.get_mut(port) else { return false };
        session.answered = session.answered.max(request.answered.unwrap_or(0));
        let is_repeated = request.id != 0 && request.id <= session.last_id;
        session.last_id = session.last_id.max(request.id);
        session.last_number = session.last_number.max(request.write.unwrap_or(0));
        is_repeated
    }

    fn take_request(&mut self, port: PortId, request: wire::Request, payload: &[u8], now: f64) -> Result<()> {
        let (id, write) = (request.id, request.write);
        if let Some(number) = write {
            check_number(number, &request.op)?;
            if self.recall(port, id, number)? {
                return Ok(());
            }
        }
        match request.op {
            Op::Hello(_) => unreachable!("answered by the hub"),
            Op::Query(q) => {
                let work = Work::Query(one_call(q.sql, q.params, payload)?);
                self.ask_work((port, id, write), q.tx, q.durability, q.timeout, work, now)?;
            }
            Op::Exec(e) => {
                let work = Work::Script(Script::new(Sql::new(&e.sql)?));
                self.ask_work((port, id, write), e.tx, e.durability, e.timeout, work, now)?;
            }
            Op::Batch(b) => {
                let work = Work::Batch(calls(b.statements, payload)?);
                self.ask_work((port, id, write), b.tx, b.durability, b.timeout, work, now)?;
            }
            Op::Begin(b) => {
                let idle_ms = idle_ms(b.timeout)?;
                let ask = if b.mode == wire::TransactionMode::Read { Ask::BeginRead { idle_ms } } else { Ask::Begin { idle_ms } };
                self.ask((port, id, None), ask, None, None, now);
            }
            Op::Commit(c) => self.request_commit((port, id, write), tx_id(c.tx)?, c.durability.map(Into::into)),
            Op::Rollback(r) => self.request_rollback(port, id, tx_id(r.tx)?),
            Op::Iterate(i) => {
                let call = one_call(i.sql, i.params, payload)?;
                self.ask((port, id, None), Ask::Iterate(call), None, i.timeout, now);
            }
            Op::Live(l) => {
                let call = one_call(l.sql, l.params, payload)?;
                self.follow(port, id, call);
            }
            Op::Changes(c) => self.listen(port, id, c.tables.unwrap_or_default()),
            Op::Apply(a) => {
                let policy = match a.conflict {
                    wire::OnConflict::Abort => ConflictPolicy::Abort,
                    wire::OnConflict::Omit => ConflictPolicy::Omit,
                    wire::OnConflict::Replace => ConflictPolicy::Replace,
                };
                let work = Work::Apply(Apply { changeset: payload.into(), policy });
                self.ask_work((port, id, write), a.tx, a.durability, a.timeout, work, now)?;
            }
            Op::Keep(k) => self.ask((port, id, None), Ask::Keep { commits: commits_kept(k.commits)? }, None, None, now),
            Op::Changesets(c) => self.ask((port, id, None), Ask::Changesets { since: c.since }, None, None, now),
            Op::Export(e) => {
                self.ask((port, id, None), Ask::Export { salvage: e.salvage == Some(true) }, None, None, now);
            }
            Op::Check(c) => self.ask((port, id, None), Ask::Check { level: c.level }, None, None, now),
            Op::Import(i) => self.ask((port, id, None), Ask::Import { size: i.size }, None, None, now),
            Op::Part(p) => self.import_part(port, p.target, payload, p.end, now),
            Op::Pull(p) => self.pull(port, p.target),
            Op::Cancel(c) => self.cancel_for(port, &c),
            Op::Metrics(_) => {
                let metrics = self.metrics();
                self.reply_now(port, id, Reply::bare(wire::Body::Metrics(metrics)));
            }
            Op::Inspect(_) => {
                let state = self.inspect(port);
                self.reply_now(port, id, state);
            }
            Op::Close(_) => {
                self.reply_now(port, id, Reply::done(0, 0));
                self.forget_session(port);
                self.actions.push(Action::Disconnect(port));
            }
            // Where it can be done, the hub ends before its request gets here.
            Op::Destroy(_) => {
                return Err(Error::Refused(
                    "an import is under way: wait for its end, or cancel it, before you destroy the database".into(),
                ));
            }
        }
        Ok(())
    }

    fn ask_work(
        &mut self,
        from: Origin,
        tx: Option<u64>,
        durability: Option<wire::Durability>,
        timeout: Option<u32>,
        work: Work,
        now: f64,
    ) -> Result<()> {
        let ask = Ask::Work(work);
        match tx {
            Some(tx) => {
                let (tx, job) = (tx_id(tx)?, self.job(from, ask, durability, timeout, now));
                self.request_inside(tx, job);
            }
            None => self.ask(from, ask, durability, timeout, now),
        }
        Ok(())
    }

    fn ask(&mut self, from: Origin, ask: Ask, durability: Option<wire::Durability>, timeout: Option<u32>, now: f64) {
        let mut job = self.job(from, ask, durability, timeout, now);
        self.resume_script(&mut job);
        if let Some(session) = self.sessions.get_mut(job.port) {
            session.lane.push_back(job);
        }
    }

    fn job(
        &mut self,
        (port, id, write): Origin,
        ask: Ask,
        durability: Option<wire::Durability>,
        timeout: Option<u32>,
        now: f64,
    ) -> Box<Job> {
        self.seed = self.seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let default = self.sessions.get(port).map_or(Durability::Strict, |s| s.durability);
        Box::new(Job {
            port,
            id,
            write,
            ask,
            durability: durability.map_or(default, Into::into),
            deadline: now + f64::from(timeout.unwrap_or(TIMEOUT_MS)),
            unit: (now, self.seed),
            tries: 0,
            misses: vec![],
            pins: Pins::new(&self.pager),
        })
    }
}

/// Where a request comes from: its port, its id, and its number if it is a write.
pub type Origin = (PortId, u64, Option<u64>);

/// A number is for what can be carried out once: a write by itself, or a commit.
fn check_number(number: u64, op: &Op) -> Result<()> {
    let takes_one = match op {
        Op::Query(q) => q.tx.is_none(),
        Op::Exec(e) => e.tx.is_none(),
        Op::Batch(b) => b.tx.is_none(),
        Op::Apply(a) => a.tx.is_none(),
        op => matches!(op, Op::Commit(_)),
    };
    if takes_one && number > 0 {
        return Ok(());
    }
    Err(Error::BadRequest("`write` numbers, from 1, query, exec, batch and apply outside of transactions, and commit".into()))
}

impl From<wire::Durability> for Durability {
    fn from(d: wire::Durability) -> Self {
        match d {
            wire::Durability::Strict => Durability::Strict,
            wire::Durability::Relaxed => Durability::Relaxed,
        }
    }
}

fn tx_id(tx: u64) -> Result<TxId> {
    u32::try_from(tx).map(TxId).map_err(|_| Error::BadRequest(format!("there is no transaction {tx}")))
}

fn one_call(sql: String, params: wire::ParamsShape, payload: &[u8]) -> Result<Call> {
    let statement = wire::StatementShape { sql, params, times: None };
    Ok(calls(vec![statement], payload)?.pop().expect("one statement gives one call"))
}

fn calls(statements: Vec<wire::StatementShape>, payload: &[u8]) -> Result<Vec<Call>> {
    let malformed = |e: wire::FrameError| Error::Protocol(e.to_string());
    let mut values = wire::ValuesReader::new(payload);
    let mut calls = Vec::with_capacity(statements.len());
    for wire::StatementShape { sql, params, times } in statements {
        if params.names.as_ref().is_some_and(|names| names.len() != params.count as usize) {
            return Err(Error::BadRequest("there must be a name for each named parameter".into()));
        }
        let times = times.unwrap_or(1) as usize;
        let count = (params.count as usize).checked_mul(times).filter(|_| times > 0);
        let count = count
            .ok_or_else(|| Error::BadRequest("`times` must be a positive number, as large as the parameters allow".into()))?;
        let values = values.block(count).map_err(malformed)?;
        calls.push(Call { sql, values, names: params.names, times });
    }
    values.finish().map_err(malformed)?;
    Ok(calls)
}
