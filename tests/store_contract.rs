//! What every block store must do, run against each: the memory store, which the simulation trusts, and the file store.

mod directory;

use directory::Directory;
use proptest::prelude::*;
use std::rc::Rc;
use tabhub::error::Error;
use tabhub::ids::{CommitSeq, Epoch, Generation, GroupNo, LogPos};
use tabhub::store::file::FileStore;
use tabhub::store::header::Header;
use tabhub::store::memory::MemoryStore;
use tabhub::store::{Durability, Key, LogValues, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};

trait Store {
    fn run(&mut self, op: StoreOp) -> StoreResult;
}

impl Store for MemoryStore {
    fn run(&mut self, op: StoreOp) -> StoreResult {
        MemoryStore::run(self, op)
    }
}

impl Store for FileStore {
    fn run(&mut self, op: StoreOp) -> StoreResult {
        FileStore::run(self, op)
    }
}

/// Makes each rule a test of each store.
macro_rules! rules {
    ($($rule:ident)*) => {
        mod memory {
            $(#[test]
            fn $rule() {
                super::$rule(&mut super::MemoryStore::new());
            })*
        }
        mod file {
            $(#[test]
            fn $rule() {
                let directory = super::Directory::new();
                super::$rule(&mut super::FileStore::create(directory.path()).unwrap());
            })*
        }
    };
}

rules! {
    a_claim_raises_the_epoch_and_finds_what_is_stored
    a_fenced_hub_neither_reads_nor_writes
    a_deleted_database_is_told_from_one_that_another_hub_has_opened
    a_refused_batch_leaves_nothing
    a_range_of_groups_is_inclusive_and_leaves_out_what_is_not_there
    a_delete_takes_its_range_and_nothing_else
    a_batch_takes_effect_in_order
    a_new_claim_drops_the_groups_of_other_generations
    a_reopened_connection_finds_everything
    the_sessions_are_one_value
    extreme_keys_and_sizes_survive
}

// ---- short forms

fn open(store: &mut dyn Store) -> (Header, Option<Vec<u8>>, LogValues) {
    match store.run(StoreOp::Open) {
        Ok(StoreReply::Opened { header, sessions, log }) => (header, sessions, log),
        other => panic!("opened, not {other:?}"),
    }
}

fn batch(epoch: Epoch, writes: Vec<Write>) -> StoreOp {
    StoreOp::Write(Rc::new(WriteBatch { epoch, durability: Durability::Strict, writes }))
}

fn write(store: &mut dyn Store, epoch: Epoch, writes: Vec<Write>) {
    assert_eq!(store.run(batch(epoch, writes)), Ok(StoreReply::Written));
}

fn put(key: Key, value: &str) -> Write {
    Write::Put(key, value.into())
}

fn log(position: u64) -> Key {
    Key::Log(LogPos(position))
}

fn group(generation: u32, number: u32) -> Key {
    Key::Group(Generation(generation), GroupNo(number))
}

fn groups(store: &mut dyn Store, epoch: Epoch, generation: u32, first: u32, last: u32) -> Vec<(u32, String)> {
    let (first, last) = (GroupNo(first), GroupNo(last));
    match store.run(StoreOp::ReadGroups { epoch, generation: Generation(generation), first, last }) {
        Ok(StoreReply::Groups(groups)) => groups.into_iter().map(|(n, value)| (n.0, String::from_utf8(value).unwrap())).collect(),
        other => panic!("groups, not {other:?}"),
    }
}

fn positions(store: &mut dyn Store, epoch: Epoch) -> Vec<u64> {
    match store.run(StoreOp::ReadLog(epoch)) {
        Ok(StoreReply::Log { log, .. }) => log.into_iter().map(|(position, _)| position).collect(),
        other => panic!("the log, not {other:?}"),
    }
}

/// Every operation that checks the epoch; the last would write.
fn those_that_check(epoch: Epoch) -> [StoreOp; 5] {
    let groups = StoreOp::ReadGroups { epoch, generation: Generation(1), first: GroupNo(0), last: GroupNo(9) };
    let changes = StoreOp::ReadChanges { epoch, first: CommitSeq(1), last: CommitSeq(9) };
    [groups, changes, StoreOp::ReadLog(epoch), StoreOp::Reopen(epoch), batch(epoch, vec![put(log(1), "stale")])]
}

// ---- the rules

fn a_claim_raises_the_epoch_and_finds_what_is_stored(store: &mut dyn Store) {
    let (first, sessions, log_values) = open(store);
    assert_eq!((first.epoch, sessions, log_values), (Epoch(1), None, vec![]));
    write(store, first.epoch, vec![put(log(1), "one"), put(log(2), "two"), put(Key::Sessions, "s")]);
    let (second, sessions, log_values) = open(store);
    assert_eq!(second, Header { epoch: Epoch(2), ..first });
    assert_eq!(sessions, Some(b"s".to_vec()));
    assert_eq!(log_values, vec![(1, b"one".to_vec()), (2, b"two".to_vec())]);
}

