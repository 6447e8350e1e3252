//! Fibers, natively: statements that are suspended in their middle, for a block or for others, and what that means for tabs.

mod support;

use support::{World, int};
use tabhub::hub::Event;
use tabhub::ids::PortId;
use tabhub::store::Limits;
use tabhub::store::memory::MemoryStore;
use tabhub::wire::{self, Body, Op, TransactionMode};

const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT sum(i) FROM n";
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

fn rows(count: u32) -> String {
    format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT NOT NULL, pad TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO t SELECT i, 10, hex(zeroblob(200)) FROM n;"
    )
}

fn world() -> (World, PortId, PortId) {
    let mut world = World::with_fibers(MemoryStore::new(), Limits::default());
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, &rows(2000)).unwrap();
    (world, a, b)
}

/// The same database on a hub that has nothing of it in memory.
fn cold(mut world: World, a: PortId) -> (World, PortId, PortId) {
    let file = world.export(a);
    world.import(a, &file).unwrap();
    let mut world = World::with_fibers(std::mem::take(&mut world.store), Limits::default());
    let (a, b) = (world.tab(), world.tab());
    (world, a, b)
}

fn error(world: &mut World, port: PortId, id: u64) -> wire::WireError {
    match world.take(port, id).expect("it is answered").body {
        Body::Error(error) => error,
        other => panic!("an error, not {other:?}"),
    }
}

// At stake: no tab waits for another without need.
#[test]
fn a_short_statement_overtakes_a_long_one() {
    let (mut world, a, b) = world();
    let long = world.ask_query(a, LONG, &[], None);
    assert!(world.wants_turn && world.take(a, long).is_none(), "it has used up its slice");
    let short = world.ask_query(b, "SELECT v FROM t WHERE id = 7", &[], None);
    assert_eq!(world.rows(b, short).unwrap(), vec![vec![int(10)]]);
    let own = world.ask_query(a, "SELECT v FROM t WHERE id = 8", &[], None);
    assert_eq!(world.rows(a, own).unwrap(), vec![vec![int(10)]], "also in the tab that waits for the long one");
    world.settle();
    assert_eq!(world.rows(a, long).unwrap(), vec![vec![int(200_010_000)]]);
    assert!(world.metrics(a)["slices"] > 100);
}

// At stake: to read a row by its key must not cost a stack, and to find out that a statement is long must not cost what it has done.
#[test]
fn a_short_statement_that_was_compiled_before_needs_no_stack() {
    let (mut world, a, _) = world();
    let at_once = |world: &World| world.stacks.as_ref().unwrap().at_once;
    let (read, write) = ("SELECT v FROM t WHERE id = 7", "UPDATE t SET v = v + 1 WHERE id = 7");
    for (times, sql) in [read, write, read, write, read].into_iter().enumerate() {
        let before = at_once(&world);
        world.query(a, sql).unwrap();
        assert_eq!(at_once(&world) - before, u64::from(times >= 2), "{times}: {sql}");
    }
    assert_eq!(world.query(a, read).unwrap(), vec![vec![int(12)]]);
}

// At stake: what a page asks in one task must find the hub as if each request had come by itself.
#[test]
fn the_requests_of_a_bundle_are_taken_one_after_another() {
    let (mut world, a, _) = world();
    let query = |sql: &str| {
        Op::Query(wire::Query {
            sql: sql.into(),
            params: wire::ParamsShape::default(),
            tx: None,
            durability: None,
            timeout: None,
        })
    };
    let ids = world.send_bundle(
        a,
        vec![
            query("UPDATE t SET v = 11 WHERE id = 1"),
            query(ENDLESS),
            Op::Metrics(wire::Metrics {}),
            query("SELECT v FROM t WHERE id = 1"),
        ],
    );
    let Some(Body::Metrics(figures)) = world.take(a, ids[2]).map(|answer| answer.body) else {
        panic!("it is answered on the spot")
    };
    let running = figures.0.iter().find(|(name, _)| name == "running").unwrap().1;
    assert!(running > 0, "what was asked before has begun");
    world.send(a, Op::Cancel(wire::Cancel { target: ids[1], session: None }), &[]);
    world.settle();
    assert_eq!(error(&mut world, a, ids[1]).code, "HUB_CANCELLED");
    assert_eq!(world.rows(a, ids[3]).unwrap(), vec![vec![int(11)]]);
}

