//! `SQLite`'s own logic tests through the hub, cold before every record: the browser dies, a new hub opens with nothing in
//! memory but the header and the log, and each record must fetch what it touches by missing, and start over.
//!
//! At stake: a miss that is swallowed, or a restart that leaves something behind, is a wrong answer without an error.

#[path = "slt/format.rs"]
mod format;
mod support;

use format::Type;
use sqllogictest::{Control, DB, DBOutput, MakeConnection, QueryExpect, Record, ResultMode, Runner};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::{Rows, World, decode_rows, encode_values};
use tabhub::ids::PortId;
use tabhub::wire::{self, Body, Op, TransactionMode, WireError};

/// A page so large that a block group holds only one: every table and every index is a miss of its own.
const PAGE_BYTES: usize = 32768;

/// A connection that repeats what the hub has answered: the runner wants its connections `Send`, a world is not.
struct Answered(Arc<Mutex<Option<Answer>>>);

type Answer = Result<DBOutput<Type>, Failure>;

#[derive(Debug)]
struct Failure(WireError);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for Failure {}

impl DB for Answered {
    type Error = Failure;
    type ColumnType = Type;

    fn run(&mut self, sql: &str) -> Answer {
        self.0.lock().unwrap().take().unwrap_or_else(|| panic!("the hub was not asked: {sql}"))
    }

    fn engine_name(&self) -> &'static str {
        "sqlite"
    }
}

#[derive(Clone, Debug, Default)]
struct Tally {
    passed: usize,
    refused: usize,
    skipped: usize,
    failures: Vec<String>,
    crashes: u64,
    misses: u64,
    restarts: u64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.refused += other.refused;
        self.skipped += other.skipped;
        self.failures.extend(other.failures.iter().cloned());
        self.crashes += other.crashes;
        self.misses += other.misses;
        self.restarts += other.restarts;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { passed, refused, skipped, failures, crashes, misses, restarts } = self;
        let (records, failed) = (passed + skipped + failures.len(), failures.len());
        write!(
            f,
            "{records:6} records: {passed:6} passed ({refused} refused by design), {skipped:3} skipped, {failed} failed; "
        )?;
        write!(f, "{crashes:6} cold opens, {misses:6} misses, {restarts:6} restarts")
    }
}

/// The database under test. It is lost and opened again before every record.
struct Cold {
    world: Option<World>,
    /// Written since the blocks were last folded into groups.
    written: bool,
    turn: usize,
    tally: Tally,
}

impl Cold {
    fn new() -> Self {
        let mut world = World::new();
        let tab = world.tab();
        world.import(tab, &empty_file()).unwrap();
        Self { world: Some(world), written: false, turn: 0, tally: Tally::default() }
    }

    /// Forgets everything in memory. What was written lies in block groups every other time, in the log else.
    fn cool(&mut self) {
        self.turn += 1;
        let mut world = self.world.take().expect("a world between records");
        let tab = world.tab();
        let metrics = world.metrics(tab);
        self.tally.misses += metrics["misses"];
        self.tally.restarts += metrics["restarts"];
        self.tally.crashes += 1;
        if self.written && self.turn.is_multiple_of(2) {
            let file = world.export(tab);
            world.import(tab, &file).unwrap();
            self.written = false;
        }
        self.world = Some(world.crash());
    }

