//! The methods that store a value under one key.

use omcache::driver::proto::{ConcatMode, Key, Request, StoreMode};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::PylibmcClient;
use super::arguments::{Given, Seconds};
use super::code::{self, Code};
use super::key::{Keys, Sent, bad};
use super::value::{self, Compression, Stored};

/// What a store does with the value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Store(StoreMode),
    Concat(ConcatMode),
}

impl Verb {
    /// The name of libmemcached's function.
    fn command(self) -> &'static str {
        match self {
            Self::Store(StoreMode::Set) => "memcached_set",
            Self::Store(StoreMode::Add) => "memcached_add",
            Self::Store(StoreMode::Replace) => "memcached_replace",
            Self::Concat(ConcatMode::Append) => "memcached_append",
            Self::Concat(ConcatMode::Prepend) => "memcached_prepend",
        }
    }

    #[inline]
    pub(super) fn request<'a>(
        self,
        key: Key<'a>,
        value: &'a [u8],
        flags: u32,
        expiration: u32,
        quiet: bool,
    ) -> Request<'a> {
        match self {
            Self::Store(mode) => Request::Store { mode, key, value, flags, expiration, cas: 0, quiet },
            Self::Concat(mode) => Request::Concat { mode, key, value, cas: 0, quiet },
        }
    }
}

/// The arguments that stores have in common.
#[derive(Clone, Copy, Debug)]
struct Terms {
    verb: Verb,
    time: Seconds,
    compression: Compression,
}

impl Terms {
    #[inline]
    fn new(verb: Verb, time: Seconds, min_compress_len: i64, compress_level: i32) -> PyResult<Self> {
        Ok(Self { verb, time, compression: Compression::new(min_compress_len, compress_level)? })
    }
}

impl PylibmcClient {
    #[inline]
    fn put(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>, given: &Given<'_>, terms: Terms) -> PyResult<bool> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let expiration = terms.time.0;
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let stored = value::store(slf.as_any(), &rules, given.get()?, terms.compression)?;
        let Some(wire) = sent.key().filter(|_| keys.allows(&sent)) else { return Ok(false) };
        let Stored { bytes, flags } = &stored;
        let request = |quiet| terms.verb.request(wire, bytes.as_bytes(), *flags, expiration, quiet);
        let (code, reason) = client.change(py, &rules, &request(false), &request(true))?;
        match code {
            Code::SUCCESS => Ok(true),
            code if code.is_soft() => Ok(false),
            code => Err(code::failed_key(py, code, terms.verb.command(), sent.given(), &reason)),
        }
    }

    /// A CAS of 0 is that of no value; on the wire it would mean any.
    #[cold]
    fn never_swaps(&self, py: Python<'_>, wire: Key<'_>, sent: &Sent<'_>) -> PyResult<bool> {
        let batch = self.exchange(py, &Request::Get { key: wire, with_key: false, quiet: false })?;
        match batch.replies.first() {
            Some(reply) if reply.code != Code::SUCCESS => {
                let reason = batch.reason(reply);
                Err(code::failed_key(py, reply.code, "memcached_cas", sent.given(), &reason))
            }
            _ => Ok(false),
        }
    }
}

