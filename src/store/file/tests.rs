//! Every single disk operation of a workload fails, once or from then on, with a full disk or a broken one: what the store has
//! answered must be what its file holds.

use super::connect::Connect;
use super::*;
use crate::ids::LogPos;
use crate::store::memory::MemoryStore;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use std::io::{Error as IoError, ErrorKind, Result as Io};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A disk that fails at one of its writes, flushes and changes of size; `forever` means that it is never heard of again.
#[derive(Debug, Default)]
struct Disk {
    file: InMemoryBackend,
    operations: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    at: u64,
    kind: ErrorKind,
    forever: bool,
}

#[derive(Clone, Debug, Default)]
struct Handle(Arc<Disk>);

impl Handle {
    fn act(&self) -> Io<()> {
        let at = self.0.operations.fetch_add(1, Ordering::Relaxed);
        match *self.0.failure.lock().unwrap() {
            Some(failure) if failure.at == at || (failure.forever && failure.at < at) => Err(IoError::from(failure.kind)),
            _ => Ok(()),
        }
    }

    fn connect(&self) -> Connect {
        let handle = self.clone();
        Box::new(move || Ok(redb::Builder::new().create_with_backend(handle.clone())?))
    }

    /// A disk with an empty store on it.
    fn formatted() -> Self {
        let handle = Self::default();
        super::connect::fill(redb::Builder::new().create_with_backend(handle.clone()).unwrap()).unwrap();
        handle.0.operations.store(0, Ordering::Relaxed);
        handle
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> Io<u64> {
        self.0.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Io<()> {
        self.0.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Io<()> {
        self.act()?;
        self.0.file.set_len(len)
    }

    fn sync_data(&self) -> Io<()> {
        self.act()?;
        self.0.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Io<()> {
        self.act()?;
        self.0.file.write(offset, data)
    }
}

const EPOCH: Epoch = Epoch(1);

/// Small and large values, both durabilities, deletions; `n` is the operation's number.
fn operation(n: u64) -> StoreOp {
    let durability = if n.is_multiple_of(3) { Durability::Strict } else { Durability::Relaxed };
    let large = if n == 5 { 700_000 } else { 40 };
    let mut writes = vec![
        Write::Put(Key::Log(LogPos(n)), vec![n.to_le_bytes()[0]; 100]),
        Write::Put(Key::Group(Generation(1), GroupNo(0)), vec![n.to_le_bytes()[0]; large]),
        Write::Put(Key::Sessions, n.to_le_bytes().to_vec()),
    ];
    if n == 8 {
        writes.push(Write::Delete(Key::Log(LogPos(2)), Key::Log(LogPos(6))));
    }
    StoreOp::Write(Rc::new(WriteBatch { epoch: EPOCH, durability, writes }))
}

const OPERATIONS: u64 = 10;

/// What a store says when it is opened, and its groups.
type Contents = (StoreReply, StoreReply);

fn contents(mut run: impl FnMut(StoreOp) -> StoreResult) -> Contents {
    let Ok(StoreReply::Opened { header, sessions, log }) = run(StoreOp::Open) else { panic!("not opened") };
    let groups = StoreOp::ReadGroups { epoch: header.epoch, generation: Generation(1), first: GroupNo(0), last: GroupNo(9) };
    let header = Header { epoch: EPOCH, ..header };
    (StoreReply::Opened { header, sessions, log }, run(groups).unwrap())
}

/// The workload over a disk, with the memory store as the judge of what was answered.
struct Run {
    disk: Handle,
    store: FileStore,
    model: MemoryStore,
    /// The contents after each write that was applied or may have been, and how many of them a failure may not take back.
    states: Vec<Contents>,
    flushed: usize,
}

impl Run {
    fn new() -> Self {
        let disk = Handle::formatted();
        let (mut store, mut model) = (FileStore::over(disk.connect()).unwrap(), MemoryStore::new());
        assert_eq!(store.run(StoreOp::Open), model.run(StoreOp::Open));
        let mut run = Self { disk, store, model, states: vec![], flushed: 0 };
        run.applied(true);
        run
    }

    fn applied(&mut self, flushed: bool) {
        let mut model = self.model.clone();
        self.states.push(contents(|op| model.run(op)));
        if flushed {
            self.flushed = self.states.len() - 1;
        }
    }

    /// Carries out the `n`th operation, and has its answer judged.
    fn step(&mut self, n: u64) -> Result<(), StoreFailure> {
        let result = self.store.run(operation(n));
        if !matches!(result, Err(StoreFailure::NotApplied(_))) {
            self.model.run(operation(n)).unwrap();
            self.applied(result.is_ok() && n.is_multiple_of(3));
        }
        result.map(drop)
    }

    /// What the file holds once the disk works again.
    fn recover(self) -> (Contents, Vec<Contents>, usize) {
        let closed = self.store.close();
        *self.disk.0.failure.lock().unwrap() = None;
        let mut store = FileStore::over(self.disk.connect()).unwrap();
        let flushed = if closed.is_ok() { self.states.len() - 1 } else { self.flushed };
        (contents(|op| store.run(op)), self.states, flushed)
    }

    fn fail(&self, at: u64, kind: ErrorKind, forever: bool) {
        *self.disk.0.failure.lock().unwrap() = Some(Failure { at, kind, forever });
    }

    fn disk_operations(&self) -> u64 {
        self.disk.0.operations.load(Ordering::Relaxed)
    }
}

/// The disk operations during which the workload can fail.
fn moments() -> std::ops::Range<u64> {
    let mut run = Run::new();
    let begin = run.disk_operations();
    (1..=OPERATIONS).for_each(|n| assert_eq!(run.step(n), Ok(())));
    let disk = run.disk.clone();
    run.recover();
    begin..disk.0.operations.load(Ordering::Relaxed)
}

#[test]
fn a_disk_that_fails_once_loses_nothing_that_was_answered() {
    let (moments, mut refused) = (moments(), 0);
    for (at, kind) in moments.flat_map(|at| [(at, ErrorKind::StorageFull), (at, ErrorKind::Other)]) {
        let mut run = Run::new();
        run.fail(at, kind, false);
        for n in 1..=OPERATIONS {
            match run.step(n) {
                Ok(()) => {}
                Err(StoreFailure::NotApplied(error)) => {
                    refused += 1;
                    assert_eq!(error.code() == "SQLITE_FULL", kind == ErrorKind::StorageFull, "{error}");
                }
                Err(other) => panic!("operation {at}, {kind}: {other:?}"),
            }
            let log = StoreOp::ReadLog(EPOCH);
            assert_eq!(run.store.run(log.clone()), run.model.run(log), "operation {at}, {kind}, after {n}");
        }
        let (found, states, flushed) = run.recover();
        assert!(states[flushed..].contains(&found), "operation {at}, {kind}");
    }
    assert!(refused >= 10, "only {refused} failures met a write");
}

#[test]
fn a_disk_that_goes_away_leaves_a_prefix_with_every_strict_answer() {
    let (moments, mut met) = (moments(), 0);
    for at in moments {
        let mut run = Run::new();
        run.fail(at, ErrorKind::Other, true);
        if let Some(failure) = (1..=OPERATIONS).find_map(|n| run.step(n).err()) {
            met += 1;
            assert!(matches!(failure, StoreFailure::Lost(_)), "operation {at}: {failure:?}");
            assert!(matches!(run.store.run(StoreOp::Reopen(EPOCH)), Err(StoreFailure::Lost(_))), "operation {at}");
        }
        let (found, states, flushed) = run.recover();
        assert!(states[flushed..].contains(&found), "operation {at}");
    }
    assert!(met >= 10, "only {met} failures met a write");
}

#[test]
fn a_lost_disk_that_comes_back_goes_on_with_every_answer() {
    let (moments, mut met) = (moments(), 0);
    for at in moments {
        let mut run = Run::new();
        run.fail(at, ErrorKind::Other, true);
        for n in 1..=OPERATIONS {
            let Err(failure) = run.step(n) else { continue };
            assert!(matches!(failure, StoreFailure::Lost(_)), "operation {at}: {failure:?}");
            met += 1;
            *run.disk.0.failure.lock().unwrap() = None;
            assert_eq!(run.store.run(StoreOp::Reopen(EPOCH)), Ok(StoreReply::Reopened), "operation {at}");
            // The hub submits the very same batch again.
            assert_eq!(run.step(n), Ok(()), "operation {at}");
        }
        let (found, states, flushed) = run.recover();
        assert!(states[flushed..].contains(&found), "operation {at}");
    }
    assert!(met >= 10, "only {met} failures met a write");
}
