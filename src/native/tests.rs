//! The local hub's calls: what goes in comes out, what fails leaves nothing, and what is damaged is said.

#[path = "../../tests/directory/mod.rs"]
mod directory;

use super::*;
use directory::Directory;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn filled(rows: i64) -> (Directory, LocalHub) {
    let directory = Directory::new();
    let mut db = LocalHub::open(directory.path()).unwrap();
    db.script("CREATE TABLE t (id INTEGER PRIMARY KEY, v)").unwrap();
    let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO t SELECT n, randomblob(500) FROM n";
    db.execute(insert, &[rows.into()]).unwrap();
    (directory, db)
}

fn count(db: &mut LocalHub) -> Value {
    db.query("SELECT count(*) FROM t", &[]).unwrap().rows.remove(0).remove(0)
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().code().to_owned()
}

#[test]
fn every_value_comes_back_as_it_went() {
    let (_directory, mut db) = filled(0);
    let values = [
        Value::Null,
        0i64.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        (1i64 << 53).into(),
        0.1f64.into(),
        (-0.0f64).into(),
        f64::INFINITY.into(),
        "".into(),
        "plain".into(),
        "é, 漢, 🦀, 🏳️‍🌈".into(),
        Vec::<u8>::new().into(),
        vec![0u8, 255, 128].into(),
    ];
    let list = vec!["?"; values.len()].join(", ");
    let found = db.query(&format!("SELECT {list} UNION ALL SELECT {list}"), &[&values[..], &values[..]].concat()).unwrap();
    assert_eq!(found.columns.len(), values.len());
    assert_eq!(found.rows, [values.to_vec(), values.to_vec()]);
}

#[test]
fn a_batch_answers_each_statement_and_applies_all_or_nothing() {
    let (_directory, mut db) = filled(1);
    let results = db
        .batch(&[("INSERT INTO t VALUES (7, ?)", &["a".into()]), ("SELECT id, v FROM t WHERE id = ?", &[7i64.into()])])
        .unwrap();
    assert_eq!((results[0].changes, results[0].last_insert_rowid), (1, 7));
    assert_eq!(results[1].rows, [[Value::from(7), Value::from("a")]]);
    let failed = db.batch(&[("INSERT INTO t VALUES (8, 1)", &[]), ("INSERT INTO t VALUES (7, 1)", &[])]);
    let Err(LocalError::Hub(error)) = failed else { panic!("{failed:?}") };
    assert_eq!((error.code.as_str(), error.index), ("SQLITE_CONSTRAINT_PRIMARYKEY", Some(1)));
    assert_eq!(count(&mut db), 2i64.into());
}

