//! What commits change, kept as changesets: against what `SQLite` itself makes of them in another database. The real hub and the real `SQLite`, natively.

mod support;

use proptest::prelude::*;
use support::changesets::Told;
use support::documented::documented;
use support::{Rows, World, int, text};
use tabhub::ids::PortId;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreFailure};
use tabhub::wire::{self, Body, OnConflict, Op, Value, WireError};

const TABLES: &str = "
    CREATE TABLE item(id INTEGER PRIMARY KEY, twice AS (n * 2), body TEXT UNIQUE, more TEXT AS (body || '!') STORED, n REAL);
    CREATE TABLE word(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
    CREATE TABLE pair(b, note, a TEXT, PRIMARY KEY (a, b));
    CREATE TABLE part(id INTEGER PRIMARY KEY, item INTEGER, q INTEGER);
    CREATE TABLE noted(at INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
    CREATE TABLE \"o\"\"dd\"(\"the \"\"key\"\"\" TEXT PRIMARY KEY, \"select\" DEFAULT 7);";

/// What makes changes of its own, and what no changeset tells of: only where the changes come from.
const SOURCE_ONLY: &str = "
    CREATE TABLE loose(x);
    CREATE TABLE owner(id INTEGER PRIMARY KEY);
    CREATE TABLE owned(id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owner ON DELETE CASCADE ON UPDATE SET NULL);
    CREATE TRIGGER note_it AFTER UPDATE OF n ON item BEGIN INSERT INTO noted(what) VALUES (new.body); END;
    CREATE TRIGGER drop_parts AFTER DELETE ON item BEGIN DELETE FROM part WHERE item = old.id; END;
    CREATE VIRTUAL TABLE found USING fts5(body);
    CREATE TRIGGER find_it AFTER INSERT ON item BEGIN INSERT INTO found(rowid, body) VALUES (new.id, new.body); END;";
const OWNED: &str = "CREATE TABLE owner(id INTEGER PRIMARY KEY); CREATE TABLE owned(id INTEGER PRIMARY KEY, owner INTEGER);";

const COMPARED: [&str; 8] = [
    "SELECT * FROM item ORDER BY id",
    "SELECT k, typeof(k), v, typeof(v) FROM word ORDER BY k COLLATE BINARY",
    "SELECT *, typeof(b) FROM pair WHERE a IS NOT NULL AND b IS NOT NULL ORDER BY a, b",
    "SELECT * FROM part ORDER BY id",
    "SELECT * FROM noted ORDER BY at",
    "SELECT * FROM \"o\"\"dd\" ORDER BY 1",
    "SELECT * FROM owner ORDER BY id",
    "SELECT * FROM owned ORDER BY id",
];

fn write(kind: u8, a: u8, b: u8) -> String {
    let value = ["2", "'2'", "2.0", "x'32'", "NULL", "'ü'", "-3", "9007199254740993"][usize::from(b)];
    match kind {
        0 | 1 => format!("INSERT OR IGNORE INTO item(id, body, n) VALUES ({a}, 'b{b}', {b})"),
        2 => format!("REPLACE INTO item(id, body, n) VALUES ({a}, 'b{b}', {a})"),
        3 => format!("UPDATE item SET n = n + {b} WHERE id = {a}"),
        4 => format!("UPDATE OR REPLACE item SET id = {a} WHERE id = {b}"),
        5 => format!("DELETE FROM item WHERE id = {a}"),
        6 => format!("INSERT INTO word VALUES ('k{a}', {value}) ON CONFLICT(k) DO UPDATE SET v = excluded.v"),
        7 => {
            format!("UPDATE word SET k = CASE WHEN k = upper(k) COLLATE BINARY THEN lower(k) ELSE upper(k) END WHERE k = 'k{a}'")
        }
        8 => format!("INSERT OR REPLACE INTO pair(a, b, note) VALUES ('{}', {value}, {b})", a % 3),
        9 => format!("UPDATE OR REPLACE pair SET b = {value} WHERE a = '{}'", a % 3),
        10 => ["item", "word", "pair", "part", "owner"].map(|table| format!("DELETE FROM {table}"))[usize::from(a) % 5].clone(),
        11 => format!("INSERT INTO part(item, q) VALUES ({a}, {value})"),
        12 => format!(
            "BEGIN; DELETE FROM part; SAVEPOINT s; DELETE FROM item; UPDATE word SET v = 0; ROLLBACK TO s; UPDATE item SET n = {b}; COMMIT"
        ),
        13 => format!(
            "BEGIN; INSERT INTO loose VALUES ({a}); UPDATE word SET v = {value}; ROLLBACK; DELETE FROM word WHERE k = 'k{b}'"
        ),
        // It fails in its middle.
        14 => format!("INSERT INTO word SELECT 'n' || id, 1 FROM item UNION ALL SELECT 'k{a}', 1 UNION ALL SELECT 'k{a}', 2"),
        15 => "VACUUM".into(),
        16 => format!("INSERT INTO \"o\"\"dd\"(\"the \"\"key\"\"\") VALUES ('{a}'); UPDATE \"o\"\"dd\" SET \"select\" = {value}"),
        17 => format!(
            "INSERT OR IGNORE INTO owner VALUES ({a}); INSERT INTO owned(owner) SELECT {b} WHERE {b} IN (SELECT id FROM owner)"
        ),
        18 => format!("UPDATE OR IGNORE owner SET id = {b} WHERE id = {a}"),
        19 => format!("DELETE FROM owner WHERE id = {a}"),
        20 => format!("UPDATE OR REPLACE item SET body = 'b' || ((id + {b}) % 8)"),
        _ => format!("DELETE FROM word WHERE k = 'k{a}'; INSERT INTO word VALUES ('K{a}', {value})"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, u8, u8),
    Transaction(Vec<(u8, u8, u8)>, bool),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let write = || (0u8..22, 0u8..8, 0u8..8);
    prop_oneof![
        10 => write().prop_map(|(kind, a, b)| Step::Write(kind, a, b)),
        4 => (prop::collection::vec(write(), 1..6), any::<bool>()).prop_map(|(writes, ends_well)| Step::Transaction(writes, ends_well)),
        1 => Just(Step::Crash),
    ]
}

/// On one stack; suspended now and then; suspended wherever that can be.
fn world(fibers: u8, store: MemoryStore) -> World {
    match fibers {
        0 => World::over(store),
        1 => World::with_fibers(store, Limits::default()),
        _ => World::with_eager_fibers(store),
    }
}

/// A database, and another that gets its changes.
struct Pair {
    fibers: u8,
    source: World,
    tab: PortId,
    copy: World,
    copying: PortId,
    since: u64,
}

impl Pair {
    fn new(fibers: u8) -> Self {
        let (mut source, mut copy) = (world(fibers, MemoryStore::new()), world(fibers, MemoryStore::new()));
        let (tab, copying) = (source.tab(), copy.tab());
        source.exec(tab, &[TABLES, SOURCE_ONLY].concat()).unwrap();
        copy.exec(copying, &[TABLES, OWNED].concat()).unwrap();
        let since = source.keep(tab, 1000).unwrap();
        Self { fibers, source, tab, copy, copying, since }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Write(kind, a, b) => drop(self.source.exec(self.tab, &write(*kind, *a, *b))),
            Step::Transaction(writes, ends_well) => {
                let tx = self.source.begin(self.tab, wire::TransactionMode::Immediate, 5000);
                for (kind, a, b) in writes {
                    drop(self.source.exec_in(self.tab, &write(*kind, *a, *b), Some(tx)));
                }
                if *ends_well {
                    drop(self.source.commit(self.tab, tx));
                } else {
                    self.source.send(self.tab, Op::Rollback(wire::Rollback { tx }), &[]);
                }
            }
            Step::Crash => {
                self.source = world(self.fibers, std::mem::take(&mut self.source.store));
                self.tab = self.source.tab();
            }
        }
        self.source.settle();
    }

    fn carry(&mut self) {
        let (told, newest) = self.source.changes(self.tab, self.since).unwrap();
        assert_eq!(
            told.iter().map(|(change, _)| change.commit).collect::<Vec<_>>(),
            (self.since + 1..=newest).collect::<Vec<_>>()
        );
        for (change, changeset) in told {
            assert!(!change.applied, "{change:?}");
            let (_, conflicts) = self.copy.apply(self.copying, &changeset, OnConflict::Abort).unwrap();
            assert_eq!(conflicts, Rows::new());
        }
        self.since = newest;
    }

    fn compare(&mut self) {
        for sql in COMPARED {
            assert_eq!(self.copy.query(self.copying, sql), self.source.query(self.tab, sql), "{sql}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("LIVE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(80), ..ProptestConfig::default() })]

    // At stake: a copy elsewhere that is not what it is taken for.
    #[test]
    fn whoever_applies_every_changeset_has_the_same_rows(fibers in 0u8..3, steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::new(fibers);
        for step in &steps {
            pair.play(step);
            pair.carry();
            pair.compare();
        }
    }

    #[test]
    fn no_bytes_make_apply_panic_or_leave_anything(bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..200, as_is in any::<bool>()) {
        let mut pair = Pair::new(0);
        pair.play(&Step::Transaction(vec![(0, 1, 2), (0, 3, 4), (6, 1, 3), (8, 1, 1)], true));
        let (told, _) = pair.source.changes(pair.tab, pair.since).unwrap();
        let mut changeset = told[0].1.clone();
        let at = at % changeset.len();
        changeset.splice(at..(at + bytes.len()).min(changeset.len()), bytes.iter().copied());
        let result = pair.copy.apply(pair.copying, if as_is { &bytes } else { &changeset }, OnConflict::Abort);
        if result.is_err() {
            prop_assert_eq!(pair.copy.count(pair.copying, "item"), 0);
        }
        prop_assert_eq!(pair.copy.query(pair.copying, "PRAGMA integrity_check").unwrap(), [[text("ok")]]);
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, WireError>) -> String {
    result.expect_err("it fails").code
}

/// A world with a table of two rows, of which changes are kept, and the commit before them.
fn kept() -> (World, PortId, u64) {
    let mut world = World::new();
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    let since = world.keep(tab, 100).unwrap();
    world.exec(tab, "INSERT INTO t VALUES (1, 'one'), (2, 'two')").unwrap();
    (world, tab, since)
}

fn only(world: &mut World, tab: PortId, since: u64) -> Told {
    let (mut told, newest) = world.changes(tab, since).unwrap();
    assert_eq!((told.len(), newest), (1, since + 1));
    told.remove(0)
}

#[test]
fn a_changeset_has_the_bytes_that_sqlite_gives_it() {
    let (mut world, tab, since) = kept();
    world.exec(tab, "UPDATE t SET name = 'ONE' WHERE id = 1; DELETE FROM t WHERE id = 2").unwrap();
    let (one, two) = (&[1, 0, 0, 0, 0, 0, 0, 0, 1][..], &[1, 0, 0, 0, 0, 0, 0, 0, 2][..]);
    let head = b"T\x02\x01\x00t\0";
    let inserted = [&head[..], &[18, 0], one, b"\x03\x03one", &[18, 0], two, b"\x03\x03two"].concat();
    let (told, _) = world.changes(tab, since).unwrap();
    assert_eq!(told[0].1, inserted);
    let changed = [&head[..], &[9, 0], two, b"\x03\x03two", &[23, 0], one, b"\x03\x03one", &[0], b"\x03\x03ONE"].concat();
    assert_eq!(told[1].1, changed);
}

#[test]
fn what_is_not_kept_is_an_error_and_never_an_empty_answer() {
    let mut world = World::new();
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY)").unwrap();
    assert_eq!(code(world.changes(tab, 0)), "HUB_CHANGES_GONE", "nothing is kept");
    assert_eq!(code(world.keep(tab, 1_000_001)), "HUB_BAD_REQUEST");
    let since = world.keep(tab, 10).unwrap();
    assert_eq!(world.changes(tab, since), Ok((vec![], since)));
    assert_eq!(code(world.changes(tab, since - 1)), "HUB_CHANGES_GONE", "from before");
    assert_eq!(code(world.changes(tab, since + 1)), "HUB_CHANGES_GONE", "of another database");
    world.exec(tab, "INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(world.changes(tab, since).unwrap().0.len(), 1);
    assert_eq!(world.keep(tab, 0), Ok(since + 1));
    world.exec(tab, "INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(world.keep(tab, 10), Ok(since + 2), "on again");
    documented("HUB_CHANGES_GONE", &world.changes(tab, since).unwrap_err());
    assert_eq!(code(world.changes(tab, since + 1)), "HUB_CHANGES_GONE", "not noted meanwhile");
    assert_eq!(world.changes(tab, since + 2).unwrap().0.len(), 0);
}

#[test]
fn the_newest_are_kept_over_checkpoints_and_crashes_and_older_ones_go() {
    let mut world = World::with(MemoryStore::new(), Limits { log_records: 8, ..Limits::default() });
    let tab = world.tab();
    world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY)").unwrap();
    let since = world.keep(tab, 20).unwrap();
    for _ in 0..100 {
        world.exec(tab, "INSERT INTO t DEFAULT VALUES").unwrap();
    }
    let mut world = world.crash();
    let tab = world.tab();
    assert_eq!(code(world.changes(tab, since)), "HUB_CHANGES_GONE");
    let (told, newest) = world.changes(tab, since + 80).unwrap();
    assert_eq!((told.len(), newest), (20, since + 100));
    let stored = world.store.keys().filter(|key| matches!(key, tabhub::store::Key::Changes(_))).count();
    assert!((20..=20 + 2 * 8).contains(&stored), "{stored} are stored");
    world.exec(tab, "INSERT INTO t DEFAULT VALUES").unwrap();
    assert_eq!(world.changes(tab, newest).unwrap().0.len(), 1, "the next hub goes on with it");
}

#[test]
fn an_import_ends_what_is_kept() {
    let (mut world, tab, since) = kept();
    let file = world.export(tab);
    world.import(tab, &file).unwrap();
    assert_eq!(code(world.changes(tab, since)), "HUB_CHANGES_GONE");
    let newest = world.welcome("other").1;
    world.exec(tab, "INSERT INTO t VALUES (3, 'three')").unwrap();
    assert_eq!(only(&mut world, tab, newest).0.commit, newest + 1);
}

// At stake: a commit that never became durable, told as if it had; or its number's next owner passed over.
#[test]
fn of_a_lost_commit_nothing_is_kept() {
    let (mut world, tab, since) = kept();
    let id = world.ask_exec(tab, "INSERT INTO t VALUES (3, 'lost')", None);
    world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
    world.settle();
    assert_eq!(code(world.done(tab, id)), "SQLITE_FULL");
    assert_eq!(only(&mut world, tab, since).0.commit, since + 1);
    world.exec(tab, "INSERT INTO t VALUES (3, 'three')").unwrap();
    let (_, changeset) = only(&mut world, tab, since + 1);
    assert!(changeset.ends_with(b"\x03\x05three"));
}

#[test]
fn a_commit_that_changes_too_much_is_gone_and_the_next_is_not() {
    let (mut world, tab, since) = kept();
    world.exec(tab, "INSERT INTO t SELECT value + 10, hex(zeroblob(1000)) FROM generate_series(1, 3000)").unwrap_err();
    let many = "WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) INSERT INTO t SELECT i, hex(zeroblob(1000)) FROM c";
    world.exec(tab, many).unwrap();
    world.exec(tab, "DELETE FROM t WHERE id = 1").unwrap();
    assert_eq!(code(world.changes(tab, since + 1)), "HUB_CHANGES_GONE");
    assert_eq!(world.changes(tab, since + 2).unwrap().0.len(), 1);
    world.exec(tab, "UPDATE t SET name = name || 1").unwrap();
    assert_eq!(code(world.changes(tab, since + 3)), "HUB_CHANGES_GONE", "the states before are too large too");
}

#[test]
fn a_schema_change_is_told_and_rows_are_told_by_the_schema_that_they_were_written_in() {
    let (mut world, tab, since) = kept();
    world.exec(tab, "ALTER TABLE t ADD COLUMN done; UPDATE t SET done = 1 WHERE id = 2; CREATE TABLE u(a, b PRIMARY KEY); INSERT INTO u VALUES (1, 2); CREATE INDEX i ON u(a); INSERT INTO u VALUES (3, 4)").unwrap();
    let (told, newest) = world.changes(tab, since).unwrap();
    let (change, changeset) = &told[1];
    assert!(change.schema && !told[0].0.schema);
    let mut copy = World::new();
    let copying = copy.tab();
    copy.exec(copying, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    copy.apply(copying, &told[0].1, OnConflict::Abort).unwrap();
    let refused = copy.apply(copying, changeset, OnConflict::Abort).unwrap_err();
    assert_eq!((&*refused.code, refused.message.contains("\"t\"")), ("HUB_BAD_REQUEST", true), "{refused:?}");
    copy.exec(copying, "ALTER TABLE t ADD COLUMN done").unwrap();
    let refused = copy.apply(copying, changeset, OnConflict::Abort).unwrap_err();
    assert!(refused.message.contains("\"u\"") && refused.message.contains("does not exist"), "{refused:?}");
    copy.exec(copying, "CREATE TABLE u(a, b PRIMARY KEY)").unwrap();
    copy.apply(copying, changeset, OnConflict::Abort).unwrap();
    for sql in ["SELECT * FROM t ORDER BY id", "SELECT * FROM u ORDER BY b"] {
        assert_eq!(copy.query(copying, sql), world.query(tab, sql));
    }

    world.exec(tab, "UPDATE u SET a = 9; ALTER TABLE u RENAME COLUMN a TO z").unwrap();
    assert_eq!(code(world.changes(tab, newest)), "HUB_CHANGES_GONE", "it became another under its rows");
    world.exec(tab, "UPDATE u SET z = 8; UPDATE t SET name = 'x'; DROP TABLE u").unwrap();
    let (_, changeset) = only(&mut world, tab, newest + 1);
    copy.apply(copying, &changeset, OnConflict::Abort).unwrap();
    assert_eq!(copy.query(copying, "SELECT name, done FROM t").unwrap(), [[text("x"), Value::Null], [text("x"), int(1)]]);
    world.exec(tab, "VACUUM; INSERT INTO t(id) VALUES (77)").unwrap();
    let (told, _) = world.changes(tab, newest + 2).unwrap();
    assert_eq!((told.len(), told[0].1.len(), told[0].0.schema), (2, 0, false), "VACUUM changes no row");
}

#[test]
fn a_conflict_fails_leaves_out_or_replaces_as_it_is_told() {
    let (mut world, tab, since) = kept();
    let (_, inserts) = only(&mut world, tab, since);
    world.exec(tab, "UPDATE t SET name = 'ONE' WHERE id = 1").unwrap();
    let (_, update) = only(&mut world, tab, since + 1);
    let mut copy = World::new();
    let copying = copy.tab();
    copy.exec(copying, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'mine')").unwrap();
    let error = copy.apply(copying, &inserts, OnConflict::Abort).unwrap_err();
    documented("HUB_CONFLICT", &error);
    assert!(error.message.contains("insert of row 1 of \"t\" cannot be applied: the row exists already"), "{}", error.message);
    assert_eq!(copy.count(copying, "t"), 1, "nothing was applied");
    let conflict = |operation: &str, reason: &str, resolution: &str| {
        vec![vec![text("t"), text("1"), text(operation), text(reason), text(resolution)]]
    };
    let omitted = copy.apply(copying, &inserts, OnConflict::Omit).unwrap();
    assert_eq!(omitted, (1, conflict("insert", "the row exists already", "omitted")));
    let omitted = copy.apply(copying, &update, OnConflict::Omit).unwrap();
    assert_eq!(omitted, (0, conflict("update", "the row was changed", "omitted")));
    let replaced = copy.apply(copying, &update, OnConflict::Replace).unwrap();
    assert_eq!(replaced, (1, conflict("update", "the row was changed", "replaced")));
    assert_eq!(copy.query(copying, "SELECT name FROM t ORDER BY id").unwrap(), [[text("ONE")], [text("two")]]);
    copy.exec(copying, "DELETE FROM t").unwrap();
    let gone = copy.apply(copying, &update, OnConflict::Replace).unwrap();
    assert_eq!(gone, (0, conflict("update", "the row does not exist", "omitted")));
    copy.exec(
        copying,
        "CREATE TABLE p(id INTEGER PRIMARY KEY); DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY REFERENCES p, name TEXT)",
    )
    .unwrap();
    let error = copy.apply(copying, &inserts, OnConflict::Replace).unwrap_err();
    assert_eq!((&*error.code, copy.count(copying, "t")), ("HUB_CONFLICT", 0), "{error:?}");
}

#[test]
fn what_is_applied_is_told_as_such_and_once_however_often_it_is_sent() {
    let (mut world, tab, since) = kept();
    let (_, inserts) = only(&mut world, tab, since);
    world.exec(tab, "DELETE FROM t").unwrap();
    let first = world.ask_apply(tab, &inserts, OnConflict::Abort, None, Some(1));
    let again = world.ask_apply(tab, &inserts, OnConflict::Abort, None, Some(1));
    assert_eq!(world.applied(tab, first), Ok((2, vec![])));
    assert_eq!(world.applied(tab, again), Ok((2, vec![])), "remembered");
    let (told, newest) = world.changes(tab, since + 1).unwrap();
    assert_eq!(told.iter().map(|(change, _)| change.applied).collect::<Vec<_>>(), [false, true]);
    assert_eq!(told[1].1, inserts);

    world.exec(tab, "CREATE TABLE cursor(at); DELETE FROM t").unwrap();
    let tx = world.begin(tab, wire::TransactionMode::Immediate, 5000);
    let id = world.ask_apply(tab, &inserts, OnConflict::Abort, Some(tx), None);
    assert_eq!(world.applied(tab, id), Ok((2, vec![])));
    let id = world.ask_apply(tab, &inserts, OnConflict::Abort, Some(tx), None);
    assert_eq!(code(world.applied(tab, id)), "HUB_CONFLICT", "it leaves the transaction as it was");
    world.exec_in(tab, "INSERT INTO cursor VALUES (1)", Some(tx)).unwrap();
    world.commit(tab, tx).unwrap();
    let (change, changeset) = only(&mut world, tab, newest + 1);
    assert_eq!((change.applied, changeset), (true, inserts));
    world.exec(tab, "DELETE FROM t; INSERT INTO t VALUES (1, 'mine')").unwrap();
    assert!(!only(&mut world, tab, newest + 2).0.applied);

    let (_, inserts) = &told[1];
    let tx = world.begin(tab, wire::TransactionMode::Immediate, 5000);
    let id = world.ask_apply(tab, inserts, OnConflict::Abort, Some(tx), None);
    assert_eq!(code(world.applied(tab, id)), "HUB_CONFLICT");
    world.exec_in(tab, "INSERT INTO t VALUES (5, 'of the tab itself')", Some(tx)).unwrap();
    world.commit(tab, tx).unwrap();
    assert!(!only(&mut world, tab, newest + 3).0.applied, "or nobody would send it");
}

// At stake: what came from a database of two hubs' times would be told with a hole, or twice.
#[test]
fn several_tabs_read_at_once_and_one_that_leaves_keeps_nobody_waiting() {
    let (mut world, tab, since) = kept();
    for id in 10..60 {
        world.exec(tab, &format!("INSERT INTO t VALUES ({id}, 'x')")).unwrap();
    }
    let other = world.tab();
    let ask = |world: &mut World, tab, since| world.send(tab, Op::Changesets(wire::Changesets { since }), &[]);
    let (gone, one, two) = (ask(&mut world, tab, since), ask(&mut world, tab, since + 5), ask(&mut world, other, since));
    world.send(tab, Op::Cancel(wire::Cancel { target: gone, session: None }), &[]);
    let mut told = [vec![], vec![]];
    let mut open = [true, true];
    while open.iter().any(|open| *open) {
        world.settle();
        for (at, (port, id)) in [(tab, one), (other, two)].into_iter().enumerate() {
            let Some(answer) = world.take(port, id) else { continue };
            let Body::Changeset(change) = answer.body else { panic!("{answer:?}") };
            open[at] &= !change.end;
            if !change.end {
                told[at].push(change.commit);
                world.send(port, Op::Pull(wire::Pull { target: id }), &[]);
            }
        }
    }
    let all: Vec<_> = (since + 1..=since + 51).collect();
    assert_eq!(told, [all[5..].to_vec(), all]);
}

// At stake: what is known of a table, cut short by the end of a statement, and believed from then on.
#[test]
fn a_statement_that_is_stopped_at_any_moment_leaves_no_half_knowledge_of_its_table() {
    for timeout in 1..120 {
        let mut world = world(2, MemoryStore::new());
        let tab = world.tab();
        world.exec(tab, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, d, e)").unwrap();
        let since = world.keep(tab, 10).unwrap();
        let insert = |world: &mut World, timeout| {
            let (sql, params) = ("INSERT INTO t VALUES (NULL, 1, 2, 3, 4, 5)".into(), wire::ParamsShape::default());
            let query = wire::Query { sql, params, tx: None, durability: None, timeout };
            let id = world.send(tab, Op::Query(query), &support::encode_values(&[]));
            world.settle();
            world.rows(tab, id)
        };
        let stopped = insert(&mut world, Some(timeout));
        insert(&mut world, None).unwrap();
        let (told, _) = world.changes(tab, since).unwrap();
        let sizes: Vec<_> = told.iter().map(|(_, changeset)| changeset.len()).collect();
        assert_eq!(sizes, vec![66; if stopped.is_ok() { 2 } else { 1 }], "stopped after {timeout} ms: {stopped:?}");
    }
}

// At stake: rows that were written before a column was added have its default without storing it.
#[test]
fn a_column_that_was_added_later_has_its_default_in_the_rows_before_it() {
    let (mut world, tab, _) = kept();
    world.exec(tab, "ALTER TABLE t ADD COLUMN d INTEGER NOT NULL DEFAULT 7; ALTER TABLE t ADD COLUMN r REAL DEFAULT 2").unwrap();
    let mut copy = World::new();
    let copying = copy.tab();
    copy.exec(copying, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, d INTEGER NOT NULL DEFAULT 7, r REAL DEFAULT 2); INSERT INTO t(id, name) VALUES (1, 'one'), (2, 'two')").unwrap();
    let since = world.welcome("ada").1;
    world.exec(tab, "UPDATE t SET name = 'ONE' WHERE id = 1; DELETE FROM t WHERE id = 2").unwrap();
    let (_, changeset) = only(&mut world, tab, since);
    assert_eq!(copy.apply(copying, &changeset, OnConflict::Abort), Ok((2, vec![])));
    // The hook gives a default as it was declared, 2 and not 2.0, so this one is told as changed: as SQLite's own sessions do, and it changes nothing.
    let (was, is) = ([&[0, 1][..], &[0, 0, 0, 0, 0, 0, 0, 2]].concat(), [&[0, 2, 0x40][..], &[0; 7]].concat());
    let update = [&[23, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1][..], b"\x03\x03one", &was, &[0], b"\x03\x03ONE", &is].concat();
    assert!(changeset.ends_with(&update), "what has not changed is not told: {changeset:?}");
}

// At stake: a table read by a schema that was taken back, whose missing columns SQLite takes for words in quotes.
#[test]
fn a_schema_change_that_was_taken_back_leaves_nothing_of_it() {
    let (mut world, tab, since) = kept();
    let altered = "ALTER TABLE t ADD COLUMN more; UPDATE t SET more = 'x', name = 'in between'";
    let tx = world.begin(tab, wire::TransactionMode::Immediate, 5000);
    world.exec_in(tab, altered, Some(tx)).unwrap();
    world.send(tab, Op::Rollback(wire::Rollback { tx }), &[]);
    world.settle();
    world.exec(tab, "UPDATE t SET name = 'after' WHERE id = 1").unwrap();
    let (told, newest) = world.changes(tab, since).unwrap();
    assert_eq!(&told[1].1[..4], b"T\x02\x01\0", "two columns");
    assert!(told[1].1.ends_with(b"\x03\x03one\0\x03\x05after"));

    world
        .exec(tab, &format!("BEGIN; SAVEPOINT s; {altered}; ROLLBACK TO s; UPDATE t SET name = 'late' WHERE id = 2; COMMIT"))
        .unwrap();
    assert_eq!(code(world.changes(tab, newest)), "HUB_CHANGES_GONE", "nobody knows");
    world.exec(tab, "UPDATE t SET name = 'later' WHERE id = 2").unwrap();
    assert!(only(&mut world, tab, newest + 1).1.ends_with(b"\x03\x04late\0\x03\x05later"));
}

// At stake: the changes of a commit that failed, told as those of the next one.
#[test]
fn what_commits_by_itself_changes_no_row() {
    let (mut world, tab, since) = kept();
    world.exec(tab, "CREATE TABLE child(id INTEGER PRIMARY KEY, t REFERENCES t DEFERRABLE INITIALLY DEFERRED)").unwrap();
    let failed = world.exec(tab, "BEGIN; INSERT INTO t VALUES (9, 'never'); INSERT INTO child VALUES (1, 77); COMMIT");
    assert_eq!(code(failed), "SQLITE_CONSTRAINT_FOREIGNKEY");
    world.exec(tab, "PRAGMA user_version = 7").unwrap();
    world.exec(tab, "VACUUM").unwrap();
    let (told, newest) = world.changes(tab, since + 2).unwrap();
    assert_eq!((told.len(), newest), (2, since + 4));
    assert!(told.iter().all(|(_, changeset)| changeset.is_empty()), "{told:?}");
}
