//! Whole calls, natively: a request's bytes into the hub, the answer's bytes out of it. What the port and `IndexedDB` cost comes on top.

mod sample;
mod tab;

use divan::Bencher;
use divan::counter::ItemsCount;
use sample::{INSERT_ITEM, ITEMS, READ_ITEM, READ_WIDE, ROWS, SOME_ID, WIDE};
use tab::{Call, Tab, expect};
use tabhub::wire::Value;

fn main() {
    divan::main();
}

#[divan::bench]
fn point_read(bencher: Bencher) {
    let (mut tab, mut call) = asked(&ITEMS, Call::read(READ_ITEM, &[Value::Integer(SOME_ID)]));
    bencher.bench_local(|| tab.call(&mut call));
}

#[divan::bench]
fn insert_and_commit(bencher: Bencher) {
    let (mut tab, mut call) = asked(&ITEMS, Call::write(INSERT_ITEM, &[Value::Text(sample::body())]));
    bencher.bench_local(|| tab.call(&mut call));
}

#[divan::bench]
fn ten_thousand_rows_of_five_columns(bencher: Bencher) {
    let (mut tab, mut call) = asked(&WIDE, Call::read(READ_WIDE, &[]));
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| tab.call(&mut call));
}

/// A tab that has asked once: its statement is prepared, its blocks are in memory.
fn asked(schema: &[&str], mut call: Call) -> (Tab, Call) {
    let mut tab = Tab::with(&schema.join(";"));
    expect(&tab.call(&mut call), "rows");
    (tab, call)
}
