//! Value blocks: the parameters a tab sends and the rows the hub answers. The layout is drawn in `hub-js/protocol.ts`.
//!
//! `web` and `hub` read parameters with `ValuesReader` and build rows with `RowsWriter`. The two directions differ in one thing:
//! text lengths are UTF-8 bytes towards the hub and UTF-16 units towards the tab, so each side only ever slices.

use super::frame::{FrameError, padded};

pub(crate) const NULL: u8 = 0;
pub(crate) const INTEGER_F64: u8 = 1;
pub(crate) const INTEGER_I64: u8 = 2;
pub(crate) const REAL: u8 = 3;
pub(crate) const TEXT: u8 = 4;
pub(crate) const BLOB: u8 = 5;

const HEADER_BYTES: usize = 24;
const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;

/// One `SQLite` value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Reads the value blocks of one request's payload, in order.
pub struct ValuesReader<'a> {
    rest: &'a [u8],
}

impl<'a> ValuesReader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next block, which must hold `expected_count` values.
    ///
    /// # Errors
    /// When the block is cut short, contradicts its own lengths, or holds another number of values.
    pub fn block(&mut self, expected_count: usize) -> Result<Vec<Value>, FrameError> {
        let block = Block::split(&mut self.rest, expected_count)?;
        block.values()
    }

    /// # Errors
    /// When bytes follow the last block.
    pub fn finish(self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::Block("bytes follow the last block")) }
    }
}

/// The sections of one block; `values` consumes them from the front.
struct Block<'a> {
    types: &'a [u8],
    slots: &'a [u8],
    lengths: &'a [u8],
    heap: &'a [u8],
    blobs: &'a [u8],
}

impl<'a> Block<'a> {
    fn split(rest: &mut &'a [u8], expected_count: usize) -> Result<Self, FrameError> {
        let header = take(rest, HEADER_BYTES, "block header")?;
        let field = |index: usize| {
            let at = index * 4;
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
        };
        let (count, numbers, slices, heap_bytes, blob_bytes) = (field(0), field(1), field(2), field(3), field(4));
        if count != expected_count {
            return Err(FrameError::Block("it holds another number of values than its request says"));
        }
        if numbers > count || slices > count || field(5) != 0 {
            return Err(FrameError::Block("its lengths exceed its count, or its reserved word is set"));
        }
        let types = take(rest, count, "types")?;
        take(rest, padded(count) - count, "padding")?;
        let slots = take(rest, numbers.saturating_mul(8), "numbers")?;
        let lengths = take(rest, slices.saturating_mul(4), "lengths")?;
        let heap = take(rest, heap_bytes, "texts")?;
        let blobs = take(rest, blob_bytes, "blobs")?;
        // The block began at a multiple of 8, so what is missing to the next one follows from the unaligned tail alone.
        let tail = (lengths.len() % 8 + heap_bytes % 8 + blob_bytes % 8) % 8;
        take(rest, (8 - tail) % 8, "padding")?;
        Ok(Self { types, slots, lengths, heap, blobs })
    }

    fn values(mut self) -> Result<Vec<Value>, FrameError> {
        let mut values = Vec::with_capacity(self.types.len());
        for kind in self.types {
            values.push(self.value(*kind)?);
        }
        if self.slots.is_empty() && self.lengths.is_empty() && self.heap.is_empty() && self.blobs.is_empty() {
            Ok(values)
        } else {
            Err(FrameError::Block("it holds more bytes than its types use"))
        }
    }

    fn value(&mut self, kind: u8) -> Result<Value, FrameError> {
        Ok(match kind {
            NULL => Value::Null,
            INTEGER_F64 => Value::Integer(safe_integer(f64::from_le_bytes(self.slot()?))?),
            INTEGER_I64 => Value::Integer(i64::from_le_bytes(self.slot()?)),
            REAL => Value::Real(f64::from_le_bytes(self.slot()?)),
            TEXT => {
                let length = self.length()?;
                let bytes = take(&mut self.heap, length, "texts")?;
                let text = core::str::from_utf8(bytes).map_err(|_| FrameError::Block("a text is not UTF-8"))?;
                Value::Text(text.to_owned())
            }
            BLOB => {
                let length = self.length()?;
                Value::Blob(take(&mut self.blobs, length, "blobs")?.to_vec())
            }
            _ => return Err(FrameError::Block("it names an unknown value type")),
        })
    }

