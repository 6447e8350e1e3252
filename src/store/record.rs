//! Commit records: what one `IndexedDB` transaction appends to the log. A record holds the newest version of every block
//! that its commits changed, as a whole or as a patch, and what became of its clients' numbered writes. Small ones are a single value;
//! large ones are split into parts, put in one transaction or in several: the last part makes the commit.
//! Layout: `format.md`, "Commit record".

use super::codec::{Fields, seal, unseal};
use super::header::FORMAT;
use super::patch;
use super::{Block, Pages};
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, Epoch, Generation};
use crate::sorted::SortedMap;

const MAGIC: [u8; 4] = *b"THLR";
/// Bytes in a record that stays one value: beyond 64 KiB Chromium moves a value to a file of its own, at 3 × the cost.
const SINGLE_PART_BYTES: usize = 60 * 1024;

/// One or several commits, published in order and made durable together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    pub epoch: Epoch,
    pub generation: Generation,
    /// The commits it holds, both ends included.
    pub first: CommitSeq,
    pub last: CommitSeq,
    /// Size of the database after `last`.
    pub blocks: u32,
    pub block_bytes: u32,
    pub pages: Pages,
    /// For the other blocks, what changed since the record before it that holds them.
    pub patches: SortedMap<BlockNo, Vec<u8>>,
    /// What became of its clients' writes; see `sessions`.
    pub sessions: Vec<u8>,
}

impl CommitRecord {
    /// Bytes of its blocks and patches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pages.len() * self.block_bytes as usize + self.patches.values().map(Vec::len).sum::<usize>()
    }

    /// Puts patches in the place of blocks, for those that are known to stand in the log as `earlier` says.
    pub fn shrink(&mut self, earlier: impl Fn(BlockNo) -> Option<Block>) {
        let patches = &mut self.patches;
        self.pages.retain(|number, data| match earlier(*number).and_then(|old| patch::diff(&old, data)) {
            Some(patch) => {
                patches.insert(*number, patch);
                false
            }
            None => true,
        });
    }

    /// The opposite: every block as a whole again. `None` where a patch fits no `earlier` block.
    #[must_use]
    pub fn grow(&mut self, earlier: impl Fn(BlockNo) -> Option<Block>) -> Option<()> {
        for (number, patch) in std::mem::take(&mut self.patches) {
            self.pages.insert(number, patch::apply(&earlier(number)?, &patch)?);
        }
        Some(())
    }

    /// The stored values, in log order, made one at a time; one unless the record is large.
    #[must_use]
    pub fn into_parts(self, part_bytes: usize) -> RecordParts {
        let count = self.pages.len() + self.patches.len();
        let is_single = self.bytes() + self.sessions.len() <= SINGLE_PART_BYTES;
        let per_part = if is_single { count.max(1) } else { (part_bytes / self.block_bytes as usize).max(1) };
        let parts = count.div_ceil(per_part).max(1);
        RecordParts { record: self, per_part, parts, next: 0 }
    }

    fn encode_part(&self, part: usize, parts: usize, per_part: usize) -> Vec<u8> {
        let narrow = |n: usize| u32::try_from(n).expect("a commit has fewer than 2^32 parts, blocks and bytes of replies");
        let (start, end, whole) = (part * per_part, (part + 1) * per_part, self.pages.len());
        let pages: Vec<(BlockNo, &Block)> = self.pages.iter().skip(start).take(per_part).collect();
        let patches = self.patches.iter().skip(start.saturating_sub(whole)).take(end.saturating_sub(start.max(whole)));
        let patches: Vec<(BlockNo, &Vec<u8>)> = patches.collect();
        let sessions = if part == 0 { &self.sessions[..] } else { &[] };
        let patch_bytes: usize = patches.iter().map(|(_, patch)| 8 + patch.len()).sum();
        let mut out = Vec::with_capacity(80 + pages.len() * (4 + self.block_bytes as usize) + patch_bytes + sessions.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&narrow(part).to_le_bytes());
        out.extend_from_slice(&narrow(parts).to_le_bytes());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.generation.0.to_le_bytes());
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&self.block_bytes.to_le_bytes());
        out.extend_from_slice(&narrow(pages.len()).to_le_bytes());
        out.extend_from_slice(&narrow(sessions.len()).to_le_bytes());
        out.extend_from_slice(&narrow(patches.len()).to_le_bytes());
        for (number, _) in &pages {
            out.extend_from_slice(&number.0.to_le_bytes());
        }
        for (number, patch) in &patches {
            out.extend_from_slice(&number.0.to_le_bytes());
            out.extend_from_slice(&narrow(patch.len()).to_le_bytes());
        }
        for (_, data) in &pages {
            out.extend_from_slice(data);
        }
        for (_, patch) in &patches {
            out.extend_from_slice(patch);
        }
        out.extend_from_slice(sessions);
        seal(out)
    }

    /// Puts a record together from its parts, taken from the front of `values`; returns it with the number of parts used, or
    /// `None` where `values` end before its last part: then its commit never happened.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the log position for a value that fails its checksum, is out of place or contradicts
    /// itself; [`Error::Format`] for a newer format.
    pub fn decode(values: &[(u64, Vec<u8>)]) -> Result<Option<(Self, usize)>> {
        let Some(first) = values.first() else { return Ok(None) };
        let (mut record, at, parts) = decode_part(first)?;
        if at != 0 {
            return Err(corrupt(first.0, "its first part is missing"));
        }
        for i in 1..parts {
            let Some(value) = values.get(i as usize) else { return Ok(None) };
            let (more, at, same_parts) = decode_part(value).map_err(|e| match e {
                Error::Corrupt(_) => corrupt(first.0, "one of its parts is damaged"),
                other => other,
            })?;
            if at != i || same_parts != parts || !record.same_commit(&more) {
                return Err(corrupt(first.0, "its parts do not belong together"));
            }
            more.pages.into_iter().for_each(|(number, data)| record.pages.insert(number, data));
            more.patches.into_iter().for_each(|(number, patch)| record.patches.insert(number, patch));
        }
        Ok(Some((record, parts as usize)))
    }

    fn same_commit(&self, other: &Self) -> bool {
        let key = |r: &Self| (r.epoch, r.generation, r.first, r.last, r.blocks, r.block_bytes);
        key(self) == key(other)
    }
}

