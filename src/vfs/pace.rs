//! The pace of a running statement: what it shares with the scheduler above. Where the host can switch stacks, a statement gives
//! way on the spot, when its slice of time is over or a block is missing, and goes on later as if nothing had been; elsewhere it
//! runs through, and a missing block ends it. A statement that is asked to stop does so at its next step or read.
//!
//! *Invariants.* No borrow is held while a statement is suspended. Once asked to stop, a unit of work reads no block any more, so
//! nothing it says afterwards counts: [`Pace::take_cut_short`] tells.

use super::unit;
use crate::error::Error;
use crate::ids::{BlockNo, FiberId};
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::rc::Rc;

/// Leaves the stack of the fiber with this number; returns when the host resumes it. Called with nothing borrowed.
pub type Suspend = extern "C" fn(u32);

/// Milliseconds since 1970, as a running statement sees them.
pub type Clock = Rc<dyn Fn() -> f64>;

/// What a statement hears whose time is over.
#[must_use]
pub fn late() -> Error {
    Error::Timeout("the statement ran past its timeout and was stopped: make it cheaper, or allow more time".into())
}

/// How work is divided. The defaults are for hosts with one stack.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// `None`: statements cannot give way in their middle.
    pub suspend: Option<Suspend>,
    /// How long a statement runs before others get their turn, in ms.
    pub slice_ms: f64,
    /// Virtual-machine steps between two looks at the clock: some tens of microseconds.
    pub steps: c_int,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { suspend: None, slice_ms: 1.5, steps: 1_000 }
    }
}

/// One connection's pace. Shared by the connection, its file and the scheduler.
pub struct Pace {
    clock: Clock,
    pacing: Pacing,
    fiber: Cell<FiberId>,
    /// Whether the fiber is running: elsewhere there is no stack that could be left.
    is_inside: Cell<bool>,
    /// Whether it runs on the host's own stack, for as long as it does not look at the clock.
    is_brief: Cell<bool>,
    is_too_long: Cell<bool>,
    /// The time that `SQLite` sees in this unit, in ms since 1970.
    frozen: Cell<f64>,
    deadline: Cell<f64>,
    slice_end: Cell<f64>,
    awaited: Cell<Option<BlockNo>>,
    stop: RefCell<Option<Error>>,
    cut_short: Cell<bool>,
    /// The unit has published a commit that nobody knows of yet: it can neither be stopped nor give way any more.
    has_committed: Cell<bool>,
    /// A block was withheld at some time: the connection may know a part of the schema only.
    is_tainted: Cell<bool>,
}

impl Pace {
    #[must_use]
    pub fn new(clock: Clock, pacing: Pacing) -> Self {
        Self {
            clock,
            pacing,
            fiber: Cell::default(),
            is_inside: Cell::default(),
            is_brief: Cell::default(),
            is_too_long: Cell::default(),
            frozen: Cell::new(0.0),
            deadline: Cell::new(f64::INFINITY),
            slice_end: Cell::new(f64::INFINITY),
            awaited: Cell::default(),
            stop: RefCell::default(),
            cut_short: Cell::default(),
            has_committed: Cell::default(),
            is_tainted: Cell::default(),
        }
    }

    #[must_use]
    pub fn steps(&self) -> c_int {
        self.pacing.steps
    }

    // ---- what the scheduler says

    /// The fiber that the connection works for from now on. What was asked of an earlier one is forgotten.
    pub fn work_for(&self, fiber: FiberId) {
        self.fiber.set(fiber);
        self.deadline.set(f64::INFINITY);
        self.let_go();
    }

    /// The fiber runs from here on.
    pub fn enter(&self) {
        self.is_inside.set(true);
        self.awaited.set(None);
        self.begin_slice();
    }

    /// The fiber runs from here on, on a stack that cannot be left: it is cut short as soon as it turns out to be no matter of microseconds.
    pub fn enter_briefly(&self) {
        self.is_brief.set(true);
        self.awaited.set(None);
    }

    /// To the end here. Whether it was too long.
    pub fn leave_briefly(&self) -> bool {
        self.is_brief.set(false);
        self.is_too_long.take()
    }

