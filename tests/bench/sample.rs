//! The databases that the benches read and write.
#![allow(dead_code, reason = "each bench uses its own part")]

/// Rows of each table.
pub const ROWS: usize = 10_000;
/// A row in the middle.
pub const SOME_ID: i64 = 4_321;

/// Small rows, found by key.
pub const ITEMS: [&str; 2] = [
    "CREATE TABLE item(id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
    "WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 10000) INSERT INTO item SELECT i, printf('%0100d', i) FROM p",
];
pub const READ_ITEM: &str = "SELECT body FROM item WHERE id = ?";
pub const INSERT_ITEM: &str = "INSERT INTO item(body) VALUES (?)";
pub const SCAN_ITEMS: &str = "SELECT sum(length(body)) FROM item";

/// Five columns, of every type that is common.
pub const WIDE: [&str; 2] = [
    "CREATE TABLE wide(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL NOT NULL, code INT NOT NULL, note TEXT)",
    "WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 10000)
     INSERT INTO wide SELECT i, printf('name %d', i), i * 1.5, i * 7919 % 10007, CASE WHEN i % 3 THEN printf('note %d of some length', i) END FROM p",
];
pub const READ_WIDE: &str = "SELECT * FROM wide";

/// What an item holds: a hundred bytes.
pub fn body() -> String {
    "x".repeat(100)
}
