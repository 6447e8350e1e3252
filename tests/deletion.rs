//! At stake: a database can be deleted under its hub. The tabs are told just that, nothing is called stored that is gone, and nothing of
//! the old database gets into the next.

mod support;

use support::World;
use support::documented::documented;
use tabhub::error::Error;
use tabhub::hub::Event;
use tabhub::ids::PortId;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{StoreFailure, StoreOp};
use tabhub::wire::{self, Body, Op, Outcome};

/// Two tabs, and one row.
fn world() -> (World, PortId, PortId) {
    let mut world = World::new();
    let (one, two) = (world.tab(), world.tab());
    world.exec(one, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
    (world, one, two)
}

fn fatal(world: &mut World, tab: PortId) -> Option<(String, Outcome)> {
    std::iter::from_fn(|| world.take(tab, 0)).find_map(|answer| match answer.body {
        Body::Fatal(error) => Some((error.code, error.outcome)),
        _ => None,
    })
}

#[test]
fn a_hub_whose_database_is_deleted_says_so_to_every_tab_and_writes_no_more() {
    let (mut world, one, two) = world();
    world.store = MemoryStore::new();
    let error = world.query(one, "INSERT INTO t VALUES (2)").unwrap_err();
    documented("HUB_DELETED", &error);
    assert_eq!(error.outcome, Outcome::NotApplied);
    for tab in [one, two] {
        assert_eq!(fatal(&mut world, tab), Some(("HUB_DELETED".into(), Outcome::NotApplied)));
    }
    assert!(world.ended && world.pending.is_empty());
    let mut world = world.crash();
    let tab = world.tab();
    assert!(world.query(tab, "SELECT name FROM sqlite_schema").unwrap().is_empty());
}

// At stake: the browser cuts the connection when it clears a site's data, and the hub finds an empty database behind the new one.
#[test]
fn a_write_in_doubt_is_not_applied_once_the_database_is_gone() {
    let (mut world, tab, _) = world();
    let id = world.ask_query(tab, "INSERT INTO t VALUES (2)", &[], None);
    world.answer_store(Err(StoreFailure::Lost(Error::Storage("the connection was closed".into()))));
    world.store = MemoryStore::new();
    world.pass(150.0);
    let error = world.rows(tab, id).unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("HUB_DELETED", Outcome::NotApplied));
    assert!(world.ended);
}

#[test]
fn a_database_that_was_deleted_and_opened_anew_by_others_is_a_foreign_one() {
    let (mut world, tab, _) = world();
    world.store = MemoryStore::new();
    for _ in 0..2 {
        world.store.run(StoreOp::Open).unwrap();
    }
    assert_eq!(world.query(tab, "INSERT INTO t VALUES (2)").unwrap_err().code, "HUB_FENCED");
}

// ---- a tab deletes the database

fn destroy(world: &mut World, tab: PortId) -> u64 {
    world.send(tab, Op::Destroy(wire::Destroy {}), &[])
}

#[test]
fn a_database_that_is_destroyed_is_left_to_the_host_and_nobody_is_told_anything_by_the_hub() {
    let (mut world, one, two) = world();
    let write = world.ask_query(one, "INSERT INTO t VALUES (2)", &[], None);
    let wanted = destroy(&mut world, two);
    assert!(world.destroyed && !world.ended);
    let pending = world.pending.len();
    let asked = [world.ask_query(two, "SELECT 1", &[], None), world.ask_query(two, "INSERT INTO t VALUES (3)", &[], None)];
    world.event(Event::Connected(PortId(9)));
    world.pass(100_000.0);
    assert_eq!(world.pending.len(), pending, "it asks nothing of its storage any more");
    world.settle();
    assert!(world.take(one, write).is_none(), "what was not acknowledged before never is");
    assert!([wanted, asked[0], asked[1], 0].iter().all(|id| world.take(two, *id).is_none()));
}

// At stake: until the host has deleted it, a destroyed database is as durable as any other.
#[test]
fn what_was_acknowledged_is_there_until_the_host_has_deleted_it() {
    let (mut world, tab, _) = world();
    world.exec(tab, "INSERT INTO t VALUES (2)").unwrap();
    world.ask_query(tab, "INSERT INTO t VALUES (3)", &[], None);
    destroy(&mut world, tab);
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.count(tab, "t"), 2);
}

#[test]
fn a_database_is_not_destroyed_under_an_import() {
    let (mut world, one, two) = world();
    let file = world.export(one);
    let import = world.send(one, Op::Import(wire::Import { size: file.len() as u64 }), &[]);
    world.settle();
    let id = destroy(&mut world, two);
    assert_eq!(world.done(two, id).unwrap_err().code, "HUB_REFUSED");
    world.send(one, Op::Cancel(wire::Cancel { target: import, session: None }), &[]);
    world.settle();
    assert_eq!(world.count(two, "t"), 1, "the hub goes on");
    destroy(&mut world, two);
    assert!(world.destroyed);
}
