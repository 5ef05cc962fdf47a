//! Keys, as Python gives them and as they are sent.

use omcache::driver::proto::Key;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::code::{self, Code};
use super::rules::Rules;

/// The bytes of a key or of a prefix: those of bytes as they are, of text as UTF-8.
#[inline]
pub(super) fn bytes_of<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(text) = key.cast::<PyString>() {
        return text.encode_utf8();
    }
    match key.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.clone()),
        Err(_) => Err(of_wrong_type(key)),
    }
}

#[cold]
fn of_wrong_type(key: &Bound<'_, PyAny>) -> PyErr {
    match key.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("a key is str or bytes, not {name}")),
        Err(error) => error,
    }
}

/// A key as it is sent, and how much of it the program did not give.
#[derive(Debug)]
pub(super) struct Sent<'py> {
    bytes: Bound<'py, PyBytes>,
    prefix: usize,
    empty: bool,
}

impl Sent<'_> {
    /// The key; none for an empty one, which no server would take.
    #[inline]
    pub(super) fn key(&self) -> Option<Key<'_>> {
        if self.empty { None } else { Key::new(self.bytes.as_bytes()).ok() }
    }

    /// The bytes that are sent.
    pub(super) fn wire(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    /// What the program gave.
    pub(super) fn given(&self) -> &[u8] {
        self.bytes.as_bytes().get(self.prefix..).unwrap_or_default()
    }
}

/// The rules for the keys of one operation.
pub(super) struct Keys<'a> {
    rules: &'a Rules,
    /// The namespace, and the operation's own prefix.
    prefix: Vec<u8>,
}

impl<'a> Keys<'a> {
    /// Keys without a prefix of the operation's own.
    #[inline]
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self { rules, prefix: rules.namespace.clone() }
    }

    /// Keys with a prefix.
    ///
    /// # Errors
    /// Where it is neither text nor bytes.
    pub(super) fn with_prefix(rules: &'a Rules, prefix: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut keys = Self::new(rules);
        if let Some(prefix) = prefix {
            keys.prefix.extend_from_slice(bytes_of(prefix)?.as_bytes());
        }
        Ok(keys)
    }

    /// A key as it is sent.
    ///
    /// # Errors
    /// `TypeError` for what is neither text nor bytes, `ValueError` for one that is too long.
    #[inline]
    pub(super) fn sent<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Sent<'py>> {
        let given = bytes_of(key)?;
        let len = given.as_bytes().len();
        let (bytes, prefix) = match self.prefix.len() {
            0 => (given, 0),
            prefix => {
                let whole = [&self.prefix, given.as_bytes()].concat();
                (PyBytes::new(key.py(), &whole), prefix)
            }
        };
        if bytes.as_bytes().len() > Key::MAX_LEN {
            return Err(too_long(bytes.as_bytes().len()));
        }
        // A prefix of the operation's own is part of the key, the namespace is not.
        let empty = len == 0 && self.prefix.len() == self.rules.namespace.len();
        Ok(Sent { bytes, prefix, empty })
    }

    /// Whether the behavior `verify_keys` allows the key: where it is on, printable ASCII without blanks.
    #[inline]
    pub(super) fn allows(&self, sent: &Sent<'_>) -> bool {
        !self.rules.verify_keys || sent.bytes.as_bytes().iter().all(u8::is_ascii_graphic)
    }

    /// As [`Keys::allows`], as an error.
    ///
    /// # Errors
    /// `BadKeyProvided`.
    #[inline]
    pub(super) fn verify(&self, command: &str, sent: &Sent<'_>) -> PyResult<()> {
        if self.allows(sent) { Ok(()) } else { Err(bad(command, sent)) }
    }
}

#[cold]
fn too_long(len: usize) -> PyErr {
    PyValueError::new_err(format!("key length {len} too long, max is {}", Key::MAX_LEN))
}

/// The exception for a key that is not allowed.
#[cold]
pub(super) fn bad(command: &str, sent: &Sent<'_>) -> PyErr {
    let reason = if sent.empty { "the key is empty" } else { "the key has other than printable ASCII in it" };
    code::failed_key(sent.bytes.py(), Code::BAD_KEY, command, sent.given(), reason)
}
