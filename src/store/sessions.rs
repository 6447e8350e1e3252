//! The memory that makes writes happen exactly once: for each client the numbers of its latest writes and what became of
//! them. It travels in the commit records themselves and, folded, as a value of its own that each checkpoint rewrites.
//!
//! The pager owns it; the hub asks it before it carries a numbered write out, and tells it afterwards. What a reply says is
//! the hub's business: here it is bytes. Layout: `format.md`, "Sessions".
//!
//! *Invariant.* Nothing is told of a write that a crash could still undo: an entry leaves for the disk together with the
//! commit that it depends on, or after it.

mod section;

use super::limits::Limits;
use crate::ids::CommitSeq;
use std::rc::Rc;

/// What is known of a numbered write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Never carried out.
    New,
    /// Carried out, or failed for good: its reply, and the commit that must be durable before it is sent.
    Reply(Rc<[u8]>, CommitSeq),
    /// A script of which some parts are committed: how far it came.
    Progress(Rc<[u8]>, CommitSeq),
    /// Nobody knows any more.
    Forgotten,
}

/// A client that comes back: the newest commit when it first came, and the highest number among the writes that a hub has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    pub since: CommitSeq,
    pub last: u64,
}

/// A write whose outcome is to be remembered.
#[derive(Debug)]
pub struct Outcome<'a> {
    pub client: &'a str,
    pub resumed: Resumed,
    pub number: u64,
    /// All writes up to this number have been answered.
    pub answered: u64,
    /// Whether it is over.
    pub is_final: bool,
    pub bytes: Vec<u8>,
    /// The commit that it depends on.
    pub after: CommitSeq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight,
    Stored,
}

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    is_final: bool,
    bytes: Rc<[u8]>,
    after: CommitSeq,
    state: State,
}

#[derive(Clone, Debug)]
struct Row {
    client: Box<str>,
    /// Up to this number nobody knows of a write that has no entry: it has been answered, or was forgotten.
    answered: u64,
    /// The newest commit that one of its entries depends on.
    last: CommitSeq,
    /// In order of number; of one number, the newest last.
    entries: Vec<Entry>,
    is_evicted: bool,
}

#[derive(Debug)]
pub struct Sessions {
    limits: Limits,
    rows: Vec<Row>,
    /// No client was evicted that has committed after this.
    evicted: CommitSeq,
    /// The checkpoint that it was read from knew of everything up to this commit.
    told: CommitSeq,
}

impl Sessions {
    /// What is known of a write of a client.
    #[must_use]
    pub fn find(&self, client: &str, number: u64, resumed: Resumed) -> Found {
        let Some(row) = self.rows.iter().find(|row| *row.client == *client) else {
            let may_be_evicted = number <= resumed.last && self.evicted > resumed.since;
            return if may_be_evicted { Found::Forgotten } else { Found::New };
        };
        match row.entries.iter().rfind(|entry| entry.number == number) {
            Some(entry) if entry.is_final => Found::Reply(entry.bytes.clone(), entry.after),
            Some(entry) => Found::Progress(entry.bytes.clone(), entry.after),
            None if number <= row.answered => Found::Forgotten,
            None => Found::New,
        }
    }

    /// Remembers what became of a write; it leaves with the next commit record.
    pub fn keep(&mut self, outcome: Outcome<'_>) {
        let Outcome { client, resumed, number, answered, is_final, bytes, after } = outcome;
        // Where others were evicted since this client came, entries of its own may have been among them: of all writes that a hub
        // has seen, for a commit overtakes what waits for its transaction.
        let floor = if self.evicted > resumed.since { answered.max(number - 1).max(resumed.last) } else { answered };
        let at = self.row(client, floor);
        let row = &mut self.rows[at];
        row.put(Entry { number, is_final, bytes: bytes.into(), after, state: State::Waiting });
        row.answer(answered);
    }

