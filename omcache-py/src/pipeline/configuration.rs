//! Settings of a pipeline, and its end.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;

use super::Pipeline;
use crate::arguments::{bytes_of, truth};
use crate::front::{Front, Known};
use crate::settings::{Limit, Size};

#[pymethods]
impl Pipeline {
    /// Set the servers: texts, each with a weight. Sorted by host and port if so asked.
    fn _set_servers(&self, py: Python<'_>, servers: Vec<(String, u32)>, sort: bool) -> PyResult<()> {
        Front::set_servers(self, py, &servers, sort)?;
        self.log.deliver(py, &*self.under_way(py)?)
    }

    /// Set the rule by which keys are spread over the servers, by its name; as in `omcache.OMcache`.
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
        self.log.set(py, &*self.under_way(py)?, log)
    }

    /// The index of the server that a key goes to now; -1 where there is none, or every one is disabled.
    fn server_index_for_key(&self, key: &Bound<'_, PyAny>) -> PyResult<i64> {
        let key_bytes = bytes_of(key)?;
        self.server_index(key.py(), key_bytes.as_bytes())
    }

    /// What is known of the servers, in the order of their indices.
    fn _servers(&self, py: Python<'_>) -> PyResult<Vec<Known>> {
        Front::servers(self, py)
    }

    /// Throw away what is buffered and not sent.
    fn reset_buffers(&self, py: Python<'_>) -> PyResult<()> {
        self.with_core(py, |core| {
            core.driver.cluster.discard_unsent();
            core.take_events();
        })
    }

    /// Close every connection; the next command makes new ones. What is under way ends as failed.
    fn _disconnect(&self, py: Python<'_>) -> PyResult<()> {
        self.with_core(py, |core| core.disconnect())
    }

    /// Close every connection, for good: later calls raise Error.
    fn _free(&self, py: Python<'_>) -> PyResult<()> {
        Front::free(self, py)
    }
}