    /// Asks the hub in one of the ways that tabs have, in turns.
    fn ask(&mut self, sql: &str, types: Option<&[Type]>) -> Answer {
        self.cool();
        let world = self.world.as_mut().expect("a world between records");
        let tab = world.tab();
        self.written |= types.is_none();
        let is_script = sql.trim_end_matches(';').contains(';');
        let rows = match (self.turn / 2 % 4, types) {
            (_, None) if is_script => world.exec(tab, sql).map(|_| vec![]),
            (0, None) => world.exec(tab, sql).map(|_| vec![]),
            (0, Some(_)) => in_transaction(world, tab, TransactionMode::Read, sql),
            (1, Some(_)) => iterate(world, tab, sql),
            (2, _) => in_transaction(world, tab, TransactionMode::Immediate, sql),
            _ => world.query(tab, sql),
        };
        let rows = rows.map_err(Failure)?;
        let Some(types) = types else { return Ok(DBOutput::StatementComplete(0)) };
        // The runner compares the types: other columns than declared must not pass.
        let width = rows.first().map_or(types.len(), Vec::len);
        let types = if width == types.len() { types.to_vec() } else { vec![Type::Any; width] };
        let shown = rows.iter().map(|row| row.iter().zip(&types).map(|(value, column)| format::render(value, column)).collect());
        Ok(DBOutput::Rows { rows: shown.collect(), types })
    }
}

fn in_transaction(world: &mut World, tab: PortId, mode: TransactionMode, sql: &str) -> Result<Rows, WireError> {
    let tx = world.begin(tab, mode, 60_000);
    let rows = world.query_in(tab, sql, Some(tx));
    let end = match rows {
        Ok(_) => Op::Commit(wire::Commit { tx, durability: None }),
        Err(_) => Op::Rollback(wire::Rollback { tx }),
    };
    let id = world.send(tab, end, &[]);
    world.settle();
    world.done(tab, id)?;
    rows
}

fn iterate(world: &mut World, tab: PortId, sql: &str) -> Result<Rows, WireError> {
    let params = wire::ParamsShape { count: 0, names: None };
    let target = world.send(tab, Op::Iterate(wire::Iterate { sql: sql.into(), params, timeout: None }), &encode_values(&[]));
    let (mut rows, mut width) = (vec![], 0);
    loop {
        world.settle();
        let answer = world.take(tab, target).expect("the next chunk comes");
        let chunk = match answer.body {
            Body::Chunk(chunk) => chunk,
            Body::Error(error) => return Err(error),
            other => panic!("a chunk or an error, not {other:?}"),
        };
        width = chunk.columns.map_or(width, |columns| columns.len());
        rows.extend(decode_rows(&answer.payload, chunk.rows as usize, width).0);
        if chunk.end {
            return Ok(rows);
        }
        world.send(tab, Op::Pull(wire::Pull { target }), &[]);
    }
}

/// An empty database of one page (<https://www.sqlite.org/fileformat.html>, 1.3 and 1.6), because pages of this size can
/// only be imported.
fn empty_file() -> Vec<u8> {
    let mut file = vec![0; PAGE_BYTES];
    file[..16].copy_from_slice(b"SQLite format 3\0");
    file[16..24].copy_from_slice(&[0x80, 0, 1, 1, 0, 64, 32, 32]);
    for (at, number) in [(24, 1u32), (28, 1), (44, 4), (56, 1), (92, 1), (96, 3_053_004)] {
        file[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    // A leaf of the schema table, no cell, content from the page's end on.
    file[100] = 0x0d;
    file[105] = 0x80;
    file
}

/// Runs a script to its end and tells what became of each record.
fn run(name: &str, text: &str) -> Tally {
    let script = format::parse(name, text);
    let answer = Arc::new(Mutex::new(None));
    let connection = || std::future::ready(Ok(Answered(answer.clone())));
    let mut runner = Runner::new(connection);
    runner.with_hash_threshold(8);
    runner.with_column_validator(sqllogictest::strict_column_validator);
    runner.run(Record::Control(Control::ResultMode(ResultMode::ValueWise))).unwrap();
    let mut cold = Cold::new();
    cold.tally.refused = script.refusals;
    cold.tally.skipped = script.halts;
    for record in script.records {
        step(&mut runner, &mut cold, &answer, record);
    }
    cold.cool();
    cold.tally
}

fn step<M: MakeConnection<Conn = Answered>>(
    runner: &mut Runner<Answered, M>,
    cold: &mut Cold,
    answer: &Mutex<Option<Answer>>,
    record: Record<Type>,
) {
    let (conditions, sql, types) = match &record {
        Record::Statement { conditions, sql, .. } | Record::Query { conditions, sql, expected: QueryExpect::Error(_), .. } => {
            (conditions, sql, None)
        }
        Record::Query { conditions, sql, expected: QueryExpect::Results { types, .. }, .. } => {
            (conditions, sql, Some(types.as_slice()))
        }
        Record::HashThreshold { .. } | Record::Condition(_) | Record::Comment(_) | Record::Newline => {
            runner.run(record).unwrap();
            return;
        }
        other => panic!("no way to run {other:?}"),
    };
    if format::is_for_others(conditions) {
        cold.tally.skipped += 1;
        return;
    }
    *answer.lock().unwrap() = Some(cold.ask(sql, types));
    match runner.run(record) {
        Ok(_) => cold.tally.passed += 1,
        Err(error) => cold.tally.failures.push(error.to_string()),
    }
    assert!(answer.lock().unwrap().is_none(), "the runner looked at the answer");
}

/// What passed and what was skipped is part of the result: `cargo test` hides what passing tests `println!`.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output takes a line");
}

fn scripts_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.extension() {
        _ if path.is_dir() => scripts_in(&path),
        Some(extension) if extension == "test" => vec![path],
        _ => vec![],
    });
    found.collect()
}

