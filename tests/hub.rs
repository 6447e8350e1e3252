//! The hub as tabs meet it: the real hub and the real `SQLite`, natively, over the memory store.

mod support;

use support::documented::{documented, fits};
use support::{World, decode_rows, encode_values, int, text};
use tabhub::hub::Event;
use tabhub::store::StoreFailure;
use tabhub::wire::{self, Body, Op, TransactionMode, Value};

fn world_with_table() -> (World, tabhub::ids::PortId, tabhub::ids::PortId) {
    let mut world = World::new();
    let (a, b) = (world.tab(), world.tab());
    world
        .exec(a, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        .unwrap();
    (world, a, b)
}

#[test]
fn what_one_tab_writes_every_tab_reads() {
    let (mut world, a, b) = world_with_table();
    assert_eq!(
        world.query(b, "SELECT id, v FROM t ORDER BY id").unwrap(),
        vec![vec![int(1), text("one")], vec![int(2), text("two")]]
    );
    world.query(b, "INSERT INTO t VALUES (3, 'three')").unwrap();
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(3)]]);
}

// At stake: an acknowledgement before the transaction completed is a lie after a crash.
#[test]
fn nothing_is_acknowledged_or_seen_by_others_before_it_is_durable() {
    let (mut world, a, b) = world_with_table();
    let insert = world.ask_query(a, "INSERT INTO t VALUES (3, 'three')", &[], None);
    assert!(world.take(a, insert).is_none(), "not durable yet");
    let own = world.ask_query(a, "SELECT count(*) FROM t", &[], None);
    let other = world.ask_query(b, "SELECT count(*) FROM t", &[], None);
    assert_eq!(world.rows(b, other).unwrap(), vec![vec![int(2)]], "others see what is durable, at once");
    assert!(world.take(a, own).is_none(), "the writer's own read waits with its write");
    world.settle();
    assert!(world.rows(a, insert).is_ok());
    assert_eq!(world.rows(a, own).unwrap(), vec![vec![int(3)]]);
}

#[test]
fn commits_that_wait_go_together_in_one_store_transaction() {
    let (mut world, a, b) = world_with_table();
    let before = world.metrics(a)["groups"];
    for n in 10..60 {
        let tab = if n % 2 == 0 { a } else { b };
        world.ask_query(tab, &format!("INSERT INTO t VALUES ({n}, 'x')"), &[], None);
    }
    world.settle();
    let metrics = world.metrics(a);
    assert_eq!((metrics["groups"] - before, metrics["group_commits_max"]), (2, 49));
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(52)]]);
}

#[test]
fn everything_acknowledged_is_there_after_a_crash() {
    let (mut world, a, _) = world_with_table();
    for n in 3..200 {
        world.query(a, &format!("INSERT INTO t VALUES ({n}, printf('%0500d', {n}))")).unwrap();
    }
    world.ask_query(a, "INSERT INTO t VALUES (1000, 'in flight')", &[], None);
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.query(tab, "SELECT count(*), max(id) FROM t").unwrap(), vec![vec![int(199), int(199)]]);
    assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]]);
}

#[test]
fn checkpoints_keep_the_log_short_and_a_cold_open_reads_only_what_it_needs() {
    let (mut world, a, _) = world_with_table();
    for n in 0..60 {
        let sql = format!(
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) INSERT INTO t(v) SELECT hex(randomblob(200)) || {n} FROM c"
        );
        world.query(a, &sql).unwrap();
    }
    let metrics = world.metrics(a);
    assert!(metrics["checkpoints"] >= 2 && metrics["log_bytes"] < 4 << 20, "{metrics:?}");
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.query(tab, "SELECT id FROM t WHERE id = 9000").unwrap(), vec![vec![int(9000)]]);
    let metrics = world.metrics(tab);
    assert!(metrics["blocks_read"] < metrics["blocks_total"] / 4, "{metrics:?}");
    assert_eq!(world.query(tab, "SELECT count(*) FROM t").unwrap(), vec![vec![int(12002)]]);
    assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]]);
}

