//! What simulated tabs follow: queries over the ledger's tables, each beside what it answers as of any state of the ledger, worked out
//! from the rows alone; and the tables whose changes they listen to. Asked by `watching`, `follow` and `listen`; held against by `told`.

use super::ledger::{Row, State};
use crate::support::{Rows, int, text};
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub struct Query {
    pub sql: &'static str,
    pub params: &'static [i64],
}

const fn query(sql: &'static str) -> Query {
    Query { sql, params: &[] }
}

/// One row by its key that every commit writes, two by keys that some do, one by a key that is not there for long, a list that grows, an
/// aggregate, a join, an order that changes all the time, and long texts.
pub const QUERIES: [Query; 9] = [
    query("SELECT n, hash FROM state WHERE id = 1"),
    query("SELECT v, length(pad) FROM cell WHERE id = 2"),
    Query { sql: "SELECT id, v FROM cell WHERE id = ?", params: &[4] },
    Query { sql: "SELECT entry, part FROM ledger WHERE seq = ?", params: &[9] },
    query("SELECT seq, client, entry, part, cell, size, tag FROM ledger ORDER BY seq"),
    query("SELECT client, count(*), sum(size), max(seq) FROM ledger GROUP BY client ORDER BY client"),
    query("SELECT l.client, l.entry, c.id, c.v FROM cell c JOIN ledger l ON l.seq = c.v ORDER BY c.v DESC"),
    query("SELECT id, v FROM cell WHERE v > 0 ORDER BY length(pad) DESC, id LIMIT 3"),
    query("SELECT id, pad FROM cell WHERE id < 3 ORDER BY id"),
];

/// The tables listened to; none named is any.
pub const FILTERS: [&[&str]; 4] = [&[], &["cell"], &["ledger", "state"], &["nothing"]];

/// A cell as a state has it: the row that touched it last, and the length of its text.
#[derive(Clone, Copy, Default)]
struct Cell {
    id: i64,
    v: i64,
    size: i64,
}

/// What the query answers where `rows` are all that the ledger has, which makes the state `state`.
pub fn answer(query: usize, rows: &[Row], state: &State) -> Rows {
    let cells = cells(rows);
    let written = || cells.iter().filter(|cell| cell.v > 0).copied().collect::<Vec<_>>();
    match query {
        0 => integers([vec![state.n, state.hash]]),
        1 => integers([vec![cells[2].v, cells[2].size]]),
        2 => integers([vec![4, cells[4].v]]),
        3 => integers(rows.get(8).map(|row| vec![row.entry, row.part])),
        4 => integers(rows.iter().map(|r| vec![r.seq, r.client, r.entry, r.part, r.cell, r.size, r.tag])),
        5 => integers(clients(rows)),
        6 => {
            let mut found = written();
            found.sort_by_key(|cell| Reverse(cell.v));
            let writer = |cell: &Cell| &rows[usize::try_from(cell.v - 1).expect("the number of a row")];
            integers(found.iter().map(|cell| vec![writer(cell).client, writer(cell).entry, cell.id, cell.v]))
        }
        7 => {
            let mut found = written();
            found.sort_by_key(|cell| (Reverse(cell.size), cell.id));
            integers(found.iter().take(3).map(|cell| vec![cell.id, cell.v]))
        }
        _ => cells[..3].iter().map(|cell| vec![int(cell.id), text(&pad(cell))]).collect(),
    }
}

fn integers(rows: impl IntoIterator<Item = Vec<i64>>) -> Rows {
    rows.into_iter().map(|row| row.into_iter().map(int).collect()).collect()
}

fn cells(rows: &[Row]) -> [Cell; 6] {
    let mut cells = [0, 1, 2, 3, 4, 5].map(|id| Cell { id, ..Cell::default() });
    for row in rows {
        let cell = &mut cells[usize::try_from(row.cell).expect("the number of a cell")];
        (cell.v, cell.size) = (row.seq, row.size);
    }
    cells
}

fn clients(rows: &[Row]) -> Vec<Vec<i64>> {
    let mut clients: BTreeMap<i64, (i64, i64, i64)> = BTreeMap::new();
    for row in rows {
        let (count, size, last) = clients.entry(row.client).or_default();
        (*count, *size, *last) = (*count + 1, *size + row.size, row.seq);
    }
    clients.into_iter().map(|(client, (count, size, last))| vec![client, count, size, last]).collect()
}

/// The cell's text, which consists of one letter.
fn pad(cell: &Cell) -> String {
    let letter = char::from(65 + u8::try_from(cell.v % 26).expect("less than 26"));
    String::from(letter).repeat(usize::try_from(cell.size).expect("a length"))
}
