//! The program's logger: which lines it wants, and their way to it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use omcache::driver::Level;
use pyo3::PyTraverseError;
use pyo3::exceptions::PyException;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use crate::core::Core;

/// Where lines come from.
pub(crate) trait Lines {
    /// Whether any wait.
    fn has_lines(&self) -> bool;

    /// Works on the core that they come from, without the interpreter.
    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> R;
}

/// The numbers of the module `logging`; NOTICE stands just above INFO.
const fn number(level: Level) -> i64 {
    match level {
        Level::Error => 40,
        Level::Warning => 30,
        Level::Notice => 21,
        Level::Info => 20,
        Level::Debug => 10,
    }
}

/// The lines that a logger of this effective level lets through.
fn wanted(threshold: i64) -> Option<Level> {
    let all = [Level::Debug, Level::Info, Level::Notice, Level::Warning, Level::Error];
    all.into_iter().find(|&level| number(level) >= threshold)
}

/// The program's logger, if it has given one.
#[derive(Default)]
pub(crate) struct Log {
    logger: Mutex<Option<Py<PyAny>>>,
    is_set: AtomicBool,
    /// Its effective level when it was last asked.
    threshold: AtomicI64,
}

impl Log {
    pub(crate) fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let logger = self.logger.lock().unwrap_or_else(PoisonError::into_inner);
        logger.as_ref().map(|logger| logger.clone_ref(py))
    }

    /// Sets the logger, or none.
    pub(crate) fn set(&self, py: Python<'_>, lines: &impl Lines, logger: Option<Py<PyAny>>) -> PyResult<()> {
        let is_set = logger.is_some();
        // The one before is let go of when nothing is locked: that may run code of the program's.
        let before = {
            let mut place = self.logger.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, logger)
        };
        drop(before);
        self.is_set.store(is_set, Ordering::Relaxed);
        if is_set {
            self.forget();
            return self.refresh(py, lines);
        }
        lines.with(py, |core| core.log_up_to(None));
        Ok(())
    }

    /// Forgets which lines are wanted, as there is a new core.
    pub(crate) fn forget(&self) {
        self.threshold.store(i64::MIN, Ordering::Relaxed);
    }

    /// Asks the logger for its effective level, which may have changed.
    #[inline]
    pub(crate) fn refresh(&self, py: Python<'_>, lines: &impl Lines) -> PyResult<()> {
        if self.is_set.load(Ordering::Relaxed) { self.ask(py, lines) } else { Ok(()) }
    }

    fn ask(&self, py: Python<'_>, lines: &impl Lines) -> PyResult<()> {
        let Some(logger) = self.get(py) else { return Ok(()) };
        // What has no levels wants every line.
        let level = logger.bind(py).call_method0(pyo3::intern!(py, "getEffectiveLevel"));
        let threshold = level.and_then(|level| level.extract::<i64>()).unwrap_or_default();
        if self.threshold.swap(threshold, Ordering::Relaxed) != threshold {
            lines.with(py, |core| core.log_up_to(wanted(threshold)));
        }
        Ok(())
    }

    /// Hands the lines that wait to the logger.
    #[inline]
    pub(crate) fn deliver(&self, py: Python<'_>, lines: &impl Lines) -> PyResult<()> {
        if lines.has_lines() { self.hand_over(py, lines) } else { Ok(()) }
    }

    fn hand_over(&self, py: Python<'_>, lines: &impl Lines) -> PyResult<()> {
        let Some(logger) = self.get(py) else { return Ok(()) };
        for line in lines.with(py, Core::take_lines) {
            let handed =
                logger.bind(py).call_method1(pyo3::intern!(py, "log"), (number(line.level), line.text));
            match handed {
                // A logger that fails must not make an operation fail.
                Err(error) if error.is_instance_of::<PyException>(py) => {
                    error.write_unraisable(py, Some(logger.bind(py)));
                }
                handed => drop(handed?),
            }
        }
        Ok(())
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.logger.try_lock() {
            Ok(logger) => visit.call(&*logger),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn clear(&self) {
        if let Ok(mut logger) = self.logger.try_lock() {
            *logger = None;
        }
    }
}
