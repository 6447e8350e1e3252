//! A simulated tab: a client of the protocol as `hub-js` is one. It numbers its writes, remembers what has not been answered,
//! and when its hub is gone says hello to another and sends again what can be repeated. What it is told goes into the book.

use super::frames;
use super::ledger::{self, Book, Fate, State};
use super::plan::{Deed, Entry};
use super::transaction::{Reading, Transaction};
use super::watching::Watching;
use std::collections::{BTreeMap, BTreeSet};
use tabhub::ids::PortId;
use tabhub::wire::{self, Body, Durability, Op, Request, WireError};

/// The same on every port; requests have larger ids.
const HELLO_ID: u64 = 1;

/// What a request is for, and so what its answer means.
#[derive(Clone, Debug)]
pub enum Kind {
    Write(usize),
    FailingWrite,
    Read {
        floor: i64,
    },
    Begin(Transaction),
    Step(Transaction),
    Commit(Transaction),
    BeginRead(Reading),
    StepRead(Reading),
    Iterate {
        floor: i64,
        columns: usize,
        rows: Vec<[i64; 4]>,
    },
    Check,
    Import {
        attempt: usize,
        file: Vec<u8>,
        sent: usize,
    },
    /// Whatever comes is right.
    Farewell,
}

#[derive(Clone, Debug)]
pub struct Sent {
    frame: Vec<u8>,
    write: Option<u64>,
    pub kind: Kind,
}

/// What an answer means to the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    None,
    Welcome,
    /// The hub wants no more of us.
    Over,
}

#[derive(Debug)]
pub struct Tab {
    pub client: u32,
    pub port: Option<PortId>,
    pub frozen: bool,
    /// Frames to send on the port.
    pub outbox: Vec<Vec<u8>>,
    /// Sends again on another hub what a hub that gave up has left open. Others take that as an answer.
    is_stubborn: bool,
    pub(super) welcomed: bool,
    /// The commit of the first welcome.
    since: Option<u64>,
    epoch: u64,
    next_id: u64,
    next_write: u64,
    /// The highest number of a write that a hub may have seen.
    last_write: u64,
    pub sent: BTreeMap<u64, Sent>,
    /// Answers to these concern nobody any more.
    pub(super) given_up: BTreeSet<u64>,
    pub watching: Watching,
    /// The newest state that it knows to be committed.
    pub floor: i64,
    turns: u64,
}

impl Tab {
    pub fn new(client: u32) -> Self {
        Self {
            client,
            port: None,
            frozen: false,
            outbox: vec![],
            is_stubborn: client.is_multiple_of(2),
            welcomed: false,
            since: None,
            epoch: 0,
            next_id: HELLO_ID + 1,
            next_write: 1,
            last_write: 0,
            sent: BTreeMap::new(),
            given_up: BTreeSet::new(),
            watching: Watching::default(),
            floor: 0,
            turns: 0,
        }
    }

    /// Begins with a hub, on a new port.
    pub fn connect(&mut self, port: PortId) {
        self.port = Some(port);
        let resume = self.since.map(|since| wire::Resume { since, last: self.last_write, epoch: self.epoch });
        let hello = wire::Hello {
            protocol: wire::PROTOCOL_VERSION,
            format: tabhub::store::header::FORMAT.into(),
            client: format!("client-{}", self.client),
            lock: format!("lock-{}", self.client),
            build: "sim".into(),
            persistence: wire::PersistenceWanted::Required,
            durability: Durability::Strict,
            cache_bytes: None,
            cache_blocks: None,
            resume,
        };
        let request = Request { id: HELLO_ID, write: None, answered: None, op: Op::Hello(hello) };
        self.outbox = vec![frames::encode(&request, &[])];
    }

