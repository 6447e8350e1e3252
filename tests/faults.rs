//! Every fault at every operation: six workloads, and for each of their operations on the store, everything that may befall it.
//! Afterwards the database holds a prefix of the commits with every acknowledged one in it, and every write that was sent again
//! after a crash is there once. The checkers are those of the simulation; here nothing is left to chance.

#[path = "sim/mod.rs"]
mod sim;
mod support;

use sim::disk::{Fault, Scope};
use sim::plan::{Act, Deed, Entry, Plan, Step};
use sim::run::{Outcome, run};
use tabhub::store::Limits;
use tabhub::wire::Durability;

const FAULTS: [Fault; 12] = [
    Fault::Abort,
    Fault::Full,
    Fault::Lost { applied: false },
    Fault::Lost { applied: true },
    Fault::Silent { applied: false },
    Fault::Silent { applied: true },
    Fault::InDoubt { applied: false },
    Fault::InDoubt { applied: true },
    Fault::CrashBefore(Scope::Hub),
    Fault::CrashBefore(Scope::Everything),
    Fault::CrashAfter(Scope::Hub),
    Fault::CrashAfter(Scope::Everything),
];

/// A checkpoint after a few commits, and commits in several transactions from 24 KB on.
const LIMITS: Limits = Limits {
    log_bytes: 60_000,
    log_records: 6,
    large_commit_bytes: 24_000,
    part_bytes: 8_000,
    sessions: 16,
    reply_bytes: 1_000,
    replies_bytes: 20_000,
    cache_bytes: 4 << 20,
    pinned_bytes: 4 << 20,
};

fn plan(acts: Vec<Act>) -> Plan {
    Plan { seed: 1, tabs: 3, limits: LIMITS, suspend_steps: None, orderly: true, keeps: false, faults: vec![], acts }
}

fn small(n: i64) -> Entry {
    Entry { cell: n % 6, size: n * 37 % 900 }
}

fn write(tab: usize, n: i64) -> Act {
    let durability = if n % 3 == 0 { Durability::Relaxed } else { Durability::Strict };
    Act::Tab(tab, Deed::Write(small(n), durability))
}

/// Single writes of three tabs, some of them at once, so that they share transactions.
fn single_writes() -> Plan {
    let burst = |n| [Act::Together(4), write(0, n), write(1, n + 1), write(0, n + 2), write(2, n + 3)];
    let mut acts: Vec<_> = (0..6).map(|n| write(usize::try_from(n % 3).expect("small"), n)).collect();
    acts.extend([6, 10, 14].into_iter().flat_map(burst));
    plan(acts)
}

fn batches_and_scripts() -> Plan {
    let entries = |from: i64| (from..from + 3).map(small).collect::<Vec<_>>();
    let deeds =
        (0..4).flat_map(|n| [Deed::Batch(entries(n)), Deed::Script(entries(n + 1)), Deed::Exec(entries(n + 2)), Deed::Fails]);
    let mut acts: Vec<_> = (0..).zip(deeds).map(|(n, deed)| Act::Tab(n % 3, deed)).collect();
    acts.insert(8, Act::Together(3));
    plan(acts)
}

/// Transactions with savepoints, reads and statements that fail; other writes wait for them, and each COMMIT is a numbered write.
fn interactive_transactions() -> Plan {
    let steps =
        |n: i64| vec![Step::Insert(small(n)), Step::Undone(small(n + 1)), Step::Read, Step::Fails, Step::Insert(small(n + 2))];
    let transaction = |n, commit| Deed::Transaction { steps: steps(n), commit };
    let round = |n| {
        [
            Act::Together(4),
            Act::Tab(0, transaction(n, true)),
            Act::Tab(1, transaction(n + 1, n % 2 == 0)),
            write(0, n),
            Act::Tab(2, Deed::ReadTransaction(2)),
            Act::Tab(2, transaction(n + 2, true)),
        ]
    };
    plan((0..4).flat_map(round).collect())
}

/// A commit that needs several transactions, between others, with the checkpoints that follow.
fn large_commits() -> Plan {
    let large = |tab| Act::Tab(tab, Deed::Batch((0..4).map(|cell| Entry { cell, size: 30_000 }).collect()));
    plan(vec![
        write(0, 1),
        large(1),
        write(2, 2),
        Act::Together(3),
        large(0),
        write(1, 3),
        write(2, 4),
        Act::Tab(1, Deed::Vacuum),
        write(0, 5),
    ])
}

fn import_and_writes() -> Plan {
    plan(vec![
        write(0, 1),
        write(1, 2),
        Act::Tab(1, Deed::Import(9)),
        write(0, 3),
        write(2, 4),
        Act::Tab(0, Deed::Batch(vec![small(5), small(6)])),
    ])
}

/// Hubs that make room for the next one, idle and in the middle of everything.
fn hand_overs() -> Plan {
    let transaction = |n| Deed::Transaction { steps: vec![Step::Insert(small(n)), Step::Insert(small(n + 1))], commit: true };
    let round = |n| {
        let deeds = [write(0, n), Act::Tab(1, transaction(n + 1)), Act::Finish, write(0, n + 3), Act::Tab(2, transaction(n + 4))];
        [Act::Finish, Act::Together(5)].into_iter().chain(deeds)
    };
    plan((0..4).flat_map(|n| round(n * 6)).collect())
}

