//! The open database: the state that all parts of the hub share, how it moves on, and the small acts that the other files are
//! made of (snapshots, connections, fetching, replying).

use super::asked::{Latencies, is_last};
use super::changes::Changes;
use super::fiber::{Fiber, Seat, Standing, Task};
use super::fibers::{Fibers, Next, Ticket};
use super::hold::Hold;
use super::inspect::Logged;
use super::lanes::{Ask, Job};
use super::live::Lives;
use super::outbox::{Held, Outbox};
use super::reply::{Reply, wire_error};
use super::session::Session;
use super::streams::Stream;
use super::transactions::ReadTransaction;
use super::watch::Watch;
use super::writer::Slot;
use super::{Action, HubConfig};
use crate::engine::{Clock, Pacing};
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq, FiberId, GroupNo, PortId, TxId};
use crate::sorted::SortedMap;
use crate::store::sessions::Resumed;
use crate::store::{Limits, Pager};
use crate::wire::{self};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Figures of the hub's own; the pager has more.
#[derive(Debug, Default)]
pub struct Counters {
    pub reads: u64,
    pub writes: u64,
    pub restarts: u64,
    /// Numbered writes answered from the table of sessions.
    pub recalled: u64,
}

pub struct Database {
    pub(super) pager: Rc<RefCell<Pager>>,
    pub(super) clock: Clock,
    pub(super) pacing: Pacing,
    /// The writer's connection, while no fiber has it.
    pub(super) writer: Option<Seat>,
    /// Readers' connections that are free.
    pub(super) seats: Vec<Seat>,
    /// Connections of an earlier set may hold what is not true any more.
    pub(super) seat_set: u32,
    pub(super) fibers: Fibers,
    pub(super) sessions: SortedMap<PortId, Session>,
    /// Reads that wait for their blocks.
    pub(super) reads: Vec<Box<Job>>,
    pub(super) inside_reads: Vec<(TxId, Box<Job>)>,
    pub(super) turns: VecDeque<Box<Job>>,
    pub(super) slot: Slot,
    pub(super) read_transactions: SortedMap<TxId, ReadTransaction>,
    pub(super) streams: Vec<Stream>,
    pub(super) outbox: Outbox,
    pub(super) changes: Changes,
    pub(super) lives: Lives,
    pub(super) hold: Hold,
    pub(super) counters: Counters,
    pub(super) watch: Watch,
    /// The time of the event that is being taken.
    pub(super) now: f64,
    pub(super) latencies: Latencies,
    pub(super) logged: VecDeque<Logged>,
    pub(super) limits: Limits,
    pub(super) instance: String,
    pub(super) seed: u64,
    last_tx: TxId,
    /// When there will have been no request for long enough to read ahead, and whether that time has come.
    pub(super) warm_at: f64,
    pub(super) is_warming: bool,
    pub(super) actions: Vec<Action>,
    pub(super) failure: Option<Error>,
    /// When the hub ends at the latest, once it is to make room for another.
    pub(super) finish_by: Option<f64>,
    /// Whether the store was asked if the epoch is still ours.
    has_looked: bool,
}

impl Database {
    pub fn new(mut pager: Pager, config: &HubConfig, now: f64) -> Self {
        let epoch = pager.header().epoch.0;
        let watch = Watch::new(pager.damage());
        // The schema begins in the first block: have it on its way before anybody asks.
        if pager.blocks_at(pager.durable()) > 0 {
            pager.fetch(&[BlockNo(0)], 0);
        }
        Self {
            pager: Rc::new(RefCell::new(pager)),
            clock: config.clock.clone(),
            pacing: config.pacing,
            writer: None,
            seats: vec![],
            seat_set: 0,
            fibers: Fibers::default(),
            sessions: SortedMap::default(),
            reads: vec![],
            inside_reads: vec![],
            turns: VecDeque::new(),
            slot: Slot::Free,
            read_transactions: SortedMap::default(),
            streams: vec![],
            outbox: Outbox::default(),
            changes: Changes::default(),
            lives: Lives::default(),
            hold: Hold::default(),
            counters: Counters::default(),
            watch,
            now,
            latencies: Latencies::default(),
            logged: VecDeque::new(),
            limits: config.limits,
            instance: config.instance.clone(),
            seed: config.seed,
            // Numbers that no earlier hub has given out lately.
            last_tx: TxId((epoch as u32) << 20),
            warm_at: f64::INFINITY,
            is_warming: false,
            actions: vec![],
            failure: None,
            finish_by: None,
            has_looked: false,
        }
    }

    pub fn epoch(&self) -> u64 {
        self.pager.borrow().header().epoch.0
    }

    /// The newest commit that no crash takes back: every commit of whoever comes now will have a higher number, on whatever hub.
    pub fn newest_commit(&self) -> CommitSeq {
        self.durable()
    }

    pub fn storage_state(&self) -> wire::StorageState {
        self.watch.state
    }