fn a_fenced_hub_neither_reads_nor_writes(store: &mut dyn Store) {
    let old = open(store).0.epoch;
    write(store, old, vec![put(group(1, 0), "g"), put(log(1), "l")]);
    let new = open(store).0.epoch;
    for op in those_that_check(old) {
        let result = store.run(op.clone());
        assert!(matches!(result, Err(StoreFailure::NotApplied(Error::Fenced(_)))), "{op:?}: {result:?}");
    }
    assert_eq!(groups(store, new, 1, 0, 9), [(0, "g".into())]);
    let (.., log_values) = open(store);
    assert_eq!(log_values, vec![(1, b"l".to_vec())]);
}

// At stake: "deleted" and "taken over" call for different acts of the application.
fn a_deleted_database_is_told_from_one_that_another_hub_has_opened(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    write(store, epoch, vec![put(log(1), "l"), Write::Delete(Key::Header, Key::Header), Write::Delete(log(0), log(9))]);
    for op in those_that_check(epoch) {
        let result = store.run(op.clone());
        assert!(matches!(result, Err(StoreFailure::NotApplied(Error::Deleted(_)))), "{op:?}: {result:?}");
    }
    let (header, _, log_values) = open(store);
    assert_eq!((header.epoch, log_values), (Epoch(1), vec![]), "it begins anew, with nothing of what came too late");
}

fn a_refused_batch_leaves_nothing(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    write(store, epoch, vec![put(group(1, 1), "kept"), put(log(1), "kept")]);
    let writes = vec![put(group(1, 0), "x"), Write::Delete(log(0), log(9)), put(Key::Sessions, "x"), put(group(1, 1), "x")];
    assert!(store.run(batch(Epoch(epoch.0 + 1), writes)).is_err());
    assert_eq!(groups(store, epoch, 1, 0, 9), [(1, "kept".into())]);
    assert_eq!(positions(store, epoch), [1]);
    assert_eq!(open(store).1, None);
}

fn a_range_of_groups_is_inclusive_and_leaves_out_what_is_not_there(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    write(store, epoch, [0, 1, 3, 4, 7].map(|n| put(group(1, n), &n.to_string())).into());
    let found =
        |store: &mut dyn Store, first, last| groups(store, epoch, 1, first, last).into_iter().map(|g| g.0).collect::<Vec<_>>();
    assert_eq!(found(store, 1, 4), [1, 3, 4]);
    assert!(found(store, 5, 6).is_empty());
    assert_eq!(found(store, 3, 3), [3]);
    assert_eq!(found(store, 0, u32::MAX), [0, 1, 3, 4, 7]);
    assert!(groups(store, epoch, 2, 0, u32::MAX).is_empty());
}

fn a_delete_takes_its_range_and_nothing_else(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    let mut writes: Vec<Write> = (1..=6).map(|n| put(log(n), "l")).collect();
    writes.extend([0, 1, 2, 3, u32::MAX].map(|n| put(group(1, n), "g")));
    write(store, epoch, writes);
    write(store, epoch, vec![Write::Delete(log(2), log(4)), Write::Delete(group(1, 1), group(1, 2))]);
    assert_eq!(positions(store, epoch), [1, 5, 6]);
    let left: Vec<u32> = groups(store, epoch, 1, 0, u32::MAX).into_iter().map(|g| g.0).collect();
    assert_eq!(left, [0, 3, u32::MAX]);
    write(store, epoch, vec![Write::Delete(log(0), log(u64::MAX))]);
    assert!(positions(store, epoch).is_empty());
    assert_eq!(open(store).0.epoch, Epoch(epoch.0 + 1), "the header is in another space");
}

fn a_batch_takes_effect_in_order(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    let all = || Write::Delete(group(1, 0), group(1, 9));
    write(store, epoch, vec![put(group(1, 1), "a"), all(), put(group(1, 2), "b"), put(group(1, 2), "c")]);
    assert_eq!(groups(store, epoch, 1, 0, 9), [(2, "c".into())]);
    write(store, epoch, vec![put(group(1, 5), "d"), all()]);
    assert!(groups(store, epoch, 1, 0, 9).is_empty());
}

