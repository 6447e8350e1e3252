//! The few JavaScript things that everything in `web` needs: bytes, the clock, timers, exceptions as text, the console.
//! It knows nothing of the hub, and it never keeps a closure longer than its timer.

use js_sys::{ArrayBuffer, Date, Error, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::WorkerGlobalScope;

/// The longest delay a timer takes; a longer one would fire at once.
const TIMER_MS_MAX: f64 = i32::MAX as f64;

pub fn worker() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since 1970.
pub fn now() -> f64 {
    Date::now()
}

/// A copy of the bytes in an `ArrayBuffer` or a `Uint8Array`; `None` for anything else.
pub fn bytes(value: &JsValue) -> Option<Vec<u8>> {
    if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
        return Some(Uint8Array::new(buffer).to_vec());
    }
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
}

/// An object with one property, as browsers like their options.
pub fn options(name: &str, value: &str) -> Object {
    let object = Object::new();
    // A fresh object takes any property.
    let _ = Reflect::set(&object, &name.into(), &value.into());
    object
}

/// The name of an exception, to tell them apart: `QuotaExceededError`, …; empty for any other value.
pub fn exception_name(thrown: &JsValue) -> String {
    thrown.dyn_ref::<Error>().map(|error| error.name().into()).unwrap_or_default()
}

/// A thrown value as one line for people.
pub fn describe(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<Error>() {
        Some(error) => error.to_string().into(),
        None => thrown.as_string().unwrap_or_else(|| "no reason given".into()),
    }
}

/// One `setTimeout`; dropping it cancels it.
pub struct Timer {
    handle: i32,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    /// # Panics
    /// Outside of a worker, which has no timers to give.
    pub fn after(delay_ms: f64, callback: impl FnOnce() + 'static) -> Self {
        let callback = Closure::once(callback);
        #[allow(clippy::cast_possible_truncation, reason = "clamped")]
        let delay = delay_ms.ceil().clamp(0.0, TIMER_MS_MAX) as i32;
        let handle = worker()
            .set_timeout_with_callback_and_timeout_and_arguments_0(callback.as_ref().unchecked_ref(), delay)
            .expect("a worker has timers");
        Self { handle, _callback: callback }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        worker().clear_timeout_with_handle(self.handle);
    }
}