#[test]
fn a_bundle_that_contradicts_itself_is_refused_whole() {
    let (mut world, a, _) = world();
    world.event(Event::Message(a, &[0, 0, 0, 0, 2, 0, 0, 0, 255, 0, 0, 0, 8, 0, 0, 0]));
    assert_eq!(error(&mut world, a, 0).code, "HUB_PROTOCOL");
}

// At stake: what began at once and turned out to be long, or to miss a block, happens once and whole.
#[test]
fn a_statement_that_is_not_over_at_once_begins_anew_on_a_stack() {
    let (mut world, a, _) = world();
    let all = "UPDATE t SET v = v + 1";
    for times in 1..=3 {
        let before = world.stacks.as_ref().unwrap().at_once;
        world.query(a, all).unwrap();
        assert_eq!(world.stacks.as_ref().unwrap().at_once, before, "it is too long");
        assert_eq!(world.query(a, "SELECT min(v), max(v) FROM t").unwrap(), vec![vec![int(10 + times), int(10 + times)]]);
    }
}

// At stake: an endless stream of short statements must not keep a long one from ever ending, even if the host's event loop forgets it.
#[test]
fn nobody_starves_whatever_the_others_ask() {
    let (mut world, a, b) = world();
    let long = world.ask_query(a, LONG, &[], None);
    let before = world.metrics(a)["slices"];
    for _ in 0..180 {
        let short = world.ask_query(b, "SELECT 1", &[], None);
        assert!(world.take(b, short).is_some());
    }
    assert!(world.wants_turn, "it has never been given");
    assert_eq!(world.metrics(a)["slices"] - before, 180 / 8);
    world.settle();
    assert!(world.rows(a, long).is_ok());
}

#[test]
fn several_long_ones_take_turns() {
    let (mut world, a, b) = world();
    let ids: Vec<_> = [a, b, a, b].iter().map(|port| (*port, world.ask_query(*port, LONG, &[], None))).collect();
    let mut ended = vec![];
    while world.turn() {
        ended.extend(ids.iter().filter(|(port, id)| world.take(*port, *id).is_some()).map(|(_, id)| *id));
    }
    assert_eq!(ended, ids.iter().map(|(_, id)| *id).collect::<Vec<_>>(), "in the order in which they began");
}

#[test]
fn a_cancel_stops_a_running_statement() {
    let (mut world, a, b) = world();
    let endless = world.ask_query(a, ENDLESS, &[], None);
    (0..5).for_each(|_| assert!(world.turn()));
    world.send(a, Op::Cancel(wire::Cancel { target: endless, session: None }), &[]);
    assert_eq!(error(&mut world, a, endless).code, "HUB_CANCELLED");
    let endless = world.ask_query(a, ENDLESS, &[], None);
    world.event(Event::Gone(a));
    let figures = world.metrics(b);
    assert_eq!((figures["running"], figures["suspended"]), (0, 0), "a dead tab's statement is stopped");
    assert!(world.take(a, endless).is_none());
}

#[test]
fn a_cancelled_write_leaves_nothing_behind_and_frees_the_writer() {
    let (mut world, a, b) = world();
    let update = world.ask_exec(a, "UPDATE t SET v = v + 1; UPDATE t SET v = v + 1", None);
    (0..20).for_each(|_| assert!(world.turn()));
    let waiting = world.ask_query(b, "INSERT INTO t VALUES (9999, 1, '')", &[], None);
    assert!(world.take(b, waiting).is_none());
    world.send(a, Op::Cancel(wire::Cancel { target: update, session: None }), &[]);
    let cancelled = error(&mut world, a, update);
    assert_eq!((cancelled.code.as_str(), cancelled.outcome), ("HUB_CANCELLED", wire::Outcome::NotApplied));
    world.settle();
    assert!(world.rows(b, waiting).is_ok());
    assert_eq!(world.query(b, "SELECT sum(v) FROM t").unwrap(), vec![vec![int(20_001)]]);
    assert_eq!(world.check(b, wire::CheckLevel::Full), Vec::<String>::new());
}

