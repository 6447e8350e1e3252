//! The commit queue and the log's index. Published commits wait here; while one write transaction is in flight further
//! commits collect and go together as the next record (group commit).

use super::Pages;
use super::ops::Durability;
use super::record::CommitRecord;
use crate::error::{Error, Result};
use crate::ids::{CommitSeq, Epoch, Generation, LogPos};

/// A range of log positions, both ends included.
pub type LogRange = (LogPos, LogPos);

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
    /// `sessions` gives what their sessions have to say, once it is known that something leaves.
    pub fn take_group(
        &mut self,
        (epoch, generation, block_bytes): (Epoch, Generation, u32),
        sessions: impl FnOnce() -> Vec<u8>,
    ) -> Option<Group> {
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
        let sessions = sessions();
        let record = CommitRecord { epoch, generation, first, last, blocks, block_bytes, pages, sessions };
        Some(Group { record, durability, commits })
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

    /// Reads the stored log back. Damage is no error: what comes before it is good.
    ///
    /// # Errors
    /// [`Error::Format`] for a newer format.
    pub fn recover(values: &[(u64, Vec<u8>)], generation: Generation, checkpoint: CommitSeq) -> Result<Recovered> {
        let mut recovered = Recovered { log: Log::default(), records: vec![], incomplete: None, damage: None };
        let (mut last, mut rest) = (checkpoint, values);
        while let (Some((position, _)), Some((end, _))) = (rest.first(), values.last()) {
            recovered.log.next = LogPos(*end).next();
            let (record, parts) = match CommitRecord::decode(rest) {
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
            last = record.last;
            let bytes = rest[..parts].iter().map(|(_, v)| v.len()).sum();
            recovered.log.append(LogEntry { last, to: LogPos(rest[parts - 1].0), bytes });
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
            log.publish(CommitSeq(*seq), *durability, page(*block, *fill), 4);
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

    #[test]
    fn the_beginning_of_a_large_commit_at_the_end_of_the_log_is_to_be_deleted() {
        let mut log = Log::default();
        let pages = (0..40).map(|n| (BlockNo(n), Block::from(vec![1; 4096]))).collect();
        log.publish(CommitSeq(1), Durability::Strict, pages, 40);
        let record = log.take_group((Epoch(1), Generation(1), 4096), Vec::new).unwrap().record;
        let values: Vec<(u64, Vec<u8>)> = (5..).zip(record.into_parts(40_000)).collect();
        assert_eq!(values.len(), 5);
        let recovered = Log::recover(&values[..3], Generation(1), CommitSeq(0)).unwrap();
        assert_eq!(recovered.incomplete, Some((LogPos(5), LogPos(7))));
        assert_eq!((recovered.records.len(), recovered.log.next, recovered.damage), (0, LogPos(8), None));
    }
}
