//! At stake: a commit happens whole or not at all, however large it is, and none keeps another waiting for ever.

mod support;

use support::{World, text};
use tabhub::error::Error;
use tabhub::ids::PortId;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreFailure, StoreOp, Write};
use tabhub::wire::{self, Op};

fn with(limits: Limits) -> (World, PortId) {
    let mut world = World::with(MemoryStore::new(), limits);
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, pad BLOB)").unwrap();
    (world, tab)
}

fn small_parts() -> Limits {
    Limits { large_commit_bytes: 100_000, part_bytes: 40_000, ..Limits::default() }
}

const LARGE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, randomblob(3000) FROM n";

// At stake: atomicity. A large commit reaches the store in many transactions, and must happen in the last one alone.
#[test]
fn a_large_commit_happens_whole_or_not_at_all_wherever_the_browser_dies() {
    let mut steps = 0;
    loop {
        let (mut world, tab) = with(small_parts());
        let id = world.ask_exec(tab, LARGE, None);
        for _ in 0..steps {
            world.step();
        }
        let is_acked = world.take(tab, id).is_some();
        let size = |op: &StoreOp| match op {
            StoreOp::Write(batch) => batch.writes.iter().map(|w| if let Write::Put(_, v) = w { v.len() } else { 0 }).sum(),
            _ => 0,
        };
        assert!(world.pending.iter().all(|(_, op)| size(op) <= 150_000), "a bounded buffer");
        let mut world = World::with(world.store, small_parts());
        let tab = world.tab();
        assert_eq!(world.count(tab, "t"), if is_acked { 300 } else { 0 }, "after {steps} steps");
        world.exec(tab, "INSERT INTO t VALUES (1000, NULL)").unwrap();
        let mut world = World::with(world.store, small_parts());
        let tab = world.tab();
        assert_eq!(world.count(tab, "t"), if is_acked { 301 } else { 1 }, "written after {steps} steps");
        assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), [[text("ok")]]);
        if is_acked {
            break;
        }
        steps += 1;
    }
    assert!(steps > 8, "{steps} transactions");
}

// At stake: memory. Neither the commit nor the checkpoint after it may hold a second copy of everything.
#[test]
fn no_write_transaction_is_large_however_large_the_commit_was() {
    let (mut world, tab) = with(Limits::default());
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, zeroblob(1000000) FROM n";
    world.exec(tab, sql).unwrap();
    let metrics = world.metrics(tab);
    assert!(metrics["bytes_written"] > 120_000_000 && metrics["checkpoints"] == 1, "written to the log and folded: {metrics:?}");
    assert!(metrics["write_batch_bytes_max"] < 5 << 20, "{metrics:?}");
    assert_eq!(world.count(tab, "t"), 60);
}

#[test]
fn a_large_commit_shows_its_progress_and_one_that_finds_no_room_leaves_nothing() {
    let (mut world, tab) = with(small_parts());
    let stored = world.store.keys().count();
    let id = world.ask_exec(tab, LARGE, None);
    let mut seen = vec![];
    for _ in 0..4 {
        world.step();
        let metrics = world.metrics(tab);
        assert!(metrics["large_commit_bytes"] > 900_000, "{metrics:?}");
        seen.push(metrics["large_commit_written"]);
    }
    assert!(seen.is_sorted() && seen[0] < seen[3], "{seen:?}");
    world.answer_store(Err(StoreFailure::NotApplied(Error::full())));
    assert_eq!(world.done(tab, id).unwrap_err().code, "SQLITE_FULL");
    assert_eq!(world.count(tab, "t"), 0);
    world.exec(tab, "INSERT INTO t VALUES (1, NULL)").unwrap();
    assert_eq!(world.store.keys().count(), stored + 1, "the parts are deleted with the next write");
    let mut world = World::with(world.store, small_parts());
    let tab = world.tab();
    assert_eq!(world.count(tab, "t"), 1);
}

#[test]
fn a_strict_write_never_waits_behind_an_endless_stream_of_relaxed_ones() {
    let (mut world, tab) = with(Limits::default());
    let hurried = world.tab();
    let relaxed = |world: &mut World, n: i64| {
        let sql = format!("INSERT INTO t VALUES ({n}, NULL)");
        let durability = Some(wire::Durability::Relaxed);
        world.send(tab, Op::Exec(wire::Exec { sql, tx: None, durability, timeout: None }), &[]);
    };
    for n in 0..50 {
        relaxed(&mut world, n);
    }
    let id = world.ask_exec(hurried, "INSERT INTO t VALUES (-1, NULL)", None);
    for steps in 1.. {
        for n in 0..10 {
            relaxed(&mut world, 1000 + steps * 10 + n);
        }
        world.step();
        if world.take(hurried, id).is_some() {
            assert!(steps <= 2, "the transaction in flight, and its own: {steps}");
            return;
        }
        assert!(steps < 10, "a strict write must not starve");
    }
}