    /// The hub is gone, or the way to it.
    pub fn lose_hub(&mut self, book: &mut Book) {
        (self.port, self.welcomed) = (None, false);
        self.outbox.clear();
        self.lose_watched();
        for sent in self.sent.values() {
            if let Kind::Begin(open) = &sent.kind {
                book.attempts[open.attempt].may_be_late = true;
            }
        }
        let lost: Vec<u64> = self.sent.iter().filter(|(_, sent)| !sent.kind.is_repeatable()).map(|(id, _)| *id).collect();
        for id in lost {
            match self.sent.remove(&id).map(|sent| sent.kind) {
                Some(Kind::Step(open)) => book.attempts[open.attempt].fate = Fate::NotApplied("its hub is gone".into()),
                Some(Kind::Import { attempt, .. }) => book.attempts[attempt].fate = Fate::Unknown("its hub is gone".into()),
                _ => {}
            }
            self.given_up.insert(id);
        }
    }

    pub fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Sends a request, now or with the next welcome.
    pub fn ask(&mut self, (op, payload): (Op, Vec<u8>), is_write: bool, kind: Kind) {
        let id = self.next_id;
        self.next_id += 1;
        let write = is_write.then_some(self.next_write);
        self.next_write += u64::from(is_write);
        let answered = write.map(|_| self.answered());
        let frame = frames::encode(&Request { id, write, answered, op }, &payload);
        let sent = Sent { frame, write, kind };
        if self.welcomed {
            self.last_write = self.last_write.max(write.unwrap_or(0));
            self.outbox.push(sent.frame.clone());
        }
        self.sent.insert(id, sent);
    }

