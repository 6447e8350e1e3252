//! The JSON of frame headers: a reader of small objects and a writer. Our own, because a general library was a seventh of the
//! whole download: headers hold no fractions, no negative numbers and little nesting. `serde_json` checks it in the tests.

use std::borrow::Cow;

/// Deeper than any header: a name among the parameters of a statement of a batch is at 7.
const DEPTH_MAX: u32 = 8;

#[derive(Debug, PartialEq)]
pub enum Node<'a> {
    Null,
    Bool(bool),
    Number(u64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Object<'a>),
}

/// Fields in order. Readers take what they know; what is left is unknown.
#[derive(Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

/// What the header is not.
pub type Fault = String;

pub type Parsed<T> = Result<T, Fault>;

impl<'a> Object<'a> {
    /// Takes a field out. An explicit null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Node<'a>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.swap_remove(at).1).filter(|node| *node != Node::Null)
    }

    /// Takes the only field.
    pub fn take_only(&mut self) -> Option<(Cow<'a, str>, Node<'a>)> {
        if self.0.len() == 1 { self.0.pop() } else { None }
    }

    /// # Errors
    /// Names a field that nobody has taken.
    pub fn finish(&self) -> Parsed<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(["unknown field `", name, "`"].concat()),
        }
    }
}

/// Reads a header.
///
/// # Errors
/// Says what is not JSON, or not an object.
pub fn parse(text: &str) -> Parsed<Object<'_>> {
    let mut parser = Parser { text, at: 0 };
    let node = parser.value(0)?;
    parser.skip_space();
    match node {
        Node::Object(object) if parser.at == text.len() => Ok(object),
        Node::Object(_) => Err("more than one value".into()),
        _ => Err("not an object".into()),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: u32) -> Parsed<Node<'a>> {
        if depth > DEPTH_MAX {
            return Err("too deeply nested".into());
        }
        self.skip_space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Node::Text),
            b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: u32) -> Parsed<Node<'a>> {
        let mut fields = vec![];
        self.at += 1;
        while !self.eat(b'}') {
            if !fields.is_empty() && !self.eat(b',') {
                return Err("a comma is missing".into());
            }
            self.skip_space();
            let name = self.string()?;
            if !self.eat(b':') {
                return Err("a colon is missing".into());
            }
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(["duplicate field `", &name, "`"].concat());
            }
            fields.push((name, self.value(depth + 1)?));
        }
        Ok(Node::Object(Object(fields)))
    }

    fn list(&mut self, depth: u32) -> Parsed<Node<'a>> {
        let mut items = vec![];
        self.at += 1;
        while !self.eat(b']') {
            if !items.is_empty() && !self.eat(b',') {
                return Err("a comma is missing".into());
            }
            items.push(self.value(depth + 1)?);
        }
        Ok(Node::List(items))
    }

    fn number(&mut self) -> Parsed<Node<'a>> {
        let mut number = 0u64;
        if self.peek() == b'0' && self.text.as_bytes().get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            return Err("a number begins with 0".into());
        }
        while let digit @ b'0'..=b'9' = self.peek() {
            let next = number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
            number = next.ok_or("a number is too large")?;
            self.at += 1;
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') {
            return Err("a number is not whole".into());
        }
        Ok(Node::Number(number))
    }

    fn word(&mut self) -> Parsed<Node<'a>> {
        for (word, node) in [("null", Node::Null), ("true", Node::Bool(true)), ("false", Node::Bool(false))] {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(node);
            }
        }
        Err("not JSON".into())
    }

    fn string(&mut self) -> Parsed<Cow<'a, str>> {
        if self.peek() != b'"' {
            return Err("a string is missing".into());
        }
        self.at += 1;
        let start = self.at;
        let mut whole = Cow::Borrowed("");
        let mut from = start;
        loop {
            match self.text.as_bytes().get(self.at) {
                None | Some(0..0x20) => return Err("a string does not end".into()),
                Some(b'"') => {
                    whole += self.text.get(from..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(whole);
                }
                Some(b'\\') => {
                    whole += self.text.get(from..self.at).unwrap_or_default();
                    let character = self.escape()?;
                    whole.to_mut().push(character);
                    from = self.at;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        self.at += 2;
        Ok(match self.text.as_bytes().get(self.at - 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let mut code = self.hex4()?;
                if (0xd800..0xdc00).contains(&code) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.hex4()?;
                    code =
                        if (0xdc00..0xe000).contains(&low) { 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) } else { code };
                }
                return char::from_u32(code).ok_or_else(|| "half of a surrogate pair".into());
            }
            Some(&other @ (b'"' | b'\\' | b'/')) => char::from(other),
            _ => return Err("an unknown escape".into()),
        })
    }

    fn hex4(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()).to_digit(16).ok_or("an escape is cut short")?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Writes JSON at the end of a frame. Commas are put where an item follows another.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    /// JSON never ends in a zero byte: that is the frame's own, before the header.
    fn comma(&mut self) {
        if !matches!(self.0.last(), None | Some(0 | b'{' | b'[' | b':')) {
            self.0.push(b',');
        }
    }

    /// Writes `{ … }` or `[ … ]`.
    fn enclosed(&mut self, [open, close]: [u8; 2], inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.0.push(open);
        inside(self);
        self.0.push(close);
    }

    pub fn object(&mut self, inside: impl FnOnce(&mut Self)) {
        self.enclosed(*b"{}", inside);
    }

    pub fn list(&mut self, inside: impl FnOnce(&mut Self)) {
        self.enclosed(*b"[]", inside);
    }

    /// A field's name; its value follows.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.text(name);
        self.0.push(b':');
        self
    }

    pub fn word(&mut self, word: &str) {
        self.comma();
        self.0.extend_from_slice(word.as_bytes());
    }

    pub fn boolean(&mut self, value: bool) {
        self.word(if value { "true" } else { "false" });
    }

    pub fn number(&mut self, value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.comma();
        self.0.extend_from_slice(&digits[at..]);
    }

    pub fn text(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.comma();
        self.0.push(b'"');
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, byte) in bytes.iter().copied().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.0.extend_from_slice(&bytes[copied..at]);
            copied = at + 1;
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\t' => self.0.extend_from_slice(b"\\t"),
                0x08 => self.0.extend_from_slice(b"\\b"),
                0x0c => self.0.extend_from_slice(b"\\f"),
                _ => {
                    self.0.extend_from_slice(b"\\u00");
                    self.0.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }
        }
        self.0.extend_from_slice(&bytes[copied..]);
        self.0.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The value as `serde_json` sees it.
    fn plain(node: &Node<'_>) -> serde_json::Value {
        match node {
            Node::Null => serde_json::Value::Null,
            Node::Bool(b) => (*b).into(),
            Node::Number(n) => (*n).into(),
            Node::Text(text) => text.as_ref().into(),
            Node::List(items) => items.iter().map(plain).collect(),
            Node::Object(Object(fields)) => fields.iter().map(|(k, v)| (k.to_string(), plain(v))).collect(),
        }
    }

    fn write(value: &serde_json::Value, out: &mut Writer<'_>) {
        match value {
            serde_json::Value::Null => out.word("null"),
            serde_json::Value::Bool(b) => out.boolean(*b),
            serde_json::Value::Number(n) => out.number(n.as_u64().unwrap()),
            serde_json::Value::String(text) => out.text(text),
            serde_json::Value::Array(items) => out.list(|out| items.iter().for_each(|item| write(item, out))),
            serde_json::Value::Object(fields) => out.object(|out| fields.iter().for_each(|(k, v)| write(v, out.key(k)))),
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_writes_what_serde_json_writes_and_reads_it_back(value in values()) {
            let object = serde_json::json!({ "x": value });
            let mut out = vec![];
            write(&object, &mut Writer(&mut out));
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&object).unwrap());
            prop_assert_eq!(plain(&Node::Object(parse(&text).unwrap())), object.clone());
            prop_assert_eq!(plain(&Node::Object(parse(&serde_json::to_string_pretty(&object).unwrap()).unwrap())), object);
        }

        // At stake: a foreign message must never bring the hub down.
        #[test]
        fn whatever_it_accepts_serde_json_accepts_too(text in "[\\[\\]{}:,\"\\\\u0-9a-fnrtls \\.-]{0,40}") {
            if let Ok(object) = parse(&text) {
                let expected = serde_json::from_str::<serde_json::Value>(&text);
                prop_assert_eq!(plain(&Node::Object(object)), expected.unwrap());
            }
        }
    }

    #[test]
    fn what_is_not_a_small_object_is_named() {
        for (text, fault) in [
            ("", "not JSON"),
            ("[]", "not an object"),
            ("{} {}", "more than one value"),
            (r#"{"a":1.5}"#, "a number is not whole"),
            (r#"{"a":-1}"#, "not JSON"),
            (r#"{"a":99999999999999999999}"#, "a number is too large"),
            (r#"{"a":1,"a":2}"#, "duplicate field `a`"),
            (r#"{"a":1 "b":2}"#, "a comma is missing"),
            (r#"{"a"}"#, "a colon is missing"),
            (r#"{"a":"x"#, "a string does not end"),
            (r#"{"a":"\ud800"}"#, "half of a surrogate pair"),
            (r#"{"a":[[[[[[[[[]]]]]]]]]}"#, "too deeply nested"),
        ] {
            assert_eq!(parse(text), Err(fault.to_owned()), "{text}");
        }
    }
}
