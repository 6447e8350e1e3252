//! One simulation from beginning to end: a database is set up, the plan is carried out, the faults stop, everybody must be
//! answered, everything crashes, and what a fresh hub then finds is judged.

use super::controls::Control;
use super::frames;
use super::ledger::{LEDGER, READ, Row, SCHEMA, Violation};
use super::plan::{Act, Deed, Plan};
use super::tab::{Kind, Tab};
use super::tally::Tally;
use super::told::Held;
use super::verdict::Truth;
use super::world::World;
use crate::support;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};
use tabhub::store::Key;
use tabhub::store::header::Header;
use tabhub::wire::{CheckLevel, OnConflict, Value};

/// Steps and virtual time within which everybody must have been answered once the faults have stopped.
const DRAIN_STEPS: u32 = 50_000;
const DRAIN_MS: f64 = 600_000.0;
/// Longer than it takes a hub to give up an operation of the store that does not answer, and to try again.
const LINGER_MS: f64 = 100_000.0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub violation: Option<Violation>,
    pub digest: u64,
    pub tally: Tally,
    /// Operations of the store while the plan was carried out.
    pub operations: u64,
}

/// Carries a plan out. A panic is a violation like any other.
pub fn run(plan: &Plan, control: Option<Control>) -> Outcome {
    /// `SQLite`'s random numbers are one stream for the whole process: two simulations at once would disturb each other.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    note_panics();
    let whole = AssertUnwindSafe(|| World::new(plan, control).live(plan));
    catch_unwind(whole).unwrap_or_else(|_| {
        let detail = PANIC.take();
        Outcome { violation: Some(Violation { checker: "panic", detail }), digest: 0, tally: Tally::default(), operations: 0 }
    })
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    static IS_NOTING: RefCell<bool> = const { RefCell::new(false) };
}

/// Keeps the message of a panic inside of a simulation, instead of printing it for every plan that a shrinker tries.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IS_NOTING.with_borrow(|is| *is) {
                PANIC.set(info.to_string());
            } else {
                print(info);
            }
        }));
    });
}

impl World {
    fn live(mut self, plan: &Plan) -> Outcome {
        IS_NOTING.set(true);
        self.set_up(plan);
        let begun = self.disk.done;
        if plan.orderly {
            self.carry_out_in_order(plan);
        } else {
            self.carry_out_by_chance(plan);
        }
        let operations = self.disk.done - begun;
        self.come_to_rest();
        if self.book.violation.is_none() {
            self.crash_everything();
            self.audit();
            self.audit_changes();
        }
        IS_NOTING.set(false);
        for attempt in &self.book.attempts {
            self.tally.add(fate_name(&attempt.fate), 1);
        }
        self.count_told();
        self.tally.add("reads", (self.book.seen.len() + self.book.iterated.len()) as u64);
        Outcome { violation: self.book.violation, digest: self.digest, tally: self.tally, operations }
    }

    /// A calm beginning: the tables are there, and all tabs.
    fn set_up(&mut self, plan: &Plan) {
        let first = self.new_client();
        self.tabs.push(first);
        self.tabs[0].ask(frames::exec(SCHEMA, None), true, Kind::Farewell);
        if plan.keeps {
            self.tabs[0].ask(frames::keep(), false, Kind::Farewell);
        }
        while let Some(next) = self.moves().first() {
            self.carry_out(*next);
        }
        while self.tabs.len() < plan.tabs {
            let tab = self.new_client();
            self.tabs.push(tab);
        }
        self.disk.armed = plan.faults.iter().map(|(at, fault)| (self.disk.done + at, *fault)).collect();
    }

    fn carry_out_by_chance(&mut self, plan: &Plan) {
        let mut acts = plan.acts.iter().peekable();
        while self.book.violation.is_none() && acts.peek().is_some() {
            let moves = self.moves();
            if moves.is_empty() || self.chance.one_in(4) {
                let act = acts.next().expect("just peeked");
                self.act(act);
            } else {
                let next = self.chance.pick(&moves);
                self.carry_out(next);
            }
        }
    }