#[test]
fn a_statement_that_waits_for_a_block_is_stopped_too() {
    let (world, a, _) = world();
    let (mut world, a, b) = cold(world, a);
    for _ in 0..3 {
        world.step();
    }
    let scan = world.ask_query(a, "SELECT sum(length(pad)) FROM t", &[], None);
    while world.metrics(a)["suspended"] == 0 {
        assert!(world.turn() || world.step());
    }
    world.send(a, Op::Cancel(wire::Cancel { target: scan, session: None }), &[]);
    assert_eq!(error(&mut world, a, scan).code, "HUB_CANCELLED");
    world.settle();
    assert_eq!(world.query(b, "SELECT sum(length(pad)) FROM t").unwrap(), vec![vec![int(800_000)]]);
}

#[test]
fn a_statement_past_its_timeout_is_stopped_wherever_it_is() {
    let (mut world, a, _) = world();
    let query = Op::Query(wire::Query {
        sql: ENDLESS.into(),
        params: wire::ParamsShape { count: 0, names: None },
        tx: None,
        durability: None,
        timeout: Some(100),
    });
    let id = world.send(a, query, &support::encode_values(&[]));
    world.pass(1000.0);
    assert_eq!(error(&mut world, a, id).code, "HUB_TIMEOUT");
}

// At stake: a reader beside a writer that is in the middle of its transaction sees all of it or nothing.
#[test]
fn readers_and_the_writer_do_not_see_each_other() {
    let (mut world, a, b) = world();
    let update = world.ask_query(a, "UPDATE t SET v = v + 1", &[], None);
    let scan = world.ask_query(b, "SELECT min(v), max(v), sum(v) FROM t", &[], None);
    let tx = world.send(b, Op::Begin(wire::Begin { mode: TransactionMode::Read, timeout: 5000 }), &[]);
    let tx = world.begun(b, tx).expect("reading begins at once");
    let inside = world.ask_query(b, "SELECT min(v), max(v), sum(v) FROM t", &[], Some(tx));
    world.settle();
    assert!(world.rows(a, update).is_ok());
    let old = vec![vec![int(10), int(10), int(20_000)]];
    assert_eq!((world.rows(b, scan).unwrap(), world.rows(b, inside).unwrap()), (old.clone(), old.clone()));
    assert_eq!(world.query_in(b, "SELECT min(v), max(v), sum(v) FROM t", Some(tx)).unwrap(), old);
    assert_eq!(world.query(b, "SELECT min(v), max(v), sum(v) FROM t").unwrap(), vec![vec![int(11), int(11), int(22_000)]]);
}

// At stake: a tab's own requests keep their order, also where a statement cannot be told from its first word.
#[test]
fn what_a_tab_asks_after_a_write_in_disguise_comes_after_it() {
    let (world, a, _) = world();
    let (mut world, a, _) = cold(world, a);
    let write = world.ask_query(a, "WITH x(i) AS (SELECT 5000) INSERT INTO t SELECT i, 7, '' FROM x", &[], None);
    let read = world.ask_query(a, "SELECT v FROM t WHERE id = 5000", &[], None);
    let later = world.ask_query(a, "DELETE FROM t WHERE id = 5000", &[], None);
    world.settle();
    assert!(world.rows(a, write).is_ok());
    assert_eq!(world.rows(a, read).unwrap(), vec![vec![int(7)]]);
    assert!(world.rows(a, later).is_ok());
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2000)]]);
}

// At stake: one tab's long statements must not take all connections from the others.
#[test]
fn a_tab_always_gets_a_connection_of_its_own() {
    let (mut world, a, b) = world();
    let greedy: Vec<_> = (0..8).map(|_| world.ask_query(a, LONG, &[], None)).collect();
    assert_eq!(world.metrics(b)["running"], 4);
    let short = world.ask_query(b, "SELECT 1", &[], None);
    assert_eq!(world.rows(b, short).unwrap(), vec![vec![int(1)]]);
    world.settle();
    assert!(greedy.into_iter().all(|id| world.rows(a, id).is_ok()));
}

