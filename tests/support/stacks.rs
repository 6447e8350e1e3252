//! Stacks that can be left and resumed, natively: what JSPI is to the hub in a browser. One thread, one stack at a time.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::Cell;
use std::collections::BTreeMap;
use tabhub::error::Error;
use tabhub::hub::{Fiber, Pacing};
use tabhub::ids::FiberId;

type Stack = Coroutine<(), (), (), DefaultStack>;

const STACK_BYTES: usize = 512 << 10;

thread_local! {
    /// Of the stack that runs at the moment.
    static YIELDER: Cell<*const Yielder<(), ()>> = const { Cell::new(std::ptr::null()) };
    static FREE: Cell<Vec<DefaultStack>> = const { Cell::new(vec![]) };
}

/// How a statement leaves its stack.
extern "C" fn suspend(_fiber: u32) {
    let yielder = YIELDER.get();
    assert!(!yielder.is_null(), "only a fiber can be suspended");
    // SAFETY: the yielder lives on the stack that is running, and so as long as this call.
    unsafe { &*yielder }.suspend(());
    YIELDER.set(yielder);
}

/// Statements look at the clock after so many steps, and are suspended after so many milliseconds; with less than 0, at each look.
pub fn pacing(slice_ms: f64, steps: i32) -> Pacing {
    Pacing { suspend: Some(suspend), slice_ms, steps }
}

/// The suspended stacks of one hub.
#[derive(Default)]
pub struct Stacks {
    suspended: BTreeMap<FiberId, (Fiber, Stack)>,
    pub suspensions: u64,
    /// How many fibers needed no stack.
    pub at_once: u64,
}

impl Stacks {
    /// Carries out an `Action::Run`: at once where that can be done, as the host in the browser does.
    pub fn run(&mut self, fiber: &Fiber) {
        if fiber.run_at_once() {
            return self.at_once += 1;
        }
        let (fiber, mut stack) = self.suspended.remove(&fiber.id()).unwrap_or_else(|| (fiber.clone(), new_stack(fiber)));
        let result = stack.resume(());
        YIELDER.set(std::ptr::null());
        match result {
            CoroutineResult::Yield(()) => {
                self.suspensions += 1;
                self.suspended.insert(fiber.id(), (fiber, stack));
            }
            CoroutineResult::Return(()) => {
                let mut free = FREE.take();
                free.push(stack.into_stack());
                FREE.set(free);
            }
        }
    }
}

fn new_stack(fiber: &Fiber) -> Stack {
    let mut free = FREE.take();
    let stack = free.pop().unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a stack"));
    FREE.set(free);
    let fiber = fiber.clone();
    Coroutine::with_stack(stack, move |yielder, ()| {
        YIELDER.set(yielder);
        fiber.run();
    })
}

impl Drop for Stacks {
    /// The hub is gone: what is suspended is led to its end, since a stack with C on it cannot be thrown away.
    fn drop(&mut self) {
        while let Some((_, (fiber, _))) = self.suspended.first_key_value() {
            let fiber = fiber.clone();
            fiber.stop(&Error::Cancelled("the hub is gone".into()));
            self.run(&fiber);
        }
    }
}
