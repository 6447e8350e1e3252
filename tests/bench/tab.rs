//! One tab and its hub over the memory store, as bytes: a request's frame in, its answer's frame out. Requests are made once and
//! numbered anew at each call, so that what is measured is the hub and not the tab.
#![allow(dead_code, reason = "each bench uses its own part")]

#[path = "../support/values.rs"]
mod values;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use tabhub::hub::{Action, Event, Hub, HubConfig, Pacing};
use tabhub::ids::{OpId, PortId};
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreOp};
use tabhub::wire::{self, Op, Request, Value};
pub use values::encode_values;

/// What `support::values` decodes for other tests.
type Rows = Vec<Vec<Value>>;

const PORT: PortId = PortId(1);
/// Ids and numbers of writes count from here, so that all of them have as many digits.
const FIRST: u64 = 1_000_000_000;

/// A request as a tab sends it, to be sent again and again.
pub struct Call {
    frame: Vec<u8>,
    id: usize,
    /// Where its number among the writes stands, and that of the last write which was answered.
    write: Option<(usize, usize)>,
}

impl Call {
    /// A statement that surely reads.
    pub fn read(sql: &str, params: &[Value]) -> Self {
        Self::query(sql, params, false)
    }

    /// A statement that writes: tabs number those.
    pub fn write(sql: &str, params: &[Value]) -> Self {
        Self::query(sql, params, true)
    }

    fn query(sql: &str, params: &[Value], is_write: bool) -> Self {
        let shape = wire::ParamsShape { count: u32::try_from(params.len()).expect("a few"), names: None };
        let op = Op::Query(wire::Query { sql: sql.into(), params: shape, tx: None, durability: None, timeout: None });
        Self::new(op, &encode_values(params), is_write)
    }

    fn new(op: Op, payload: &[u8], is_write: bool) -> Self {
        let (write, answered) = if is_write { (Some(FIRST), Some(FIRST)) } else { (None, None) };
        let header = serde_json::to_vec(&Request { id: FIRST, write, answered, op }).expect("a request is JSON");
        let places: Vec<_> = (0..header.len()).filter(|at| header[*at..].starts_with(FIRST.to_string().as_bytes())).collect();
        let mut frame = u32::try_from(header.len()).expect("a small header").to_le_bytes().to_vec();
        let before = frame.len();
        frame.extend(header);
        frame.resize(frame.len().next_multiple_of(8), 0);
        frame.extend_from_slice(payload);
        Self { frame, id: before + places[0], write: is_write.then(|| (before + places[1], before + places[2])) }
    }

    fn number(&mut self, id: u64, write: u64) {
        put(&mut self.frame, self.id, id);
        if let Some((number, answered)) = self.write {
            put(&mut self.frame, number, write);
            put(&mut self.frame, answered, write - 1);
        }
    }

    pub fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// Writes a number of as many digits as `FIRST`.
fn put(frame: &mut [u8], mut at: usize, number: u64) {
    let mut unit = FIRST;
    while unit > 0 {
        frame[at] = b'0' + u8::try_from(number / unit % 10).expect("a digit");
        (at, unit) = (at + 1, unit / 10);
    }
}

pub struct Tab {
    hub: Hub,
    store: MemoryStore,
    pending: VecDeque<(OpId, StoreOp)>,
    answer: Option<Vec<u8>>,
    last_id: u64,
    last_write: u64,
}

impl Tab {
    /// A tab that has been welcomed, and what the statements have made of its database.
    pub fn with(script: &str) -> Self {
        let config = HubConfig {
            name: "bench".into(),
            instance: "3x7k2m9qw1r5t".into(),
            seed: 7,
            clock: Rc::new(now),
            pacing: Pacing::default(),
            limits: Limits::default(),
        };
        let (last_id, last_write) = (FIRST, FIRST);
        let mut tab = Self {
            hub: Hub::new(config),
            store: MemoryStore::new(),
            pending: VecDeque::new(),
            answer: None,
            last_id,
            last_write,
        };
        tab.event(Event::Connected(PORT));
        let hello = wire::Hello {
            protocol: wire::PROTOCOL_VERSION,
            format: tabhub::store::header::FORMAT.into(),
            client: "00000000-0000-4000-8000-000000000001".into(),
            lock: String::new(),
            build: "bench".into(),
            persistence: wire::PersistenceWanted::Required,
            durability: wire::Durability::Strict,
            cache_bytes: None,
            cache_blocks: None,
            resume: None,
        };
        expect(&tab.call(&mut Call::new(Op::Hello(hello), &[], false)), "welcome");
        let exec = wire::Exec { sql: script.into(), tx: None, durability: None, timeout: None };
        expect(&tab.call(&mut Call::new(Op::Exec(exec), &[], true)), "done");
        tab
    }

    /// Sends the request, carries out what the hub asks of the store, and returns the answer's frame.
    ///
    /// # Panics
    /// Where none comes.
    pub fn call(&mut self, call: &mut Call) -> Vec<u8> {
        self.last_id += 1;
        self.last_write += u64::from(call.write.is_some());
        call.number(self.last_id, self.last_write);
        self.event(Event::Message(PORT, &call.frame));
        while let Some((id, op)) = self.pending.pop_front() {
            let result = self.store.run(op);
            self.event(Event::Store(id, result));
        }
        self.answer.take().expect("the hub answers a request once its operations are done")
    }

    fn event(&mut self, event: Event<'_>) {
        for action in self.hub.drive(event, now()) {
            match action {
                Action::Send(_, frame) => self.answer = Some(frame),
                Action::Store(id, op) => self.pending.push_back((id, op)),
                other => unreachable!("{other:?} concerns no tab of a bench"),
            }
        }
    }
}

/// # Panics
/// Where the answer is of another kind.
pub fn expect(frame: &[u8], kind: &str) {
    let header = &frame[4..4 + u32::from_le_bytes(frame[..4].try_into().expect("four bytes")) as usize];
    let header = String::from_utf8_lossy(header);
    assert!(header.contains(&format!(r#""body":{{"{kind}":"#)), "{header}");
}

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0
}
