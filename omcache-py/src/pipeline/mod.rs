//! The client for event loops: requests go in, results come out by ticket, and nothing waits.

mod batches;
mod configuration;
mod keys;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use omcache::driver::conn::Target;
use omcache::driver::proto::Request;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use self::batches::Many;
use crate::answer::Answer;
use crate::call::Call;
use crate::core::Core;
use crate::errors;
use crate::forks;
use crate::front::Front;
use crate::log::{Lines, Log};
use crate::op::{Op, OpId};
use crate::settings::Settings;

/// Names a call.
type Ticket = u64;

/// What to watch for: descriptor, whether it is to be readable, whether writable.
type Watched = (i32, bool, bool);

/// A call that is under way.
enum Pending {
    One(Call),
    Many(Ticket, Box<Many>),
}

/// What is under way, of which a forked child has nothing.
struct UnderWay {
    core: Mutex<Core>,
    has_lines: Arc<AtomicBool>,
    pending: Mutex<HashMap<OpId, Pending>>,
}

impl UnderWay {
    fn new(core: Core) -> Self {
        let has_lines = Arc::clone(&core.has_lines);
        Self { core: Mutex::new(core), has_lines, pending: Mutex::default() }
    }

    /// Takes hold of the core. Whoever holds it does not wait for the interpreter, nor for anything else.
    fn hold(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<OpId, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operation that a ticket stands for now.
    fn operation(&self, ticket: Ticket) -> Option<OpId> {
        let pending = self.pending();
        let is_it = |pending: &Pending| match pending {
            Pending::One(_) => false,
            Pending::Many(of, _) => *of == ticket,
        };
        match pending.get(&ticket) {
            Some(Pending::One(_)) => Some(ticket),
            _ => pending.iter().find(|(_, pending)| is_it(pending)).map(|(&id, _)| id),
        }
    }
}

impl Lines for UnderWay {
    fn has_lines(&self) -> bool {
        self.has_lines.load(Ordering::Relaxed)
    }

    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> R {
        py.detach(|| work(&mut self.hold()))
    }
}

/// Requests in flight for an event loop. `omcache.aio` puts it into asyncio's.
///
/// A method of a command returns a ticket, or None where nobody is to wait (`quiet`). What is submitted goes out with the
/// next `_step`, and `_results` has the tickets that are done.
#[pyclass(subclass, frozen, module = "omcache._native")]
pub(crate) struct Pipeline {
    under_way: RwLock<Arc<UnderWay>>,
    settings: Mutex<Settings>,
    buffering: AtomicBool,
    /// The forks that were known of when the core was made.
    forks: AtomicU64,
    log: Log,
}

impl Front for Pipeline {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_core<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> PyResult<R> {
        Ok(self.under_way(py)?.with(py, work))
    }
}

impl Pipeline {
    /// What is under way: in a forked child, nothing.
    fn under_way(&self, py: Python<'_>) -> PyResult<Arc<UnderWay>> {
        let forks = forks::count();
        if self.forks.load(Ordering::Relaxed) != forks {
            self.begin_anew(py, forks)?;
        }
        Ok(Arc::clone(&self.under_way.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Leaves what the parent has under way alone: another thread may have held it when the process was forked.
    #[cold]
    fn begin_anew(&self, py: Python<'_>, forks: u64) -> PyResult<()> {
        let settings = self.settings().clone();
        let core = Core::new(&settings).map_err(|error| errors::usage(py, error.to_string()))?;
        let old = {
            let mut place = self.under_way.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, Arc::new(UnderWay::new(core)))
        };
        self.log.forget();
        self.forks.store(forks, Ordering::Relaxed);
        let is_free = match old.core.try_lock() {
            Ok(mut core) => {
                core.driver.check_fork();
                true
            }
            Err(_) => false,
        };
        if is_free {
            // What is dropped may run code of the program's: nothing is locked then.
            drop(old);
        } else {
            // It never will be: the thread that held it is not in this process.
            std::mem::forget(old);
        }
        Ok(())
    }

    fn one(
        &self,
        py: Python<'_>,
        call: Call,
        target: Target,
        request: &Request<'_>,
        quiet: bool,
    ) -> PyResult<Option<Ticket>> {
        self.submit(py, call, quiet, |core| core.submit(target, request))
    }

    fn submit(
        &self,
        py: Python<'_>,
        call: Call,
        quiet: bool,
        submit: impl FnOnce(&mut Core) -> Result<u32, Answer>,
    ) -> PyResult<Option<Ticket>> {
        let under_way = self.under_way(py)?;
        let mut core = under_way.hold();
        if core.freed {
            return Err(errors::freed(py));
        }
        // The sockets are left to the steps: a descriptor that is closed here could stand for another connection of the
        // loop's before the loop is told.
        match submit(&mut core) {
            Ok(_) if quiet => Ok(None),
            Ok(opaque) => {
                let id = core.claim(opaque);
                under_way.pending().insert(id, Pending::One(call));
                Ok(Some(id))
            }
            Err(mut answer) => {
                drop(core);
                Err(call.failure(py, &mut answer))
            }
        }
    }

    /// What a call came to: whether it failed, and its result or exception. None where a batch goes on.
    fn result(under_way: &UnderWay, py: Python<'_>, op: Op) -> PyResult<Option<(Ticket, bool, Py<PyAny>)>> {
        let id = op.id;
        let Some(pending) = under_way.pending().remove(&id) else { return Ok(None) };
        let (ticket, result) = match pending {
            Pending::One(call) => (id, call.result(py, op)),
            Pending::Many(ticket, many) => match (*many).go_on(under_way, py, ticket, op) {
                Ok(Some(result)) => (ticket, Ok(result)),
                Ok(None) => return Ok(None),
                Err(error) => (ticket, Err(error)),
            },
        };
        Ok(Some(match result {
            Ok(result) => (ticket, false, result),
            Err(error) => (ticket, true, error.into_value(py).into_any()),
        }))
    }
}

#[pymethods]
impl Pipeline {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let settings = Settings::default();
        let core = Core::new(&settings).map_err(|error| errors::usage(py, error.to_string()))?;
        Ok(Self {
            under_way: RwLock::new(Arc::new(UnderWay::new(core))),
            settings: Mutex::new(settings),
            buffering: AtomicBool::new(false),
            forks: AtomicU64::new(forks::count()),
            log: Log::default(),
        })
    }

    /// Do all that can be done without waiting: send, receive, connect, timers. True where something happened.
    fn _step(&self, py: Python<'_>) -> PyResult<bool> {
        let under_way = self.under_way(py)?;
        self.log.refresh(py, &*under_way)?;
        let happened = under_way.with(py, |core| {
            let now = core.driver.now();
            let now = core.look(now);
            // Events may have moved requests to other servers.
            core.driver.flush(now);
            core.take_events();
            core.take_happened()
        });
        self.log.deliver(py, &*under_way)?;
        Ok(happened)
    }

    /// The calls that are done: tuples of ticket, whether it failed, and its result or exception.
    fn _results<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let under_way = self.under_way(py)?;
        let results = PyList::empty(py);
        loop {
            let done = under_way.hold().fetch_all();
            if done.is_empty() {
                return Ok(results);
            }
            // A batch that goes on may be done with its next part at once.
            for op in done {
                if let Some(result) = Self::result(&under_way, py, *op)? {
                    results.append(result)?;
                }
            }
        }
    }

