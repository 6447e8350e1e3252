//! The way in for requests: each becomes a job in its tab's lane, or is answered on the spot.

use super::Action;
use super::database::Database;
use super::lanes::{Ask, Job};
use super::reply::Reply;
use super::transactions::idle_ms;
use super::work::{Call, Script, Work};
use crate::engine::Sql;
use crate::error::{Error, Result};
use crate::ids::{PortId, TxId};
use crate::store::Durability;
use crate::wire::{self, Op};

/// How long a statement may wait and run where the call names no timeout.
const TIMEOUT_MS: u32 = 30_000;

impl Database {
    pub fn request(&mut self, port: PortId, request: wire::Request, payload: &[u8], now: f64) {
        let id = request.id;
        if let Err(error) = self.take_request(port, request, payload, now) {
            self.fail(port, id, &error);
        }
    }

    fn take_request(&mut self, port: PortId, request: wire::Request, payload: &[u8], now: f64) -> Result<()> {
        let id = request.id;
        match request.op {
            Op::Hello(_) => unreachable!("answered by the hub"),
            Op::Query(q) => {
                let work = Work::Query(one_call(q.sql, q.params, payload)?);
                self.ask_work(port, id, q.tx, q.durability, q.timeout, work, now)?;
            }
            Op::Exec(e) => {
                let work = Work::Script(Script::new(Sql::new(&e.sql)?));
                self.ask_work(port, id, e.tx, e.durability, e.timeout, work, now)?;
            }
            Op::Batch(b) => {
                let work = Work::Batch(calls(b.statements, payload)?);
                self.ask_work(port, id, b.tx, b.durability, b.timeout, work, now)?;
            }
            Op::Begin(b) => {
                let idle_ms = idle_ms(b.timeout)?;
                let ask = if b.mode == wire::TransactionMode::Read { Ask::BeginRead { idle_ms } } else { Ask::Begin { idle_ms } };
                self.ask(port, id, ask, None, None, now);
            }
            Op::Commit(c) => self.request_commit(port, id, tx_id(c.tx)?, c.durability.map(Into::into), now),
            Op::Rollback(r) => self.request_rollback(port, id, tx_id(r.tx)?),
            Op::Iterate(i) => {
                let call = one_call(i.sql, i.params, payload)?;
                self.ask(port, id, Ask::Iterate(call), None, i.timeout, now);
            }
            Op::Export(_) => self.ask(port, id, Ask::Export, None, None, now),
            Op::Import(i) => self.ask(port, id, Ask::Import { size: i.size }, None, None, now),
            Op::Part(p) => self.import_part(port, p.target, payload, p.end, now),
            Op::Pull(p) => self.pull(port, p.target),
            Op::Cancel(c) => self.cancel(port, c.target),
            Op::Metrics(_) => {
                let metrics = self.metrics();
                self.reply_now(port, id, Reply::bare(wire::Body::Metrics(metrics)));
            }
            Op::Close(_) => {
                self.reply_now(port, id, Reply::done(0, 0));
                self.end_session(port);
                self.actions.push(Action::Disconnect(port));
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields that query, exec and batch share")]
    fn ask_work(
        &mut self,
        port: PortId,
        id: u64,
        tx: Option<u64>,
        durability: Option<wire::Durability>,
        timeout: Option<u32>,
        work: Work,
        now: f64,
    ) -> Result<()> {
        let ask = Ask::Work(work);
        match tx {
            Some(tx) => {
                let (tx, job) = (tx_id(tx)?, self.job(port, id, ask, durability, timeout, now));
                self.request_inside(tx, job, now);
            }
            None => self.ask(port, id, ask, durability, timeout, now),
        }
        Ok(())
    }

    fn ask(&mut self, port: PortId, id: u64, ask: Ask, durability: Option<wire::Durability>, timeout: Option<u32>, now: f64) {
        let job = self.job(port, id, ask, durability, timeout, now);
        if let Some(session) = self.sessions.get_mut(port) {
            session.lane.push_back(job);
        }
    }

    fn job(
        &mut self,
        port: PortId,
        id: u64,
        ask: Ask,
        durability: Option<wire::Durability>,
        timeout: Option<u32>,
        now: f64,
    ) -> Job {
        self.seed = self.seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let default = self.sessions.get(port).map_or(Durability::Strict, |s| s.durability);
        Job {
            port,
            id,
            ask,
            durability: durability.map_or(default, Into::into),
            deadline: now + f64::from(timeout.unwrap_or(TIMEOUT_MS)),
            unit: (now, self.seed),
            tries: 0,
            misses: vec![],
        }
    }
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
    let statement = wire::StatementShape { sql, params };
    Ok(calls(vec![statement], payload)?.pop().expect("one statement gives one call"))
}

fn calls(statements: Vec<wire::StatementShape>, payload: &[u8]) -> Result<Vec<Call>> {
    let malformed = |e: wire::FrameError| Error::Protocol(e.to_string());
    let mut values = wire::ValuesReader::new(payload);
    let mut calls = Vec::with_capacity(statements.len());
    for wire::StatementShape { sql, params } in statements {
        if params.names.as_ref().is_some_and(|names| names.len() != params.count as usize) {
            return Err(Error::BadRequest("there must be a name for each named parameter".into()));
        }
        let values = values.block(params.count as usize).map_err(malformed)?;
        calls.push(Call { sql, values, names: params.names });
    }
    values.finish().map_err(malformed)?;
    Ok(calls)
}
