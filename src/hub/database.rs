//! The open database: the state that all parts of the hub share, the way in for requests, and the small acts that the other
//! files are made of (snapshots, connections, fetching, replying).

use super::Action;
use super::lanes::{Ask, Job};
use super::outbox::{Held, Outbox};
use super::reply::{Reply, wire_error};
use super::session::Session;
use super::streams::Stream;
use super::transactions::{ReadTransaction, idle_ms};
use super::work::{Call, Script, Work};
use super::writer::Slot;
use crate::engine::{Attempt, Clock, Connection, Sql};
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, GroupNo, OpId, PortId, TxId};
use crate::sorted::SortedMap;
use crate::store::{Durability, Pager, Progress, StoreResult};
use crate::vfs::{ReadAt, Role};
use crate::wire::{self, Op};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How long a statement may wait and run where the call names no timeout.
const TIMEOUT_MS: u32 = 30_000;

/// Figures of the hub's own; the pager has more.
#[derive(Debug, Default)]
pub struct Counters {
    pub reads: u64,
    pub writes: u64,
    pub restarts: u64,
}

pub struct Database {
    pub(super) pager: Rc<RefCell<Pager>>,
    pub(super) clock: Clock,
    pub(super) writer: Option<Connection>,
    reader: Option<Connection>,
    pub(super) sessions: SortedMap<PortId, Session>,
    /// Reads that wait for their blocks.
    pub(super) reads: Vec<Job>,
    pub(super) inside_reads: Vec<(TxId, Job)>,
    pub(super) turns: VecDeque<Job>,
    pub(super) slot: Slot,
    pub(super) read_transactions: SortedMap<TxId, ReadTransaction>,
    pub(super) streams: Vec<Stream>,
    outbox: Outbox,
    pub(super) counters: Counters,
    instance: String,
    seed: u64,
    last_tx: TxId,
    actions: Vec<Action>,
    failure: Option<Error>,
}

impl Database {
    pub fn new(pager: Pager, instance: String, seed: u64, clock: Clock) -> Self {
        let mut pager = pager;
        // The schema begins in the first block: have it on its way before anybody asks.
        if pager.blocks_at(pager.durable()) > 0 {
            pager.fetch(&[BlockNo(0)], 0);
        }
        Self {
            pager: Rc::new(RefCell::new(pager)),
            clock,
            writer: None,
            reader: None,
            sessions: SortedMap::default(),
            reads: vec![],
            inside_reads: vec![],
            turns: VecDeque::new(),
            slot: Slot::Free,
            read_transactions: SortedMap::default(),
            streams: vec![],
            outbox: Outbox::default(),
            counters: Counters::default(),
            instance,
            seed,
            last_tx: TxId(0),
            actions: vec![],
            failure: None,
        }
    }

    pub fn epoch(&self) -> u64 {
        self.pager.borrow().header().epoch.0
    }

    pub fn knows(&self, port: PortId) -> bool {
        self.sessions.contains_key(port)
    }

    pub fn admit(&mut self, port: PortId, durability: Durability) {
        self.sessions.insert(port, Session::new(durability));
    }

    // ---- requests

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
                self.end_session(port, now);
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

    // ---- moving on

    /// Runs everything that can run now, until nothing changes.
    pub fn pump(&mut self, now: f64) {
        self.pump_reads();
        self.pump_inside_reads(now);
        self.pump_transaction(now);
        self.pump_writer(now);
        self.pump_import();
        loop {
            self.pump_lanes(now);
            let open = self.streams.len();
            self.pump_streams(now);
            // A cursor that ended makes room for one that waits in a lane.
            if self.streams.len() == open {
                break;
            }
        }
        let ops = self.pager.borrow_mut().take_ops();
        self.actions.extend(ops.into_iter().map(|(id, op)| Action::Store(id, op)));
    }

    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Why the hub is over, once.
    pub fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Takes an answer of the block store.
    pub fn stored(&mut self, id: OpId, result: StoreResult, _now: f64) {
        let progress = self.pager.borrow_mut().complete(id, result);
        for step in progress {
            match step {
                Progress::Durable(seq) => {
                    for held in self.outbox.release(seq) {
                        self.reply_now(held.port, held.id, held.reply);
                    }
                }
                Progress::Fetched => {}
                Progress::FetchFailed(first, last, error) => self.fetch_failed(first, last, &error),
                Progress::CommitsLost(error) => self.commits_lost(&error),
                Progress::ImportStep(result) => self.import_step(result),
                Progress::Imported => self.imported(),
                Progress::Failed(error) => self.fail_all(&error),
            }
        }
    }

