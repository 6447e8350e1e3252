//! The hub: sessions, scheduling, transactions, streams, import and export over one database. A state machine: events and
//! `now` in, actions out; no clock, no I/O, no browser.
//!
//! How work is scheduled, in one place:
//! - Each tab's requests pass through its own lane (`lanes`) in order. Reads (`reads`) begin at once, on the newest durable snapshot
//!   (and never older than the tab's own writes); they overtake only writes that wait for another tab's transaction.
//! - Whatever runs SQL is a fiber (`fiber`) with a connection of its own. `fibers` decides who runs next: short statements overtake
//!   long ones, and nobody starves.
//! - Writes take turns at the one writer (`writer`): first come, first served. A transaction or an import keeps its turn until it
//!   ends, or until its idle timeout.
//! - A statement that misses a block is suspended until it has come. On a host with one stack its unit of work is rolled back,
//!   waits for the block, and runs again from its start.
//! - A request that is cancelled, or out of time, is stopped in the middle of its statement.
//! - A reply that depends on a commit is held (`outbox`) until that commit is durable. Commits made meanwhile leave together; those who
//!   write without a pause are waited for a moment (`hold`).
//! - A query that is followed (`live`) is run once more when a commit that may change it is durable (`changes`), for all tabs at once.
//! - A hub that is to make room for another (`handover`) begins nothing more that writes, and ends when what is under way has ended.
//!
//! *Invariants.* No acknowledgement before durability. What waits has a deadline. A dead tab leaves nothing behind.

#![allow(clippy::vec_box, reason = "jobs go from queue to queue, and every move of a large value is code to download")]

mod asked;
mod changes;
mod changesets;
mod check;
mod database;
mod endings;
mod fiber;
mod fibers;
mod greeting;
mod handover;
mod hold;
mod imports;
mod inspect;
mod lanes;
mod live;
mod metrics;
mod once;
mod outbox;
mod pins;
mod reads;
mod reply;
mod requests;
mod rows;
mod session;
mod steps;
mod storage;
mod streams;
mod transactions;
mod watch;
mod work;
mod writer;

pub use crate::engine::{Clock, Pacing, Suspend};
use crate::error::Error;
use crate::ids::{FiberId, OpId, PortId};
use crate::store::{Limits, Pager, StoreFailure, StoreOp, StoreReply, StoreResult};
use crate::wire;
use database::Database;
pub use fiber::{Fiber, Standing};
use reply::{Reply, wire_error};

/// What a hub is created with.
pub struct HubConfig {
    /// The database's name, for messages.
    pub name: String,
    /// Names this hub instance on every message.
    pub instance: String,
    /// Where all randomness comes from.
    pub seed: u64,
    pub clock: Clock,
    pub pacing: Pacing,
    pub limits: Limits,
}

/// What happens to a hub.
#[derive(Debug)]
pub enum Event<'a> {
    Connected(PortId),
    /// A message from a tab: a frame, or a bundle of them.
    Message(PortId, &'a [u8]),
    /// The tab behind the port is dead.
    Gone(PortId),
    /// The answer to an [`Action::Store`].
    Store(OpId, StoreResult),
    /// The time that [`Hub::next_wake`] named has come.
    Wake,
    /// The fiber of an [`Action::Run`] has stopped: it is done, pauses, or is suspended.
    Ran(FiberId),
    /// The answer to an [`Action::Turn`].
    Turn,
    /// Another hub waits for the database: finish what is under way, which may take two seconds, and end.
    Finish,
}

/// What a hub wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A frame for a tab.
    Send(PortId, Vec<u8>),
    Store(OpId, StoreOp),
    /// Run the fiber, or resume its stack if it is suspended; then send [`Event::Ran`]. One at a time.
    Run(Fiber),
    /// Let the other events come in that wait, then send [`Event::Turn`].
    Turn,
    /// Learn of the tab's death through the Web Lock that it holds.
    Watch(PortId, String),
    /// Persistent storage is not to be had: carry store operations out in memory from now on.
    UseMemory,
    /// The session is over; the port may be forgotten.
    Disconnect(PortId),
    /// Let go of the storage, delete it, and tell every tab how that went: the hub does and says nothing more.
    Destroy,
    /// Nothing works any more and everybody has been told: end, so that whoever opens the database next gets a fresh hub.
    End,
}

/// A hello, with its port and the number of its frame.
type Greeting = (PortId, u64, wire::Hello);

enum Phase {
    /// Waiting for the first hello, or for the block store to open; the greetings are answered then.
    Opening {
        asked: bool,
        greetings: Vec<Greeting>,
    },
    Open(Box<Database>),
    /// Nothing works any more; everybody is told why.
    Failed(Error),
    /// The host is deleting the database, and will tell everybody.
    Destroyed,
}

/// One hub: one database, any number of tabs.
pub struct Hub {
    config: HubConfig,
    phase: Phase,
    /// Connected ports that have not been greeted yet.
    strangers: Vec<PortId>,
    memory: bool,
    actions: Vec<Action>,
}

