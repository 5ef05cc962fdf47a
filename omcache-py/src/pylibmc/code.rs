//! libmemcached's return codes: what becomes which of them, and the exceptions for them.

use std::io::ErrorKind;

use omcache::driver::conn::{Failure, Outcome, SubmitError};
use omcache::driver::proto::binary::Status;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// How a request ended, as libmemcached numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u8);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const HOST_LOOKUP_FAILURE: Self = Self(2);
    pub(crate) const CONNECTION_FAILURE: Self = Self(3);
    pub(crate) const WRITE_FAILURE: Self = Self(5);
    pub(crate) const READ_FAILURE: Self = Self(6);
    pub(crate) const PROTOCOL_ERROR: Self = Self(8);
    pub(crate) const CLIENT_ERROR: Self = Self(9);
    pub(crate) const SERVER_ERROR: Self = Self(10);
    pub(crate) const DATA_EXISTS: Self = Self(12);
    pub(crate) const NOT_STORED: Self = Self(14);
    pub(crate) const NOT_FOUND: Self = Self(16);
    pub(crate) const MEMORY_ALLOCATION_FAILURE: Self = Self(17);
    pub(crate) const SOME_ERRORS: Self = Self(19);
    pub(crate) const NO_SERVERS: Self = Self(20);
    pub(crate) const UNIX_SOCKET_FAILURE: Self = Self(27);
    pub(crate) const NOT_SUPPORTED: Self = Self(28);
    pub(crate) const TIMEOUT: Self = Self(31);
    pub(crate) const BAD_KEY: Self = Self(33);
    pub(crate) const TOO_BIG: Self = Self(37);
    pub(crate) const AUTH_PROBLEM: Self = Self(40);
    pub(crate) const SERVER_DOWN: Self = Self(47);

    /// Whether a store that ends so is told as False, and not by an exception.
    pub(crate) fn is_soft(self) -> bool {
        matches!(
            self,
            Self::DATA_EXISTS
                | Self::NOT_STORED
                | Self::NOT_FOUND
                | Self::MEMORY_ALLOCATION_FAILURE
                | Self::BAD_KEY
        )
    }

    #[inline]
    pub(super) fn of_status(status: Status) -> Self {
        match status {
            Status::SUCCESS => Self::SUCCESS,
            Status::KEY_NOT_FOUND => Self::NOT_FOUND,
            Status::KEY_EXISTS => Self::DATA_EXISTS,
            Status::NOT_STORED => Self::NOT_STORED,
            Status::VALUE_TOO_LARGE => Self::TOO_BIG,
            Status::NON_NUMERIC | Status::INVALID_ARGUMENTS => Self::CLIENT_ERROR,
            Status::UNKNOWN_COMMAND => Self::NOT_SUPPORTED,
            Status::OUT_OF_MEMORY => Self::MEMORY_ALLOCATION_FAILURE,
            Status::AUTH_ERROR => Self::AUTH_PROBLEM,
            _ => Self::SERVER_ERROR,
        }
    }

    /// From a failed connection. `unix`: it is one to a Unix socket.
    fn of_failure(failure: &Failure, unix: bool) -> Self {
        match failure {
            Failure::Lookup { .. } => Self::HOST_LOOKUP_FAILURE,
            Failure::ConnectTimeout { .. } | Failure::DeadTimeout { .. } => Self::TIMEOUT,
            Failure::Io { kind: ErrorKind::TimedOut, .. } => Self::TIMEOUT,
            Failure::Io { operation: "connect", .. } if unix => Self::UNIX_SOCKET_FAILURE,
            Failure::Io { operation: "send", .. } => Self::WRITE_FAILURE,
            Failure::Io { operation: "receive", .. } => Self::READ_FAILURE,
            Failure::Protocol(_) => Self::PROTOCOL_ERROR,
            Failure::NoServers => Self::NO_SERVERS,
            _ => Self::CONNECTION_FAILURE,
        }
    }

    /// From an outcome without an answer; none for silence.
    pub(super) fn of_outcome(outcome: &Outcome, unix: bool) -> Option<(Self, String)> {
        match outcome {
            Outcome::Silent => None,
            Outcome::NotSent(failure) => Some((Self::of_failure(failure, unix), failure.to_string())),
            Outcome::Unknown(failure) => {
                let text = format!("{failure} (it may have been carried out)");
                Some((Self::of_failure(failure, unix), text))
            }
            Outcome::ResponseTooLarge { len, limit, .. } => {
                Some((Self::TOO_BIG, format!("the response has {len} bytes, the limit is {limit}")))
            }
            other => Some((Self::SERVER_ERROR, format!("{other:?}"))),
        }
    }

    /// From a refusal; `down` is what a disabled server is told as.
    pub(super) fn of_refusal(error: &SubmitError, down: Self) -> Self {
        match error {
            SubmitError::NoServers { total: 0 } => Self::NO_SERVERS,
            SubmitError::NoServers { .. } | SubmitError::ServerDisabled { .. } => down,
            SubmitError::SendBufferFull { .. } | SubmitError::Encode(_) => Self::TOO_BIG,
            _ => Self::CLIENT_ERROR,
        }
    }
}

static FAILED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception for a return code: `omcache_pylibmc._exceptions` has the classes.
#[cold]
pub(super) fn failed(py: Python<'_>, code: Code, what: &str, reason: &str) -> PyErr {
    let made = FAILED
        .import(py, "omcache_pylibmc._exceptions", "failed")
        .and_then(|failed| failed.call1((code.0, what, reason)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

static ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception `Error` itself, for what has no return code.
#[cold]
pub(super) fn general(py: Python<'_>, text: &str) -> PyErr {
    let made =
        ERROR.import(py, "omcache_pylibmc._exceptions", "Error").and_then(|class| class.call1((text,)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// As [`failed`], for a command on a key; a long one is cut.
#[cold]
pub(super) fn failed_key(py: Python<'_>, code: Code, command: &str, key: &[u8], reason: &str) -> PyErr {
    let shown = key.get(..32).unwrap_or(key);
    failed(py, code, &format!("{command}({})", String::from_utf8_lossy(shown)), reason)
}

static CACHE_MISS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Whether this is the exception by which `deserialize` makes a value count as not found.
#[cold]
pub(super) fn is_cache_miss(py: Python<'_>, error: &PyErr) -> bool {
    CACHE_MISS
        .import(py, "omcache_pylibmc._exceptions", "CacheMiss")
        .is_ok_and(|class| error.matches(py, class).unwrap_or(false))
}
