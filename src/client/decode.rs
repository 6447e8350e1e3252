//! From a row's values to a type that serde can make. Called with whatever the JavaScript client answered; it knows no JavaScript.

use super::Value;
use serde::de::value::{BytesDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Why a row does not fit the type that was asked for.
pub type DecodeError = serde::de::value::Error;

/// One row as a struct or a map by the columns' names, or as a tuple or list by their order.
///
/// # Errors
/// Where a column is missing, or its value is not of the field's type; integers never lose digits.
///
/// ```
/// use tabhub::client::{Value, decode_row};
/// let columns = ["id".to_string(), "name".to_string()];
/// let row: (i64, Option<String>) = decode_row(&columns, vec![Value::Integer(7), Value::Null]).unwrap();
/// assert_eq!(row, (7, None));
/// ```
pub fn decode_row<T: DeserializeOwned>(columns: &[String], values: Vec<Value>) -> Result<T, DecodeError> {
    T::deserialize(Row { columns, values })
}

struct Row<'a> {
    columns: &'a [String],
    values: Vec<Value>,
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_map(MapDeserializer::new(self.columns.iter().map(String::as_str).zip(self.values)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let mut values = SeqDeserializer::new(self.values.into_iter());
        let decoded = visitor.visit_seq(&mut values)?;
        values.end()?;
        Ok(decoded)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct map struct enum identifier
    }
}

impl IntoDeserializer<'_, DecodeError> for Value {
    type Deserializer = Column;

    fn into_deserializer(self) -> Column {
        Column(self)
    }
}

/// One value of a row, on its way to a field.
pub struct Column(Value);

impl<'de> Deserializer<'de> for Column {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Real(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::Blob(value) => visitor.visit_byte_buf(value),
        }
    }

    /// `SQLite` has no booleans: they are stored as 1 and 0.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Integer(value @ 0..=1) => visitor.visit_bool(value == 1),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            other => visitor.visit_some(Self(other)),
        }
    }

    /// A `Vec<u8>` asks for a list, unless `serde_bytes` is used.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Blob(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.into_iter())),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Blob(bytes) => BytesDeserializer::new(&bytes).deserialize_bytes(visitor),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Text(text) => StringDeserializer::<DecodeError>::new(text).deserialize_enum(name, variants, visitor),
            other => Err(DecodeError::custom(format_args!("{name} is an enum, which only a text can name, not {other:?}"))),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wide {
        id: i64,
        done: bool,
        weight: f64,
        note: Option<String>,
        data: Vec<u8>,
        colour: Colour,
        any: Value,
    }

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_row_becomes_a_struct_by_names_whatever_their_order() {
        let names = columns(&["any", "data", "colour", "note", "weight", "done", "id", "unused"]);
        let blob = Value::Blob(vec![0, 255]);
        let values =
            vec![blob.clone(), blob, "red".into(), Value::Null, Value::Integer(2), true.into(), i64::MIN.into(), Value::Null];
        let any = Value::Blob(vec![0, 255]);
        let wide = Wide { id: i64::MIN, done: true, weight: 2.0, note: None, data: vec![0, 255], colour: Colour::Red, any };
        assert_eq!(decode_row::<Wide>(&names, values), Ok(wide));
    }

    #[test]
    fn an_integer_that_does_not_fit_is_refused_not_cut() {
        let names = columns(&["n"]);
        assert!(decode_row::<(i32,)>(&names, vec![(1_i64 << 40).into()]).is_err());
        assert!(decode_row::<(i64,)>(&names, vec![Value::Real(1.5)]).is_err());
        assert_eq!(decode_row::<Vec<Value>>(&names, vec![i64::MAX.into()]), Ok(vec![Value::Integer(i64::MAX)]));
    }

    #[test]
    fn a_tuple_takes_all_columns_or_none() {
        assert!(decode_row::<(i64,)>(&columns(&["a", "b"]), vec![1.into(), 2.into()]).is_err());
        assert!(decode_row::<(i64, i64)>(&columns(&["a"]), vec![1.into()]).is_err());
    }
}
