//! Commands on one key.

use omcache::driver::conn::Target;
use omcache::driver::proto::{ConcatMode, CounterMode, Request, StoreMode};
use pyo3::prelude::*;

use super::Client;
use crate::arguments::{bytes_of, expiration_of, key_of, truth};
use crate::call::{Call, Want};
use crate::requests::{Change, Item};

impl Client {
    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn store(
        &self,
        name: &'static str,
        mode: StoreMode,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        cas: u64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let (key_bytes, value) = (bytes_of(key)?, bytes_of(value)?);
        let item = Item::new(name, &key_bytes, &value, expiration, flags, cas)?;
        let timeout = self.timeout(timeout, false);
        let request = item.stored(mode, timeout.is_none());
        self.one(key.py(), Call::new(name, Want::Nothing), Target::Key, &request, timeout)
    }

    fn concatenate(
        &self,
        name: &'static str,
        mode: ConcatMode,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        cas: u64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let (key_bytes, value) = (bytes_of(key)?, bytes_of(value)?);
        let item = Item::new(name, &key_bytes, &value, 0, 0, cas)?;
        let timeout = self.timeout(timeout, false);
        let request = item.added(mode, timeout.is_none());
        self.one(key.py(), Call::new(name, Want::Nothing), Target::Key, &request, timeout)
    }

    #[allow(clippy::too_many_arguments)]
    fn count(
        &self,
        name: &'static str,
        mode: CounterMode,
        key: &Bound<'_, PyAny>,
        delta: &Bound<'_, PyAny>,
        initial: Option<u64>,
        expiration: i64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let key_bytes = bytes_of(key)?;
        let change = Change::new(mode, delta, initial, expiration)?;
        let timeout = self.timeout(timeout, true);
        let request = change.of(key_of(name, &key_bytes)?, timeout.is_none());
        self.one(key.py(), Call::new(name, Want::Counter), Target::Key, &request, timeout)
    }
}

