//! At stake: speed, by what it is made of. A clock would blame the machine; these counts are the same on every one: write transactions,
//! puts and bytes of the store, and messages and bytes of the wire, for named workloads. `npm run figures` shows the same in a browser.
//!
//! A gate fails in both directions: what has become better is to be held there.

mod support;

use support::World;
use tabhub::ids::PortId;
use tabhub::wire::{self, Op, Value};

const ITEMS: &str =
    "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL); INSERT INTO item (body) VALUES (randomblob(100))";
const INSERT: &str = "INSERT INTO item (body) VALUES (randomblob(100))";
const READ: &str = "SELECT body FROM item WHERE id = ?";
const WIDE: &str = "CREATE TABLE wide (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL NOT NULL, code INT NOT NULL, note TEXT);
    WITH RECURSIVE p (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 10000)
    INSERT INTO wide SELECT i, printf('name %d', i), i * 1.5, i * 7919 % 10007, CASE WHEN i % 3 THEN printf('note %d of some length', i) END FROM p";

/// What a workload costs.
#[derive(Clone, Copy, Default)]
struct Figures {
    commits: u64,
    /// Write transactions of the store, the checkpoint's among them.
    transactions: u64,
    puts: u64,
    put_bytes: u64,
    checkpoints: u64,
    /// Read transactions of the store.
    reads: u64,
    /// Messages to the hub, and from it.
    asked: u64,
    told: u64,
    asked_bytes: u64,
    told_bytes: u64,
}

/// How far a gate may be above what is measured: bytes differ by a name's length, counts by nothing.
const BYTES_SLACK: u64 = 100;

