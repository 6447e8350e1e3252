//! Rows that are kept and compared: each as one run of bytes, and what leads from one list of them to another.

use crate::engine::{Statement, ValueRef};
use crate::store::codec::{Fields, checksum};
use crate::wire::RowsWriter;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// One row: for each value its type, then its 8 bytes, or its length and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow(Box<[u8]>);

impl StoredRow {
    /// The statement's current row.
    pub fn of(statement: &Statement) -> Self {
        let mut out = vec![];
        for column in 0..statement.column_count() {
            match statement.value(column) {
                ValueRef::Null => out.push(NULL),
                ValueRef::Integer(n) => put(&mut out, INTEGER, &n.to_le_bytes()),
                ValueRef::Real(x) => put(&mut out, REAL, &x.to_le_bytes()),
                ValueRef::Text(text) => put_run(&mut out, TEXT, text.as_bytes()),
                ValueRef::Blob(blob) => put_run(&mut out, BLOB, blob),
            }
        }
        Self(out.into())
    }

    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

fn put(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn put_run(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    put(out, kind, &(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a row's values to a block.
///
/// # Panics
/// For bytes that [`StoredRow::of`] did not make.
pub fn write_row(row: &StoredRow, writer: &mut RowsWriter) {
    let mut f = Fields(&row.0);
    while let Some(kind) = f.bytes(1) {
        write_value(kind[0], &mut f, writer).expect("a stored row is whole");
    }
}

fn write_value(kind: u8, f: &mut Fields<'_>, writer: &mut RowsWriter) -> Option<()> {
    let head = if kind == NULL { 0 } else { f.u64()? };
    let mut run = || f.bytes(usize::try_from(head).ok()?);
    match kind {
        NULL => writer.null(),
        INTEGER => writer.integer(head.cast_signed()),
        REAL => writer.real(f64::from_bits(head)),
        TEXT => writer.text(std::str::from_utf8(run()?).ok()?),
        _ => writer.blob(run()?),
    }
    Some(())
}

/// How `new` is put together: runs of `(from, count)`, flat, where `from` is 0 for rows that are fresh, the next ones of those returned beside
/// it, and otherwise one more than the place in `old` where the run begins. No row of `old` is used twice.
pub fn difference<'a>(old: &[StoredRow], new: &'a [StoredRow]) -> (Vec<u32>, Vec<&'a StoredRow>) {
    let same_start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[same_start..], &new[same_start..]);
    let same_end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old_rest[..old_rest.len() - same_end], &new_rest[..new_rest.len() - same_end]);
    let mut left = Places::of(old_middle);
    let (mut parts, mut fresh) = (Parts::default(), vec![]);
    parts.push(1, same_start);
    for row in new_middle {
        match left.take(old_middle, row) {
            Some(at) => parts.push(same_start + at + 1, 1),
            None => {
                fresh.push(row);
                parts.push(0, 1);
            }
        }
    }
    parts.push(old.len() - same_end + 1, same_end);
    (parts.0, fresh)
}

/// Where each row of a list stands, until it is taken: chains of places, by what their rows hash to.
struct Places {
    heads: Vec<u32>,
    /// What comes behind a place in its chain.
    next: Vec<u32>,
}

impl Places {
    const NONE: u32 = u32::MAX;

    fn of(rows: &[StoredRow]) -> Self {
        let mut places = Self { heads: vec![Self::NONE; rows.len().next_power_of_two()], next: vec![Self::NONE; rows.len()] };
        // The first of equal ones comes to stand in front.
        for (at, row) in rows.iter().enumerate().rev() {
            let head = places.head_of(row);
            places.next[at] = std::mem::replace(&mut places.heads[head], u32::try_from(at).unwrap_or(Self::NONE));
        }
        places
    }

    #[allow(clippy::cast_possible_truncation, reason = "what is cut off is masked anyway")]
    fn head_of(&self, row: &StoredRow) -> usize {
        checksum(&row.0) as usize & (self.heads.len() - 1)
    }

    /// The first place of an equal row.
    fn take(&mut self, rows: &[StoredRow], row: &StoredRow) -> Option<usize> {
        let head = self.head_of(row);
        let (mut before, mut at) = (None, self.heads[head]);
        while at != Self::NONE {
            let next = self.next[at as usize];
            if rows[at as usize] == *row {
                match before {
                    Some(before) => self.next[before] = next,
                    None => self.heads[head] = next,
                }
                return Some(at as usize);
            }
            (before, at) = (Some(at as usize), next);
        }
        None
    }
}

/// Runs, each put to the one before where it goes on from there.
#[derive(Default)]
struct Parts(Vec<u32>);

impl Parts {
    fn push(&mut self, from: usize, count: usize) {
        if count == 0 {
            return;
        }
        let narrow = |n: usize| u32::try_from(n).expect("a result has fewer than 2^32 rows");
        let (from, count) = (narrow(from), narrow(count));
        match &mut self.0[..] {
            [.., last, length] if *last == 0 && from == 0 || *last > 0 && from > 0 && *last + *length == from => *length += count,
            _ => self.0.extend([from, count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(n: u8) -> StoredRow {
        StoredRow(Box::from([n]))
    }

    /// As the client does it.
    fn apply(old: &[StoredRow], parts: &[u32], fresh: &[&StoredRow]) -> Vec<StoredRow> {
        let mut fresh = fresh.iter();
        let mut out = vec![];
        for part in parts.chunks_exact(2) {
            for i in 0..part[1] {
                out.push(if part[0] == 0 { (*fresh.next().unwrap()).clone() } else { old[(part[0] - 1 + i) as usize].clone() });
            }
        }
        assert!(fresh.next().is_none());
        out
    }

    proptest! {
        #[test]
        fn the_difference_leads_from_any_list_to_any_other(old in prop::collection::vec(0u8..12, 0..40), new in prop::collection::vec(0u8..12, 0..40)) {
            let (old, new): (Vec<_>, Vec<_>) = (old.into_iter().map(row).collect(), new.into_iter().map(row).collect());
            let (parts, fresh) = difference(&old, &new);
            prop_assert_eq!(apply(&old, &parts, &fresh), new.clone());
            // Nothing is sent that is there: as many fresh ones as the old list lacks.
            let lacking: usize = (0..12).map(|n| {
                let count = |list: &[StoredRow]| list.iter().filter(|each| **each == row(n)).count();
                count(&new).saturating_sub(count(&old))
            }).sum();
            prop_assert_eq!(fresh.len(), lacking);
        }
    }

    #[test]
    fn one_row_among_many_goes_as_three_runs() {
        let old: Vec<_> = (0..100).map(row).collect();
        let mut new = old.clone();
        new[40] = row(200);
        let (parts, fresh) = difference(&old, &new);
        assert_eq!((parts, fresh.len()), (vec![1, 40, 0, 1, 42, 59], 1));
    }
}
