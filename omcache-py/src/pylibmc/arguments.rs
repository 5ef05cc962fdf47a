//! Arguments that need a look before they are used.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// The largest number of seconds that the protocol counts from now; one more is a moment in 1970.
const MAX_RELATIVE: u32 = 30 * 24 * 60 * 60;

/// An argument that goes by two names, of which one is given. None is as good a value as any.
#[derive(Debug)]
pub(super) enum Given<'py> {
    Missing,
    Value(Bound<'py, PyAny>),
}

impl<'py> Given<'py> {
    #[inline]
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Missing => other,
            value => value,
        }
    }

    /// # Errors
    /// `TypeError` where it is missing.
    #[inline]
    pub(super) fn get(&self) -> PyResult<&Bound<'py, PyAny>> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Missing => Err(PyTypeError::new_err("the value, or what has the values, is missing")),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self::Value(object.to_owned()))
    }
}

/// An expiration or a delay in seconds, as memcached reads them; less than 0 is expired at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(pub(super) u32);

impl<'a, 'py> FromPyObject<'a, 'py> for Seconds {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<i64>()? {
            ..0 => Ok(Self(MAX_RELATIVE + 1)),
            seconds => u32::try_from(seconds).map(Self).map_err(|_| {
                PyValueError::new_err(format!("a time of {seconds} s: the protocol's limit is {}", u32::MAX))
            }),
        }
    }
}

/// How far to count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delta(pub(super) u64);

impl<'a, 'py> FromPyObject<'a, 'py> for Delta {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<i64>() {
            Ok(delta) => u64::try_from(delta)
                .map(Self)
                .map_err(|_| PyValueError::new_err(format!("delta is {delta}: it must not be less than 0"))),
            Err(_) => Ok(Self(object.extract()?)),
        }
    }
}
