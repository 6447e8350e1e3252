//! At stake: a write is carried out once, however often it is sent and whatever hub it reaches.

mod support;

use support::documented::documented;
use support::{Answer, World, int, text};
use tabhub::ids::PortId;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreFailure, StoreOp};
use tabhub::wire::{self, Body, Op, Outcome, Resume};

fn query(sql: &str) -> Op {
    let params = wire::ParamsShape::default();
    Op::Query(wire::Query { sql: sql.into(), params, tx: None, durability: None, timeout: None })
}

fn exec(sql: &str) -> Op {
    Op::Exec(wire::Exec { sql: sql.into(), tx: None, durability: None, timeout: None })
}

/// An empty value block, as a query without parameters carries it.
const NO_VALUES: [u8; 24] = [0; 24];

fn payload(op: &Op) -> &'static [u8] {
    if matches!(op, Op::Query(_)) { &NO_VALUES } else { &[] }
}

/// Sends a numbered write and lets everything happen.
fn write(world: &mut World, port: PortId, number: u64, op: &Op) -> Answer {
    let id = world.send_write(port, Some(number), None, op.clone(), payload(op));
    world.settle();
    world.take(port, id).expect("the write is answered")
}

fn error(answer: &Answer) -> &wire::WireError {
    let Body::Error(error) = &answer.body else { panic!("an error, not {:?}", answer.body) };
    error
}

fn back(last: u64) -> Resume {
    Resume { since: 0, last, epoch: 0 }
}

fn world() -> (World, PortId) {
    let mut world = World::new();
    let port = world.client("ada", None);
    world.exec(port, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)").unwrap();
    (world, port)
}

#[test]
fn a_write_that_is_sent_again_after_the_hubs_death_gets_its_first_reply() {
    let (mut world, port) = world();
    let statement = |sql: &str| wire::StatementShape { sql: sql.into(), params: wire::ParamsShape::default(), times: None };
    let statements = vec![statement("INSERT INTO t(name) VALUES ('c')"), statement("SELECT count(*) FROM t")];
    let batch = Op::Batch(wire::Batch { statements, tx: None, durability: None, timeout: None });
    let writes = [query("INSERT INTO t(name) VALUES ('a') RETURNING id, name"), exec("INSERT INTO t(name) VALUES ('b')"), batch];
    let values = [0; 48];
    let payload = |op: &Op| if matches!(op, Op::Batch(_)) { &values[..] } else { payload(op) };
    let send = |world: &mut World, port, number, op: &Op| {
        let id = world.send_write(port, Some(number), None, op.clone(), payload(op));
        world.settle();
        world.take(port, id).expect("answered")
    };
    let first: Vec<_> = (1..).zip(&writes).map(|(n, op)| send(&mut world, port, n, op)).collect();
    let mut world = world.crash();
    let port = world.client("ada", Some(back(3)));
    for ((number, op), before) in (1..).zip(&writes).zip(first) {
        let again = send(&mut world, port, number, op);
        assert_eq!((again.body, again.payload), (before.body, before.payload), "write {number}");
    }
    assert_eq!(world.count(port, "t"), 3);
    assert_eq!(world.metrics(port)["recalled"], 3);
}

#[test]
fn a_write_that_never_became_durable_is_carried_out_when_it_is_sent_again() {
    let (mut world, port) = world();
    let op = exec("INSERT INTO t(name) VALUES ('a')");
    let id = world.send_write(port, Some(1), None, op.clone(), &[]);
    assert_eq!(world.pending.len(), 1, "the commit is on its way");
    assert!(world.take(port, id).is_none());
    let mut world = world.crash();
    let port = world.client("ada", Some(back(1)));
    assert!(matches!(write(&mut world, port, 1, &op).body, Body::Done(_)));
    assert_eq!(world.count(port, "t"), 1);
}

