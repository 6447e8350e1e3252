//! Live queries and changes: what tabs are told of commits, against what is there. The real hub and the real `SQLite`, natively.

mod support;

use proptest::prelude::*;
use support::{Answer, Rows, World, decode_rows, encode_values, int, text};
use tabhub::ids::PortId;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Limits, StoreFailure};
use tabhub::wire::{self, Body, Op, Value};

/// A tab's side of a live query, as `hub-js/live.ts` has it.
struct Followed {
    port: PortId,
    id: u64,
    sql: String,
    rows: Rows,
    columns: usize,
    /// Updates that have come.
    updates: usize,
    error: Option<wire::WireError>,
}

impl Followed {
    fn begin(world: &mut World, port: PortId, sql: &str, params: &[Value]) -> Self {
        let shape = wire::ParamsShape { count: u32::try_from(params.len()).unwrap(), names: None };
        let id = world.send(port, Op::Live(wire::Live { sql: sql.into(), params: shape }), &encode_values(params));
        let mut this = Self { port, id, sql: sql.into(), rows: vec![], columns: 0, updates: 0, error: None };
        world.settle();
        this.take(world);
        this
    }

    /// Takes what has come, and asks for more.
    fn take(&mut self, world: &mut World) {
        while let Some(answer) = world.take(self.port, self.id) {
            self.updates += 1;
            match &answer.body {
                Body::Live(update) => self.apply(update, &answer),
                Body::Error(error) => self.error = Some(error.clone()),
                other => panic!("a state, not {other:?}"),
            }
            world.send(self.port, Op::Pull(wire::Pull { target: self.id }), &[]);
            world.settle();
        }
    }

    fn apply(&mut self, update: &wire::LiveUpdate, answer: &Answer) {
        self.columns = update.columns.as_ref().map_or(self.columns, Vec::len);
        let mut fresh = decode_rows(&answer.payload, update.fresh as usize, self.columns).0.into_iter();
        let mut rows = vec![];
        for part in update.parts.chunks_exact(2) {
            let (from, count) = (part[0] as usize, part[1] as usize);
            match from {
                0 => rows.extend(fresh.by_ref().take(count)),
                from => rows.extend_from_slice(&self.rows[from - 1..from - 1 + count]),
            }
        }
        assert!(fresh.next().is_none(), "{update:?}");
        self.rows = rows;
    }
}

