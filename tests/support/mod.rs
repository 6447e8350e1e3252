//! A world for native tests: the real hub with the real `SQLite` over the memory block store, tabs that send frames, and a
//! clock that only tests move. Store operations complete when the test says so, or at once by `settle`.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod changesets;
pub mod documented;
pub mod stacks;
mod values;

use stacks::Stacks;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tabhub::hub::{Action, Event, Hub, HubConfig, Pacing};
use tabhub::ids::{OpId, PortId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreOp, StoreResult};
use tabhub::wire;
use tabhub::wire::{Body, Op, Request, Response, Value};
pub use values::{decode_rows, encode_values};

/// A reply: the body and, for rows, the decoded values of each result.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Body,
    pub payload: Vec<u8>,
}

pub type Rows = Vec<Vec<Value>>;

/// Frames to the hub and from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub asked: u64,
    pub asked_bytes: u64,
    pub told: u64,
    pub told_bytes: u64,
}

pub struct World {
    pub hub: Hub,
    pub store: MemoryStore,
    pub now: Rc<Cell<f64>>,
    /// Operations the hub has submitted and the store has not answered.
    pub pending: VecDeque<(OpId, StoreOp)>,
    /// What clients ask for when they say hello.
    pub cache_bytes: Option<u64>,
    pub protocol: u32,
    /// The hub has asked to be ended.
    pub ended: bool,
    /// The hub has asked for the deletion of what is stored.
    pub destroyed: bool,
    /// With stacks of their own, statements can be suspended.
    pub stacks: Option<Stacks>,
    /// The hub has asked for a turn.
    pub wants_turn: bool,
    /// Of all tabs together.
    pub traffic: Traffic,
    answers: BTreeMap<(PortId, u64), VecDeque<Answer>>,
    next_port: u32,
    next_id: u64,
}

impl World {
    pub fn new() -> Self {
        Self::over(MemoryStore::new())
    }

    /// A new hub over what an earlier one has stored.
    pub fn over(store: MemoryStore) -> Self {
        Self::with(store, Limits::default())
    }

    pub fn with(store: MemoryStore, limits: Limits) -> Self {
        Self::paced(store, limits, Pacing::default())
    }

    /// A hub whose statements are suspended after four looks at the clock.
    pub fn with_fibers(store: MemoryStore, limits: Limits) -> Self {
        Self::paced(store, limits, stacks::pacing(2.0, 100))
    }

    /// A hub whose statements are suspended wherever they can be.
    pub fn with_eager_fibers(store: MemoryStore) -> Self {
        Self::paced(store, Limits::default(), stacks::pacing(-1.0, 1))
    }

    fn paced(store: MemoryStore, limits: Limits, pacing: Pacing) -> Self {
        let now = Rc::new(Cell::new(1_700_000_000_000.0));
        let clock = now.clone();
        // A statement that looks at the clock sees time pass, or no deadline would ever come inside of it.
        let clock = Rc::new(move || {
            clock.set(clock.get() + 0.5);
            clock.get()
        });
        let hub = Hub::new(HubConfig { name: "test".into(), instance: "hub-1".into(), seed: 7, clock, pacing, limits });
        let stacks = pacing.suspend.map(|_| Stacks::default());
        Self {
            hub,
            stacks,
            wants_turn: false,
            store,
            now,
            pending: VecDeque::new(),
            cache_bytes: None,
            protocol: wire::PROTOCOL_VERSION,
            ended: false,
            destroyed: false,
            traffic: Traffic::default(),
            answers: BTreeMap::new(),
            next_port: 0,
            next_id: 0,
        }
    }

    /// The browser dies: only what the store holds survives.
    pub fn crash(self) -> Self {
        Self::over(self.store)
    }

