//! Commands to one server, and what is known of the servers.

use omcache::driver::NotAlone;
use omcache::driver::conn::Target;
use omcache::driver::proto::Request;
use omcache::driver::proto::binary::RequestPacket;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Client;
use crate::answer::Space;
use crate::arguments::{bytes_of, expiration_of};
use crate::call::{Call, Want, raw_opcode};
use crate::core::Core;
use crate::front::{Front, Known};

#[pymethods]
impl Client {
    /// Ask a server whether it is there; raise CommandError where it can't be reached.
    #[pyo3(signature = (server_index=0, timeout=None))]
    fn noop(&self, py: Python<'_>, server_index: usize, timeout: Option<i64>) -> PyResult<Py<PyAny>> {
        let call = Call::at_server("noop", Want::Nothing);
        self.one(py, call, Target::Server(server_index), &Request::Noop, self.timeout(timeout, true))
    }

    /// Ask a server for statistics: a group ("settings", "items", "slabs", ...) or the general ones.
    ///
    /// Returns a dict of names to values, both bytes.
    #[pyo3(signature = (command=None, server_index=0, timeout=None),
           text_signature = "($self, command='', server_index=0, timeout=None)")]
    fn stat(
        &self,
        py: Python<'_>,
        command: Option<&Bound<'_, PyAny>>,
        server_index: usize,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let group = command.map(bytes_of).transpose()?;
        let group = group.as_ref().map_or(&[][..], |group| group.as_bytes());
        let timeout = self.timeout(timeout, true);
        let call = Call::at_server("stat", Want::Statistics);
        let result = self.one(py, call, Target::Server(server_index), &Request::Stat { group }, timeout)?;
        if timeout.is_none() { Ok(PyDict::new(py).into_any().unbind()) } else { Ok(result) }
    }

    /// Ask a server for its version, such as "1.6.18".
    #[pyo3(signature = (server_index=0, timeout=None))]
    fn version(&self, py: Python<'_>, server_index: usize, timeout: Option<i64>) -> PyResult<Py<PyAny>> {
        let call = Call::at_server("version", Want::Text);
        self.one(py, call, Target::Server(server_index), &Request::Version, self.timeout(timeout, true))
    }

    /// Invalidate everything that one server has stored, now or after so many seconds.
    #[pyo3(signature = (expiration=0, server_index=0, timeout=None))]
    fn flush_all(
        &self,
        py: Python<'_>,
        expiration: i64,
        server_index: usize,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let timeout = self.timeout(timeout, false);
        let delay = Some(expiration_of(expiration)?).filter(|&delay| delay > 0);
        let request = Request::Flush { delay, quiet: timeout.is_none() };
        self.one(
            py,
            Call::at_server("flush_all", Want::Nothing),
            Target::Server(server_index),
            &request,
            timeout,
        )
    }

    /// A command as it is on the wire; returns tuples (status, key, value, flags, cas, delta_value).
    #[pyo3(signature = (opcode, key, value, extra, cas=0, server_index=None, timeout=None))]
    #[allow(clippy::too_many_arguments)]
    fn _command(
        &self,
        py: Python<'_>,
        opcode: u8,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        extra: &Bound<'_, PyAny>,
        cas: u64,
        server_index: Option<usize>,
        timeout: Option<i64>,
    ) -> PyResult<Py<PyAny>> {
        let opcode = raw_opcode(py, opcode)?;
        let (key, value, extra) = (bytes_of(key)?, bytes_of(value)?, bytes_of(extra)?);
        let (key, value, extras) = (key.as_bytes(), value.as_bytes(), extra.as_bytes());
        let packet = RequestPacket { opcode, vbucket: 0, cas, opaque: 0, extras, key, value };
        let target = server_index.map_or(Target::Key, Target::Server);
        let call = Call { at_server: server_index.is_some(), ..Call::new("command", Want::Raw) };
        let timeout = self.timeout(timeout, true);
        let alone = |_: &mut Core, _, _, _: &mut Space| Err(NotAlone::Untouched);
        self.submit(py, call, timeout, alone, |core| core.submit_packet(target, &packet))
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
}