#[test]
fn a_transaction_that_fails_or_panics_leaves_nothing() {
    let (_directory, mut db) = filled(3);
    let failed = db.transaction(|tx| {
        tx.execute("DELETE FROM t", &[])?;
        tx.execute("INSERT INTO nowhere VALUES (1)", &[])
    });
    assert_eq!(code(failed), "SQLITE_ERROR");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        db.transaction(|tx| -> Result<()> {
            tx.execute("DELETE FROM t", &[])?;
            assert_eq!(tx.query("SELECT count(*) FROM t", &[])?.rows, [[Value::from(0)]]);
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(count(&mut db), 3i64.into());
    let kept = db.transaction(|tx| tx.execute("DELETE FROM t WHERE id = 1", &[])).unwrap();
    assert_eq!((kept.changes, count(&mut db)), (1, 2i64.into()));
}

#[test]
fn what_was_written_relaxed_is_there_after_a_close() {
    let directory = Directory::new();
    let relaxed = LocalOptions { durability: Durability::Relaxed, ..LocalOptions::default() };
    let mut db = LocalHub::open_with(directory.path(), relaxed).unwrap();
    db.script("CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
    for n in 1..=10i64 {
        db.execute("INSERT INTO t VALUES (?)", &[n.into()]).unwrap();
    }
    db.close().unwrap();
    let mut db = LocalHub::open(directory.path()).unwrap();
    assert_eq!((count(&mut db), db.welcome().epoch), (10i64.into(), 2));
    assert!(db.metrics().unwrap()["commit_durable"] >= 11);
}

#[test]
fn a_large_result_and_many_commits_pass_through_the_log_and_the_groups() {
    let (directory, mut db) = filled(20_000);
    for n in 0..600i64 {
        db.execute("UPDATE t SET v = randomblob(600) WHERE id = ?", &[(n * 31 + 1).into()]).unwrap();
    }
    let metrics = db.metrics().unwrap();
    assert!(metrics["checkpoints"] > 0, "{metrics:?}");
    let before = db.query("SELECT * FROM t", &[]).unwrap().rows;
    drop(db);
    let mut db = LocalHub::open(directory.path()).unwrap();
    assert!(db.query("SELECT * FROM t", &[]).unwrap().rows == before, "all rows are as they were");
    let mut steps = 0;
    assert_eq!(db.check(CheckLevel::Full, |_| steps += 1).unwrap(), Vec::<String>::new());
    assert!(steps > 3, "a check tells how far it is: {steps} steps");
}

/// Takes so many bytes, then fails.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_breaks_off_leaves_the_database_as_it_was_and_at_work() {
    let (_directory, mut db) = filled(10_000);
    let mut file = vec![];
    let mut last = (0, 0);
    assert_eq!(db.export(&mut file, false, |done, total| last = (done, total)).unwrap(), 0);
    assert_eq!(last, (file.len() as u64, file.len() as u64));

    assert_eq!(code(db.export(&mut Full(1_500_000), false, |_, _| {})), "IO");
    let cut = file.len() / 2;
    assert_eq!(code(db.import(&mut Cursor::new(&file[..cut]), file.len() as u64, |_| {})), "IO");
    assert_eq!(code(db.import(&mut Cursor::new(&file[..cut]), cut as u64, |_| {})), "HUB_NOT_A_DATABASE");
    assert_eq!(code(db.import(&mut Cursor::new(&[]), 0, |_| {})), "HUB_NOT_A_DATABASE");
    db.execute("DELETE FROM t WHERE id > 10", &[]).unwrap();
    assert_eq!(count(&mut db), 10i64.into());

    db.import(&mut Cursor::new(&file), file.len() as u64, |_| {}).unwrap();
    assert_eq!(count(&mut db), 10_000i64.into());
    let mut again = vec![];
    db.export(&mut again, false, |_, _| {}).unwrap();
    assert!(again == file, "what was imported comes out again");
}

#[test]
fn a_damaged_log_is_said_and_what_is_there_can_be_read() {
    let (directory, db) = filled(10);
    drop(db);
    let file = redb::Database::open(directory.path().join("tabhub.redb")).unwrap();
    let transaction = file.begin_write().unwrap();
    {
        use redb::ReadableTable;
        let mut log = transaction.open_table(redb::TableDefinition::<u64, &[u8]>::new("log")).unwrap();
        let (position, mut record) = log
            .iter()
            .unwrap()
            .next_back()
            .map(std::result::Result::unwrap)
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .unwrap();
        record[60] ^= 1;
        log.insert(position, record.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(file);
    let mut db = LocalHub::open(directory.path()).unwrap();
    assert_eq!(db.storage().0, StorageState::ReadOnly);
    assert!(db.storage().1.contains("commit record"), "{}", db.storage().1);
    assert_eq!(db.welcome().storage, StorageState::ReadOnly);
    assert_eq!(code(db.execute("INSERT INTO t VALUES (99, 1)", &[])), "HUB_CORRUPT");
    assert_eq!(count(&mut db), 0i64.into());
    assert!(db.check(CheckLevel::Quick, |_| {}).unwrap().concat().contains("log"));
}
