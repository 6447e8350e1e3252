//! One connection's view of the database file: which snapshot it reads, what its open transaction has written, and which
//! blocks it missed.

use super::pace::Pace;
use crate::error::Error;
use crate::ids::{BlockNo, CommitSeq};
use crate::store::{Block, Changes, Durability, Lookup, Pager, Pages, ReadAhead};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the file is for. There is one writer to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Reader,
    Writer,
}

/// The snapshot that a reader takes at its next SHARED lock. A writer always takes the newest published commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAt {
    Durable,
    Commit(CommitSeq),
}

/// What becomes of a `PRAGMA` statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PragmaRuling {
    /// `SQLite` carries it out.
    Pass,
    /// Answered without being carried out.
    Answer(&'static str),
    /// Refused, with the reason and the remedy.
    Refuse(String),
}

/// Rules on a pragma's name and value.
pub type PragmaRule = Rc<dyn Fn(&str, Option<&str>) -> PragmaRuling>;

/// Why an access failed; becomes a result code of `SQLite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `SQLITE_BUSY`: a block is missing, or the lock cannot be had.
    Busy,
    /// `SQLITE_IOERR_SHORT_READ`: past the end of the file; the rest was zeroed.
    ShortRead,
    /// `SQLITE_IOERR_WRITE`: a write that is no whole page, or more than a commit can hold.
    BadWrite,
}

/// What one transaction may change: it is kept in memory until it commits.
const TRANSACTION_BYTES_MAX: u64 = 512 << 20;

const NONE: i32 = 0;
const SHARED: i32 = 1;
const RESERVED: i32 = 2;

/// Shared between `SQLite`'s file handle and the connection that opened it.
pub struct DbFile {
    pager: Rc<RefCell<Pager>>,
    role: Role,
    rule: PragmaRule,
    pace: Rc<Pace>,
    level: Cell<i32>,
    read_at: Cell<ReadAt>,
    /// The snapshot pinned while a lock is held.
    snapshot: Cell<Option<CommitSeq>>,
    overlay: RefCell<Pages>,
    overlay_blocks: Cell<Option<u32>>,
    durability: Cell<Durability>,
    /// What the open transaction changes, as far as that is kept.
    changes: RefCell<Option<Changes>>,
    published: Cell<Option<CommitSeq>>,
    misses: RefCell<Vec<BlockNo>>,
    read_ahead: RefCell<ReadAhead>,
    /// Of what was asked for ahead of the reader, where the last part begins.
    ahead: Cell<Option<BlockNo>>,
    refusal: RefCell<Option<Error>>,
    configuring: Cell<bool>,
}

impl DbFile {
    #[must_use]
    pub fn new(pager: Rc<RefCell<Pager>>, role: Role, rule: PragmaRule, pace: Rc<Pace>) -> Self {
        Self {
            pager,
            role,
            rule,
            pace,
            level: Cell::new(NONE),
            read_at: Cell::new(ReadAt::Durable),
            snapshot: Cell::new(None),
            overlay: RefCell::default(),
            overlay_blocks: Cell::new(None),
            durability: Cell::new(Durability::Strict),
            changes: RefCell::default(),
            published: Cell::new(None),
            misses: RefCell::default(),
            read_ahead: RefCell::default(),
            ahead: Cell::default(),
            refusal: RefCell::default(),
            configuring: Cell::new(true),
        }
    }

    // ---- what the connection asks

    /// Chooses the snapshot of the next read transaction.
    pub fn read_at(&self, at: ReadAt) {
        self.read_at.set(at);
    }

    /// Chooses the durability of the next commit.
    pub fn set_durability(&self, durability: Durability) {
        self.durability.set(durability);
    }

    /// Says what the transaction changes that is about to be committed.
    pub fn set_changes(&self, changes: Option<Changes>) {
        self.changes.replace(changes);
    }

    /// The commit published since the last call, if any.
    pub fn take_published(&self) -> Option<CommitSeq> {
        self.pace.committed(false);
        self.published.take()
    }

    /// The blocks missed since the last call. Ask after every statement: `SQLite` swallows some misses.
    pub fn take_misses(&self) -> Vec<BlockNo> {
        self.misses.take()
    }

    #[must_use]
    pub fn has_misses(&self) -> bool {
        !self.misses.borrow().is_empty()
    }

    /// A block ahead of the reader that is still on its way. A statement that cannot be suspended had better wait for it
    /// between two rows than miss it in its middle.
    #[must_use]
    pub fn awaits_ahead(&self) -> Option<BlockNo> {
        let ahead = self.ahead.get().filter(|block| self.pager.borrow().is_on_its_way(*block));
        self.ahead.set(ahead);
        ahead
    }

