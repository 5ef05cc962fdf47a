//! The methods on one key that read, count, remove and touch, and the exchange of one request.

use omcache::driver::proto::{CounterMode, Key, Request};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::PylibmcClient;
use super::arguments::{Delta, Seconds};
use super::batch::Batch;
use super::code::{self, Code};
use super::key::{Keys, Sent, bad};
use super::rules::Rules;
use super::value;

/// An expiration of a counter that tells the server not to make a missing one (binary protocol, "Increment").
const NO_COUNTER: u32 = u32::MAX;

impl PylibmcClient {
    /// Sends one request and waits for its end.
    #[inline]
    pub(super) fn exchange(&self, py: Python<'_>, request: &Request<'_>) -> PyResult<Batch> {
        self.with(py, |session| session.one(request))?
    }

    /// As [`PylibmcClient::exchange`], to be read from another server that has the value too, if its own one fails.
    #[inline]
    fn read(&self, py: Python<'_>, rules: &Rules, request: &Request<'_>) -> PyResult<Batch> {
        self.with(py, |session| {
            let mut batch = session.one(request)?;
            if rules.replicas > 0 {
                session.read_replicas(&mut batch, |_| Some(*request))?;
            }
            Ok(batch)
        })?
    }

    /// Sends one request that changes something. How it ended, and why it failed.
    #[inline]
    pub(super) fn change(
        &self,
        py: Python<'_>,
        rules: &Rules,
        request: &Request<'_>,
        quietly: &Request<'_>,
    ) -> PyResult<(Code, String)> {
        let batch = match rules.quiet {
            false => self.exchange(py, request)?,
            true => self.with(py, |session| session.leave(0..1, |_| Some(*quietly)))??,
        };
        Ok(match batch.replies.first() {
            None => (Code::SUCCESS, String::new()),
            Some(reply) if reply.code == Code::SUCCESS => (Code::SUCCESS, String::new()),
            Some(reply) => (reply.code, batch.reason(reply)),
        })
    }

    #[inline]
    fn count(
        &self,
        py: Python<'_>,
        mode: CounterMode,
        key: &Bound<'_, PyAny>,
        delta: Delta,
    ) -> PyResult<u64> {
        let rules = self.rules();
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let command = match mode {
            CounterMode::Increment => "memcached_increment",
            CounterMode::Decrement => "memcached_decrement",
        };
        keys.verify(command, &sent)?;
        let Some(wire) = sent.key() else { return Err(bad(command, &sent)) };
        let batch = self.exchange(py, &counter(mode, wire, delta.0))?;
        match batch.replies.first() {
            Some(reply) if reply.code == Code::SUCCESS => Ok(reply.number),
            Some(reply) => Err(code::failed_key(py, reply.code, command, sent.given(), &batch.reason(reply))),
            None => Ok(0),
        }
    }

    /// Whether a command on a key that is there was carried out.
    fn found(
        &self,
        py: Python<'_>,
        rules: &Rules,
        command: &str,
        sent: &Sent<'_>,
        request: (Request<'_>, Request<'_>),
    ) -> PyResult<bool> {
        let (code, reason) = self.change(py, rules, &request.0, &request.1)?;
        match code {
            Code::SUCCESS => Ok(true),
            Code::NOT_FOUND => Ok(false),
            code => Err(code::failed_key(py, code, command, sent.given(), &reason)),
        }
    }
}