#[test]
fn a_commit_of_a_transaction_that_is_sent_again_is_answered_and_one_that_was_lost_is_named() {
    let (mut world, port) = world();
    let tx = world.begin(port, wire::TransactionMode::Immediate, 5000);
    world.exec_in(port, "INSERT INTO t(name) VALUES ('a')", Some(tx)).unwrap();
    let commit = Op::Commit(wire::Commit { tx, durability: None });
    let first = write(&mut world, port, 1, &commit);
    assert!(matches!(first.body, Body::Done(_)));
    let second = world.begin(port, wire::TransactionMode::Immediate, 5000);
    world.exec_in(port, "INSERT INTO t(name) VALUES ('b')", Some(second)).unwrap();
    let mut world = world.crash();
    let port = world.client("ada", Some(back(2)));
    assert_eq!(write(&mut world, port, 1, &commit).body, first.body);
    let lost = write(&mut world, port, 2, &Op::Commit(wire::Commit { tx: second, durability: None }));
    assert_eq!((error(&lost).code.as_str(), error(&lost).outcome), ("HUB_TRANSACTION_LOST", Outcome::NotApplied));
    assert_eq!(world.count(port, "t"), 1);
}

// At stake: a script with transactions of its own has been half done when the hub dies; its first half must not be done twice.
#[test]
fn a_script_in_parts_goes_on_after_its_last_durable_part() {
    let (mut world, port) = world();
    world.exec(port, "CREATE TABLE big(x); INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT randomblob(1000) FROM n").unwrap();
    let file = world.export(port);
    world.import(port, &file).unwrap();
    let mut world = world.crash();
    let port = world.client("ada", None);
    let script = exec(
        "BEGIN; INSERT INTO t(name) VALUES ('first'); COMMIT; BEGIN; UPDATE big SET x = 1; INSERT INTO t(name) VALUES ('second'); COMMIT",
    );
    let id = world.send_write(port, Some(1), None, script.clone(), &[]);
    while !world.pending.iter().any(|(_, op)| matches!(op, StoreOp::Write(_))) {
        assert!(world.step(), "the first part is committed while the second waits for its blocks");
    }
    let at = world.pending.iter().position(|(_, op)| matches!(op, StoreOp::Write(_))).unwrap();
    let (_, op) = world.pending.remove(at).unwrap();
    world.store.run(op).unwrap();
    assert!(world.take(port, id).is_none(), "not answered yet");
    let mut world = world.crash();
    let port = world.client("ada", Some(back(1)));
    assert_eq!(world.count(port, "t"), 1, "the first part is durable");
    assert!(matches!(write(&mut world, port, 1, &script).body, Body::Done(_)));
    assert_eq!(world.query(port, "SELECT name FROM t").unwrap(), [[text("first")], [text("second")]]);
}

// At stake: order. A write that failed before another succeeded must not succeed after it.
#[test]
fn a_failure_is_remembered_with_the_writes_after_it() {
    let (mut world, port) = world();
    let insert = exec("INSERT INTO t(name) VALUES ('a')");
    write(&mut world, port, 1, &insert);
    let failed = write(&mut world, port, 2, &insert);
    documented("SQLITE_CONSTRAINT_UNIQUE", error(&failed));
    write(&mut world, port, 3, &exec("DELETE FROM t"));
    let mut world = world.crash();
    let port = world.client("ada", Some(back(3)));
    let again = write(&mut world, port, 2, &insert);
    assert_eq!((&error(&again).code, &error(&again).message), (&error(&failed).code, &error(&failed).message));
    assert_eq!(world.count(port, "t"), 0);
}

#[test]
fn a_client_on_another_port_of_the_same_hub_gets_what_the_old_port_missed() {
    let (mut world, old) = world();
    let (one, two) = (exec("INSERT INTO t(name) VALUES ('a')"), exec("INSERT INTO t(name) VALUES ('b')"));
    world.send_write(old, Some(1), None, one.clone(), &[]);
    let new = world.client("ada", Some(back(2)));
    assert!(matches!(write(&mut world, new, 1, &one).body, Body::Done(_)));
    assert!(matches!(write(&mut world, new, 2, &two).body, Body::Done(_)));
    assert_eq!(world.count(new, "t"), 2);
    let id = world.send(old, Op::Metrics(wire::Metrics {}), &[]);
    let answer = world.take(old, id).expect("an answer");
    assert_eq!(error(&answer).code, "HUB_BAD_REQUEST", "the old port is no session any more");
}