    /// Why the last statement was refused, if it was.
    pub fn take_refusal(&self) -> Option<Error> {
        self.refusal.take()
    }

    /// Notes a refusal, to be reported in place of `SQLite`'s own error.
    pub fn refuse(&self, error: Error) {
        self.refusal.replace(Some(error));
    }

    /// From now on pragmas come from users.
    pub fn configured(&self) {
        self.configuring.set(false);
    }

    /// Whether nothing reads or writes at the moment.
    #[must_use]
    pub fn is_unlocked(&self) -> bool {
        self.level.get() == NONE
    }

    // ---- what SQLite asks

    /// The snapshot that a read sees now. `SQLite` also reads before it takes a lock.
    fn visible(&self) -> CommitSeq {
        self.snapshot.get().unwrap_or_else(|| {
            let pager = self.pager.borrow();
            match (self.role, self.read_at.get()) {
                (Role::Writer, _) => pager.published(),
                (Role::Reader, ReadAt::Durable) => pager.durable(),
                (Role::Reader, ReadAt::Commit(seq)) => seq,
            }
        })
    }

    fn blocks(&self) -> u32 {
        self.overlay_blocks.get().unwrap_or_else(|| self.pager.borrow().blocks_at(self.visible()))
    }

    /// File size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::from(self.blocks()) * u64::from(self.block_bytes())
    }

    #[must_use]
    pub fn block_bytes(&self) -> u32 {
        self.pager.borrow().block_bytes()
    }

    /// Fills `buf` from the file; what lies past its end is zeroed.
    ///
    /// # Errors
    /// [`Fault::Busy`] for a missing block, which is noted, and after a stop; [`Fault::ShortRead`].
    pub fn read(&self, buf: &mut [u8], offset: u64) -> Result<(), Fault> {
        let (size, block_bytes) = (self.size(), u64::from(self.block_bytes()));
        let mut done = 0;
        while done < buf.len() {
            let position = offset + done as u64;
            if position >= size {
                buf[done..].fill(0);
                return Err(Fault::ShortRead);
            }
            let within = usize::try_from(position % block_bytes).expect("less than a block");
            let number = BlockNo(u32::try_from(position / block_bytes).expect("a file has fewer than 2^32 blocks"));
            let n = (buf.len() - done).min(self.block_bytes() as usize - within);
            let target = &mut buf[done..done + n];
            match self.block(number)? {
                Some(data) => target.copy_from_slice(&data[within..within + n]),
                None => target.fill(0),
            }
            done += n;
        }
        Ok(())
    }

    /// A block's bytes, waited for where that can be done; `None` stands for zeros.
    fn block(&self, number: BlockNo) -> Result<Option<Block>, Fault> {
        if !self.pace.may_read() {
            return Err(Fault::Busy);
        }
        if let Some(own) = self.overlay.borrow().get(number) {
            return Ok(Some(own.clone()));
        }
        match self.look_up(number) {
            Lookup::Data(data) => Ok(Some(data)),
            Lookup::Zeros => Ok(None),
            Lookup::Miss if self.pace.can_wait() => self.wait_for(number),
            Lookup::Miss => {
                // The hub fetches it; that the reader is here is noted, or nothing would ever be read ahead of it.
                let pager = self.pager.borrow();
                self.read_ahead.borrow_mut().missed(pager.grouping().group_of(number), pager.ahead_max());
                self.misses.borrow_mut().push(number);
                Err(Fault::Busy)
            }
        }
    }

    /// What is in memory; where the reader goes on in order, what comes next is asked for.
    fn look_up(&self, number: BlockNo) -> Lookup {
        let at = self.visible();
        let mut pager = self.pager.borrow_mut();
        let found = pager.lookup(number, at);
        if found != Lookup::Miss
            && let Some((first, count)) =
                self.read_ahead.borrow_mut().touched(pager.grouping().group_of(number), || pager.ahead_max())
        {
            let last = pager.read_ahead(first, count);
            self.ahead.set(last.and_then(|last| pager.grouping().blocks_of(last).next()));
        }
        found
    }

    /// Suspends the statement until the block is there. It is held meanwhile, or others could push it out before it is looked at.
    fn wait_for(&self, number: BlockNo) -> Result<Option<Block>, Fault> {
        let ahead = {
            let pager = self.pager.borrow();
            self.read_ahead.borrow_mut().missed(pager.grouping().group_of(number), pager.ahead_max())
        };
        self.pager.borrow_mut().hold(&[number]);
        let block = loop {
            self.pager.borrow_mut().fetch(&[number], ahead);
            self.pace.wait_for(number);
            if !self.pace.may_read() {
                break Err(Fault::Busy);
            }
            // Before there is a lock, the newest state may be another one by now.
            let at = self.visible();
            let found = self.pager.borrow_mut().lookup(number, at);
            match found {
                Lookup::Data(data) => break Ok(Some(data)),
                Lookup::Zeros => break Ok(None),
                Lookup::Miss => {}
            }
        };
        self.pager.borrow_mut().release(&[number]);
        block
    }

    /// Puts a page into the open transaction.
    ///
    /// # Errors
    /// [`Fault::BadWrite`] for anything but one whole page by the writer, and for a transaction that grows too large.
    pub fn write(&self, page: &[u8], offset: u64) -> Result<(), Fault> {
        let block_bytes = u64::from(self.block_bytes());
        let whole = self.role == Role::Writer && page.len() as u64 == block_bytes && offset.is_multiple_of(block_bytes);
        let number = u32::try_from(offset / block_bytes).ok().filter(|_| whole).ok_or(Fault::BadWrite)?;
        if self.overlay.borrow().len() as u64 * block_bytes >= TRANSACTION_BYTES_MAX {
            let most = TRANSACTION_BYTES_MAX >> 20;
            self.refuse(Error::Limit(format!("the transaction changes more than {most} MiB: divide it")));
            return Err(Fault::BadWrite);
        }
        let blocks = self.blocks().max(number + 1);
        self.overlay.borrow_mut().insert(BlockNo(number), Block::from(page));
        self.overlay_blocks.set(Some(blocks));
        self.note_dirty();
        Ok(())
    }

    fn note_dirty(&self) {
        self.pager.borrow_mut().note_dirty(self.overlay.borrow().len());
    }

    /// Cuts the file to `size` bytes, or makes it longer.
    pub fn truncate(&self, size: u64) {
        let blocks = u32::try_from(size / u64::from(self.block_bytes())).unwrap_or(u32::MAX);
        self.overlay.borrow_mut().retain(|number, _| number.0 < blocks);
        self.overlay_blocks.set(Some(blocks));
    }

    /// Raises the lock. SHARED pins the snapshot; RESERVED wants the newest one.
    ///
    /// # Errors
    /// [`Fault::Busy`] where a transaction would build on a state that is no longer the newest.
    pub fn lock(&self, level: i32) -> Result<(), Fault> {
        if self.level.get() < SHARED && level >= SHARED {
            let at = self.visible();
            self.pager.borrow_mut().pin(at);
            self.snapshot.set(Some(at));
        }
        if self.level.get() < RESERVED && level >= RESERVED {
            let newest = self.role == Role::Writer && self.snapshot.get() == Some(self.pager.borrow().published());
            if !newest {
                return Err(Fault::Busy);
            }
        }
        self.level.set(level.max(self.level.get()));
        Ok(())
    }

    /// Lowers the lock; what was written and not published is discarded.
    pub fn unlock(&self, level: i32) {
        if self.level.get() >= RESERVED && level <= SHARED {
            self.overlay.take();
            self.overlay_blocks.set(None);
            self.note_dirty();
        }
        if level == NONE
            && let Some(at) = self.snapshot.take()
        {
            self.pager.borrow_mut().unpin(at);
        }
        self.level.set(level);
    }

    /// `COMMIT_ATOMIC_WRITE`: the transaction is whole. Refuses while a miss is recorded, and after a stop: what was computed
    /// without a block must not become a commit.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub fn commit_batch(&self) -> Result<(), Fault> {
        if self.has_misses() || self.pace.is_cut_short() { Err(Fault::Busy) } else { Ok(()) }
    }

    /// `COMMIT_PHASETWO`: the transaction is the newest state now.
    pub fn publish(&self) {
        let Some(blocks) = self.overlay_blocks.take() else { return };
        let mut pager = self.pager.borrow_mut();
        let seq = pager.publish(self.overlay.take(), blocks, self.durability.get(), self.changes.take());
        pager.note_dirty(0);
        if let Some(before) = self.snapshot.replace(Some(seq)) {
            pager.pin(seq);
            pager.unpin(before);
        }
        self.published.set(Some(seq));
        self.pace.committed(true);
    }

    /// Rules on a pragma; a refusal is noted.
    #[must_use]
    pub fn pragma(&self, name: &str, value: Option<&str>) -> PragmaRuling {
        if self.configuring.get() {
            return PragmaRuling::Pass;
        }
        let ruling = (self.rule)(name, value);
        if let PragmaRuling::Refuse(reason) = &ruling {
            self.refuse(Error::Refused(reason.clone()));
        }
        ruling
    }
}
