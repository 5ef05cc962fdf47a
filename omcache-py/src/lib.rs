//! `omcache._native`: what the Python package `omcache` is made of, over the Rust crate `omcache`.

use pyo3::prelude::*;

/// The native part of the package `omcache`. Programs import `omcache`.
#[pymodule(gil_used = false)]
mod _native {
    use super::*;
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