fn a_new_claim_drops_the_groups_of_other_generations(store: &mut dyn Store) {
    let (header, ..) = open(store);
    let epoch = header.epoch;
    let header = Header { generation: Generation(5), ..header };
    let numbers = [(1, 0), (4, u32::MAX), (5, 0), (5, u32::MAX), (6, 0), (u32::MAX, u32::MAX)];
    let mut writes: Vec<Write> = numbers.map(|(generation, n)| put(group(generation, n), "g")).into();
    writes.push(Write::Put(Key::Header, header.encode()));
    write(store, epoch, writes);
    let epoch = open(store).0.epoch;
    let left = |store: &mut dyn Store, generation| groups(store, epoch, generation, 0, u32::MAX).len();
    assert_eq!([1, 4, 5, 6, u32::MAX].map(|generation| left(store, generation)), [0, 0, 2, 0, 0]);
}

fn a_reopened_connection_finds_everything(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    let relaxed = |n: u64| {
        let writes = vec![put(log(n), "relaxed"), put(group(1, 0), &n.to_string())];
        StoreOp::Write(Rc::new(WriteBatch { epoch, durability: Durability::Relaxed, writes }))
    };
    // More than the file store keeps in memory, and some besides.
    for n in 1..=100 {
        assert_eq!(store.run(relaxed(n)), Ok(StoreReply::Written));
    }
    assert_eq!(store.run(StoreOp::Reopen(epoch)), Ok(StoreReply::Reopened));
    assert_eq!(positions(store, epoch), (1..=100).collect::<Vec<_>>());
    assert_eq!(groups(store, epoch, 1, 0, 0), [(0, "100".into())]);
    assert_eq!(store.run(relaxed(101)), Ok(StoreReply::Written));
    assert_eq!(open(store).2.len(), 101);
}

fn the_sessions_are_one_value(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    write(store, epoch, vec![put(Key::Sessions, "first")]);
    write(store, epoch, vec![put(Key::Sessions, "second"), put(log(1), "l")]);
    let (header, sessions, _) = open(store);
    assert_eq!(sessions, Some(b"second".to_vec()));
    write(store, header.epoch, vec![Write::Delete(Key::Sessions, Key::Sessions)]);
    let (header, sessions, _) = open(store);
    assert_eq!((header.epoch, sessions), (Epoch(3), None), "the header is another key");
}

fn extreme_keys_and_sizes_survive(store: &mut dyn Store) {
    let epoch = open(store).0.epoch;
    let large = vec![7u8; 9 << 20];
    let puts = vec![
        Write::Put(log(u64::MAX), vec![]),
        Write::Put(group(1, u32::MAX), large.clone()),
        Write::Put(group(u32::MAX, 0), vec![0]),
    ];
    write(store, epoch, puts);
    assert_eq!(positions(store, epoch), [u64::MAX]);
    let last = GroupNo(u32::MAX);
    let read = store.run(StoreOp::ReadGroups { epoch, generation: Generation(1), first: last, last });
    assert!(read == Ok(StoreReply::Groups(vec![(last, large)])), "9 MiB come back as they went");
}

// ---- any operations: both answer alike

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Sessions),
        (0u64..12).prop_map(|n| Key::Log(LogPos(n))),
        (0u64..12).prop_map(|n| Key::Changes(CommitSeq(n))),
        (1u32..4, 0u32..6).prop_map(|(generation, n)| Key::Group(Generation(generation), GroupNo(n))),
    ]
}

fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        3 => (key(), proptest::collection::vec(any::<u8>(), 0..30)).prop_map(|(key, value)| Write::Put(key, value)),
        1 => (0u64..12, 0u64..12).prop_map(|(a, b)| Write::Delete(log(a.min(b)), log(a.max(b)))),
        1 => (0u64..12, 0u64..12)
            .prop_map(|(a, b)| Write::Delete(Key::Changes(CommitSeq(a.min(b))), Key::Changes(CommitSeq(a.max(b))))),
        1 => (1u32..4, 0u32..6, 0u32..6).prop_map(|(g, a, b)| Write::Delete(group(g, a.min(b)), group(g, a.max(b)))),
    ]
}

/// An operation of the hub whose epoch lies `behind` by so many.
fn any_op() -> impl Strategy<Value = (u64, StoreOp)> {
    let durability = prop_oneof![Just(Durability::Strict), Just(Durability::Relaxed)];
    let write = (durability, proptest::collection::vec(any_write(), 0..5))
        .prop_map(|(durability, writes)| StoreOp::Write(Rc::new(WriteBatch { epoch: Epoch(0), durability, writes })));
    let read = (1u32..4, 0u32..6, 0u32..6).prop_map(|(generation, a, b)| {
        let (generation, first, last) = (Generation(generation), GroupNo(a.min(b)), GroupNo(a.max(b)));
        StoreOp::ReadGroups { epoch: Epoch(0), generation, first, last }
    });
    let op = prop_oneof![
        6 => write,
        3 => read,
        1 => Just(StoreOp::ReadLog(Epoch(0))),
        2 => (0u64..12, 0u64..12).prop_map(|(a, b)| StoreOp::ReadChanges {
            epoch: Epoch(0),
            first: CommitSeq(a.min(b)),
            last: CommitSeq(a.max(b)),
        }),
        1 => Just(StoreOp::Reopen(Epoch(0))),
        1 => Just(StoreOp::Open),
    ];
    (prop_oneof![9 => Just(0u64), 1 => Just(1u64)], op)
}

