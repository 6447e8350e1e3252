//! On a host with one stack a unit of work that misses a block runs again from its start: it must come to its end however small the
//! cache is, and say so where it cannot.

mod support;

use support::documented::documented;
use support::{World, int};
use tabhub::ids::PortId;
use tabhub::store::Limits;

const SMALL: Limits = Limits {
    cache_bytes: 64 << 10,
    pinned_bytes: 8 << 20,
    log_bytes: 64 << 10,
    log_records: 8,
    large_commit_bytes: 4 << 20,
    part_bytes: 512 << 10,
    sessions: 256,
    reply_bytes: 16 << 10,
    replies_bytes: 1 << 20,
};

/// A database of about 3 MB, nothing of it in memory, on a hub without stacks of its own.
fn cold(limits: Limits) -> (World, PortId, PortId) {
    let mut world = World::new();
    let tab = world.tab();
    world
        .exec(
            tab,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, k INT NOT NULL, pad TEXT NOT NULL);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO t SELECT i, i * 7919 % 5000, hex(zeroblob(200)) FROM n;
             CREATE INDEX k ON t(k);
             CREATE VIRTUAL TABLE ft USING fts5(text);
             INSERT INTO ft(rowid, text) SELECT id, 'word' || k || ' common' FROM t;",
        )
        .unwrap();
    let file = world.export(tab);
    world.import(tab, &file).unwrap();
    let mut world = World::with(std::mem::take(&mut world.store), limits);
    let (a, b) = (world.tab(), world.tab());
    (world, a, b)
}

// At stake: a statement whose blocks push each other out would be tried for ever.
#[test]
fn a_statement_ends_whose_working_set_is_many_times_the_cache() {
    let (mut world, a, b) = cold(SMALL);
    let figures = world.metrics(a);
    assert!(figures["blocks_total"] * figures["block_bytes"] > 40 * figures["cache_bytes_max"], "{figures:?}");
    let scan = world.ask_query(a, "SELECT sum(length(x.pad)) FROM t x JOIN t y ON y.k = x.id", &[], None);
    let update = world.ask_exec(b, "UPDATE t SET k = k + 1 WHERE id % 50 = 0; INSERT INTO ft(ft) VALUES('optimize')", None);
    world.settle();
    // No row has k = 5000, and one has k = 0.
    assert_eq!(world.rows(a, scan).unwrap(), vec![vec![int(4999 * 400)]]);
    assert!(world.done(b, update).is_ok());
    assert_eq!(world.query(a, "SELECT count(*) FROM ft WHERE ft MATCH 'common'").unwrap(), vec![vec![int(5000)]]);
    let figures = world.metrics(a);
    assert!(figures["restarts"] > 10 && figures["cache_evictions"] > 0, "{figures:?}");
    assert_eq!((figures["blocks_pinned"], figures["pinned_bytes"]), (0, 0), "what has ended holds nothing");
    assert!(figures["cache_bytes"] <= figures["cache_bytes_max"], "{figures:?}");
}

// At stake: what cannot be done must fail by name, not take all memory.
#[test]
fn a_statement_that_needs_too_much_at_once_says_so_and_nothing_else_suffers() {
    let (mut world, a, b) = cold(Limits { pinned_bytes: 500_000, ..SMALL });
    let error = world.query(a, "SELECT sum(length(pad)) FROM t").unwrap_err();
    documented("HUB_LIMIT", &error);
    let error = world.exec(a, "UPDATE t SET pad = pad || 'x'").unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("HUB_LIMIT", tabhub::wire::Outcome::NotApplied));
    assert_eq!(world.query(b, "SELECT k FROM t WHERE id = 4000").unwrap(), vec![vec![int(4000 * 7919 % 5000)]]);
    assert_eq!(world.metrics(b)["pinned_bytes"], 0);
}

#[test]
fn an_interactive_transaction_that_needs_too_much_is_rolled_back_by_name() {
    let (mut world, a, b) = cold(Limits { pinned_bytes: 500_000, ..SMALL });
    let tx = world.begin(a, tabhub::wire::TransactionMode::Immediate, 5000);
    world.query_in(a, "INSERT INTO t VALUES (9999, 1, '')", Some(tx)).unwrap();
    let error = world.query_in(a, "UPDATE t SET pad = pad || 'x'", Some(tx)).unwrap_err();
    assert_eq!(error.code, "HUB_LIMIT");
    assert_eq!(world.commit(a, tx).unwrap_err().code, "HUB_TRANSACTION_LOST");
    assert_eq!(world.query(b, "SELECT count(*) FROM t WHERE id = 9999").unwrap(), vec![vec![int(0)]]);
}
