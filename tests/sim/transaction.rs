//! What a simulated tab does inside of a transaction: one step after the other, each sent when the one before has been answered.

use super::frames;
use super::ledger::{self, Book, Fate, State};
use super::plan::Step;
use super::tab::{Kind, Tab};
use std::collections::VecDeque;
use tabhub::wire::{self, Body, Op, WireError};

/// A write transaction under way.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub attempt: usize,
    tx: u64,
    /// The first is the one that has been sent, once the transaction is open.
    steps: VecDeque<Step>,
    commit: bool,
    /// The part that the next insert writes.
    part: usize,
    /// What the inserts have returned: part, sequence number, tag.
    pub told: Vec<(i64, i64, i64)>,
}

impl Transaction {
    pub fn new(attempt: usize, steps: Vec<Step>, commit: bool) -> Self {
        Self { attempt, tx: 0, steps: steps.into(), commit, part: 0, told: vec![] }
    }

    /// An answer that is no error has come: to `begin`, or to the first step.
    pub fn go_on(mut self, tab: &mut Tab, body: &Body, payload: &[u8], book: &mut Book) {
        if let Body::Begun(begun) = body {
            self.tx = begun.tx;
        } else {
            let step = self.steps.pop_front();
            self.note(step.as_ref(), body, payload, book);
        }
        self.next(tab, book);
    }

    fn note(&mut self, step: Option<&Step>, body: &Body, payload: &[u8], book: &mut Book) {
        let rows = frames::rows(body, payload);
        match (step, rows) {
            (Some(Step::Insert(_)), Some(rows)) if rows.len() == 1 => {
                self.told.push((self.part as i64, frames::integer(&rows[0][0]), frames::integer(&rows[0][1])));
                self.part += 1;
            }
            (Some(Step::Read), Some(rows)) => {
                if let Err(why) = frames::state(&rows) {
                    book.accuse("reads", format!("in a transaction: {why}"));
                }
            }
            (Some(Step::Undone(_)), None) => self.part += 1,
            (step, rows) => book.accuse("reply", format!("{step:?} is answered {body:?}, {rows:?}")),
        }
    }

    /// Sends the next step, or ends the transaction.
    fn next(self, tab: &mut Tab, book: &mut Book) {
        let (tx, attempt) = (self.tx, self.attempt);
        match self.steps.front() {
            Some(step) => {
                let request = step_request(tab.client, attempt, self.part, tx, step);
                tab.ask(request, false, Kind::Step(self));
            }
            None if self.commit => {
                book.attempts[attempt].parts = self.told.iter().map(|(part, ..)| *part).collect();
                tab.ask((Op::Commit(wire::Commit { tx, durability: None }), vec![]), true, Kind::Commit(self));
            }
            None => {
                book.attempts[attempt].fate = Fate::NotApplied("rolled back".into());
                self.give_up(tab);
            }
        }
    }

    fn give_up(self, tab: &mut Tab) {
        tab.ask((Op::Rollback(wire::Rollback { tx: self.tx }), vec![]), false, Kind::Farewell);
    }

    /// The step that was sent has failed: expected of one kind, and the end for the others.
    pub fn step_failed(mut self, tab: &mut Tab, error: &WireError, book: &mut Book) {
        if self.steps.front() == Some(&Step::Fails) && error.code.starts_with("SQLITE_CONSTRAINT") {
            self.steps.pop_front();
            return self.next(tab, book);
        }
        book.attempts[self.attempt].fate = Fate::NotApplied(error.code.clone());
        self.give_up(tab);
    }

    /// The commit has been answered.
    pub fn ended(self, fate: Fate, book: &mut Book) {
        let attempt = &mut book.attempts[self.attempt];
        attempt.fate = fate;
        if attempt.fate == Fate::Applied {
            attempt.told = self.told;
        }
    }
}

/// A read transaction under way: the same statement again and again, which must say the same.
#[derive(Clone, Debug)]
pub struct Reading {
    floor: i64,
    tx: u64,
    left: u32,
    first: Option<State>,
}

impl Reading {
    pub fn new(floor: i64, reads: u32) -> Self {
        Self { floor, tx: 0, left: reads, first: None }
    }

    pub fn go_on(mut self, tab: &mut Tab, body: &Body, payload: &[u8], book: &mut Book) {
        if let Body::Begun(begun) = body {
            self.tx = begun.tx;
        } else {
            let state = tab.has_read(self.floor, body, payload, book);
            if self.first.is_some() && state != self.first {
                book.accuse("reads", format!("a read transaction gives {:?}, then {state:?}", self.first));
            }
            self.first = state;
        }
        let tx = self.tx;
        if self.left == 0 {
            return tab.ask((Op::Commit(wire::Commit { tx, durability: None }), vec![]), false, Kind::Farewell);
        }
        self.left -= 1;
        tab.ask(frames::query(ledger::READ, Some(tx), None), false, Kind::StepRead(self));
    }
}

/// The step that a transaction asks for next, as a request inside of it.
fn step_request(client: u32, attempt: usize, part: usize, tx: u64, step: &Step) -> (Op, Vec<u8>) {
    match step {
        Step::Insert(entry) => frames::query(&ledger::insert_returning(client, attempt, part, *entry), Some(tx), None),
        Step::Undone(entry) => {
            let insert = ledger::insert(client, attempt, part, *entry);
            frames::exec(&format!("SAVEPOINT s; {insert}; ROLLBACK TO s; RELEASE s"), Some(tx))
        }
        Step::Read => frames::query(ledger::READ, Some(tx), None),
        Step::Fails => frames::query(ledger::FAILS, Some(tx), None),
    }
}