    /// What to watch, in how many milliseconds to step at the latest (None: no timer runs), and whether descriptors may
    /// have been closed since the last call, so that a number may stand for another one now.
    fn _interests(&self, py: Python<'_>) -> PyResult<(Vec<Watched>, Option<u64>, bool)> {
        self.with_core(py, |core| {
            let mut descriptors = Vec::new();
            core.driver.descriptors(&mut descriptors);
            let watched = descriptors.iter().map(|one| (one.fd, one.readable, one.writable)).collect();
            let left = core.time_left().map(|left| left.as_nanos().div_ceil(1_000_000));
            (watched, left.map(|left| u64::try_from(left).unwrap_or(u64::MAX)), core.take_closed())
        })
    }

    /// Give up a call: what is not sent is taken back, an answer to the rest is dropped when it comes. Whether the call
    /// failed by that, and its result or exception, are returned; None where it is done.
    fn _cancel(&self, py: Python<'_>, ticket: Ticket) -> PyResult<Option<(bool, Py<PyAny>)>> {
        let under_way = self.under_way(py)?;
        let Some(id) = under_way.operation(ticket) else { return Ok(None) };
        let op = under_way.hold().give_up(id);
        let pending = under_way.pending().remove(&id);
        let result = match (op, pending) {
            (Some(op), Some(Pending::One(call))) => call.result(py, *op),
            (Some(op), Some(Pending::Many(_, many))) => many.give_up(py, *op),
            _ => return Ok(None),
        };
        Ok(Some(match result {
            Ok(result) => (false, result),
            Err(error) => (true, error.into_value(py).into_any()),
        }))
    }

    /// See to it that quiet commands are settled, so that it shows when nothing is under way. Raise Error where the client
    /// was freed.
    fn _settle(&self, py: Python<'_>) -> PyResult<()> {
        let freed = self.with_core(py, |core| {
            core.driver.cluster.settle_quiet();
            core.freed
        })?;
        if freed { Err(errors::freed(py)) } else { Ok(()) }
    }

    /// Whether nothing is under way.
    fn _is_drained(&self, py: Python<'_>) -> PyResult<bool> {
        self.with_core(py, |core| core.is_drained())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(under_way) = self.under_way.try_read()
            && let Ok(pending) = under_way.pending.try_lock()
        {
            for pending in pending.values() {
                if let Pending::Many(_, many) = pending {
                    many.traverse(&visit)?;
                }
            }
        }
        self.log.traverse(visit)
    }

    fn __clear__(&self) {
        // What is dropped may run code of the program's: nothing is locked then.
        let under_way = self.under_way.try_read().map(|under_way| Arc::clone(&under_way));
        let pending = under_way.ok().and_then(|under_way| {
            let pending = under_way.pending.try_lock();
            pending.map(|mut pending| std::mem::take(&mut *pending)).ok()
        });
        drop(pending);
        self.log.clear();
    }
}
