//! At stake: whatever the browser's storage does, nothing acknowledged is lost, nothing is written twice, and the tabs are told.

mod support;

use support::documented::documented;
use support::{World, int};
use tabhub::error::Error;
use tabhub::ids::PortId;
use tabhub::store::{StoreFailure, StoreOp};
use tabhub::wire::{self, Body, StorageState};

fn lost() -> StoreFailure {
    StoreFailure::Lost(Error::Storage("the connection is gone".into()))
}

fn world() -> (World, PortId) {
    let mut world = World::new();
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, pad BLOB)").unwrap();
    (world, tab)
}

/// Time passes, and nothing answers.
fn wait(world: &mut World, ms: f64) {
    let until = world.now.get() + ms;
    while let Some(at) = world.hub.next_wake().filter(|at| *at <= until) {
        world.now.set(world.now.get().max(at));
        world.event(tabhub::hub::Event::Wake);
    }
    world.now.set(world.now.get().max(until));
}

fn is_reopen(world: &World) -> bool {
    matches!(world.pending.front(), Some((_, StoreOp::Reopen(_))))
}

#[test]
fn a_write_under_way_when_the_connection_is_lost_is_written_once_whether_it_had_been_applied_or_not() {
    for was_applied in [true, false] {
        let (mut world, tab) = world();
        let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
        let (_, op) = world.pending.front().cloned().unwrap();
        if was_applied {
            world.store.run(op.clone()).unwrap();
        }
        world.answer_store(Err(lost()));
        assert!(world.pending.is_empty() && world.take(tab, id).is_none(), "nothing is tried at once, nothing is acknowledged");
        assert_eq!(world.storage_told(tab), [StorageState::Reconnecting]);
        wait(&mut world, 150.0);
        assert!(is_reopen(&world));
        world.step();
        assert_eq!(world.pending.front().map(|(_, again)| again), Some(&op), "the very same batch");
        world.settle();
        assert!(world.rows(tab, id).is_ok());
        assert_eq!(world.storage_told(tab), [StorageState::Ok]);
        assert_eq!(world.count(tab, "t"), 1);
        let mut world = world.crash();
        let tab = world.tab();
        assert_eq!(world.count(tab, "t"), 1);
    }
}

#[test]
fn a_connection_that_does_not_come_back_is_tried_again_ever_later_and_given_up_in_the_end() {
    let (mut world, tab) = world();
    let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
    world.answer_store(Err(lost()));
    let (mut attempts, mut waits) = (0, vec![]);
    while !world.ended {
        let before = world.now.get();
        while !is_reopen(&world) && !world.ended {
            wait(&mut world, 50.0);
        }
        if !world.ended {
            attempts += 1;
            waits.push(world.now.get() - before);
            world.answer_store(Err(lost()));
        }
        assert!(attempts < 100, "it is given up some time");
    }
    assert!(attempts > 8 && waits.windows(2).all(|w| w[1] >= w[0] - 60.0), "{attempts} attempts after {waits:?}");
    let error = world.rows(tab, id).unwrap_err();
    documented("HUB_POISONED", &error);
    assert_eq!(error.outcome, wire::Outcome::Unknown);
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.count(tab, "t"), 0);
}

#[test]
fn a_hub_that_was_fenced_while_it_was_cut_off_never_writes_again() {
    for was_applied in [true, false] {
        let (mut world, tab) = world();
        let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
        if was_applied {
            let op = world.pending.front().unwrap().1.clone();
            world.store.run(op).unwrap();
        }
        world.answer_store(Err(lost()));
        world.store.run(StoreOp::Open).unwrap();
        wait(&mut world, 150.0);
        world.settle();
        let error = world.rows(tab, id).unwrap_err();
        assert_eq!((error.code.as_str(), error.outcome), ("HUB_FENCED", wire::Outcome::Unknown), "it cannot know");
        assert!(world.ended && world.pending.is_empty());
        let mut world = world.crash();
        let tab = world.tab();
        assert_eq!(world.count(tab, "t"), i64::from(was_applied));
    }
}

