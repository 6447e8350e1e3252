//! The commit queue and the log's index. Published commits wait here; while one write transaction is in flight further
//! commits collect and go together as the next record (group commit).

use super::Pages;
use super::ops::Durability;
use super::record::CommitRecord;
use crate::error::{Error, Result};
use crate::ids::{CommitSeq, Epoch, Generation, LogPos};

/// A commit that readers of newer state may see but that is not durable yet.
#[derive(Debug)]
struct Published {
    seq: CommitSeq,
    durability: Durability,
    blocks: u32,
    pages: Pages,
}

/// A record in the log that no checkpoint has folded in yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub last: CommitSeq,
    pub to: LogPos,
    pub bytes: usize,
}

/// One group of commits, ready to be written.
#[derive(Debug)]
pub struct Group {
    pub record: CommitRecord,
    pub durability: Durability,
    pub commits: usize,
}

#[derive(Debug, Default)]
pub struct Log {
    queue: Vec<Published>,
    entries: Vec<LogEntry>,
    next: LogPos,
}

impl Log {
    pub fn publish(&mut self, seq: CommitSeq, durability: Durability, pages: Pages, blocks: u32) {
        self.queue.push(Published { seq, durability, blocks, pages });
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All waiting commits as one record, the newest version of each block; `None` when nothing waits.
    pub fn take_group(&mut self, epoch: Epoch, generation: Generation, block_bytes: u32) -> Option<Group> {
        let first = self.queue.first()?.seq;
        let commits = self.queue.len();
        let (mut pages, mut durability) = (Pages::default(), Durability::Relaxed);
        let (mut last, mut blocks) = (first, 0);
        for commit in std::mem::take(&mut self.queue) {
            (last, blocks) = (commit.seq, commit.blocks);
            durability = durability.max(commit.durability);
            commit.pages.into_iter().for_each(|(number, data)| pages.insert(number, data));
        }
        pages.retain(|number, _| number.0 < blocks);
        let record = CommitRecord { epoch, generation, first, last, blocks, block_bytes, pages };
        Some(Group { record, durability, commits })
    }

    /// Forgets the waiting commits.
    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// Where the next record's parts go; they are taken whether or not the write succeeds, so that no position is reused.
    pub fn allot(&mut self, parts: usize) -> impl Iterator<Item = LogPos> + use<> {
        let from = self.next;
        self.next = LogPos(from.0 + parts as u64);
        (from.0..self.next.0).map(LogPos)
    }

    /// Notes a record that has become durable.
    pub fn append(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    /// The newest record that ends at or before `limit`: how far a checkpoint may fold.
    #[must_use]
    pub fn foldable(&self, limit: CommitSeq) -> Option<LogEntry> {
        self.entries.iter().take_while(|e| e.last <= limit).last().copied()
    }

    /// Forgets the records that a checkpoint has folded in.
    pub fn drop_through(&mut self, last: CommitSeq) {
        self.entries.retain(|e| e.last > last);
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|e| e.bytes).sum()
    }

    #[must_use]
    pub fn records(&self) -> usize {
        self.entries.len()
    }

    /// Reads the stored log back: its records after `checkpoint`, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a damaged record or a gap in the sequence; [`Error::Format`] for a newer format.
    pub fn recover(
        values: &[(u64, Vec<u8>)],
        generation: Generation,
        checkpoint: CommitSeq,
    ) -> Result<(Self, Vec<CommitRecord>)> {
        let (mut log, mut records, mut rest) = (Log::default(), vec![], values);
        let mut last = checkpoint;
        while let Some((position, _)) = rest.first() {
            let (record, parts) = CommitRecord::decode(rest)?;
            if record.generation != generation || record.first != last.next() {
                return Err(Error::Corrupt(format!(
                    "commit record {position} of the log holds commits {}–{} where {} was due",
                    record.first.0,
                    record.last.0,
                    last.next().0
                )));
            }
            last = record.last;
            let bytes = rest[..parts].iter().map(|(_, v)| v.len()).sum();
            let to = LogPos(rest[parts - 1].0);
            log.append(LogEntry { last, to, bytes });
            log.next = to.next();
            records.push(record);
            rest = &rest[parts..];
        }
        Ok((log, records))
    }
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
            log.publish(CommitSeq(*seq), *durability, page(*block, *fill), 4);
        }
        log.take_group(Epoch(1), Generation(1), 512).unwrap()
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
    fn a_gap_in_the_log_is_corruption() {
        let one = group_of(&[(1, Durability::Strict, 0, 1)]).record;
        let three = group_of(&[(3, Durability::Strict, 0, 1)]).record;
        let values: Vec<(u64, Vec<u8>)> = (0..).zip([one, three].iter().flat_map(CommitRecord::encode)).collect();
        assert!(matches!(Log::recover(&values, Generation(1), CommitSeq(0)), Err(Error::Corrupt(_))));
        let (log, records) = Log::recover(&values[..1], Generation(1), CommitSeq(0)).unwrap();
        assert_eq!((records.len(), log.records(), log.next), (1, 1, LogPos(1)));
        assert!(Log::recover(&values[..1], Generation(2), CommitSeq(0)).is_err());
        assert!(Log::recover(&values[..1], Generation(1), CommitSeq(1)).is_err());
    }
}
