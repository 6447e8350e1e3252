//! Web Locks tell of death: each tab holds one for its life (and the worker script another, for the tabs). Nothing here decides what a
//! death means.
//! Where a lock request fails, its promise rejects unhandled, and the worker script reports it to every tab.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::js;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`; web-sys has it only among its unstable APIs.
    type LockManager;
    #[wasm_bindgen(method)]
    fn request(this: &LockManager, name: &str, options: &Object, granted: &Function) -> Promise;
}

/// Calls `died` once nobody holds the lock `name`, and lets go of it at once. Without Web Locks it never does.
pub fn watch(name: &str, died: impl FnOnce() + 'static) {
    if let Some(locks) = manager() {
        request(&locks, name, &Closure::once_into_js(died));
    }
}

fn manager() -> Option<LockManager> {
    let locks = Reflect::get(&js::worker().navigator(), &"locks".into()).unwrap_or_default();
    (!locks.is_undefined()).then(|| locks.unchecked_into())
}

fn request(locks: &LockManager, name: &str, granted: &JsValue) {
    let _rejected_unhandled = locks.request(name, &js::options("mode", "exclusive"), granted.unchecked_ref());
}
