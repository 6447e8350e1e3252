//! At stake: who looks for what is slow or stuck must be told the truth, at any moment, and must be able to end it; and what has been answered
//! is forgotten, or the hub of a page that is open for weeks would grow.

mod support;

use support::{Rows, World, int, text};
use tabhub::ids::PortId;
use tabhub::store::Limits;
use tabhub::store::memory::MemoryStore;
use tabhub::wire::{self, Body, Op, TransactionMode, Value};

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// The tables in the order in which they come.
const SESSIONS: usize = 0;
const REQUESTS: usize = 1;
const TRANSACTIONS: usize = 2;
const LIVE: usize = 3;
const LATENCIES: usize = 4;
const LOG: usize = 5;

/// Rows by column.
struct Table(Vec<String>, Rows);

impl Table {
    fn column(&self, name: &str) -> Vec<Value> {
        let at = self.0.iter().position(|known| known == name).expect(name);
        self.1.iter().map(|row| row[at].clone()).collect()
    }

    /// Operation and state of each request.
    fn states(&self) -> Vec<(String, String)> {
        let texts = |name| {
            self.column(name).into_iter().map(|value| if let Value::Text(text) = value { text } else { panic!("{value:?}") })
        };
        texts("op").zip(texts("state")).collect()
    }
}

fn inspect(world: &mut World, port: PortId) -> Vec<Table> {
    let id = world.send(port, Op::Inspect(wire::Inspect {}), &[]);
    let answer = world.take(port, id).expect("it is answered at once");
    let Body::Results(results) = answer.body else { panic!("{:?}", answer.body) };
    let mut rest = &answer.payload[..];
    let tables = results.results.iter().map(|shape| {
        let (rows, used) = support::decode_rows(rest, shape.rows as usize, shape.columns.len());
        rest = &rest[used..];
        Table(shape.columns.iter().map(|column| column.name.clone()).collect(), rows)
    });
    tables.collect()
}

fn with_table(mut world: World) -> (World, PortId, PortId) {
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two')").unwrap();
    (world, a, b)
}

fn states(world: &mut World, port: PortId) -> Vec<(String, String)> {
    inspect(world, port).swap_remove(REQUESTS).states()
}

fn is(op: &str, state: &str) -> (String, String) {
    (op.into(), state.into())
}

#[test]
fn every_session_is_listed_and_knows_which_it_is() {
    let (mut world, a, b) = with_table(World::new());
    world.pass(250.0);
    let sessions = inspect(&mut world, b).swap_remove(SESSIONS);
    assert_eq!(sessions.column("session"), [int(a.0.into()), int(b.0.into())]);
    assert_eq!(sessions.column("isOwn"), [int(0), int(1)]);
    assert_eq!(sessions.column("client"), [text("tab-1"), text("tab-2")]);
    assert_eq!(sessions.column("build"), [text("test"), text("test")]);
    assert_eq!(sessions.column("lastWrite"), [int(1), int(0)]);
    assert!(sessions.column("openMs").iter().all(|ms| matches!(ms, Value::Real(ms) if (250.0..500.0).contains(ms))));
    world.event(tabhub::hub::Event::Gone(a));
    assert_eq!(inspect(&mut world, b).swap_remove(SESSIONS).column("session"), [int(b.0.into())]);
}

#[test]
fn a_request_is_where_it_is_said_to_be() {
    let (mut world, a, b) = with_table(World::with_fibers(MemoryStore::new(), Limits::default()));
    let tx = world.begin(a, TransactionMode::Immediate, 5_000);
    assert_eq!(states(&mut world, b), [], "what has been answered is forgotten");
    let transactions = inspect(&mut world, b).swap_remove(TRANSACTIONS);
    assert_eq!(transactions.column("session"), [int(a.0.into())]);
    assert_eq!((transactions.column("mode"), transactions.column("isIdle")), (vec![text("write")], vec![int(1)]));

    let waits = world.ask_query(b, "INSERT INTO t(v) VALUES ('waits')", &[], None);
    world.settle();
    assert_eq!(states(&mut world, b), [is("query", "awaiting-writer")]);
    world.ask_query(a, "INSERT INTO t(v) VALUES ('in it')", &[], Some(tx));
    world.settle();
    world.send(a, Op::Commit(wire::Commit { tx, durability: None }), &[]);
    assert!(states(&mut world, b).contains(&is("commit", "storing")), "its commit is on its way to the disk");
    world.settle();
    assert!(world.rows(b, waits).is_ok());
    assert_eq!(states(&mut world, b), []);

    let endless = world.ask_query(b, ENDLESS, &[], None);
    world.turn();
    assert_eq!(states(&mut world, a), [is("query", "suspended")]);
    let requests = inspect(&mut world, a).swap_remove(REQUESTS);
    assert_eq!((requests.column("sql"), requests.column("id")), (vec![text(ENDLESS)], vec![int(endless.cast_signed())]));
}

#[test]
fn what_waits_for_a_block_says_so() {
    let (mut world, a, _) = with_table(World::new());
    let large = "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, hex(zeroblob(500)) FROM n";
    world.query(a, large).unwrap();
    // Out of the log, and so out of memory at the next beginning.
    let file = world.export(a);
    world.import(a, &file).unwrap();
    let mut world = world.crash();
    let a = world.tab();
    let read = world.ask_query(a, "SELECT id FROM t WHERE id = 3000", &[], None);
    while states(&mut world, a) == [is("query", "running")] && world.step() {}
    assert_eq!(states(&mut world, a), [is("query", "awaiting-block")]);
    world.settle();
    assert_eq!(world.rows(a, read).unwrap(), [[int(3_000)]]);
}