const SCHEMA: &str = "
    CREATE TABLE item(id INTEGER PRIMARY KEY, list INTEGER, body TEXT UNIQUE, n REAL);
    CREATE TABLE word(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    CREATE TABLE part(id INTEGER PRIMARY KEY, item INTEGER REFERENCES item(id) ON DELETE CASCADE ON UPDATE CASCADE, q INTEGER);
    CREATE TABLE noted(at INTEGER PRIMARY KEY, what TEXT);
    CREATE TRIGGER note_it AFTER UPDATE OF n ON item BEGIN INSERT INTO noted(what) VALUES (new.body); END;
    CREATE VIRTUAL TABLE found USING fts5(body);
    CREATE TRIGGER find_it AFTER INSERT ON item BEGIN INSERT INTO found(rowid, body) VALUES (new.id, new.body); END;
    CREATE TABLE tag(name TEXT COLLATE NOCASE, n NUMERIC, any);
    CREATE VIEW listed AS SELECT item.id, part.q FROM item JOIN part ON part.item = item.id;";

const QUERIES: [&str; 23] = [
    "SELECT * FROM item ORDER BY id",
    "SELECT * FROM item WHERE id = 3",
    "SELECT body FROM item WHERE id = 5 AND list = 1",
    "SELECT * FROM word ORDER BY k",
    "SELECT v FROM word WHERE k = 'k2'",
    "SELECT * FROM part ORDER BY id",
    "SELECT count(*) FROM noted",
    "SELECT * FROM listed ORDER BY 1, 2",
    "SELECT rowid, body FROM found WHERE found MATCH 'b3' ORDER BY rowid",
    "SELECT list, count(*), sum(n) FROM item GROUP BY list ORDER BY list",
    "SELECT name FROM sqlite_schema ORDER BY name",
    "SELECT (SELECT max(q) FROM part), (SELECT min(id) FROM item)",
    "SELECT * FROM item WHERE body IN (SELECT what FROM noted) ORDER BY id DESC",
    "SELECT id, body FROM item ORDER BY n DESC, id LIMIT 3",
    // Of these, rows in which the column has another value are no concern.
    "SELECT * FROM item WHERE list = 1 ORDER BY id",
    "SELECT count(*), sum(n) FROM item AS i WHERE n > 1 AND i.list = 2",
    "SELECT id FROM item WHERE 'b3' = body ORDER BY n LIMIT 2",
    "SELECT k FROM word WHERE v = 3 ORDER BY k",
    "SELECT * FROM part WHERE item = 2 ORDER BY id",
    "SELECT rowid, * FROM tag WHERE name = 'B3' ORDER BY rowid",
    "SELECT rowid, * FROM tag WHERE n = '2' ORDER BY rowid",
    "SELECT rowid, * FROM tag t WHERE t.any = 2 ORDER BY rowid",
    "SELECT rowid, * FROM tag WHERE any = '2' AND (n OR name) ORDER BY rowid",
];

/// Whatever changes a row, or more.
fn write(kind: u8, a: u8, b: u8) -> String {
    match kind {
        0 | 1 => format!("INSERT OR IGNORE INTO item VALUES ({a}, {}, 'b{b}', {b})", b % 3),
        2 => format!("REPLACE INTO item(id, list, body, n) VALUES ({a}, 1, 'b{b}', {a})"),
        3 => format!("UPDATE item SET n = n + {b} WHERE id = {a}"),
        4 => format!("UPDATE OR IGNORE item SET id = {a} WHERE id = {b}"),
        5 => format!("DELETE FROM item WHERE id = {a}"),
        6 => format!("INSERT INTO word VALUES ('k{a}', {b}) ON CONFLICT(k) DO UPDATE SET v = excluded.v"),
        7 => format!("DELETE FROM word WHERE k = 'k{a}'"),
        8 | 9 => format!("INSERT OR IGNORE INTO part(item, q) SELECT id, {b} FROM item WHERE id = {a}"),
        10 => ["item", "word", "part", "noted", "found"].map(|table| format!("DELETE FROM {table}"))[usize::from(a) % 5].clone(),
        11 => format!("INSERT INTO found(rowid, body) VALUES ({}, 'b{b} x')", 100 + u32::from(a)),
        12 => {
            format!("BEGIN; DELETE FROM part; SAVEPOINT s; DELETE FROM item; ROLLBACK TO s; UPDATE item SET list = {b}; COMMIT")
        }
        13 => format!("ALTER TABLE noted ADD COLUMN c{a}_{b} DEFAULT {b}"),
        14 => "DROP TABLE noted; CREATE TABLE noted(at INTEGER PRIMARY KEY, what TEXT)".into(),
        15 => "VACUUM".into(),
        16 => format!("CREATE TABLE made_{a}_{b}(x); INSERT INTO made_{a}_{b} VALUES (1)"),
        17 => {
            let value = ["2", "'2'", "2.0", "x'32'", "NULL", "'2 '", "3", "' 2'"][usize::from(b)];
            format!("INSERT INTO tag VALUES ('{}', {value}, {value})", ["b3", "B3", "b4", "c3"][usize::from(a) % 4])
        }
        18 => format!("UPDATE tag SET n = any, any = n, name = upper(name) WHERE rowid % 4 = {}", a % 4),
        19 => format!("DELETE FROM tag WHERE rowid % 3 = {}", a % 3),
        20 => format!("ALTER TABLE tag ADD COLUMN c{a}_{b}"),
        21 => {
            let of = ["SELECT item.id, part.q FROM item JOIN part ON part.item = item.id", "SELECT k AS id, v AS q FROM word"];
            format!("DROP VIEW listed; CREATE VIEW listed AS {}", of[usize::from(a) % 2])
        }
        _ => format!("UPDATE word SET v = v || {b}"),
    }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, u8, u8, u8),
    Transaction(usize, Vec<(u8, u8, u8)>, bool),
    Follow(usize, usize),
    Crash,
    Import,
}

fn step() -> impl Strategy<Value = Step> {
    let write = || (0u8..23, 0u8..8, 0u8..8);
    prop_oneof![
        12 => (0usize..2, write()).prop_map(|(tab, (kind, a, b))| Step::Write(tab, kind, a, b)),
        3 => (0usize..2, prop::collection::vec(write(), 1..5), any::<bool>()).prop_map(|(tab, writes, ends_well)| Step::Transaction(tab, writes, ends_well)),
        3 => (0usize..2, 0..QUERIES.len()).prop_map(|(tab, query)| Step::Follow(tab, query)),
        1 => Just(Step::Crash),
        1 => Just(Step::Import),
    ]
}

