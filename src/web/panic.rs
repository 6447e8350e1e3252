//! What happens when the hub panics: the console gets the message and the stack, the worker script gets the message and tells
//! every tab, and the host answers nothing more. A panic is a programmer's error; there is no way on from here.

use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;

use super::Shell;

thread_local! {
    static SHELL: RefCell<Option<Shell>> = const { RefCell::new(None) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// From now on panics are reported to the worker script.
pub fn report_to(shell: &Shell) {
    SHELL.with(|slot| slot.replace(Some(shell.clone())));
    std::panic::set_hook(Box::new(report));
}

/// Whether the hub has panicked, and so must not be entered again.
pub fn panicked() -> bool {
    PANICKED.get()
}

fn report(info: &PanicHookInfo<'_>) {
    PANICKED.set(true);
    console_error_panic_hook::hook(info);
    SHELL.with(|slot| {
        // Borrowed already only if the report itself panics: then the console has both messages.
        if let Ok(Some(shell)) = slot.try_borrow().as_deref().map(Option::as_ref) {
            shell.panicked(&info.to_string());
        }
    });
}
