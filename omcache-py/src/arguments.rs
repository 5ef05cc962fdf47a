//! What Python passes: keys and values, times, expirations.

use omcache::driver::conn::Instant;
use omcache::driver::proto::Key;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMemoryView, PyString};

use crate::errors;
use crate::ret::Ret;

/// An expiration of a counter that tells the server not to make a missing one (binary protocol, "Increment").
pub(crate) const DELTA_NO_ADD: u32 = u32::MAX;

/// The largest number of seconds that the protocol counts from now; one more is a moment in 1970.
const MAX_RELATIVE: u32 = 30 * 24 * 60 * 60;

/// The bytes of a key or value: those of bytes as they are, of text as UTF-8, of what else has a buffer a copy.
#[inline]
pub(crate) fn bytes_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    if let Ok(text) = object.cast::<PyString>() {
        return text.encode_utf8();
    }
    buffered(object)
}

/// The buffer is copied whole: reading it in place takes the buffer interface, which the stable ABI has from Python 3.11 on;
/// and a `bytearray` could change, or move, while the interpreter is released.
#[cold]
fn buffered<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let view = PyMemoryView::from(object).map_err(|_| {
        let name = object.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("keys and values are str or bytes-like, not {name}"))
    })?;
    Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?)
}

/// A key that the protocol can carry.
#[inline]
pub(crate) fn key_of<'k>(operation: &str, key: &'k Bound<'_, PyBytes>) -> PyResult<Key<'k>> {
    Key::new(key.as_bytes())
        .map_err(|error| errors::new(key.py(), operation, Ret::INVALID, &error.to_string(), false))
}

/// Seconds as memcached reads them; less than 0 is expired at once.
#[inline]
pub(crate) fn expiration_of(seconds: i64) -> PyResult<u32> {
    if seconds < 0 {
        return Ok(MAX_RELATIVE + 1);
    }
    u32::try_from(seconds).map_err(|_| {
        PyValueError::new_err(format!("an expiration of {seconds} s: the protocol's limit is {}", u32::MAX))
    })
}

/// Milliseconds to wait: less than 0 is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) i64);

impl Timeout {
    /// Whether nothing is waited for.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn deadline(self, now: Instant) -> Instant {
        match u64::try_from(self.0) {
            Ok(msec) => now + std::time::Duration::from_millis(msec),
            Err(_) => Instant::FAR_FUTURE,
        }
    }
}

/// A key, as the caller gave it and as it is sent.
pub(crate) type GivenKey<'py> = (Bound<'py, PyAny>, Bound<'py, PyBytes>);

/// A collection of keys. One string is none.
pub(crate) fn keys_of<'py>(keys: &Bound<'py, PyAny>) -> PyResult<Vec<GivenKey<'py>>> {
    if keys.is_instance_of::<PyString>() || keys.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err("a collection of keys is wanted, not one key"));
    }
    let mut all = Vec::with_capacity(keys.len().unwrap_or_default());
    for key in keys.try_iter()? {
        let key = key?;
        let bytes = bytes_of(&key)?;
        all.push((key, bytes));
    }
    Ok(all)
}

/// The keys and the values of a mapping.
pub(crate) fn items_of<'py>(
    items: &Bound<'py, PyAny>,
) -> PyResult<(Vec<GivenKey<'py>>, Vec<Bound<'py, PyBytes>>)> {
    let size = items.len().unwrap_or_default();
    let (mut keys, mut values) = (Vec::with_capacity(size), Vec::with_capacity(size));
    let mut take = |key: Bound<'py, PyAny>, value: &Bound<'py, PyAny>| -> PyResult<()> {
        values.push(bytes_of(value)?);
        let bytes = bytes_of(&key)?;
        keys.push((key, bytes));
        Ok(())
    };
    if let Ok(dict) = items.cast_exact::<PyDict>() {
        for (key, value) in dict {
            take(key, &value)?;
        }
    } else {
        for item in items.call_method0("items")?.try_iter()? {
            let (key, value) = item?.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            take(key, &value)?;
        }
    }
    Ok((keys, values))
}

/// Whether Python takes the object for true.
pub(crate) fn truth(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    object.is_truthy()
}
