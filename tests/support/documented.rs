//! The README's table of errors, for the tests that meet one: what is documented is what is said. `tests/js/documented.mjs` is the
//! same for the client's side, and `tidy.test.mjs` beside it sees to it that no row is left out.

use tabhub::wire::WireError;

const README: &str = include_str!("../../README.md");

/// Asserts that the error has this code, and the message that the README shows for it; `…` stands there for what varies.
pub fn documented(code: &str, error: &WireError) {
    let row = README.lines().find(|line| line.starts_with(&format!("| `{code}`"))).expect("the code is in the table");
    let pattern = row.split(" | ").nth(1).expect("a row has a message");
    assert_eq!(error.code, code, "{error:?}");
    assert!(fits(pattern, &error.message), "{code} says: {}\nthe README: {pattern}", error.message);
}

/// Whether the message is of this pattern.
pub fn fits(pattern: &str, message: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('…') else { return pattern == message };
    let Some(varying) = message.strip_prefix(head) else { return false };
    varying.char_indices().any(|(at, letter)| fits(rest, &varying[at + letter.len_utf8()..]))
}
