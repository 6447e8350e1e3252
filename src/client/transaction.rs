//! A transaction over the awaits of an async closure. The JavaScript client begins and ends it; here the closure becomes its callback.

use super::js::{JsDatabase, JsQueries};
use super::queries::settled;
use super::{CallOptions, Error, Queries};
use std::cell::RefCell;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

/// A running transaction: its statements see each other's work, and no other tab's statement comes in between.
pub struct Transaction(Queries);

impl Deref for Transaction {
    type Target = Queries;

    fn deref(&self) -> &Queries {
        &self.0
    }
}

pub async fn run<T, E, F, Work>(database: &JsDatabase, options: &CallOptions, work: F) -> Result<T, E>
where
    F: FnOnce(Transaction) -> Work + 'static,
    Work: Future<Output = Result<T, E>> + 'static,
    T: 'static,
    E: From<Error> + 'static,
{
    // What the closure returned, which JavaScript could not carry.
    let returned = Rc::new(RefCell::new(None));
    let slot = returned.clone();
    let callback = Closure::once(move |tx: JsQueries| {
        let work = work(Transaction(Queries::new(tx, CallOptions::default())));
        future_to_promise(async move {
            let result = work.await;
            let is_ok = result.is_ok();
            *slot.borrow_mut() = Some(result);
            if is_ok { Ok(JsValue::UNDEFINED) } else { Err(JsValue::from_str("rolled back by the closure's error")) }
        })
    });
    let ended = settled(database.transaction(callback.as_ref(), &options.writing())).await;
    match (ended, returned.borrow_mut().take()) {
        (_, Some(Err(own))) => Err(own),
        (Ok(_), Some(Ok(value))) => Ok(value),
        (Err(error), _) => Err(error.into()),
        (Ok(_), None) => unreachable!("a transaction commits only after its closure"),
    }
}
