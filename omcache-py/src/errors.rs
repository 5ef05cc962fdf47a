//! Python's exceptions: the classes are Python's own, in `omcache._exceptions`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::answer::Answer;
use crate::ret::Ret;

/// The classes that have a status of their own, in the order of [`class_of`].
static CLASSES: PyOnceLock<[Py<PyType>; 7]> = PyOnceLock::new();

const NAMES: [&str; 7] = [
    "CommandError",
    "NotFoundError",
    "KeyExistsError",
    "TooLargeValueError",
    "NotStoredError",
    "DeltaBadValueError",
    "Error",
];

fn classes(py: Python<'_>) -> PyResult<&[Py<PyType>; 7]> {
    CLASSES.get_or_try_init(py, || {
        let module = py.import("omcache._exceptions")?;
        let class = |name: &str| -> PyResult<Py<PyType>> {
            Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        let [a, b, c, d, e, f, g] = NAMES;
        Ok([class(a)?, class(b)?, class(c)?, class(d)?, class(e)?, class(f)?, class(g)?])
    })
}

const fn class_of(ret: Ret) -> usize {
    match ret {
        Ret::NOT_FOUND => 1,
        Ret::KEY_EXISTS => 2,
        Ret::TOO_LARGE_VALUE => 3,
        Ret::NOT_STORED => 4,
        Ret::DELTA_BAD_VALUE => 5,
        _ => 0,
    }
}

/// The exception for a command that failed.
#[cold]
pub(crate) fn new(py: Python<'_>, operation: &str, ret: Ret, reason: &str, sent: bool) -> PyErr {
    let classes = match classes(py) {
        Ok(classes) => classes,
        Err(error) => return error,
    };
    let text = match reason {
        "" => format!("{operation}: {}", ret.text()),
        reason => format!("{operation}: {}: {reason}", ret.text()),
    };
    let [command_error, ..] = classes;
    let class = classes.get(class_of(ret)).unwrap_or(command_error).bind(py);
    PyErr::from_type(class.clone(), (text, ret.0, sent))
}

/// The exception for an answer that is no success.
#[cold]
pub(crate) fn of_answer(py: Python<'_>, operation: &str, answer: &Answer) -> PyErr {
    let reason = answer.failure().unwrap_or_default();
    new(py, operation, answer.ret, reason, answer.sent())
}

/// The exception for what is wrong in the program: `Error` itself.
#[cold]
pub(crate) fn usage(py: Python<'_>, text: impl Into<String>) -> PyErr {
    match classes(py) {
        Ok([.., error]) => PyErr::from_type(error.bind(py).clone(), (text.into(),)),
        Err(error) => error,
    }
}

/// The exception for a client that is no more.
#[cold]
pub(crate) fn freed(py: Python<'_>) -> PyErr {
    usage(py, "the client was freed")
}