    pub fn event(&mut self, event: Event<'_>) {
        let mut todo = VecDeque::from(self.hub.handle(event, self.now.get()));
        while let Some(action) = todo.pop_front() {
            match action {
                Action::Run(fiber) => {
                    match &mut self.stacks {
                        Some(stacks) => stacks.run(&fiber),
                        None => fiber.run(),
                    }
                    todo.extend(self.hub.handle(Event::Ran(fiber.id()), self.now.get()));
                }
                Action::Turn => self.wants_turn = true,
                Action::Send(port, frame) => self.receive(port, &frame),
                Action::Store(id, op) => self.pending.push_back((id, op)),
                Action::End => self.ended = true,
                Action::Destroy => self.destroyed = true,
                Action::Watch(..) | Action::UseMemory | Action::Disconnect(_) => {}
            }
        }
    }

    fn receive(&mut self, port: PortId, frame: &[u8]) {
        self.traffic.told += 1;
        self.traffic.told_bytes += frame.len() as u64;
        let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
        let response: Response = serde_json::from_slice(&frame[4..4 + length]).unwrap();
        let payload = frame[(4 + length).next_multiple_of(8)..].to_vec();
        self.answers.entry((port, response.re)).or_default().push_back(Answer { body: response.body, payload });
    }

    /// Completes one store operation, truthfully.
    pub fn step(&mut self) -> bool {
        let Some((id, op)) = self.pending.pop_front() else { return false };
        let result = self.store.run(op);
        self.event(Event::Store(id, result));
        true
    }

    /// Completes one store operation as the test wants it.
    pub fn answer_store(&mut self, result: StoreResult) {
        let (id, _) = self.pending.pop_front().expect("an operation is pending");
        self.event(Event::Store(id, result));
    }

    /// Lets the hub's event loop go round, if it has asked for it.
    pub fn turn(&mut self) -> bool {
        let wanted = std::mem::take(&mut self.wants_turn);
        if wanted {
            self.event(Event::Turn);
        }
        wanted
    }

    /// Completes store operations and turns until none is left.
    pub fn settle(&mut self) {
        while self.turn() || self.step() {}
    }

    /// Lets time pass, waking the hub when it asked for it.
    pub fn pass(&mut self, ms: f64) {
        let until = self.now.get() + ms;
        while let Some(at) = self.hub.next_wake().filter(|at| *at <= until) {
            self.now.set(self.now.get().max(at));
            self.event(Event::Wake);
            self.settle();
        }
        self.now.set(until);
    }

    /// A tab that has been welcomed.
    pub fn tab(&mut self) -> PortId {
        self.client(&format!("tab-{}", self.next_port + 1), None)
    }

    /// A client under its own name, which may have been here before.
    pub fn client(&mut self, client: &str, resume: Option<wire::Resume>) -> PortId {
        let (port, answer) = self.greet(client, resume);
        assert!(matches!(answer.body, Body::Welcome(_)), "{answer:?}");
        self.settle();
        port
    }

    /// A new client, and the newest commit as its welcome tells.
    pub fn welcome(&mut self, client: &str) -> (PortId, u64) {
        match self.greet(client, None) {
            (port, Answer { body: Body::Welcome(welcome), .. }) => (port, welcome.commit),
            (_, answer) => panic!("welcome, not {answer:?}"),
        }
    }

    /// Says hello, and takes whatever answer comes.
    pub fn greet(&mut self, client: &str, resume: Option<wire::Resume>) -> (PortId, Answer) {
        let (port, id) = self.say_hello(client, resume);
        while !self.answers.contains_key(&(port, id)) && self.step() {}
        (port, self.take(port, id).expect("the hub answers hello"))
    }

    /// Says hello from a new port.
    pub fn say_hello(&mut self, client: &str, resume: Option<wire::Resume>) -> (PortId, u64) {
        self.next_port += 1;
        let port = PortId(self.next_port);
        self.event(Event::Connected(port));
        let hello = wire::Hello {
            protocol: self.protocol,
            format: tabhub::store::header::FORMAT.into(),
            client: client.into(),
            lock: format!("lock-{}", port.0),
            build: "test".into(),
            persistence: wire::PersistenceWanted::Required,
            durability: wire::Durability::Strict,
            cache_bytes: self.cache_bytes,
            cache_blocks: None,
            resume,
        };
        (port, self.send(port, Op::Hello(hello), &[]))
    }

