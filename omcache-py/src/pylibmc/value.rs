//! Values, as Python has them and as they are stored: the flags say which is which.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString, PyTuple};

use super::code;
use super::rules::Rules;

const BYTES: u32 = 0;
const PICKLE: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 4;
/// Goes with one of the others.
const ZLIB: u32 = 8;
const TEXT: u32 = 16;
const TYPES: u32 = PICKLE | BOOL | INT | TEXT;

static PICKLE_DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static PICKLE_LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ZLIB_COMPRESS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ZLIB_DECOMPRESS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A value as it is stored.
#[derive(Debug)]
pub(super) struct Stored<'py> {
    pub(super) bytes: Bound<'py, PyBytes>,
    pub(super) flags: u32,
}

/// When a value is compressed, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compression {
    /// From this many bytes on; 0 is never.
    min: usize,
    /// 0 to 9, or -1 for zlib's own choice.
    level: i32,
}

impl Compression {
    pub(super) const NEVER: Self = Self { min: 0, level: 0 };

    /// # Errors
    /// `ValueError` for a level that zlib has not.
    #[inline]
    pub(super) fn new(min: i64, level: i32) -> PyResult<Self> {
        if !(-1..=9).contains(&level) {
            return Err(PyValueError::new_err(format!(
                "compress_level is {level}, not one of 0 to 9, or -1"
            )));
        }
        Ok(Self { min: usize::try_from(min).unwrap_or_default(), level })
    }
}

/// The stored form of a value, by pylibmc's own rules.
///
/// # Errors
/// What pickle raises.
#[inline]
pub(super) fn serialize<'py>(rules: &Rules, value: &Bound<'py, PyAny>) -> PyResult<Stored<'py>> {
    let py = value.py();
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Stored { bytes: bytes.clone(), flags: BYTES });
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Stored { bytes: text.encode_utf8()?, flags: TEXT });
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        let digit: &[u8] = if truth.is_true() { b"1" } else { b"0" };
        return Ok(Stored { bytes: PyBytes::new(py, digit), flags: BOOL });
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Stored { bytes: decimal(value)?, flags: INT });
    }
    let dumps = PICKLE_DUMPS.import(py, "pickle", "dumps")?;
    let pickled = dumps.call1((value, rules.pickle_protocol))?;
    Ok(Stored { bytes: pickled.cast_into::<PyBytes>()?, flags: PICKLE })
}

/// A number in decimal, whatever a subclass of int thinks that its text is.
#[inline]
fn decimal<'py>(number: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = number.py();
    if let Ok(number) = number.extract::<i64>() {
        return Ok(PyBytes::new(py, number.to_string().as_bytes()));
    }
    let text = py.get_type::<PyInt>().call_method1(intern!(py, "__repr__"), (number,))?;
    text.cast::<PyString>()?.encode_utf8()
}

/// The stored form of a value, by the program's rules where it has some.
///
/// # Errors
/// What pickle or the program raises; `ValueError` where its `serialize` returns something else than bytes and flags.
#[inline]
pub(super) fn store<'py>(
    client: &Bound<'py, PyAny>,
    rules: &Rules,
    value: &Bound<'py, PyAny>,
    compression: Compression,
) -> PyResult<Stored<'py>> {
    let stored = if rules.own_serialize { serialize_own(client, value)? } else { serialize(rules, value)? };
    if compression.min == 0 || compression.level == 0 || stored.bytes.as_bytes().len() < compression.min {
        return Ok(stored);
    }
    compress(stored, compression.level)
}

#[cold]
fn serialize_own<'py>(client: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<Stored<'py>> {
    let made = client.call_method1(intern!(client.py(), "serialize"), (value,))?;
    let wrong = || PyValueError::new_err("serialize() must return (bytes, flags)");
    let made = made.cast_into::<PyTuple>().map_err(|_| wrong())?;
    let (bytes, flags) = (made.get_item(0).map_err(|_| wrong())?, made.get_item(1).map_err(|_| wrong())?);
    if !flags.is_instance_of::<PyInt>() {
        return Err(wrong());
    }
    Ok(Stored { bytes: bytes.cast_into::<PyBytes>()?, flags: flags.extract()? })
}

