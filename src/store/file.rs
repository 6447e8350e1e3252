//! A block store in a directory, for native programs: one `redb` file with a table for each of `IndexedDB`'s object stores.
//! Called by [`LocalHub`](crate::native::LocalHub) and by tests; each operation completes before [`FileStore::run`] returns.
//!
//! A strict batch is on the disk (fsync) when its answer comes. A relaxed one is in this process's memory until the next strict
//! one, the 64th relaxed one in a row, 4 MiB of them, or the end of the store: a kill or a power loss may take back the last of
//! them, always from the end and never in part. One process at a time has the file open.
//!
//! It decides nothing: what a header means is asked of `store::header`. After a failed write it finds out what the file holds,
//! so that it never has to answer "in doubt" for a full disk.

mod connect;
#[cfg(test)]
mod tests;

use self::connect::{Connect, Trouble};
use super::header::{Header, check_epoch, claim};
use super::ops::{Durability, Key, LogValues, StoreFailure, StoreOp, StoreReply, StoreResult, Write, WriteBatch};
use crate::error::Error;
use crate::ids::{Epoch, Generation, GroupNo};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::ops::RangeInclusive;
use std::path::Path;
use std::rc::Rc;

/// One space: numbers and bytes. `meta` has the header at 0, the sessions at 1, what commits changed from 2³² on, and the file's own count at
/// [`COUNT`].
type Space = TableDefinition<'static, u64, &'static [u8]>;
const META: Space = TableDefinition::new("meta");
const LOG: Space = TableDefinition::new("log");
const GROUPS: Space = TableDefinition::new("groups");

/// Where `meta` counts the write transactions: by it a failed commit is told from one that was applied.
const COUNT: u64 = u64::MAX;
/// Where in `meta` what commits changed begins.
const CHANGES: u64 = 1 << 32;

/// Relaxed batches that may wait for the disk.
const RELAXED_BATCHES_MAX: usize = 64;
const RELAXED_BYTES_MAX: usize = 4 << 20;

pub struct FileStore {
    connect: Connect,
    /// `None` after it was lost, until the next open or reopen.
    database: Option<Database>,
    /// The file's count as of the last batch.
    count: u64,
    /// Batches that are not on the disk yet, in order: a file that has to be opened anew gets them again.
    relaxed: Vec<Rc<WriteBatch>>,
    relaxed_bytes: usize,
}

