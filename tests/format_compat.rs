//! At stake: a database stored by any earlier version opens for ever. `tests/format_compat/<format>.bin` holds what that format's
//! build wrote: after an import two block groups, and a log with a record of one part, one of two parts, and one more. Each
//! value is `space u8 (0 header, 1 log, 2 group, 3 sessions, 4 changes) | u64 | u64 | length u32 | bytes`, little-endian.
//!
//! A new format gets a file of its own: `cargo test --test format_compat -- --ignored` writes it.

mod support;

use std::path::{Path, PathBuf};
use support::documented::documented;
use support::{World, int, text};
use tabhub::ids::{CommitSeq, Generation, GroupNo, LogPos};
use tabhub::store::codec::{seal, unseal};
use tabhub::store::header::FORMAT;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Key, Limits};
use tabhub::wire::{self, Body, Op, Resume};

fn file(format: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/format_compat/{format}.bin"))
}

fn read(format: u16) -> MemoryStore {
    let bytes = std::fs::read(file(format)).unwrap();
    let (mut store, mut rest) = (MemoryStore::new(), &bytes[..]);
    while let [space, ..] = *rest {
        let number = |at: usize| u64::from_le_bytes(rest[at..at + 8].try_into().unwrap());
        let length = u32::from_le_bytes(rest[17..21].try_into().unwrap()) as usize;
        let narrow = |n| u32::try_from(n).unwrap();
        let key = match space {
            0 => Key::Header,
            1 => Key::Log(LogPos(number(1))),
            2 => Key::Group(Generation(narrow(number(1))), GroupNo(narrow(number(9)))),
            3 => Key::Sessions,
            _ => Key::Changes(CommitSeq(number(1))),
        };
        store.tamper(key, Some(rest[21..21 + length].to_vec()));
        rest = &rest[21 + length..];
    }
    store
}

fn write(store: &MemoryStore, format: u16) {
    let mut out = vec![];
    for key in store.keys() {
        let (space, a, b) = match key {
            Key::Header => (0, 0, 0),
            Key::Log(position) => (1, position.0, 0),
            Key::Group(generation, group) => (2, generation.0.into(), group.0.into()),
            Key::Sessions => (3, 0, 0),
            Key::Changes(commit) => (4, commit.0, 0),
        };
        let value = store.value(key).unwrap();
        out.push(space);
        out.extend_from_slice(&u64::to_le_bytes(a));
        out.extend_from_slice(&u64::to_le_bytes(b));
        out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
        out.extend_from_slice(value);
    }
    std::fs::write(file(format), out).unwrap();
}

#[test]
fn every_format_opens_reads_writes_and_is_the_present_one_afterwards() {
    for format in 1..=FORMAT {
        let mut world = World::over(read(format));
        let tab = world.tab();
        assert_eq!(world.query(tab, "PRAGMA integrity_check").unwrap(), [[text("ok")]], "format {format}");
        let found = world.query(tab, "SELECT count(*), sum(length(pad)), group_concat(name) FILTER (WHERE id IN (7, 41)) FROM t");
        assert_eq!(found.unwrap(), [[int(41), int(781_210), text("changed,one part")]], "format {format}");
        world.exec(tab, "INSERT INTO t VALUES (100, 'new', NULL)").unwrap();
        let limits = Limits { log_records: 1, ..Limits::default() };
        let mut world = World::with(world.store, limits);
        let tab = world.tab();
        world.exec(tab, "DELETE FROM t WHERE id = 42").unwrap();
        assert!(world.metrics(tab)["checkpoints"] > 0, "format {format}: everything is folded into the groups");
        let mut world = world.crash();
        let tab = world.tab();
        assert_eq!(world.query(tab, "SELECT count(*), max(id) FROM t").unwrap(), [[int(41), int(100)]], "format {format}");
    }
}

// Format 1 remembered nothing.
#[test]
fn what_every_later_format_remembers_of_writes_is_still_known() {
    for format in 2..=FORMAT {
        let mut world = World::over(read(format));
        let tab = world.client("ada", Some(Resume { since: 0, last: 1, epoch: 0 }));
        let again = world.send_write(tab, Some(1), None, insert(), &[]);
        world.settle();
        assert!(matches!(world.take(tab, again).unwrap().body, Body::Done(_)), "format {format}");
        assert_eq!(world.query(tab, "SELECT count(*) FROM t WHERE id = 41").unwrap(), [[int(1)]], "format {format}");
        assert_eq!(world.metrics(tab)["recalled"], 1, "format {format}");
    }
}

#[test]
fn what_every_later_format_keeps_of_changes_is_still_told() {
    for format in 5..=FORMAT {
        let mut world = World::over(read(format));
        let (tab, newest) = world.welcome("ada");
        let (told, _) = world.changes(tab, newest - 3).unwrap();
        let sizes: Vec<_> = told.iter().map(|(_, changeset)| changeset.len()).collect();
        assert_eq!(sizes, [40, 700_034, 858], "format {format}");
    }
}

// At stake: a page that is older than the database must not touch it, and must say why.
#[test]
fn what_a_later_format_has_stored_is_refused_by_name() {
    let mut store = read(FORMAT);
    let mut header = unseal(store.value(Key::Header).unwrap()).unwrap().to_vec();
    header[4..6].copy_from_slice(&(FORMAT + 1).to_le_bytes());
    store.tamper(Key::Header, Some(seal(header)));
    let (_, answer) = World::over(store).greet("ada", None);
    let Body::Error(error) = answer.body else { panic!("{answer:?}") };
    documented("HUB_FORMAT", &error);
}

fn insert() -> Op {
    let sql = "INSERT INTO t VALUES (41, 'one part', zeroblob(10))".into();
    Op::Exec(wire::Exec { sql, tx: None, durability: None, timeout: None })
}

#[test]
#[ignore = "writes the fixture of the present format; run it once when the format has changed"]
fn write_the_fixture_of_the_present_format() {
    let mut seed = World::new();
    let tab = seed.tab();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
                INSERT INTO t SELECT i, 'row ' || i, zeroblob(i * 100) FROM n";
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, pad BLOB); CREATE INDEX by_name ON t(name)";
    seed.exec(tab, &[schema, rows].join("; ")).unwrap();
    let content = seed.export(tab);
    let mut world = World::new();
    let tab = world.client("ada", None);
    world.import(tab, &content).unwrap();
    world.keep(tab, 100).unwrap();
    world.send_write(tab, Some(1), None, insert(), &[]);
    world.exec(tab, "INSERT INTO t VALUES (42, 'many parts', zeroblob(700000))").unwrap();
    world.exec(tab, "UPDATE t SET name = 'changed' WHERE id = 7; DELETE FROM t WHERE id = 8").unwrap();
    write(&world.store, FORMAT);
}