    /// The commits that were not durable are gone: whoever waits for one, or has read one, is told.
    fn commits_lost(&mut self, error: &Error) {
        self.log(wire::LogLevel::Warn, &["commits could not be stored and were rolled back: ", error.message()].concat());
        for held in self.outbox.take_all() {
            self.fail(held.port, held.id, error);
        }
        let durable = self.pager.borrow().durable();
        self.end_transaction(error);
        self.end_streams(error, |stream| stream.at > durable);
        self.end_read_transactions(error, |_, read| read.at > durable);
        for session in self.sessions.values_mut() {
            session.last_write = session.last_write.min(durable);
        }
        // A connection may hold pages of a commit that never was.
        self.forget_connections();
    }

    /// Nothing can be read or written any more.
    fn fail_all(&mut self, error: &Error) {
        for held in self.outbox.take_all() {
            self.fail(held.port, held.id, error);
        }
        self.end_transaction(error);
        self.import_failed(error);
        self.end_streams(error, |_| true);
        self.end_read_transactions(error, |_, _| true);
        for job in self.take_jobs(|_| true) {
            self.fail_job(&job, error, None);
        }
        let ports: Vec<_> = self.sessions.keys().collect();
        for port in ports {
            self.reply_now(port, 0, Reply::bare(wire::Body::Fatal(wire_error(error, None, None))));
        }
        self.failure = Some(error.clone());
    }

    fn fetch_failed(&mut self, first: GroupNo, last: GroupNo, error: &Error) {
        let grouping = self.pager.borrow().grouping();
        let hit = |misses: &[BlockNo]| misses.iter().any(|b| (first..=last).contains(&grouping.group_of(*b)));
        for job in self.take_jobs(|job| hit(&job.misses)) {
            self.fail_job(&job, error, None);
        }
        self.end_streams(error, |stream| hit(&stream.job.misses));
        if matches!(&self.slot, Slot::Transaction(open) if hit(open.misses())) {
            self.end_transaction(error);
        }
    }

    // ---- ending things

    /// The tab is gone: nothing of what it had under way goes on.
    pub fn end_session(&mut self, port: PortId, _now: f64) {
        let closed = Error::Cancelled("the tab closed the database".into());
        drop(self.take_jobs(|job| job.port == port));
        if matches!(&self.slot, Slot::Transaction(open) if open.port == port) {
            self.end_transaction(&closed);
        }
        if matches!(&self.slot, Slot::Import(turn) if turn.port == port) {
            self.import_failed(&closed);
        }
        self.end_streams(&closed, |stream| stream.job.port == port);
        self.end_read_transactions(&closed, |_, read| read.port == port);
        self.outbox.forget(port);
        self.sessions.remove(port);
    }

    /// Stops a request that has not been carried out yet; one that has is left to its reply.
    fn cancel(&mut self, port: PortId, target: u64) {
        let cancelled = Error::Cancelled("the caller cancelled the request".into());
        for job in self.take_jobs(|job| job.port == port && job.id == target) {
            self.fail_job(&job, &cancelled, None);
        }
        if matches!(&self.slot, Slot::Import(turn) if turn.port == port && turn.id == target) {
            self.import_failed(&cancelled);
        }
        self.end_streams(&cancelled, |stream| stream.is(port, target));
    }

    /// Takes every waiting request that `which` picks from wherever it waits.
    fn take_jobs(&mut self, which: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut taken = vec![];
        for session in self.sessions.values_mut() {
            taken.extend(extract(&mut session.lane, &which));
        }
        taken.extend(self.reads.extract_if(.., |job| which(job)));
        taken.extend(self.inside_reads.extract_if(.., |(_, job)| which(job)).map(|(_, job)| job));
        taken.extend(extract(&mut self.turns, &which));
        match std::mem::replace(&mut self.slot, Slot::Free) {
            Slot::Working(job) if which(&job) => taken.push(job),
            Slot::Transaction(mut open) => {
                taken.extend(open.take_waiting(&which));
                self.slot = Slot::Transaction(open);
            }
            other => self.slot = other,
        }
        taken
    }

