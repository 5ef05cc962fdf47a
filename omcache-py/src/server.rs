//! The embedded server for tests, `omcache.testing.Server`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use omcache::testing::{Fault, Server as Embedded};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::bytes_of;
use crate::forks;

/// An item: value, flags, CAS, and seconds until it expires.
type Item = (Py<PyBytes>, u32, u64, Option<f64>);

/// A memcached server in this process. Programs use `omcache.testing.Server`.
#[pyclass(subclass, frozen, module = "omcache._native")]
pub(crate) struct Server {
    /// None once it is closed.
    embedded: RwLock<Option<Embedded>>,
    address: String,
    port: u16,
    /// The forks that were known of when it was started.
    forks: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn os_error(error: &std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(code) => PyOSError::new_err((code, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("{seconds} seconds: {error}")))
}

/// The fault with this name, of these sizes.
fn fault(name: &str, bytes: u32, pause: f64, status: u16) -> PyResult<Fault> {
    let size = usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(match name {
        "stop_answering" => Fault::StopAnswering,
        "stop_reading" => Fault::StopReading,
        "close" => Fault::Close,
        "cut_short" => Fault::CutShort { bytes: size },
        "cut_short_and_hang" => Fault::CutShortAndHang { bytes: size },
        "garbage" => Fault::Garbage,
        "wrong_opaque" => Fault::WrongOpaque,
        "wrong_opcode" => Fault::WrongOpcode,
        "oversized_length" => Fault::OversizedLength { by: bytes },
        "delay" => Fault::Delay(seconds(pause)?),
        "split" => Fault::Split { bytes: size.max(1), pause: seconds(pause)? },
        "status" => Fault::Status(status),
        "refuse" => Fault::Refuse,
        "refuse_connections" => Fault::RefuseConnections,
        other => return Err(PyValueError::new_err(format!("no fault is called {other:?}"))),
    })
}

impl Server {
    fn end(&self) {
        if self.forks != forks::count() {
            // It is the parent's: its threads are not in this process, and nothing is to be waited for.
            if let Ok(mut embedded) = self.embedded.try_write() {
                std::mem::forget(embedded.take());
            }
            return;
        }
        let embedded = self.embedded.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(embedded);
    }

    /// Works on the server, without the interpreter: some of it waits for threads.
    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&Embedded) -> R + Send) -> PyResult<R> {
        if self.forks != forks::count() {
            // Its locks may be held by threads that are not in this process.
            return Err(PyRuntimeError::new_err(
                "the server runs in the process that this one was forked from",
            ));
        }
        let result = py.detach(|| {
            let embedded = self.embedded.read().unwrap_or_else(PoisonError::into_inner);
            embedded.as_ref().map(work)
        });
        result.ok_or_else(|| PyRuntimeError::new_err("the server is closed"))
    }
}

#[pymethods]
impl Server {
    /// Start a server at a port that the kernel chooses, unless told otherwise.
    #[new]
    #[pyo3(signature = (*, host=None, port=0, path=None, max_item_size=1_048_576, version="1.6.18"),
           text_signature = "(*, host='127.0.0.1', port=0, path=None, max_item_size=1048576, version='1.6.18')")]
    fn new(
        py: Python<'_>,
        host: Option<&str>,
        port: u16,
        path: Option<PathBuf>,
        max_item_size: usize,
        version: &str,
    ) -> PyResult<Self> {
        let mut builder = Embedded::builder().port(port).max_item_size(max_item_size).version(version);
        if let Some(host) = host {
            let address: IpAddr = host
                .parse()
                .map_err(|_| PyValueError::new_err(format!("{host:?} is no IP address to listen at")))?;
            builder = builder.address(address);
        }
        if let Some(path) = path {
            builder = builder.path(path);
        }
        let embedded = py.detach(|| builder.start()).map_err(|error| os_error(&error))?;
        Ok(Self {
            address: embedded.address(),
            port: embedded.port(),
            embedded: RwLock::new(Some(embedded)),
            forks: forks::count(),
        })
    }

    /// The address as a client takes it: "127.0.0.1:PORT", "[::1]:PORT" or a path.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// The TCP port; 0 for a server on a Unix socket.
    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Close the listener and every connection, as if the server had died. Items and address are kept.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Embedded::stop)
    }

    /// Start again at the same address.
    fn restart(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Embedded::restart)?.map_err(|error| os_error(&error))
    }

    /// End the server for good.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.end());
    }

    /// Misbehave from the next request on, `times` times or until told otherwise.
    #[pyo3(signature = (fault, times, bytes, seconds, status))]
    fn _misbehave(
        &self,
        py: Python<'_>,
        fault: &str,
        times: Option<u64>,
        bytes: u32,
        seconds: f64,
        status: u16,
    ) -> PyResult<()> {
        let fault = self::fault(fault, bytes, seconds, status)?;
        self.with(py, |server| match times {
            Some(times) => server.misbehave_for(times, fault),
            None => server.misbehave(fault),
        })
    }

    /// End the misbehaviour.
    fn behave(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Embedded::behave)
    }

    /// Move the server's clock forward by so many seconds, so that items expire.
    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let by = self::seconds(seconds)?;
        self.with(py, |server| server.advance(by))
    }

    /// Remove every item.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Embedded::clear)
    }

    /// The value of a key, None where it is absent or has expired.
    fn get(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyBytes>>> {
        let (py, key) = (key.py(), bytes_of(key)?);
        let key = key.as_bytes();
        let value = self.with(py, |server| server.get(key))?;
        Ok(value.map(|value| PyBytes::new(py, &value).unbind()))
    }

    /// A key's value, flags, CAS, and the seconds that it still lives.
    fn _item(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<Item>> {
        let (py, key) = (key.py(), bytes_of(key)?);
        let key = key.as_bytes();
        let item = self.with(py, |server| server.item(key))?;
        Ok(item.map(|item| {
            let expires = item.expires_in.map(|left| left.as_secs_f64());
            (PyBytes::new(py, &item.value).unbind(), item.flags, item.cas, expires)
        }))
    }

    /// Store a value of any size with flags 0 and without an end, as if another client did.
    fn insert(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, key, value) = (key.py(), bytes_of(key)?, bytes_of(value)?);
        let (key, value) = (key.as_bytes(), value.as_bytes());
        self.with(py, |server| server.insert(key, value.to_vec()))
    }

    /// How many connections are open now.
    #[getter]
    fn connections(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, Embedded::connections)
    }

    /// How many connections were accepted since the start.
    #[getter]
    fn accepted(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, Embedded::accepted)
    }

    /// How many requests were read since the start, answered or not.
    #[getter]
    fn commands(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, Embedded::commands)
    }

    /// How many requests with this opcode were read since the start, as in `omcache.CMD_NOOP`.
    fn commands_of(&self, py: Python<'_>, opcode: u8) -> PyResult<u64> {
        self.with(py, |server| server.commands_of(opcode))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, Embedded::len)
    }
}
