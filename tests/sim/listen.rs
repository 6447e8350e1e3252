//! A simulated tab's side of changes, as `hub-js/changes.ts` has it: where it begins with a hub, and each commit that it is told of. Driven by
//! `watching`. What it is told goes into the book; whether anything is missing is for `told` to say.

use super::frames;
use super::ledger::Book;
use tabhub::wire::{Changed, TableChanged};

/// One commit as it was told.
#[derive(Clone, Debug)]
pub struct ChangeTold {
    pub commit: u64,
    pub own: bool,
    /// Anything may be another.
    pub everything: bool,
    /// Beside each table its rows, where they are named.
    pub tables: Vec<(TableChanged, Vec<i64>)>,
}

/// What a tab was told by one hub.
#[derive(Clone, Debug)]
pub struct Heard {
    pub client: u32,
    pub filter: usize,
    /// Of the commits after this one it is told.
    pub base: u64,
    /// It has known an earlier hub, and commits were made since: to its application anything may be another.
    pub crossed: bool,
    pub changes: Vec<ChangeTold>,
    /// It listened to the end, when all was quiet.
    pub is_complete: bool,
}

#[derive(Clone, Debug)]
pub struct Listening {
    pub filter: usize,
    /// It says that it has taken what it was told only when the plan has it catch up.
    pub is_slow: bool,
    /// Its request of the present hub. None: to be asked of the next one.
    pub id: Option<u64>,
    /// The newest commit that is known of.
    known: Option<u64>,
    /// Where the book keeps what the present hub has told.
    heard: Option<usize>,
    /// Commits that were told, and not yet said to be taken.
    owes: u32,
}

impl Listening {
    pub fn new(filter: usize, is_slow: bool) -> Self {
        Self { filter, is_slow, id: None, known: None, heard: None, owes: 0 }
    }

    pub fn begin(&mut self, id: u64) {
        (self.id, self.heard, self.owes) = (Some(id), None, 0);
    }

    /// What was asked of the hub is over; its id.
    pub fn lose_hub(&mut self) -> Option<u64> {
        self.heard = None;
        self.id.take()
    }

    /// Whether it waits to be told where it begins.
    pub fn is_waiting(&self) -> bool {
        self.id.is_some() && self.heard.is_none()
    }

    /// How many commits it says now that it has taken.
    pub fn catch_up(&mut self) -> u32 {
        std::mem::take(&mut self.owes)
    }

    /// All is quiet: what it has not been told by now it will never be.
    pub fn complete(&self, book: &mut Book) {
        if let Some(at) = self.heard {
            book.heard[at].is_complete = true;
        }
    }

    pub fn take(&mut self, client: u32, changed: &Changed, payload: &[u8], book: &mut Book) {
        let (commit, known) = (changed.commit, self.known);
        match self.heard {
            // Each but the first takes a credit.
            Some(at) => {
                book.heard[at].changes.push(change(changed, payload));
                self.owes += 1;
            }
            None => {
                if known.is_some_and(|known| commit < known) {
                    book.accuse("backwards", format!("client {client} listens from {commit} on after {known:?}"));
                }
                let crossed = known.is_some_and(|known| commit > known);
                self.heard = Some(book.heard.len());
                let (filter, changes) = (self.filter, vec![]);
                book.heard.push(Heard { client, filter, base: commit, crossed, changes, is_complete: false });
            }
        }
        self.known = Some(known.map_or(commit, |known| known.max(commit)));
    }
}

fn change(changed: &Changed, payload: &[u8]) -> ChangeTold {
    let count = changed.tables.iter().filter_map(|table| table.rows).sum::<u32>();
    let mut ids = frames::chunk(payload, count, 1).into_iter().map(|row| frames::integer(&row[0]));
    let mut of = |table: &TableChanged| ids.by_ref().take(table.rows.unwrap_or(0) as usize).collect();
    let tables = changed.tables.iter().map(|table| (table.clone(), of(table))).collect();
    ChangeTold { commit: changed.commit, own: changed.own, everything: changed.schema, tables }
}
