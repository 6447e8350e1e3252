//! What tests/e2e/rust-client.test.mjs calls: each part of the client once, in a real page. A panic or an error fails the test.

use std::time::Duration;
use tabhub::client::{
    CallOptions, Database, Error, OpenOptions, Outcome, Params, Statement, Transaction, Value, delete_database, open,
};
use wasm_bindgen::prelude::*;

/// Answers what it has seen, for the test to compare.
#[wasm_bindgen]
pub async fn trial(name: &str) -> Result<String, JsError> {
    // Which assertion failed stands in the page's console then.
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
    let db = open(name, &OpenOptions::default()).await?;
    let mut changes = db.on_change(&["v"])?;
    values(&db).await?;
    // The first is of the schema, and may name no table.
    while let Some(change) = changes.next().await {
        assert!(!change.is_foreign);
        if change.tables == ["v"] && !change.everything {
            break;
        }
    }
    drop(changes);
    errors(&db).await?;
    transactions(&db).await?;
    let rows = iterate(&db).await?;
    let file = db.export().await?;
    db.import(&file).await?;
    assert!(db.check(true).await?.ok);
    let status = db.status();
    assert_eq!((status.state.as_str(), status.epoch), ("open", 1));
    db.close().await?;
    assert_eq!(db.exec("SELECT 1").await.map_err(|error| error.code), Err("HUB_CLOSED".into()));
    delete_database(name, &OpenOptions::default()).await?;
    Ok(format!("{rows} rows"))
}

async fn values(db: &Database) -> Result<(), Error> {
    db.exec("CREATE TABLE v (id INTEGER PRIMARY KEY, value UNIQUE)").await?;
    let texts = ["", "näive 🦀", "a\0b"].map(Value::from);
    let integers = [i64::MIN, i64::MAX, 0, -1, (1 << 53) + 1].map(Value::from);
    let others = [
        Value::Real(1.5),
        Value::Real(f64::MIN_POSITIVE),
        Value::Real(f64::INFINITY),
        Value::Blob(vec![0, 1, 255]),
        Value::Blob(vec![]),
        Value::Null,
    ];
    let all: Vec<Value> = integers.into_iter().chain(texts).chain(others).collect();
    let inserts: Vec<Statement> =
        all.iter().map(|value| Statement::new("INSERT INTO v (value) VALUES (?)", (value.clone(),))).collect();
    let results = db.batch(&inserts).await?;
    assert_eq!(results.last().map(|result| result.effect.last_insert_rowid), i64::try_from(all.len()).ok());
    let back: Vec<(Value,)> = db.all("SELECT value FROM v ORDER BY id", ()).await?;
    assert_eq!(back.into_iter().map(|(value,)| value).collect::<Vec<_>>(), all);
    let mut streamed = db.iterate::<(Value,)>("SELECT value FROM v ORDER BY id", ());
    for value in &all {
        assert_eq!(streamed.next().await, Some(Ok((value.clone(),))));
    }
    // A whole REAL stays one on its way back.
    assert_eq!(db.get::<(Value,)>("SELECT 2.0", ()).await?, Some((Value::Real(2.0),)));
    let named =
        db.get::<(i64, Vec<u8>)>("SELECT :a, :b", Params::named([("a", i64::MIN.into()), (":b", vec![7_u8].into())])).await?;
    assert_eq!(named, Some((i64::MIN, vec![7])));
    Ok(())
}

async fn errors(db: &Database) -> Result<(), Error> {
    let taken = db.run("INSERT INTO v (value) VALUES (?)", (i64::MAX,)).await.expect_err("the value is there");
    assert_eq!((taken.code.as_str(), taken.outcome), ("SQLITE_CONSTRAINT_UNIQUE", Outcome::NotApplied));
    let second =
        db.batch(&[Statement::new("SELECT 1", ()), Statement::new("SELECT nothing", ())]).await.expect_err("no such column");
    assert_eq!((second.code.as_str(), second.index), ("SQLITE_ERROR", Some(1)));
    let unfit = db.all::<(i32,)>("SELECT 1 << 40", ()).await.expect_err("too large for i32");
    assert_eq!(unfit.code, "DECODE");
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let hasty = db.with(CallOptions { timeout: Some(Duration::from_millis(100)), ..CallOptions::default() });
    assert_eq!(hasty.query(endless, ()).await.map_err(|error| error.code), Err("HUB_TIMEOUT".into()));
    let refused = db.live::<(i64,)>("SELECT nothing", ())?.next().await.and_then(Result::err);
    assert_eq!(refused.map(|error| error.code), Some("SQLITE_ERROR".into()));
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Own {
    Changed(u64),
    Client(Error),
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

async fn transactions(db: &Database) -> Result<(), Error> {
    let insert = async |tx: Transaction| tx.run("INSERT INTO v (value) VALUES (?)", ("in a transaction",)).await;
    let effect = db.transaction(move |tx| async move { insert(tx).await }).await?;
    assert_eq!(effect.changes, 1);
    let own =
        db.transaction::<(), _, _, _>(|tx| async move { Err(Own::Changed(tx.run("DELETE FROM v", ()).await?.changes)) }).await;
    assert_eq!(own, Err(Own::Changed(15)));
    let failed = db.transaction::<(), Own, _, _>(|tx| async move { Ok(tx.exec("nonsense").await.map(drop)?) }).await;
    assert!(matches!(failed, Err(Own::Client(error)) if error.code == "SQLITE_ERROR"));
    assert_eq!(db.get::<(i64,)>("SELECT count(*) FROM v", ()).await?, Some((15,)));
    Ok(())
}

async fn iterate(db: &Database) -> Result<u64, Error> {
    let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT x FROM n";
    let (mut count, mut sum) = (0, 0);
    let mut rows = db.iterate::<(i64,)>(sql, (10_000,));
    while let Some(row) = rows.next().await {
        sum += row?.0;
        count += 1;
    }
    assert_eq!(sum, 10_000 * 10_001 / 2);
    // One that is left in its middle keeps nobody's place: there are 16.
    for _ in 0..20 {
        db.iterate::<(i64,)>(sql, (10_000,)).next().await.transpose()?;
    }
    Ok(count)
}

/// Follows a query until it has seen `states` of them, and then no longer.
#[wasm_bindgen]
pub async fn follow(name: &str, states: usize) -> Result<Vec<f64>, JsError> {
    let db = open(name, &OpenOptions::default()).await?;
    let mut live = db.live::<(f64,)>("SELECT count(*) FROM sqlite_schema", ())?;
    let mut seen = Vec::new();
    while seen.len() < states {
        let Some(rows) = live.next().await else { break };
        seen.extend(rows?.first().map(|(count,)| *count));
    }
    Ok(seen)
}
