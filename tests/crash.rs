//! Crashes at every point of a random workload: two tabs write, the store answers when chance wants it, the browser dies, and
//! whoever opens the database next must find a prefix of the commits that holds every acknowledged one.
//!
//! The whole run is a function of the seed; a failure names it. `CRASH_SEEDS=from..to cargo test --test crash` runs others.

mod support;

use std::collections::BTreeMap;
use support::{World, int, text};
use tabhub::ids::PortId;
use tabhub::store::StoreFailure;
use tabhub::wire::Value;

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

#[derive(Default)]
struct Tally {
    checkpoints: u64,
    misses: u64,
    crashes: u64,
    acks: u64,
}

/// Writes that have been sent, by request: which row each inserts.
type Sent = BTreeMap<(PortId, u64), i64>;

struct Run {
    seed: u64,
    chance: Chance,
    world: World,
    tabs: Vec<PortId>,
    sent: Sent,
    next: i64,
    acked: i64,
    tally: Tally,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        let tabs = vec![world.tab(), world.tab()];
        world.exec(tabs[0], "CREATE TABLE t(id INTEGER PRIMARY KEY, pad BLOB); CREATE INDEX by_size ON t(length(pad))").unwrap();
        Self { seed, chance: Chance(seed), world, tabs, sent: Sent::new(), next: 1, acked: 0, tally: Tally::default() }
    }

    /// One random act of a tab. Every write inserts the next row, so the rows tell which commits are there.
    fn act(&mut self) {
        let tab = self.tabs[usize::try_from(self.chance.below(2)).unwrap()];
        let size = self.chance.below(60_000);
        let more = match self.chance.below(12) {
            0 => format!("UPDATE t SET pad = randomblob({}) WHERE id % 5 = {}", size / 4, self.chance.below(5)),
            1 => "UPDATE t SET pad = NULL WHERE id % 3 = 0".into(),
            2 => "COMMIT; VACUUM; BEGIN".into(),
            _ => "SELECT 1".into(),
        };
        let sql = format!("BEGIN; INSERT INTO t VALUES ({}, randomblob({size})); {more}; COMMIT", self.next);
        let id = self.world.ask_exec(tab, &sql, None);
        self.sent.insert((tab, id), self.next);
        self.next += 1;
    }

    fn collect_acks(&mut self) {
        let (world, acked) = (&mut self.world, &mut self.acked);
        let before = self.sent.len();
        self.sent.retain(|(tab, id), row| match world.take(*tab, *id) {
            None => true,
            Some(answer) => {
                assert!(matches!(answer.body, tabhub::wire::Body::Done(_)), "{answer:?}");
                *acked = (*acked).max(*row);
                false
            }
        });
        self.tally.acks += (before - self.sent.len()) as u64;
    }

    /// The browser dies and is opened again.
    fn crash(&mut self) {
        let metrics = self.world.metrics(self.tabs[0]);
        self.tally.checkpoints += metrics["checkpoints"];
        self.tally.misses += metrics["misses"];
        self.tally.crashes += 1;
        let world = std::mem::replace(&mut self.world, World::new());
        self.world = world.crash();
        self.tabs = vec![self.world.tab(), self.world.tab()];
        self.sent.clear();
        self.check();
    }

    fn check(&mut self) {
        let seed = self.seed;
        let tab = self.tabs[0];
        assert_eq!(self.world.query(tab, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]], "seed {seed}");
        let found = self.world.query(tab, "SELECT count(*), coalesce(max(id), 0) FROM t").unwrap();
        let Value::Integer(rows) = found[0][0] else { panic!("{found:?}") };
        assert_eq!(found[0][1], int(rows), "seed {seed}: a prefix of the commits");
        assert!(
            (self.acked..self.next).contains(&rows),
            "seed {seed}: {rows} rows, {} acknowledged, {} sent",
            self.acked,
            self.next - 1
        );
        (self.acked, self.next) = (rows, rows + 1);
    }

    fn step(&mut self) {
        match self.chance.below(20) {
            0 => self.crash(),
            1..8 => self.act(),
            _ => {
                self.world.step();
            }
        }
        self.collect_acks();
    }
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("CRASH_SEEDS") else { return 0..60 };
    let (from, to) = range.split_once("..").expect("CRASH_SEEDS=from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

// At stake: nothing acked is ever lost.
#[test]
fn whenever_the_browser_dies_every_acknowledged_commit_is_there() {
    let mut all = Tally::default();
    for seed in seeds() {
        let mut run = Run::new(seed);
        for _ in 0..400 {
            run.step();
        }
        run.world.settle();
        run.collect_acks();
        assert!(run.sent.is_empty(), "seed {seed}: everybody is answered");
        run.crash();
        all.checkpoints += run.tally.checkpoints;
        all.misses += run.tally.misses;
        all.crashes += run.tally.crashes;
        all.acks += run.tally.acks;
    }
    println!("{} crashes, {} acks, {} checkpoints, {} misses", all.crashes, all.acks, all.checkpoints, all.misses);
    assert!(all.checkpoints > 20 && all.misses > 100 && all.acks > 1000, "the workload reaches what it is meant to test");
}

// The negative control: a store that forgets an acknowledged write must be caught by the check above.
#[test]
#[should_panic(expected = "acknowledged")]
fn a_store_that_loses_an_acknowledged_commit_is_caught() {
    let mut run = Run::new(1);
    for _ in 0..3 {
        run.act();
        run.world.settle();
        run.collect_acks();
    }
    let kept = run.world.store.clone();
    run.act();
    run.world.settle();
    run.collect_acks();
    run.world.store = kept;
    run.crash();
}

// At stake: a write transaction that fails must leave neither a trace nor a hole in what is acknowledged afterwards.
#[test]
fn writes_that_the_store_refuses_are_as_if_never_made() {
    let mut world = World::new();
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, pad BLOB)").unwrap();
    let (mut chance, mut stored) = (Chance(7), 0);
    for n in 1..400 {
        let id = world.ask_query(tab, &format!("INSERT INTO t VALUES ({n}, randomblob({}))", chance.below(20_000)), &[], None);
        while !world.pending.is_empty() {
            if chance.below(6) == 0 {
                world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
            } else {
                world.step();
            }
        }
        match world.rows(tab, id) {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!(error.code, "SQLITE_FULL"),
        }
        if n % 97 == 0 {
            assert_eq!(world.query(tab, "SELECT count(*) FROM t").unwrap(), vec![vec![int(stored)]]);
        }
    }
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.query(tab, "SELECT count(*) FROM t").unwrap(), vec![vec![int(stored)]]);
    assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]]);
    assert!((100..380).contains(&stored), "{stored}");
}