#[test]
fn an_import_lets_running_reads_begin_again_on_the_new_database() {
    let (mut world, a, b) = world();
    let mut other = World::new();
    let port = other.tab();
    other.exec(port, &rows(30)).unwrap();
    let file = other.export(port);
    let long = world.ask_query(b, "SELECT count(*) FROM t x, t y WHERE x.id <= 50", &[], None);
    (0..5).for_each(|_| assert!(world.turn()));
    let import = world.send(a, Op::Import(wire::Import { size: file.len() as u64 }), &[]);
    while world.step() {}
    world.send(a, Op::Part(wire::Part { target: import, end: true }), &file);
    while world.step() {}
    world.settle();
    assert_eq!(world.rows(b, long).unwrap(), vec![vec![int(900)]]);
}

// At stake: one tab that is always busy in its transaction must not keep all others from writing for ever.
#[test]
fn a_busy_transaction_ends_when_others_have_waited_too_long() {
    let (mut world, a, b) = world();
    let tx = world.begin(a, TransactionMode::Immediate, 5000);
    let busy = |world: &mut World| {
        world.pass(4000.0);
        world.query_in(a, "UPDATE t SET v = v + 1 WHERE id = 1", Some(tx))
    };
    (0..20).for_each(|_| assert!(busy(&mut world).is_ok(), "nobody waits"));
    let waiting = world.ask_query(b, "INSERT INTO t VALUES (9999, 1, '')", &[], None);
    let error = (0..20).find_map(|_| busy(&mut world).err()).expect("it is over");
    assert_eq!((error.code.as_str(), error.outcome), ("HUB_TRANSACTION_TIMEOUT", wire::Outcome::NotApplied));
    assert!(world.rows(b, waiting).is_ok());
    assert_eq!(world.query(b, "SELECT v FROM t WHERE id = 1").unwrap(), vec![vec![int(10)]]);
}

#[test]
fn a_snapshot_is_not_held_for_ever() {
    let (mut world, a, _) = world();
    let tx = world.begin(a, TransactionMode::Read, 5000);
    let mut read = || {
        world.pass(4000.0);
        world.query_in(a, "SELECT 1", Some(tx))
    };
    assert!((0..140).all(|_| read().is_ok()));
    assert_eq!((0..20).find_map(|_| read().err()).expect("it is over").code, "HUB_TRANSACTION_TIMEOUT");
}

// At stake: a sound database is called damaged. FTS5 keeps what it has read of its index, and its own integrity check does not ask
// whether that is still so.
#[test]
fn a_check_is_not_misled_by_what_a_connection_has_read_before() {
    let (mut world, a, b) = world();
    world.exec(a, "CREATE VIRTUAL TABLE ft USING fts5(x); INSERT INTO ft VALUES ('one'), ('two')").unwrap();
    assert_eq!(world.query(b, "SELECT rowid FROM ft WHERE ft MATCH 'two'").unwrap(), vec![vec![int(2)]]);
    world.exec(a, "INSERT INTO ft VALUES ('three'); DELETE FROM ft WHERE rowid = 1").unwrap();
    for level in [wire::CheckLevel::Quick, wire::CheckLevel::Full] {
        assert_eq!(world.check(b, level), Vec::<String>::new());
    }
    for pragma in ["PRAGMA integrity_check", "PRAGMA quick_check"] {
        assert_eq!(world.query(b, pragma).unwrap(), vec![vec![support::text("ok")]], "{pragma}");
    }
}

// At stake: a storage that fails for a moment is no damage, and must not be reported as one.
#[test]
fn a_check_that_cannot_read_ends_with_the_storages_error() {
    for stacks in [true, false] {
        let (world, a, _) = world();
        let (mut world, mut a, _) = cold(world, a);
        if !stacks {
            world = World::over(std::mem::take(&mut world.store));
            a = world.tab();
        }
        let check = world.send(a, Op::Check(wire::Check { level: wire::CheckLevel::Quick }), &[]);
        world.settle();
        let found: Vec<_> = std::iter::from_fn(|| world.take(a, check)).map(|answer| answer.body).collect();
        assert!(found.iter().all(|body| matches!(body, Body::Checked(checked) if checked.problems.is_empty())), "{found:?}");
        world.send(a, Op::Pull(wire::Pull { target: check }), &[]);
        while world.pending.is_empty() {
            assert!(world.turn(), "it reads blocks that are not there");
        }
        let failure = tabhub::error::Error::Storage("for a moment".into());
        world.answer_store(Err(tabhub::store::StoreFailure::NotApplied(failure)));
        assert_eq!(error(&mut world, a, check).code, "HUB_STORAGE");
        world.settle();
        assert_eq!(world.check(a, wire::CheckLevel::Quick), Vec::<String>::new());
    }
}

