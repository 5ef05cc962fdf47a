//! `omcache._native`: what the Python package `omcache` is made of, over the Rust crate `omcache`.
//!
//! Mechanism is here, policy is in Python. A call runs in three parts: the arguments are read with the interpreter held;
//! the request is submitted, sent and waited for without it; the answer becomes Python's objects with it again.

mod answer;
mod arguments;
mod call;
mod client;
mod cooperative;
mod core;
mod errors;
mod forks;
mod front;
mod log;
mod op;
mod pipeline;
mod poller;
mod pylibmc;
mod requests;
mod ret;
mod server;
mod settings;
mod shared;

use pyo3::prelude::*;

/// The native part of the package `omcache`. Programs import `omcache`.
#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;
    use pyo3::types::{IntoPyDict, PyDict};

    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::forks::forked;
    #[pymodule_export]
    use crate::pipeline::Pipeline;
    #[pymodule_export]
    use crate::pylibmc::PylibmcClient;
    #[pymodule_export]
    use crate::server::Server;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let statuses = PyDict::new(py);
        for (name, ret) in crate::ret::Ret::NAMED {
            statuses.set_item(name, ret.0)?;
        }
        module.add("STATUSES", statuses)?;
        let after = [("after_in_child", module.getattr("_forked")?)].into_py_dict(py)?;
        py.import("os")?.call_method("register_at_fork", (), Some(&after))?;
        Ok(())
    }
}
