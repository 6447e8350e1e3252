//! What can be bound and what comes back: `SQLite`'s five types, parameters, and a statement of a batch. No browser in it.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;

/// A value of `SQLite`.
///
/// ```
/// use tabhub::client::Value;
/// assert_eq!(Value::from(i64::MAX), Value::Integer(i64::MAX));
/// assert_eq!(Value::from(None::<i64>), Value::Null);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    /// A whole one of less than 2^53 is bound as an INTEGER, as JavaScript has one type for both; a column of type REAL makes it a REAL
    /// again. NaN is bound as NULL.
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),+) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}

value_from!(
    bool => Integer, i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer, u8 => Integer, u16 => Integer, u32 => Integer,
    f32 => Real, f64 => Real, &str => Text, String => Text, &[u8] => Blob, Vec<u8> => Blob
);

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of SQLite")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Integer).map_err(E::custom)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Blob(value.into()))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Blob(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Value, A::Error> {
        let mut blob = Vec::new();
        while let Some(byte) = bytes.next_element()? {
            blob.push(byte);
        }
        Ok(Value::Blob(blob))
    }
}

/// The parameters of a statement. A call takes whatever becomes one: `()`, a tuple, an array or a `Vec` for `?`, and [`Params::named`].
///
/// ```
/// use tabhub::client::{Params, Value};
/// assert_eq!(Params::from((1, "a")), Params::from(vec![Value::Integer(1), Value::Text("a".into())]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Params {
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

impl Params {
    /// Parameters by name, with or without their `:`, `@` or `$`.
    ///
    /// ```
    /// use tabhub::client::Params;
    /// let params = Params::named([("id", 7.into()), ("name", "Ada".into())]);
    /// # assert!(matches!(params, Params::Named(_)));
    /// ```
    pub fn named<'a>(values: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Named(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl From<()> for Params {
    fn from((): ()) -> Self {
        Self::Positional(Vec::new())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Params {
    fn from(values: Vec<T>) -> Self {
        Self::Positional(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Params {
    fn from(values: [T; N]) -> Self {
        Self::Positional(values.into_iter().map(Into::into).collect())
    }
}

macro_rules! params_from_tuple {
    ($($name:ident),+) => {
        impl<$($name: Into<Value>),+> From<($($name,)+)> for Params {
            fn from(values: ($($name,)+)) -> Self {
                #[allow(non_snake_case, reason = "the types' own names name their values")]
                let ($($name,)+) = values;
                Self::Positional(vec![$($name.into()),+])
            }
        }
    };
}

params_from_tuple!(A);
params_from_tuple!(A, B);
params_from_tuple!(A, B, C);
params_from_tuple!(A, B, C, D);
params_from_tuple!(A, B, C, D, E);
params_from_tuple!(A, B, C, D, E, F);
params_from_tuple!(A, B, C, D, E, F, G);
params_from_tuple!(A, B, C, D, E, F, G, H);

/// One statement of a batch.
///
/// ```
/// use tabhub::client::Statement;
/// let statements = [Statement::new("DELETE FROM a", ()), Statement::new("INSERT INTO a VALUES (?)", (1,))];
/// # assert_eq!(statements[0].sql, "DELETE FROM a");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub sql: String,
    pub params: Params,
}

impl Statement {
    pub fn new(sql: impl Into<String>, params: impl Into<Params>) -> Self {
        Self { sql: sql.into(), params: params.into() }
    }
}