// At stake: a tab that has been told the end of a stream must not get rows of it any more.
#[test]
fn a_cancelled_stream_sends_nothing_after_its_end() {
    let (mut world, a, _) = world();
    let write = world.ask_query(a, "INSERT INTO t VALUES (9999, 1, '')", &[], None);
    let params = wire::ParamsShape { count: 0, names: None };
    let iterate = Op::Iterate(wire::Iterate { sql: "SELECT id FROM t".into(), params, timeout: None });
    let rows = world.send(a, iterate, &support::encode_values(&[]));
    while world.turn() {}
    assert!(world.take(a, rows).is_none(), "its rows wait for the tab's own write to be durable");
    world.send(a, Op::Cancel(wire::Cancel { target: rows, session: None }), &[]);
    assert_eq!(error(&mut world, a, rows).code, "HUB_CANCELLED");
    world.settle();
    assert!(world.rows(a, write).is_ok());
    assert!(world.take(a, rows).is_none());
}

// The same where the stream fails by itself in the middle (found by the simulation, seed 1563).
#[test]
fn a_stream_that_fails_sends_nothing_after_its_error() {
    let (mut world, a, _) = world();
    let write = world.ask_query(a, "INSERT INTO t VALUES (9999, 1, '')", &[], None);
    let params = wire::ParamsShape { count: 0, names: None };
    let sql = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1500) SELECT iif(i < 1500, i, abs(-9223372036854775808)) FROM c";
    let iterate = Op::Iterate(wire::Iterate { sql: sql.into(), params, timeout: None });
    let rows = world.send(a, iterate, &support::encode_values(&[]));
    while world.turn() {}
    assert_eq!(error(&mut world, a, rows).code, "SQLITE_ERROR");
    world.settle();
    assert!(world.rows(a, write).is_ok());
    assert!(world.take(a, rows).is_none());
}

// At stake: a commit that leaves before its reply is noted is carried out twice when its hub dies, and one that is stopped after it was
// made is called undone.
#[test]
fn nothing_comes_between_a_commit_and_its_reply() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let a = world.tab();
    world.exec(a, "CREATE TABLE t(id INTEGER PRIMARY KEY)").unwrap();
    let before = world.metrics(a)["commit_published"];
    let write = world.ask_exec(a, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", None);
    let mut turns = 0;
    while world.metrics(a)["commit_published"] == before {
        assert_eq!(world.metrics(a)["running"], 1);
        assert!(world.turn(), "it goes on until it commits");
        turns += 1;
    }
    assert!(turns > 10, "it was suspended only {turns} times");
    assert_eq!(world.metrics(a)["running"], 0, "it was suspended after its commit");
    world.settle();
    assert!(world.done(a, write).is_ok());
}

// At stake: everybody is answered. The statement's error waited for the lost commit that its transaction had begun on (found by the
// simulation, seed 30320).
#[test]
fn a_statement_under_way_in_a_transaction_is_answered_when_the_commit_before_it_is_lost() {
    let (mut world, a, _) = world();
    let write = world.ask_query(a, "INSERT INTO t VALUES (9999, 1, '')", &[], None);
    let begin = world.send(a, Op::Begin(wire::Begin { mode: TransactionMode::Immediate, timeout: 5000 }), &[]);
    let tx = world.begun(a, begin).expect("it begins on what is not durable yet");
    let long = world.ask_query(a, LONG, &[], Some(tx));
    assert!(world.wants_turn, "it has used up its slice");
    world.answer_store(Err(tabhub::store::StoreFailure::NotApplied(tabhub::error::Error::full())));
    world.settle();
    assert_eq!(world.rows(a, write).unwrap_err().code, "SQLITE_FULL");
    assert_eq!(world.rows(a, long).unwrap_err().code, "SQLITE_FULL");
}