    /// The place of a client's row; a new one if there is none. The one used last stands last.
    fn row(&mut self, client: &str, answered: u64) -> usize {
        match self.rows.iter().position(|row| *row.client == *client) {
            Some(at) => self.rows[at..].rotate_left(1),
            None => {
                self.rows.push(Row { client: client.into(), answered, last: CommitSeq(0), entries: vec![], is_evicted: false });
            }
        }
        self.rows.len() - 1
    }

    /// Keeps the table within its bounds: who has not written for the longest time goes, or who keeps the most bytes. What has not
    /// left for the disk stays, or a commit would be stored that nobody remembers.
    pub fn evict(&mut self) {
        loop {
            let has_left = |row: &&mut Row| row.entries.iter().all(|entry| entry.state == State::Stored);
            let (too_many, too_large) = (self.rows.len() > self.limits.sessions, self.bytes() > self.limits.replies_bytes);
            let row = match (too_many, too_large) {
                (true, _) => self.rows.iter_mut().find(has_left),
                (_, true) => self.rows.iter_mut().max_by_key(|row| row.bytes()).filter(has_left),
                _ => None,
            };
            let Some(row) = row else { return };
            self.evicted = self.evicted.max(row.last);
            row.is_evicted = true;
            self.rows.retain(|row| !row.is_evicted);
        }
    }

    /// The client has said goodbye: it will never ask again.
    pub fn forget(&mut self, client: &str) {
        self.rows.retain(|row| *row.client != *client);
    }

    /// What has not left yet, as it stands in a commit record.
    pub fn take_section(&mut self) -> Vec<u8> {
        let section = self.encode(|entry| entry.state == State::Waiting);
        for entry in self.rows.iter_mut().flat_map(|row| &mut row.entries).filter(|entry| entry.state == State::Waiting) {
            entry.state = State::InFlight;
        }
        section
    }

    /// What left is durable now.
    pub fn stored(&mut self) {
        self.entries().filter(|entry| entry.state == State::InFlight).for_each(|entry| entry.state = State::Stored);
        self.rows.iter_mut().for_each(Row::settle);
        self.evict();
    }

    /// The commits after `durable` are gone, and so is whatever depends on them; the rest of what left must leave again.
    pub fn revert_to(&mut self, durable: CommitSeq) {
        self.rows.iter_mut().for_each(|row| row.entries.retain(|entry| entry.after <= durable));
        self.entries().filter(|entry| entry.state == State::InFlight).for_each(|entry| entry.state = State::Waiting);
    }

    fn entries(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.rows.iter_mut().flat_map(|row| &mut row.entries)
    }

