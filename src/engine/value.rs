//! One SQL value, borrowed: a parameter from its request, or a column from the current row.

use std::borrow::Cow;

#[derive(Clone, Debug, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// Text that is not valid UTF-8 in the database comes with U+FFFD in its place.
    Text(Cow<'a, str>),
    Blob(&'a [u8]),
}
