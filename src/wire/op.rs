//! Reading an [`Op`]: `{ "query": { … } }`. All operations but `hello` are read through one struct of optional fields, and then
//! made into their own types: a derived reader for each would be a tenth of the whole hub's code.

use super::message::{
    Batch, Begin, Cancel, Close, Commit, Durability, Exec, Export, Hello, Import, Iterate, Metrics, Op, ParamsShape, Part, Pull,
    Query, Rollback, StatementShape, TransactionMode,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::fmt;

#[derive(Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    sql: Option<String>,
    params: Option<ParamsShape>,
    statements: Option<Vec<StatementShape>>,
    tx: Option<u64>,
    durability: Option<Durability>,
    timeout: Option<u32>,
    mode: Option<TransactionMode>,
    size: Option<u64>,
    target: Option<u64>,
    end: Option<bool>,
}

/// What is wrong with the fields of an operation.
enum Fault {
    UnknownOp,
    Missing(&'static str),
}

/// Takes a field that must be there.
fn need<T>(field: &mut Option<T>, name: &'static str) -> Result<T, Fault> {
    field.take().ok_or(Fault::Missing(name))
}

impl Fields {
    /// Makes the operation; the fields that belong to it are taken, others stay.
    fn take(&mut self, op: &str) -> Result<Op, Fault> {
        Ok(match op {
            "query" => Op::Query(Query {
                sql: need(&mut self.sql, "sql")?,
                params: need(&mut self.params, "params")?,
                tx: self.tx.take(),
                durability: self.durability.take(),
                timeout: self.timeout.take(),
            }),
            "exec" => Op::Exec(Exec {
                sql: need(&mut self.sql, "sql")?,
                tx: self.tx.take(),
                durability: self.durability.take(),
                timeout: self.timeout.take(),
            }),
            "batch" => Op::Batch(Batch {
                statements: need(&mut self.statements, "statements")?,
                tx: self.tx.take(),
                durability: self.durability.take(),
                timeout: self.timeout.take(),
            }),
            "iterate" => Op::Iterate(Iterate {
                sql: need(&mut self.sql, "sql")?,
                params: need(&mut self.params, "params")?,
                timeout: self.timeout.take(),
            }),
            "begin" => Op::Begin(Begin { mode: need(&mut self.mode, "mode")?, timeout: need(&mut self.timeout, "timeout")? }),
            "commit" => Op::Commit(Commit { tx: need(&mut self.tx, "tx")?, durability: self.durability.take() }),
            "rollback" => Op::Rollback(Rollback { tx: need(&mut self.tx, "tx")? }),
            "import" => Op::Import(Import { size: need(&mut self.size, "size")? }),
            "part" => Op::Part(Part { target: need(&mut self.target, "target")?, end: need(&mut self.end, "end")? }),
            "pull" => Op::Pull(Pull { target: need(&mut self.target, "target")? }),
            "cancel" => Op::Cancel(Cancel { target: need(&mut self.target, "target")? }),
            "export" => Op::Export(Export {}),
            "metrics" => Op::Metrics(Metrics {}),
            "close" => Op::Close(Close {}),
            _ => return Err(Fault::UnknownOp),
        })
    }
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneOp)
    }
}

struct OneOp;

impl<'de> Visitor<'de> for OneOp {
    type Value = Op;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one operation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Op, A::Error> {
        let custom = |parts: [&str; 4]| A::Error::custom(parts.concat());
        let name: String = map.next_key()?.ok_or_else(|| custom(["no operation", "", "", ""]))?;
        let op = if name == "hello" {
            Op::Hello(map.next_value::<Hello>()?)
        } else {
            let mut fields: Fields = map.next_value()?;
            let op = fields.take(&name).map_err(|fault| match fault {
                Fault::UnknownOp => custom(["unknown operation `", &name, "`", ""]),
                Fault::Missing(field) => custom(["missing field `", field, "` of ", &name]),
            })?;
            if fields != Fields::default() {
                return Err(custom(["a field does not belong to `", &name, "`", ""]));
            }
            op
        };
        match map.next_key::<String>()? {
            None => Ok(op),
            Some(_) => Err(custom(["more than one operation", "", "", ""])),
        }
    }
}
