//! What tabs have asked for and are not done with, and how long the first answers took: noted in passing, for `inspect` alone.

use super::database::Database;
use crate::ids::PortId;
use crate::wire::{Body, Op, Request};

/// Bytes of a statement's SQL that are kept.
const SQL_BYTES_MAX: usize = 1_000;
/// Of times, each twice as long as the one before: up to 1 ms, 2 ms, … 65 s, and longer.
const BUCKETS: usize = 18;

/// A request on its way to its last reply.
#[derive(Debug)]
pub struct Asked {
    pub op: &'static str,
    pub sql: Box<str>,
    pub at: f64,
    is_answered: bool,
}

impl Asked {
    /// Whether it goes on until it is cancelled.
    pub fn is_followed(&self) -> bool {
        matches!(self.op, "live" | "changes")
    }
}

/// How many requests of each kind took how long to their first reply.
#[derive(Debug, Default)]
pub struct Latencies(Vec<(&'static str, [u64; BUCKETS])>);

impl Latencies {
    fn note(&mut self, op: &'static str, ms: f64) {
        let longer = (0..BUCKETS - 1).take_while(|bucket| ms > up_to_ms(*bucket) as f64).count();
        let at = self.0.iter().position(|(known, _)| *known == op).unwrap_or_else(|| {
            self.0.push((op, [0; BUCKETS]));
            self.0.len() - 1
        });
        self.0[at].1[longer] += 1;
    }

    /// What it was, the longest time in ms (none: any longer one) and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<u64>, u64)> {
        let of_kind = |(op, counts): &(&'static str, [u64; BUCKETS])| {
            let (op, counts) = (*op, *counts);
            let limit = |bucket| (bucket < BUCKETS - 1).then(|| up_to_ms(bucket));
            (0..BUCKETS).filter(move |bucket| counts[*bucket] > 0).map(move |bucket| (op, limit(bucket), counts[bucket]))
        };
        self.0.iter().flat_map(of_kind)
    }
}

fn up_to_ms(bucket: usize) -> u64 {
    1 << bucket
}

impl Database {
    pub(super) fn note_asked(&mut self, port: PortId, request: &Request) {
        let Some((op, sql)) = described(&request.op).filter(|_| request.id != 0) else { return };
        let at = self.now;
        if let Some(session) = self.sessions.get_mut(port) {
            session.asked.insert(request.id, Asked { op, sql, at, is_answered: false });
        }
    }

    /// A reply leaves.
    pub(super) fn note_answer(&mut self, port: PortId, id: u64, is_last: bool) {
        let Some(session) = self.sessions.get_mut(port) else { return };
        let Some(asked) = session.asked.get_mut(id) else { return };
        if !std::mem::replace(&mut asked.is_answered, true) {
            self.latencies.note(asked.op, self.now - asked.at);
        }
        if is_last {
            session.asked.remove(id);
        }
    }
}

/// Whether a request is over with this reply.
pub fn is_last(body: &Body) -> bool {
    match body {
        Body::Chunk(chunk) => chunk.end,
        Body::Bytes(bytes) => bytes.end,
        Body::Checked(checked) => checked.end,
        Body::Changeset(changeset) => changeset.end,
        Body::More(_) | Body::Live(_) | Body::Changed(_) => false,
        _ => true,
    }
}

/// What is asked for, and its SQL; none for what is answered at once or not at all.
fn described(op: &Op) -> Option<(&'static str, Box<str>)> {
    let (name, sql) = match op {
        Op::Query(query) => ("query", &*query.sql),
        Op::Exec(exec) => ("exec", &*exec.sql),
        Op::Batch(batch) => ("batch", batch.statements.first().map_or("", |first| &first.sql)),
        Op::Begin(_) => ("begin", ""),
        Op::Commit(_) => ("commit", ""),
        Op::Iterate(iterate) => ("iterate", &*iterate.sql),
        Op::Live(live) => ("live", &*live.sql),
        Op::Changes(_) => ("changes", ""),
        Op::Keep(_) => ("keep", ""),
        Op::Changesets(_) => ("changesets", ""),
        Op::Apply(_) => ("apply", ""),
        Op::Export(_) => ("export", ""),
        Op::Check(_) => ("check", ""),
        Op::Import(_) => ("import", ""),
        Op::Hello(_) | Op::Rollback(_) | Op::Part(_) | Op::Pull(_) | Op::Cancel(_) => return None,
        Op::Metrics(_) | Op::Inspect(_) | Op::Close(_) | Op::Destroy(_) => return None,
    };
    Some((name, sql[..sql.floor_char_boundary(SQL_BYTES_MAX)].into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_counted_once_where_it_belongs() {
        let mut latencies = Latencies::default();
        for ms in [0.0, 1.0, 1.5, 2.0, 3.0, 65_536.0, 65_537.0, 1e9] {
            latencies.note("query", ms);
        }
        latencies.note("exec", 5.0);
        let found: Vec<_> = latencies.iter().collect();
        let query = |up_to, count| ("query", up_to, count);
        assert_eq!(
            found,
            [
                query(Some(1), 2),
                query(Some(2), 2),
                query(Some(4), 1),
                query(Some(65_536), 1),
                query(None, 2),
                ("exec", Some(8), 1)
            ]
        );
    }
}