    pub(super) fn end_read_transactions(&mut self, why: &Error, which: impl Fn(TxId, &ReadTransaction) -> bool) {
        let (pager, sessions) = (&self.pager, &mut self.sessions);
        self.read_transactions.retain(|tx, read| {
            let over = which(*tx, read);
            if over {
                pager.borrow_mut().unpin(read.at);
            }
            if let Some(session) = sessions.get_mut(read.port).filter(|_| over) {
                session.transaction_ended(*tx, why.clone());
            }
            !over
        });
    }

    // ---- deadlines

    pub fn next_deadline(&self) -> Option<f64> {
        let jobs =
            self.sessions.values().flat_map(|session| &session.lane).chain(&self.reads).chain(&self.turns).map(|j| j.deadline);
        let inside = self.inside_reads.iter().map(|(_, j)| j.deadline);
        let reads = self.read_transactions.iter().filter(|(tx, _)| !self.is_reading(*tx)).map(|(_, read)| read.deadline);
        let slot = match &self.slot {
            Slot::Free => None,
            Slot::Working(job) => Some(job.deadline),
            Slot::Transaction(open) => Some(open.next_deadline()),
            Slot::Import(turn) => Some(turn.deadline),
        };
        jobs.chain(inside).chain(reads).chain(slot).filter(|at| at.is_finite()).min_by(f64::total_cmp)
    }

    /// Ends whatever has waited past its deadline.
    pub fn expire(&mut self, now: f64) {
        let awaited = match &self.slot {
            Slot::Transaction(_) => "another transaction to end",
            Slot::Import(_) => "an import to end",
            _ => "its turn or its blocks",
        };
        for job in self.take_jobs(|job| job.deadline <= now) {
            self.fail_job(&job, &Error::Timeout(["the request waited past its timeout for ", awaited].concat()), None);
        }
        let idle = Error::TransactionTimeout(
            "the transaction was idle for longer than its timeout and was rolled back: keep other work out of it, or pass a longer timeout".into(),
        );
        if matches!(&self.slot, Slot::Transaction(open) if open.is_idle() && open.deadline <= now) {
            self.end_transaction(&idle);
        }
        if matches!(&self.slot, Slot::Import(turn) if turn.deadline <= now) {
            self.import_failed(&Error::Timeout("the next part of the import did not come".into()));
        }
        let busy: Vec<_> = self.inside_reads.iter().map(|(tx, _)| *tx).collect();
        self.end_read_transactions(&idle, |tx, read| read.deadline <= now && !busy.contains(&tx));
    }

    /// Whether a statement of the read transaction waits for blocks.
    fn is_reading(&self, tx: TxId) -> bool {
        self.inside_reads.iter().any(|(reading, _)| *reading == tx)
    }

    // ---- small acts

    /// The snapshot that a tab reads: the newest durable commit, and never one before its own last write.
    pub(super) fn snapshot_of(&self, port: PortId) -> CommitSeq {
        let own = self.sessions.get(port).map_or(CommitSeq(0), |s| s.last_write);
        self.pager.borrow().durable().max(own)
    }

    pub(super) fn reader_at(&mut self, at: CommitSeq) -> Attempt<&mut Connection> {
        if self.reader.is_none() {
            self.reader = Some(Connection::open(&self.pager, Role::Reader, self.clock.clone())?);
        }
        let reader = self.reader.as_mut().expect("just opened");
        reader.read_at(ReadAt::Commit(at));
        Ok(reader)
    }

    pub(super) fn writer(&mut self) -> Attempt<&mut Connection> {
        if self.writer.is_none() {
            self.writer = Some(Connection::open(&self.pager, Role::Writer, self.clock.clone())?);
        }
        Ok(self.writer.as_mut().expect("just opened"))
    }

    pub(super) fn forget_connections(&mut self) {
        self.writer = None;
        self.reader = None;
    }

