//! The connection to the database: opening it, what ends it, and the transactions it gives. Used by `idb` only.
//! It never opens anything again by itself.

use js_sys::{Array, Object};
use wasm_bindgen::prelude::*;
use web_sys::{Event, IdbDatabase, IdbOpenDbRequest, IdbRequest, IdbTransaction};

use crate::error::Error;
use crate::store::ops::{Durability, Key, StoreFailure, StoreOp, Write};
use crate::web::js;

pub const META: &str = "meta";
pub const LOG: &str = "log";
pub const GROUPS: &str = "groups";

#[wasm_bindgen]
extern "C" {
    /// `IDBDatabase` once more: web-sys has a transaction's options only among its unstable APIs.
    type Database;
    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Database, stores: &Array, mode: &str, options: &Object) -> Result<IdbTransaction, JsValue>;
}

/// Where the connection stands.
pub enum Connection {
    Open(Opened),
    /// There is none: not yet, or the browser took it away. What was under way may or may not have been applied.
    Lost(String),
    /// Somebody deletes the database; we let go of it.
    Deleted,
}

/// An open database, with the handlers of the events that end it. Dropping it closes it.
pub struct Opened {
    database: IdbDatabase,
    _on_end: [Closure<dyn FnMut(Event)>; 2],
}

impl Opened {
    pub fn new(database: IdbDatabase, mut on_delete: impl FnMut() + 'static, mut on_lost: impl FnMut() + 'static) -> Self {
        let on_delete = Closure::new(move |_: Event| on_delete());
        let on_lost = Closure::new(move |_: Event| on_lost());
        database.set_onversionchange(Some(on_delete.as_ref().unchecked_ref()));
        database.set_onclose(Some(on_lost.as_ref().unchecked_ref()));
        Self { database, _on_end: [on_delete, on_lost] }
    }

    /// Begins the transaction that `op` needs.
    pub fn begin(&self, op: &StoreOp) -> Result<IdbTransaction, JsValue> {
        let (stores, mode, durability) = match op {
            // A power loss that undoes the claim ends the claimant as well.
            StoreOp::Open => (vec![META, LOG, GROUPS], "readwrite", "relaxed"),
            StoreOp::Reopen(_) | StoreOp::ReadChanges { .. } => (vec![META], "readonly", "default"),
            StoreOp::ReadGroups { .. } => (vec![META, GROUPS], "readonly", "default"),
            StoreOp::ReadLog(_) => (vec![META, LOG], "readonly", "default"),
            StoreOp::Write(batch) => (touched(&batch.writes), "readwrite", durability_name(batch.durability)),
        };
        let stores: Array = stores.into_iter().map(JsValue::from_str).collect();
        self.database.unchecked_ref::<Database>().transaction(&stores, mode, &js::options("durability", durability))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.database.set_onversionchange(None);
        self.database.set_onclose(None);
        // A connection that nobody hears would block every deletion of the database.
        self.database.close();
    }
}

/// The connection is gone; what was under way may nevertheless have been applied.
pub fn lost(why: &str) -> StoreFailure {
    StoreFailure::Lost(failed(why))
}

pub fn not_applied(why: &str) -> StoreFailure {
    StoreFailure::NotApplied(failed(why))
}

pub fn failed(why: &str) -> Error {
    Error::Storage(["IndexedDB failed: ", why].concat())
}

/// The object stores a write transaction needs: always `meta`, for the epoch.
fn touched(writes: &[Write]) -> Vec<&'static str> {
    let mut stores = vec![META];
    for write in writes {
        let (Write::Put(key, _) | Write::Delete(key, _)) = write;
        let store = store_of(*key);
        if !stores.contains(&store) {
            stores.push(store);
        }
    }
    stores
}

pub fn store_of(key: Key) -> &'static str {
    match key {
        Key::Header | Key::Sessions | Key::Changes(_) => META,
        Key::Log(_) => LOG,
        Key::Group(..) => GROUPS,
    }
}

fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    }
}

/// Opens the database, creating it where there is none; `opened` is called once, if `IndexedDB` answers at all.
pub fn open(name: &str, opened: impl FnOnce(Result<IdbDatabase, Error>) + 'static) {
    let request = match js::worker().indexed_db() {
        Ok(Some(factory)) => factory.open_with_u32(name, 1),
        Ok(None) => Err(JsValue::from_str("this browser has no IndexedDB here")),
        Err(thrown) => Err(thrown),
    };
    match request {
        Ok(request) => listen(&request, opened),
        Err(thrown) => opened(Err(unavailable(&thrown))),
    }
}

fn listen(request: &IdbOpenDbRequest, opened: impl FnOnce(Result<IdbDatabase, Error>) + 'static) {
    // The request outlives a deadline, so the handlers belong to JavaScript: each open leaves at most one to its collector.
    let on_upgrade = Closure::once_into_js(|event: Event| create_stores(&target(&event)));
    request.set_onupgradeneeded(Some(on_upgrade.unchecked_ref()));
    let on_end = Closure::once_into_js(move |event: Event| {
        let request = target(&event);
        opened(match request.error() {
            Ok(None) => Ok(request.result().unwrap_or_default().unchecked_into()),
            Ok(Some(error)) => Err(unavailable(&error)),
            Err(thrown) => Err(unavailable(&thrown)),
        });
    });
    request.set_onsuccess(Some(on_end.unchecked_ref()));
    request.set_onerror(Some(on_end.unchecked_ref()));
}

/// A failure here throws into the event and so fails the open.
fn create_stores(request: &IdbRequest) -> Result<(), JsValue> {
    let database: IdbDatabase = request.result()?.unchecked_into();
    for store in [META, LOG, GROUPS] {
        database.create_object_store(store)?;
    }
    Ok(())
}

fn target(event: &Event) -> IdbRequest {
    event.target().expect("a request's event has it as target").unchecked_into()
}

fn unavailable(thrown: &JsValue) -> Error {
    match js::exception_name(thrown).as_str() {
        "QuotaExceededError" => Error::full(),
        _ => Error::StorageUnavailable(["IndexedDB cannot be opened here: ", &js::describe(thrown)].concat()),
    }
}