    /// Has the store asked, by a read, whether the epoch is still ours, once; a hub that was fenced does not outlive the answer.
    /// Whether it is known to be ours since.
    pub fn look_at_epoch(&mut self) -> bool {
        let mut pager = self.pager.borrow_mut();
        if !std::mem::replace(&mut self.has_looked, true) {
            pager.read_again(GroupNo(0));
            return false;
        }
        let is_well = self.watch.state == wire::StorageState::Ok;
        self.has_looked = is_well;
        is_well && !pager.is_reading()
    }

    pub fn knows(&self, port: PortId) -> bool {
        self.sessions.contains_key(port)
    }

    /// Takes a client in. One that comes back on another port has left the old one.
    pub fn admit(&mut self, port: PortId, hello: &wire::Hello) {
        let left: Vec<_> = self.sessions.iter().filter(|(_, s)| *s.client == *hello.client).map(|(port, _)| port).collect();
        for port in left {
            self.end_session(port);
            self.actions.push(Action::Disconnect(port));
        }
        let resumed = hello
            .resume
            .map_or(Resumed { since: self.newest_commit(), last: 0 }, |r| Resumed { since: CommitSeq(r.since), last: r.last });
        let mut session = Session::new(hello, resumed, self.now);
        session.cache_bytes = cache_bytes(hello, self.pager.borrow().block_bytes());
        self.sessions.insert(port, session);
        self.fit_cache();
    }

    /// Runs everything that can run now, until nothing changes.
    pub fn pump(&mut self, now: f64) {
        self.wake_fibers();
        self.pump_reads();
        self.pump_inside_reads();
        self.pump_transaction();
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
        if self.end_if_finished(now) {
            return;
        }
        self.pump_lives(now);
        self.warm();
        let is_held = self.holds_back();
        let ops = self.pager.borrow_mut().take_ops_held(is_held);
        for (id, op) in ops {
            self.watch.submitted(id, now);
            self.actions.push(Action::Store(id, op));
        }
        match self.fibers.next() {
            Next::Run(fiber) => self.actions.push(Action::Run(fiber)),
            Next::Turn => self.actions.push(Action::Turn),
            Next::Nothing => {}
        }
    }

    /// In idle time a database that fits into the cache is read whole, a part at a time: then nothing is ever missed.
    fn warm(&self) {
        let is_idle = self.is_warming
            && self.fibers.len() == 0
            && self.reads.is_empty()
            && self.inside_reads.is_empty()
            && self.streams.is_empty()
            && matches!(self.slot, Slot::Free);
        if is_idle && self.pager.borrow().damage().is_none() {
            self.pager.borrow_mut().warm();
        }
    }

    /// Makes the cache as large as the largest that a connected tab asks for.
    pub(super) fn fit_cache(&self) {
        let wanted = self.sessions.values().filter_map(|session| session.cache_bytes).max();
        self.pager.borrow_mut().set_cache_bytes(wanted.unwrap_or(self.limits.cache_bytes));
    }

    // ---- fibers

    pub(super) fn start(&mut self, task: Task, seat: Seat, ticket: Ticket) {
        let fiber = Fiber::new(self.fibers.next_id(), task, seat);
        self.fibers.start(fiber, ticket);
    }

    pub fn turn(&mut self) {
        self.fibers.turn();
    }

    fn wake_fibers(&mut self) {
        let pager = self.pager.borrow();
        // One that was given up is asked for again.
        self.fibers.wake(|block| pager.are_resident(&[block]) || !pager.is_on_its_way(block));
    }

    /// The host has run a fiber.
    pub fn ran(&mut self, id: FiberId, now: f64) {
        let Some((fiber, ticket, standing)) = self.fibers.ran(id) else { return };
        if standing != Standing::Done {
            // A script's part may have been committed: that it was goes with the commit.
            fiber.peek(|task| {
                if let Task::Work(work) = task {
                    self.keep_script(&work.job);
                }
            });
            return;
        }
        let Some((task, seat)) = fiber.take() else { return };
        match task {
            Task::Read(read) => self.read_ended(read, seat, now),
            Task::Work(work) => self.work_ended(work, seat),
            Task::Step(step) => self.step_ended(step, seat, now),
            Task::Chunk(chunk) => self.chunk_ended(chunk, seat, &ticket),
            Task::Check(check) => self.sqlite_checked(check, seat, &ticket),
            Task::Live(live) => self.live_ended(live, seat),
        }
    }

    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Why the hub is over, once.
    pub fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// The snapshot that a tab reads: the newest durable commit, and never one before its own last write.
    pub(super) fn snapshot_of(&self, port: PortId) -> CommitSeq {
        let own = self.sessions.get(port).map_or(CommitSeq(0), |s| s.last_write);
        self.pager.borrow().durable().max(own)
    }

    /// `last_insert_rowid()` as the tab knows it.
    pub(super) fn last_rowid_of(&self, port: PortId) -> i64 {
        self.sessions.get(port).map_or(0, |s| s.last_rowid)
    }

    /// Closes every connection, those in use as soon as they are free.
    pub(super) fn forget_connections(&mut self) {
        self.seat_set += 1;
        self.writer = None;
        self.seats.clear();
    }