#[test]
fn a_transaction_is_alone_with_the_writer_and_readers_go_on() {
    let (mut world, a, b) = world_with_table();
    let tx = world.begin(a, TransactionMode::Immediate, 5000);
    world.query_in(a, "UPDATE t SET v = 'changed' WHERE id = 1", Some(tx)).unwrap();
    let waiting = world.ask_query(b, "INSERT INTO t VALUES (9, 'b')", &[], None);
    world.settle();
    assert!(world.take(b, waiting).is_none(), "b's write waits for a's transaction");
    assert_eq!(world.query(b, "SELECT v FROM t WHERE id = 1").unwrap(), vec![vec![text("one")]]);
    assert_eq!(world.query_in(a, "SELECT v FROM t WHERE id = 1", Some(tx)).unwrap(), vec![vec![text("changed")]]);
    world.commit(a, tx).unwrap();
    assert!(world.rows(b, waiting).is_ok(), "and goes on when it ends");
    assert_eq!(world.query(b, "SELECT v FROM t WHERE id = 1").unwrap(), vec![vec![text("changed")]]);
}

#[test]
fn an_idle_or_orphaned_transaction_is_rolled_back_and_says_so() {
    let (mut world, a, b) = world_with_table();
    let tx = world.begin(a, TransactionMode::Immediate, 1000);
    world.query_in(a, "DELETE FROM t", Some(tx)).unwrap();
    world.pass(1500.0);
    documented("HUB_TRANSACTION_TIMEOUT", &world.query_in(a, "SELECT 1", Some(tx)).unwrap_err());
    let tx = world.begin(a, TransactionMode::Immediate, 5000);
    world.query_in(a, "DELETE FROM t", Some(tx)).unwrap();
    let waiting = world.ask_query(b, "INSERT INTO t VALUES (9, 'b')", &[], None);
    world.event(Event::Gone(a));
    world.settle();
    assert!(world.rows(b, waiting).is_ok());
    assert_eq!(world.query(b, "SELECT count(*) FROM t").unwrap(), vec![vec![int(3)]]);
}

#[test]
fn a_read_transaction_holds_its_snapshot() {
    let (mut world, a, b) = world_with_table();
    let tx = world.begin(a, TransactionMode::Read, 5000);
    assert_eq!(world.query_in(a, "SELECT count(*) FROM t", Some(tx)).unwrap(), vec![vec![int(2)]]);
    world.exec(b, "DELETE FROM t; VACUUM; CREATE TABLE u(x)").unwrap();
    assert_eq!(world.query_in(a, "SELECT count(*) FROM t", Some(tx)).unwrap(), vec![vec![int(2)]]);
    assert_eq!(world.query_in(a, "DELETE FROM t", Some(tx)).unwrap_err().code, "HUB_REFUSED");
    world.commit(a, tx).unwrap();
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(0)]]);
}

#[test]
fn a_script_is_one_transaction_unless_it_has_its_own() {
    let (mut world, a, _) = world_with_table();
    let error = world.exec(a, "INSERT INTO t VALUES (3, 'x'); INSERT INTO t VALUES (3, 'again')").unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("SQLITE_CONSTRAINT_PRIMARYKEY", wire::Outcome::NotApplied));
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
    world.exec(a, "BEGIN; INSERT INTO t VALUES (3, 'x'); COMMIT; BEGIN; INSERT INTO t VALUES (4, 'x'); ROLLBACK").unwrap();
    assert_eq!(world.query(a, "SELECT max(id) FROM t").unwrap(), vec![vec![int(3)]]);
    world
        .exec(a, "PRAGMA foreign_keys=OFF; BEGIN; CREATE TABLE c(p REFERENCES t(id)); INSERT INTO c VALUES (99); COMMIT;")
        .unwrap();
    assert_eq!(world.query(a, "PRAGMA foreign_keys").unwrap(), vec![vec![int(1)]]);
    assert_eq!(world.query(a, "INSERT INTO c VALUES (98)").unwrap_err().code, "SQLITE_CONSTRAINT_FOREIGNKEY");
    assert_eq!(world.exec(a, "BEGIN; INSERT INTO t VALUES (5, 'x')").unwrap_err().code, "HUB_TRANSACTION_CONTROL");
    assert_eq!(world.query(a, "SELECT max(id) FROM t").unwrap(), vec![vec![int(3)]]);
}

