//! Shrinks a failing plan: removes what it can of its acts, as long as the same checker still fails.

use super::controls::Control;
use super::plan::Plan;
use super::run::run;

/// Plans tried at most.
const TRIES_MAX: u32 = 600;

pub fn shrink(plan: &Plan, control: Option<Control>, checker: &str) -> Plan {
    let (mut best, mut tries) = (plan.clone(), 0);
    let mut size = (best.acts.len() / 2).max(1);
    loop {
        let (mut at, before) = (0, best.acts.len());
        while at < best.acts.len() && tries < TRIES_MAX {
            let mut shorter = best.clone();
            shorter.acts.drain(at..(at + size).min(best.acts.len()));
            tries += 1;
            if run(&shorter, control).violation.is_some_and(|violation| violation.checker == checker) {
                best = shorter;
            } else {
                at += size;
            }
        }
        if tries >= TRIES_MAX || (size == 1 && best.acts.len() == before) {
            return best;
        }
        size = (size / 2).max(1);
    }
}
