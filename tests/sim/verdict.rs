//! The checkers that need the whole story: what the database holds in the end, as read by a fresh hub, is held against what
//! every tab was told and has seen on the way.

use super::ledger::{Attempt, Book, Fate, Row, State};
use std::collections::BTreeMap;

/// What the database came to.
pub struct Truth {
    pub rows: Vec<Row>,
    pub last: State,
    /// What `PRAGMA integrity_check` says.
    pub integrity: String,
}

/// The sequence numbers of each attempt's rows, by part.
type Places = BTreeMap<usize, Vec<(i64, i64, i64)>>;

impl Book {
    pub fn judge(&mut self, truth: &Truth) {
        if truth.integrity != "ok" {
            self.accuse("integrity", truth.integrity.clone());
        }
        let states = states(&truth.rows);
        if states.last() != Some(&truth.last) {
            self.accuse("integrity", format!("the cells say {:?}, the ledger {:?}", truth.last, states.last()));
        }
        let Some(places) = self.places(&truth.rows) else { return };
        let first = self.first_that_counts(truth);
        for (at, attempt) in self.attempts.clone().iter().enumerate().filter(|(at, _)| *at >= first) {
            let found = places.get(&at).map_or(&[][..], |found| found);
            self.judge_attempt(at, attempt, found);
        }
        self.judge_order(&places);
        self.judge_reads(first, truth, &states);
    }

    /// Where each attempt's rows stand; accuses rows that nobody wrote.
    fn places(&mut self, rows: &[Row]) -> Option<Places> {
        let mut places = Places::new();
        for (i, row) in rows.iter().enumerate() {
            let entry = usize::try_from(row.entry).ok();
            let known = entry.and_then(|entry| self.attempts.get(entry)).is_some_and(|a| i64::from(a.client) == row.client);
            if !known || row.seq != i as i64 + 1 {
                self.accuse("attempted", format!("{row:?} in place {}", i + 1));
                return None;
            }
            places.entry(entry?).or_default().push((row.part, row.seq, row.tag));
        }
        Some(places)
    }

    /// An import that took place makes everything before it count no more.
    fn first_that_counts(&self, truth: &Truth) -> usize {
        let first = truth.rows.first().and_then(|row| usize::try_from(row.entry).ok());
        first.filter(|entry| self.attempts[*entry].is_import).unwrap_or(0)
    }

    fn judge_attempt(&mut self, at: usize, attempt: &Attempt, found: &[(i64, i64, i64)]) {
        let parts: Vec<i64> = found.iter().map(|(part, ..)| *part).collect();
        let is_whole = parts == attempt.parts;
        let is_adjacent = attempt.in_parts || found.windows(2).all(|w| w[0].1 + 1 == w[1].1);
        let what = || format!("entry {at}, {attempt:?}, is there as (part, seq, tag) {found:?}");
        let mut once = parts.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() < parts.len() {
            return self.accuse("once", what());
        }
        let is_possible = match &attempt.fate {
            Fate::Applied => is_whole,
            Fate::NotApplied(_) if attempt.in_parts => !is_whole && attempt.parts.starts_with(&parts) || attempt.parts.is_empty(),
            Fate::NotApplied(_) => parts.is_empty(),
            Fate::Open | Fate::Unknown(_) if attempt.in_parts => attempt.parts.starts_with(&parts),
            Fate::Open | Fate::Unknown(_) => parts.is_empty() || is_whole,
        };
        let acked = attempt.fate == Fate::Applied;
        if !is_possible || !is_adjacent {
            self.accuse(if acked { "durable" } else { "all or nothing" }, what());
        } else if !attempt.told.iter().all(|told| found.contains(told)) {
            self.accuse("reply", what());
        }
    }

    /// A client's writes stand in the order in which it asked for them.
    fn judge_order(&mut self, places: &Places) {
        let mut last: BTreeMap<u32, (u64, i64)> = BTreeMap::new();
        let counts = places.iter().filter(|(at, _)| !self.attempts[**at].may_be_late);
        let mut asked: Vec<_> = counts.map(|(at, found)| (self.attempts[*at].turn, *at, found)).collect();
        asked.sort_unstable_by_key(|(turn, at, _)| (*turn, *at));
        for (turn, at, found) in asked {
            let client = self.attempts[at].client;
            let (first, end) = (found[0].1, found[found.len() - 1].1);
            if let Some((before, seq)) = last.insert(client, (turn, end)).filter(|(_, seq)| *seq > first) {
                self.accuse(
                    "order",
                    format!("client {client}: entry {at} (turn {turn}) is {first}, turn {before} before it is {seq}"),
                );
            }
        }
    }

    fn judge_reads(&mut self, first: usize, truth: &Truth, states: &[State]) {
        let is_boundary = |n: i64| {
            let (before, after) = (usize::try_from(n - 1).ok().and_then(|at| truth.rows.get(at)), truth.rows.get(n as usize));
            match (before, after) {
                (Some(before), Some(after)) => before.entry != after.entry || self.attempts[before.entry as usize].in_parts,
                _ => true,
            }
        };
        let wrong = self.seen.iter().filter(|seen| seen.attempts > first).find(|seen| {
            let state = usize::try_from(seen.state.n).ok().and_then(|n| states.get(n));
            state != Some(&seen.state) || !is_boundary(seen.state.n)
        });
        let wrong = wrong.map(|seen| format!("{seen:?} is no state of {:?}", states.last()));
        let cut = self.iterated.iter().filter(|iterated| iterated.attempts > first).find(|iterated| {
            let whole = iterated.rows.len() <= truth.rows.len() && is_boundary(iterated.rows.len() as i64);
            let same = iterated.rows.iter().zip(&truth.rows).all(|(it, row)| it[..3] == [row.seq, row.entry, row.part]);
            !whole || !same || !cells_agree(&iterated.rows, &truth.rows)
        });
        let cut = cut.map(|iterated| format!("{iterated:?} is no state of {:?}", states.last()));
        if let Some(detail) = wrong.or(cut) {
            self.accuse("reads", detail);
        }
    }
}

/// Whether the cells beside the iterated rows are those of the state that the rows end with.
fn cells_agree(iterated: &[[i64; 4]], rows: &[Row]) -> bool {
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    newest.extend(rows[..iterated.len()].iter().map(|row| (row.cell, row.seq)));
    iterated.iter().zip(rows).all(|(it, row)| newest.get(&row.cell) == Some(&it[3]))
}

/// The state after each row, from the empty one on.
pub(super) fn states(rows: &[Row]) -> Vec<State> {
    let (mut cells, mut hash) = ([(0, 0); 6], 0);
    let mut states = vec![State { n: 0, hash: 0, cells: 0, sizes: 0 }];
    for row in rows {
        cells[row.cell as usize] = (row.seq, row.size);
        hash = (hash * 1_000_003 + row.client * 8191 + row.entry * 131 + row.part + 1) % 2_147_483_647;
        let versions = (1..).zip(&cells).map(|(factor, (v, _))| v * factor).sum();
        states.push(State { n: row.seq, hash, cells: versions, sizes: cells.iter().map(|(_, size)| size).sum() });
    }
    states
}