#[test]
fn what_a_shared_database_cannot_allow_is_refused_by_name() {
    let (mut world, a, _) = world_with_table();
    let tx = world.begin(a, TransactionMode::Immediate, 5000);
    for (sql, code) in [
        ("CREATE TEMP TABLE x(a)", "HUB_REFUSED"),
        ("CREATE TABLE temp.x(a)", "HUB_REFUSED"),
        ("PRAGMA journal_mode = WAL", "HUB_REFUSED"),
        ("PRAGMA no_such_thing", "HUB_REFUSED"),
        ("BEGIN", "HUB_TRANSACTION_CONTROL"),
        ("COMMIT", "HUB_TRANSACTION_CONTROL"),
        ("SELECT 1; SELECT 2", "HUB_BAD_REQUEST"),
        ("CREATE TABLE one(x); INSERT INTO one VALUES (1)", "HUB_BAD_REQUEST"),
        (" -- nothing", "HUB_BAD_REQUEST"),
        ("SELECT ?", "HUB_BAD_REQUEST"),
        ("SELEC 1", "SQLITE_ERROR"),
        ("SELECT * FROM missing", "SQLITE_ERROR"),
        ("SELECT zeroblob(1 << 30)", "SQLITE_TOOBIG"),
        ("DELETE FROM sqlite_schema", "SQLITE_ERROR"),
    ] {
        assert_eq!(world.query_in(a, sql, Some(tx)).unwrap_err().code, code, "{sql} in a transaction");
    }
    world.commit(a, tx).unwrap();
    for (sql, code) in [
        ("ATTACH 'x.db' AS x", "HUB_REFUSED"),
        ("ATTACH '' AS x", "HUB_REFUSED"),
        ("VACUUM INTO 'copy.db'", "HUB_REFUSED"),
        ("BEGIN", "HUB_TRANSACTION_CONTROL"),
        ("SAVEPOINT s", "HUB_TRANSACTION_CONTROL"),
        ("SELECT zeroblob(1 << 30)", "SQLITE_TOOBIG"),
    ] {
        assert_eq!(world.query(a, sql).unwrap_err().code, code, "{sql}");
    }
    documented("HUB_REFUSED", &world.query(a, "ATTACH 'x.db' AS x").unwrap_err());
    documented("HUB_TRANSACTION_CONTROL", &world.query(a, "BEGIN").unwrap_err());
    documented("HUB_BAD_REQUEST", &world.query(a, "SELECT ?").unwrap_err());
    world.query(a, "VACUUM").unwrap();
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
}