#[test]
fn replies_survive_checkpoints_and_imports() {
    let limits = Limits { log_records: 2, ..Limits::default() };
    let mut world = World::with(MemoryStore::new(), limits);
    let port = world.client("ada", None);
    world.exec(port, "CREATE TABLE t(id INTEGER PRIMARY KEY, name)").unwrap();
    let op = query("INSERT INTO t(name) VALUES ('a') RETURNING id");
    let first = write(&mut world, port, 1, &op);
    for _ in 0..6 {
        world.exec(port, "INSERT INTO t(name) VALUES ('x')").unwrap();
    }
    assert!(world.metrics(port)["checkpoints"] > 0);
    let file = world.export(port);
    world.import(port, &file).unwrap();
    let mut world = World::with(world.store, limits);
    let port = world.client("ada", Some(back(1)));
    assert_eq!(write(&mut world, port, 1, &op).payload, first.payload);
    assert_eq!(world.count(port, "t"), 7);
}

#[test]
fn the_table_is_bounded_and_an_evicted_client_is_told() {
    let limits = Limits { sessions: 2, ..Limits::default() };
    let mut world = World::with(MemoryStore::new(), limits);
    let clients: Vec<_> = ["a", "b", "c"].into_iter().map(|name| world.client(name, None)).collect();
    world.exec(clients[0], "CREATE TABLE t(x)").unwrap();
    let op = exec("INSERT INTO t VALUES (1)");
    for port in clients {
        write(&mut world, port, 1, &op);
    }
    let mut world = World::with(world.store, limits);
    let a = world.client("a", Some(back(1)));
    let evicted = write(&mut world, a, 1, &op);
    documented("HUB_SESSION_EVICTED", error(&evicted));
    assert_eq!(error(&evicted).outcome, Outcome::Unknown);
    assert!(matches!(write(&mut world, a, 2, &op).body, Body::Done(_)), "its next write is carried out");
    let b = world.client("b", Some(back(1)));
    assert_eq!(error(&write(&mut world, b, 1, &op)).code, "HUB_SESSION_EVICTED", "b has made room for a");
    assert_eq!(world.count(a, "t"), 4);
}

// At stake: what one record of the log remembers must not be forgotten because of the next (found by the simulation, seed 285).
#[test]
fn recovery_evicts_nobody_before_it_has_read_the_whole_log() {
    let (mut world, port) = world();
    let insert = |name: &str| query(&format!("INSERT INTO t(name) VALUES ('{name}') RETURNING printf('%.*c', 500, 'x')"));
    for (number, name) in [(1, "a"), (2, "b")] {
        write(&mut world, port, number, &insert(name));
    }
    let mut world = World::with(world.store, Limits { replies_bytes: 100, ..Limits::default() });
    let port = world.client("ada", Some(back(2)));
    for (number, name) in [(1, "a"), (2, "b")] {
        assert_eq!(error(&write(&mut world, port, number, &insert(name))).code, "HUB_SESSION_EVICTED");
    }
    assert_eq!(world.count(port, "t"), 2);
}

