//! The logic tests' text format as `SQLite`'s own runner (`slt_sqlite.c`) takes it: scripts in, rendered values out.
//! Called by the corpus runner. Never touches a database.

use sqllogictest::{Condition, DefaultColumnType, Record};
use tabhub::wire::Value;

pub type Type = DefaultColumnType;

/// The engine that `onlyif` and `skipif` mean here.
const ENGINE: &str = "sqlite";

/// What a database shared by tabs refuses: no tab may have views that others do not see.
const REFUSED: [&str; 2] = ["CREATE TEMP VIEW", "CREATE TEMPORARY VIEW"];

/// A script's records, and how many of them expect a refusal where `SQLite` alone would say yes.
pub struct Script {
    pub records: Vec<Record<Type>>,
    pub refusals: usize,
    /// `halt`s under a condition that does not hold for this engine.
    pub halts: usize,
}

/// Reads a script; `name` is what failures call it.
///
/// The crate's dialect differs from the original: it knows no comment after a condition and no condition on `halt`. Lines
/// are blanked, never dropped, so that failures name the lines of the file.
pub fn parse(name: &str, text: &str) -> Script {
    let mut lines: Vec<String> = text.lines().map(strip_comment).collect();
    let (mut refusals, mut halts, mut missing) = (0, 0, vec![]);
    for i in 1..lines.len() {
        if lines[i] == "halt" && halts_others_only(&lines[i - 1]) {
            lines[i - 1].clear();
            lines[i].clear();
            halts += 1;
        }
        let sql = lines[i].clone();
        let code = match sql.split_whitespace().nth(3) {
            Some(name) if REFUSED.iter().any(|refused| sql.starts_with(refused)) => {
                missing.push(format!("DROP VIEW {name}"));
                "HUB_REFUSED"
            }
            // What was refused is not there to be dropped.
            _ if missing.contains(&sql) => "SQLITE_ERROR",
            _ => continue,
        };
        assert_eq!(lines[i - 1], "statement ok", "{sql}");
        lines[i - 1] = format!("statement error {code}");
        refusals += 1;
    }
    expect_overflows(&mut lines);
    let records = sqllogictest::parse_with_name(&lines.join("\n"), name).unwrap_or_else(|e| panic!("{e}"));
    Script { records, refusals, halts }
}

/// `sum()` of everything is a row or an overflow, so no row expected means the overflow: the original runner takes an error
/// for the end of the rows.
fn expect_overflows(lines: &mut [String]) {
    for i in 2..lines.len().saturating_sub(1) {
        let no_rows = lines[i] == "----" && lines[i + 1].is_empty();
        if no_rows && lines[i - 1].starts_with("SELECT sum(") {
            lines[i - 2] = "query error integer overflow".into();
            lines[i].clear();
        }
    }
}

fn strip_comment(line: &str) -> String {
    let condition = line.starts_with("onlyif ") || line.starts_with("skipif ");
    let end = line.find('#').filter(|_| condition).unwrap_or(line.len());
    line[..end].trim_end().to_owned()
}

fn halts_others_only(condition: &str) -> bool {
    match condition.split_once(' ') {
        Some(("onlyif", engine)) => engine != ENGINE,
        Some(("skipif", engine)) => engine == ENGINE,
        _ => false,
    }
}

/// Whether a record is meant for other engines.
pub fn is_for_others(conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| match condition {
        Condition::OnlyIf { label } => label != ENGINE,
        Condition::SkipIf { label } => label == ENGINE,
    })
}

/// One value as a column of the declared type shows it.
pub fn render(value: &Value, column: &Type) -> String {
    match (column, value) {
        (_, Value::Null) => "NULL".into(),
        (Type::Integer, value) => as_integer(value).to_string(),
        (Type::FloatingPoint, value) => three_decimals(as_real(value)),
        (_, Value::Text(text)) => printable(text.as_bytes()),
        (_, Value::Blob(blob)) => printable(blob),
        (_, Value::Integer(n)) => n.to_string(),
        (_, Value::Real(x)) => panic!("a text column shows the real {x}: this needs SQLite's %!.15g here"),
    }
}

/// `sqlite3_column_int`.
#[allow(clippy::cast_possible_truncation, reason = "as SQLite does")]
fn as_integer(value: &Value) -> i64 {
    match value {
        Value::Integer(n) => *n,
        other => as_real(other) as i64,
    }
}

/// `sqlite3_column_double`: of text, the number it begins with.
#[allow(clippy::cast_precision_loss, reason = "as SQLite does")]
fn as_real(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Integer(n) => *n as f64,
        Value::Real(x) => *x,
        Value::Text(text) => number_prefix(text),
        Value::Blob(blob) => number_prefix(&String::from_utf8_lossy(blob)),
    }
}

/// `SQLite`'s `%.3f`, which knows 16 significant digits and fills up with zeros.
fn three_decimals(x: f64) -> String {
    let scientific = format!("{x:.15e}");
    let (digits, exponent) = scientific.split_once('e').expect("scientific notation has an exponent");
    match exponent.parse::<usize>() {
        Ok(exponent @ 16..) => format!("{}{}.000", digits.replace('.', ""), "0".repeat(exponent - 15)),
        _ => format!("{x:.3}"),
    }
}

fn number_prefix(text: &str) -> f64 {
    let text = text.trim_start();
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b)).count();
    (0..=digits).rev().find_map(|n| text[..n].parse().ok()).unwrap_or(0.0)
}

fn printable(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(empty)".into();
    }
    bytes.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '@' }).collect()
}
