//! One session for the threads of a program: one operation at a time, and never with the interpreter held.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::session::Session;
use crate::forks;

thread_local! {
    /// Its address is another one in every thread that lives.
    static MARK: u8 = const { 0 };
}

fn thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// A session, and who works with it.
pub(super) struct Front {
    session: Mutex<Session>,
    /// The thread that has the session; 0 where none has.
    owner: AtomicUsize,
    /// The forks that were known of when the session was last had.
    forks: AtomicU64,
}

/// Why the session can't be had.
enum Taken {
    /// By a signal's handler, or a finalizer, while this very thread waits in it.
    Here,
    /// By a thread that is not in this process.
    Forked,
}

impl From<Taken> for PyErr {
    fn from(taken: Taken) -> Self {
        PyRuntimeError::new_err(match taken {
            Taken::Here => "the client is used again while an operation of its own waits in this thread",
            Taken::Forked => {
                "another thread was using the client when this process was forked: make a clone of it"
            }
        })
    }
}

impl Front {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session: Mutex::new(session),
            owner: AtomicUsize::new(0),
            forks: AtomicU64::new(forks::count()),
        }
    }

    /// Works with the session while other threads may have the interpreter.
    #[inline]
    pub(super) fn with<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Session) -> R + Send,
    ) -> PyResult<R> {
        let done = py.detach(|| {
            let mut session = match self.try_lock() {
                Some(session) => session,
                None => self.wait()?,
            };
            self.owner.store(thread(), Ordering::Relaxed);
            let forks = forks::count();
            if self.forks.load(Ordering::Relaxed) != forks {
                self.forks.store(forks, Ordering::Release);
            }
            let done = work(&mut session);
            self.owner.store(0, Ordering::Relaxed);
            Ok::<R, Taken>(done)
        });
        done.map_err(PyErr::from)
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, Session>> {
        match self.session.try_lock() {
            Ok(session) => Some(session),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn wait(&self) -> Result<MutexGuard<'_, Session>, Taken> {
        if self.owner.load(Ordering::Relaxed) == thread() {
            return Err(Taken::Here);
        }
        // Another thread of this child may have it since a moment ago, and be about to say so.
        let mut tries = 0;
        while self.forks.load(Ordering::Acquire) != forks::count() {
            if let Some(session) = self.try_lock() {
                return Ok(session);
            }
            if tries == 20 {
                return Err(Taken::Forked);
            }
            tries += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(self.session.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