#[test]
fn a_statement_that_never_ends_is_stopped_at_its_timeout_and_others_go_on() {
    let (mut world, a, b) = world_with_table();
    let shape = wire::ParamsShape { count: 0, names: None };
    let sql = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c";
    let query = wire::Query { sql: sql.into(), params: shape, tx: None, durability: None, timeout: Some(300) };
    let id = world.send(a, Op::Query(query), &support::encode_values(&[]));
    documented("HUB_TIMEOUT", &world.rows(a, id).unwrap_err());
    assert_eq!(world.query(b, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
}

#[test]
fn a_full_disk_rolls_back_and_the_database_goes_on() {
    let (mut world, a, b) = world_with_table();
    let insert = world.ask_query(a, "INSERT INTO t VALUES (3, 'lost')", &[], None);
    let also = world.ask_query(b, "INSERT INTO t VALUES (4, 'lost too')", &[], None);
    world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
    world.settle();
    for (tab, id) in [(a, insert), (b, also)] {
        let error = world.rows(tab, id).unwrap_err();
        documented("SQLITE_FULL", &error);
        assert_eq!(error.outcome, wire::Outcome::NotApplied);
    }
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
    world.query(a, "INSERT INTO t VALUES (3, 'stored')").unwrap();
    assert_eq!(world.query(b, "SELECT v FROM t WHERE id = 3").unwrap(), vec![vec![text("stored")]]);
    assert_eq!(world.query(b, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]]);
}

#[test]
fn a_fenced_hub_tells_everybody_and_writes_no_more() {
    let (mut world, a, _) = world_with_table();
    let mut second = World::over(world.store.clone());
    second.tab();
    world.store = second.store;
    let error = world.query(a, "INSERT INTO t VALUES (3, 'zombie')").unwrap_err();
    documented("HUB_FENCED", &error);
    assert_eq!(error.outcome, wire::Outcome::NotApplied);
    assert_eq!(world.query(a, "SELECT 1").unwrap_err().code, "HUB_FENCED");
    assert!(world.ended, "it makes room for a fresh hub");
    let mut third = World::over(world.store);
    let tab = third.tab();
    assert_eq!(third.query(tab, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
}

#[test]
fn an_export_is_a_file_that_imports_again_and_other_tabs_see_the_new_database() {
    let (mut world, a, b) = world_with_table();
    world.exec(a, "CREATE TABLE big(x); INSERT INTO big WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) SELECT randomblob(500) FROM c").unwrap();
    let file = world.export(a);
    world.exec(b, "DROP TABLE big; DELETE FROM t").unwrap();
    let tx = world.begin(b, TransactionMode::Read, 5000);
    world.import(a, &file).unwrap();
    assert_eq!(world.query_in(b, "SELECT 1", Some(tx)).unwrap_err().code, "HUB_TRANSACTION_LOST");
    assert_eq!(world.query(b, "SELECT count(*) FROM big").unwrap(), vec![vec![int(3000)]]);
    assert_eq!(world.export(b), file);
    world.query(b, "INSERT INTO t VALUES (3, 'after')").unwrap();
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(world.query(tab, "SELECT count(*) FROM t").unwrap(), vec![vec![int(3)]]);
    assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), vec![vec![text("ok")]]);
}

#[test]
fn a_broken_import_leaves_the_database_as_it_was() {
    let (mut world, a, _) = world_with_table();
    let file = world.export(a);
    for bad in [
        b"not a database, but long enough to look at".repeat(20),
        file[..file.len() - 4096].to_vec(),
        file[..5000].to_vec(),
        vec![],
    ] {
        assert_eq!(world.import(a, &bad).unwrap_err().code, "HUB_NOT_A_DATABASE");
        assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
    }
    documented("HUB_NOT_A_DATABASE", &world.import(a, &b"not a database".repeat(50)).unwrap_err());
    world.query(a, "INSERT INTO t VALUES (3, 'x')").unwrap();
    let groups = world.store.keys().filter(|k| matches!(k, tabhub::store::Key::Group(g, _) if g.0 != 1)).count();
    assert_eq!(groups, 0, "nothing of an abandoned import stays");
}

#[test]
fn a_cursor_sends_no_more_than_its_tab_takes_and_reads_one_snapshot() {
    let (mut world, a, b) = world_with_table();
    world.exec(a, &format!("INSERT INTO t(v) {}", numbers(10_000))).unwrap();
    let id = iterate(&mut world, a, "SELECT id, v FROM t");
    world.settle();
    world.exec(b, "DELETE FROM t").unwrap();
    let first = [chunk(&mut world, a, id), chunk(&mut world, a, id)];
    assert!(world.take(a, id).is_none(), "two chunks are under way at first, and no more");
    assert_eq!(world.metrics(a)["cursors_open"], 1);
    let mut rows: u32 = first.iter().map(|(chunk, _)| chunk.rows).sum();
    loop {
        world.send(a, Op::Pull(wire::Pull { target: id }), &[]);
        let (next, _) = chunk(&mut world, a, id);
        assert!(world.take(a, id).is_none(), "one chunk for one pull");
        rows += next.rows;
        if next.end {
            break;
        }
    }
    assert_eq!((rows, world.metrics(a)["cursors_open"]), (10_002, 0));
}

#[test]
fn the_rows_of_a_cursor_are_random_beyond_the_first_chunk() {
    let (mut world, a, _) = world_with_table();
    let id = iterate(&mut world, a, &format!("SELECT random() FROM ({})", numbers(3000)));
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let (next, values) = chunk(&mut world, a, id);
        seen.extend(values.iter().map(|row| format!("{row:?}")));
        if next.end {
            break;
        }
        world.send(a, Op::Pull(wire::Pull { target: id }), &[]);
    }
    assert_eq!(seen.len(), 3000);
}

