//! Which rows of its table a query depends on: those in which a column equals a value, where its text says so plainly, as in
//! `SELECT … FROM todo WHERE list = ? AND …`. Every other text has no filter, and the query is then run again for any row of the table.
//!
//! *Invariant.* A row that the query can see, before or after a change, has a value that [`Noted::may_equal`] the filter's.

use super::statement::Params;
use super::value::ValueRef;

/// A table, by name, and the place of one of its columns.
pub type Watched = (String, usize);

/// Where the text ends that WHERE governs.
const AFTER_WHERE: [&str; 5] = ["group", "having", "window", "order", "limit"];
/// With one of these a query reads more than one set of rows, or no one knows which.
const OTHER_SHAPES: [&str; 5] = ["select", "union", "intersect", "except", "join"];
/// With one of these among its conditions, an AND may be no AND of theirs.
const OTHER_CONDITIONS: [&str; 3] = ["or", "between", "case"];
/// No name that follows a table's is one of these.
const NO_ALIAS: [&str; 4] = ["where", "from", "indexed", "not"];

/// The column of the one table that a query reads, and the value that it has in every row that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub column: Watched,
    pub value: Noted,
}

/// A value as far as it is noted: enough to tell that two differ, whatever affinity and collation they are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    Null,
    Integer(i64),
    /// In lower case and without spaces at its end, which `NOCASE` and `RTRIM` do not look at.
    Text(Box<str>),
    Blob(Box<[u8]>),
    /// A number with a fraction, or one that is too long to be noted.
    Other,
}

impl Noted {
    const BYTES_MAX: usize = 256;

    pub fn of(value: &ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(*number),
            ValueRef::Text(text) if text.len() <= Self::BYTES_MAX => {
                Self::Text(text.trim_end_matches(' ').to_ascii_lowercase().into())
            }
            ValueRef::Blob(bytes) if bytes.len() <= Self::BYTES_MAX => Self::Blob((*bytes).into()),
            ValueRef::Text(_) | ValueRef::Blob(_) | ValueRef::Real(_) => Self::Other,
        }
    }

    /// Whether SQL's `=` may say yes. Values of two kinds may become one by the column's affinity.
    #[must_use]
    pub fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => false,
            (Self::Integer(_), Self::Integer(_)) | (Self::Text(_), Self::Text(_)) | (Self::Blob(_), Self::Blob(_)) => {
                self == other
            }
            _ => true,
        }
    }
}

/// What the query's text says: the columns that must equal a value, as they are named there, and the table.
pub(super) struct Equalities {
    pub table: String,
    pub columns: Vec<(String, Noted)>,
}