impl Figures {
    /// By name; of bytes a hundredth less is as good.
    fn list(self) -> [(&'static str, u64, u64); 10] {
        let exact = |name, count| (name, count, 0);
        let bytes = |name, count: u64| (name, count, count / BYTES_SLACK);
        [
            exact("commits", self.commits),
            exact("transactions", self.transactions),
            exact("puts", self.puts),
            bytes("bytes put", self.put_bytes),
            exact("checkpoints", self.checkpoints),
            exact("reads", self.reads),
            exact("asked", self.asked),
            exact("told", self.told),
            bytes("bytes asked", self.asked_bytes),
            bytes("bytes told", self.told_bytes),
        ]
    }
}

struct Gate {
    name: &'static str,
    schema: &'static str,
    work: fn(&mut Desk),
    allowed: Figures,
}

/// 8.5 KB a commit: the leaf, and the first page with its change counter.
const EACH: Gate = Gate {
    name: "200 writes of a row, each awaited",
    schema: ITEMS,
    work: |desk| desk.write_each(1, 200),
    allowed: Figures {
        commits: 200,
        transactions: 200,
        puts: 200,
        put_bytes: 96_700,
        checkpoints: 0,
        reads: 0,
        asked: 200,
        told: 200,
        asked_bytes: 32_200,
        told_bytes: 26_600,
    },
};

/// The first goes alone, all others together.
const AT_ONCE: Gate = Gate {
    name: "500 writes of a row at once",
    schema: ITEMS,
    work: |desk| desk.write_at_once(500),
    allowed: Figures {
        commits: 500,
        transactions: 2,
        puts: 2,
        put_bytes: 62_400,
        checkpoints: 0,
        reads: 0,
        asked: 500,
        told: 500,
        asked_bytes: 80_500,
        told_bytes: 67_500,
    },
};

/// While one tab's write is on its way, those of the other three gather, and then wait for the one that was quick.
const TABS: Gate = Gate {
    name: "4 tabs, 100 awaited writes each",
    schema: ITEMS,
    work: |desk| desk.write_each(4, 100),
    allowed: Figures {
        commits: 400,
        transactions: 152,
        puts: 152,
        put_bytes: 160_500,
        checkpoints: 0,
        reads: 0,
        asked: 400,
        told: 400,
        asked_bytes: 64_400,
        told_bytes: 53_900,
    },
};

/// Twice: to the log in parts, and from there, by the checkpoint that it causes, to the block groups.
const LARGE: Gate = Gate {
    name: "one transaction of 10 MB",
    schema: ITEMS,
    work: Desk::write_10_mb,
    allowed: Figures {
        commits: 1,
        transactions: 9,
        puts: 196,
        put_bytes: 21_200_000,
        checkpoints: 1,
        reads: 0,
        asked: 1,
        told: 1,
        asked_bytes: 200,
        told_bytes: 88,
    },
};

/// Nothing of the store's: what was written is in memory. 136 bytes ask, 272 answer with a row of 100.
const POINTS: Gate = Gate {
    name: "1000 reads of a row by its key",
    schema: ITEMS,
    work: |desk| desk.read_each(1_000),
    allowed: Figures {
        commits: 0,
        transactions: 0,
        puts: 0,
        put_bytes: 0,
        checkpoints: 0,
        reads: 0,
        asked: 1_000,
        told: 1_000,
        asked_bytes: 136_500,
        told_bytes: 273_000,
    },
};

/// 60.5 bytes a row, of which the texts are 27.
const ROWS: Gate = Gate {
    name: "a result of 10,000 × 5",
    schema: WIDE,
    work: Desk::read_wide,
    allowed: Figures {
        commits: 0,
        transactions: 0,
        puts: 0,
        put_bytes: 0,
        checkpoints: 0,
        reads: 0,
        asked: 1,
        told: 1,
        asked_bytes: 104,
        told_bytes: 606_000,
    },
};

/// A message for each thousand rows, and one that only says that it was the last; each of the others is followed by a request for one more.
const STREAM: Gate = Gate {
    name: "10,000 × 5, iterated",
    schema: WIDE,
    work: Desk::iterate_wide,
    allowed: Figures {
        commits: 0,
        transactions: 0,
        puts: 0,
        put_bytes: 0,
        checkpoints: 0,
        reads: 0,
        asked: 11,
        told: 11,
        asked_bytes: 504,
        told_bytes: 607_000,
    },
};

#[test]
fn every_workload_costs_what_its_gate_allows() {
    let measured = [EACH, AT_ONCE, TABS, LARGE, POINTS, ROWS, STREAM].map(|gate| (measure(gate.schema, gate.work), gate));
    let faults: Vec<_> = measured.iter().flat_map(|(found, gate)| faults(*found, gate)).collect();
    assert!(faults.is_empty(), "\n{}\n{}", table(&measured), faults.join("\n"));
}

// The negative control: one write more, and with each write another page.
#[test]
fn one_write_more_and_one_page_more_are_noticed_in_every_figure_that_they_touch() {
    let indexed = [EACH.schema, "CREATE INDEX item_by_body ON item (body)"].join(";");
    let found = measure(&indexed, |desk| desk.write_each(1, 201));
    let faults = faults(found, &EACH);
    for figure in ["commits", "transactions", "puts", "bytes put", "asked", "told"] {
        assert!(faults.iter().any(|fault| fault.contains(&format!(" {figure}: "))), "{figure} in {faults:#?}");
    }
    assert!(!faults.iter().any(|fault| fault.contains(" reads: ")), "what is as it was is no fault: {faults:#?}");
}

// Another: a gate that is wider than what it guards would let the next regression through.
#[test]
fn what_has_become_cheaper_is_to_be_held_by_a_narrower_gate() {
    let cheaper = Figures { transactions: 199, put_bytes: EACH.allowed.put_bytes / 2, ..EACH.allowed };
    let faults = faults(cheaper, &EACH);
    assert!(faults.len() == 2 && faults.iter().all(|fault| fault.ends_with(NARROW)), "{faults:#?}");
}

fn measure(schema: &str, work: fn(&mut Desk)) -> Figures {
    let mut desk = Desk::with(schema);
    let (stored, sent) = (desk.world.metrics(desk.tabs[0].port), desk.world.traffic);
    work(&mut desk);
    // To ask for the figures is a message too.
    let (now_sent, now_stored) = (desk.world.traffic, desk.world.metrics(desk.tabs[0].port));
    let spent = |figure: &str| now_stored[figure] - stored[figure];
    Figures {
        commits: spent("commits"),
        transactions: spent("store_writes"),
        puts: spent("store_puts"),
        put_bytes: spent("bytes_written"),
        checkpoints: spent("checkpoints"),
        reads: spent("store_reads"),
        asked: now_sent.asked - sent.asked,
        told: now_sent.told - sent.told,
        asked_bytes: now_sent.asked_bytes - sent.asked_bytes,
        told_bytes: now_sent.told_bytes - sent.told_bytes,
    }
}

const NARROW: &str = "it has become cheaper, so narrow the gate";

fn faults(found: Figures, gate: &Gate) -> Vec<String> {
    let pairs = found.list().into_iter().zip(gate.allowed.list());
    let wrong = pairs.filter(|((_, found, _), (_, allowed, slack))| !(allowed - slack..=*allowed).contains(found));
    let fault = |((figure, found, _), (_, allowed, _))| {
        let advice = if found > allowed { "find what costs more" } else { NARROW };
        format!("{}: {figure}: {found} where {allowed} is allowed: {advice}", gate.name)
    };
    wrong.map(fault).collect()
}

/// Found and allowed, workload by workload.
fn table(measured: &[(Figures, Gate)]) -> String {
    let cell = |text: &str| format!("{text:>22}");
    let head: String = Figures::default().list().iter().map(|(figure, ..)| cell(figure)).collect();
    let line = |(found, gate): &(Figures, Gate)| {
        let pairs = found.list().into_iter().zip(gate.allowed.list());
        let cells: String = pairs.map(|((_, found, _), (_, allowed, _))| cell(&format!("{found} / {allowed}"))).collect();
        format!("\n{:34}{cells}", gate.name)
    };
    format!("{:34}{head}", "found / allowed") + &measured.iter().map(line).collect::<String>()
}

/// A hub over the memory store, and its tabs, which number their writes and await them as tabs do.
struct Desk {
    world: World,
    tabs: Vec<Tab>,
}

struct Tab {
    port: PortId,
    last_write: u64,
}

impl Desk {
    fn with(schema: &str) -> Self {
        let mut desk = Self { world: World::new(), tabs: vec![] };
        for _ in 0..4 {
            let port = desk.world.tab();
            desk.tabs.push(Tab { port, last_write: 0 });
        }
        desk.exec(schema);
        desk
    }

