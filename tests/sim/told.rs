//! The checkers of what tabs were told of live queries and of changes. Called by `run` with what the database came to and with the commits
//! that made it: every state told is what the query answers as of its commit, who still follows in the end has the newest, and every commit that
//! changed what somebody listens to was told to him, with its rows, or covered by one of which anything may be another.

use super::commits::{Commits, Stored};
use super::follow::LiveRows;
use super::ledger::{Book, Row, State};
use super::listen::{ChangeTold, Heard};
use super::queries::{FILTERS, QUERIES, answer};
use super::verdict::{Truth, states};
use crate::support::Rows;
use std::collections::{BTreeMap, BTreeSet};

/// Of rows in a message.
const CHARS_MAX: usize = 1_500;

/// What a tab has of a live query when all is quiet.
#[derive(Clone, Debug)]
pub struct Held {
    pub client: u32,
    pub query: usize,
    pub rows: Option<LiveRows>,
}

/// What queries answer, worked out once for each state.
struct Answers<'a> {
    truth: &'a Truth,
    states: Vec<State>,
    known: BTreeMap<(usize, i64), Rows>,
}

impl Answers<'_> {
    /// How what was told is not what the query answers where the ledger has `n` rows.
    fn contradict(&mut self, query: usize, n: i64, told: &LiveRows) -> Option<String> {
        let at = usize::try_from(n).expect("a number of rows");
        let compute = || answer(query, &self.truth.rows[..at], &self.states[at]);
        let right = self.known.entry((query, n)).or_insert_with(compute);
        let is_right = right.len() == told.len() && right.iter().zip(told.iter()).all(|(right, told)| *right == **told);
        (!is_right).then(|| format!("{:.CHARS_MAX$} instead of {:.CHARS_MAX$}", format!("{told:?}"), format!("{right:?}")))
    }
}

impl Book {
    pub fn judge_told(&mut self, truth: &Truth, commits: &Commits) {
        let known = commits.stored.last().map_or(0, |stored| stored.n);
        if known != truth.last.n || commits.stored.iter().any(|stored| stored.n > known) {
            return self.accuse("commits", format!("the log says {:?}, the database {:?}", commits.stored, truth.last));
        }
        let mut answers = Answers { truth, states: states(&truth.rows), known: BTreeMap::new() };
        if let Some(detail) = self.wrong_state(commits, &mut answers) {
            self.accuse("live", detail);
        }
        if let Some(detail) = self.wrong_end(known, &mut answers) {
            self.accuse("newest", detail);
        }
        let wrong = self.heard.iter().find_map(|heard| self.wrong_changes(heard, truth, commits));
        if let Some(detail) = wrong {
            self.accuse("changes", detail);
        }
    }

    fn wrong_state(&self, commits: &Commits, answers: &mut Answers<'_>) -> Option<String> {
        // Of what an import has replaced nothing is left to judge by.
        self.states.iter().filter(|told| told.commit >= commits.oldest()).find_map(|told| {
            let what = format!("client {}, {}, commit {}", told.client, QUERIES[told.query].sql, told.commit);
            let Some(n) = commits.rows_at(told.commit) else { return Some(what + ": no record ends there") };
            let how = answers.contradict(told.query, n, &told.rows)?;
            Some(format!("{what} (state {n}): {how}"))
        })
    }

    /// Who follows to the end, and when all is quiet does not have what there is.
    fn wrong_end(&self, n: i64, answers: &mut Answers<'_>) -> Option<String> {
        self.held.iter().find_map(|held| {
            let how = match &held.rows {
                Some(rows) => answers.contradict(held.query, n, rows)?,
                None => "nothing".into(),
            };
            Some(format!("client {}, {}, in the end (state {n}): {how}", held.client, QUERIES[held.query].sql))
        })
    }

    fn wrong_changes(&self, heard: &Heard, truth: &Truth, commits: &Commits) -> Option<String> {
        let filter = FILTERS[heard.filter];
        let is_listened_to = |table: &str| filter.is_empty() || filter.contains(&table);
        let mut before = heard.base;
        for change in &heard.changes {
            let is_strange = change.tables.iter().any(|(table, _)| !is_listened_to(&table.table));
            if change.commit <= before || is_strange {
                return Some(format!("client {}, who listens to {filter:?}, is told after {before}: {change:?}", heard.client));
            }
            before = change.commit;
        }
        // The first record made the tables, or is the import that replaced them.
        let later = || commits.stored.iter().skip(1).filter(|stored| stored.last > heard.base);
        lacks_import(heard, commits).or_else(|| later().find_map(|stored| self.missing(heard, stored, truth)))
    }