// At stake: where nothing can be suspended, a cursor that misses a block begins anew. On a table larger than the cache each new
// beginning finds nothing of what the last one read, and must not end at a miss again.
#[test]
fn a_cursor_through_a_table_larger_than_the_cache_seldom_begins_anew() {
    let (mut world, a, _) = world_with_table();
    let rows = "INSERT INTO big SELECT i, hex(zeroblob(900)) FROM";
    world.exec(a, &format!("CREATE TABLE big(id INTEGER PRIMARY KEY, pad TEXT); {rows} ({})", numbers(5_000))).unwrap();
    let file = world.export(a);
    world.import(a, &file).unwrap();
    let limits = tabhub::store::Limits { cache_bytes: 4 << 20, ..Default::default() };
    let mut world = World::with(std::mem::take(&mut world.store), limits);
    world.cache_bytes = Some(4 << 20);
    let a = world.tab();
    let id = iterate(&mut world, a, "SELECT id, pad FROM big ORDER BY id");
    let mut rows = 0;
    loop {
        world.settle();
        let restarts = world.metrics(a)["restarts"];
        assert!(restarts < 60, "{restarts} restarts");
        let (next, _) = chunk(&mut world, a, id);
        rows += next.rows;
        if next.end {
            break;
        }
        world.send(a, Op::Pull(wire::Pull { target: id }), &[]);
    }
    let figures = world.metrics(a);
    assert_eq!(rows, 5_000);
    assert!(
        figures["cache_evictions"] > 1_000,
        "{} evictions: the table is not larger than the cache",
        figures["cache_evictions"]
    );
}

#[test]
fn a_tab_with_many_cursors_waits_for_one_to_end_and_keeps_nobody_else_waiting() {
    let (mut world, a, b) = world_with_table();
    world.exec(a, &format!("INSERT INTO t(v) {}", numbers(10_000))).unwrap();
    let open: Vec<_> = (0..16).map(|_| iterate(&mut world, a, "SELECT * FROM t")).collect();
    let waiting = iterate(&mut world, a, "SELECT * FROM t");
    assert!(world.take(a, waiting).is_none());
    let others = iterate(&mut world, b, "SELECT * FROM t");
    assert!(chunk(&mut world, b, others).0.rows > 0);
    assert!(world.take(a, waiting).is_none());
    world.send(a, Op::Cancel(wire::Cancel { target: open[3], session: None }), &[]);
    world.send(b, Op::Cancel(wire::Cancel { target: others, session: None }), &[]);
    assert!(chunk(&mut world, a, waiting).0.rows > 0);
}

// At stake: one tab's `PRAGMA foreign_keys = OFF` must not outlive its script on the connection that all tabs share.
#[test]
fn a_script_that_is_given_up_while_it_waits_leaves_foreign_keys_on() {
    let (mut world, a, _) = world_with_table();
    world.exec(a, &format!("CREATE TABLE c(p REFERENCES t(id)); INSERT INTO t(v) {}", numbers(20_000))).unwrap();
    let file = world.export(a);
    world.import(a, &file).unwrap();
    let mut world = world.crash();
    let a = world.tab();
    world.query(a, "SELECT 1 FROM sqlite_schema").unwrap();
    world.exec(a, "DROP TABLE IF EXISTS absent").unwrap();
    let script = world.ask_exec(a, "PRAGMA foreign_keys = OFF; UPDATE t SET v = 'x' WHERE id = 15000", None);
    assert!(!world.pending.is_empty() && world.take(a, script).is_none(), "the script waits for a block");
    world.send(a, Op::Cancel(wire::Cancel { target: script, session: None }), &[]);
    assert_eq!(world.done(a, script).unwrap_err().code, "HUB_CANCELLED");
    world.settle();
    assert_eq!(world.query(a, "INSERT INTO c VALUES (999999)").unwrap_err().code, "SQLITE_CONSTRAINT_FOREIGNKEY");
}

fn numbers(n: u32) -> String {
    format!("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {n}) SELECT i FROM c")
}

fn iterate(world: &mut World, tab: tabhub::ids::PortId, sql: &str) -> u64 {
    let params = wire::ParamsShape { count: 0, names: None };
    world.send(tab, Op::Iterate(wire::Iterate { sql: sql.into(), params, timeout: None }), &support::encode_values(&[]))
}