/// None: no filter can be read from it.
pub(super) fn equalities(sql: &str, params: &Params<'_>) -> Option<Equalities> {
    let tokens = tokens(sql)?;
    let is_word = |at: usize, word: &str| matches!(tokens.get(at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
    let is_one_of = |at: usize, words: &[&str]| words.iter().any(|word| is_word(at, word));
    let reads_a_set =
        |at: usize| is_one_of(at, &OTHER_SHAPES) || is_word(at, "in") && tokens.get(at + 1) != Some(&Token::Sign(b'('));
    if !is_word(0, "select") || (1..tokens.len()).any(reads_a_set) {
        return None;
    }
    let outside = outside_brackets(&tokens);
    let mut at = outside.iter().copied().find(|at| is_word(*at, "from"))? + 1;
    let mut table = tokens.get(at)?.name()?;
    if tokens.get(at + 1) == Some(&Token::Sign(b'.')) {
        at += 2;
        table = tokens.get(at)?.name()?;
    }
    at += 1 + usize::from(is_word(at + 1, "as"));
    let alias = if is_one_of(at, &NO_ALIAS) { table } else { tokens.get(at)?.name()? };
    at += usize::from(!is_one_of(at, &NO_ALIAS));
    if !is_word(at, "where") {
        return None;
    }
    let ends = |place: &usize| is_one_of(*place, &AFTER_WHERE) || tokens[*place] == Token::Sign(b';');
    let conditions: Vec<_> = outside.into_iter().filter(|place| *place > at).take_while(|place| !ends(place)).collect();
    if conditions.iter().any(|place| is_one_of(*place, &OTHER_CONDITIONS)) {
        return None;
    }
    let found = conditions.split(|place| is_word(*place, "and")).filter_map(|condition| {
        // What stands in brackets is missing among these.
        let is_whole = condition.windows(2).all(|two| two[1] == two[0] + 1);
        let parts: Vec<_> = condition.iter().map(|place| &tokens[*place]).collect();
        if is_whole { equality(&parts, &[table, alias], params) } else { None }
    });
    Some(Equalities { table: table.into(), columns: found.collect() })
}

/// `column = value`, the column with or without its table.
fn equality(parts: &[&Token<'_>], tables: &[&str], params: &Params<'_>) -> Option<(String, Noted)> {
    let (column, rest) = match parts {
        [table, Token::Sign(b'.'), column, rest @ ..] if tables.iter().any(|known| table.is_named(known)) => {
            (column.name()?, rest)
        }
        [column, rest @ ..] => (column.name()?, rest),
        [] => return None,
    };
    let ([Token::Sign(b'='), value] | [Token::Sign(b'='), Token::Sign(b'='), value]) = rest else { return None };
    let value = match value {
        Token::Text(text) => Noted::of(&ValueRef::Text((*text).into())),
        Token::Number(digits) => Noted::Integer(digits.parse().ok()?),
        Token::Parameter(at) if params.names.is_none() => Noted::of(params.values.get(*at)?),
        Token::Named(name) => {
            let is_it = |known: &String| known == name || Some(known.as_str()) == name.get(1..);
            Noted::of(params.values.get(params.names?.iter().position(is_it)?)?)
        }
        _ => return None,
    };
    Some((column.into(), value))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    /// A name in quotes.
    Quoted(&'a str),
    Text(&'a str),
    Number(&'a str),
    /// `?`, and how many there were before.
    Parameter(usize),
    Named(&'a str),
    Sign(u8),
}

impl<'a> Token<'a> {
    fn name(&self) -> Option<&'a str> {
        if let Self::Word(name) | Self::Quoted(name) = self { Some(name) } else { None }
    }

    fn is_named(&self, name: &str) -> bool {
        self.name().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// None for what needs a closer look than this: quotes inside of quotes, numbered parameters, anything without its end.
fn tokens(sql: &str) -> Option<Vec<Token<'_>>> {
    let bytes = sql.as_bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
    let end_of_word = |from: usize| bytes[from..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |len| from + len);
    let (mut found, mut at, mut parameters) = (vec![], 0, 0);
    while at < bytes.len() {
        let text = |from: usize, to: usize| sql.get(at + from..at + to);
        let (token, len) = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => (None, 1),
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                (None, end_of(&bytes[at..], |_, byte| byte == b'\n').unwrap_or(bytes.len() - at))
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                (None, end_of(&bytes[at + 2..], |last, byte| (last, byte) == (b'*', b'/'))? + 2)
            }
            b'\'' => {
                let len = end_of(&bytes[at + 1..], |_, byte| byte == b'\'')?;
                // Two of them stand for one.
                if bytes.get(at + 1 + len) == Some(&b'\'') {
                    return None;
                }
                (Some(Token::Text(text(1, len)?)), len + 1)
            }
            open @ (b'"' | b'`' | b'[') => {
                let close = if open == b'[' { b']' } else { open };
                let len = end_of(&bytes[at + 1..], |_, byte| byte == close)?;
                (Some(Token::Quoted(text(1, len)?)), len + 1)
            }
            b'?' if bytes.get(at + 1).is_none_or(|byte| !is_part(*byte)) => {
                parameters += 1;
                (Some(Token::Parameter(parameters - 1)), 1)
            }
            b'?' => return None,
            b':' | b'@' | b'$' => {
                let end = end_of_word(at + 1);
                (Some(Token::Named(text(0, end - at)?)), end - at)
            }
            b'0'..=b'9' => {
                let end = end_of_word(at);
                (Some(Token::Number(text(0, end - at)?)), end - at)
            }
            byte if is_part(byte) => {
                let end = end_of_word(at);
                (Some(Token::Word(text(0, end - at)?)), end - at)
            }
            byte => (Some(Token::Sign(byte)), 1),
        };
        found.extend(token);
        at += len;
    }
    Some(found)
}

/// How long it is with the byte by which it ends.
fn end_of(bytes: &[u8], is_last: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let mut last = 0;
    let ends = |byte: &u8| is_last(std::mem::replace(&mut last, *byte), *byte);
    bytes.iter().position(ends).map(|at| at + 1)
}

/// The places of the tokens that stand in no brackets; brackets themselves do not.
fn outside_brackets(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut depth = 0_i32;
    let mut outside = vec![];
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            _ if depth == 0 => outside.push(at),
            _ => {}
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sql: &str) -> Option<(String, Vec<(String, Noted)>)> {
        let params = Params { values: vec![ValueRef::Integer(7), ValueRef::Text("Ab ".into())], names: None };
        equalities(sql, &params).map(|found| (found.table, found.columns))
    }

    fn columns(sql: &str) -> Vec<String> {
        found(sql).map(|(_, columns)| columns.into_iter().map(|(name, _)| name).collect()).unwrap_or_default()
    }

    #[test]
    fn reads_what_is_said_plainly() {
        let seven = || vec![("list".into(), Noted::Integer(7))];
        assert_eq!(found("SELECT * FROM todo WHERE list = ?"), Some(("todo".into(), seven())));
        assert_eq!(
            found("select count(*) from main.todo as t where t.list == ? order by n limit 3;"),
            Some(("todo".into(), seven()))
        );
        assert_eq!(found("SELECT a -- FROM x\n FROM /* y */ \"todo\" WHERE [list]=?"), Some(("todo".into(), seven())));
        assert_eq!(
            found("SELECT * FROM todo t WHERE n > ? AND (a OR b) AND t.body = ? AND done = 0"),
            Some(("todo".into(), vec![("body".into(), Noted::Text("ab".into())), ("done".into(), Noted::Integer(0))]))
        );
        assert_eq!(columns("SELECT * FROM todo WHERE body = 'it' AND x IS NOT NULL"), ["body"]);
    }

    #[test]
    fn does_not_guess() {
        for sql in [
            "SELECT * FROM todo WHERE list = ? OR done",
            "SELECT * FROM todo WHERE n BETWEEN 1 AND list = ?",
            "SELECT * FROM todo WHERE CASE n WHEN 1 THEN 1 AND list = ? END",
            "SELECT * FROM todo JOIN other WHERE list = ?",
            "SELECT * FROM todo, other WHERE list = ?",
            "SELECT * FROM todo WHERE list = ? UNION VALUES (1)",
            "SELECT * FROM todo WHERE list = (SELECT ?)",
            "WITH t AS (VALUES (1)) SELECT * FROM t WHERE list = ?",
            "SELECT * FROM f(1) WHERE list = ?",
            "SELECT * FROM todo WHERE list = ?1",
            "SELECT * FROM todo WHERE list = 'open",
            "SELECT * FROM todo WHERE list = 'it''s'",
            "SELECT * FROM todo WHERE list = ? AND 7 IN todo",
            "SELECT (SELECT max(q) FROM part) FROM todo WHERE list = ?",
        ] {
            assert_eq!(columns(sql), [""; 0], "{sql}");
        }
        for sql in [
            "SELECT * FROM todo WHERE list + 1 = ?",
            "SELECT * FROM todo WHERE list = ? COLLATE NOCASE",
            "SELECT * FROM todo WHERE list = ? + 1",
            "SELECT * FROM todo WHERE list = x'00'",
            "SELECT * FROM todo WHERE list = 1.5",
            "SELECT * FROM todo WHERE list = 1e3",
            "SELECT * FROM todo WHERE list = other",
            "SELECT * FROM todo WHERE f(list) = ?",
            "SELECT * FROM todo WHERE other.list = ?",
            "SELECT * FROM todo WHERE list = abs(7)",
            "SELECT * FROM todo WHERE NOT list = ?",
            "SELECT * FROM todo WHERE list = \"a\"",
        ] {
            assert_eq!(columns(sql), [""; 0], "{sql}");
        }
    }

    #[test]
    fn values_that_may_be_equal_are_not_told_apart() {
        let text = |text: &'static str| Noted::of(&ValueRef::Text(text.into()));
        assert!(text("Ab ").may_equal(&text("aB")));
        assert!(!text("a").may_equal(&text("b")));
        assert!(text("5").may_equal(&Noted::Integer(5)));
        assert!(Noted::of(&ValueRef::Real(5.0)).may_equal(&Noted::Integer(5)));
        assert!(!Noted::Null.may_equal(&Noted::Null));
    }
}
