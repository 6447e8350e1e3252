//! A simulated tab's side of a live query, as `hub-js/live.ts` has it: rows are put together from what each hub sends, and outlive the hub.
//! Driven by `watching`. What it is told goes into the book; whether it was right is for `told` to say.

use super::frames;
use super::ledger::Book;
use std::rc::Rc;
use tabhub::wire::{LiveUpdate, Value};

/// Rows that stay are the same ones, so that a state costs little to keep.
pub type LiveRows = Rc<Vec<Rc<Vec<Value>>>>;

/// One state of a live query, as a tab has put it together.
#[derive(Clone, Debug)]
pub struct StateTold {
    pub client: u32,
    pub query: usize,
    pub commit: u64,
    pub rows: LiveRows,
    /// It is a difference to a state that the same hub has told.
    pub is_difference: bool,
    /// The state before was told by another hub.
    pub crossed: bool,
}

#[derive(Clone, Debug)]
pub struct Following {
    pub query: usize,
    /// It asks for the next state only when the plan has it catch up.
    pub is_slow: bool,
    /// Its request of the present hub. None: to be asked of the next one.
    pub id: Option<u64>,
    columns: usize,
    /// The rows as the present hub knows that the tab knows them.
    rows: Option<LiveRows>,
    /// The newest state and its commit, whichever hub has told it.
    held: Option<(u64, LiveRows)>,
    has_lost_hub: bool,
    /// States asked for that have not come.
    credits: u32,
    /// A state was taken, and no other one asked for yet.
    pub owes: bool,
}

impl Following {
    pub fn new(query: usize, is_slow: bool) -> Self {
        let (id, rows, held) = (None, None, None);
        Self { query, is_slow, id, columns: 0, rows, held, has_lost_hub: false, credits: 0, owes: false }
    }

    /// Asked of a hub, which knows nothing yet.
    pub fn begin(&mut self, id: u64) {
        (self.id, self.rows, self.columns) = (Some(id), None, 0);
        (self.credits, self.owes) = (1, false);
    }

    /// What was asked of the hub is over.
    pub fn end(&mut self) -> Option<u64> {
        self.rows = None;
        self.id.take()
    }

    pub fn lose_hub(&mut self) -> Option<u64> {
        self.has_lost_hub |= self.held.is_some();
        self.end()
    }

    /// Whether it waits for the first state of the present hub.
    pub fn is_waiting(&self) -> bool {
        self.id.is_some() && self.rows.is_none()
    }

    /// Asks for one more state; false where it has not taken the last.
    pub fn catch_up(&mut self) -> bool {
        self.credits += u32::from(self.owes);
        std::mem::take(&mut self.owes)
    }

    pub fn held(&self) -> Option<LiveRows> {
        self.held.as_ref().map(|(_, rows)| rows.clone())
    }

    pub fn take(&mut self, client: u32, update: &LiveUpdate, payload: &[u8], book: &mut Book) {
        let what = || format!("client {client}, query {}, commit {}", self.query, update.commit);
        if self.credits == 0 {
            book.accuse("credits", format!("{} was not asked for", what()));
        }
        let before = self.held.as_ref().map_or(0, |(commit, _)| *commit);
        if update.commit < before || update.commit == before && self.rows.is_some() {
            book.accuse("backwards", format!("{} is told after {before}", what()));
        }
        self.columns = update.columns.as_ref().map_or(self.columns, Vec::len);
        let fresh = frames::chunk(payload, update.fresh, self.columns).into_iter().map(Rc::new).collect();
        let known = self.rows.clone().unwrap_or_default();
        let Some(rows) = assembled(&known, &update.parts, fresh) else {
            return book.accuse("live", format!("{} does not follow from {} rows: {:?}", what(), known.len(), update.parts));
        };
        let rows = Rc::new(rows);
        let (query, commit, is_difference) = (self.query, update.commit, self.rows.is_some());
        let crossed = std::mem::take(&mut self.has_lost_hub);
        book.states.push(StateTold { client, query, commit, rows: rows.clone(), is_difference, crossed });
        (self.rows, self.held) = (Some(rows.clone()), Some((commit, rows)));
        (self.credits, self.owes) = (self.credits.saturating_sub(1), true);
    }
}

/// `from` and `count` of each run: 0 for the next of the fresh rows, otherwise one more than a place among the known ones. None where
/// there are no such rows, or fresh ones are left.
fn assembled(known: &[Rc<Vec<Value>>], parts: &[u32], fresh: Vec<Rc<Vec<Value>>>) -> Option<Vec<Rc<Vec<Value>>>> {
    let (mut rows, mut next) = (vec![], 0);
    for part in parts.chunks(2) {
        let [from, count] = part else { return None };
        let (from, count) = (*from as usize, *count as usize);
        if from == 0 {
            rows.extend_from_slice(fresh.get(next..next + count)?);
            next += count;
        } else {
            rows.extend_from_slice(known.get(from - 1..from - 1 + count)?);
        }
    }
    (next == fresh.len()).then_some(rows)
}
