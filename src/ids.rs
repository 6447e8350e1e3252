//! Newtypes for every number that names something, so that none can be passed for another.
//! Used by all layers; holds no behaviour beyond arithmetic.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }
    };
}

id!(
    /// Commit sequence number: 1 for the first commit of a database, without gaps. 0 is "before any commit".
    CommitSeq(u64)
);
impl CommitSeq {
    /// Beyond every commit of which anything is kept: numbers are exact in JavaScript up to 2⁵³.
    pub const MAX_KEPT: Self = Self(1 << 52);
}

id!(
    /// The fencing token: raised by each hub that opens the database; an older one is fenced.
    Epoch(u64)
);
id!(
    /// A record's place in the log; consecutive, never reused.
    LogPos(u64)
);
id!(
    /// Counts whole-database replacements (imports). Block groups of other generations are garbage.
    Generation(u32)
);
id!(
    /// A block's number in the database file, from 0. A block is as large as `SQLite`'s page.
    BlockNo(u32)
);
id!(
    /// A block group's number: blocks `n·k .. (n+1)·k` for `k` blocks a group.
    GroupNo(u32)
);
id!(
    /// One operation submitted to the block store.
    OpId(u64)
);
id!(
    /// One connected tab, for as long as its port lives.
    PortId(u32)
);
id!(
    /// A task on a stack of its own.
    FiberId(u32)
);
id!(
    /// An interactive transaction.
    TxId(u32)
);