    pub fn send(&mut self, port: PortId, op: Op, payload: &[u8]) -> u64 {
        self.send_write(port, None, None, op, payload)
    }

    /// A request as a numbered write.
    pub fn send_write(&mut self, port: PortId, write: Option<u64>, answered: Option<u64>, op: Op, payload: &[u8]) -> u64 {
        let (id, frame) = self.frame(write, answered, op, payload);
        self.event(Event::Message(port, &frame));
        id
    }

    /// Queries without parameters, in one message.
    pub fn send_bundle(&mut self, port: PortId, ops: Vec<Op>) -> Vec<u64> {
        let (ids, frames): (Vec<_>, Vec<_>) = ops.into_iter().map(|op| self.frame(None, None, op, &encode_values(&[]))).unzip();
        let (mut bundler, mut messages) = (wire::Bundler::default(), vec![]);
        for frame in frames {
            bundler.add(frame, |message| messages.push(message.to_vec()));
        }
        bundler.flush(|message| messages.push(message.to_vec()));
        assert_eq!(messages.len(), 1);
        self.event(Event::Message(port, &messages[0]));
        ids
    }

    fn frame(&mut self, write: Option<u64>, answered: Option<u64>, op: Op, payload: &[u8]) -> (u64, Vec<u8>) {
        self.next_id += 1;
        let id = self.next_id;
        let header = serde_json::to_vec(&Request { id, write, answered, op }).unwrap();
        let mut frame = u32::try_from(header.len()).unwrap().to_le_bytes().to_vec();
        frame.extend(header);
        frame.resize(frame.len().next_multiple_of(8), 0);
        frame.extend_from_slice(payload);
        self.traffic.asked += 1;
        self.traffic.asked_bytes += frame.len() as u64;
        (id, frame)
    }

    /// The next answer to a request, if it has come.
    pub fn take(&mut self, port: PortId, id: u64) -> Option<Answer> {
        self.answers.get_mut(&(port, id)).and_then(VecDeque::pop_front)
    }

    // ---- calls as a tab makes them: sent, and settled

    pub fn ask_query(&mut self, port: PortId, sql: &str, params: &[Value], tx: Option<u64>) -> u64 {
        let shape = wire::ParamsShape { count: u32::try_from(params.len()).unwrap(), names: None };
        let op = Op::Query(wire::Query { sql: sql.into(), params: shape, tx, durability: None, timeout: None });
        self.send(port, op, &encode_values(params))
    }

    pub fn query(&mut self, port: PortId, sql: &str) -> Result<Rows, wire::WireError> {
        self.query_in(port, sql, None)
    }

    pub fn query_in(&mut self, port: PortId, sql: &str, tx: Option<u64>) -> Result<Rows, wire::WireError> {
        let id = self.ask_query(port, sql, &[], tx);
        self.settle();
        self.rows(port, id)
    }

    /// The rows that have come for a query.
    pub fn rows(&mut self, port: PortId, id: u64) -> Result<Rows, wire::WireError> {
        let answer = self.take(port, id).expect("the query has been answered");
        match answer.body {
            Body::Rows(shape) => Ok(decode_rows(&answer.payload, shape.rows as usize, shape.columns.len()).0),
            Body::Error(error) => Err(error),
            other => panic!("rows or an error, not {other:?}"),
        }
    }

    pub fn ask_exec(&mut self, port: PortId, sql: &str, tx: Option<u64>) -> u64 {
        self.send(port, Op::Exec(wire::Exec { sql: sql.into(), tx, durability: None, timeout: None }), &[])
    }

    pub fn exec(&mut self, port: PortId, sql: &str) -> Result<wire::Done, wire::WireError> {
        self.exec_in(port, sql, None)
    }

    pub fn exec_in(&mut self, port: PortId, sql: &str, tx: Option<u64>) -> Result<wire::Done, wire::WireError> {
        let id = self.ask_exec(port, sql, tx);
        self.settle();
        self.done(port, id)
    }

    pub fn done(&mut self, port: PortId, id: u64) -> Result<wire::Done, wire::WireError> {
        match self.take(port, id).expect("the request has been answered").body {
            Body::Done(done) => Ok(done),
            Body::Error(error) => Err(error),
            other => panic!("done or an error, not {other:?}"),
        }
    }