    pub(super) fn next_tx(&mut self) -> TxId {
        self.last_tx = self.last_tx.next();
        self.last_tx
    }

    pub(super) fn are_resident(&self, blocks: &[BlockNo]) -> bool {
        self.pager.borrow().are_resident(blocks)
    }

    /// Has a unit's missing blocks fetched: further ahead at each restart, in the end everything.
    pub(super) fn fetch_for(&mut self, job: &mut Job, blocks: Vec<BlockNo>) {
        const DOUBLINGS_MAX: u32 = 8;
        self.counters.restarts += 1;
        let mut pager = self.pager.borrow_mut();
        if job.tries < DOUBLINGS_MAX {
            pager.fetch(&blocks, (1 << job.tries) - 1);
        } else {
            pager.fetch_all();
        }
        job.tries += 1;
        job.misses = blocks;
    }

    pub(super) fn reply_now(&mut self, port: PortId, id: u64, reply: Reply) {
        let response = wire::Response { hub: self.instance.clone(), re: id, body: reply.body };
        self.actions.push(Action::Send(port, wire::encode_response(&response, &reply.payload)));
    }

    /// Replies once a commit is durable.
    pub(super) fn reply_after(&mut self, after: CommitSeq, port: PortId, id: u64, reply: Reply) {
        if after <= self.pager.borrow().durable() {
            self.reply_now(port, id, reply);
        } else {
            self.outbox.hold(Held { after, port, id, reply });
        }
    }

    pub(super) fn fail(&mut self, port: PortId, id: u64, error: &Error) {
        self.reply_now(port, id, Reply::bare(wire::Body::Error(wire_error(error, None, None))));
    }

    pub(super) fn fail_job(&mut self, job: &Job, error: &Error, index: Option<usize>) {
        let sql = match &job.ask {
            Ask::Work(work) => Some(work.sql_of(index)),
            Ask::Iterate(call) => Some(call.sql.as_str()),
            _ => None,
        };
        let body = wire::Body::Error(wire_error(error, sql, index));
        self.reply_now(job.port, job.id, Reply::bare(body));
    }

    fn log(&mut self, level: wire::LogLevel, message: &str) {
        let ports: Vec<_> = self.sessions.keys().collect();
        for port in ports {
            self.reply_now(port, 0, Reply::bare(wire::Body::Log(wire::Log { level, message: message.into() })));
        }
    }

    fn metrics(&self) -> wire::Figures {
        let pager = self.pager.borrow();
        let (resident, log_bytes, log_records) = pager.sizes();
        let c = pager.counters();
        let cached = [&self.reader, &self.writer].into_iter().flatten().map(Connection::cached_statements).sum::<usize>();
        let open = self.read_transactions.len() + usize::from(matches!(self.slot, Slot::Transaction(_)));
        [
            ("sessions", self.sessions.len() as u64),
            ("transactions_open", open as u64),
            ("cursors_open", self.streams.iter().filter(|s| s.is_cursor()).count() as u64),
            ("commits", c.commits),
            ("groups", c.groups),
            ("group_commits_max", c.group_commits_max),
            ("bytes_written", c.bytes_written),
            ("log_records", log_records as u64),
            ("log_bytes", log_bytes as u64),
            ("checkpoints", c.checkpoints),
            ("blocks_total", pager.blocks_at(pager.published()).into()),
            ("blocks_resident", resident as u64),
            ("blocks_read", c.blocks_read),
            ("block_bytes", pager.block_bytes().into()),
            ("misses", c.misses),
            ("restarts", self.counters.restarts),
            ("reads", self.counters.reads),
            ("writes", self.counters.writes),
            ("queued", self.turns.len() as u64),
            ("statements_cached", cached as u64),
            ("epoch", pager.header().epoch.0),
            ("commit_published", pager.published().0),
            ("commit_durable", pager.durable().0),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Vec<_>>()
        .into()
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

/// Takes what `which` picks out of a queue; both keep their order.
pub(super) fn extract<T>(queue: &mut VecDeque<T>, which: impl Fn(&T) -> bool) -> Vec<T> {
    let (taken, kept) = std::mem::take(queue).into_iter().partition(|item| which(item));
    *queue = kept;
    VecDeque::into(taken)
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
