//! The Rust side of fibers: which of them are handed out to be run, and what `hub-js/fibers.ts` and `stack-switch.wat` call for
//! it. How a stack is switched they know; when a fiber runs, the hub.
//!
//! *Invariant.* A fiber is entered on an empty stack only: never while a frame of ours lies below.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::rc::Rc;

use super::panic;
use crate::sorted::SortedMap;

/// Leaves the stack of the fiber with this number; returns when the host resumes it.
pub type Suspend = extern "C" fn(u32);

pub type Task = Rc<dyn Fn()>;

thread_local! {
    /// By number, from [`hand_out`] to the end of their run; the suspended ones among them.
    static RUNNING: RefCell<SortedMap<u32, Task>> = RefCell::default();
}

/// What stands in this slot of the module's function table. Slot 0 is empty: the browser cannot suspend.
pub fn suspend_in(slot: usize) -> Option<Suspend> {
    // SAFETY: On wasm32 a function pointer is a slot of the table, and `None` is 0. `fibers.ts` gives 0, or the slot into which it has
    // put a function of this very type; a call through a slot of another type would trap.
    unsafe { std::mem::transmute::<usize, Option<Suspend>>(slot) }
}

/// Keeps the task of a fiber for `run_fiber`. For a fiber that is suspended it changes nothing.
pub fn hand_out(id: u32, task: Task) {
    RUNNING.with_borrow_mut(|running| {
        if !running.contains_key(id) {
            running.insert(id, task);
        }
    });
}

/// Runs a fiber that was handed out, on a stack of its own where there is one; returns at its end.
#[unsafe(no_mangle)]
extern "C" fn run_fiber(id: u32) {
    if panic::panicked() {
        return;
    }
    let task = RUNNING.with_borrow(|running| running.get(id).cloned());
    task.expect("only a fiber that was handed out is run")();
    RUNNING.with_borrow_mut(|running| running.remove(id));
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
