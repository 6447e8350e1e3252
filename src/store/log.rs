//! The commit queue and the log's index. Published commits wait here; while one write transaction is in flight further
//! commits collect and go together as the next record (group commit).
//!
//! A record may hold a patch of a block where the log holds the block already. What a checkpoint drops must not be what a later patch
//! builds on: it ends at a record that is *final*, behind which every block is written whole again before it is patched.

use super::Pages;
use super::changes::Changes;
use super::ops::Durability;
use super::record::CommitRecord;
use crate::error::{Error, Result};
use crate::ids::{BlockNo, CommitSeq, Epoch, Generation, LogPos};
use crate::sorted::SortedMap;

/// A range of log positions, both ends included.
pub type LogRange = (LogPos, LogPos);

/// A commit that readers of newer state may see but that is not durable yet.
#[derive(Debug)]
struct Published {
    seq: CommitSeq,
    durability: Durability,
    blocks: u32,
    pages: Pages,
    changes: Option<Changes>,
}

/// A record in the log that no checkpoint has folded in yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub last: CommitSeq,
    pub to: LogPos,
    pub bytes: usize,
    /// Nothing behind it builds on it, or on what comes before it.
    pub is_final: bool,
}

/// One group of commits, ready to be written.
#[derive(Debug)]
pub struct Group {
    pub record: CommitRecord,
    pub durability: Durability,
    pub commits: usize,
    /// What is kept of them.
    pub changes: Vec<(CommitSeq, Changes)>,
}

/// What the stored log turned out to be.
#[derive(Debug)]
pub struct Recovered {
    pub log: Log,
    /// After the checkpoint, in order.
    pub records: Vec<CommitRecord>,
    /// The beginning of a large commit that never happened: to be deleted.
    pub incomplete: Option<LogRange>,
    /// Why the rest of the log cannot be read: what comes after must not be written over.
    pub damage: Option<Error>,
}

#[derive(Debug, Default)]
pub struct Log {
    queue: Vec<Published>,
    entries: Vec<LogEntry>,
    /// Of all entries: asked for at every event.
    bytes: usize,
    next: LogPos,
    /// The blocks that stand whole in a record behind the last final one.
    whole: SortedMap<BlockNo, ()>,
}