    /// Sends, to the hub that has welcomed it, a request that no other hub can go on with; its id.
    pub fn open(&mut self, (op, payload): (Op, Vec<u8>)) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.outbox.push(frames::encode(&Request { id, write: None, answered: None, op }, &payload));
        id
    }

    /// Sends what wants no reply.
    pub fn note(&mut self, op: Op, payload: &[u8]) {
        self.outbox.push(frames::encode(&Request { id: 0, write: None, answered: None, op }, payload));
    }

    fn answered(&self) -> u64 {
        let first_open = self.sent.values().filter_map(|sent| sent.write).min();
        first_open.map_or(self.next_write - 2, |open| open - 1)
    }

    // ---- what the plan wants

    pub fn act(&mut self, deed: Deed, book: &mut Book) {
        let floor = self.floor;
        match deed {
            Deed::Write(entry, durability) => {
                let attempt = self.attempt(book, 1, false);
                let sql = ledger::insert_returning(self.client, attempt, 0, entry);
                self.ask(frames::query(&sql, None, Some(durability)), true, Kind::Write(attempt));
            }
            Deed::Batch(entries) => {
                let attempt = self.attempt(book, entries.len(), false);
                let insert = |(part, entry): (usize, &Entry)| ledger::insert_returning(self.client, attempt, part, *entry);
                let statements = entries.iter().enumerate().map(insert).collect();
                self.ask(frames::batch(statements), true, Kind::Write(attempt));
            }
            Deed::Script(entries) => self.script(&entries, true, book),
            Deed::Exec(entries) => self.script(&entries, false, book),
            Deed::Transaction { steps, commit } => {
                let attempt = self.attempt(book, 0, false);
                let begin = wire::Begin { mode: wire::TransactionMode::Immediate, timeout: 5000 };
                book.attempts[attempt].may_undo = true;
                let open = Transaction::new(attempt, steps, commit);
                self.ask((Op::Begin(begin), vec![]), false, Kind::Begin(open));
            }
            Deed::Fails => self.ask(frames::query(ledger::FAILS, None, None), true, Kind::FailingWrite),
            Deed::Vacuum => {
                let attempt = self.attempt(book, 0, false);
                self.ask(frames::exec("VACUUM", None), true, Kind::Write(attempt));
            }
            // A client cannot always tell that a statement only reads, and then numbers it.
            Deed::Read => self.ask(frames::query(ledger::READ, None, None), self.next_id.is_multiple_of(4), Kind::Read { floor }),
            Deed::ReadTransaction(reads) => {
                let begin = wire::Begin { mode: wire::TransactionMode::Read, timeout: 5000 };
                self.ask((Op::Begin(begin), vec![]), false, Kind::BeginRead(Reading::new(floor, reads)));
            }
            Deed::Iterate => self.ask(frames::iterate(ledger::ITERATE), false, Kind::Iterate { floor, columns: 0, rows: vec![] }),
            Deed::Check => self.ask((Op::Check(wire::Check { level: wire::CheckLevel::Full }), vec![]), false, Kind::Check),
            // Any of its requests that is not answered yet, if there is one.
            Deed::Cancel => {
                let turn = usize::try_from(self.next_turn()).expect("few");
                let open: Vec<u64> = self.sent.keys().copied().collect();
                if self.welcomed && !open.is_empty() {
                    self.note(Op::Cancel(wire::Cancel { target: open[turn % open.len()], session: None }), &[]);
                }
            }
            Deed::Destroy => self.ask((Op::Destroy(wire::Destroy {}), vec![]), false, Kind::Farewell),
            Deed::Close => self.ask((Op::Close(wire::Close {}), vec![]), false, Kind::Farewell),
            Deed::Follow { .. } | Deed::Listen { .. } | Deed::Abandon(_) | Deed::CatchUp => self.watch(&deed),
            Deed::Import(_) | Deed::Kill | Deed::Freeze | Deed::Thaw | Deed::Repeat | Deed::LosePort => {
                unreachable!("the world's business")
            }
        }
    }

    pub fn import(&mut self, attempt: usize, file: Vec<u8>) {
        let op = Op::Import(wire::Import { size: file.len() as u64 });
        self.ask((op, vec![]), false, Kind::Import { attempt, file, sent: 0 });
    }

    fn attempt(&mut self, book: &mut Book, parts: usize, in_parts: bool) -> usize {
        let turn = self.next_turn();
        book.attempt(self.client, turn, parts, in_parts)
    }

    fn script(&mut self, entries: &[Entry], in_parts: bool, book: &mut Book) {
        let attempt = self.attempt(book, entries.len(), in_parts);
        let sql = ledger::script(self.client, attempt, entries, in_parts);
        self.ask(frames::exec(&sql, None), true, Kind::Write(attempt));
    }

    // ---- what the hub says

    pub fn receive(&mut self, frame: &[u8], book: &mut Book) -> News {
        let (response, payload) = frames::decode(frame);
        match (response.re, response.body) {
            (_, Body::Fatal(_)) => News::Over,
            (0, Body::Log(_) | Body::Storage(_)) => News::None,
            (HELLO_ID, Body::Welcome(welcome)) => {
                self.welcome(welcome.commit, welcome.epoch);
                News::Welcome
            }
            (HELLO_ID, Body::Error(error)) => {
                if matches!(error.code.as_str(), "HUB_CORRUPT" | "HUB_FORMAT" | "HUB_BAD_REQUEST" | "HUB_PROTOCOL") {
                    book.accuse("recovery", format!("client {} is not let in: {error:?}", self.client));
                }
                News::Over
            }
            (re, body) => {
                if !self.take_watched(re, &body, payload, book) {
                    self.answer(re, &body, payload, book);
                }
                News::None
            }
        }
    }

    fn welcome(&mut self, commit: u64, epoch: u64) {
        (self.welcomed, self.epoch) = (true, epoch);
        self.since.get_or_insert(commit);
        self.outbox.extend(self.sent.values().map(|sent| sent.frame.clone()));
        self.last_write = self.next_write - 1;
        self.ask_watched();
    }

    fn answer(&mut self, re: u64, body: &Body, payload: &[u8], book: &mut Book) {
        let Some(sent) = self.sent.remove(&re) else {
            if !self.given_up.contains(&re) {
                book.accuse("answered", format!("client {} gets an answer to {re}, which it did not ask: {body:?}", self.client));
            }
            return;
        };
        if let Body::Error(error) = body {
            return self.failed(re, sent, error, book);
        }
        match sent.kind {
            Kind::Write(attempt) => self.written(attempt, body, payload, book),
            Kind::FailingWrite => book.accuse("reply", format!("a write that breaks a constraint is answered {body:?}")),
            Kind::Read { floor } => drop(self.has_read(floor, body, payload, book)),
            Kind::Begin(open) | Kind::Step(open) => open.go_on(self, body, payload, book),
            Kind::Commit(open) => self.committed(open, book),
            Kind::BeginRead(reading) | Kind::StepRead(reading) => reading.go_on(self, body, payload, book),
            Kind::Iterate { .. } | Kind::Check | Kind::Import { .. } => self.streamed(re, sent, body, payload, book),
            Kind::Farewell => {}
        }
    }

    fn failed(&mut self, re: u64, sent: Sent, error: &WireError, book: &mut Book) {
        let is_open = error.outcome == wire::Outcome::Unknown && sent.write.is_some() && error.code != "HUB_SESSION_EVICTED";
        if is_open && self.is_stubborn {
            // To be asked of the next hub.
            self.sent.insert(re, sent);
            return;
        }
        let fate = match error.outcome {
            wire::Outcome::Applied => Fate::Applied,
            wire::Outcome::NotApplied => Fate::NotApplied(error.code.clone()),
            wire::Outcome::Unknown => Fate::Unknown(error.code.clone()),
        };
        match error.code.as_str() {
            "HUB_CORRUPT" | "SQLITE_CORRUPT" => book.accuse("corrupt", format!("client {} is told {error:?}", self.client)),
            "HUB_BAD_REQUEST" | "HUB_PROTOCOL" | "HUB_TRANSACTION_CONTROL" => {
                book.accuse("reply", format!("client {} is told {error:?}", self.client));
            }
            _ => {}
        }
        match sent.kind {
            Kind::Write(attempt) | Kind::Import { attempt, .. } => book.attempts[attempt].fate = fate,
            Kind::Begin(open) => book.attempts[open.attempt].fate = Fate::NotApplied(error.code.clone()),
            Kind::Step(open) => open.step_failed(self, error, book),
            Kind::Commit(open) => open.ended(fate, book),
            _ => {}
        }
    }

    fn written(&mut self, attempt: usize, body: &Body, payload: &[u8], book: &mut Book) {
        let attempt = &mut book.attempts[attempt];
        attempt.fate = Fate::Applied;
        let expected = attempt.parts.len();
        if let Some(rows) = frames::rows(body, payload) {
            attempt.told =
                (0..).zip(&rows).map(|(part, row)| (part, frames::integer(&row[0]), frames::integer(&row[1]))).collect();
            self.floor = attempt.told.iter().map(|(_, seq, _)| *seq).fold(self.floor, i64::max);
            if rows.len() != expected {
                book.accuse("reply", format!("{expected} inserts returned {rows:?}"));
            }
        } else if let Body::Done(done) = body {
            if done.changes != expected as u64 * ledger::CHANGES {
                book.accuse("reply", format!("{expected} inserts changed {} rows", done.changes));
            }
        } else {
            book.accuse("reply", format!("a write is answered {body:?}"));
        }
    }

    fn committed(&mut self, open: Transaction, book: &mut Book) {
        self.floor = open.told.iter().map(|(_, seq, _)| *seq).fold(self.floor, i64::max);
        open.ended(Fate::Applied, book);
    }

    /// Takes what a read has given.
    pub fn has_read(&mut self, floor: i64, body: &Body, payload: &[u8], book: &mut Book) -> Option<State> {
        let state = frames::rows(body, payload).map_or_else(|| Err(format!("{body:?}")), |rows| frames::state(&rows));
        match state {
            Ok(state) => {
                if state.n < floor {
                    book.accuse("backwards", format!("client {} reads state {} after {floor}", self.client, state.n));
                }
                book.see(self.client, state);
                self.floor = self.floor.max(state.n);
                Some(state)
            }
            Err(why) => {
                book.accuse("reads", format!("client {}: {why}", self.client));
                None
            }
        }
    }
}

impl Kind {
    /// Whether another hub can be asked the same.
    fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Kind::Write(_) | Kind::FailingWrite | Kind::Read { .. } | Kind::Begin(_) | Kind::Commit(_) | Kind::BeginRead(_)
        )
    }
}
