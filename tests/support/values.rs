//! Value blocks as a tab writes and reads them: an implementation of its own, so that the hub's codec is not tested against itself.

use super::Rows;
use tabhub::wire::Value;

fn put(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&u32::try_from(n).unwrap().to_le_bytes());
}

/// One value block as a tab encodes it.
pub fn encode_values(values: &[Value]) -> Vec<u8> {
    let (mut types, mut slots, mut lengths, mut heap, mut blobs) = (vec![], vec![], vec![], vec![], vec![]);
    for value in values {
        match value {
            Value::Null => types.push(0u8),
            Value::Integer(n) => {
                types.push(2);
                slots.extend_from_slice(&n.to_le_bytes());
            }
            Value::Real(x) => {
                types.push(3);
                slots.extend_from_slice(&x.to_le_bytes());
            }
            Value::Text(text) => {
                types.push(4);
                put(&mut lengths, text.len());
                heap.extend_from_slice(text.as_bytes());
            }
            Value::Blob(blob) => {
                types.push(5);
                put(&mut lengths, blob.len());
                blobs.extend_from_slice(blob);
            }
        }
    }
    let mut out = vec![];
    for n in [types.len(), slots.len() / 8, lengths.len() / 4, heap.len(), blobs.len(), 0] {
        put(&mut out, n);
    }
    out.extend(types);
    out.resize(out.len().next_multiple_of(8), 0);
    for part in [slots, lengths, heap, blobs] {
        out.extend(part);
    }
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

/// Decodes one block of rows; returns the rows and the bytes used.
pub fn decode_rows(block: &[u8], rows: usize, columns: usize) -> (Rows, usize) {
    let field = |at: usize| u32::from_le_bytes(block[at * 4..at * 4 + 4].try_into().unwrap()) as usize;
    let (count, numbers, slices, heap_bytes, blob_bytes) = (field(0), field(1), field(2), field(3), field(4));
    assert_eq!(count, rows * columns);
    let types = &block[24..24 + count];
    let slots = (24 + count).next_multiple_of(8);
    let lengths = slots + numbers * 8;
    let heap = lengths + slices * 4;
    let text: Vec<u16> = std::str::from_utf8(&block[heap..heap + heap_bytes]).unwrap().encode_utf16().collect();
    let blobs = &block[heap + heap_bytes..heap + heap_bytes + blob_bytes];
    let (mut slot, mut slice, mut text_at, mut blob_at) = (0, 0, 0, 0);
    let mut number = || {
        slot += 1;
        <[u8; 8]>::try_from(&block[slots + slot * 8 - 8..slots + slot * 8]).unwrap()
    };
    let mut length = || {
        slice += 1;
        u32::from_le_bytes(block[lengths + slice * 4 - 4..lengths + slice * 4].try_into().unwrap()) as usize
    };
    let mut values = types.iter().map(|kind| match kind {
        0 => Value::Null,
        #[allow(clippy::cast_possible_truncation, reason = "type 1 is a safe integer")]
        1 => Value::Integer(f64::from_le_bytes(number()) as i64),
        2 => Value::Integer(i64::from_le_bytes(number())),
        3 => Value::Real(f64::from_le_bytes(number())),
        4 => {
            let n = length();
            text_at += n;
            Value::Text(String::from_utf16(&text[text_at - n..text_at]).unwrap())
        }
        5 => {
            let n = length();
            blob_at += n;
            Value::Blob(blobs[blob_at - n..blob_at].to_vec())
        }
        other => panic!("type {other}"),
    });
    let rows = (0..rows).map(|_| values.by_ref().take(columns).collect()).collect();
    (rows, (heap + heap_bytes + blob_bytes).next_multiple_of(8))
}
