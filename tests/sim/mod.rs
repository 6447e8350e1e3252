//! The deterministic simulation: real hubs, real `SQLite`, a simulated `IndexedDB`, simulated tabs, one clock, one seed.
//!
//! A `plan` is a list of acts; `run` carries it out in a `world` and has the `verdict` passed; `shrink` makes a failing plan
//! short. `controls` are the stores, and the hubs, that must be caught.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod chance;
pub mod commits;
pub mod controls;
pub mod disk;
pub mod follow;
pub mod frames;
pub mod ledger;
pub mod life;
pub mod listen;
pub mod plan;
pub mod post;
pub mod queries;
pub mod run;
pub mod shrink;
pub mod streams;
pub mod tab;
pub mod tally;
pub mod tamper;
pub mod told;
pub mod transaction;
pub mod verdict;
pub mod watching;
pub mod world;