fn with_epoch(op: StoreOp, epoch: Epoch) -> StoreOp {
    match op {
        StoreOp::Open => StoreOp::Open,
        StoreOp::Reopen(_) => StoreOp::Reopen(epoch),
        StoreOp::ReadGroups { generation, first, last, .. } => StoreOp::ReadGroups { epoch, generation, first, last },
        StoreOp::ReadLog(_) => StoreOp::ReadLog(epoch),
        StoreOp::ReadChanges { first, last, .. } => StoreOp::ReadChanges { epoch, first, last },
        StoreOp::Write(batch) => StoreOp::Write(Rc::new(WriteBatch { epoch, ..(*batch).clone() })),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_file_store_answers_as_the_memory_store(ops in proptest::collection::vec(any_op(), 1..60)) {
        let directory = Directory::new();
        let (mut memory, mut file) = (MemoryStore::new(), FileStore::create(directory.path()).unwrap());
        let mut epoch = Epoch(1);
        for (behind, op) in std::iter::once((0, StoreOp::Open)).chain(ops) {
            let op = with_epoch(op, Epoch(epoch.0 - behind));
            let (expected, found) = (memory.run(op.clone()), file.run(op.clone()));
            prop_assert_eq!(&found, &expected, "{:?}", op);
            if let Ok(StoreReply::Opened { header, .. }) = found {
                epoch = header.epoch;
            }
        }
        drop(file);
        let (expected, found) = (memory.run(StoreOp::Open), FileStore::open(directory.path()).unwrap().run(StoreOp::Open));
        prop_assert_eq!(found, expected, "after closing and opening the file");
    }
}

// ---- what only a directory can do wrong

fn refusal(opened: Result<FileStore, Error>) -> Error {
    opened.err().expect("it cannot be opened")
}

#[test]
fn what_is_not_a_store_is_named() {
    let directory = Directory::new();
    let dir = directory.path();
    std::fs::write(dir.join("file"), "x").unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    std::fs::create_dir(dir.join("other")).unwrap();
    std::fs::write(dir.join("other/tabhub.redb"), "something else altogether").unwrap();
    std::fs::create_dir(dir.join("blank")).unwrap();
    std::fs::write(dir.join("blank/tabhub.redb"), "").unwrap();
    for name in ["missing", "file", "empty", "other", "blank"] {
        let error = refusal(FileStore::open(dir.join(name)));
        assert!(matches!(&error, Error::StorageUnavailable(why) if why.contains(name)), "{name}: {error}");
    }
    for name in ["file", "other", "blank", "file/below"] {
        let error = refusal(FileStore::create(dir.join(name)));
        assert!(matches!(&error, Error::StorageUnavailable(why) if why.contains(name)), "{name}: {error}");
    }
}

#[test]
fn a_file_with_other_tables_is_no_store() {
    let directory = Directory::new();
    drop(redb::Database::create(directory.path().join("tabhub.redb")).unwrap());
    let error = refusal(FileStore::open(directory.path()));
    assert!(matches!(&error, Error::StorageUnavailable(why) if why.contains("not a tabhub store")), "{error}");
}

#[test]
fn two_at_once_are_refused_until_the_first_lets_go() {
    let directory = Directory::new();
    let mut first = FileStore::create(directory.path()).unwrap();
    open(&mut first);
    let error = refusal(FileStore::open(directory.path()));
    assert!(matches!(&error, Error::StorageUnavailable(why) if why.contains("open in another process")), "{error}");
    first.close().unwrap();
    assert_eq!(open(&mut FileStore::open(directory.path()).unwrap()).0.epoch, Epoch(2));
}

#[test]
fn making_a_store_leaves_one_file_and_never_replaces_another() {
    let directory = Directory::new();
    let dir = directory.path().join("a/b");
    let mut store = FileStore::create(&dir).unwrap();
    let epoch = open(&mut store).0.epoch;
    write(&mut store, epoch, vec![put(log(1), "kept")]);
    store.close().unwrap();
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["tabhub.redb"]);
    assert_eq!(open(&mut FileStore::create(&dir).unwrap()).2, vec![(1, b"kept".to_vec())]);
}
