//! Plans: what is done to a simulated world, as an explicit list that a seed generates, a shrinker shortens, and a person reads.
//! A plan knows nothing of hubs; `world` carries it out.

use super::chance::Chance;
use super::disk::{Fault, Scope};
use super::queries::{FILTERS, QUERIES};
use std::fmt;
use tabhub::store::Limits;
use tabhub::wire::Durability;

#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the choices that the world makes while it carries the plan out.
    pub seed: u64,
    pub tabs: usize,
    pub limits: Limits,
    /// The hubs' statements can be suspended, and are, each time that so many steps of the virtual machine have passed.
    pub suspend_steps: Option<i32>,
    /// One thing after the other: an act begins when everything before it has come to rest. For exhaustive faults.
    pub orderly: bool,
    /// What commits change is kept from the beginning.
    pub keeps: bool,
    /// Faults at an operation of the store, counted from 0.
    pub faults: Vec<(u64, Fault)>,
    pub acts: Vec<Act>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Tab(usize, Deed),
    /// The operation of the store that comes after so many others meets a fault.
    Disk(u64, Fault),
    CrashHub,
    CrashAll,
    /// Another hub is opened beside the one at work.
    SecondHub,
    /// The hub at work is asked to make room for another.
    Finish,
    Pass(u32),
    /// Of an orderly plan: the next acts come at once.
    Together(usize),
}

/// One row to write, and the cell that it touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub cell: i64,
    pub size: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Insert(Entry),
    /// Inserted after a savepoint, and taken back.
    Undone(Entry),
    Read,
    /// A statement that fails; the application goes on.
    Fails,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Write(Entry, Durability),
    Batch(Vec<Entry>),
    /// One script; each part has a transaction of its own.
    Script(Vec<Entry>),
    /// A script without transactions of its own, which is one.
    Exec(Vec<Entry>),
    Transaction {
        steps: Vec<Step>,
        commit: bool,
    },
    /// Breaks a constraint: a numbered write that fails for good.
    Fails,
    Vacuum,
    Read,
    ReadTransaction(u32),
    Iterate,
    /// One of its requests that is not answered yet is cancelled.
    Cancel,
    Check,
    /// The database is deleted, for everybody.
    Destroy,
    /// The database is replaced by another one, with so many rows of its own.
    Import(u32),
    Close,
    Kill,
    Freeze,
    Thaw,
    /// The last frame on its way to the hub arrives twice.
    Repeat,
    LosePort,
    /// It follows one of `QUERIES`.
    Follow {
        query: usize,
        is_slow: bool,
    },
    /// It listens to changes, of one of `FILTERS`.
    Listen {
        filter: usize,
        is_slow: bool,
    },
    /// It wants no more of something that it follows or listens to.
    Abandon(usize),
    /// It asks for more, where it is slow, of what it follows and listens to.
    CatchUp,
}

pub const CELLS: u64 = 6;

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let tabs = 2 + chance.index(7);
        let limits = limits(&mut chance);
        let count = 30 + chance.index(60);
        // How rough the world is differs from seed to seed: calm ones get further.
        let roughness = chance.pick(&[0, 2, 4, 8]);
        let mut acts = (0..count).map(|_| act(&mut chance, tabs, roughness)).collect();
        watch(&mut Chance::new(seed ^ 0x11FE), tabs, &mut acts);
        let suspend_steps = chance.pick(&[None, Some(30), Some(300), Some(5000)]);
        let keeps = Chance::new(seed ^ 0xC5E7).one_in(3);
        Self { seed, tabs, limits, suspend_steps, orderly: false, keeps, faults: vec![], acts }
    }
}

/// Small ones, so that a small database has checkpoints, large commits and evicted sessions.
fn limits(chance: &mut Chance) -> Limits {
    Limits {
        log_bytes: chance.pick(&[40_000, 80_000, 200_000]),
        log_records: chance.pick(&[4, 12, 512]),
        sessions: chance.pick(&[2, 4, 64]),
        reply_bytes: chance.pick(&[40, 400, 16_000]),
        replies_bytes: chance.pick(&[600, 100_000]),
        large_commit_bytes: chance.pick(&[16_000, 40_000, 4 << 20]),
        part_bytes: chance.pick(&[8_000, 16_000]),
        cache_bytes: chance.pick(&[0, 60_000, 300_000, 32 << 20]),
        pinned_bytes: 64 << 20,
    }
}