    fn slot(&mut self) -> Result<[u8; 8], FrameError> {
        let (slot, rest) = self.slots.split_first_chunk().ok_or(FrameError::Block("it has too few numbers"))?;
        self.slots = rest;
        Ok(*slot)
    }

    fn length(&mut self) -> Result<usize, FrameError> {
        let (length, rest) = self.lengths.split_first_chunk().ok_or(FrameError::Block("it has too few lengths"))?;
        self.lengths = rest;
        Ok(u32::from_le_bytes(*length) as usize)
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize, part: &'static str) -> Result<&'a [u8], FrameError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(FrameError::Truncated(part))?;
    *rest = left;
    Ok(taken)
}

fn safe_integer(slot: f64) -> Result<i64, FrameError> {
    if slot.abs() <= SAFE_INTEGER_MAX as f64 && slot as i64 as f64 == slot {
        Ok(slot as i64)
    } else {
        Err(FrameError::Block("an integer slot holds no safe integer"))
    }
}

/// Collects rows, value by value, and writes them as one block. Reusable: `clear` keeps the memory.
///
/// The caller bounds a block (chunks for streams, `HUB_LIMIT` for whole results): its lengths are 32-bit.
#[derive(Default)]
pub struct RowsWriter {
    types: Vec<u8>,
    slots: Vec<[u8; 8]>,
    lengths: Vec<[u8; 4]>,
    heap: Vec<u8>,
    blobs: Vec<u8>,
}

impl RowsWriter {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn null(&mut self) {
        self.types.push(NULL);
    }

    pub fn integer(&mut self, value: i64) {
        if (-SAFE_INTEGER_MAX..=SAFE_INTEGER_MAX).contains(&value) {
            self.number(INTEGER_F64, (value as f64).to_le_bytes());
        } else {
            self.number(INTEGER_I64, value.to_le_bytes());
        }
    }

    pub fn real(&mut self, value: f64) {
        self.number(REAL, value.to_le_bytes());
    }

    pub fn text(&mut self, value: &str) {
        self.slice(TEXT, utf16_length(value));
        self.heap.extend_from_slice(value.as_bytes());
    }

    pub fn blob(&mut self, value: &[u8]) {
        self.slice(BLOB, value.len());
        self.blobs.extend_from_slice(value);
    }

    /// Values collected so far.
    pub fn count(&self) -> usize {
        self.types.len()
    }

    /// Bytes that `write_to` would append.
    pub fn bytes(&self) -> usize {
        let tail = self.lengths.len() * 4 + self.heap.len() + self.blobs.len();
        HEADER_BYTES + padded(self.types.len()) + self.slots.len() * 8 + padded(tail)
    }

    pub fn clear(&mut self) {
        self.slots.clear();
        self.lengths.clear();
        for section in [&mut self.types, &mut self.heap, &mut self.blobs] {
            section.clear();
        }
    }

    /// Appends the block to `payload`, which must end at a multiple of 8.
    pub fn write_to(&self, payload: &mut Vec<u8>) {
        debug_assert!(payload.len().is_multiple_of(8), "blocks are 8-byte aligned");
        payload.reserve(self.bytes());
        let header = [self.types.len(), self.slots.len(), self.lengths.len(), self.heap.len(), self.blobs.len(), 0];
        for field in header {
            payload.extend_from_slice(&(field as u32).to_le_bytes());
        }
        payload.extend_from_slice(&self.types);
        payload.resize(padded(payload.len()), 0);
        for section in [self.slots.as_flattened(), self.lengths.as_flattened(), &self.heap, &self.blobs] {
            payload.extend_from_slice(section);
        }
        payload.resize(padded(payload.len()), 0);
    }

    fn number(&mut self, kind: u8, slot: [u8; 8]) {
        self.types.push(kind);
        self.slots.push(slot);
    }

