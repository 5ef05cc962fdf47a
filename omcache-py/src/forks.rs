//! Whether this process is a forked child: what threads of the parent hold is not to be waited for in it.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

/// Forks that this process is the child of, as far as Python knows of them.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// How many forks this process is the child of.
#[inline]
pub(crate) fn count() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Notes that this process is a forked child.
#[pyfunction]
#[pyo3(name = "_forked")]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
