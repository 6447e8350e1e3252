//! Patches: what changed between two versions of a block. A commit record holds one instead of the block where the log has the block
//! already: a row more changes a hundred bytes of a page, and all of it travels to the browser's storage.
//! Layout: `format.md`, "Patch".

use super::Block;
use super::codec::Fields;

/// Changes nearer to one another than this go as one: each has a head of [`HEAD_BYTES`].
const GAP: usize = 8;
const HEAD_BYTES: usize = 4;

/// The patch that makes `new` out of `old`, or `None` where it would save less than half.
#[must_use]
pub fn diff(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    if old.len() != new.len() {
        return None;
    }
    let mut out = vec![];
    let mut at = 0;
    while let Some(start) = next_change(old, new, at) {
        let end = end_of_change(old, new, start);
        if out.len() + HEAD_BYTES + (end - start) > new.len() / 2 {
            return None;
        }
        out.extend_from_slice(&u16::try_from(start).ok()?.to_le_bytes());
        out.extend_from_slice(&u16::try_from(end - start).ok()?.to_le_bytes());
        out.extend_from_slice(&new[start..end]);
        at = end;
    }
    Some(out)
}

/// The block that a patch makes out of `old`; `None` for a patch that is none, or of another block.
#[must_use]
pub fn apply(old: &[u8], patch: &[u8]) -> Option<Block> {
    let mut block = old.to_vec();
    let mut rest = Fields(patch);
    while !rest.0.is_empty() {
        let (start, length) = (usize::from(rest.u16()?), usize::from(rest.u16()?));
        let bytes = rest.bytes(length)?;
        block.get_mut(start..start + length).filter(|_| length > 0)?.copy_from_slice(bytes);
    }
    Some(block.into())
}

/// The first byte at or after `from` that differs. Most of a page does not, so words are compared first.
fn next_change(old: &[u8], new: &[u8], from: usize) -> Option<usize> {
    const WORD: usize = 8;
    let words = old[from..].chunks_exact(WORD).zip(new[from..].chunks_exact(WORD));
    let start = from + words.take_while(|(a, b)| a == b).count() * WORD;
    (start..new.len()).find(|at| old[*at] != new[*at])
}

/// Where the change that begins at `start` ends: before the first [`GAP`] bytes that are the same, or at the last that differs.
fn end_of_change(old: &[u8], new: &[u8], start: usize) -> usize {
    let (mut end, mut at) = (start + 1, start + 1);
    while at < new.len() && at - end < GAP {
        if old[at] != new[at] {
            end = at + 1;
        }
        at += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // At stake: a patch that lost or moved a byte would corrupt the database at the next open, not before.
        #[test]
        fn a_patch_makes_the_new_block_out_of_the_old_one(old in prop::collection::vec(0u8..3, 512), writes in prop::collection::vec((0usize..512, 1usize..60, any::<u8>()), 0..6)) {
            let mut new = old.clone();
            for (start, length, fill) in writes {
                let end = (start + length).min(new.len());
                new[start..end].fill(fill);
            }
            if let Some(patch) = diff(&old, &new) {
                prop_assert!(patch.len() <= new.len() / 2);
                let made = apply(&old, &patch);
                prop_assert_eq!(made.as_deref(), Some(&new[..]));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(old in prop::collection::vec(any::<u8>(), 0..64), patch in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(made) = apply(&old, &patch) {
                prop_assert_eq!(made.len(), old.len());
            }
        }
    }

    #[test]
    fn it_holds_what_changed_and_little_more() {
        let old = vec![0; 4096];
        let mut new = old.clone();
        new[24] = 1;
        new[92..96].copy_from_slice(&[1, 0, 0, 2]);
        assert_eq!(diff(&old, &new).unwrap(), [24, 0, 1, 0, 1, 92, 0, 4, 0, 1, 0, 0, 2]);
        assert_eq!(diff(&old, &old).unwrap(), [0; 0]);
    }

    #[test]
    fn a_block_that_is_mostly_new_is_not_patched() {
        let (old, mut new) = (vec![0; 512], vec![0; 512]);
        new[..300].fill(7);
        assert_eq!(diff(&old, &new), None);
        assert_eq!(diff(&old[..256], &new), None);
    }

    #[test]
    fn the_largest_block_can_be_patched_at_its_end() {
        let (old, mut new) = (vec![0; 65536], vec![0; 65536]);
        new[65535] = 9;
        let patch = diff(&old, &new).unwrap();
        assert_eq!(apply(&old, &patch).as_deref(), Some(&new[..]));
    }
}
