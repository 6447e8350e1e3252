//! Between JavaScript's values and ours. It never guesses: an integer is always a bigint on its way, so that no digit is lost.

use super::{DecodeError, Error, Params, Value, decode_row};
use js_sys::{Array, BigInt, Object, Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

/// A property; `undefined` where there is none.
pub fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

pub fn get_string(object: &JsValue, name: &str) -> String {
    get(object, name).as_string().unwrap_or_default()
}

/// A whole number that is not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and places below 2^53")]
pub fn get_count(object: &JsValue, name: &str) -> Option<u64> {
    get(object, name).as_f64().map(|number| number as u64)
}

pub fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // A plain object takes any property.
    let _ = Reflect::set(object, &name.into(), &value.into());
}

pub fn list(value: &JsValue) -> Vec<JsValue> {
    value.dyn_ref::<Array>().map(Array::to_vec).unwrap_or_default()
}

pub fn strings(value: &JsValue) -> Vec<String> {
    list(value).iter().filter_map(JsValue::as_string).collect()
}

pub fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Integer(value) => BigInt::from(*value).into(),
        Value::Real(value) => (*value).into(),
        Value::Text(value) => value.into(),
        Value::Blob(value) => Uint8Array::from(value.as_slice()).into(),
    }
}

pub fn params_to_js(params: &Params) -> JsValue {
    match params {
        Params::Positional(values) => values.iter().map(to_js).collect::<Array>().into(),
        Params::Named(values) => {
            let object = Object::new();
            for (name, value) in values {
                set(&object, name, to_js(value));
            }
            object.into()
        }
    }
}

/// The integer in a bigint or a number.
#[allow(clippy::cast_possible_truncation, reason = "a number that stands for an integer is one")]
pub fn integer(value: &JsValue) -> i64 {
    i64::try_from(value.clone()).unwrap_or_else(|_| value.as_f64().unwrap_or_default() as i64)
}

/// What the client gives with the option `bigint: 'bigint'`, where every number is a REAL.
fn value_of(value: &JsValue) -> Value {
    if value.is_bigint() {
        Value::Integer(integer(value))
    } else if let Some(number) = value.as_f64() {
        Value::Real(number)
    } else if let Some(text) = value.as_string() {
        Value::Text(text)
    } else if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        Value::Blob(bytes.to_vec())
    } else {
        Value::Null
    }
}

/// A row that came as an array.
pub fn values_of(row: &JsValue) -> Vec<Value> {
    list(row).iter().map(value_of).collect()
}

/// A row that came as an object.
pub fn decode_object<T: DeserializeOwned>(row: &JsValue) -> Result<T, Error> {
    let Some(object) = row.dyn_ref::<Object>() else {
        return Err(Error::decode(&<DecodeError as serde::de::Error>::custom("no row")));
    };
    let columns: Vec<String> = strings(&Object::keys(object));
    let values = columns.iter().map(|name| value_of(&get(row, name))).collect();
    decode_row(&columns, values).map_err(|error| Error::decode(&error))
}
