//! Where a file store lies, how its file is made and opened, and what `redb`'s failures mean. Used by `file` only.

use super::{COUNT, GROUPS, LOG, META};
use crate::error::Error;
use redb::Database;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of a store's file in its directory.
const FILE: &str = "tabhub.redb";
/// The hub keeps the blocks that it works on itself.
const CACHE_BYTES: usize = 32 << 20;

/// Opens the file; called again after each failure that `redb` does not survive.
pub type Connect = Box<dyn Fn() -> Result<Database, Trouble>>;

/// Why an operation of the store did not happen.
#[derive(Debug)]
pub enum Trouble {
    /// The header says no.
    Refused(Error),
    Redb(redb::Error),
}

/// The path of the store's file in `dir`, which must have one.
pub fn existing(dir: &Path) -> Result<PathBuf, Error> {
    let path = dir.join(FILE);
    let why = match (fs::metadata(dir), fs::metadata(&path)) {
        (Err(error), _) => format!("{}: {error}", dir.display()),
        (Ok(found), _) if !found.is_dir() => format!("{} is not a directory", dir.display()),
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => {
            format!("{} has no {FILE}: it is not a tabhub store", dir.display())
        }
        (_, Err(error)) => format!("{}: {error}", path.display()),
        (_, Ok(found)) if !found.is_file() => format!("{} is not a file", path.display()),
        _ => return Ok(path),
    };
    Err(Error::StorageUnavailable(why))
}

/// As [`existing`], and makes what is missing.
pub fn created(dir: &Path) -> Result<PathBuf, Error> {
    let path = dir.join(FILE);
    if path.exists() {
        return existing(dir);
    }
    make(dir, &path).map_err(|trouble| match trouble {
        Trouble::Redb(redb::Error::Io(error)) if !is_full(&error) => {
            Error::StorageUnavailable(format!("no store can be made in {}: {error}", dir.display()))
        }
        other => other.error(),
    })?;
    existing(dir)
}

/// Makes the file under another name first: a kill in the middle must not leave half a store, nor two processes one each.
fn make(dir: &Path, path: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(dir)?;
    let unfinished = dir.join(format!("{FILE}.{:016x}.new", RandomState::new().hash_one(path)));
    let made = Database::create(&unfinished).map_err(Trouble::from).and_then(fill).and_then(|()| {
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    });
    let removed = fs::remove_file(&unfinished);
    made?;
    removed?;
    // On Windows a directory cannot be flushed, and need not be.
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}

/// Makes an empty store of an empty file.
pub fn fill(database: Database) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    for space in [META, LOG, GROUPS] {
        transaction.open_table(space)?;
    }
    transaction.open_table(META)?.insert(COUNT, 0u64.to_le_bytes().as_slice())?;
    transaction.commit()?;
    Ok(database.close()?)
}

pub fn to_file(path: PathBuf) -> Connect {
    Box::new(move || {
        let opened = redb::Builder::new().set_cache_size(CACHE_BYTES).open(&path);
        opened.map_err(|error| Trouble::Refused(refusal(&path, error)))
    })
}

/// Why a file cannot be opened, with its name.
fn refusal(path: &Path, error: redb::DatabaseError) -> Error {
    let path = path.display();
    match redb::Error::from(error) {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            Error::StorageUnavailable(format!("{path} is open in another process: close it there first"))
        }
        redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            Error::StorageUnavailable(format!("{path} is not a tabhub store ({error})"))
        }
        redb::Error::UpgradeRequired(found) => {
            Error::Format(format!("{path} is of version {found} of redb's format, which this build does not read"))
        }
        redb::Error::Corrupted(why) => Error::Corrupt(format!("{path}: {why}: restore a backup")),
        redb::Error::Io(error) if is_full(&error) => full(),
        error => Error::StorageUnavailable(format!("{path}: {error}")),
    }
}

impl Trouble {
    /// Whether `redb` refuses everything that comes after it.
    pub fn is_broken(&self) -> bool {
        !matches!(self, Trouble::Refused(_) | Trouble::Redb(redb::Error::Corrupted(_)))
    }

    pub fn error(&self) -> Error {
        match self {
            Trouble::Refused(error) => error.clone(),
            Trouble::Redb(redb::Error::Io(error)) if is_full(error) => full(),
            Trouble::Redb(redb::Error::Corrupted(why)) => Error::Corrupt(format!("the store's file is damaged: {why}")),
            Trouble::Redb(redb::Error::TableDoesNotExist(name)) => {
                Error::StorageUnavailable(format!("the file is not a tabhub store: it has no table {name}"))
            }
            Trouble::Redb(error) => Error::Storage(format!("the store's file failed: {error}")),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// [`Error::full`], for disks.
fn full() -> Error {
    match Error::full() {
        Error::Sqlite { code, offset, .. } => {
            let message = "the disk is full: free space, then try again".into();
            Error::Sqlite { code, message, offset }
        }
        other => other,
    }
}

macro_rules! from_redb {
    ($($error:ty)*) => {
        $(impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Trouble::Redb(error.into())
            }
        })*
    };
}

from_redb! {
    std::io::Error redb::CommitError redb::DatabaseError redb::SetDurabilityError redb::StorageError redb::TableError
    redb::TransactionError
}
