//! The native part of `omcache_pylibmc`: a client that means what pylibmc's means.

mod arguments;
mod batch;
mod code;
mod front;
mod key;
mod multi;
mod replicas;
mod rules;
mod session;
mod single;
mod store;
mod value;
mod whole;

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use front::Front;
use rules::Rules;
use session::Session;

/// What pylibmc's class `client` is made of here: everything but servers and behaviors, of which `omcache_pylibmc` makes
/// rules. It has no servers until it is told them.
#[pyclass(subclass, frozen, module = "omcache._native")]
pub(crate) struct PylibmcClient {
    front: Front,
    rules: Mutex<Arc<Rules>>,
}

impl PylibmcClient {
    #[inline]
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works with the session while other threads may have the interpreter.
    #[inline]
    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Session) -> R + Send) -> PyResult<R> {
        self.front.with(py, || self.rules(), work)
    }
}

#[pymethods]
impl PylibmcClient {
    /// Takes any arguments: they are for `__init__`.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { front: Front::new(Session::new()), rules: Mutex::default() }
    }

    /// Goes by these rules from now on. Connections to servers that stay are kept.
    fn _configure(&self, py: Python<'_>, rules: Rules) -> PyResult<()> {
        let rules = Arc::new(rules);
        self.with(py, |session| session.apply(&rules))??;
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }
}
