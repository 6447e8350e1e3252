//! The clock and the randomness that `SQLite` sees, frozen for one unit of work. A unit that is restarted after a miss
//! begins with the same time and the same seed, and so takes the same course.

use std::cell::Cell;

thread_local! {
    static TIME_MS: Cell<i64> = const { Cell::new(0) };
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// Julian day number of 1970-01-01, in milliseconds.
const UNIX_EPOCH_JULIAN_MS: i64 = 210_866_760_000_000;

/// Freezes time (ms since 1970) and starts the randomness at `seed`.
pub fn begin(now_ms: f64, seed: u64) {
    at(now_ms);
    RANDOM.set(seed);
    // SAFETY: a length of 0 only makes SQLite ask `fill` for a new seed at its next use.
    unsafe { crate::ffi::sqlite3_randomness(0, std::ptr::null_mut()) };
}

/// Goes on with a unit that began at that time, after others have run.
pub fn at(now_ms: f64) {
    #[allow(clippy::cast_possible_truncation, reason = "a date fits 53 bits")]
    TIME_MS.set(now_ms as i64);
}

/// The frozen time as `SQLite` counts it.
pub fn julian_ms() -> i64 {
    TIME_MS.get() + UNIX_EPOCH_JULIAN_MS
}

/// The next random bytes (`SplitMix64`).
pub fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
}

fn next() -> u64 {
    let state = RANDOM.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    RANDOM.set(state);
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