/// Two tabs and what they follow.
struct Story {
    world: World,
    tabs: [PortId; 2],
    followed: Vec<Followed>,
}

impl Story {
    fn new(mut world: World) -> Self {
        let tabs = [world.tab(), world.tab()];
        world.exec(tabs[0], SCHEMA).unwrap();
        Self { world, tabs, followed: vec![] }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Write(tab, kind, a, b) => drop(self.world.exec(self.tabs[*tab], &write(*kind, *a, *b))),
            Step::Transaction(tab, writes, ends_well) => self.transaction(self.tabs[*tab], writes, *ends_well),
            Step::Follow(tab, query) => self.follow(self.tabs[*tab], QUERIES[*query]),
            Step::Crash => {
                self.world = std::mem::take(&mut self.world.store).into_world(self.world.stacks.is_some());
                let old = std::mem::replace(&mut self.tabs, [self.world.tab(), self.world.tab()]);
                for lost in std::mem::take(&mut self.followed) {
                    let tab = usize::from(lost.port == old[1]);
                    self.follow(self.tabs[tab], &lost.sql);
                }
            }
            Step::Import => {
                let file = self.world.export(self.tabs[0]);
                self.world.import(self.tabs[1], &file).unwrap();
            }
        }
        self.world.settle();
    }

    fn follow(&mut self, tab: PortId, sql: &str) {
        let followed = Followed::begin(&mut self.world, tab, sql, &[]);
        self.followed.push(followed);
    }

    fn transaction(&mut self, tab: PortId, writes: &[(u8, u8, u8)], ends_well: bool) {
        let tx = self.world.begin(tab, wire::TransactionMode::Immediate, 5000);
        for (kind, a, b) in writes {
            drop(self.world.exec_in(tab, &write(*kind, *a, *b), Some(tx)));
        }
        if ends_well {
            drop(self.world.commit(tab, tx));
        } else {
            self.world.send(tab, Op::Rollback(wire::Rollback { tx }), &[]);
        }
    }

    /// Every live result is what the query answers now.
    fn check(&mut self) {
        let mut followed = std::mem::take(&mut self.followed);
        for live in &mut followed {
            live.take(&mut self.world);
            match self.world.query(live.port, &live.sql) {
                Ok(rows) => assert_eq!((&live.rows, &live.error), (&rows, &None), "{}", live.sql),
                Err(error) => assert_eq!(live.error.as_ref().map(|e| &e.code), Some(&error.code), "{}", live.sql),
            }
        }
        followed.retain(|live| live.error.is_none());
        self.followed = followed;
    }
}

trait IntoWorld {
    fn into_world(self, has_fibers: bool) -> World;
}

impl IntoWorld for MemoryStore {
    fn into_world(self, has_fibers: bool) -> World {
        if has_fibers { World::with_fibers(self, Limits::default()) } else { World::over(self) }
    }
}

