//! The tables that simulated tabs write, such that every row tells who wrote it, every state tells what it consists of, and
//! every cell tells which write touched it last; and what the tabs noted of their writes and reads, to be held against them.

use super::follow::StateTold;
use super::listen::Heard;
use super::plan::Entry;
use super::told::Held;
use std::fmt::Write;

/// `seq` counts the rows without gaps, so that it is also the number of the state that the row makes. The trigger touches a cell
/// (whose text consists of one letter, which the state determines) and folds the row into the hash of the state.
pub const SCHEMA: &str = "
    CREATE TABLE ledger(seq INTEGER PRIMARY KEY AUTOINCREMENT, client INTEGER NOT NULL, entry INTEGER NOT NULL,
        part INTEGER NOT NULL, cell INTEGER NOT NULL, size INTEGER NOT NULL, tag INTEGER NOT NULL DEFAULT (abs(random() % 1000000)));
    CREATE INDEX by_entry ON ledger(entry, part);
    CREATE TABLE cell(id INTEGER PRIMARY KEY, v INTEGER NOT NULL, pad TEXT NOT NULL);
    CREATE TABLE state(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, hash INTEGER NOT NULL);
    INSERT INTO cell VALUES (0, 0, ''), (1, 0, ''), (2, 0, ''), (3, 0, ''), (4, 0, ''), (5, 0, '');
    INSERT INTO state VALUES (1, 0, 0);
    CREATE TRIGGER entered AFTER INSERT ON ledger BEGIN
        UPDATE cell SET v = NEW.seq, pad = replace(hex(zeroblob(NEW.size)), '00', char(65 + NEW.seq % 26)) WHERE id = NEW.cell;
        UPDATE state SET n = n + 1, hash = (hash * 1000003 + NEW.client * 8191 + NEW.entry * 131 + NEW.part + 1) % 2147483647;
    END;";

/// Rows that one insert changes, its trigger's included.
pub const CHANGES: u64 = 3;

/// One row: the state's number, its hash, the rows of the ledger, the cells' versions and sizes, and letters that do not belong.
pub const READ: &str = "SELECT n, hash, (SELECT count(*) FROM ledger), (SELECT sum(v * (id + 1)) FROM cell),
    (SELECT sum(length(pad)) FROM cell), (SELECT sum(length(trim(pad, char(65 + v % 26)))) FROM cell) FROM state";

/// The whole ledger beside texts that make it long.
pub const ITERATE: &str = "SELECT l.seq, l.entry, l.part, c.v, c.pad FROM ledger l JOIN cell c ON c.id = l.cell ORDER BY l.seq";

pub const LEDGER: &str = "SELECT seq, client, entry, part, cell, size, tag FROM ledger ORDER BY seq";

/// Breaks a constraint.
pub const FAILS: &str = "INSERT INTO cell VALUES (0, 0, '')";

pub fn insert(client: u32, entry: usize, part: usize, what: Entry) -> String {
    format!(
        "INSERT INTO ledger(client, entry, part, cell, size) VALUES ({client}, {entry}, {part}, {}, {})",
        what.cell, what.size
    )
}

/// With what the row has become, for the reply.
pub fn insert_returning(client: u32, entry: usize, part: usize, what: Entry) -> String {
    insert(client, entry, part, what) + " RETURNING seq, tag"
}

pub fn script(client: u32, entry: usize, entries: &[Entry], in_parts: bool) -> String {
    let mut sql = String::new();
    for (part, what) in entries.iter().enumerate() {
        let insert = insert(client, entry, part, *what);
        let (begin, commit) = if in_parts { ("BEGIN; ", "; COMMIT") } else { ("", "") };
        write!(sql, "{begin}{insert}{commit};").expect("a string takes everything");
    }
    sql
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub seq: i64,
    pub client: i64,
    pub entry: i64,
    pub part: i64,
    pub cell: i64,
    pub size: i64,
    pub tag: i64,
}

/// What a tab has been told of its write.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Nothing yet, or never.
    Open,
    Applied,
    NotApplied(String),
    /// An error that leaves it open.
    Unknown(String),
}

/// A write that a tab has asked for. Its place in the list of all is its `entry` in the ledger.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub client: u32,
    /// When it asked for its turn at the writer, among what its client asked.
    pub turn: u64,
    pub parts: Vec<i64>,
    /// Each part is a transaction by itself.
    pub in_parts: bool,
    pub fate: Fate,
    /// What the reply said: part, sequence number, tag.
    pub told: Vec<(i64, i64, i64)>,
    /// It replaces everything.
    pub is_import: bool,
    /// It may stand after what its client asked for later: some hub refused it, or let its transaction time out, and the client,
    /// who never came to know, has asked another.
    pub may_be_late: bool,
    /// What it did it may have taken back to a savepoint.
    pub may_undo: bool,
}

/// What a read has shown of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub n: i64,
    pub hash: i64,
    pub cells: i64,
    pub sizes: i64,
}

/// A read's result, and how many writes had been asked for by then.
#[derive(Clone, Debug)]
pub struct Seen {
    pub client: u32,
    pub state: State,
    pub attempts: usize,
}

/// The rows that an `iterate` has given: sequence number, entry, part, and the version of the row's cell.
#[derive(Clone, Debug)]
pub struct Iterated {
    pub client: u32,
    pub rows: Vec<[i64; 4]>,
    pub attempts: usize,
}

/// A promise that was broken, by the name of the checker that noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub checker: &'static str,
    pub detail: String,
}

/// Everything that all tabs have noted.
#[derive(Debug, Default)]
pub struct Book {
    pub attempts: Vec<Attempt>,
    pub seen: Vec<Seen>,
    pub iterated: Vec<Iterated>,
    /// States of live queries.
    pub states: Vec<StateTold>,
    /// What was told of commits.
    pub heard: Vec<Heard>,
    /// What those have who still follow when all is quiet.
    pub held: Vec<Held>,
    /// Live queries that failed.
    pub lives_ended: u64,
    pub violation: Option<Violation>,
}

impl Book {
    /// Only the first counts: what follows may be its consequence.
    pub fn accuse(&mut self, checker: &'static str, detail: String) {
        self.violation.get_or_insert(Violation { checker, detail });
    }

    pub fn attempt(&mut self, client: u32, turn: u64, parts: usize, in_parts: bool) -> usize {
        let parts = (0..).take(parts).collect();
        let (fate, told) = (Fate::Open, vec![]);
        let (is_import, may_be_late, may_undo) = (false, false, false);
        self.attempts.push(Attempt { client, turn, parts, in_parts, fate, told, is_import, may_be_late, may_undo });
        self.attempts.len() - 1
    }

    pub fn see(&mut self, client: u32, state: State) {
        let attempts = self.attempts.len();
        self.seen.push(Seen { client, state, attempts });
    }
}