impl Log {
    /// `changes`: where it is to be kept what it changed.
    pub fn publish(&mut self, seq: CommitSeq, durability: Durability, pages: Pages, blocks: u32, changes: Option<Changes>) {
        self.queue.push(Published { seq, durability, blocks, pages, changes });
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All waiting commits as one record, the newest version of each block; `None` when nothing waits.
    /// `sessions` gives what their sessions have to say, once it is known that something leaves.
    pub fn take_group(
        &mut self,
        (epoch, generation, block_bytes): (Epoch, Generation, u32),
        sessions: impl FnOnce() -> Vec<u8>,
    ) -> Option<Group> {
        let first = self.queue.first()?.seq;
        let commits = self.queue.len();
        let (mut pages, mut durability) = (Pages::default(), Durability::Relaxed);
        let (mut last, mut blocks, mut changes) = (first, 0, vec![]);
        for commit in std::mem::take(&mut self.queue) {
            (last, blocks) = (commit.seq, commit.blocks);
            durability = durability.max(commit.durability);
            changes.extend(commit.changes.map(|of| (commit.seq, of)));
            commit.pages.into_iter().for_each(|(number, data)| pages.insert(number, data));
        }
        pages.remove_from(BlockNo(blocks));
        let sessions = sessions();
        let patches = SortedMap::default();
        let record = CommitRecord { epoch, generation, first, last, blocks, block_bytes, pages, patches, sessions };
        Some(Group { record, durability, commits, changes })
    }

    /// Forgets the waiting commits.
    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// Where the next part goes; the position is taken whether or not the write succeeds, so that none is reused.
    pub fn allot(&mut self) -> LogPos {
        let position = self.next;
        self.next = position.next();
        position
    }

    /// Whether a record may hold a patch of a block instead of the block.
    #[must_use]
    pub fn holds(&self, block: BlockNo) -> bool {
        self.whole.contains_key(block)
    }

    /// Notes a record that has become durable, and the blocks that it holds whole. What lies beyond the database's `blocks` now
    /// would come back as zeros.
    pub fn append(&mut self, entry: LogEntry, whole: impl Iterator<Item = BlockNo>, blocks: u32) {
        self.push(entry);
        whole.for_each(|block| self.whole.insert(block, ()));
        self.whole.remove_from(BlockNo(blocks));
    }

    fn push(&mut self, entry: LogEntry) {
        self.bytes += entry.bytes;
        self.entries.push(entry);
    }

    /// The newest final record that ends at or before `limit`: how far a checkpoint may fold. Where none is waited for, the last
    /// record becomes one; a record on its way must not hold patches then.
    pub fn foldable(&mut self, limit: CommitSeq) -> Option<LogEntry> {
        let is_awaited = self.entries.iter().any(|e| e.is_final && e.last > limit);
        if let Some(newest) = self.entries.last_mut().filter(|_| !is_awaited) {
            newest.is_final = true;
            self.whole = SortedMap::default();
        }
        self.entries.iter().rev().find(|e| e.is_final && e.last <= limit).copied()
    }

    /// Forgets the records that a checkpoint has folded in, or an import replaced.
    pub fn drop_through(&mut self, last: CommitSeq) {
        self.entries.retain(|e| e.last > last);
        self.bytes = self.entries.iter().map(|e| e.bytes).sum();
        if self.entries.is_empty() {
            self.whole = SortedMap::default();
        }
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn records(&self) -> usize {
        self.entries.len()
    }

    /// Reads the stored log back. Damage is no error: what comes before it is good.
    ///
    /// # Errors
    /// [`Error::Format`] for a newer format.
    pub fn recover(values: &[(u64, Vec<u8>)], generation: Generation, checkpoint: CommitSeq) -> Result<Recovered> {
        let mut recovered = Recovered { log: Log::default(), records: vec![], incomplete: None, damage: None };
        let (mut last, mut rest) = (checkpoint, values);
        let mut newest = Pages::default();
        while let (Some((position, _)), Some((end, _))) = (rest.first(), values.last()) {
            recovered.log.next = LogPos(*end).next();
            let (mut record, parts) = match CommitRecord::decode(rest) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => {
                    recovered.incomplete = Some((LogPos(*position), LogPos(*end)));
                    break;
                }
                Err(damage @ Error::Corrupt(_)) => {
                    recovered.damage = Some(damage);
                    break;
                }
                Err(error) => return Err(error),
            };
            if record.generation != generation || record.first != last.next() {
                recovered.damage = Some(out_of_order(*position, &record, last.next()));
                break;
            }
            if record.grow(|block| newest.get(block).cloned()).is_none() {
                recovered.damage =
                    Some(Error::Corrupt(format!("commit record {position} of the log patches a block that is not there")));
                break;
            }
            last = record.last;
            record.pages.iter().for_each(|(block, data)| newest.insert(block, data.clone()));
            newest.remove_from(BlockNo(record.blocks));
            let bytes = rest[..parts].iter().map(|(_, v)| v.len()).sum();
            recovered.log.push(LogEntry { last, to: LogPos(rest[parts - 1].0), bytes, is_final: false });
            recovered.records.push(record);
            rest = &rest[parts..];
        }
        Ok(recovered)
    }
}

fn out_of_order(position: u64, record: &CommitRecord, due: CommitSeq) -> Error {
    Error::Corrupt(format!(
        "commit record {position} of the log holds commits {}–{} where {} was due",
        record.first.0, record.last.0, due.0
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Block;
    use super::*;
    use crate::ids::BlockNo;

    fn page(n: u32, fill: u8) -> Pages {
        [(BlockNo(n), Block::from(vec![fill; 512]))].into_iter().collect()
    }

    fn group_of(commits: &[(u64, Durability, u32, u8)]) -> Group {
        let mut log = Log::default();
        for (seq, durability, block, fill) in commits {
            log.publish(CommitSeq(*seq), *durability, page(*block, *fill), 4, None);
        }
        log.take_group((Epoch(1), Generation(1), 512), Vec::new).unwrap()
    }

    #[test]
    fn waiting_commits_go_as_one_record_with_the_newest_blocks_and_the_strictest_durability() {
        let group = group_of(&[(3, Durability::Relaxed, 0, 1), (4, Durability::Strict, 1, 2), (5, Durability::Relaxed, 0, 3)]);
        assert_eq!((group.record.first, group.record.last, group.commits), (CommitSeq(3), CommitSeq(5), 3));
        assert_eq!(group.durability, Durability::Strict);
        assert_eq!(group.record.pages.get(BlockNo(0)).unwrap()[0], 3);
        assert_eq!(group.record.pages.len(), 2);
    }

    #[test]
    fn a_gap_in_the_log_is_damage_and_what_comes_before_it_is_good() {
        let one = group_of(&[(1, Durability::Strict, 0, 1)]).record;
        let three = group_of(&[(3, Durability::Strict, 0, 1)]).record;
        let values: Vec<(u64, Vec<u8>)> =
            (0..).zip([one, three].into_iter().flat_map(|record| record.into_parts(4096))).collect();
        let damaged = Log::recover(&values, Generation(1), CommitSeq(0)).unwrap();
        assert!(matches!(damaged.damage, Some(Error::Corrupt(_))));
        assert_eq!((damaged.records.len(), damaged.log.next), (1, LogPos(2)), "no position of the log is written over");
        let good = Log::recover(&values[..1], Generation(1), CommitSeq(0)).unwrap();
        assert_eq!((good.records.len(), good.log.records(), good.log.next, good.damage), (1, 1, LogPos(1), None));
        assert!(Log::recover(&values[..1], Generation(2), CommitSeq(0)).unwrap().damage.is_some());
        assert!(Log::recover(&values[..1], Generation(1), CommitSeq(1)).unwrap().damage.is_some());
    }

    fn entry(last: u64) -> LogEntry {
        LogEntry { last: CommitSeq(last), to: LogPos(last), bytes: 1, is_final: false }
    }

    // At stake: a checkpoint that drops the block which a later patch builds on would leave a log that cannot be read back.
    #[test]
    fn a_checkpoint_ends_where_nothing_later_builds_on_what_it_drops() {
        let (mut log, block) = (Log::default(), BlockNo(3));
        log.append(entry(1), [block].into_iter(), 9);
        log.append(entry(2), std::iter::empty(), 9);
        assert!(log.holds(block));
        assert_eq!(log.foldable(CommitSeq(1)), None, "the second may build on the first");
        assert!(!log.holds(block), "behind the second, the block is written whole again");
        log.append(entry(3), [block].into_iter(), 9);
        assert_eq!(log.foldable(CommitSeq(1)), None);
        assert!(log.holds(block), "the second is still waited for, so nothing begins anew");
        assert_eq!(log.foldable(CommitSeq(3)).map(|e| e.last), Some(CommitSeq(3)), "nobody reads the older ones any more");
        log.drop_through(CommitSeq(3));
        assert!(!log.holds(block));
    }

    #[test]
    fn a_block_that_was_cut_off_is_not_patched() {
        let mut log = Log::default();
        log.append(entry(1), [BlockNo(3), BlockNo(8)].into_iter(), 9);
        log.append(entry(2), std::iter::empty(), 5);
        assert!(log.holds(BlockNo(3)) && !log.holds(BlockNo(8)));
    }

    #[test]
    fn patches_are_read_back_as_blocks_and_one_that_builds_on_nothing_is_damage() {
        let one = group_of(&[(1, Durability::Strict, 0, 1)]).record;
        let mut two = group_of(&[(2, Durability::Strict, 0, 1)]).record;
        let mut changed = vec![1; 512];
        changed[7] = 9;
        two.pages.insert(BlockNo(0), changed.clone().into());
        let before = one.pages.get(BlockNo(0)).cloned();
        two.shrink(|_| before.clone());
        assert_eq!((two.pages.len(), two.patches.len()), (0, 1));
        let values =
            |records: Vec<CommitRecord>| (0..).zip(records.into_iter().flat_map(|r| r.into_parts(4096))).collect::<Vec<_>>();
        let good = Log::recover(&values(vec![one, two.clone()]), Generation(1), CommitSeq(0)).unwrap();
        assert_eq!((good.damage, good.records[1].pages.get(BlockNo(0)).unwrap()[..] == changed), (None, true));
        let bad = Log::recover(&values(vec![two]), Generation(1), CommitSeq(1)).unwrap();
        assert!(matches!(bad.damage, Some(Error::Corrupt(_))));
    }

    #[test]
    fn the_beginning_of_a_large_commit_at_the_end_of_the_log_is_to_be_deleted() {
        let mut log = Log::default();
        let pages = (0..40).map(|n| (BlockNo(n), Block::from(vec![1; 4096]))).collect();
        log.publish(CommitSeq(1), Durability::Strict, pages, 40, None);
        let record = log.take_group((Epoch(1), Generation(1), 4096), Vec::new).unwrap().record;
        let values: Vec<(u64, Vec<u8>)> = (5..).zip(record.into_parts(40_000)).collect();
        assert_eq!(values.len(), 5);
        let recovered = Log::recover(&values[..3], Generation(1), CommitSeq(0)).unwrap();
        assert_eq!(recovered.incomplete, Some((LogPos(5), LogPos(7))));
        assert_eq!((recovered.records.len(), recovered.log.next, recovered.damage), (0, LogPos(8), None));
    }
}