fn cases() -> u32 {
    std::env::var("LIVE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    // At stake: a list that shows what is not there any more, for ever.
    #[test]
    fn every_live_result_is_the_query_run_afresh_after_every_commit(has_fibers in any::<bool>(), steps in prop::collection::vec(step(), 1..60)) {
        let mut story = Story::new(MemoryStore::new().into_world(has_fibers));
        for step in &steps {
            story.play(step);
            story.check();
        }
    }
}

fn told(world: &mut World, tab: PortId, id: u64) -> Vec<(wire::Changed, Vec<i64>)> {
    let mut all = vec![];
    while let Some(answer) = world.take(tab, id) {
        let Body::Changed(changed) = answer.body else { panic!("a change, not {:?}", answer.body) };
        let count = changed.tables.iter().filter_map(|table| table.rows).sum::<u32>();
        let rows = decode_rows(&answer.payload, count as usize, 1).0.into_iter();
        all.push((changed, rows.map(|row| if let [Value::Integer(n)] = row[..] { n } else { panic!("{row:?}") }).collect()));
    }
    all
}

fn changed(table: &str, kinds: &str, rows: Option<u32>) -> wire::TableChanged {
    let has = |kind| kinds.contains(kind);
    wire::TableChanged { table: table.into(), insert: has('i'), update: has('u'), delete: has('d'), rows }
}

#[test]
fn a_commit_is_told_with_its_rows_whatever_changed_them_and_whose_it_was() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let world = &mut story.world;
    let listen =
        |world: &mut World, tab, tables: Option<Vec<String>>| world.send(tab, Op::Changes(wire::Changes { tables }), &[]);
    let (of_a, of_b) = (listen(world, a, None), listen(world, b, Some(vec!["part".into()])));
    assert_eq!((told(world, a, of_a).len(), told(world, b, of_b).len()), (1, 1), "where they begin");

    world
        .exec(a, "INSERT INTO item VALUES (1, 1, 'one', 1), (2, 1, 'two', 2); INSERT INTO part VALUES (7, 1, 1), (8, 2, 1)")
        .unwrap();
    let [(first, rows)] = &told(world, a, of_a)[..] else { panic!() };
    assert_eq!(first.tables, [changed("found", "i", None), changed("item", "i", Some(2)), changed("part", "i", Some(2))]);
    assert_eq!((&rows[..], first.own, first.schema), (&[1, 2, 7, 8][..], true, false));
    let [(other, rows)] = &told(world, b, of_b)[..] else { panic!() };
    assert_eq!((&other.tables[..], &rows[..], other.own), (&[changed("part", "i", Some(2))][..], &[7, 8][..], false));
    assert_eq!(first.commit, other.commit);

    world.query(b, "UPDATE item SET id = 5, n = 9 WHERE id = 1").unwrap();
    let [(second, rows)] = &told(world, a, of_a)[..] else { panic!() };
    assert_eq!(second.tables, [changed("item", "u", Some(2)), changed("noted", "i", Some(1)), changed("part", "u", Some(1))]);
    assert_eq!(
        (&rows[..], second.own, second.commit > first.commit),
        (&[1, 5, 1, 7][..], false, true),
        "a cascade, a trigger, and both ids"
    );

    world.query(b, "DELETE FROM item").unwrap();
    let [(third, rows)] = &told(world, a, of_a)[..] else { panic!() };
    assert_eq!(
        (third.tables.clone(), &rows[..]),
        (vec![changed("item", "d", Some(2)), changed("part", "d", Some(2))], &[2, 5, 7, 8][..])
    );

    world.query(a, "UPDATE item SET n = 1").unwrap();
    assert!(told(world, a, of_a).is_empty(), "nothing was changed");
    world.query(a, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1001) INSERT INTO noted(what) SELECT i FROM c").unwrap();
    assert_eq!(told(world, a, of_a)[0].0.tables, [changed("noted", "i", None)], "too many to name");
    world.exec(a, "CREATE TABLE more(x)").unwrap();
    assert!(told(world, a, of_a)[0].0.schema && told(world, b, of_b).iter().any(|(change, _)| change.schema));

    world.send(a, Op::Cancel(wire::Cancel { target: of_a, session: None }), &[]);
    world.exec(a, "INSERT INTO more VALUES (1)").unwrap();
    assert!(told(world, a, of_a).is_empty());
}

// At stake: a search that shows a text which is not there any more. The connection knows no virtual table before.
#[test]
fn a_virtual_table_that_reads_another_is_run_again_when_that_is_written() {
    let mut world = World::new();
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE item(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO item VALUES (1, 'one')").unwrap();
    let mut first = Followed::begin(&mut world, b, "SELECT count(*) FROM item", &[]);
    world.exec(a, "CREATE VIRTUAL TABLE found USING fts5(body, content='item', content_rowid='id'); INSERT INTO found(found) VALUES ('rebuild')").unwrap();
    first.take(&mut world);
    let mut search = Followed::begin(&mut world, b, "SELECT body FROM found WHERE found MATCH 'one'", &[]);
    assert_eq!(search.rows, vec![vec![text("one")]]);
    world.exec(a, "UPDATE item SET body = 'changed' WHERE id = 1").unwrap();
    search.take(&mut world);
    assert_eq!(search.rows, vec![vec![text("changed")]]);
}

// At stake: what a view reads now, written while the query that reads it is still being run anew.
#[test]
fn a_write_after_a_change_of_the_schema_is_seen_though_nobody_knows_yet_what_the_query_reads() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE t(x); CREATE TABLE u(x); CREATE VIEW v AS SELECT x FROM t").unwrap();
    let slow = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) SELECT (SELECT count(*) FROM v), max(i) FROM c";
    let mut live = Followed::begin(&mut world, b, slow, &[]);
    // Store and statements by turns: the commits come while the query is in its middle.
    for sql in ["DROP VIEW v; CREATE VIEW v AS SELECT x FROM u", "INSERT INTO u VALUES (1)"] {
        let id = world.ask_exec(a, sql, None);
        go_on_until(&mut world, |world| world.take(a, id).is_some());
    }
    world.settle();
    live.take(&mut world);
    assert_eq!(live.rows, vec![vec![int(1), int(1000)]]);
}

