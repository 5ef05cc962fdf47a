//! One session for the threads of a program: one operation at a time, and never with the interpreter held.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::rules::Rules;
use super::session::{SIGNALS, Session, lost_by_fork};
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
    /// Where the session is at work in this very thread, what a signal's handler raised meanwhile, and in a child that a
    /// handler forked.
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
        py.detach(|| place.with(forks, work))
    }

    /// The parent's place is left alone: its threads, which are not here, may have held any lock of it or waited at it.
    /// The session comes along unless it was at work, in a thread of the parent's or, by a signal's handler, in this one.
    #[cold]
    fn begin_anew(&self, forks: u64, rules: &Rules) -> PyResult<()> {
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if self.forks.load(Ordering::Relaxed) != forks {
            let came_along =
                place.try_lock().map(|mut session| std::mem::replace(&mut *session, Session::new()));
            let session = match came_along {
                Some(session) => session,
                None => {
                    let mut session = Session::new();
                    session.apply(rules)?;
                    // What a thread was changing when it was left behind is not fit to be dropped.
                    std::mem::forget(Arc::clone(&place));
                    session
                }
            };
            *place = Arc::new(Place::new(session));
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
    fn with<R>(&self, forks: u64, work: impl FnOnce(&mut Session) -> R) -> PyResult<R> {
        let mut session = match self.try_lock() {
            Some(session) => session,
            None => self.wait()?,
        };
        self.owner.store(thread(), Ordering::Relaxed);
        let done = work(&mut session);
        self.owner.store(0, Ordering::Relaxed);
        drop(session);
        // In a child that a handler forked meanwhile, nobody waits, and a lock may be held for ever.
        if self.waiting.load(Ordering::SeqCst) > 0 && forks::count() == forks {
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
        let forks = forks::count();
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
                // By a signal's handler: the thread that has the session is not in this process.
                if forks::count() != forks {
                    return Err(lost_by_fork());
                }
            }
        }
    }
}
