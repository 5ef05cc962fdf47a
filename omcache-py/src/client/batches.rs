//! Commands on many keys at once: pipelined to all servers.

use omcache::driver::proto::{Request, StoreMode};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Client;
use crate::arguments::{expiration_of, items_of, key_of, keys_of, truth};
use crate::call::Batch;
use crate::requests::Item;

#[pymethods]
impl Client {
    /// Read many values.
    ///
    /// Returns a dict of those that were found, by key as bytes, with values as from get. All servers work at once. The
    /// keys of a server that fails are missing; an errors dict receives each of them with its exception. Where nothing
    /// could be learned of any key, the first failure is raised.
    #[pyo3(signature = (keys, flags=false, cas=false, timeout=None, errors=None))]
    fn get_multi<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        timeout: Option<i64>,
        errors: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let batch = Batch { name: "get_multi", reads: Some((flags, cas)), keys: keys_of(keys)?, errors };
        let valid = batch.valid_keys()?;
        let request = |at: usize| Request::Get { key: valid[at], with_key: false, quiet: true };
        self.many(keys.py(), &batch, self.timeout(timeout, true), &request)
    }

    /// Read many values and set their expiration. As get_multi.
    #[pyo3(signature = (keys, expiration=0, flags=false, cas=false, timeout=None, errors=None))]
    fn gat_multi<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        expiration: i64,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        timeout: Option<i64>,
        errors: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let batch = Batch { name: "gat_multi", reads: Some((flags, cas)), keys: keys_of(keys)?, errors };
        let valid = batch.valid_keys()?;
        let expiration = expiration_of(expiration)?;
        let request =
            |at: usize| Request::GetAndTouch { key: valid[at], expiration, with_key: false, quiet: true };
        self.many(keys.py(), &batch, self.timeout(timeout, true), &request)
    }

    /// Store many values, given as a mapping.
    ///
    /// Returns a dict of those that were not stored: the mapping's own keys, each with its exception. It is empty where
    /// all went well.
    #[pyo3(signature = (items, expiration=0, flags=0, timeout=None))]
    fn set_multi<'py>(
        &self,
        items: &Bound<'py, PyAny>,
        expiration: i64,
        flags: u32,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        self.store_multi("set_multi", StoreMode::Set, items, expiration, flags, timeout)
    }

    /// Remove many keys.
    ///
    /// Returns a dict of those that were not removed: the keys as they were given, each with its exception
    /// (NotFoundError where there was none).
    #[pyo3(signature = (keys, timeout=None))]
    fn delete_multi(&self, keys: &Bound<'_, PyAny>, timeout: Option<i64>) -> PyResult<Py<PyAny>> {
        let batch = Batch { name: "delete_multi", reads: None, keys: keys_of(keys)?, errors: None };
        let valid = batch.valid_keys()?;
        let request = |at: usize| Request::Delete { key: valid[at], cas: 0, quiet: true };
        self.many(keys.py(), &batch, self.timeout(timeout, false), &request)
    }
}

impl Client {
    fn store_multi<'py>(
        &self,
        name: &'static str,
        mode: StoreMode,
        items: &Bound<'py, PyAny>,
        expiration: i64,
        flags: u32,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let (keys, values) = items_of(items)?;
        let batch = Batch { name, reads: None, keys, errors: None };
        let expiration = expiration_of(expiration)?;
        let mut sent = Vec::with_capacity(values.len());
        for ((_, key), value) in batch.keys.iter().zip(&values) {
            sent.push((key_of(name, key)?, value.as_bytes()));
        }
        let request = |at: usize| {
            let (key, value) = sent[at];
            Item { key, value, expiration, flags, cas: 0 }.stored(mode, true)
        };
        self.many(items.py(), &batch, self.timeout(timeout, false), &request)
    }
}