fn chunk(world: &mut World, tab: tabhub::ids::PortId, id: u64) -> (wire::Chunk, support::Rows) {
    while world.turn() {}
    let answer = world.take(tab, id).expect("a chunk has come");
    let wire::Body::Chunk(chunk) = answer.body else { panic!("a chunk, not {:?}", answer.body) };
    let columns = answer.payload[..4].iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)) / (chunk.rows as usize).max(1);
    let rows = support::decode_rows(&answer.payload, chunk.rows as usize, columns).0;
    (chunk, rows)
}

#[test]
fn foreign_bytes_get_a_typed_answer_and_nothing_breaks() {
    let (mut world, a, _) = world_with_table();
    for frame in [&b""[..], b"abc", b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}\0\0", &[0; 64]] {
        world.event(Event::Message(a, frame));
        let answer = world.take(a, 0).expect("an answer");
        assert!(matches!(answer.body, wire::Body::Error(ref e) if e.code == "HUB_PROTOCOL"), "{answer:?}");
    }
    let id = world.ask_query(a, "SELECT ?", &[int(1)], Some(77));
    assert_eq!(world.rows(a, id).unwrap_err().code, "HUB_TRANSACTION_CLOSED");
    assert_eq!(world.query(a, "SELECT count(*) FROM t").unwrap(), vec![vec![int(2)]]);
}

#[test]
fn a_statement_that_is_repeated_in_a_batch_runs_with_each_of_its_parameters_and_a_failure_is_counted_by_runs() {
    let mut world = World::new();
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    let shape = |sql: &str, count, times| wire::StatementShape {
        sql: sql.into(),
        params: wire::ParamsShape { count, names: None },
        times,
    };
    let mut batch = |statements: Vec<wire::StatementShape>, blocks: &[&[Value]]| {
        let payload: Vec<u8> = blocks.iter().flat_map(|values| encode_values(values)).collect();
        let id = world.send(tab, Op::Batch(wire::Batch { statements, tx: None, durability: None, timeout: None }), &payload);
        world.settle();
        world.take(tab, id).unwrap()
    };
    let insert = "INSERT INTO t VALUES (?, ?)";
    let rows = [int(5), text("a"), int(9), text("b"), int(7), text("c")];
    let answer =
        batch(vec![shape(insert, 2, Some(3)), shape("SELECT name FROM t WHERE id = ?", 1, Some(2))], &[&rows, &[int(9), int(7)]]);
    let Body::Results(wire::Results { results }) = &answer.body else { panic!("{answer:?}") };
    assert_eq!(results.iter().map(|r| (r.times, r.rows)).collect::<Vec<_>>(), [(Some(3), 0), (None, 1), (None, 1)]);
    let (effects, rest) = decode_rows(&answer.payload, 3, 2);
    assert_eq!(effects, [[int(1), int(5)], [int(1), int(9)], [int(1), int(7)]], "changes and rowid of each");
    assert_eq!(decode_rows(&answer.payload[rest..], 1, 1).0, [[text("b")]]);
    let failed =
        batch(vec![shape("DELETE FROM t WHERE id = ?", 1, Some(2)), shape(insert, 2, Some(2))], &[&[int(5), int(9)], &rows[2..]]);
    let Body::Error(error) = failed.body else { panic!("{failed:?}") };
    assert_eq!((error.code.as_str(), error.index, error.sql.as_deref()), ("SQLITE_CONSTRAINT_PRIMARYKEY", Some(3), Some(insert)));
    for times in [0, u32::MAX] {
        let Body::Error(error) = batch(vec![shape(insert, 2, Some(times))], &[&rows]).body else { panic!("{times} times") };
        assert!(matches!(error.code.as_str(), "HUB_BAD_REQUEST" | "HUB_PROTOCOL"), "{error:?}");
    }
}

// At stake: the tests of what is documented would not fail.
#[test]
fn a_message_fits_only_what_is_documented() {
    let fitting = ["waited 5 ms for it", "waited 5 ms for ms for it"];
    let others = ["waited 5 ms", "waited  ms for it", "waited 5 ms for ", "Waited 5 ms for it"];
    assert!(fitting.iter().all(|message| fits("waited … ms for …", message)));
    assert!(!others.iter().any(|message| fits("waited … ms for …", message)));
}
