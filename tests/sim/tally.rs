//! What simulations went through, so that a run shows that it reached what it is meant to test.

use super::disk::Fault;
use std::collections::BTreeMap;
use std::fmt;
use tabhub::store::Key;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub fn add(&mut self, what: &'static str, n: u64) {
        *self.0.entry(what).or_default() += n;
    }

    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, n)| self.add(what, *n));
    }

    pub fn note_put(&mut self, key: Key) {
        self.add(
            match key {
                Key::Header => "headers",
                Key::Sessions => "session tables",
                Key::Changes(_) => "changesets",
                Key::Log(_) => "log values",
                Key::Group(..) => "groups folded",
            },
            1,
        );
    }

    pub fn note_fault(&mut self, fault: Option<Fault>) {
        match fault {
            None => {}
            Some(Fault::Abort) => self.add("aborts", 1),
            Some(Fault::Full) => self.add("full", 1),
            Some(Fault::Lost { .. }) => self.add("lost connections", 1),
            Some(Fault::Silent { .. }) => self.add("silent operations", 1),
            Some(Fault::InDoubt { .. }) => self.add("in doubt", 1),
            Some(Fault::CrashBefore(_) | Fault::CrashAfter(_)) => self.add("crashes at an operation", 1),
        }
    }
}

/// One line of JSON, which `npm run sim` adds up over its processes.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.0.iter().map(|(what, n)| format!("\"{what}\":{n}")).collect();
        write!(f, "{{{}}}", fields.join(","))
    }
}