// At stake: honesty. What may have been applied before the connection was lost must not be called rolled back.
#[test]
fn a_write_that_fails_after_its_connection_was_lost_is_in_doubt() {
    let (mut world, tab) = world();
    let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
    let op = world.pending.front().unwrap().1.clone();
    world.store.run(op).unwrap();
    world.answer_store(Err(lost()));
    wait(&mut world, 150.0);
    world.step();
    world.answer_store(Err(StoreFailure::NotApplied(Error::full())));
    let error = world.rows(tab, id).unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("HUB_POISONED", wire::Outcome::Unknown));
    assert!(world.ended);
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.count(tab, "t"), 1);
}

#[test]
fn a_write_that_is_not_answered_is_reported_and_goes_on_when_the_answer_comes() {
    let (mut world, tab) = world();
    let other = world.tab();
    let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
    wait(&mut world, 9_000.0);
    assert_eq!(world.storage_told(tab), []);
    wait(&mut world, 2_000.0);
    assert_eq!(world.storage_told(tab), [StorageState::Stalled]);
    let read = world.ask_query(other, "SELECT count(*) FROM t", &[], None);
    assert_eq!(world.rows(other, read).unwrap(), [[int(0)]], "reads go on");
    world.settle();
    assert!(world.rows(tab, id).is_ok());
    assert_eq!(world.storage_told(tab), [StorageState::Ok]);
}

#[test]
fn a_write_that_is_never_answered_goes_through_a_new_connection() {
    let (mut world, tab) = world();
    let id = world.ask_query(tab, "INSERT INTO t VALUES (1, NULL)", &[], None);
    let (old, op) = world.pending.pop_front().unwrap();
    wait(&mut world, 61_000.0);
    assert!(is_reopen(&world));
    world.settle();
    assert!(world.rows(tab, id).is_ok());
    assert_eq!(world.storage_told(tab), [StorageState::Stalled, StorageState::Reconnecting, StorageState::Ok]);
    // The first answer comes after all: it means nothing any more.
    let result = world.store.run(op);
    world.event(tabhub::hub::Event::Store(old, result));
    assert_eq!(world.count(tab, "t"), 1);
}

// At stake: a tab whose database was deleted and begun anew by others must hear of it, and not write into the new one as if it were the old.
#[test]
fn a_tab_that_comes_back_to_a_database_begun_anew_is_told_so_and_the_others_go_on() {
    let (mut world, tab) = world();
    let resume = Some(wire::Resume { since: 0, last: 0, epoch: 7 });
    let mut code = || {
        let (_, answer) = world.greet("ada", resume);
        world.settle();
        let Body::Error(error) = answer.body else { panic!("{answer:?}") };
        error.code
    };
    assert_eq!([code(), code(), code()], ["HUB_FENCED", "HUB_DELETED", "HUB_DELETED"]);
    assert!(!world.ended);
    world.exec(tab, "INSERT INTO t VALUES (1, NULL)").unwrap();
}

// At stake: a tab must not go back in time because it comes back to a hub that has been replaced and has not noticed (found by
// the simulation, seed 7167).
#[test]
fn a_tab_that_has_been_with_a_newer_hub_fences_the_older_one() {
    let (mut old, tab) = world();
    let mut new = World::over(old.store.clone());
    let client = new.client("ada", None);
    new.exec(client, "INSERT INTO t VALUES (1, NULL)").unwrap();
    old.store = new.store;
    let resume = Some(wire::Resume { since: 0, last: 0, epoch: 2 });
    let (_, answer) = old.greet("ada", resume);
    old.settle();
    assert!(matches!(answer.body, Body::Error(error) if error.code == "HUB_FENCED"));
    assert!(old.ended, "the old hub has looked, and is over");
    assert_eq!(old.query(tab, "SELECT count(*) FROM t").unwrap_err().code, "HUB_FENCED");
}