// At stake: a change that nobody noted, because nobody followed anything yet when its script began.
#[test]
fn the_parts_of_a_script_that_fails_are_told_to_who_came_in_its_middle() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE t(x)").unwrap();
    let parts =
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); COMMIT; INSERT INTO nowhere VALUES (3)";
    let script = world.ask_exec(a, parts, None);
    let mut live = Followed::begin(&mut world, b, "SELECT x FROM t ORDER BY x", &[]);
    world.settle();
    assert!(world.done(a, script).is_err());
    live.take(&mut world);
    assert_eq!(live.rows, vec![vec![int(1)], vec![int(2)]]);
}

// At stake: a frozen tab for which messages pile up without an end.
#[test]
fn a_tab_that_takes_nothing_is_told_once_that_there_was_more() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let world = &mut story.world;
    let id = world.send(b, Op::Changes(wire::Changes { tables: None }), &[]);
    for n in 0..300 {
        world.query(a, &format!("INSERT INTO noted(what) VALUES ({n})")).unwrap();
    }
    let all = told(world, b, id);
    assert_eq!((all.len(), all.iter().any(|(change, _)| change.schema)), (1 + 256, false));
    world.send(b, Op::Pull(wire::Pull { target: id }), &[]);
    let [(last, _)] = &told(world, b, id)[..] else { panic!() };
    assert!(last.schema && last.commit > all[256].0.commit);
    world.send(b, Op::Pull(wire::Pull { target: id }), &[]);
    world.query(a, "INSERT INTO noted(what) VALUES ('more')").unwrap();
    assert_eq!(told(world, b, id)[0].0.tables, [changed("noted", "i", Some(1))]);
}

// At stake: a tab that shows what a crash takes back.
#[test]
fn nothing_is_told_before_it_is_durable_nor_what_was_lost() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let mut live = Followed::begin(&mut story.world, b, "SELECT id FROM item ORDER BY id", &[]);
    let world = &mut story.world;
    let listening = world.send(b, Op::Changes(wire::Changes { tables: None }), &[]);
    told(world, b, listening);
    world.ask_query(a, "INSERT INTO item VALUES (1, 1, 'one', 1)", &[], None);
    assert!(world.take(b, live.id).is_none() && told(world, b, listening).is_empty());
    world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
    world.settle();
    assert!(world.take(b, live.id).is_none() && told(world, b, listening).is_empty(), "it was lost");
    world.query(a, "INSERT INTO item VALUES (2, 1, 'two', 1)").unwrap();
    live.take(world);
    assert_eq!((live.rows, told(world, b, listening).len()), (vec![vec![int(2)]], 1));
}

#[test]
fn the_same_query_runs_once_for_all_and_only_when_what_it_reads_was_written() {
    let mut story = Story::new(World::new());
    let tabs = [story.tabs[0], story.tabs[1], story.world.tab(), story.world.tab()];
    let world = &mut story.world;
    world.exec(tabs[0], "INSERT INTO item VALUES (1, 1, 'one', 1), (2, 2, 'two', 2)").unwrap();
    let runs = |world: &mut World| world.metrics(tabs[0])["live_runs"];
    let sql = "SELECT * FROM item ORDER BY id";
    let mut all = tabs.map(|tab| Followed::begin(world, tab, sql, &[]));
    assert_eq!(runs(world), 1);
    world.query(tabs[1], "UPDATE item SET body = 'zwei' WHERE id = 2").unwrap();
    for live in &mut all {
        live.take(world);
        assert_eq!((live.updates, &live.rows[1][2]), (2, &text("zwei")));
    }
    assert_eq!(runs(world), 2);
    world.exec(tabs[0], "INSERT INTO word VALUES ('a', 1)").unwrap();
    assert_eq!(runs(world), 2, "another table");

    // One row by its key: other rows of the table do not wake it.
    let mut one = Followed::begin(world, tabs[2], "SELECT body FROM item WHERE id = ?", &[int(1)]);
    assert_eq!((one.rows.clone(), runs(world)), (vec![vec![text("one")]], 3));
    for live in &all {
        world.send(live.port, Op::Cancel(wire::Cancel { target: live.id, session: None }), &[]);
    }
    world.query(tabs[0], "UPDATE item SET body = 'deux' WHERE id = 2").unwrap();
    assert_eq!(runs(world), 3);
    world.query(tabs[0], "UPDATE item SET id = 3 WHERE id = 1").unwrap();
    one.take(world);
    assert_eq!((one.rows.len(), runs(world)), (0, 4));
    world.query(tabs[0], "UPDATE item SET id = 1 WHERE id = 2").unwrap();
    one.take(world);
    assert_eq!(one.rows, vec![vec![text("deux")]]);
}

