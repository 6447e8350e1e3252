//! The checkpoint: folds the log into the block groups, a few groups at a time, then drops the folded records and moves the
//! header forward in one transaction. A crash between the steps is harmless: the log still holds everything that the
//! rewritten groups contain, and recovery lays it over them again.

use super::Block;
use super::group::Grouping;
use super::header::Header;
use super::log::LogEntry;
use super::ops::{Key, Write};
use super::versions::{Lookup, Versions};
use crate::ids::{BlockNo, CommitSeq, GroupNo, LogPos};
use crate::sorted::SortedMap;

/// Groups in one write transaction: about half a megabyte, so that a commit never waits long behind it.
const STEP_GROUPS: usize = 8;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// These groups must be in memory first.
    Fetch(Vec<GroupNo>),
    /// Write these, then ask again.
    Fold(Vec<Write>),
    /// Write these and use the header from then on: the checkpoint is complete.
    Finish(Vec<Write>, Header),
}

/// A checkpoint under way. Its owner keeps the snapshot `through` pinned until it ends, and [ends](Checkpoint::end) it however
/// that comes.
#[derive(Debug)]
pub struct Checkpoint {
    through: LogEntry,
    groups: Vec<GroupNo>,
    /// The groups of the next step, once they had to be fetched, and their blocks: held until the step is taken, or a small
    /// cache would drop some while others come, for ever.
    fetched: usize,
    held: Vec<BlockNo>,
}

impl Checkpoint {
    /// Folds in what commits up to `through` changed.
    #[must_use]
    pub fn new(through: LogEntry, versions: &Versions, grouping: Grouping) -> Self {
        let changed = versions.changed(through.last).map(|block| (grouping.group_of(block), ()));
        let groups: SortedMap<GroupNo, ()> = changed.collect();
        Self { through, groups: groups.keys().collect(), fetched: 0, held: vec![] }
    }

    #[must_use]
    pub fn through(&self) -> CommitSeq {
        self.through.last
    }

    /// The next step; a `Fold` counts as done once this is called again. `haste`: how many times larger than usual it may be.
    pub fn step(&mut self, versions: &mut Versions, header: &Header, haste: usize) -> Step {
        let grouping = Grouping { block_bytes: header.block_bytes };
        let blocks = versions.blocks_at(self.through.last);
        self.groups.retain(|g| g.0 < grouping.groups(blocks));
        let size = if self.fetched > 0 { self.fetched } else { STEP_GROUPS * haste };
        let step: Vec<_> = self.groups.iter().take(size).copied().collect();
        if step.is_empty() {
            return self.finish(header, grouping, blocks);
        }
        let found: Vec<_> = step.iter().map(|group| (*group, self.contents(*group, versions, grouping, blocks))).collect();
        let missing: Vec<_> = found.iter().filter(|(_, contents)| contents.is_none()).map(|(group, _)| *group).collect();
        if !missing.is_empty() {
            self.hold(&step, versions, grouping, blocks);
            return Step::Fetch(missing);
        }
        self.end(versions);
        self.groups.drain(..step.len());
        let put = |(group, contents): (GroupNo, Option<Vec<_>>)| {
            let value = grouping.encode(header.generation, group, &contents.unwrap_or_default());
            Write::Put(Key::Group(header.generation, group), value)
        };
        Step::Fold(found.into_iter().map(put).collect())
    }

    fn hold(&mut self, step: &[GroupNo], versions: &mut Versions, grouping: Grouping, blocks: u32) {
        if self.held.is_empty() {
            self.fetched = step.len();
            self.held = step.iter().flat_map(|group| grouping.blocks_of(*group)).filter(|number| number.0 < blocks).collect();
            versions.hold(&self.held);
        }
    }

    /// Lets go of what it holds.
    pub fn end(&mut self, versions: &mut Versions) {
        self.fetched = 0;
        versions.release(&std::mem::take(&mut self.held));
    }

    fn contents(&self, group: GroupNo, versions: &Versions, grouping: Grouping, blocks: u32) -> Option<Vec<(BlockNo, Block)>> {
        let mut contents = vec![];
        for number in grouping.blocks_of(group).take_while(|n| n.0 < blocks) {
            match versions.peek(number, self.through.last) {
                Lookup::Data(data) => contents.push((number, data)),
                Lookup::Zeros => {}
                Lookup::Miss => return None,
            }
        }
        Some(contents)
    }

    fn finish(&self, header: &Header, grouping: Grouping, blocks: u32) -> Step {
        let header = Header { checkpoint: self.through.last, blocks, ..header.clone() };
        let beyond = GroupNo(grouping.groups(blocks));
        let writes = vec![
            Write::Put(Key::Header, header.encode()),
            Write::Delete(Key::Log(LogPos(0)), Key::Log(self.through.to)),
            Write::Delete(Key::Group(header.generation, beyond), Key::Group(header.generation, GroupNo(u32::MAX))),
        ];
        Step::Finish(writes, header)
    }
}