    /// A transaction of the record that the tab was not told of, though it was told of what came after it.
    fn missing(&self, heard: &Heard, stored: &Stored, truth: &Truth) -> Option<String> {
        let last = if heard.is_complete { u64::MAX } else { heard.changes.last()?.commit };
        let rows = &truth.rows[usize::try_from(stored.before).ok()?..usize::try_from(stored.n).ok()?];
        let is_one = |a: &Row, b: &Row| a.entry == b.entry && !self.attempts[usize::try_from(a.entry).unwrap_or(0)].in_parts;
        let made: Vec<&[Row]> = rows.chunk_by(is_one).collect();
        // Where there are other commits among them, as of VACUUM, it is only known in which order they come.
        let is_exact = stored.first + made.len() as u64 == stored.last + 1;
        let is_of_record = |change: &&ChangeTold| (stored.first..=stored.last).contains(&change.commit);
        if !is_exact && heard.changes.iter().filter(is_of_record).any(|change| change.everything) {
            return None;
        }
        let mut next = stored.first;
        for rows in made {
            let until = if is_exact { next } else { stored.last };
            if until > last {
                return None;
            }
            let is_it = |change: &&ChangeTold| (next..=until).contains(&change.commit) && self.tells_of(heard, change, rows);
            match heard.changes.iter().find(is_it) {
                Some(change) => next = change.commit + 1,
                None if is_covered(heard, next) => next += u64::from(is_exact),
                None => {
                    let told: Vec<_> = heard.changes.iter().filter(|change| change.commit + 3 > stored.first).take(6).collect();
                    let what = format!("client {}, who listens to {:?}", heard.client, FILTERS[heard.filter]);
                    return Some(format!(
                        "{what}, is not told of {rows:?} in {stored:?}, commit {next}..={until}, but of {told:?}"
                    ));
                }
            }
        }
        None
    }

    /// Whether the tab was told of the transaction that added these rows. What was taken back to a savepoint may be named as well.
    fn tells_of(&self, heard: &Heard, change: &ChangeTold, rows: &[Row]) -> bool {
        let author = &self.attempts[usize::try_from(rows[0].entry).unwrap_or(0)];
        if change.own && author.client != heard.client {
            return false;
        }
        let names = |table: &str, kind: &str, ids: &BTreeSet<i64>| {
            let filter = FILTERS[heard.filter];
            let told = change.tables.iter().find(|(told, _)| told.table == table);
            let is_told = told.is_some_and(|(told, named)| {
                let is_kind = if kind == "insert" { told.insert } else { told.update };
                let named: BTreeSet<i64> = named.iter().copied().collect();
                // Row 0 cannot be told from a row without an id: then it is not known which rows.
                let is_unknown = told.rows.is_none() && (ids.contains(&0) || author.may_undo);
                is_kind && (is_unknown || if author.may_undo { named.is_superset(ids) } else { named == *ids })
            });
            is_told || !filter.is_empty() && !filter.contains(&table)
        };
        let (seqs, cells) = (rows.iter().map(|row| row.seq).collect(), rows.iter().map(|row| row.cell).collect());
        let is_named = || {
            names("ledger", "insert", &seqs) && names("cell", "update", &cells) && names("state", "update", &BTreeSet::from([1]))
        };
        change.everything || is_named()
    }
}

/// That an import replaced the database, of which the tab was not told, though of what came after it.
fn lacks_import(heard: &Heard, commits: &Commits) -> Option<String> {
    let import = commits.stored.first().filter(|first| first.before > 0 && first.last > heard.base)?;
    heard.changes.last().filter(|change| change.commit >= import.last)?;
    let is_told = heard.changes.iter().any(|change| change.everything && change.commit == import.last);
    (!is_told).then(|| format!("client {} is not told that commit {} replaces everything", heard.client, import.last))
}

/// Whether the next that the tab was told of, from this commit on, said that anything may be another; or nothing in its tables was changed.
fn is_covered(heard: &Heard, commit: u64) -> bool {
    let next = heard.changes.iter().find(|change| change.commit >= commit);
    next.is_some_and(|change| change.everything) || FILTERS[heard.filter] == ["nothing"]
}