// At stake: a thousand lists, each of them read anew for every item of any.
#[test]
fn a_row_with_another_value_does_not_wake_a_query_for_one() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let world = &mut story.world;
    world.exec(a, "INSERT INTO item VALUES (1, 1, 'one', 1), (2, 2, 'two', 2)").unwrap();
    let sql = "SELECT id FROM item WHERE list = ? ORDER BY id";
    let mut lists: Vec<_> = (1..=3).map(|list| Followed::begin(world, b, sql, &[int(list)])).collect();
    let mut awakes = |world: &mut World, write: &str| {
        let before = world.metrics(a)["live_runs"];
        world.exec(a, write).unwrap();
        lists.iter_mut().for_each(|list| list.take(world));
        let rows: Vec<Vec<_>> = lists.iter().map(|list| list.rows.iter().map(|row| row[0].clone()).collect()).collect();
        (world.metrics(a)["live_runs"] - before, rows)
    };
    assert_eq!(awakes(world, "INSERT INTO item VALUES (3, 3, 'three', 3)"), (1, vec![vec![int(1)], vec![int(2)], vec![int(3)]]));
    assert_eq!(
        awakes(world, "UPDATE item SET list = 1 WHERE id = 2"),
        (2, vec![vec![int(1), int(2)], vec![], vec![int(3)]]),
        "before and after"
    );
    assert_eq!(awakes(world, "UPDATE item SET list = NULL WHERE id = 3").0, 1);
    assert_eq!(awakes(world, "INSERT INTO item VALUES (4, 4, 'four', 4)").0, 0, "nobody's list");
    let many = "WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c WHERE i < 1020) INSERT INTO item(id, list) SELECT i, i FROM c";
    assert_eq!(awakes(world, many).0, 3, "too many to be noted");
    world.exec(a, "BEGIN; ALTER TABLE item RENAME COLUMN list TO other; ALTER TABLE item ADD COLUMN list; COMMIT").unwrap();
    assert_eq!(
        awakes(world, "UPDATE item SET list = 3 WHERE id = 4").1,
        vec![vec![], vec![], vec![int(4)]],
        "another column has the name"
    );
}

// At stake: a frozen tab that thaws to a thousand states, and the memory that they take.
#[test]
fn a_slow_tab_gets_the_latest_state_and_the_query_is_not_run_for_nobody() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let world = &mut story.world;
    let sql = "SELECT count(*) FROM item";
    let shape = wire::ParamsShape::default();
    let id = world.send(b, Op::Live(wire::Live { sql: sql.into(), params: shape }), &encode_values(&[]));
    world.settle();
    assert!(matches!(world.take(b, id).unwrap().body, Body::Live(_)));
    for n in 0..50 {
        world.query(a, &format!("INSERT INTO item(body) VALUES ('{n}')")).unwrap();
    }
    assert!(world.take(b, id).is_none(), "it has not asked for more");
    assert_eq!(world.metrics(a)["live_runs"], 1);
    world.send(b, Op::Pull(wire::Pull { target: id }), &[]);
    world.settle();
    let answer = world.take(b, id).unwrap();
    assert_eq!(decode_rows(&answer.payload, 1, 1).0, vec![vec![int(50)]]);
    assert_eq!((world.take(b, id).is_none(), world.metrics(a)["live_runs"]), (true, 2));
}