#[pymethods]
impl PylibmcClient {
    /// Stores a value, whether the key has one or not.
    ///
    /// `time` is in seconds, as memcached reads it: 0 is for ever, up to 30 days count from now, more is a Unix time.
    /// A value of at least `min_compress_len` bytes is compressed, if that is not 0, at `compress_level` (0 to 9, or
    /// -1 for zlib's own choice). Returns False for an empty key. Raises `TooBig` for a value that the server does not take.
    #[pyo3(
        signature = (key, val=Given::Missing, time=Seconds(0), min_compress_len=0, compress_level=-1, *, value=Given::Missing),
        text_signature = "($self, key, value, time=0, min_compress_len=0, compress_level=-1)"
    )]
    fn set<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        time: Seconds,
        min_compress_len: i64,
        compress_level: i32,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let terms = Terms::new(Verb::Store(StoreMode::Set), time, min_compress_len, compress_level)?;
        Self::put(slf, key, &val.or(value), terms)
    }

    /// Stores a value where the key has none; False where it has one. Arguments as for `set`.
    #[pyo3(
        signature = (key, val=Given::Missing, time=Seconds(0), min_compress_len=0, compress_level=-1, *, value=Given::Missing),
        text_signature = "($self, key, value, time=0, min_compress_len=0, compress_level=-1)"
    )]
    fn add<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        time: Seconds,
        min_compress_len: i64,
        compress_level: i32,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let terms = Terms::new(Verb::Store(StoreMode::Add), time, min_compress_len, compress_level)?;
        Self::put(slf, key, &val.or(value), terms)
    }

    /// Stores a value where the key has one; False where it has none. Arguments as for `set`.
    #[pyo3(
        signature = (key, val=Given::Missing, time=Seconds(0), min_compress_len=0, compress_level=-1, *, value=Given::Missing),
        text_signature = "($self, key, value, time=0, min_compress_len=0, compress_level=-1)"
    )]
    fn replace<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        time: Seconds,
        min_compress_len: i64,
        compress_level: i32,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let terms = Terms::new(Verb::Store(StoreMode::Replace), time, min_compress_len, compress_level)?;
        Self::put(slf, key, &val.or(value), terms)
    }

    /// Adds to the end of a key's value; False where it has none. The flags stay, so the stored value should be bytes or
    /// text, and this one of the same kind. Arguments as for `set`; memcached ignores `time`.
    #[pyo3(
        signature = (key, val=Given::Missing, time=Seconds(0), min_compress_len=0, compress_level=-1, *, value=Given::Missing),
        text_signature = "($self, key, value, time=0, min_compress_len=0, compress_level=-1)"
    )]
    fn append<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        time: Seconds,
        min_compress_len: i64,
        compress_level: i32,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let terms = Terms::new(Verb::Concat(ConcatMode::Append), time, min_compress_len, compress_level)?;
        Self::put(slf, key, &val.or(value), terms)
    }

    /// Adds to the beginning of a key's value. As `append`.
    #[pyo3(
        signature = (key, val=Given::Missing, time=Seconds(0), min_compress_len=0, compress_level=-1, *, value=Given::Missing),
        text_signature = "($self, key, value, time=0, min_compress_len=0, compress_level=-1)"
    )]
    fn prepend<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        time: Seconds,
        min_compress_len: i64,
        compress_level: i32,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let terms = Terms::new(Verb::Concat(ConcatMode::Prepend), time, min_compress_len, compress_level)?;
        Self::put(slf, key, &val.or(value), terms)
    }

    /// Stores a value where the key's value is still the one that `gets` returned with the number `cas`; False where it
    /// was changed since.
    ///
    /// Raises `NotFound` where the key has no value any more, `ValueError` unless the behavior `cas` is on. Values are
    /// not compressed.
    #[pyo3(
        signature = (key, val=Given::Missing, cas=None, time=Seconds(0), *, value=Given::Missing),
        text_signature = "($self, key, value, cas, time=0)"
    )]
    fn cas<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        val: Given<'py>,
        cas: Option<u64>,
        time: Seconds,
        value: Given<'py>,
    ) -> PyResult<bool> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let cas = cas.ok_or_else(|| PyTypeError::new_err("cas() is missing its argument 'cas', a number"))?;
        let given = val.or(value);
        if !rules.cas {
            return Err(PyValueError::new_err("cas without cas behavior"));
        }
        let expiration = time.0;
        let keys = Keys::new(&rules);
        let sent = keys.sent(key)?;
        let stored = value::store(slf.as_any(), &rules, given.get()?, Compression::NEVER)?;
        keys.verify("memcached_cas", &sent)?;
        let Some(wire) = sent.key() else { return Err(bad("memcached_cas", &sent)) };
        if cas == 0 {
            return client.never_swaps(py, wire, &sent);
        }
        let bytes: &Bound<'_, PyBytes> = &stored.bytes;
        let request = Request::Store {
            mode: StoreMode::Set,
            key: wire,
            value: bytes.as_bytes(),
            flags: stored.flags,
            expiration,
            cas,
            quiet: false,
        };
        let batch = client.exchange(py, &request)?;
        match batch.replies.first() {
            Some(reply) if reply.code == Code::DATA_EXISTS => Ok(false),
            Some(reply) if reply.code != Code::SUCCESS => {
                let reason = batch.reason(reply);
                Err(code::failed_key(py, reply.code, "memcached_cas", sent.given(), &reason))
            }
            _ => Ok(true),
        }
    }
}