    // ---- workloads

    /// Each tab has one write under way at a time, and begins the next as soon as it is answered.
    fn write_each(&mut self, tabs: usize, count: usize) {
        let mut under_way = vec![None; tabs];
        let mut left = vec![count; tabs];
        while under_way.iter().any(Option::is_some) || left.iter().any(|left| *left > 0) {
            for at in 0..tabs {
                let is_answered = under_way[at].is_none_or(|id| self.is_done(at, id));
                if is_answered {
                    under_way[at] = (left[at] > 0).then(|| self.ask_to_write(at, INSERT));
                    left[at] = left[at].saturating_sub(1);
                }
            }
            // Those who are waited for and have written all that they will: the moment passes.
            if !self.world.step() {
                self.world.pass(1.0);
            }
        }
        self.world.settle();
    }

    fn write_at_once(&mut self, count: usize) {
        let ids: Vec<_> = (0..count).map(|_| self.ask_to_write(0, INSERT)).collect();
        self.world.settle();
        assert!(ids.into_iter().all(|id| self.is_done(0, id)));
    }

    fn write_10_mb(&mut self) {
        self.exec("WITH RECURSIVE p (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM p WHERE n < 160) INSERT INTO item (body) SELECT randomblob(65536) FROM p");
    }

    fn read_each(&mut self, count: usize) {
        for _ in 0..count {
            let id = self.world.ask_query(self.tabs[0].port, READ, &[Value::Integer(1)], None);
            assert!(self.is_done(0, id), "nothing is to be waited for");
        }
    }

    fn read_wide(&mut self) {
        let id = self.world.ask_query(self.tabs[0].port, "SELECT * FROM wide", &[], None);
        self.world.settle();
        assert!(self.is_done(0, id));
    }

    /// Takes all chunks, and asks for one more after each, as the client does.
    fn iterate_wide(&mut self) {
        let params = wire::ParamsShape { count: 0, names: None };
        let op = Op::Iterate(wire::Iterate { sql: "SELECT * FROM wide".into(), params, timeout: None });
        let port = self.tabs[0].port;
        let id = self.world.send(port, op, &support::encode_values(&[]));
        loop {
            self.world.settle();
            match self.world.take(port, id).expect("the next chunk comes").body {
                wire::Body::Chunk(chunk) if chunk.end => return,
                wire::Body::Chunk(_) => drop(self.world.send(port, Op::Pull(wire::Pull { target: id }), &[])),
                other => panic!("a chunk, not {other:?}"),
            }
        }
    }

    // ---- calls

    fn ask_to_write(&mut self, tab: usize, sql: &str) -> u64 {
        let params = wire::ParamsShape { count: 0, names: None };
        let op = Op::Query(wire::Query { sql: sql.into(), params, tx: None, durability: None, timeout: None });
        self.number(tab, op, &support::encode_values(&[]))
    }

    fn exec(&mut self, sql: &str) {
        let id = self.number(0, Op::Exec(wire::Exec { sql: sql.into(), tx: None, durability: None, timeout: None }), &[]);
        self.world.settle();
        assert!(self.is_done(0, id), "{sql}");
    }

    fn number(&mut self, tab: usize, op: Op, payload: &[u8]) -> u64 {
        let tab = &mut self.tabs[tab];
        tab.last_write += 1;
        self.world.send_write(tab.port, Some(tab.last_write), Some(tab.last_write - 1), op, payload)
    }

    /// Whether the answer has come, which must be a good one.
    fn is_done(&mut self, tab: usize, id: u64) -> bool {
        let Some(answer) = self.world.take(self.tabs[tab].port, id) else { return false };
        assert!(matches!(answer.body, wire::Body::Rows(_) | wire::Body::Done(_)), "{answer:?}");
        true
    }
}