// At stake: commits that were never stored give their numbers to others after a crash. A client that came while there were some
// must not take its own, evicted write for one that never was (found by the simulation, seed 9899).
#[test]
fn a_client_that_came_before_a_crash_took_commits_back_is_evicted_like_any_other() {
    let (mut world, early) = world();
    let limits = Limits { sessions: 1, ..Limits::default() };
    for n in 0..5 {
        world.ask_exec(early, &format!("INSERT INTO t(name) VALUES ('lost {n}')"), None);
    }
    let (_, since) = world.welcome("ada");
    assert_eq!(since, 1, "the newest commit that is stored");
    let mut world = World::with(world.store, limits);
    let resume = Some(Resume { since, last: 1, epoch: 0 });
    let ada = world.client("ada", resume);
    let op = exec("INSERT INTO t(name) VALUES ('ada')");
    write(&mut world, ada, 1, &op);
    let other = world.client("other", None);
    write(&mut world, other, 1, &exec("INSERT INTO t(name) VALUES ('other')"));
    let ada = world.client("ada", resume);
    assert_eq!(error(&write(&mut world, ada, 1, &op)).code, "HUB_SESSION_EVICTED");
    assert_eq!(world.count(ada, "t"), 2);
}

#[test]
fn a_reply_too_large_to_keep_is_said_to_be_applied() {
    let (mut world, port) = world();
    let op = query("INSERT INTO t(name) VALUES (printf('%.*c', 20000, 'x')) RETURNING name");
    assert!(matches!(write(&mut world, port, 1, &op).body, Body::Rows(_)));
    let mut world = world.crash();
    let port = world.client("ada", Some(back(1)));
    let again = write(&mut world, port, 1, &op);
    documented("HUB_REPLY_DROPPED", error(&again));
    assert_eq!(error(&again).outcome, Outcome::Applied);
    assert_eq!(world.count(port, "t"), 1);
}

// At stake: honesty. A failure is not "applied", however long its error is.
#[test]
fn a_failure_with_a_long_statement_is_remembered_as_the_failure_that_it_was() {
    let (mut world, port) = world();
    let op = query(&format!("INSERT INTO t(name) VALUES (nowhere) /* {} */", "x".repeat(30_000)));
    assert_eq!(error(&write(&mut world, port, 1, &op)).code, "SQLITE_ERROR");
    write(&mut world, port, 2, &exec("INSERT INTO t(name) VALUES ('a')"));
    let mut world = world.crash();
    let port = world.client("ada", Some(back(2)));
    let again = write(&mut world, port, 1, &op);
    assert_eq!((error(&again).code.as_str(), error(&again).outcome), ("SQLITE_ERROR", Outcome::NotApplied));
    assert!(world.metrics(port)["recalled"] == 1);
}

#[test]
fn a_write_whose_commit_was_lost_stays_failed() {
    let (mut world, port) = world();
    let op = exec("INSERT INTO t(name) VALUES ('a')");
    let id = world.send_write(port, Some(1), None, op.clone(), &[]);
    world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
    assert_eq!(error(&world.take(port, id).unwrap()).code, "SQLITE_FULL");
    assert!(matches!(write(&mut world, port, 2, &exec("INSERT INTO t(name) VALUES ('b')")).body, Body::Done(_)));
    let mut world = world.crash();
    let port = world.client("ada", Some(back(2)));
    assert_eq!(error(&write(&mut world, port, 1, &op)).code, "SQLITE_FULL");
    assert_eq!(world.query(port, "SELECT name FROM t").unwrap(), [[text("b")]]);
}

#[test]
fn what_has_been_answered_is_forgotten_and_a_number_is_only_for_a_write() {
    let (mut world, port) = world();
    let op = exec("INSERT INTO t DEFAULT VALUES");
    write(&mut world, port, 1, &op);
    let id = world.send_write(port, Some(2), Some(1), op.clone(), &[]);
    world.settle();
    assert!(world.take(port, id).is_some());
    assert_eq!(error(&write(&mut world, port, 1, &op)).code, "HUB_SESSION_EVICTED");
    assert_eq!(error(&write(&mut world, port, 0, &op)).code, "HUB_BAD_REQUEST");
    let begin = Op::Begin(wire::Begin { mode: wire::TransactionMode::Immediate, timeout: 1000 });
    assert_eq!(error(&write(&mut world, port, 3, &begin)).code, "HUB_BAD_REQUEST");
    assert_eq!(world.query(port, "SELECT count(*) FROM t").unwrap(), [[int(2)]]);
}