    pub(super) fn next_tx(&mut self) -> TxId {
        self.last_tx = self.last_tx.next();
        self.last_tx
    }

    pub(super) fn are_resident(&self, blocks: &[BlockNo]) -> bool {
        self.pager.borrow().are_resident(blocks)
    }

    /// Has a unit's missing blocks fetched: further ahead at each restart, in the end everything.
    ///
    /// # Errors
    /// [`Error::Limit`] where it would need too many at once.
    pub(super) fn fetch_for(&mut self, job: &mut Job, blocks: Vec<BlockNo>) -> crate::error::Result<()> {
        const DOUBLINGS_MAX: u32 = 8;
        self.counters.restarts += 1;
        job.pins.hold(&blocks, self.limits.pinned_bytes)?;
        let mut pager = self.pager.borrow_mut();
        if job.tries < DOUBLINGS_MAX {
            pager.fetch(&blocks, (1 << job.tries) - 1);
        } else {
            pager.fetch_all(&blocks);
        }
        job.tries += 1;
        job.misses = blocks;
        Ok(())
    }

    /// Replies, unless the tab is gone.
    pub(super) fn reply_now(&mut self, port: PortId, id: u64, reply: Reply) {
        if !self.knows(port) {
            return;
        }
        self.note_answer(port, id, is_last(&reply.body));
        let frame = self.frame(id, reply);
        self.actions.push(Action::Send(port, frame));
    }

    fn frame(&self, id: u64, reply: Reply) -> Vec<u8> {
        let response = wire::Response { hub: self.instance.clone(), re: id, body: reply.body };
        wire::encode_response(&response, &reply.payload)
    }

    /// Replies once a commit is durable.
    pub(super) fn reply_after(&mut self, after: CommitSeq, port: PortId, id: u64, reply: Reply) {
        self.reply_to_write(after, port, id, None, reply);
    }

    /// The same to a write, which is told otherwise if the commit is lost.
    pub(super) fn reply_to_write(&mut self, after: CommitSeq, port: PortId, id: u64, write: Option<u64>, reply: Reply) {
        let is_last = is_last(&reply.body);
        let frame = self.frame(id, reply);
        self.send_after(Held { after, port, id, write, is_last, frame });
    }

    pub(super) fn send_after(&mut self, held: Held) {
        if !self.knows(held.port) {
            return;
        }
        if held.after <= self.pager.borrow().durable() {
            self.note_answer(held.port, held.id, held.is_last);
            self.actions.push(Action::Send(held.port, held.frame));
        } else {
            self.outbox.hold(held);
        }
    }

    pub(super) fn fail(&mut self, port: PortId, id: u64, error: &Error) {
        self.reply_now(port, id, Reply::bare(wire::Body::Error(wire_error(error, None, None))));
    }

    /// Fails a write for good: sent again, it fails alike.
    pub(super) fn fail_write(&mut self, port: PortId, id: u64, write: Option<u64>, error: &Error) {
        let reply = Reply::bare(wire::Body::Error(wire_error(error, None, None)));
        self.keep_reply(port, write, &reply, self.durable());
        self.reply_now(port, id, reply);
    }

    pub(super) fn fail_job(&mut self, job: &Job, error: &Error, index: Option<usize>) {
        self.fail_job_after(self.durable(), job, error, index);
    }

    pub(super) fn fail_job_after(&mut self, after: CommitSeq, job: &Job, error: &Error, index: Option<usize>) {
        let sql = match &job.ask {
            Ask::Work(work) => Some(work.sql_of(index)),
            Ask::Iterate(call) => Some(call.sql.as_str()),
            _ => None,
        };
        let reply = Reply::bare(wire::Body::Error(wire_error(error, sql, index)));
        self.keep_reply(job.port, job.write, &reply, after);
        self.reply_to_write(after, job.port, job.id, job.write, reply);
    }

    pub(super) fn published(&self) -> CommitSeq {
        self.pager.borrow().published()
    }

    fn durable(&self) -> CommitSeq {
        self.pager.borrow().durable()
    }

    /// Tells every tab something that nobody asked for.
    pub(super) fn tell_all(&mut self, body: &wire::Body) {
        let ports: Vec<_> = self.sessions.keys().collect();
        for port in ports {
            self.reply_now(port, 0, Reply::bare(body.clone()));
        }
    }

    pub(super) fn log(&mut self, level: wire::LogLevel, message: &str) {
        if self.logged.len() == Logged::KEPT {
            self.logged.pop_front();
        }
        self.logged.push_back(Logged { at: self.now, level, message: message.into() });
        self.tell_all(&wire::Body::Log(wire::Log { level, message: message.into() }));
    }
}

/// What a tab asks for, within reason.
fn cache_bytes(hello: &wire::Hello, block_bytes: u32) -> Option<usize> {
    const LEAST: u64 = 256 << 10;
    const MOST: u64 = 1 << 30;
    let blocks = hello.cache_blocks.map(|blocks| blocks.saturating_mul(u64::from(block_bytes)));
    let bytes = hello.cache_bytes.or(blocks)?.clamp(LEAST, MOST);
    usize::try_from(bytes).ok()
}