    fn carry_out_in_order(&mut self, plan: &Plan) {
        let mut together = 0;
        for act in &plan.acts {
            self.act(act);
            together = if let Act::Together(acts) = act { *acts } else { together.saturating_sub(1) };
            if together == 0 {
                self.drain(false);
            }
        }
    }

    /// The faults stop, frozen tabs thaw, and in the end everybody reads what there is.
    fn come_to_rest(&mut self) {
        self.disk.armed.clear();
        for at in 0..self.tabs.len() {
            self.tabs[at].frozen = false;
            self.tabs[at].hurry();
            self.flush(at);
        }
        self.drain(true);
        for at in 0..self.tabs.len() {
            self.act(&Act::Tab(at, Deed::Read));
        }
        self.drain(true);
        self.linger();
        self.note_held();
    }

    /// Until nothing happens for a while: what is told of commits nobody waits for, and the storage may have to be tried again for it.
    fn linger(&mut self) {
        let until = self.now.get() + LINGER_MS;
        for _ in 0..DRAIN_STEPS {
            let moves = self.moves();
            match self.next_wake() {
                _ if self.book.violation.is_some() => return,
                _ if !moves.is_empty() => {
                    let next = self.chance.pick(&moves);
                    self.carry_out(next);
                }
                Some(at) if at < until => self.now.set(self.now.get().max(at)),
                _ => return,
            }
        }
        self.book.accuse("quiet", "something goes on and on".into());
    }

    /// Notes what those have who still follow. Not of a hub that was fenced: it learns of that, and its tabs, when it next uses its storage.
    fn note_held(&mut self) {
        let figures = self.newest.map(|newest| self.figures(newest, 1 << 50)).unwrap_or_default();
        let hub_of = |tab: &Tab| tab.port.and_then(|port| self.ports.get(&port)).map(|port| port.hub);
        let mut followed = 0;
        for tab in self.tabs.iter().filter(|tab| self.newest.is_some() && hub_of(tab) == self.newest) {
            let (client, lives) = (tab.client, &tab.watching.lives);
            self.book.held.extend(lives.iter().map(|live| Held { client, query: live.query, rows: live.held() }));
            tab.watching.listeners.iter().for_each(|listener| listener.complete(&mut self.book));
            followed += (lives.len() + tab.watching.listeners.len()) as u64;
        }
        // What a hub takes for unanswered for ever is a leak.
        match figures.get("requests") {
            Some(open) if *open != followed => self.book.accuse("remembered", format!("{open} requests of {followed} are open")),
            _ => {}
        }
    }

    /// Until nothing more happens by itself and everybody has been answered.
    fn drain(&mut self, by_chance: bool) {
        let until = self.now.get() + DRAIN_MS;
        for _ in 0..DRAIN_STEPS {
            if self.book.violation.is_some() {
                return;
            }
            let moves = self.moves();
            let next = if by_chance && !moves.is_empty() { Some(self.chance.pick(&moves)) } else { moves.first().copied() };
            match (next, self.next_wake()) {
                (Some(next), _) => self.carry_out(next),
                (None, _) if !self.has_unanswered() => return,
                (None, Some(at)) if at < until => self.now.set(self.now.get().max(at)),
                _ => break,
            }
        }
        let is_open = |tab: &&Tab| !tab.sent.is_empty() || tab.watching.is_waiting();
        let open: Vec<_> = self.tabs.iter().filter(is_open).map(|tab| (tab.client, &tab.sent, &tab.watching)).collect();
        let detail = format!("still waiting: {open:?}");
        self.book.accuse("answered", detail);
    }