/// A record on its way to the log, part by part, so that no second copy of a large one ever exists.
#[derive(Debug)]
pub struct RecordParts {
    record: CommitRecord,
    per_part: usize,
    parts: usize,
    next: usize,
}

impl RecordParts {
    /// The commit that the last part makes.
    #[must_use]
    pub fn commit(&self) -> CommitSeq {
        self.record.last
    }

    /// The blocks that it holds as a whole.
    pub fn whole_blocks(&self) -> impl Iterator<Item = BlockNo> {
        self.record.pages.keys()
    }
}

impl Iterator for RecordParts {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let part = self.next;
        self.next += 1;
        (part < self.parts).then(|| self.record.encode_part(part, self.parts, self.per_part))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.parts - self.next.min(self.parts);
        (left, Some(left))
    }
}

fn corrupt(position: u64, why: &str) -> Error {
    Error::Corrupt(["commit record ", &position.to_string(), " of the log: ", why].concat())
}

fn decode_part((position, bytes): &(u64, Vec<u8>)) -> Result<(CommitRecord, u32, u32)> {
    let body = unseal(bytes).ok_or_else(|| corrupt(*position, "checksum mismatch"))?;
    let mut f = Fields(body);
    if f.bytes(4) != Some(&MAGIC) {
        return Err(corrupt(*position, "not a commit record"));
    }
    let format = f.u16().unwrap_or(0);
    if format > FORMAT {
        return Err(Error::Format(format!(
            "commit record {position} of the log has format {format}; this build reads up to {FORMAT}"
        )));
    }
    part_fields(&mut f, format).ok_or_else(|| corrupt(*position, "impossible lengths"))
}

