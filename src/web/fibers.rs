//! The Rust side of fibers: which of them are handed out to be run, and what `hub-js/fibers.ts` and `stack-switch.wat` call for
//! it. How a stack is switched they know; when a fiber runs, the hub.
//!
//! *Invariant.* A fiber is entered on an empty stack only: never while a frame of ours lies below.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;

use super::panic;
use crate::hub::{Fiber, Suspend};

thread_local! {
    /// What `run_fiber` runs: the hub has one fiber run at a time.
    static NEXT: Cell<Option<Fiber>> = const { Cell::new(None) };
}

/// What stands in this slot of the module's function table. Slot 0 is empty: the browser cannot suspend.
pub fn suspend_in(slot: usize) -> Option<Suspend> {
    // SAFETY: On wasm32 a function pointer is a slot of the table, and `None` is 0. `fibers.ts` gives 0, or the slot into which it has
    // put a function of this very type; a call through a slot of another type would trap.
    unsafe { std::mem::transmute::<usize, Option<Suspend>>(slot) }
}

/// Keeps a fiber for `run_fiber`, which is not called if it is suspended.
pub fn hand_out(fiber: Fiber) {
    NEXT.set(Some(fiber));
}

/// Runs a fiber that was handed out, on a stack of its own where there is one; returns at its end.
#[unsafe(no_mangle)]
extern "C" fn run_fiber(id: u32) {
    if panic::panicked() {
        return;
    }
    let fiber = NEXT.take().filter(|fiber| fiber.id().0 == id);
    fiber.expect("only a fiber that was handed out is run").run();
}

/// Room for the stack of a fiber that is suspended.
#[unsafe(no_mangle)]
extern "C" fn alloc_stack_copy(bytes: usize) -> *mut u8 {
    let layout = stack_layout(bytes);
    // SAFETY: The size is not 0.
    let copy = unsafe { alloc(layout) };
    if copy.is_null() {
        handle_alloc_error(layout);
    }
    copy
}

/// # Safety
/// `copy` is from `alloc_stack_copy` with the same `bytes`, and not freed yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_stack_copy(copy: *mut u8, bytes: usize) {
    // SAFETY: As promised by the caller.
    unsafe { dealloc(copy, stack_layout(bytes)) }
}

/// Never of size 0, also where nothing lies on the stack.
fn stack_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes.max(1), 16).expect("a stack is smaller than memory")
}