    pub fn begin(&mut self, port: PortId, mode: wire::TransactionMode, timeout: u32) -> u64 {
        let id = self.send(port, Op::Begin(wire::Begin { mode, timeout }), &[]);
        self.settle();
        self.begun(port, id).expect("the transaction begins")
    }

    pub fn begun(&mut self, port: PortId, id: u64) -> Option<u64> {
        match self.take(port, id)?.body {
            Body::Begun(begun) => Some(begun.tx),
            other => panic!("begun, not {other:?}"),
        }
    }

    pub fn commit(&mut self, port: PortId, tx: u64) -> Result<wire::Done, wire::WireError> {
        let id = self.send(port, Op::Commit(wire::Commit { tx, durability: None }), &[]);
        self.settle();
        self.done(port, id)
    }

    pub fn metrics(&mut self, port: PortId) -> BTreeMap<String, u64> {
        let id = self.send(port, Op::Metrics(wire::Metrics {}), &[]);
        match self.take(port, id).expect("metrics are answered at once").body {
            Body::Metrics(metrics) => metrics.0.into_iter().collect(),
            other => panic!("metrics, not {other:?}"),
        }
    }

    /// What the tab was told of its storage since the last time.
    pub fn storage_told(&mut self, port: PortId) -> Vec<wire::StorageState> {
        let mut states = vec![];
        while let Some(answer) = self.take(port, 0) {
            if let Body::Storage(storage) = answer.body {
                states.push(storage.state);
            }
        }
        states
    }

    /// How many rows a table has.
    pub fn count(&mut self, port: PortId, table: &str) -> i64 {
        let found = self.query(port, &format!("SELECT count(*) FROM {table}")).unwrap();
        let Value::Integer(n) = found[0][0] else { panic!("{found:?}") };
        n
    }

    /// The whole database as a file.
    pub fn export(&mut self, port: PortId) -> Vec<u8> {
        let id = self.send(port, Op::Export(wire::Export::default()), &[]);
        let mut file = vec![];
        loop {
            self.settle();
            let answer = self.take(port, id).expect("the next chunk comes");
            let Body::Bytes(bytes) = answer.body else { panic!("bytes, not {:?}", answer.body) };
            assert_eq!(bytes.offset, file.len() as u64);
            file.extend(answer.payload);
            if bytes.end {
                assert_eq!(bytes.total, file.len() as u64);
                return file;
            }
            self.send(port, Op::Pull(wire::Pull { target: id }), &[]);
        }
    }

    /// What a check of the whole database finds.
    pub fn check(&mut self, port: PortId, level: wire::CheckLevel) -> Vec<String> {
        let id = self.send(port, Op::Check(wire::Check { level }), &[]);
        let mut problems = vec![];
        loop {
            self.settle();
            let answer = self.take(port, id).expect("the check goes on");
            let Body::Checked(checked) = answer.body else { panic!("progress, not {:?}", answer.body) };
            problems.extend(checked.problems);
            if checked.end {
                return problems;
            }
            self.send(port, Op::Pull(wire::Pull { target: id }), &[]);
        }
    }

    pub fn import(&mut self, port: PortId, file: &[u8]) -> Result<wire::Done, wire::WireError> {
        let id = self.send(port, Op::Import(wire::Import { size: file.len() as u64 }), &[]);
        let mut rest = file;
        loop {
            self.settle();
            match self.take(port, id).expect("the import goes on").body {
                Body::More(_) => {}
                Body::Done(done) => return Ok(done),
                Body::Error(error) => return Err(error),
                other => panic!("more, done or an error, not {other:?}"),
            }
            let (part, after) = rest.split_at(rest.len().min(100_000));
            rest = after;
            self.send(port, Op::Part(wire::Part { target: id, end: rest.is_empty() }), part);
        }
    }
}

/// Integers, for short comparisons.
pub fn int(n: i64) -> Value {
    Value::Integer(n)
}

pub fn text(s: &str) -> Value {
    Value::Text(s.into())
}