    /// To the end here.
    pub fn leave(&self) {
        self.is_inside.set(false);
    }

    /// Begins a unit of work: freezes its time and seeds its randomness.
    pub fn begin_unit(&self, (now_ms, seed): (f64, u64)) {
        self.frozen.set(now_ms);
        unit::begin(now_ms, seed);
    }

    /// Goes on with a unit, for another slice.
    fn begin_slice(&self) {
        unit::at(self.frozen.get());
        self.slice_end.set((self.clock)() + self.pacing.slice_ms);
    }

    /// When running statements are stopped, in ms since 1970.
    pub fn set_deadline(&self, at: Option<f64>) {
        self.deadline.set(at.unwrap_or(f64::INFINITY));
    }

    /// Asks the statement to stop, for this reason; the first one stays.
    pub fn stop(&self, why: &Error) {
        self.stop.borrow_mut().get_or_insert_with(|| why.clone());
    }

    /// Forgets that it was asked to stop: what failed is over.
    pub fn let_go(&self) {
        self.stop.take();
        self.cut_short.set(false);
    }

    /// The block that the suspended statement waits for; none where it only gives way.
    #[must_use]
    pub fn awaited(&self) -> Option<BlockNo> {
        self.awaited.get()
    }

    // ---- what the running statement asks

    /// Why it is to stop, if it is.
    #[must_use]
    pub fn stopped(&self) -> Option<Error> {
        self.stop.borrow().clone()
    }

    fn is_stopped(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Whether statements can give way in their middle, on the stack of a fiber.
    #[must_use]
    pub fn can_suspend(&self) -> bool {
        self.pacing.suspend.is_some()
    }

    /// Whether a missing block can be waited for.
    #[must_use]
    pub fn can_wait(&self) -> bool {
        self.is_inside.get() && self.pacing.suspend.is_some()
    }

    /// From a commit to the moment when the unit has taken note of it. `SQLite` looks at the clock once more after `COMMIT`: given
    /// way there, the commit would leave without the reply to its client; stopped there, it would be called undone.
    pub fn committed(&self, is_unknown: bool) {
        self.has_committed.set(is_unknown);
    }

    /// Whether a block may be read: not once it was asked to stop.
    pub fn may_read(&self) -> bool {
        if self.has_committed.get() {
            return true;
        }
        if self.is_stopped() {
            self.cut_short.set(true);
            self.is_tainted.set(true);
        }
        !self.is_stopped()
    }

    /// Whether the connection should be closed when its work is over.
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.is_tainted.get()
    }

    /// Whether a block was withheld: then nothing that was computed counts.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.cut_short.get()
    }

    /// Why a block was withheld since the unit began, if one was.
    pub fn take_cut_short(&self) -> Option<Error> {
        self.cut_short.take().then(|| self.stopped()).flatten()
    }

    /// Waits until the scheduler thinks that the block is there.
    pub fn wait_for(&self, block: BlockNo) {
        self.awaited.set(Some(block));
        self.give_way();
        self.awaited.set(None);
    }

    /// Between two rows of a statement that cannot be suspended: whether it should pause, because its slice is over or `ahead` is
    /// on its way.
    pub fn should_pause(&self, ahead: impl FnOnce() -> Option<BlockNo>) -> bool {
        if self.can_wait() || self.is_brief.get() {
            return false;
        }
        self.awaited.set(ahead());
        self.awaited.get().is_some() || (self.clock)() >= self.slice_end.get()
    }

    /// Looks at the clock in the middle of a statement: true where it must stop.
    pub fn look(&self) -> bool {
        if self.has_committed.get() {
            return false;
        }
        if self.is_brief.get() {
            self.is_too_long.set(true);
            return true;
        }
        let now = (self.clock)();
        if now > self.deadline.get() {
            self.stop(&late());
        }
        if !self.is_stopped() && now >= self.slice_end.get() {
            self.give_way();
        }
        self.is_stopped()
    }

    fn give_way(&self) {
        if let Some(suspend) = self.pacing.suspend.filter(|_| self.is_inside.get()) {
            suspend(self.fiber.get().0);
            self.begin_slice();
        }
    }
}
