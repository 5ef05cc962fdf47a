//! What becomes of a client in a forked child.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use pyo3::prelude::*;

use super::Client;
use crate::core::Core;
use crate::errors;
use crate::front::Front;
use crate::shared::{Held, Shared};

impl Client {
    /// Leaves the parent's core alone: another thread may have held it when the process was forked.
    #[cold]
    pub(super) fn begin_anew(&self, py: Python<'_>, forks: u64) -> PyResult<()> {
        let settings = self.settings().clone();
        let core = Core::new(&settings).map_err(|error| errors::usage(py, error.to_string()))?;
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *shared, Arc::new(Shared::new(core)));
        let is_free = match old.try_hold() {
            Some(mut held) => {
                // The threads that waited keep it for ever. Its connections are not to stay open for as long.
                let Held { core, sleepers, .. } = &mut *held;
                core.driver.check_fork();
                core.take_events();
                sleepers.wake(core, None);
                true
            }
            None => false,
        };
        if !is_free {
            // It never will be: the thread that held it is not in this process.
            std::mem::forget(old);
        }
        self.log.forget();
        self.forks.store(forks, Ordering::Relaxed);
        Ok(())
    }
}
