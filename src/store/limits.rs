//! The numbers that bound the store's work and memory. Set once, when a hub is made; never changed by data.

/// Bounds of the store. The defaults are for browsers; simulations take small ones, so that small databases reach them.
///
/// ```
/// use tabhub::store::Limits;
/// let small = Limits { log_records: 8, ..Limits::default() };
/// assert!(small.log_bytes == Limits::default().log_bytes);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A checkpoint begins when the log outgrows either of these two: both bound what recovery must read.
    pub log_bytes: usize,
    pub log_records: usize,
    /// A commit with more bytes than this is written in several transactions of about this size.
    pub large_commit_bytes: usize,
    /// Parts of a record that is too large for one value; bulk values load fastest at 256 KiB and more.
    pub part_bytes: usize,
    /// Clients whose writes are remembered; the one that has not written for the longest time is evicted.
    pub sessions: usize,
    /// Bytes of one reply that is remembered, and of all together.
    pub reply_bytes: usize,
    pub replies_bytes: usize,
    /// Blocks in memory, those of the log among them. The log has its own limits; what is beyond the budget goes, oldest first.
    pub cache_bytes: usize,
    /// What units of work may hold beyond that.
    pub pinned_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log_bytes: 2 << 20,
            log_records: 512,
            large_commit_bytes: 4 << 20,
            part_bytes: 512 << 10,
            sessions: 256,
            reply_bytes: 16 << 10,
            replies_bytes: 1 << 20,
            cache_bytes: 32 << 20,
            pinned_bytes: 64 << 20,
        }
    }
}