// At stake: memory and open time. Writers that never pause must not keep the checkpoint from ever ending.
#[test]
fn the_log_stays_bounded_while_tabs_never_stop_writing() {
    let limits = Limits { log_bytes: 200_000, log_records: 20, ..Limits::default() };
    let (mut world, tab) = with(limits);
    let (mut worst_bytes, mut worst_records) = (0, 0);
    for n in 0..1500 {
        world.ask_exec(tab, &format!("INSERT INTO t VALUES ({n}, randomblob(3000))"), None);
        // The next write is always there before the last one is answered.
        while world.pending.len() > 1 {
            world.step();
        }
        if n % 2 == 0 {
            world.step();
        }
        let metrics = world.metrics(tab);
        worst_bytes = worst_bytes.max(metrics["log_bytes"]);
        worst_records = worst_records.max(metrics["log_records"]);
    }
    assert!(world.metrics(tab)["checkpoints"] > 5);
    assert!(world.metrics(tab)["write_batch_bytes_max"] < 5 << 20, "no write of the checkpoint is large");
    assert!(worst_bytes < 8 * 200_000 && worst_records < 8 * 20, "{worst_bytes} bytes, {worst_records} records");
}

/// A world in which an import's last step has been submitted and not answered, and its request.
fn importing() -> (World, PortId, u64) {
    let (mut world, tab) = with(Limits::default());
    world.exec(tab, "INSERT INTO t VALUES (1, NULL), (2, NULL)").unwrap();
    let file = world.export(tab);
    world.exec(tab, "DELETE FROM t").unwrap();
    let id = world.send(tab, Op::Import(wire::Import { size: file.len() as u64 }), &[]);
    world.send(tab, Op::Part(wire::Part { target: id, end: true }), &file);
    world.step();
    assert!(
        matches!(&world.pending[0].1, StoreOp::Write(batch) if batch.writes.len() > 2),
        "the step that replaces the database"
    );
    (world, tab, id)
}

// At stake: everything. An import that was given up while its last step was on its way had the new database deleted (found by the
// exhaustive faults).
#[test]
fn an_import_whose_last_step_is_on_its_way_cannot_be_given_up_any_more() {
    type GiveUp = fn(&mut World, PortId, u64);
    let give_up: [(&str, GiveUp); 3] = [
        ("cancel", |world, tab, id| {
            world.send(tab, Op::Cancel(wire::Cancel { target: id, session: None }), &[]);
        }),
        ("the tab's death", |world, tab, _| world.event(tabhub::hub::Event::Gone(tab))),
        ("time", |world, _, _| {
            world.now.set(world.now.get() + 40_000.0);
            world.event(tabhub::hub::Event::Wake);
        }),
    ];
    for (what, give_up) in give_up {
        let (mut world, tab, id) = importing();
        give_up(&mut world, tab, id);
        world.settle();
        let other = world.tab();
        assert_eq!(world.count(other, "t"), 2, "after {what}");
        world.exec(other, "INSERT INTO t VALUES (3, NULL)").unwrap();
        let mut world = World::over(world.store);
        let tab = world.tab();
        assert_eq!(world.count(tab, "t"), 3, "after {what}, stored");
        assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), [[text("ok")]]);
    }
}

#[test]
fn an_import_that_is_given_up_before_its_last_step_leaves_the_database_as_it_was() {
    let (mut world, tab) = with(Limits::default());
    world.exec(tab, "INSERT INTO t VALUES (1, NULL)").unwrap();
    let file = world.export(tab);
    let id = world.send(tab, Op::Import(wire::Import { size: file.len() as u64 }), &[]);
    world.send(tab, Op::Part(wire::Part { target: id, end: false }), &file[..5000]);
    world.event(tabhub::hub::Event::Gone(tab));
    world.settle();
    let other = world.tab();
    assert_eq!(world.count(other, "t"), 1);
    assert!(world.store.keys().all(|key| !matches!(key, tabhub::store::Key::Group(..))), "nothing of it is left");
}