/// Tabs that follow and listen, one of them slowly, while others write, a hub makes room for the next, and the database is replaced.
fn followed_writes() -> Plan {
    let follow = |tab, query, is_slow| Act::Tab(tab, Deed::Follow { query, is_slow });
    let listen = |tab, filter| Act::Tab(tab, Deed::Listen { filter, is_slow: false });
    let begin = [follow(0, 4, false), follow(1, 4, false), follow(2, 6, true), listen(0, 0), listen(2, 1)];
    let mut acts: Vec<_> = [Act::Together(5)].into_iter().chain(begin).collect();
    acts.extend([
        write(0, 1),
        Act::Together(3),
        write(1, 2),
        write(2, 3),
        write(0, 4),
        Act::Tab(2, Deed::CatchUp),
        Act::Tab(1, Deed::Script(vec![small(5), small(6)])),
        Act::Tab(1, Deed::Abandon(0)),
        follow(1, 5, false),
        Act::Together(2),
        Act::Finish,
        write(1, 7),
        Act::Tab(0, Deed::Import(9)),
        write(2, 8),
    ]);
    plan(acts)
}

/// What a plan comes to, which must be right.
fn survive(plan: &Plan) -> Outcome {
    let outcome = run(plan, None);
    if let Some(violation) = &outcome.violation {
        sim::world::IS_TOLD.set(true);
        run(plan, None);
        panic!("{}: {}\n{plan}", violation.checker, violation.detail);
    }
    outcome
}

fn with_every_fault(plan: &Plan) -> Outcome {
    let calm = survive(plan);
    assert!(calm.operations > 5, "the workload reaches the store");
    for at in 0..calm.operations {
        for fault in FAULTS {
            survive(&Plan { faults: vec![(at, fault)], ..plan.clone() });
        }
    }
    println!("{} operations, {} faults each: {}", calm.operations, FAULTS.len(), calm.tally);
    calm
}

#[test]
fn single_writes_survive_every_fault_at_every_operation() {
    let calm = with_every_fault(&Plan { keeps: true, ..single_writes() });
    assert!(
        calm.tally.get("copies by changesets") == 1
            && calm.tally.get("checkpoints") > 0
            && calm.tally.get("commits") > calm.tally.get("groups"),
        "{}",
        calm.tally
    );
}

#[test]
fn batches_and_scripts_survive_every_fault_at_every_operation() {
    with_every_fault(&batches_and_scripts());
}

#[test]
fn interactive_transactions_survive_every_fault_at_every_operation() {
    with_every_fault(&interactive_transactions());
}

#[test]
fn large_commits_survive_every_fault_at_every_operation() {
    let calm = with_every_fault(&large_commits());
    assert!(calm.tally.get("transactions") > calm.tally.get("groups") + 2 * calm.tally.get("checkpoints"), "{}", calm.tally);
}

#[test]
fn an_import_and_the_writes_after_it_survive_every_fault_at_every_operation() {
    with_every_fault(&import_and_writes());
}

#[test]
fn hand_overs_survive_every_fault_at_every_operation() {
    let calm = with_every_fault(&hand_overs());
    assert!(calm.tally.get("hubs ended") >= 8, "{}", calm.tally);
    assert_eq!(calm.tally.get("writes not applied"), 0, "no hub was in a hurry: {}", calm.tally);
}

// At stake: a list that shows for ever what a fault has undone, or never what came after it.
#[test]
fn followed_writes_survive_every_fault_at_every_operation() {
    let calm = with_every_fault(&followed_writes());
    let seen = ["live differences", "live failovers", "changes", "changes of everything"];
    assert!(seen.iter().all(|what| calm.tally.get(what) > 0), "{}", calm.tally);
}

// At stake: the way back from one fault is where the next one does harm.
#[test]
fn single_writes_survive_a_crash_on_the_way_back_from_every_fault() {
    let plan = single_writes();
    let operations = survive(&plan).operations;
    let first = [Fault::Lost { applied: true }, Fault::Lost { applied: false }, Fault::CrashAfter(Scope::Hub), Fault::Full];
    for (at, fault) in (0..operations).flat_map(|at| first.map(|fault| (at, fault))) {
        for after in 1..4 {
            let faults = vec![(at, fault), (at + after, Fault::CrashBefore(Scope::Hub))];
            survive(&Plan { faults, ..plan.clone() });
        }
    }
}

// The negative control: a fault that is given a wrong answer (an acknowledgement for a write that the crash undid) is noticed.
#[test]
fn a_store_that_acknowledges_too_early_is_caught_by_the_same_faults() {
    let plan = single_writes();
    let control = Some(sim::controls::Control::EarlyAck);
    let caught = (0..20).any(|at| run(&Plan { faults: vec![(at, FAULTS[9])], ..plan.clone() }, control).violation.is_some());
    assert!(caught);
}