    /// Bytes of all replies that are remembered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(Row::bytes).sum()
    }

    /// Clients that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Row {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }

    /// What was known of the write before stays until this is stored too: a crash may yet bring it back.
    fn put(&mut self, entry: Entry) {
        self.last = self.last.max(entry.after);
        let is_needed = |old: &Entry| entry.state != State::Stored && old.state != State::Waiting;
        self.entries.retain(|old| old.number != entry.number || is_needed(old));
        let at = self.entries.partition_point(|other| other.number <= entry.number);
        self.entries.insert(at, entry);
    }

    /// Forgets what a newer entry has taken the place of.
    fn settle(&mut self) {
        let mut at = 1;
        while let Some([old, new]) = self.entries.get(at - 1..=at) {
            if old.number == new.number && new.state == State::Stored {
                self.entries.remove(at - 1);
            } else {
                at += 1;
            }
        }
    }

    /// The client has the answers up to this number: nobody will ask for them again.
    fn answer(&mut self, answered: u64) {
        self.answered = self.answered.max(answered);
        self.entries.retain(|entry| entry.number > answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    const SMALL: Limits = Limits {
        log_bytes: 0,
        log_records: 0,
        large_commit_bytes: 0,
        part_bytes: 0,
        sessions: 2,
        reply_bytes: 100,
        replies_bytes: 1000,
        cache_bytes: 0,
        pinned_bytes: 0,
    };

    fn table() -> Sessions {
        Sessions::recover(None, SMALL).unwrap()
    }

    fn outcome(client: &str, number: u64, after: u64) -> Outcome<'_> {
        let bytes = format!("{client} {number}").into_bytes();
        Outcome { client, resumed: Resumed::default(), number, answered: 0, is_final: true, bytes, after: CommitSeq(after) }
    }

    fn reply(sessions: &Sessions, client: &str, number: u64) -> Option<String> {
        match sessions.find(client, number, Resumed { since: CommitSeq(0), last: 9 }) {
            Found::Reply(bytes, _) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
            _ => None,
        }
    }

    #[test]
    fn what_is_stored_with_commits_and_checkpoints_is_found_after_recovery() {
        let mut sessions = table();
        sessions.keep(outcome("a", 1, 1));
        let first = sessions.take_section();
        sessions.stored();
        let checkpoint = sessions.snapshot(CommitSeq(1));
        sessions.keep(Outcome { answered: 1, ..outcome("a", 2, 2) });
        let second = sessions.take_section();
        let mut from_log = table();
        from_log.apply(&first, CommitSeq(1)).unwrap();
        from_log.apply(&second, CommitSeq(2)).unwrap();
        let mut from_checkpoint = Sessions::recover(Some(&checkpoint), SMALL).unwrap();
        assert_eq!(reply(&from_checkpoint, "a", 1).unwrap(), "a 1");
        from_checkpoint.apply(&second, CommitSeq(2)).unwrap();
        for recovered in [from_log, from_checkpoint] {
            assert_eq!(reply(&recovered, "a", 2).unwrap(), "a 2");
            assert_eq!(recovered.find("a", 1, Resumed::default()), Found::Forgotten, "answered, so dropped");
            assert_eq!(recovered.find("a", 3, Resumed::default()), Found::New);
        }
    }

    // At stake: a reply that says "done" of a commit that a crash has undone would lose the write.
    #[test]
    fn a_checkpoint_never_tells_of_a_commit_that_is_not_durable_and_lost_commits_are_forgotten() {
        let mut sessions = table();
        sessions.keep(outcome("a", 1, 1));
        sessions.take_section();
        sessions.stored();
        sessions.keep(outcome("a", 2, 2));
        assert_eq!(reply(&Sessions::recover(Some(&sessions.snapshot(CommitSeq(1))), SMALL).unwrap(), "a", 2), None);
        sessions.take_section();
        sessions.revert_to(CommitSeq(1));
        assert_eq!(reply(&sessions, "a", 1).unwrap(), "a 1");
        assert_eq!(sessions.find("a", 2, Resumed::default()), Found::New);
    }

    // At stake: a script whose next part is published and lost with its hub must go on after its last stored part, not begin anew.
    #[test]
    fn what_is_stored_stays_until_what_takes_its_place_is_stored_too() {
        let mut sessions = Sessions::recover(None, SMALL).unwrap();
        let keep = |sessions: &mut Sessions, after: u64, text: &str| {
            let (bytes, after) = (text.as_bytes().to_vec(), CommitSeq(after));
            let resumed = Resumed::default();
            sessions.keep(Outcome { client: "a", resumed, number: 1, answered: 0, is_final: false, bytes, after });
        };
        let progress = |sessions: &Sessions| match sessions.find("a", 1, Resumed::default()) {
            Found::Progress(bytes, _) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
        keep(&mut sessions, 1, "part 1");
        sessions.take_section();
        sessions.stored();
        keep(&mut sessions, 2, "part 2");
        assert_eq!(progress(&sessions), "part 2");
        let at_checkpoint = Sessions::recover(Some(&sessions.snapshot(CommitSeq(1))), SMALL).unwrap();
        assert_eq!(progress(&at_checkpoint), "part 1");
        sessions.revert_to(CommitSeq(1));
        assert_eq!(progress(&sessions), "part 1");
        keep(&mut sessions, 2, "part 2");
        sessions.take_section();
        sessions.stored();
        assert_eq!((progress(&sessions), sessions.bytes()), ("part 2".into(), 6));
    }

    // At stake: a write of an evicted client must never be carried out a second time in silence.
    #[test]
    fn an_evicted_client_is_told_so_and_one_that_never_wrote_is_not() {
        let mut sessions = table();
        for (client, commit) in [("a", 1), ("b", 2), ("c", 3)] {
            sessions.keep(outcome(client, 1, commit));
            sessions.take_section();
            sessions.stored();
        }
        let came = |since, last| Resumed { since: CommitSeq(since), last };
        assert_eq!(sessions.find("a", 1, came(0, 1)), Found::Forgotten);
        assert_eq!(sessions.find("a", 2, came(0, 1)), Found::New, "a new write of it is carried out");
        assert_eq!(sessions.find("d", 1, came(1, 1)), Found::New, "nothing that it could have written was evicted");
        sessions.keep(outcome("a", 2, 4));
        assert_eq!(sessions.find("a", 1, came(0, 1)), Found::Forgotten, "also once it is known again");
        sessions.take_section();
        sessions.stored();
        let again = Sessions::recover(Some(&sessions.snapshot(CommitSeq(9))), SMALL).unwrap();
        assert_eq!(again.find("b", 1, came(0, 1)), Found::Forgotten);
    }

    // At stake: a record older than the checkpoint's table would bring an evicted client back with only some of its writes, and the
    // others would be carried out again.
    #[test]
    fn a_record_that_the_checkpoint_knew_of_brings_no_evicted_client_back() {
        let mut sessions = table();
        let mut log = vec![];
        for (client, number, commit) in [("a", 1, 1), ("a", 2, 2), ("b", 1, 3), ("c", 1, 4)] {
            sessions.keep(outcome(client, number, commit));
            log.push(sessions.take_section());
            sessions.stored();
        }
        let checkpoint = sessions.snapshot(CommitSeq(4));
        let mut recovered = Sessions::recover(Some(&checkpoint), SMALL).unwrap();
        recovered.apply(&log[1], CommitSeq(2)).unwrap();
        let came = Resumed { since: CommitSeq(0), last: 2 };
        assert_eq!([1, 2].map(|number| recovered.find("a", number, came)), [Found::Forgotten, Found::Forgotten]);
    }

    // At stake: a commit whose client was evicted before it left would be stored without being remembered, and made twice.
    #[test]
    fn nobody_is_evicted_who_has_something_that_has_not_left_and_the_greedy_one_goes_first() {
        let mut sessions = table();
        sessions.keep(outcome("modest", 1, 1));
        for number in 1..=300 {
            sessions.keep(outcome("greedy", number, number));
        }
        let section = sessions.take_section();
        let mut recovered = table();
        recovered.apply(&section, CommitSeq(300)).unwrap();
        recovered.evict();
        let came = Resumed { since: CommitSeq(0), last: 300 };
        assert!(
            (1..=300).all(|number| recovered.find("greedy", number, came) == Found::Forgotten),
            "too many to remember, and all the same: none"
        );
        sessions.keep(outcome("greedy", 301, 301));
        sessions.stored();
        assert_eq!(reply(&sessions, "greedy", 300).unwrap(), "greedy 300", "301 has not left");
        sessions.take_section();
        sessions.stored();
        assert_eq!(sessions.find("greedy", 301, came), Found::New);
        assert_eq!(sessions.find("greedy", 300, came), Found::Forgotten);
        assert_eq!(reply(&sessions, "modest", 1).unwrap(), "modest 1");
    }

    #[test]
    fn a_damaged_table_is_corrupt() {
        let mut sessions = table();
        sessions.keep(outcome("a", 1, 1));
        let good = sessions.snapshot(CommitSeq(1));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            assert!(matches!(Sessions::recover(Some(&bad), SMALL), Err(Error::Corrupt(_))), "byte {at}");
        }
    }
}