/// A compressed value, if that makes it shorter.
fn compress(stored: Stored<'_>, level: i32) -> PyResult<Stored<'_>> {
    let compress = ZLIB_COMPRESS.import(stored.bytes.py(), "zlib", "compress")?;
    let bytes = compress.call1((&stored.bytes, level))?.cast_into::<PyBytes>()?;
    if bytes.as_bytes().len() >= stored.bytes.as_bytes().len() {
        return Ok(stored);
    }
    Ok(Stored { bytes, flags: stored.flags | ZLIB })
}

/// The value of which these bytes are the stored form, by pylibmc's own rules. Compressed ones are inflated before.
///
/// # Errors
/// `Error` for flags that say nothing, and what reading the bytes raises.
#[inline]
fn deserialize<'py>(py: Python<'py>, data: &[u8], flags: u32) -> PyResult<Bound<'py, PyAny>> {
    match flags & TYPES {
        BYTES => Ok(PyBytes::new(py, data).into_any()),
        TEXT => Ok(PyString::from_bytes(py, data)?.into_any()),
        BOOL | INT => integer(py, data),
        PICKLE => PICKLE_LOADS.import(py, "pickle", "loads")?.call1((PyBytes::new(py, data),)),
        other => Err(code::general(py, &format!("unknown memcached key flags {other}"))),
    }
}

/// A number in decimal. What is no plain one is Python's to judge: it takes blanks and numbers of any size.
#[inline]
fn integer<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let short = data.len() <= 18 && !data.is_empty() && data.iter().all(u8::is_ascii_digit);
    if short {
        let number = data.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'));
        return Ok(number.into_pyobject(py)?.into_any());
    }
    py.get_type::<PyInt>().call1((String::from_utf8_lossy(data), 10))
}

/// The value that was stored in this form; none where a `deserialize` made a miss of it.
///
/// # Errors
/// `Error` for what can't be inflated and for flags that say nothing; what reading the bytes raises.
#[inline]
pub(super) fn load<'py>(
    client: &Bound<'py, PyAny>,
    rules: &Rules,
    data: &[u8],
    flags: u32,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if flags & ZLIB != 0 {
        let inflated = inflate(client.py(), data)?;
        return load_inflated(client, rules, inflated.as_bytes(), flags);
    }
    load_inflated(client, rules, data, flags)
}

#[inline]
fn load_inflated<'py>(
    client: &Bound<'py, PyAny>,
    rules: &Rules,
    data: &[u8],
    flags: u32,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = client.py();
    let loaded = match rules.own_deserialize {
        false => deserialize(py, data, flags),
        true => {
            let data = PyBytes::new(py, data);
            client.call_method1(intern!(py, "deserialize"), (data, flags))
        }
    };
    match loaded {
        Ok(value) => Ok(Some(value)),
        Err(error) if code::is_cache_miss(py, &error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cold]
fn inflate<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let decompress = ZLIB_DECOMPRESS.import(py, "zlib", "decompress")?;
    match decompress.call1((PyBytes::new(py, data),)) {
        Ok(inflated) => Ok(inflated.cast_into::<PyBytes>()?),
        Err(error) => {
            let broken = code::general(py, &format!("Failed to decompress value: {error}"));
            broken.set_cause(py, Some(error));
            Err(broken)
        }
    }
}

/// As [`deserialize`], for a program that calls it: bytes stay the object that they are.
///
/// # Errors
/// As [`deserialize`]; `TypeError` for what is not bytes, where bytes are needed.
pub(super) fn deserialize_object<'py>(data: &Bound<'py, PyAny>, flags: u32) -> PyResult<Bound<'py, PyAny>> {
    if flags & TYPES == BYTES {
        return Ok(data.clone());
    }
    deserialize(data.py(), data.cast::<PyBytes>()?.as_bytes(), flags)
}
