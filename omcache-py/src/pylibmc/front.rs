//! One session for the threads of a program: one operation at a time, and never with the interpreter held.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::rules::Rules;
use super::session::{SIGNALS, Session};
use crate::forks;

thread_local! {
    /// Its address is another one in every thread that lives.
    static MARK: u8 = const { 0 };
}

fn thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// A session, who has it, and who waits for it.
struct Place {
    session: Mutex<Session>,
    /// The thread that has the session; 0 where none has.
    owner: AtomicUsize,
    waiting: AtomicUsize,
    turn: Mutex<()>,
    left: Condvar,
}

/// A session that threads share, and its successors in forked children.
pub(super) struct Front {
    place: RwLock<Arc<Place>>,
    /// The forks that were known of when the place was last known to be this process's.
    forks: AtomicU64,
}

impl Front {
    pub(super) fn new(session: Session) -> Self {
        Self { place: RwLock::new(Arc::new(Place::new(session))), forks: AtomicU64::new(forks::count()) }
    }

    /// Works with the session while other threads may have the interpreter. A forked child whose parent's session was at
    /// work in another thread gets one of its own, by the same rules.
    ///
    /// # Errors
    /// Where the session is at work in this very thread, and what a signal's handler raised meanwhile.
    #[inline]
    pub(super) fn with<R: Send>(
        &self,
        py: Python<'_>,
        rules: impl FnOnce() -> Arc<Rules>,
        work: impl FnOnce(&mut Session) -> R + Send,
    ) -> PyResult<R> {
        let forks = forks::count();
        if self.forks.load(Ordering::Relaxed) != forks {
            self.begin_anew(forks, &rules())?;
        }
        let place = Arc::clone(&self.place.read().unwrap_or_else(PoisonError::into_inner));
        py.detach(|| place.with(work))
    }

    /// No thread of this process has worked with the session yet: if it is at work, it is so in a thread of the parent's,
    /// or in this one, by a signal's handler.
    #[cold]
    fn begin_anew(&self, forks: u64, rules: &Rules) -> PyResult<()> {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if self.forks.load(Ordering::Relaxed) != forks {
            if place.try_lock().is_none() {
                let mut session = Session::new();
                session.apply(rules)?;
                // The thread that has the old one is not here to let go of it.
                std::mem::forget(std::mem::replace(&mut *place, Arc::new(Place::new(session))));
            }
            self.forks.store(forks, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Place {
    fn new(session: Session) -> Self {
        Self {
            session: Mutex::new(session),
            owner: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            turn: Mutex::default(),
            left: Condvar::new(),
        }
    }

    #[inline]
    fn with<R>(&self, work: impl FnOnce(&mut Session) -> R) -> PyResult<R> {
        let mut session = match self.try_lock() {
            Some(session) => session,
            None => self.wait()?,
        };
        self.owner.store(thread(), Ordering::Relaxed);
        let done = work(&mut session);
        self.owner.store(0, Ordering::Relaxed);
        drop(session);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.wake_one();
        }
        Ok(done)
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
    fn wake_one(&self) {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        self.left.notify_one();
    }

    /// Waits for the session, and looks after the program's signals now and then.
    #[cold]
    fn wait(&self) -> PyResult<MutexGuard<'_, Session>> {
        if self.owner.load(Ordering::Relaxed) == thread() {
            return Err(PyRuntimeError::new_err(
                "the client is used again while an operation of its own waits in this thread",
            ));
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let session = self.wait_counted();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        session
    }

    fn wait_counted(&self) -> PyResult<MutexGuard<'_, Session>> {
        loop {
            let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(session) = self.try_lock() {
                return Ok(session);
            }
            let (turn, waited) =
                self.left.wait_timeout(turn, SIGNALS).unwrap_or_else(PoisonError::into_inner);
            drop(turn);
            if waited.timed_out() {
                Python::attach(|py| py.check_signals())?;
            }
        }
    }
}
