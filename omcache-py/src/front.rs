//! What both clients have in common around a core: settings, and a log.

use std::sync::MutexGuard;

use omcache::driver::hash::Named;
use pyo3::prelude::*;

use crate::core::Core;
use crate::errors;
use crate::settings::{Limit, Settings, Size, parse_servers};

/// What is known of a server: host, port, weight, state, last failure, milliseconds until it is tried again.
pub(crate) type Known = (String, String, u32, &'static str, Option<String>, Option<u64>);

/// A client around a core.
pub(crate) trait Front {
    fn settings(&self) -> MutexGuard<'_, Settings>;

    /// Works on the core, without the interpreter.
    fn with_core<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> PyResult<R>;

    fn limit(&self, limit: Limit) -> u64 {
        limit.get(&self.settings())
    }

    fn set_limit(&self, py: Python<'_>, limit: Limit, msec: u64) -> PyResult<()> {
        let config = {
            let mut settings = self.settings();
            limit.set(&mut settings, msec);
            settings.config.clone()
        };
        self.with_core(py, |core| core.driver.cluster.set_config(config))
    }

    fn size(&self, size: Size) -> usize {
        size.get(&self.settings())
    }

    fn set_size(&self, py: Python<'_>, size: Size, bytes: usize) -> PyResult<()> {
        let config = {
            let mut settings = self.settings();
            size.set(&mut settings, bytes);
            settings.config.clone()
        };
        self.with_core(py, |core| core.driver.cluster.set_config(config))
    }

    fn free(&self, py: Python<'_>) -> PyResult<()> {
        self.settings().freed = true;
        self.with_core(py, |core| core.free())
    }

    fn set_servers(&self, py: Python<'_>, servers: &[(String, u32)], sort: bool) -> PyResult<()> {
        let servers = parse_servers(servers, sort).map_err(|error| errors::usage(py, error))?;
        let set = servers.clone();
        let result = self.with_core(py, |core| core.set_servers(set))?;
        result.map_err(|error| errors::usage(py, error.to_string()))?;
        self.settings().servers = servers;
        Ok(())
    }

    fn set_distribution(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let named: Named = name.parse().map_err(|error| errors::usage(py, format!("{error}")))?;
        let result = self.with_core(py, |core| core.set_distribution(named))?;
        result.map_err(|error| errors::usage(py, error.to_string()))?;
        self.settings().distribution = named;
        Ok(())
    }

    fn set_buffering(&self, py: Python<'_>, enabled: bool) -> PyResult<()> {
        self.settings().buffering = enabled;
        self.with_core(py, |core| core.driver.set_buffering(enabled))
    }

    fn server_index(&self, py: Python<'_>, key: &[u8]) -> PyResult<i64> {
        let index = self.with_core(py, |core| core.driver.cluster.server_for_key(key))?;
        Ok(index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1))
    }

    fn servers(&self, py: Python<'_>) -> PyResult<Vec<Known>> {
        self.with_core(py, |core| core.known_servers())
    }
}
