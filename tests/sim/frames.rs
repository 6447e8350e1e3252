//! Frames as a tab writes and reads them, and the few operations that simulated tabs ask for.

use super::ledger::State;
use crate::support::{Rows, decode_rows, encode_values};
use tabhub::wire::{self, Body, Durability, Op, Request, Response, Value};

pub fn encode(request: &Request, payload: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(request).expect("requests can be written");
    let mut frame = u32::try_from(header.len()).expect("a header is short").to_le_bytes().to_vec();
    frame.extend(header);
    frame.resize(frame.len().next_multiple_of(8), 0);
    frame.extend_from_slice(payload);
    frame
}

pub fn decode(frame: &[u8]) -> (Response, &[u8]) {
    let length = u32::from_le_bytes(frame[..4].try_into().expect("four bytes")) as usize;
    let response = serde_json::from_slice(&frame[4..4 + length]).expect("the hub writes valid responses");
    (response, &frame[(4 + length).next_multiple_of(8)..])
}

fn no_params() -> wire::ParamsShape {
    wire::ParamsShape { count: 0, names: None }
}

/// The payload of so many statements without parameters.
pub fn no_values(statements: usize) -> Vec<u8> {
    encode_values(&[]).repeat(statements)
}

pub fn query(sql: &str, tx: Option<u64>, durability: Option<Durability>) -> (Op, Vec<u8>) {
    (Op::Query(wire::Query { sql: sql.into(), params: no_params(), tx, durability, timeout: None }), no_values(1))
}

pub fn exec(sql: &str, tx: Option<u64>) -> (Op, Vec<u8>) {
    (Op::Exec(wire::Exec { sql: sql.into(), tx, durability: None, timeout: None }), vec![])
}

pub fn batch(statements: Vec<String>) -> (Op, Vec<u8>) {
    let payload = no_values(statements.len());
    let statements = statements.into_iter().map(|sql| wire::StatementShape { sql, params: no_params(), times: None }).collect();
    (Op::Batch(wire::Batch { statements, tx: None, durability: None, timeout: None }), payload)
}

pub fn iterate(sql: &str) -> (Op, Vec<u8>) {
    (Op::Iterate(wire::Iterate { sql: sql.into(), params: no_params(), timeout: None }), no_values(1))
}

pub fn live(sql: &str, params: &[i64]) -> (Op, Vec<u8>) {
    let shape = wire::ParamsShape { count: u32::try_from(params.len()).expect("few"), names: None };
    let values: Vec<_> = params.iter().map(|n| Value::Integer(*n)).collect();
    (Op::Live(wire::Live { sql: sql.into(), params: shape }), encode_values(&values))
}

/// Of more commits than a simulation makes.
pub fn keep() -> (Op, Vec<u8>) {
    (Op::Keep(wire::Keep { commits: 100_000 }), vec![])
}

/// Of these tables, or of any.
pub fn changes(tables: &[&str]) -> (Op, Vec<u8>) {
    let tables = (!tables.is_empty()).then(|| tables.iter().map(|table| (*table).into()).collect());
    (Op::Changes(wire::Changes { tables }), vec![])
}

/// The rows of a reply, all results in one.
pub fn rows(body: &Body, payload: &[u8]) -> Option<Rows> {
    let shapes = match body {
        Body::Rows(shape) => std::slice::from_ref(shape),
        Body::Results(results) => &results.results,
        _ => return None,
    };
    let (mut all, mut rest) = (vec![], payload);
    for shape in shapes {
        let (rows, used) = decode_rows(rest, shape.rows as usize, shape.columns.len());
        all.extend(rows);
        rest = &rest[used..];
    }
    Some(all)
}

pub fn chunk(payload: &[u8], rows: u32, columns: usize) -> Rows {
    if rows == 0 { vec![] } else { decode_rows(payload, rows as usize, columns).0 }
}

pub fn integer(value: &Value) -> i64 {
    if let Value::Integer(n) = value { *n } else { -1 }
}

/// What `ledger::READ` gives: the state, or why it is none.
pub fn state(rows: &Rows) -> Result<State, String> {
    let row: Vec<i64> = rows.first().map_or(&[][..], |row| row).iter().map(integer).collect();
    let [n, hash, count, cells, sizes, strange] = row[..] else { return Err(format!("{rows:?} is no state")) };
    if count != n || strange != 0 {
        return Err(format!("state {n} has {count} rows, and {strange} letters that do not belong to it"));
    }
    Ok(State { n, hash, cells, sizes })
}