#[pymethods]
impl Client {
    /// Store a value.
    ///
    /// expiration: seconds as memcached reads them (0: never, up to 30 days from now, above that a Unix time, less than
    /// 0: expired at once). flags: 32 bits kept beside the value. cas: store only if the key's CAS is still this one.
    /// timeout: milliseconds to wait; None is io_timeout, -1 for ever, 0 sends and does not wait.
    ///
    /// Raises KeyExistsError where the CAS differs, NotFoundError where a CAS is given and there is no such key,
    /// TooLargeValueError, and CommandError where the server can't be reached.
    #[pyo3(signature = (key, value, expiration=0, flags=0, cas=0, timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn set(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        cas: u64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.store("set", StoreMode::Set, key, value, expiration, flags, cas, timeout)
    }

    /// Store a value where there is no such key yet; else raise KeyExistsError.
    #[pyo3(signature = (key, value, expiration=0, flags=0, timeout=None))]
    fn add(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.store("add", StoreMode::Add, key, value, expiration, flags, 0, timeout)
    }

    /// Store a value where the key exists; else raise NotFoundError.
    #[pyo3(signature = (key, value, expiration=0, flags=0, timeout=None))]
    fn replace(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.store("replace", StoreMode::Replace, key, value, expiration, flags, 0, timeout)
    }

    /// Add bytes behind a key's value.
    ///
    /// Raises NotStoredError where there is no such key, KeyExistsError where a CAS is given and differs.
    #[pyo3(signature = (key, value, cas=0, timeout=None))]
    fn append(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        cas: u64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.concatenate("append", ConcatMode::Append, key, value, cas, timeout)
    }

    /// Add bytes before a key's value.
    ///
    /// Raises NotStoredError where there is no such key, KeyExistsError where a CAS is given and differs.
    #[pyo3(signature = (key, value, cas=0, timeout=None))]
    fn prepend(
        &self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        cas: u64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.concatenate("prepend", ConcatMode::Prepend, key, value, cas, timeout)
    }

    /// Remove a key; raise NotFoundError where there is none.
    #[pyo3(signature = (key, timeout=None))]
    fn delete(&self, key: &Bound<'_, PyAny>, timeout: Option<i64>) -> PyResult<Py<PyAny>> {
        let key_bytes = bytes_of(key)?;
        let timeout = self.timeout(timeout, false);
        let request =
            Request::Delete { key: key_of("delete", &key_bytes)?, cas: 0, quiet: timeout.is_none() };
        self.one(key.py(), Call::new("delete", Want::Nothing), Target::Key, &request, timeout)
    }

    /// Set a key's expiration; raise NotFoundError where there is no such key.
    #[pyo3(signature = (key, expiration=0, timeout=None))]
    fn touch(&self, key: &Bound<'_, PyAny>, expiration: i64, timeout: Option<i64>) -> PyResult<Py<PyAny>> {
        let key_bytes = bytes_of(key)?;
        let timeout = self.timeout(timeout, false);
        let expiration = expiration_of(expiration)?;
        let request = Request::Touch { key: key_of("touch", &key_bytes)?, expiration };
        self.one(key.py(), Call::new("touch", Want::Nothing), Target::Key, &request, timeout)
    }

    /// Read a value.
    ///
    /// Returns the value, or (value, flags), (value, cas), (value, flags, cas) where these are asked for. Raises
    /// NotFoundError. With timeout=0 there is nothing to return, and the result is None.
    #[pyo3(signature = (key, flags=false, cas=false, timeout=None))]
    fn get(
        &self,
        key: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let key_bytes = bytes_of(key)?;
        let timeout = self.timeout(timeout, true);
        let request =
            Request::Get { key: key_of("get", &key_bytes)?, with_key: false, quiet: timeout.is_none() };
        let call = Call::new("get", Want::Value { flags, cas });
        self.one(key.py(), call, Target::Key, &request, timeout)
    }

    /// Read a value and set its expiration ("get and touch"). As get.
    #[pyo3(signature = (key, expiration=0, flags=false, cas=false, timeout=None))]
    fn gat(
        &self,
        key: &Bound<'_, PyAny>,
        expiration: i64,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let key_bytes = bytes_of(key)?;
        let timeout = self.timeout(timeout, true);
        let (expiration, quiet) = (expiration_of(expiration)?, timeout.is_none());
        let request =
            Request::GetAndTouch { key: key_of("gat", &key_bytes)?, expiration, with_key: false, quiet };
        let call = Call::new("gat", Want::Value { flags, cas });
        self.one(key.py(), call, Target::Key, &request, timeout)
    }

    /// Add to a counter and return its new value, which wraps at 2**64.
    ///
    /// A negative delta subtracts. initial: what a missing counter is made with; None raises NotFoundError for one, and
    /// then there must be no expiration. Raises DeltaBadValueError where the value is no decimal number.
    #[pyo3(signature = (key, delta=None, initial=None, expiration=0, timeout=None),
           text_signature = "($self, key, delta=1, initial=None, expiration=0, timeout=None)")]
    fn increment(
        &self,
        key: &Bound<'_, PyAny>,
        delta: Option<&Bound<'_, PyAny>>,
        initial: Option<u64>,
        expiration: i64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let one = 1_u64.into_pyobject(key.py())?.into_any();
        let delta = delta.unwrap_or(&one);
        self.count("increment", CounterMode::Increment, key, delta, initial, expiration, timeout)
    }

    /// Subtract from a counter and return its new value, which stops at 0. As increment.
    #[pyo3(signature = (key, delta=None, initial=None, expiration=0, timeout=None),
           text_signature = "($self, key, delta=1, initial=None, expiration=0, timeout=None)")]
    fn decrement(
        &self,
        key: &Bound<'_, PyAny>,
        delta: Option<&Bound<'_, PyAny>>,
        initial: Option<u64>,
        expiration: i64,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let one = 1_u64.into_pyobject(key.py())?.into_any();
        let delta = delta.unwrap_or(&one);
        self.count("decrement", CounterMode::Decrement, key, delta, initial, expiration, timeout)
    }
}