fn act(chance: &mut Chance, tabs: usize, roughness: u64) -> Act {
    if chance.below(40) < roughness {
        return match chance.below(12) {
            0 => Act::CrashAll,
            1 | 2 => Act::CrashHub,
            3 => Act::SecondHub,
            4 | 5 => Act::Tab(
                chance.index(tabs),
                chance.pick(&[Life::Close, Life::Kill, Life::Freeze, Life::Repeat, Life::LosePort]).into(),
            ),
            _ => Act::Disk(chance.below(12), fault(chance)),
        };
    }
    match chance.below(300) {
        0..30 => Act::Pass(chance.pick(&[20, 200, 2_000, 6_000, 70_000])),
        30..40 => Act::Tab(chance.index(tabs), Deed::Thaw),
        40..45 => Act::Finish,
        45 => Act::Tab(chance.index(tabs), Deed::Destroy),
        _ => Act::Tab(chance.index(tabs), deed(chance)),
    }
}

/// What tabs follow and listen to, put among the other acts by a chance of its own, so that those of a seed are what they would be without.
fn watch(chance: &mut Chance, tabs: usize, acts: &mut Vec<Act>) {
    if chance.one_in(3) {
        return;
    }
    // They begin early, so that there is something to tell.
    for _ in 0..2 + chance.below(4) {
        let begin = if chance.one_in(3) { listen(chance) } else { follow(chance) };
        acts.insert(chance.index(acts.len() / 4 + 1), Act::Tab(chance.index(tabs), begin));
    }
    for _ in 0..chance.below(12) {
        let deed = match chance.below(12) {
            0..4 => follow(chance),
            4 => listen(chance),
            5..7 => Deed::Abandon(chance.index(4)),
            _ => Deed::CatchUp,
        };
        acts.insert(chance.index(acts.len() + 1), Act::Tab(chance.index(tabs), deed));
    }
}

fn follow(chance: &mut Chance) -> Deed {
    Deed::Follow { query: chance.index(QUERIES.len()), is_slow: chance.one_in(4) }
}

fn listen(chance: &mut Chance) -> Deed {
    Deed::Listen { filter: chance.index(FILTERS.len()), is_slow: chance.one_in(4) }
}

#[derive(Clone, Copy)]
enum Life {
    Close,
    Kill,
    Freeze,
    Repeat,
    LosePort,
}

impl From<Life> for Deed {
    fn from(life: Life) -> Self {
        match life {
            Life::Close => Deed::Close,
            Life::Kill => Deed::Kill,
            Life::Freeze => Deed::Freeze,
            Life::Repeat => Deed::Repeat,
            Life::LosePort => Deed::LosePort,
        }
    }
}

fn fault(chance: &mut Chance) -> Fault {
    let applied = chance.one_in(2);
    match chance.below(16) {
        0..3 => Fault::Abort,
        3..5 => Fault::Full,
        5..8 => Fault::Lost { applied },
        8 => Fault::Silent { applied },
        9 => Fault::InDoubt { applied },
        10..13 => Fault::CrashBefore(chance.pick(&[Scope::Hub, Scope::Everything])),
        _ => Fault::CrashAfter(chance.pick(&[Scope::Hub, Scope::Everything])),
    }
}

fn entry(chance: &mut Chance) -> Entry {
    let size = match chance.below(10) {
        0 => 5_000 + chance.below(30_000),
        1..4 => chance.below(4_000),
        _ => chance.below(100),
    };
    Entry { cell: chance.below(CELLS).cast_signed(), size: size.cast_signed() }
}

fn entries(chance: &mut Chance) -> Vec<Entry> {
    (0..=chance.below(4)).map(|_| entry(chance)).collect()
}

fn deed(chance: &mut Chance) -> Deed {
    match chance.below(40) {
        0..12 => Deed::Write(entry(chance), chance.pick(&[Durability::Strict, Durability::Strict, Durability::Relaxed])),
        12..15 => Deed::Batch(entries(chance)),
        15..18 => Deed::Script(entries(chance)),
        18 => Deed::Exec(entries(chance)),
        19..25 => {
            let steps = (0..=chance.below(4)).map(|_| step(chance)).collect();
            Deed::Transaction { steps, commit: !chance.one_in(5) }
        }
        25 => Deed::Fails,
        26 => Deed::Vacuum,
        27..33 => Deed::Read,
        33..36 => Deed::ReadTransaction(1 + u32::try_from(chance.below(4)).expect("small")),
        36 => Deed::Check,
        37 => Deed::Cancel,
        _ => Deed::Iterate,
    }
}

fn step(chance: &mut Chance) -> Step {
    match chance.below(8) {
        0 => Step::Undone(entry(chance)),
        1 => Step::Read,
        2 => Step::Fails,
        _ => Step::Insert(entry(chance)),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} tabs, {:?}, suspends: {:?}", self.seed, self.tabs, self.limits, self.suspend_steps)?;
        self.faults.iter().try_for_each(|(at, fault)| writeln!(f, "  operation {at} meets {fault:?}"))?;
        self.acts.iter().try_for_each(|act| writeln!(f, "  {act:?}"))
    }
}