#[test]
fn sqlites_own_logic_tests_pass_with_every_record_cold() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/sqllogictest");
    if !corpus.is_dir() {
        say("SKIPPED: SQLite's logic tests are not at ../shared/data/sqllogictest");
        return;
    }
    let mut scripts = scripts_in(&corpus);
    scripts.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = || {
        while let Some(path) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = path.strip_prefix(&corpus).unwrap().display().to_string();
            let tally = run(&name, &std::fs::read_to_string(path).unwrap());
            say(&format!("{name:36} {tally}"));
            assert!(tally.restarts > 0, "{name} ran without a miss");
            total.lock().unwrap().add(&tally);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let total = total.into_inner().unwrap();
    say(&format!("{:36} {total}", "in all"));
    assert!(total.failures.is_empty(), "{}", total.failures.join("\n"));
}

// The negative control: the checker must see a wrong value, a wrong hash, an error that does not come and one that does.
#[test]
fn a_wrong_expectation_fails_and_names_its_line() {
    let right = "statement ok\nCREATE TABLE t(a, b)\n\nstatement ok\nINSERT INTO t VALUES (1, 'x'), (2, 'y')\n\n";
    let tally = run("right", &format!("{right}query IT rowsort\nSELECT a, b FROM t\n----\n1\nx\n2\ny\n"));
    assert_eq!((tally.passed, tally.failures.len()), (3, 0), "{tally:?}");
    assert!(tally.crashes >= 3 && tally.misses > 0, "{tally:?}");
    for (wrong, names) in [
        ("query IT rowsort\nSELECT a, b FROM t\n----\n1\nx\n2\nz\n", "-   z\n"),
        ("query I nosort\nSELECT a FROM t, t, t\n----\n16 values hashing to 00\n", "query failed: SQLITE_ERROR: ambiguous"),
        ("query I nosort\nSELECT t.a FROM t, t u, t v, t w\n----\n16 values hashing to 00\n", "+   16 values hashing to"),
        ("query I nosort\nSELECT a FROM t WHERE a > 5\n----\n1\n", "-   1"),
        ("query I nosort\nSELECT a, b FROM t WHERE a = 1\n----\n1\n", "query columns mismatch"),
        ("statement ok\nINSERT INTO t VALUES (1)\n", "statement failed: SQLITE_ERROR: table t has 2 columns"),
        ("statement error\nINSERT INTO t VALUES (1, 2)\n", "expected to fail"),
    ] {
        let tally = run("wrong", &format!("{right}{wrong}"));
        assert_eq!((tally.passed, tally.failures.len()), (2, 1), "{wrong}");
        let failure = &tally.failures[0];
        assert!(failure.contains(names) && failure.contains("wrong:7"), "{failure}");
    }
}