#[test]
fn what_is_followed_and_streamed_stays_until_it_ends() {
    let (mut world, a, b) = with_table(World::new());
    let params = wire::ParamsShape::default;
    let live = Op::Live(wire::Live { sql: "SELECT v FROM t WHERE id = 1".into(), params: params() });
    let live = world.send(a, live, &support::encode_values(&[]));
    let heard = world.send(a, Op::Changes(wire::Changes { tables: None }), &[]);
    let export = world.send(b, Op::Export(wire::Export::default()), &[]);
    world.settle();
    assert_eq!(states(&mut world, b), [is("live", "open"), is("changes", "open")], "the export came whole");
    assert!(world.take(b, export).is_some());
    let told = inspect(&mut world, b).swap_remove(LIVE);
    assert_eq!((told.column("tables"), told.column("followers")), (vec![text("t")], vec![int(1)]));
    assert_eq!((told.column("rows"), told.column("isRunning")), (vec![int(1)], vec![int(0)]));
    for target in [live, heard] {
        world.send(a, Op::Cancel(wire::Cancel { target, session: None }), &[]);
    }
    assert_eq!(states(&mut world, b), []);
    assert_eq!(inspect(&mut world, b).swap_remove(LIVE).1, Rows::new());
}

// At stake: the inspector of one tab ends what another has forgotten, and whoever waited is told why.
#[test]
fn another_tab_can_stop_a_request() {
    let (mut world, a, b) = with_table(World::with_fibers(MemoryStore::new(), Limits::default()));
    let live = Op::Live(wire::Live { sql: "SELECT * FROM t".into(), params: wire::ParamsShape::default() });
    let live = world.send(a, live, &support::encode_values(&[]));
    world.settle();
    world.take(a, live);
    let endless = world.ask_query(a, ENDLESS, &[], None);
    for target in [endless, live] {
        world.send(b, Op::Cancel(wire::Cancel { target, session: Some(a.0.into()) }), &[]);
        world.settle();
        let Some(Body::Error(error)) = world.take(a, target).map(|answer| answer.body) else { panic!("it is answered") };
        assert_eq!(error.code, "HUB_CANCELLED");
        assert!(error.message.contains("another tab"), "{}", error.message);
        assert!(world.take(a, target).is_none(), "once");
    }
    assert_eq!(states(&mut world, b), []);
    assert_eq!(world.count(a, "t"), 2, "the tab goes on");
}

#[test]
fn to_stop_what_is_not_there_does_nothing() {
    let (mut world, a, b) = with_table(World::new());
    let live = Op::Live(wire::Live { sql: "SELECT * FROM t".into(), params: wire::ParamsShape::default() });
    let live = world.send(a, live, &support::encode_values(&[]));
    world.settle();
    world.take(a, live);
    // No tab has the last session: live queries are run under it.
    for (session, target) in [(u64::from(u32::MAX), 1), (u64::from(b.0), live), (1 << 40, live), (u64::from(a.0), 1 << 40)] {
        world.send(b, Op::Cancel(wire::Cancel { target, session: Some(session) }), &[]);
    }
    world.query(b, "INSERT INTO t(v) VALUES ('three')").unwrap();
    world.send(a, Op::Pull(wire::Pull { target: live }), &[]);
    world.settle();
    assert!(matches!(world.take(a, live).map(|answer| answer.body), Some(Body::Live(_))), "it is still followed");
}

#[test]
fn how_long_answers_took_is_counted_by_kind() {
    let (mut world, a, b) = with_table(World::new());
    let tx = world.begin(a, TransactionMode::Immediate, 5_000);
    let waits = world.ask_query(b, "INSERT INTO t(v) VALUES ('waits')", &[], None);
    world.pass(1_000.0);
    world.commit(a, tx).unwrap();
    assert!(world.rows(b, waits).is_ok());
    let latencies = inspect(&mut world, b).swap_remove(LATENCIES);
    let of = |op: &str| {
        let rows = latencies.1.iter().filter(|row| row[0] == text(op));
        rows.map(|row| (row[1].clone(), row[2].clone())).collect::<Vec<_>>()
    };
    assert_eq!(of("query"), [(int(1_024), int(1))]);
    assert_eq!(of("begin"), [(int(1), int(1))]);
    assert_eq!((of("exec").len(), of("commit").len()), (1, 1));
}

#[test]
fn the_last_lines_of_the_log_are_kept_for_who_comes_later() {
    let (mut world, a, _) = with_table(World::new());
    let insert = world.ask_query(a, "INSERT INTO t(v) VALUES ('lost')", &[], None);
    let why = tabhub::error::Error::Storage("the disk is gone".into());
    world.answer_store(Err(tabhub::store::StoreFailure::NotApplied(why)));
    world.settle();
    assert!(world.rows(a, insert).is_err());
    let late = world.tab();
    let log = inspect(&mut world, late).swap_remove(LOG);
    assert_eq!(log.column("level"), [text("warn")]);
    assert!(matches!(&log.column("message")[0], Value::Text(message) if message.contains("the disk is gone")));
}

#[test]
fn a_long_statement_is_cut_between_two_characters() {
    let (mut world, a, b) = with_table(World::new());
    let sql = format!("SELECT '{}'", "é".repeat(5_000));
    let tx = world.begin(a, TransactionMode::Immediate, 5_000);
    world.ask_exec(b, &sql, None);
    let requests = inspect(&mut world, a).swap_remove(REQUESTS);
    let Value::Text(shown) = &requests.column("sql")[0] else { panic!("{:?}", requests.1) };
    assert!((990..=1_000).contains(&shown.len()) && sql.starts_with(shown.as_str()));
    world.commit(a, tx).unwrap();
}
