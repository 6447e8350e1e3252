//! At stake: two versions meet at one database. Who is too old is told what to do, and a hub that makes room for the next one loses
//! nothing that was acknowledged.

mod support;

use support::documented::documented;
use support::{World, encode_values, int};
use tabhub::error::Error;
use tabhub::hub::Event;
use tabhub::ids::PortId;
use tabhub::store::StoreFailure;
use tabhub::store::header::FORMAT;
use tabhub::wire::{self, Body, Op, TransactionMode};

#[test]
fn the_welcome_says_what_the_hub_is() {
    let mut world = World::new();
    let Body::Welcome(welcome) = world.greet("ada", None).1.body else { panic!("not welcome") };
    assert_eq!((welcome.protocol, welcome.format), (wire::PROTOCOL_VERSION, u32::from(FORMAT)));
    assert_eq!(welcome.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_page_that_is_too_old_is_told_to_reload_and_the_others_go_on() {
    let mut world = World::new();
    let tab = world.tab();
    let mut refusal = |protocol| {
        world.protocol = protocol;
        let Body::Error(error) = world.greet("old", None).1.body else { panic!("{protocol} is let in") };
        assert_eq!(error.outcome, wire::Outcome::NotApplied);
        assert!(world.query(tab, "SELECT 1").is_ok());
        error
    };
    documented("HUB_OUTDATED", &refusal(wire::PROTOCOL_OLDEST - 1));
    documented("HUB_PROTOCOL", &refusal(wire::PROTOCOL_VERSION + 1));
}

// ---- a hub makes room for the next one

/// Two tabs, and an empty table.
fn world_with_table() -> (World, PortId, PortId) {
    let mut world = World::new();
    let (one, two) = (world.client("ada", None), world.client("bob", None));
    world.exec(one, "CREATE TABLE t(id INTEGER PRIMARY KEY)").unwrap();
    (world, one, two)
}

/// The next hub, and the tab `ada` on it, which has sent so many numbered writes.
fn next(world: World, last: u64) -> (World, PortId) {
    let mut next = world.crash();
    let resume = wire::Resume { since: 0, last, epoch: 1 };
    let port = next.client("ada", Some(resume));
    (next, port)
}

fn insert(id: i64) -> Op {
    Op::Exec(wire::Exec { sql: format!("INSERT INTO t VALUES ({id})"), tx: None, durability: None, timeout: None })
}

fn is_told_of_the_end(world: &mut World, tab: PortId) -> bool {
    std::iter::from_fn(|| world.take(tab, 0)).any(|answer| match answer.body {
        Body::Fatal(error) => {
            documented("HUB_REPLACED", &error);
            assert_eq!(error.outcome, wire::Outcome::NotApplied);
            true
        }
        _ => false,
    })
}

#[test]
fn an_idle_hub_ends_at_once_and_says_why() {
    let (mut world, one, two) = world_with_table();
    world.event(Event::Finish);
    assert!(world.ended && world.pending.is_empty());
    assert!(is_told_of_the_end(&mut world, one) && is_told_of_the_end(&mut world, two));
    assert_eq!(world.query(one, "SELECT 1").unwrap_err().code, "HUB_REPLACED");
}

#[test]
fn a_write_that_is_under_way_is_answered_before_the_hub_ends() {
    let (mut world, one, two) = world_with_table();
    let id = world.ask_query(one, "INSERT INTO t VALUES (1)", &[], None);
    world.event(Event::Finish);
    assert!(!world.ended);
    world.settle();
    assert!(world.rows(one, id).is_ok());
    assert!(world.ended && is_told_of_the_end(&mut world, two));
    let (mut world, port) = next(world, 0);
    assert_eq!(world.count(port, "t"), 1);
}

#[test]
fn an_open_transaction_may_commit_while_whatever_else_would_write_is_left_to_the_next_hub() {
    let (mut world, one, two) = world_with_table();
    let tx = world.begin(one, TransactionMode::Immediate, 5000);
    world.exec_in(one, "INSERT INTO t VALUES (1)", Some(tx)).unwrap();
    world.event(Event::Finish);
    let begin = |mode| Op::Begin(wire::Begin { mode, timeout: 5000 });
    let left = [
        world.send_write(two, Some(1), None, insert(2), &[]),
        world.send(two, begin(TransactionMode::Immediate), &[]),
        world.send(two, begin(TransactionMode::Read), &[]),
        world.send(two, Op::Import(wire::Import { size: 8192 }), &[]),
    ];
    world.settle();
    let three = world.tab();
    assert_eq!(world.count(three, "t"), 0, "reads go on, also of who comes now");
    world.pass(1_900.0);
    world.exec_in(one, "INSERT INTO t VALUES (3)", Some(tx)).unwrap();
    assert!(!world.ended);
    world.commit(one, tx).unwrap();
    assert!(world.ended && is_told_of_the_end(&mut world, two));
    assert!(left.iter().all(|id| world.take(two, *id).is_none()), "the clients ask the next hub");
    let (mut world, port) = next(world, 0);
    assert_eq!(world.query(port, "SELECT id FROM t").unwrap(), [[int(1)], [int(3)]]);
}

#[test]
fn a_transaction_that_does_not_end_in_time_is_rolled_back() {
    let (mut world, one, two) = world_with_table();
    let tx = world.begin(one, TransactionMode::Immediate, 60_000);
    world.exec_in(one, "INSERT INTO t VALUES (1)", Some(tx)).unwrap();
    world.event(Event::Finish);
    world.pass(1_000.0);
    world.event(Event::Finish);
    world.pass(999.0);
    assert!(!world.ended, "it has two seconds");
    world.pass(1.0);
    assert!(world.ended, "and not more for being asked again");
    assert!(is_told_of_the_end(&mut world, two));
    let (mut world, port) = next(world, 1);
    assert_eq!(world.count(port, "t"), 0);
    let id = world.send_write(port, Some(1), None, Op::Commit(wire::Commit { tx, durability: None }), &[]);
    world.settle();
    assert_eq!(world.done(port, id).unwrap_err().code, "HUB_TRANSACTION_LOST");
}

// At stake: what the storage has not answered in time may be stored or not; sent again, it is there once.
#[test]
fn a_write_that_the_storage_does_not_answer_in_time_is_carried_out_once_by_the_next_hub() {
    for was_applied in [true, false] {
        let (mut world, one, _) = world_with_table();
        let id = world.send_write(one, Some(1), None, insert(1), &[]);
        if was_applied {
            let op = world.pending.front().unwrap().1.clone();
            world.store.run(op).unwrap();
        }
        world.event(Event::Finish);
        world.now.set(world.now.get() + 2_000.0);
        world.event(Event::Wake);
        assert!(world.ended && world.take(one, id).is_none());
        let (mut world, port) = next(world, 1);
        let id = world.send_write(port, Some(1), None, insert(1), &[]);
        world.settle();
        assert_eq!(world.done(port, id).unwrap().changes, 1);
        assert_eq!(world.count(port, "t"), 1);
    }
}

#[test]
fn a_stream_is_sent_to_its_end_and_a_read_transaction_is_let_end() {
    let (mut world, one, two) = world_with_table();
    let tx = world.begin(two, TransactionMode::Read, 5000);
    world
        .exec(one, "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2500) SELECT i FROM c")
        .unwrap();
    let rows = wire::Iterate { sql: "SELECT id FROM t".into(), params: wire::ParamsShape::default(), timeout: None };
    let id = world.send(one, Op::Iterate(rows), &encode_values(&[]));
    world.settle();
    world.event(Event::Finish);
    world.commit(two, tx).unwrap();
    assert!(!world.ended);
    world.send(one, Op::Pull(wire::Pull { target: id }), &[]);
    world.settle();
    let chunks: Vec<_> = std::iter::from_fn(|| world.take(one, id)).collect();
    assert!(matches!(&chunks.last().unwrap().body, Body::Chunk(chunk) if chunk.end));
    assert!(world.ended);
}

#[test]
fn a_hub_that_has_not_opened_the_database_yet_leaves_it_to_the_next() {
    for has_been_asked in [false, true] {
        let mut world = World::new();
        let early = has_been_asked.then(|| world.say_hello("early", None));
        world.event(Event::Finish);
        let (late, hello) = world.say_hello("late", None);
        for (port, id) in early.into_iter().chain([(late, hello)]) {
            let Body::Error(error) = world.take(port, id).unwrap().body else { panic!("it is welcome") };
            assert_eq!(error.code, "HUB_REPLACED");
        }
        assert_eq!(world.pending.len(), usize::from(has_been_asked), "it does not ask for the database any more");
        assert!(world.ended);
    }
}

#[test]
fn a_hub_without_its_storage_ends_in_time_all_the_same() {
    let (mut world, one, two) = world_with_table();
    world.ask_query(one, "INSERT INTO t VALUES (1)", &[], None);
    world.answer_store(Err(StoreFailure::Lost(Error::Storage("the connection is gone".into()))));
    world.event(Event::Finish);
    world.now.set(world.now.get() + 2_000.0);
    world.event(Event::Wake);
    assert!(world.ended && is_told_of_the_end(&mut world, two));
}