fn part_fields(f: &mut Fields<'_>, format: u16) -> Option<(CommitRecord, u32, u32)> {
    f.bytes(2)?;
    let (part, parts) = (f.u32()?, f.u32()?);
    let epoch = Epoch(f.u64()?);
    let (first, last) = (CommitSeq(f.u64()?), CommitSeq(f.u64()?));
    let generation = Generation(f.u32()?);
    let (blocks, block_bytes, count) = (f.u32()?, f.u32()?, f.u32()? as usize);
    // Format 1 knew no sessions.
    let session_bytes = if format == 1 { 0 } else { f.u32()? as usize };
    // Nor did format 3 know patches.
    let patch_count = if format <= 3 { 0 } else { f.u32()? as usize };
    let mut numbers = Fields(f.bytes(count.checked_mul(4)?)?);
    let mut patch_heads = Fields(f.bytes(patch_count.checked_mul(8)?)?);
    let (mut pages, mut patches) = (Pages::default(), SortedMap::default());
    for _ in 0..count {
        pages.insert(BlockNo(numbers.u32()?), Block::from(f.bytes(block_bytes as usize)?));
    }
    for _ in 0..patch_count {
        patches.insert(BlockNo(patch_heads.u32()?), f.bytes(patch_heads.u32()? as usize)?.to_vec());
    }
    let sessions = f.bytes(session_bytes)?.to_vec();
    let complete = pages.len() == count && patches.len() == patch_count;
    let whole = f.0.is_empty() && parts > 0 && part < parts && first <= last && complete;
    let record = CommitRecord { epoch, generation, first, last, blocks, block_bytes, pages, patches, sessions };
    whole.then_some((record, part, parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(blocks: u32, pages: impl IntoIterator<Item = (u32, u8)>) -> CommitRecord {
        let pages = pages.into_iter().map(|(n, fill)| (BlockNo(n), Block::from(vec![fill; 512]))).collect();
        CommitRecord {
            epoch: Epoch(3),
            generation: Generation(1),
            first: CommitSeq(5),
            last: CommitSeq(7),
            blocks,
            block_bytes: 512,
            pages,
            patches: SortedMap::default(),
            sessions: vec![7; 30],
        }
    }

    fn stored(record: &CommitRecord) -> Vec<(u64, Vec<u8>)> {
        (40..).zip(record.clone().into_parts(512 << 10)).collect()
    }

    proptest! {
        #[test]
        fn what_was_committed_is_what_is_read(
            pages in prop::collection::btree_map(0u32..100_000, any::<u8>(), 0..3000),
            patches in prop::collection::btree_map(100_000u32..200_000, prop::collection::vec(any::<u8>(), 0..256), 0..1000),
            blocks in any::<u32>(),
        ) {
            let mut record = record(blocks, pages);
            record.patches = patches.into_iter().map(|(n, patch)| (BlockNo(n), patch)).collect();
            let values = stored(&record);
            prop_assert_eq!(CommitRecord::decode(&values), Ok(Some((record, values.len()))));
        }

        // At stake: a torn or rotten record taken for a commit would corrupt the database silently.
        #[test]
        fn every_flipped_byte_and_every_cut_is_detected(pages in prop::collection::btree_map(0u32..100, any::<u8>(), 0..4), at in any::<prop::sample::Index>(), mask in 1u8..) {
            let good = stored(&record(9, pages));
            let i = at.index(good[0].1.len());
            let mut bad = good.clone();
            bad[0].1[i] ^= mask;
            prop_assert!(matches!(CommitRecord::decode(&bad), Err(Error::Corrupt(_))));
            let mut cut = good;
            cut[0].1.truncate(i);
            prop_assert!(matches!(CommitRecord::decode(&cut), Err(Error::Corrupt(_))));
        }
    }

    // At stake: the commit of a large record is its last part; what ends before it never happened, what lacks another is damage.
    #[test]
    fn a_large_record_without_its_end_never_happened_and_without_another_part_is_corrupt() {
        let whole = stored(&record(4000, (0..3000).map(|n| (n, 1))));
        assert!(whole.len() > 2);
        for kept in 0..whole.len() {
            assert_eq!(CommitRecord::decode(&whole[..kept]), Ok(None), "{kept} parts");
        }
        for missing in 0..whole.len() - 1 {
            let mut rest = whole.clone();
            rest.remove(missing);
            assert!(matches!(CommitRecord::decode(&rest), Err(Error::Corrupt(_))), "part {missing}");
        }
    }

    #[test]
    fn small_records_stay_below_the_size_that_chromium_moves_to_a_file() {
        let pages = (0..15).map(|n| (BlockNo(n), Block::from(vec![0; 4096]))).collect();
        let parts: Vec<_> = CommitRecord { block_bytes: 4096, pages, ..record(15, []) }.into_parts(512 << 10).collect();
        assert_eq!(parts.len(), 1);
        assert!(parts[0].len() < 64 * 1024);
    }
}
