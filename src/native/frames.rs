//! The tab's side of the wire, in Rust: requests and parameters into bytes, answers and rows out of them. The bytes come from the
//! hub in the same process, so that an answer which is not understood is a programmer's error.

use super::driver::Answer;
use super::error::{LocalError, Result};
use crate::error::Error;
use crate::wire::value::{BLOB, INTEGER_F64, INTEGER_I64, NULL, REAL, TEXT};
use crate::wire::{Body, Op, Request, Response, Value};

pub fn encode_request(id: u64, op: Op, payload: &[u8]) -> Vec<u8> {
    let header = serde_json::to_vec(&Request { id, write: None, answered: None, op }).expect("a request is JSON");
    let mut frame = length(header.len()).to_le_bytes().to_vec();
    frame.extend(header);
    frame.resize(frame.len().next_multiple_of(8), 0);
    frame.extend_from_slice(payload);
    frame
}

/// The request that a frame answers, and its answer.
///
/// # Panics
/// Where the frame is not one of this protocol.
pub fn decode_response(frame: &[u8]) -> (u64, Answer) {
    let header = 4 + u32::from_le_bytes(frame[..4].try_into().expect("four bytes")) as usize;
    let response: Response = serde_json::from_slice(&frame[4..header]).expect("the hub's answers are JSON");
    let payload = frame[header.next_multiple_of(8)..].to_vec();
    (response.re, Answer { body: response.body, payload })
}

/// What the hub cannot have answered.
pub fn unexpected(wanted: &str, body: &Body) -> LocalError {
    Error::Protocol(format!("the hub answered {body:?} where `{wanted}` was due")).into()
}

/// One value block, as tabs write it.
pub fn encode_values(values: &[Value]) -> Vec<u8> {
    let (mut types, mut slots, mut lengths, mut texts, mut blobs) = (vec![], vec![], vec![], vec![], vec![]);
    for value in values {
        match value {
            Value::Null => types.push(NULL),
            Value::Integer(n) => {
                types.push(INTEGER_I64);
                slots.extend(n.to_le_bytes());
            }
            Value::Real(x) => {
                types.push(REAL);
                slots.extend(x.to_le_bytes());
            }
            Value::Text(text) => {
                types.push(TEXT);
                lengths.extend(length(text.len()).to_le_bytes());
                texts.extend_from_slice(text.as_bytes());
            }
            Value::Blob(blob) => {
                types.push(BLOB);
                lengths.extend(length(blob.len()).to_le_bytes());
                blobs.extend_from_slice(blob);
            }
        }
    }
    let mut block = vec![];
    for n in [types.len(), slots.len() / 8, lengths.len() / 4, texts.len(), blobs.len(), 0] {
        block.extend(length(n).to_le_bytes());
    }
    block.extend(types);
    block.resize(block.len().next_multiple_of(8), 0);
    for part in [slots, lengths, texts, blobs] {
        block.extend(part);
    }
    block.resize(block.len().next_multiple_of(8), 0);
    block
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("a request is smaller than 4 GiB")
}

/// Takes one block of rows from the front of a payload.
///
/// # Errors
/// `HUB_PROTOCOL` where it is not as the hub's writer makes it.
pub fn decode_rows(payload: &mut &[u8], rows: usize, columns: usize) -> Result<Vec<Vec<Value>>> {
    let malformed = || LocalError::from(Error::Protocol("the hub's rows are not as it announced them".into()));
    let mut block = Block::take(payload).filter(|block| block.types.len() == rows * columns).ok_or_else(malformed)?;
    let mut row = || (0..columns).map(|_| block.value()).collect::<Option<Vec<_>>>().ok_or_else(malformed);
    (0..rows).map(|_| row()).collect()
}

/// The sections of a block, consumed from the front.
struct Block<'a> {
    types: &'a [u8],
    slots: &'a [u8],
    lengths: &'a [u8],
    texts: &'a str,
    blobs: &'a [u8],
}

impl<'a> Block<'a> {
    fn take(payload: &mut &'a [u8]) -> Option<Self> {
        let header = payload.get(..24)?;
        let field = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
        let [count, numbers, slices, texts, blobs] = [0, 4, 8, 12, 16].map(field);
        let mut at = 24;
        let mut section = |length: usize| {
            let found = payload.get(at..at + length)?;
            at += length;
            Some(found)
        };
        let types = section(count)?;
        section(count.next_multiple_of(8) - count)?;
        let (slots, lengths) = (section(numbers * 8)?, section(slices * 4)?);
        let (texts, blobs) = (std::str::from_utf8(section(texts)?).ok()?, section(blobs)?);
        *payload = payload.get(at.next_multiple_of(8)..)?;
        Some(Self { types, slots, lengths, texts, blobs })
    }

    fn value(&mut self) -> Option<Value> {
        let (kind, rest) = self.types.split_first()?;
        self.types = rest;
        Some(match *kind {
            NULL => Value::Null,
            #[allow(clippy::cast_possible_truncation, reason = "such a slot holds a whole number below 2^53")]
            INTEGER_F64 => Value::Integer(f64::from_le_bytes(self.slot()?) as i64),
            INTEGER_I64 => Value::Integer(i64::from_le_bytes(self.slot()?)),
            REAL => Value::Real(f64::from_le_bytes(self.slot()?)),
            TEXT => {
                let units = self.length()?;
                let (text, rest) = self.texts.split_at_checked(bytes_of(self.texts, units)?)?;
                self.texts = rest;
                Value::Text(text.into())
            }
            BLOB => {
                let length = self.length()?;
                let (blob, rest) = self.blobs.split_at_checked(length)?;
                self.blobs = rest;
                Value::Blob(blob.into())
            }
            _ => return None,
        })
    }

    fn slot(&mut self) -> Option<[u8; 8]> {
        let (slot, rest) = self.slots.split_first_chunk()?;
        self.slots = rest;
        Some(*slot)
    }

    fn length(&mut self) -> Option<usize> {
        let (length, rest) = self.lengths.split_first_chunk()?;
        self.lengths = rest;
        Some(u32::from_le_bytes(*length) as usize)
    }
}

/// How many bytes the first so many UTF-16 units of a text take: the hub counts as JavaScript does.
fn bytes_of(text: &str, units: usize) -> Option<usize> {
    let (mut bytes, mut left) = (0, units);
    let mut chars = text.chars();
    while left > 0 {
        let char = chars.next()?;
        bytes += char.len_utf8();
        left = left.checked_sub(char.len_utf16())?;
    }
    Some(bytes)
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Real(x)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(blob: Vec<u8>) -> Self {
        Value::Blob(blob)
    }
}