    /// Whether what is kept of the commits leads to what they made.
    fn audit_changes(&mut self) {
        match replayed(&mut support::World::over(self.disk.store.clone())) {
            Ok(None) => {}
            Ok(Some([copy, truth])) if copy == truth => self.tally.add("copies by changesets", 1),
            Ok(Some([copy, truth])) => {
                let differs = (0..COPIED.len()).find(|at| copy[*at] != truth[*at]).unwrap_or_default();
                let rows = |world: &[support::Rows]| format!("{:?}", world[differs]).chars().take(600).collect::<String>();
                let detail = format!("{}: the changesets lead to {} instead of {}", COPIED[differs], rows(&copy), rows(&truth));
                self.book.accuse("changesets", detail);
            }
            Err(why) => self.book.accuse("changesets", why),
        }
    }

    /// What a fresh hub finds on the disk.
    pub(super) fn audit(&mut self) {
        let mut fresh = support::World::over(self.disk.store.clone());
        let tab = fresh.tab();
        let ask = |fresh: &mut support::World, sql: &str| fresh.query(tab, sql).map_err(|error| format!("{error:?}"));
        let truth = (|| {
            let rows = ask(&mut fresh, LEDGER)?;
            let last = frames::state(&ask(&mut fresh, READ)?)?;
            let integrity = ask(&mut fresh, "PRAGMA integrity_check")?;
            let integrity = if let Value::Text(text) = &integrity[0][0] { text.clone() } else { format!("{integrity:?}") };
            Ok::<_, String>(Truth { rows: rows.iter().map(|row| ledger_row(row)).collect(), last, integrity })
        })();
        match truth {
            Ok(truth) => {
                self.book.judge(&truth);
                self.book.judge_told(&truth, &self.disk.commits);
            }
            Err(why) => self.book.accuse("recovery", why),
        }
        if self.chance.one_in(8) {
            let problems = fresh.check(tab, CheckLevel::Full);
            self.tally.add("full checks", 1);
            if !problems.is_empty() {
                self.book.accuse("integrity", format!("the check says {problems:?}"));
            }
        }
    }
}

const COPIED: [&str; 3] =
    ["SELECT * FROM ledger ORDER BY seq", "SELECT id, v, pad FROM cell ORDER BY id", "SELECT * FROM state ORDER BY id"];

/// Where changesets from the first commit after the schema's lead, beside what the database holds; none where nothing is kept any more.
fn replayed(fresh: &mut support::World) -> Result<Option<[Vec<support::Rows>; 2]>, String> {
    let tab = fresh.tab();
    let header = fresh.store.value(Key::Header).map(Header::decode);
    let is_kept = |header: Header| header.keep > 0 && header.generation == Header::new().generation;
    if !header.is_some_and(|header| header.is_ok_and(is_kept)) {
        return Ok(None);
    }
    let (told, newest) = fresh.changes(tab, 1).map_err(|error| format!("{error:?}"))?;
    let mut copy = support::World::new();
    let copying = copy.tab();
    copy.exec(copying, SCHEMA).and_then(|_| copy.exec(copying, "DROP TRIGGER entered")).map_err(|error| format!("{error:?}"))?;
    for (at, (change, changeset)) in (2..).zip(&told) {
        copy.apply(copying, changeset, OnConflict::Abort).map_err(|error| format!("commit {}: {error:?}", change.commit))?;
        if change.commit != at {
            return Err(format!("commit {} where {at} was due", change.commit));
        }
    }
    if told.len() as u64 + 1 != newest {
        return Err(format!("{} changesets up to commit {newest}", told.len()));
    }
    let read = |world: &mut support::World, tab| COPIED.map(|sql| world.query(tab, sql).unwrap_or_default()).to_vec();
    Ok(Some([read(&mut copy, copying), read(fresh, tab)]))
}

fn ledger_row(row: &[Value]) -> Row {
    let [seq, client, entry, part, cell, size, tag] = [0, 1, 2, 3, 4, 5, 6].map(|at| frames::integer(&row[at]));
    Row { seq, client, entry, part, cell, size, tag }
}

fn fate_name(fate: &super::ledger::Fate) -> &'static str {
    use super::ledger::Fate;
    match fate {
        Fate::Open => "writes without an answer",
        Fate::Applied => "writes acknowledged",
        Fate::NotApplied(_) => "writes not applied",
        Fate::Unknown(_) => "writes left open",
    }
}
