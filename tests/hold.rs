//! At stake: no tab waits for another without need. Those who write without a pause share their commits' transactions; whoever pauses, goes,
//! or is alone keeps nobody waiting.

mod support;

use support::World;
use tabhub::hub::Event;
use tabhub::ids::PortId;
use tabhub::wire::{self, Op};

/// Tabs that each write one row after another.
struct Writers {
    world: World,
    tabs: Vec<PortId>,
    /// The write that each waits for.
    waiting: Vec<Option<u64>>,
    written: u64,
    /// Looking at the clock makes time pass in the world; here it passes when a test says so.
    now: f64,
}

impl Writers {
    fn new(count: usize) -> Self {
        let mut world = World::new();
        let tabs: Vec<_> = (0..count).map(|n| world.client(&format!("tab {n}"), None)).collect();
        world.exec(tabs[0], "CREATE TABLE t(n INTEGER)").unwrap();
        world.settle();
        let now = world.now.get();
        Self { world, waiting: vec![None; tabs.len()], tabs, written: 0, now }
    }

    fn write(&mut self, tab: usize) {
        self.written += 1;
        self.world.now.set(self.now);
        let op = Op::Exec(wire::Exec { sql: "INSERT INTO t VALUES (1)".into(), tx: None, durability: None, timeout: None });
        self.waiting[tab] = Some(self.world.send_write(self.tabs[tab], Some(self.written), None, op, &[]));
    }

    /// Tabs that have each written again as soon as they were answered, for a while: they are known for it.
    fn warmed_up(count: usize) -> Self {
        let mut writers = Self::new(count);
        for _ in 0..8 {
            for tab in 0..count {
                if writers.is_free(tab) {
                    writers.write(tab);
                }
            }
            writers.settle();
        }
        assert!((0..count).all(|tab| writers.is_free(tab)), "they go together by now");
        writers
    }

    fn is_free(&mut self, tab: usize) -> bool {
        if self.waiting[tab].is_some_and(|id| self.world.take(self.tabs[tab], id).is_some()) {
            self.waiting[tab] = None;
        }
        self.waiting[tab].is_none()
    }

    fn settle(&mut self) {
        while self.leaving() > 0 {
            self.world.now.set(self.now);
            self.world.step();
        }
    }

    fn pass(&mut self, ms: f64) {
        self.now += ms;
        self.world.now.set(self.now);
        if self.world.hub.next_wake().is_some_and(|at| at <= self.now) {
            self.world.event(Event::Wake);
        }
    }

    fn leaving(&self) -> usize {
        self.world.pending.len()
    }

    fn metric(&mut self, name: &str) -> u64 {
        let tab = self.world.client("watcher", None);
        self.world.metrics(tab)[name]
    }
}

#[test]
fn those_who_write_without_a_pause_share_one_transaction() {
    let mut four = Writers::warmed_up(4);
    for round in 0..3 {
        for tab in 0..3 {
            four.write(tab);
            assert_eq!(four.leaving(), 0, "round {round}: the others are waited for after tab {tab}");
        }
        four.write(3);
        assert_eq!(four.leaving(), 1, "round {round}: all are there");
        four.settle();
    }
    assert!(four.metric("group_commits_4_7") >= 3);
}

#[test]
fn one_who_does_not_come_is_waited_for_a_moment_and_not_again() {
    let mut three = Writers::warmed_up(3);
    three.write(0);
    three.write(1);
    assert_eq!(three.leaving(), 0);
    three.pass(0.9);
    assert_eq!(three.leaving(), 0);
    three.pass(0.2);
    assert_eq!(three.leaving(), 1, "a millisecond is over");
    three.settle();
    three.write(0);
    three.write(1);
    assert_eq!(three.leaving(), 1, "the two go without the third");
}

#[test]
fn who_is_alone_waits_for_nobody() {
    let mut one = Writers::warmed_up(1);
    for _ in 0..5 {
        one.write(0);
        assert_eq!(one.leaving(), 1);
        one.settle();
    }
}

#[test]
fn nobody_waits_for_a_tab_that_is_gone_or_reads() {
    let mut three = Writers::warmed_up(3);
    three.write(0);
    assert_eq!(three.leaving(), 0);
    three.world.event(Event::Gone(three.tabs[1]));
    assert_eq!(three.leaving(), 0);
    let id = three.world.ask_query(three.tabs[2], "SELECT count(*) FROM t", &[], None);
    assert_eq!(three.leaving(), 1);
    assert!(three.world.rows(three.tabs[2], id).is_ok());
}