const OPEN: OpId = OpId(0);

impl Hub {
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let phase = Phase::Opening { asked: false, greetings: vec![] };
        Self { config, phase, strangers: vec![], memory: false, actions: vec![] }
    }

    /// Takes one event at `now` (ms since 1970); returns what is to be done, in order.
    pub fn handle(&mut self, event: Event<'_>, now: f64) -> Vec<Action> {
        if let Phase::Open(database) = &mut self.phase {
            database.now = now;
        }
        match event {
            Event::Connected(port) => {
                self.strangers.push(port);
            }
            Event::Message(port, frame) => self.message(port, frame, now),
            Event::Gone(port) => self.gone(port),
            Event::Store(OPEN, result) => self.opened(result, now),
            Event::Store(id, result) => {
                if let Phase::Open(database) = &mut self.phase {
                    database.stored(id, result, now);
                }
            }
            Event::Wake => {
                if let Phase::Open(database) = &mut self.phase {
                    database.expire(now);
                }
            }
            Event::Ran(fiber) => {
                if let Phase::Open(database) = &mut self.phase {
                    database.ran(fiber, now);
                }
            }
            Event::Turn => {
                if let Phase::Open(database) = &mut self.phase {
                    database.turn();
                }
            }
            Event::Finish => self.finish(now),
        }
        self.settle(now);
        std::mem::take(&mut self.actions)
    }

    /// Takes one event, and runs at once, on this stack, whatever fibers want to run: for a host with nothing else to do, and
    /// with [`Pacing::suspend`] `None`. The actions are those for the outside.
    pub fn drive(&mut self, event: Event<'_>, now: f64) -> Vec<Action> {
        let mut todo = std::collections::VecDeque::from(self.handle(event, now));
        let mut actions = vec![];
        while let Some(action) = todo.pop_front() {
            let after = match action {
                Action::Run(fiber) => {
                    fiber.run();
                    self.handle(Event::Ran(fiber.id()), now)
                }
                Action::Turn => self.handle(Event::Turn, now),
                outside => {
                    actions.push(outside);
                    continue;
                }
            };
            todo.extend(after);
        }
        actions
    }

    /// When to send [`Event::Wake`], in ms since 1970.
    #[must_use]
    pub fn next_wake(&self) -> Option<f64> {
        match &self.phase {
            Phase::Open(database) => database.next_deadline(),
            _ => None,
        }
    }

    /// Runs what can run and collects what is to be done.
    fn settle(&mut self, now: f64) {
        let Phase::Open(database) = &mut self.phase else { return };
        database.pump(now);
        self.actions.append(&mut database.take_actions());
        if let Some(error) = database.take_failure() {
            self.fail(error);
        }
    }

    fn finish(&mut self, now: f64) {
        match &mut self.phase {
            Phase::Open(database) => database.finish(now),
            Phase::Opening { greetings, .. } => {
                let greetings = std::mem::take(greetings);
                self.refuse_all(greetings, &handover::replaced());
                self.fail(handover::replaced());
            }
            Phase::Failed(_) | Phase::Destroyed => {}
        }
    }

    fn fail(&mut self, error: Error) {
        self.phase = Phase::Failed(error);
        self.actions.push(Action::End);
    }

    /// One frame, or several.
    fn message(&mut self, port: PortId, message: &[u8], now: f64) {
        if !wire::is_bundle(message) {
            return self.frame(port, message, now);
        }
        match wire::unbundle(message) {
            Ok(frames) => {
                for frame in frames {
                    self.frame(port, frame, now);
                    // Each finds the hub as if it had come by itself.
                    self.settle(now);
                }
            }
            Err(error) => self.refuse(port, 0, &Error::Protocol(error.to_string())),
        }
    }

    fn frame(&mut self, port: PortId, frame: &[u8], now: f64) {
        let (request, payload) = match wire::decode_request(frame) {
            Ok(decoded) => decoded,
            Err(error) => return self.refuse(port, 0, &Error::Protocol(error.to_string())),
        };
        if let wire::Op::Hello(hello) = request.op {
            return self.hello(port, request.id, hello);
        }
        match &mut self.phase {
            Phase::Open(database) if database.knows(port) => match request.op {
                wire::Op::Destroy(_) if !database.is_importing() => self.destroy(),
                _ => database.request(port, request, payload, now),
            },
            Phase::Destroyed => {}
            Phase::Failed(error) => {
                let error = error.clone();
                self.refuse(port, request.id, &error);
            }
            _ => self.refuse(port, request.id, &Error::BadRequest("say hello first, and wait for the welcome".into())),
        }
    }

    fn hello(&mut self, port: PortId, id: u64, hello: wire::Hello) {
        if !self.strangers.contains(&port) {
            return self.refuse(port, id, &Error::BadRequest("this port has said hello before".into()));
        }
        if let Err(error) = greeting::check(&hello) {
            return self.refuse(port, id, &error);
        }
        self.strangers.retain(|p| *p != port);
        match &mut self.phase {
            Phase::Opening { asked, greetings } => {
                greetings.push((port, id, hello));
                if !std::mem::replace(asked, true) {
                    self.actions.push(Action::Store(OPEN, StoreOp::Open));
                }
            }
            Phase::Open(_) => self.welcome(port, id, hello),
            Phase::Failed(error) => {
                let error = error.clone();
                self.refuse(port, id, &error);
            }
            Phase::Destroyed => {}
        }
    }

    /// Whoever waits for an answer gets none: that the database is gone is certain only when the host has deleted it.
    fn destroy(&mut self) {
        self.phase = Phase::Destroyed;
        self.actions.push(Action::Destroy);
    }

    fn welcome(&mut self, port: PortId, id: u64, hello: wire::Hello) {
        if self.memory && hello.persistence == wire::PersistenceWanted::Required {
            let error = Error::StorageUnavailable(
                "IndexedDB cannot be opened here and persistence is 'required': pass persistence: 'preferred' to go on in memory"
                    .into(),
            );
            return self.refuse(port, id, &error);
        }
        let Phase::Open(database) = &mut self.phase else { return };
        if let Some(resume) = hello.resume.filter(|resume| resume.epoch > database.epoch()) {
            // This hub was fenced and has not noticed yet, or the database is not the one that the tab knew; then it comes again.
            let what =
                format!("the tab has been with a hub of epoch {}, this one is of epoch {}: ", resume.epoch, database.epoch());
            let error = if database.look_at_epoch() {
                Error::Deleted(what + "the database was deleted and begun anew; open it again")
            } else {
                Error::Fenced(what + "another hub, or another database, has taken its place")
            };
            return self.refuse(port, id, &error);
        }
        let persistence = if self.memory { wire::Persistence::Memory } else { wire::Persistence::IndexedDb };
        let welcome = wire::Welcome {
            protocol: hello.protocol,
            format: crate::store::header::FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            sqlite: crate::engine::sqlite_version(),
            persistence,
            epoch: database.epoch(),
            commit: database.newest_commit().0,
            storage: database.storage_state(),
        };
        database.admit(port, &hello);
        self.actions.append(&mut database.take_actions());
        if !hello.lock.is_empty() {
            self.actions.push(Action::Watch(port, hello.lock));
        }
        let trouble = database.storage_trouble();
        self.send(port, id, Reply::bare(wire::Body::Welcome(welcome)));
        if let Some(trouble) = trouble {
            self.send(port, 0, Reply::bare(wire::Body::Storage(trouble)));
        }
    }

    fn opened(&mut self, result: StoreResult, now: f64) {
        let Phase::Opening { greetings, .. } = &mut self.phase else { return };
        let greetings = std::mem::take(greetings);
        let recovered = match result {
            Ok(StoreReply::Opened { header, sessions, log }) => {
                Pager::recover(header, sessions.as_deref(), &log, self.config.limits)
            }
            Ok(_) => Err(Error::Storage("the block store gave the wrong answer to open".into())),
            Err(StoreFailure::NotApplied(Error::StorageUnavailable(_))) if may_use_memory(&greetings) && !self.memory => {
                self.memory = true;
                self.phase = Phase::Opening { asked: true, greetings };
                return self.actions.extend([Action::UseMemory, Action::Store(OPEN, StoreOp::Open)]);
            }
            Err(failure) => Err(failure.error().clone()),
        };
        match recovered {
            Ok(pager) => {
                let database = Database::new(pager, &self.config, now);
                self.phase = Phase::Open(Box::new(database));
                for (port, id, hello) in greetings {
                    self.welcome(port, id, hello);
                }
            }
            Err(error) => {
                self.refuse_all(greetings, &error);
                // The next hello tries again: a locked or full disk may have recovered.
                self.phase = Phase::Opening { asked: false, greetings: vec![] };
            }
        }
    }

    fn gone(&mut self, port: PortId) {
        self.strangers.retain(|p| *p != port);
        match &mut self.phase {
            Phase::Opening { greetings, .. } => greetings.retain(|(p, ..)| *p != port),
            Phase::Open(database) => database.end_session(port),
            Phase::Failed(_) | Phase::Destroyed => {}
        }
        self.actions.push(Action::Disconnect(port));
    }

    fn refuse_all(&mut self, greetings: Vec<Greeting>, error: &Error) {
        for (port, id, _) in greetings {
            self.refuse(port, id, error);
        }
    }

    fn refuse(&mut self, port: PortId, id: u64, error: &Error) {
        self.send(port, id, Reply::bare(wire::Body::Error(wire_error(error, None, None))));
    }

    fn send(&mut self, port: PortId, re: u64, reply: Reply) {
        let response = wire::Response { hub: self.config.instance.clone(), re, body: reply.body };
        self.actions.push(Action::Send(port, wire::encode_response(&response, &reply.payload)));
    }
}

fn may_use_memory(greetings: &[Greeting]) -> bool {
    greetings.iter().any(|(.., hello)| hello.persistence == wire::PersistenceWanted::Preferred)
}
