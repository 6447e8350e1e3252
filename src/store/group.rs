//! Block groups: the checkpointed database, about 60 KiB of neighbouring blocks to a value. A block that was never
//! written is absent and reads as zeros. Layout: `format.md`, "Block group".

use super::Block;
use super::codec::{Fields, seal, unseal};
use super::header::FORMAT;
use crate::error::{Error, Result};
use crate::ids::{BlockNo, Generation, GroupNo};

const MAGIC: [u8; 4] = *b"THGR";
/// Values of at most 64 KiB stay out of Chromium's blob files.
const GROUP_BYTES: u32 = 60 * 1024;

/// How blocks are gathered into groups; fixed by the block size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub block_bytes: u32,
}

impl Grouping {
    #[must_use]
    pub fn blocks_per_group(self) -> u32 {
        (GROUP_BYTES / self.block_bytes).max(1)
    }

    #[must_use]
    pub fn group_of(self, block: BlockNo) -> GroupNo {
        GroupNo(block.0 / self.blocks_per_group())
    }

    /// The blocks of a group, whether they exist or not.
    pub fn blocks_of(self, group: GroupNo) -> impl Iterator<Item = BlockNo> {
        let per = self.blocks_per_group();
        let first = group.0.saturating_mul(per);
        (first..first.saturating_add(per)).map(BlockNo)
    }

    /// How many groups a database of that many blocks has.
    #[must_use]
    pub fn groups(self, blocks: u32) -> u32 {
        blocks.div_ceil(self.blocks_per_group())
    }

    #[must_use]
    pub fn encode(self, generation: Generation, group: GroupNo, blocks: &[(BlockNo, Block)]) -> Vec<u8> {
        let count = u32::try_from(blocks.len()).expect("a group has at most 120 blocks");
        let mut out = Vec::with_capacity(40 + blocks.len() * (4 + self.block_bytes as usize));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&generation.0.to_le_bytes());
        out.extend_from_slice(&group.0.to_le_bytes());
        out.extend_from_slice(&self.block_bytes.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        for (number, _) in blocks {
            out.extend_from_slice(&number.0.to_le_bytes());
        }
        for (_, data) in blocks {
            out.extend_from_slice(data);
        }
        seal(out)
    }

    /// The blocks of a stored group.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the group for a broken checksum or a value that is not this group.
    pub fn decode(self, generation: Generation, group: GroupNo, bytes: &[u8]) -> Result<Vec<(BlockNo, Block)>> {
        let corrupt = |why: &str| Error::Corrupt(format!("block group {}: {why}", group.0));
        let body = unseal(bytes).ok_or_else(|| corrupt("checksum mismatch"))?;
        let mut f = Fields(body);
        if f.bytes(4) != Some(&MAGIC) {
            return Err(corrupt("not a block group"));
        }
        if f.u16().is_none_or(|format| format > FORMAT) {
            return Err(Error::Format(format!("block group {} was stored by a newer tabhub", group.0)));
        }
        self.fields(generation, group, &mut f).ok_or_else(|| corrupt("not the group that belongs here"))
    }

    fn fields(self, generation: Generation, group: GroupNo, f: &mut Fields<'_>) -> Option<Vec<(BlockNo, Block)>> {
        f.bytes(2)?;
        let same = f.u32()? == generation.0 && f.u32()? == group.0 && f.u32()? == self.block_bytes;
        let count = f.u32()?;
        if !same || count > self.blocks_per_group() {
            return None;
        }
        let mut numbers = Fields(f.bytes(count as usize * 4)?);
        let mut blocks = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let number = BlockNo(numbers.u32()?);
            if self.group_of(number) != group {
                return None;
            }
            blocks.push((number, Block::from(f.bytes(self.block_bytes as usize)?)));
        }
        f.0.is_empty().then_some(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GROUPING: Grouping = Grouping { block_bytes: 512 };

    proptest! {
        #[test]
        fn a_group_reads_back_and_any_damage_is_detected(slots in prop::collection::btree_map(0u32..120, any::<u8>(), 0..20), at in any::<prop::sample::Index>(), mask in 1u8..) {
            let blocks: Vec<_> = slots.into_iter().map(|(slot, fill)| (BlockNo(7 * 120 + slot), Block::from(vec![fill; 512]))).collect();
            let bytes = GROUPING.encode(Generation(2), GroupNo(7), &blocks);
            prop_assert_eq!(GROUPING.decode(Generation(2), GroupNo(7), &bytes), Ok(blocks));
            prop_assert!(GROUPING.decode(Generation(3), GroupNo(7), &bytes).is_err());
            prop_assert!(GROUPING.decode(Generation(2), GroupNo(8), &bytes).is_err());
            let i = at.index(bytes.len());
            let mut bad = bytes;
            bad[i] ^= mask;
            prop_assert!(GROUPING.decode(Generation(2), GroupNo(7), &bad).is_err());
        }
    }

    #[test]
    fn groups_fit_the_inline_limit_at_every_page_size_but_the_largest() {
        for shift in 9..16 {
            let grouping = Grouping { block_bytes: 1 << shift };
            let blocks: Vec<_> = grouping.blocks_of(GroupNo(1)).map(|n| (n, Block::from(vec![0; 1 << shift]))).collect();
            assert!(grouping.encode(Generation(1), GroupNo(1), &blocks).len() < 64 * 1024, "{shift}");
            assert!(blocks.iter().all(|(n, _)| grouping.group_of(*n) == GroupNo(1)));
        }
        assert_eq!(Grouping { block_bytes: 65536 }.blocks_per_group(), 1);
    }
}