#[test]
fn what_cannot_be_followed_is_told_why() {
    let mut story = Story::new(World::new());
    let [a, b] = story.tabs;
    let world = &mut story.world;
    let code = |world: &mut World, sql: &str| Followed::begin(world, a, sql, &[]).error.map(|error| error.code);
    assert_eq!(code(world, "SELECT * FROM nowhere").as_deref(), Some("SQLITE_ERROR"));
    assert_eq!(code(world, "DELETE FROM item RETURNING id").as_deref(), Some("HUB_REFUSED"));
    assert_eq!(code(world, "SELECT 1; SELECT 2").as_deref(), Some("HUB_BAD_REQUEST"));
    assert_eq!(code(world, "SELECT ?").as_deref(), Some("HUB_BAD_REQUEST"));
    assert_eq!(code(world, "SELECT zeroblob(40000000)").as_deref(), Some("HUB_LIMIT"));
    let mut live = Followed::begin(world, b, "SELECT * FROM noted", &[]);
    world.exec(a, "DROP TABLE noted").unwrap();
    live.take(world);
    assert_eq!(live.error.map(|error| error.code).as_deref(), Some("SQLITE_ERROR"));
    assert_eq!(world.metrics(a)["live_queries"], 0);
}

/// Lets operations of the store and slices of statements take turns, until it is so.
fn go_on_until(world: &mut World, is_so: impl Fn(&mut World) -> bool) {
    while !is_so(world) {
        assert!(world.step() | world.turn(), "it comes to rest before");
    }
}

// At stake: a list that shows a view as it was, for ever: for a moment nobody knows what the new one reads.
#[test]
fn what_is_written_while_a_query_is_run_for_the_first_time_over_another_schema_is_not_missed() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let (a, b) = (world.tab(), world.tab());
    let many = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400) INSERT INTO new SELECT i FROM c";
    world.exec(a, &format!("CREATE TABLE old(x); CREATE TABLE new(x); CREATE VIEW shown AS SELECT x FROM old; {many}")).unwrap();
    let mut live = Followed::begin(&mut world, b, "SELECT max(x), count(*) FROM shown", &[]);
    world.ask_exec(a, "DROP VIEW shown; CREATE VIEW shown AS SELECT x FROM new", None);
    go_on_until(&mut world, |world| world.metrics(a)["live_runs"] == 2);
    let durable = world.metrics(a)["commit_durable"];
    world.ask_query(a, "INSERT INTO new VALUES (1000)", &[], None);
    go_on_until(&mut world, |world| world.metrics(a)["commit_durable"] > durable);
    assert_eq!(world.metrics(a)["live_updates"], 1, "it is still being run");
    world.settle();
    live.take(&mut world);
    assert_eq!(live.rows, vec![vec![int(1000), int(401)]]);
}

const TWO_PARTS: &str = "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN;
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400) INSERT INTO t SELECT i FROM c; COMMIT";

#[test]
fn who_begins_to_listen_in_the_middle_of_a_script_is_told_only_of_what_comes_after() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE t(x)").unwrap();
    world.send(a, Op::Changes(wire::Changes { tables: None }), &[]);
    let durable = world.metrics(a)["commit_durable"];
    world.ask_exec(a, TWO_PARTS, None);
    go_on_until(&mut world, |world| world.metrics(a)["commit_durable"] > durable);
    let id = world.send(b, Op::Changes(wire::Changes { tables: None }), &[]);
    world.settle();
    let commits: Vec<_> = told(&mut world, b, id).iter().map(|(change, _)| change.commit).collect();
    assert_eq!(commits, [durable + 1, durable + 2]);
}

// At stake: a change that never was, told under the number of one that was.
#[test]
fn the_parts_of_a_script_that_were_lost_are_not_told_when_their_numbers_are_given_out_again() {
    let mut world = World::with_eager_fibers(MemoryStore::new());
    let (a, b) = (world.tab(), world.tab());
    world.exec(a, "CREATE TABLE t(x)").unwrap();
    let id = world.send(b, Op::Changes(wire::Changes { tables: None }), &[]);
    told(&mut world, b, id);
    let script = world.ask_exec(a, TWO_PARTS, None);
    while world.pending.is_empty() {
        assert!(world.turn());
    }
    world.answer_store(Err(StoreFailure::NotApplied(tabhub::error::Error::full())));
    world.settle();
    assert!(world.done(a, script).is_err());
    world.query(a, "INSERT INTO t VALUES (9)").unwrap();
    let all = told(&mut world, b, id);
    assert_eq!(
        all.iter().map(|(change, rows)| (&change.tables[..], &rows[..])).collect::<Vec<_>>(),
        [(&[changed("t", "i", Some(1))][..], &[1][..])]
    );
}