impl FileStore {
    /// Opens the store in `dir`, which must have one.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] where there is no directory, no store in it, or one that another process has open;
    /// [`Error::Corrupt`] and [`Error::Format`] where its file cannot be read by this build.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::over(connect::to_file(connect::existing(dir.as_ref())?))
    }

    /// Opens the store in `dir`, and makes the directory and the store where they are missing.
    ///
    /// # Errors
    /// As [`FileStore::open`]; [`Error::full`] and [`Error::Storage`] where they cannot be made.
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::over(connect::to_file(connect::created(dir.as_ref())?))
    }

    fn over(connect: Connect) -> Result<Self, Error> {
        let mut store = Self { connect, database: None, count: 0, relaxed: vec![], relaxed_bytes: 0 };
        store.reconnect().map_err(|trouble| trouble.error())?;
        Ok(store)
    }

    /// Flushes and closes the file. Dropping the store does the same without saying how it went.
    ///
    /// # Errors
    /// [`Error::full`] or [`Error::Storage`]: relaxed batches may not have reached the disk.
    pub fn close(mut self) -> Result<(), Error> {
        let closed = self.reconnect_if_lost().and_then(|()| match self.database.take() {
            Some(database) => Ok(database.close()?),
            None => Ok(()),
        });
        closed.map_err(|trouble| trouble.error())
    }

    /// Carries one operation out.
    ///
    /// # Errors
    /// [`StoreFailure::NotApplied`] when the header cannot be claimed, the caller is fenced, or the disk refused a write;
    /// [`StoreFailure::Lost`] when the file has to be opened anew.
    pub fn run(&mut self, op: StoreOp) -> StoreResult {
        match op {
            StoreOp::Open => self.claim(),
            StoreOp::Reopen(epoch) => self.reopen(epoch),
            StoreOp::ReadGroups { epoch, generation, first, last } => self.read(epoch, |_, transaction| {
                let range = group_number(generation, first)..=group_number(generation, last);
                #[allow(clippy::cast_possible_truncation, reason = "the low half is the group's number")]
                let groups = values(transaction, GROUPS, range)?.into_iter().map(|(key, value)| (GroupNo(key as u32), value));
                Ok(StoreReply::Groups(groups.collect()))
            }),
            StoreOp::ReadLog(epoch) => self
                .read(epoch, |header, transaction| Ok(StoreReply::Log { header, log: values(transaction, LOG, 0..=u64::MAX)? })),
            StoreOp::ReadChanges { epoch, first, last } => self.read(epoch, |_, transaction| {
                let found = values(transaction, META, number(Key::Changes(first))..=number(Key::Changes(last)))?;
                Ok(StoreReply::Changes(found.into_iter().map(|(key, value)| (key - CHANGES, value)).collect()))
            }),
            StoreOp::Write(batch) => self.write(&batch),
        }
    }

    fn claim(&mut self) -> StoreResult {
        let claimed = self.reconnect_if_lost().and_then(|()| {
            let header = self.transact(Durability::Strict, |transaction| {
                let (header, bytes) = claim(header(transaction)?.as_deref()).map_err(Trouble::Refused)?;
                apply(transaction, &[Write::Put(Key::Header, bytes)])?;
                let mut groups = transaction.open_table(GROUPS)?;
                groups.retain_in(..group_number(header.generation, GroupNo(0)), |_, _| false)?;
                groups.retain_in(group_number(header.generation.next(), GroupNo(0)).., |_, _| false)?;
                Ok(header)
            })?;
            self.flushed();
            let transaction = self.database()?.begin_read()?;
            let sessions = meta(&transaction, Key::Sessions)?;
            Ok(StoreReply::Opened { header, sessions, log: values(&transaction, LOG, 0..=u64::MAX)? })
        });
        claimed.map_err(|trouble| {
            self.lose_if_broken(&trouble);
            StoreFailure::NotApplied(trouble.error())
        })
    }

    fn reopen(&mut self, epoch: Epoch) -> StoreResult {
        self.database = None;
        self.reconnect().map_err(|trouble| StoreFailure::Lost(trouble.error()))?;
        self.read(epoch, |_, _| Ok(StoreReply::Reopened))
    }

    fn read(&mut self, epoch: Epoch, work: impl FnOnce(Header, &ReadTransaction) -> Result<StoreReply, Trouble>) -> StoreResult {
        let read = self.database().and_then(|database| {
            let transaction = database.begin_read()?;
            let header = check_epoch(meta(&transaction, Key::Header)?.as_deref(), epoch).map_err(Trouble::Refused)?;
            work(header, &transaction)
        });
        read.map_err(|trouble| {
            if self.lose_if_broken(&trouble) {
                StoreFailure::Lost(trouble.error())
            } else {
                StoreFailure::NotApplied(trouble.error())
            }
        })
    }

    fn write(&mut self, batch: &Rc<WriteBatch>) -> StoreResult {
        let bytes: usize = batch.writes.iter().map(|write| if let Write::Put(_, value) = write { value.len() } else { 0 }).sum();
        let is_full = self.relaxed.len() + 1 >= RELAXED_BATCHES_MAX || self.relaxed_bytes + bytes > RELAXED_BYTES_MAX;
        let durability = if is_full { Durability::Strict } else { batch.durability };
        match self.put(batch, durability) {
            Ok(()) if durability == Durability::Strict => self.flushed(),
            Ok(()) => {
                self.relaxed.push(Rc::clone(batch));
                self.relaxed_bytes += bytes;
            }
            Err(trouble) => return self.mend(trouble),
        }
        Ok(StoreReply::Written)
    }

    /// After a failed write: `redb` refuses everything until the file is opened anew, and then the file's count tells whether
    /// the write was applied.
    fn mend(&mut self, trouble: Trouble) -> StoreResult {
        let before = self.count;
        if self.lose_if_broken(&trouble) && self.reconnect().is_err() {
            return Err(StoreFailure::Lost(trouble.error()));
        }
        if self.count == before { Err(StoreFailure::NotApplied(trouble.error())) } else { Ok(StoreReply::Written) }
    }

    /// Lets go of the file if `redb` will not go on with it.
    fn lose_if_broken(&mut self, trouble: &Trouble) -> bool {
        let broken = trouble.is_broken();
        if broken {
            self.database = None;
        }
        broken
    }

    fn reconnect_if_lost(&mut self) -> Result<(), Trouble> {
        if self.database.is_none() { self.reconnect() } else { Ok(()) }
    }

    /// Opens the file, and puts the relaxed batches in again that it does not have.
    fn reconnect(&mut self) -> Result<(), Trouble> {
        let database = (self.connect)()?;
        let (expected, found) = (self.count, count(&database)?);
        if found >= expected {
            self.flushed();
        }
        (self.database, self.count) = (Some(database), found);
        let again = self.relaxed.clone();
        let put = again.iter().try_for_each(|batch| self.put(batch, Durability::Relaxed));
        if put.is_ok() && self.count >= expected {
            return Ok(());
        }
        (self.database, self.count) = (None, expected);
        Err(put.err().unwrap_or_else(|| Trouble::Refused(Error::Poisoned(TAKEN_BACK.into()))))
    }

    /// Everything so far is on the disk.
    fn flushed(&mut self) {
        self.relaxed.clear();
        self.relaxed_bytes = 0;
    }

    fn put(&mut self, batch: &WriteBatch, durability: Durability) -> Result<(), Trouble> {
        self.transact(durability, |transaction| {
            check_epoch(header(transaction)?.as_deref(), batch.epoch).map_err(Trouble::Refused)?;
            apply(transaction, &batch.writes)
        })
    }

    fn transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut transaction = self.database()?.begin_write()?;
        transaction.set_durability(match durability {
            Durability::Strict => redb::Durability::Immediate,
            Durability::Relaxed => redb::Durability::None,
        })?;
        let done = work(&transaction)?;
        let count = self.count + 1;
        transaction.open_table(META)?.insert(COUNT, count.to_le_bytes().as_slice())?;
        transaction.commit()?;
        self.count = count;
        Ok(done)
    }

    fn database(&self) -> Result<&Database, Trouble> {
        self.database.as_ref().ok_or(Trouble::Redb(redb::Error::DatabaseClosed))
    }
}

