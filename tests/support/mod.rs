//! A world for native tests: the real hub with the real `SQLite` over the memory block store, tabs that send frames, and a
//! clock that only tests move. Store operations complete when the test says so, or at once by `settle`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tabhub::hub::{Action, Event, Hub, HubConfig};
use tabhub::ids::{OpId, PortId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{StoreOp, StoreResult};
use tabhub::wire;
use tabhub::wire::{Body, Op, Request, Response, Value};

/// A reply: the body and, for rows, the decoded values of each result.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Body,
    pub payload: Vec<u8>,
}

pub type Rows = Vec<Vec<Value>>;

pub struct World {
    pub hub: Hub,
    pub store: MemoryStore,
    pub now: Rc<Cell<f64>>,
    /// Operations the hub has submitted and the store has not answered.
    pub pending: VecDeque<(OpId, StoreOp)>,
    /// The hub has asked to be ended.
    pub ended: bool,
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
        let now = Rc::new(Cell::new(1_700_000_000_000.0));
        let clock = now.clone();
        // A statement that looks at the clock sees time pass, or no deadline would ever come inside of it.
        let clock = Rc::new(move || {
            clock.set(clock.get() + 0.5);
            clock.get()
        });
        let hub = Hub::new(HubConfig { name: "test".into(), instance: "hub-1".into(), seed: 7, clock });
        Self { hub, store, now, pending: VecDeque::new(), ended: false, answers: BTreeMap::new(), next_port: 0, next_id: 0 }
    }

    /// The browser dies: only what the store holds survives.
    pub fn crash(self) -> Self {
        Self::over(self.store)
    }

    pub fn event(&mut self, event: Event<'_>) {
        for action in self.hub.handle(event, self.now.get()) {
            match action {
                Action::Send(port, frame) => self.receive(port, &frame),
                Action::Store(id, op) => self.pending.push_back((id, op)),
                Action::End => self.ended = true,
                Action::Watch(..) | Action::UseMemory | Action::Disconnect(_) => {}
            }
        }
    }

    fn receive(&mut self, port: PortId, frame: &[u8]) {
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

    /// Completes store operations until none is left.
    pub fn settle(&mut self) {
        while self.step() {}
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
        self.next_port += 1;
        let port = PortId(self.next_port);
        self.event(Event::Connected(port));
        let hello = wire::Hello {
            protocol: wire::PROTOCOL_VERSION,
            client: format!("tab-{}", port.0),
            lock: format!("lock-{}", port.0),
            build: "test".into(),
            persistence: wire::PersistenceWanted::Required,
            durability: wire::Durability::Strict,
        };
        let id = self.send(port, Op::Hello(hello), &[]);
        self.settle();
        let answer = self.take(port, id).expect("the hub answers hello");
        assert!(matches!(answer.body, Body::Welcome(_)), "{answer:?}");
        port
    }

    pub fn send(&mut self, port: PortId, op: Op, payload: &[u8]) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let header = serde_json::to_vec(&Request { id, op }).unwrap();
        let mut frame = u32::try_from(header.len()).unwrap().to_le_bytes().to_vec();
        frame.extend(header);
        frame.resize(frame.len().next_multiple_of(8), 0);
        frame.extend_from_slice(payload);
        self.event(Event::Message(port, &frame));
        id
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

    /// The whole database as a file.
    pub fn export(&mut self, port: PortId) -> Vec<u8> {
        let id = self.send(port, Op::Export(wire::Export {}), &[]);
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

fn put(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&u32::try_from(n).unwrap().to_le_bytes());
}

/// One value block as a tab encodes it.
pub fn encode_values(values: &[Value]) -> Vec<u8> {
    let (mut types, mut slots, mut lengths, mut heap, mut blobs) = (vec![], vec![], vec![], vec![], vec![]);
    for value in values {
        match value {
            Value::Null => types.push(0u8),
            Value::Integer(n) => {
                types.push(2);
                slots.extend_from_slice(&n.to_le_bytes());
            }
            Value::Real(x) => {
                types.push(3);
                slots.extend_from_slice(&x.to_le_bytes());
            }
            Value::Text(text) => {
                types.push(4);
                put(&mut lengths, text.len());
                heap.extend_from_slice(text.as_bytes());
            }
            Value::Blob(blob) => {
                types.push(5);
                put(&mut lengths, blob.len());
                blobs.extend_from_slice(blob);
            }
        }
    }
    let mut out = vec![];
    for n in [types.len(), slots.len() / 8, lengths.len() / 4, heap.len(), blobs.len(), 0] {
        put(&mut out, n);
    }
    out.extend(types);
    out.resize(out.len().next_multiple_of(8), 0);
    for part in [slots, lengths, heap, blobs] {
        out.extend(part);
    }
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

/// Decodes one block of rows; returns the rows and the bytes used.
pub fn decode_rows(block: &[u8], rows: usize, columns: usize) -> (Rows, usize) {
    let field = |at: usize| u32::from_le_bytes(block[at * 4..at * 4 + 4].try_into().unwrap()) as usize;
    let (count, numbers, slices, heap_bytes, blob_bytes) = (field(0), field(1), field(2), field(3), field(4));
    assert_eq!(count, rows * columns);
    let types = &block[24..24 + count];
    let slots = (24 + count).next_multiple_of(8);
    let lengths = slots + numbers * 8;
    let heap = lengths + slices * 4;
    let text: Vec<u16> = std::str::from_utf8(&block[heap..heap + heap_bytes]).unwrap().encode_utf16().collect();
    let blobs = &block[heap + heap_bytes..heap + heap_bytes + blob_bytes];
    let (mut slot, mut slice, mut text_at, mut blob_at) = (0, 0, 0, 0);
    let mut number = || {
        slot += 1;
        <[u8; 8]>::try_from(&block[slots + slot * 8 - 8..slots + slot * 8]).unwrap()
    };
    let mut length = || {
        slice += 1;
        u32::from_le_bytes(block[lengths + slice * 4 - 4..lengths + slice * 4].try_into().unwrap()) as usize
    };
    let mut values = types.iter().map(|kind| match kind {
        0 => Value::Null,
        #[allow(clippy::cast_possible_truncation, reason = "type 1 is a safe integer")]
        1 => Value::Integer(f64::from_le_bytes(number()) as i64),
        2 => Value::Integer(i64::from_le_bytes(number())),
        3 => Value::Real(f64::from_le_bytes(number())),
        4 => {
            let n = length();
            text_at += n;
            Value::Text(String::from_utf16(&text[text_at - n..text_at]).unwrap())
        }
        5 => {
            let n = length();
            blob_at += n;
            Value::Blob(blobs[blob_at - n..blob_at].to_vec())
        }
        other => panic!("type {other}"),
    });
    let rows = (0..rows).map(|_| values.by_ref().take(columns).collect()).collect();
    (rows, (heap + heap_bytes + blob_bytes).next_multiple_of(8))
}

/// Integers, for short comparisons.
pub fn int(n: i64) -> Value {
    Value::Integer(n)
}

pub fn text(s: &str) -> Value {
    Value::Text(s.into())
}
