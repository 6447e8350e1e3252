//! Thousands of small disasters: whatever fails, whoever dies, nothing acknowledged is lost and nothing happens twice.
//!
//! Everything is a function of a seed. `SIM_SEEDS=from..to cargo test --release --test sim` runs others, `npm run sim` many;
//! `SIM_SURVEY=1` lists all seeds that fail instead of shrinking the first, `SIM_STORY=1` tells what happens in a failing one.

#[path = "sim/mod.rs"]
mod sim;
mod support;

use sim::controls::Control;
use sim::plan::Plan;
use sim::run::run;
use sim::shrink::shrink;
use sim::tally::Tally;
use std::ops::Range;

fn seeds() -> Range<u64> {
    let Ok(range) = std::env::var("SIM_SEEDS") else { return 0..100 };
    let (from, to) = range.split_once("..").expect("SIM_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn fail(seed: u64, plan: &Plan, control: Option<Control>) -> ! {
    let violation = run(plan, control).violation.expect("it has just failed");
    let short = shrink(plan, control, violation.checker);
    sim::world::IS_TOLD.set(std::env::var_os("SIM_STORY").is_some());
    let last = run(&short, control).violation.expect("it still fails");
    panic!(
        "seed {seed}: {}: {}\n\nreplay: npm run sim -- --from {seed} --seeds 1\n(with SIM_STORY=1 in the environment it tells what happens)\n\nshort plan ({}):\n{short}\n",
        violation.checker, violation.detail, last.detail
    );
}

// At stake: nothing acked is ever lost, nothing is applied twice, nobody reads what never was, and everybody is answered.
#[test]
fn whatever_fails_every_promise_is_kept() {
    let (mut all, mut failures) = (Tally::default(), 0);
    for seed in seeds() {
        let plan = Plan::new(seed);
        let (first, second) = (run(&plan, None), run(&plan, None));
        assert_eq!(first, second, "seed {seed} takes two courses");
        all.merge(&first.tally);
        if let Some(violation) = &first.violation {
            if std::env::var_os("SIM_SURVEY").is_none() {
                fail(seed, &plan, None);
            }
            println!("SURVEY {seed} {}: {:.700}", violation.checker, violation.detail);
            failures += 1;
        }
    }
    println!("SIM {all}");
    assert_eq!(failures, 0, "failing seeds");
}

/// How many seeds it takes until a control is caught, and by which checker.
fn caught(control: Control) -> (u64, &'static str) {
    for seed in 0..300 {
        if let Some(violation) = run(&Plan::new(seed), Some(control)).violation {
            println!("{control:?}: caught by `{}` at seed {seed}: {}", violation.checker, violation.detail);
            return (seed, violation.checker);
        }
    }
    panic!("{control:?} is not caught: its checker checks nothing");
}

#[test]
fn a_torn_commit_is_caught() {
    caught(Control::TornCommit);
}

#[test]
fn a_forgotten_epoch_check_is_caught() {
    caught(Control::NoEpochCheck);
}

#[test]
fn an_acknowledgement_before_the_write_is_complete_is_caught() {
    caught(Control::EarlyAck);
}

#[test]
fn a_dropped_memory_of_writes_is_caught() {
    assert_eq!(caught(Control::DroppedSessions).1, "once");
}

// A difference is then applied to another state than the one it was made for, and the last of all is not known.
#[test]
fn a_state_of_a_live_query_that_gets_lost_is_caught() {
    assert!(matches!(caught(Control::DroppedState).1, "live" | "newest"));
}

#[test]
fn a_change_that_is_not_told_is_caught() {
    assert_eq!(caught(Control::DroppedChange).1, "changes");
}

#[test]
fn a_changeset_that_is_not_stored_with_its_commit_is_caught() {
    assert_eq!(caught(Control::DroppedChangeset).1, "changesets");
}