/// A request to count.
#[inline]
pub(super) fn counter(mode: CounterMode, key: Key<'_>, delta: u64) -> Request<'_> {
    Request::Counter { mode, key, delta, initial: 0, expiration: NO_COUNTER, cas: 0, quiet: false }
}

#[pymethods]
impl PylibmcClient {
    /// The value of a key, or `default` where there is none.
    ///
    /// An empty key has no value. Raises `Error` or one of its subclasses where the server can't be asked, and whatever
    /// reading the value raises.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let Some(wire) = sent.key() else { return Ok(default) };
        keys.verify("memcached_get", &sent)?;
        let batch = client.read(py, &rules, &Request::Get { key: wire, with_key: false, quiet: false })?;
        match batch.replies.first() {
            Some(reply) if reply.code == Code::SUCCESS => {
                let value = value::load(slf.as_any(), &rules, batch.value(reply), reply.flags)?;
                Ok(value.or(default))
            }
            Some(reply) if reply.code != Code::NOT_FOUND => {
                let reason = batch.reason(reply);
                Err(code::failed_key(py, reply.code, "memcached_get", sent.given(), &reason))
            }
            _ => Ok(default),
        }
    }

    /// The value of a key and its CAS, the number by which `cas` knows this version of it; `(None, None)` where there
    /// is none.
    ///
    /// Raises `ValueError` unless the behavior `cas` is on; else as `get`.
    fn gets<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<(Option<Bound<'py, PyAny>>, Option<u64>)> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let Some(wire) = sent.key() else { return Ok((None, None)) };
        if !rules.cas {
            return Err(PyValueError::new_err("gets without cas behavior"));
        }
        keys.verify("memcached_gets", &sent)?;
        let batch = client.read(py, &rules, &Request::Get { key: wire, with_key: false, quiet: false })?;
        match batch.replies.first() {
            Some(reply) if reply.code == Code::SUCCESS => {
                let value = value::load(slf.as_any(), &rules, batch.value(reply), reply.flags)?;
                Ok(value.map_or((None, None), |value| (Some(value), Some(reply.number))))
            }
            Some(reply) if reply.code != Code::NOT_FOUND => {
                let reason = batch.reason(reply);
                Err(code::failed_key(py, reply.code, "memcached_gets", sent.given(), &reason))
            }
            _ => Ok((None, None)),
        }
    }

    /// Removes a key; False where there is none, or the key is empty.
    #[pyo3(signature = (key))]
    fn delete(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let rules = self.rules();
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let Some(key) = sent.key().filter(|_| keys.allows(&sent)) else { return Ok(false) };
        let request = |quiet| Request::Delete { key, cas: 0, quiet };
        self.found(py, &rules, "memcached_delete", &sent, (request(false), request(true)))
    }

    /// Sets the expiration of a key, in seconds as for `set`; False where there is none.
    #[pyo3(signature = (key, seconds))]
    fn touch(&self, py: Python<'_>, key: &Bound<'_, PyAny>, seconds: Seconds) -> PyResult<bool> {
        let rules = self.rules();
        let expiration = seconds.0;
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let Some(key) = sent.key().filter(|_| keys.allows(&sent)) else { return Ok(false) };
        let request = Request::Touch { key, expiration };
        let batch = self.exchange(py, &request)?;
        match batch.replies.first() {
            Some(reply) if reply.code == Code::NOT_FOUND => Ok(false),
            Some(reply) if reply.code != Code::SUCCESS => {
                let reason = batch.reason(reply);
                Err(code::failed_key(py, reply.code, "memcached_touch", sent.given(), &reason))
            }
            _ => Ok(true),
        }
    }

    /// Adds `delta`, at least 0, to the number that a key has as its value, and returns the sum; it wraps at 2^64.
    ///
    /// Raises `NotFound` where there is no such key, `ClientError` where its value is no number.
    #[pyo3(signature = (key, delta=Delta(1)), text_signature = "($self, key, delta=1)")]
    fn incr(&self, py: Python<'_>, key: &Bound<'_, PyAny>, delta: Delta) -> PyResult<u64> {
        self.count(py, CounterMode::Increment, key, delta)
    }

    /// Subtracts `delta`, at least 0, and returns what is left; it stops at 0. As `incr`.
    #[pyo3(signature = (key, delta=Delta(1)), text_signature = "($self, key, delta=1)")]
    fn decr(&self, py: Python<'_>, key: &Bound<'_, PyAny>, delta: Delta) -> PyResult<u64> {
        self.count(py, CounterMode::Decrement, key, delta)
    }
}
