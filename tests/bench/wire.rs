//! The messages between a tab and its hub, on the hub's side: requests out of bytes, answers into them.

mod sample;
mod tab;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use sample::{INSERT_ITEM, READ_ITEM, ROWS, SOME_ID};
use tab::{Call, encode_values};
use tabhub::wire::{self, Body, Column, Response, ResultShape, RowsWriter, Value, ValuesReader};

fn main() {
    divan::main();
}

#[divan::bench]
fn decode_request_to_read(bencher: Bencher) {
    decode(bencher, &Call::read(READ_ITEM, &[Value::Integer(SOME_ID)]));
}

#[divan::bench]
fn decode_request_to_write(bencher: Bencher) {
    decode(bencher, &Call::write(INSERT_ITEM, &[Value::Text(sample::body())]));
}

fn decode(bencher: Bencher, call: &Call) {
    let frame = call.frame();
    wire::decode_request(frame).expect("a tab's request");
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| wire::decode_request(divan::black_box(frame)).is_ok());
}

#[divan::bench(args = [1, 1_000])]
fn decode_parameters(bencher: Bencher, count: usize) {
    let values: Vec<_> = (0..count).flat_map(row).take(count).collect();
    let block = encode_values(&values);
    bencher.counter(ItemsCount::new(count)).bench_local(|| ValuesReader::new(divan::black_box(&block)).block(count));
}

/// What an answer to a point read takes, and a large one.
#[divan::bench(args = [1, ROWS])]
fn encode_rows_of_five_columns(bencher: Bencher, count: usize) {
    let rows: Vec<_> = (0..count).map(row).collect();
    let response = response(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let (mut writer, mut payload) = (RowsWriter::new(), vec![]);
        rows.iter().flatten().for_each(|value| write(&mut writer, value));
        writer.write_to(&mut payload);
        wire::encode_response(&response, &payload)
    });
}

fn row(n: usize) -> [Value; 5] {
    let note = if n.is_multiple_of(3) { Value::Null } else { Value::Text(format!("note {n} of some length")) };
    [
        Value::Integer(n as i64),
        Value::Text(format!("name {n}")),
        Value::Real(n as f64 * 1.5),
        Value::Integer(n as i64 * 7919 % 10007),
        note,
    ]
}

fn response(rows: usize) -> Response {
    let column = |(name, declared): (&str, &str)| Column { name: name.into(), declared: Some(declared.into()) };
    let columns = [("id", "INTEGER"), ("name", "TEXT"), ("amount", "REAL"), ("code", "INT"), ("note", "TEXT")].map(column);
    let rows = u32::try_from(rows).expect("a few");
    let shape = ResultShape { columns: columns.into(), rows, changes: 0, last_insert_rowid: 0, times: None };
    Response { hub: "3x7k2m9qw1r5t".into(), re: 1, body: Body::Rows(shape) }
}

fn write(writer: &mut RowsWriter, value: &Value) {
    match value {
        Value::Null => writer.null(),
        Value::Integer(n) => writer.integer(*n),
        Value::Real(x) => writer.real(*x),
        Value::Text(text) => writer.text(text),
        Value::Blob(blob) => writer.blob(blob),
    }
}
