//! The methods that concern all servers, or none.

use omcache::driver::proto::Request;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::PylibmcClient;
use super::batch::Batch;
use super::code::{self, Code};
use super::key::{Keys, bytes_of};
use super::value;

/// The exception for a command that some server did not carry out.
fn some_errors(py: Python<'_>, command: &str, batch: &Batch) -> PyResult<()> {
    match batch.replies.iter().find(|reply| reply.code != Code::SUCCESS) {
        Some(reply) => Err(code::failed(py, Code::SOME_ERRORS, command, &batch.reason(reply))),
        None => Ok(()),
    }
}

#[pymethods]
impl PylibmcClient {
    /// The statistics of every server: a list of `(b"host:port (index)", {name: value})`, names being str, values bytes.
    ///
    /// `arg` asks for a group of them, as in `"items"`. Raises `SomeErrors` where a server does not answer.
    #[pyo3(signature = (arg=None))]
    fn get_stats<'py>(
        &self,
        py: Python<'py>,
        arg: Option<&Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let group = arg.map(|arg| bytes_of(arg.as_any())).transpose()?;
        let group = group.as_ref().map_or(&[][..], |group| group.as_bytes());
        let (batch, names) = self.with(py, |session| {
            let batch = session.everywhere(&Request::Stat { group })?;
            let names: Vec<_> = (0..session.servers()).filter_map(|index| session.server(index)).collect();
            Ok::<_, PyErr>((batch, names))
        })??;
        some_errors(py, "get_stats", &batch)?;
        let mut all = Vec::with_capacity(names.len());
        for (index, (host, port)) in names.iter().enumerate() {
            let name = PyBytes::new(py, format!("{host}:{port} ({index})").as_bytes());
            all.push((name, PyDict::new(py)));
        }
        for reply in &batch.replies {
            let name = batch.name(reply);
            if let Some((_, found)) = all.get(reply.place as usize).filter(|_| !name.is_empty()) {
                found.set_item(String::from_utf8_lossy(name), PyBytes::new(py, batch.value(reply)))?;
            }
        }
        PyList::new(py, all)
    }

    /// Makes every server forget everything, in `time` seconds from now. Returns True; raises `SomeErrors` where a server
    /// does not do it.
    #[pyo3(signature = (time=0))]
    fn flush_all(&self, py: Python<'_>, time: i64) -> PyResult<bool> {
        let delay = Some(u32::try_from(time.max(0)).unwrap_or(u32::MAX)).filter(|&delay| delay > 0);
        let batch =
            self.with(py, |session| session.everywhere(&Request::Flush { delay, quiet: false }))??;
        some_errors(py, "flush_all", &batch)?;
        Ok(true)
    }

    /// Closes every connection; the next command makes new ones. Servers that were left alone are tried at once.
    #[pyo3(signature = ())]
    fn disconnect_all(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |session| session.disconnect())
    }

    /// The index, among the servers, of the one that a key goes to.
    #[pyo3(signature = (key))]
    fn hash(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<usize> {
        let rules = self.rules();
        let sent = Keys::new(&rules).sent(key)?;
        let wire = sent.wire();
        Ok(self.with(py, |session| session.server_for(wire))?.unwrap_or_default())
    }

    /// The bytes and flags that a value is stored as. A subclass may do it otherwise.
    #[pyo3(signature = (value))]
    fn serialize<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let stored = value::serialize(&self.rules(), value)?;
        Ok((stored.bytes, stored.flags))
    }

    /// The value that is stored as these bytes, which are not compressed any more, and flags.
    ///
    /// A subclass may do it otherwise, and refuse to unpickle; `CacheMiss` raised in it makes the value count as not found.
    #[pyo3(signature = (bytestring, flag))]
    fn deserialize<'py>(&self, bytestring: &Bound<'py, PyAny>, flag: u32) -> PyResult<Bound<'py, PyAny>> {
        value::deserialize_object(bytestring, flag)
    }
}