const TAKEN_BACK: &str = "the file lost batches that it had taken: reopen the database, and look at what was written last";

fn apply(transaction: &WriteTransaction, writes: &[Write]) -> Result<(), Trouble> {
    let mut spaces = [transaction.open_table(META)?, transaction.open_table(LOG)?, transaction.open_table(GROUPS)?];
    for write in writes {
        match write {
            Write::Put(key, value) => drop(spaces[space(*key)].insert(number(*key), value.as_slice())?),
            Write::Delete(first, last) => spaces[space(*first)].retain_in(number(*first)..=number(*last), |_, _| false)?,
        }
    }
    Ok(())
}

fn header(transaction: &WriteTransaction) -> Result<Option<Vec<u8>>, Trouble> {
    Ok(transaction.open_table(META)?.get(number(Key::Header))?.map(|found| found.value().to_vec()))
}

fn meta(transaction: &ReadTransaction, key: Key) -> Result<Option<Vec<u8>>, Trouble> {
    Ok(transaction.open_table(META)?.get(number(key))?.map(|found| found.value().to_vec()))
}

fn values(transaction: &ReadTransaction, space: Space, range: RangeInclusive<u64>) -> Result<LogValues, Trouble> {
    let mut values = vec![];
    for entry in transaction.open_table(space)?.range(range)? {
        let (key, value) = entry?;
        values.push((key.value(), value.value().to_vec()));
    }
    Ok(values)
}

fn count(database: &Database) -> Result<u64, Trouble> {
    let found = database.begin_read()?.open_table(META)?.get(COUNT)?;
    let count = found.and_then(|found| found.value().try_into().ok()).map(u64::from_le_bytes);
    count.ok_or_else(|| Trouble::Refused(Error::Corrupt("the store's file does not say how many writes it has taken".into())))
}

/// The place of a key's space among the three.
fn space(key: Key) -> usize {
    match key {
        Key::Header | Key::Sessions | Key::Changes(_) => 0,
        Key::Log(_) => 1,
        Key::Group(..) => 2,
    }
}

fn number(key: Key) -> u64 {
    match key {
        Key::Header => 0,
        Key::Sessions => 1,
        Key::Changes(commit) => CHANGES + commit.0,
        Key::Log(position) => position.0,
        Key::Group(generation, group) => group_number(generation, group),
    }
}

fn group_number(generation: Generation, group: GroupNo) -> u64 {
    u64::from(generation.0) << 32 | u64::from(group.0)
}
