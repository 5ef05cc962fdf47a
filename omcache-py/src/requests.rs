//! From the arguments of a method to a request.

use omcache::driver::proto::{ConcatMode, CounterMode, Key, Request, StoreMode};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{DELTA_NO_ADD, expiration_of, key_of};
use crate::errors;

/// A value to be stored, with what goes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) value: &'a [u8],
    pub(crate) expiration: u32,
    pub(crate) flags: u32,
    pub(crate) cas: u64,
}

impl<'a> Item<'a> {
    #[inline]
    pub(crate) fn new(
        name: &str,
        key: &'a Bound<'_, PyBytes>,
        value: &'a Bound<'_, PyBytes>,
        expiration: i64,
        flags: u32,
        cas: u64,
    ) -> PyResult<Self> {
        let expiration = expiration_of(expiration)?;
        Ok(Self { key: key_of(name, key)?, value: value.as_bytes(), expiration, flags, cas })
    }

    #[inline]
    pub(crate) fn stored(self, mode: StoreMode, quiet: bool) -> Request<'a> {
        let Self { key, value, expiration, flags, cas } = self;
        Request::Store { mode, key, value, flags, expiration, cas, quiet }
    }

    pub(crate) fn added(self, mode: ConcatMode, quiet: bool) -> Request<'a> {
        let Self { key, value, cas, .. } = self;
        Request::Concat { mode, key, value, cas, quiet }
    }
}

/// How a counter is to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    mode: CounterMode,
    delta: u64,
    initial: u64,
    expiration: u32,
}

impl Change {
    /// A negative delta goes the other way.
    pub(crate) fn new(
        mode: CounterMode,
        delta: &Bound<'_, PyAny>,
        initial: Option<u64>,
        expiration: i64,
    ) -> PyResult<Self> {
        let py = delta.py();
        let (mode, delta) = match delta.extract::<u64>() {
            Ok(delta) => (mode, delta),
            Err(error) if error.is_instance_of::<PyOverflowError>(py) => {
                let other = match mode {
                    CounterMode::Increment => CounterMode::Decrement,
                    CounterMode::Decrement => CounterMode::Increment,
                };
                (other, delta.neg()?.extract::<u64>()?)
            }
            Err(error) => return Err(error),
        };
        let (initial, expiration) = match initial {
            Some(initial) => (initial, expiration_of(expiration)?),
            None if expiration == 0 || expiration == i64::from(DELTA_NO_ADD) => (0, DELTA_NO_ADD),
            None => return Err(errors::usage(py, "an expiration needs an initial value to expire")),
        };
        Ok(Self { mode, delta, initial, expiration })
    }

    pub(crate) fn of(self, key: Key<'_>, quiet: bool) -> Request<'_> {
        let Self { mode, delta, initial, expiration } = self;
        Request::Counter { mode, key, delta, initial, expiration, cas: 0, quiet }
    }
}
