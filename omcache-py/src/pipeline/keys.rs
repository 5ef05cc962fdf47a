//! Commands on one key, and to one server.

use omcache::driver::conn::Target;
use omcache::driver::proto::binary::RequestPacket;
use omcache::driver::proto::{ConcatMode, CounterMode, Request, StoreMode};
use pyo3::prelude::*;

use super::{Pipeline, Ticket};
use crate::arguments::{bytes_of, expiration_of, key_of, truth};
use crate::call::{Call, Want, raw_opcode};
use crate::requests::{Change, Item};

/// The mode, by the name of the method.
fn store_mode(name: &str) -> (&'static str, StoreMode) {
    match name {
        "add" => ("add", StoreMode::Add),
        "replace" => ("replace", StoreMode::Replace),
        _ => ("set", StoreMode::Set),
    }
}

#[pymethods]
impl Pipeline {
    /// Store a value: `name` is set, add or replace.
    #[allow(clippy::too_many_arguments)]
    fn _store(
        &self,
        name: &str,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        cas: u64,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let (name, mode) = store_mode(name);
        let (key_bytes, value) = (bytes_of(key)?, bytes_of(value)?);
        let item = Item::new(name, &key_bytes, &value, expiration, flags, cas)?;
        let call = Call::new(name, Want::Nothing);
        self.one(key.py(), call, Target::Key, &item.stored(mode, quiet), quiet)
    }

    /// Add bytes behind or before a value.
    fn _concatenate(
        &self,
        behind: bool,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        cas: u64,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let (name, mode) =
            if behind { ("append", ConcatMode::Append) } else { ("prepend", ConcatMode::Prepend) };
        let (key_bytes, value) = (bytes_of(key)?, bytes_of(value)?);
        let item = Item::new(name, &key_bytes, &value, 0, 0, cas)?;
        let call = Call::new(name, Want::Nothing);
        self.one(key.py(), call, Target::Key, &item.added(mode, quiet), quiet)
    }

    /// Change a counter upwards or downwards.
    #[pyo3(signature = (up, key, delta, initial, expiration, quiet))]
    fn _count(
        &self,
        up: bool,
        key: &Bound<'_, PyAny>,
        delta: &Bound<'_, PyAny>,
        initial: Option<u64>,
        expiration: i64,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let (name, mode) =
            if up { ("increment", CounterMode::Increment) } else { ("decrement", CounterMode::Decrement) };
        let key_bytes = bytes_of(key)?;
        let request = Change::new(mode, delta, initial, expiration)?.of(key_of(name, &key_bytes)?, quiet);
        self.one(key.py(), Call::new(name, Want::Counter), Target::Key, &request, quiet)
    }

    fn _delete(&self, key: &Bound<'_, PyAny>, quiet: bool) -> PyResult<Option<Ticket>> {
        let key_bytes = bytes_of(key)?;
        let request = Request::Delete { key: key_of("delete", &key_bytes)?, cas: 0, quiet };
        self.one(key.py(), Call::new("delete", Want::Nothing), Target::Key, &request, quiet)
    }

    fn _touch(&self, key: &Bound<'_, PyAny>, expiration: i64, quiet: bool) -> PyResult<Option<Ticket>> {
        let key_bytes = bytes_of(key)?;
        let expiration = expiration_of(expiration)?;
        let request = Request::Touch { key: key_of("touch", &key_bytes)?, expiration };
        self.one(key.py(), Call::new("touch", Want::Nothing), Target::Key, &request, quiet)
    }

    fn _get(
        &self,
        key: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let key_bytes = bytes_of(key)?;
        let request = Request::Get { key: key_of("get", &key_bytes)?, with_key: false, quiet };
        let call = Call::new("get", Want::Value { flags, cas });
        self.one(key.py(), call, Target::Key, &request, quiet)
    }

    fn _gat(
        &self,
        key: &Bound<'_, PyAny>,
        expiration: i64,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let key_bytes = bytes_of(key)?;
        let (key_of, expiration) = (key_of("gat", &key_bytes)?, expiration_of(expiration)?);
        let request = Request::GetAndTouch { key: key_of, expiration, with_key: false, quiet };
        let call = Call::new("gat", Want::Value { flags, cas });
        self.one(key.py(), call, Target::Key, &request, quiet)
    }

    fn _noop(&self, py: Python<'_>, server_index: usize, quiet: bool) -> PyResult<Option<Ticket>> {
        let call = Call::at_server("noop", Want::Nothing);
        self.one(py, call, Target::Server(server_index), &Request::Noop, quiet)
    }

    fn _stat(
        &self,
        command: &Bound<'_, PyAny>,
        server_index: usize,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let group = bytes_of(command)?;
        let request = Request::Stat { group: group.as_bytes() };
        let call = Call::at_server("stat", Want::Statistics);
        self.one(command.py(), call, Target::Server(server_index), &request, quiet)
    }

    fn _version(&self, py: Python<'_>, server_index: usize, quiet: bool) -> PyResult<Option<Ticket>> {
        let call = Call::at_server("version", Want::Text);
        self.one(py, call, Target::Server(server_index), &Request::Version, quiet)
    }

    fn _flush_all(
        &self,
        py: Python<'_>,
        expiration: i64,
        server_index: usize,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let delay = Some(expiration_of(expiration)?).filter(|&delay| delay > 0);
        let call = Call::at_server("flush_all", Want::Nothing);
        self.one(py, call, Target::Server(server_index), &Request::Flush { delay, quiet }, quiet)
    }

    /// A command as it is on the wire.
    #[pyo3(signature = (opcode, key, value, extra, cas, server_index, quiet))]
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
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        let opcode = raw_opcode(py, opcode)?;
        let (key, value, extra) = (bytes_of(key)?, bytes_of(value)?, bytes_of(extra)?);
        let (key, value, extras) = (key.as_bytes(), value.as_bytes(), extra.as_bytes());
        let packet = RequestPacket { opcode, vbucket: 0, cas, opaque: 0, extras, key, value };
        let target = server_index.map_or(Target::Key, Target::Server);
        let call = Call { at_server: server_index.is_some(), ..Call::new("command", Want::Raw) };
        self.submit(py, call, quiet, |core| core.submit_packet(target, &packet))
    }
}
