//! The JavaScript client's own functions, as they are imported from the module `tabhub`. Nothing but declarations.

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "tabhub")]
extern "C" {
    #[wasm_bindgen(js_name = open)]
    pub fn open(name: &str, options: &Object) -> Promise;

    #[wasm_bindgen(js_name = deleteDatabase)]
    pub fn delete_database(name: &str, options: &Object) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// A database or a transaction: what both can.
    #[derive(Clone)]
    pub type JsQueries;

    #[wasm_bindgen(method)]
    pub fn query(this: &JsQueries, sql: &str, params: &JsValue, options: &Object) -> Promise;

    #[wasm_bindgen(method)]
    pub fn exec(this: &JsQueries, sql: &str, options: &Object) -> Promise;

    #[wasm_bindgen(method)]
    pub fn batch(this: &JsQueries, statements: &Array, options: &Object) -> Promise;

    #[wasm_bindgen(extends = JsQueries)]
    #[derive(Clone)]
    pub type JsDatabase;

    #[wasm_bindgen(method, getter)]
    pub fn status(this: &JsDatabase) -> JsValue;

    #[wasm_bindgen(method)]
    pub fn iterate(this: &JsDatabase, sql: &str, params: &JsValue, options: &Object) -> JsGenerator;

    #[wasm_bindgen(method, catch)]
    pub fn live(this: &JsDatabase, sql: &str, params: &JsValue, options: &Object) -> Result<JsLive, JsValue>;

    #[wasm_bindgen(method, catch, js_name = onChange)]
    pub fn on_change(this: &JsDatabase, filter: &Object, callback: &JsValue) -> Result<js_sys::Function, JsValue>;

    #[wasm_bindgen(method)]
    pub fn transaction(this: &JsDatabase, work: &JsValue, options: &Object) -> Promise;

    #[wasm_bindgen(method)]
    pub fn import(this: &JsDatabase, file: &JsValue) -> Promise;

    #[wasm_bindgen(method)]
    pub fn export(this: &JsDatabase) -> Promise;

    #[wasm_bindgen(method)]
    pub fn check(this: &JsDatabase, options: &Object) -> Promise;

    #[wasm_bindgen(method)]
    pub fn close(this: &JsDatabase) -> Promise;

    /// What `iterate` returns.
    pub type JsGenerator;

    #[wasm_bindgen(method)]
    pub fn next(this: &JsGenerator) -> Promise;

    /// Its rejection is nobody's business: the generator is over.
    #[wasm_bindgen(method, js_name = "return")]
    pub fn end(this: &JsGenerator) -> Promise;

    pub type JsLive;

    #[wasm_bindgen(method)]
    pub fn subscribe(this: &JsLive, observer: &Object) -> js_sys::Function;
}