    fn slice(&mut self, kind: u8, length: usize) {
        self.types.push(kind);
        self.lengths.push((length as u32).to_le_bytes());
    }
}

/// UTF-16 units of a UTF-8 text: one per leading byte, one more where it leads four (a surrogate pair).
fn utf16_length(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.bytes().map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(byte >= 0xF0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            (-1000i64..1000).prop_map(Value::Integer),
            (-1e300f64..1e300).prop_map(Value::Real),
            any::<String>().prop_map(Value::Text),
            "[ -~]{0,12}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        ]
    }

    fn write(values: &[Value]) -> RowsWriter {
        let mut writer = RowsWriter::new();
        for value in values {
            match value {
                Value::Null => writer.null(),
                Value::Integer(value) => writer.integer(*value),
                Value::Real(value) => writer.real(*value),
                Value::Text(value) => writer.text(value),
                Value::Blob(value) => writer.blob(value),
            }
        }
        writer
    }

    /// A tab's block: the writer's, with text lengths in UTF-8 bytes.
    fn params(values: &[Value]) -> Vec<u8> {
        let mut writer = write(values);
        let slices = values.iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.len()),
            Value::Blob(blob) => Some(blob.len()),
            _ => None,
        });
        writer.lengths = slices.map(|length| (length as u32).to_le_bytes()).collect();
        let mut payload = Vec::new();
        writer.write_to(&mut payload);
        payload
    }

    #[test]
    fn integers_are_exact_at_every_edge() {
        for value in
            [0, 1, -1, SAFE_INTEGER_MAX, SAFE_INTEGER_MAX + 1, -SAFE_INTEGER_MAX, -SAFE_INTEGER_MAX - 1, i64::MIN, i64::MAX]
        {
            let payload = params(&[Value::Integer(value)]);
            assert_eq!(ValuesReader::new(&payload).block(1).unwrap(), [Value::Integer(value)]);
        }
    }

    #[test]
    fn an_integer_slot_must_hold_a_safe_integer() {
        for slot in [0.5, f64::NAN, f64::INFINITY, 9_007_199_254_740_992.0] {
            let mut payload = params(&[Value::Integer(1)]);
            payload[32..40].copy_from_slice(&slot.to_le_bytes());
            assert!(ValuesReader::new(&payload).block(1).is_err(), "{slot}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let mut payload = params(&[Value::Text("abcd".into())]);
        payload[37] = 0xFF;
        assert_eq!(ValuesReader::new(&payload).block(1), Err(FrameError::Block("a text is not UTF-8")));
    }

    #[test]
    fn another_count_than_the_header_says_is_refused() {
        let payload = params(&[Value::Null]);
        assert!(ValuesReader::new(&payload).block(2).is_err());
    }

    #[test]
    fn bytes_after_the_last_block_are_refused() {
        let mut payload = params(&[Value::Null]);
        payload.extend_from_slice(&[0; 8]);
        let mut reader = ValuesReader::new(&payload);
        reader.block(1).unwrap();
        assert!(reader.finish().is_err());
    }

    #[test]
    fn every_cut_of_a_block_is_an_error() {
        let payload = params(&[Value::Integer(1), Value::Text("text".into()), Value::Blob(vec![1, 2, 3])]);
        for length in 0..payload.len() {
            assert!(ValuesReader::new(&payload[..length]).block(3).is_err(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn values_survive_the_way(blocks in proptest::collection::vec(proptest::collection::vec(value(), 0..20), 1..4)) {
            let payload: Vec<u8> = blocks.iter().flat_map(|values| params(values)).collect();
            let mut reader = ValuesReader::new(&payload);
            for values in &blocks {
                prop_assert_eq!(&reader.block(values.len()).unwrap(), values);
            }
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn the_writer_knows_its_size_and_starts_anew(values in proptest::collection::vec(value(), 0..30)) {
            let mut writer = write(&values);
            let mut payload = Vec::new();
            writer.write_to(&mut payload);
            prop_assert_eq!(payload.len(), writer.bytes());
            prop_assert_eq!(payload.len() % 8, 0);
            prop_assert_eq!(writer.count(), values.len());
            writer.clear();
            prop_assert_eq!((writer.count(), writer.bytes()), (0, HEADER_BYTES));
        }

        #[test]
        fn text_lengths_are_utf16_units(text in any::<String>()) {
            prop_assert_eq!(utf16_length(&text), text.encode_utf16().count());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(payload in proptest::collection::vec(0u8..8, 0..120), count in 0usize..8) {
            let mut reader = ValuesReader::new(&payload);
            while reader.block(count).is_ok() {}
        }

        #[test]
        fn no_flipped_byte_makes_the_reader_panic(values in proptest::collection::vec(value(), 0..12), at in any::<usize>(), with in any::<u8>()) {
            let mut payload = params(&values);
            let at = at % payload.len();
            payload[at] = with;
            let _ = ValuesReader::new(&payload).block(values.len());
        }
    }
}
