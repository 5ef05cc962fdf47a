//! Settings of a client, and its end.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::Client;
use crate::arguments::{Timeout, truth};
use crate::errors;
use crate::front::Front;
use crate::settings::{Limit, Size};

#[pymethods]
impl Client {
    /// Set the servers: texts, each with a weight. Sorted by host and port if so asked.
    fn _set_servers(&self, py: Python<'_>, servers: Vec<(String, u32)>, sort: bool) -> PyResult<()> {
        Front::set_servers(self, py, &servers, sort)?;
        let shared = self.shared(py)?;
        self.log.deliver(py, &*shared)
    }

    /// Set the rule by which keys are spread over the servers, by its name; an unknown one raises Error.
    ///
    /// libmemcached_ketama (the default), libmemcached_ketama_weighted, libmemcached_ketama_pre1010, modula, ketama/HASH,
    /// modula/HASH, and those of other clients: twemproxy_ketama, spymemcached_ketama, dalli, python_memcached,
    /// pymemcache_rendezvous, gomemcache_crc32, mcrouter_crc32, mcrouter_ch3.
    fn set_distribution_method(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.set_distribution(py, name)
    }

    /// How long a handshake may take: look-up, connect and a first answer. Milliseconds; 10000 unless set.
    #[getter]
    fn connect_timeout(&self) -> u64 {
        self.limit(Limit::Connect)
    }

    #[setter]
    fn set_connect_timeout(&self, py: Python<'_>, msec: u64) -> PyResult<()> {
        self.set_limit(py, Limit::Connect, msec)
    }

    /// How long a server that can't be reached is left alone. Milliseconds; 10000 unless set.
    #[getter]
    fn reconnect_timeout(&self) -> u64 {
        self.limit(Limit::Reconnect)
    }

    #[setter]
    fn set_reconnect_timeout(&self, py: Python<'_>, msec: u64) -> PyResult<()> {
        self.set_limit(py, Limit::Reconnect, msec)
    }

    /// How long a server that owes an answer may be silent before its connection is given up. Milliseconds; 10000
    /// unless set.
    #[getter]
    fn dead_timeout(&self) -> u64 {
        self.limit(Limit::Dead)
    }

    #[setter]
    fn set_dead_timeout(&self, py: Python<'_>, msec: u64) -> PyResult<()> {
        self.set_limit(py, Limit::Dead, msec)
    }

    /// How many bytes may wait to be sent to one server. 10485760 unless set; a single request that is larger is refused
    /// with TooLargeValueError, one that does not fit beside others with CommandError.
    #[getter]
    fn send_buffer_max_size(&self) -> usize {
        self.size(Size::Send)
    }

    #[setter]
    fn set_send_buffer_max_size(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        self.set_size(py, Size::Send, bytes)
    }

    /// How many bytes an answer may have, its header included. 1081344 unless set, so that a value of memcached's default
    /// maximum size fits; a larger answer fails its call alone, with CommandError.
    #[getter]
    fn recv_buffer_max_size(&self) -> usize {
        self.size(Size::Receive)
    }

    #[setter]
    fn set_recv_buffer_max_size(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        self.set_size(py, Size::Receive, bytes)
    }

    /// How long a call may take that is given no timeout. Milliseconds; 1000 unless set, -1 is for ever.
    #[getter]
    fn io_timeout(&self) -> i64 {
        self.io_timeout.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_io_timeout(&self, msec: i64) {
        self.io_timeout.store(msec, Ordering::Relaxed);
    }

    /// While true, commands that return nothing queue until flush, unless they are given a timeout.
    #[getter]
    fn buffering(&self) -> bool {
        self.buffering.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_buffering(&self, py: Python<'_>, #[pyo3(from_py_with = truth)] enabled: bool) -> PyResult<()> {
        self.buffering.store(enabled, Ordering::Relaxed);
        Front::set_buffering(self, py, enabled)
    }

    /// The logger that receives what the library has to tell, or None.
    #[getter]
    fn log(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.log.get(py)
    }

    #[setter]
    fn set_log(&self, py: Python<'_>, log: Option<Py<PyAny>>) -> PyResult<()> {
        let shared = self.shared(py)?;
        self.log.set(py, &*shared, log)
    }

    /// The function that does the waiting, or None.
    #[getter]
    fn select(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.waiter(py)
    }

    /// Set the function that does the waiting; None waits in native code.
    fn _set_select(&self, py: Python<'_>, select: Option<Py<PyAny>>) -> PyResult<()> {
        if select.as_ref().is_some_and(|select| !select.bind(py).is_callable()) {
            return Err(PyTypeError::new_err("select is a function"));
        }
        let is_set = select.is_some();
        let before = {
            let mut place = self.select.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, select)
        };
        drop(before);
        self.cooperates.store(is_set, Ordering::Relaxed);
        Ok(())
    }

    /// Send what is buffered and wait until nothing is pending; raise CommandError where the time is over first.
    #[pyo3(signature = (timeout=-1), text_signature = "($self, timeout=-1)")]
    fn flush(&self, py: Python<'_>, timeout: Option<i64>) -> PyResult<()> {
        if self.with_core(py, |core| core.freed)? {
            return Err(errors::freed(py));
        }
        self.drain(py, timeout.map_or_else(|| self.timeout(None, true), Timeout))
    }

    /// Throw away what is buffered and not sent.
    fn reset_buffers(&self, py: Python<'_>) -> PyResult<()> {
        self.with_core(py, |core| {
            core.driver.cluster.discard_unsent();
            core.take_events();
        })
    }

    /// Close every connection; the next command makes new ones. What is under way ends as failed.
    fn disconnect(&self, py: Python<'_>) -> PyResult<()> {
        self.with_core(py, |core| core.disconnect())
    }

    /// Close every connection, for good: later calls raise Error.
    fn free(&self, py: Python<'_>) -> PyResult<()> {
        Front::free(self, py)
    }
}
