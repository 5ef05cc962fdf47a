//! The client that waits: its state, and how a call runs.

mod batches;
mod configuration;
mod forked;
mod keys;
mod servers;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use omcache::driver::NotAlone;
use omcache::driver::conn::{Instant, Target};
use omcache::driver::proto::Request;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use crate::answer::{Answer, Space};
use crate::arguments::Timeout;
use crate::call::{Batch, Call, Gathered};
use crate::cooperative;
use crate::core::Core;
use crate::errors;
use crate::forks;
use crate::front::Front;
use crate::log::Log;
use crate::op::Op;
use crate::ret::Ret;
use crate::settings::Settings;
use crate::shared::{ALONE, Goal, Progress, Shared, Wait};

/// How long an operation may take unless the program says otherwise, in milliseconds.
const IO_TIMEOUT: i64 = 1000;

/// A client of a cluster of memcached servers, that waits for each answer.
///
/// Programs use `omcache.OMcache`, which is this class with servers, a log and a way to wait.
#[pyclass(subclass, frozen, module = "omcache._native")]
pub(crate) struct Client {
    shared: RwLock<Arc<Shared>>,
    settings: Mutex<Settings>,
    io_timeout: AtomicI64,
    buffering: AtomicBool,
    /// The forks that were known of when the core was made.
    forks: AtomicU64,
    log: Log,
    /// The program's own way to wait.
    select: Mutex<Option<Py<PyAny>>>,
    cooperates: AtomicBool,
}

/// How a call begins.
enum Begun {
    /// The client was freed.
    Freed,
    /// The request is on its way, and nobody waits for it.
    Buffered,
    Refused(Box<Answer>),
    /// The answer came at once; a short value is on the caller's stack.
    Answered(Answer),
    Waiting(Wait),
    Done(Box<Op>),
    Failed(String),
}

impl Begun {
    fn of(progress: Progress, wait: Wait) -> Self {
        match progress {
            Progress::Done(op) => Self::Done(op),
            Progress::Failed(reason) => Self::Failed(reason),
            _ => Self::Waiting(wait),
        }
    }
}

impl Front for Client {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_core<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> PyResult<R> {
        let shared = self.shared(py)?;
        Ok(py.detach(|| {
            let mut held = shared.hold();
            let done = work(&mut held.core);
            shared.pass_on(&mut held);
            done
        }))
    }
}

impl Client {
    /// The core, which in a forked child is a new one.
    #[inline]
    fn shared(&self, py: Python<'_>) -> PyResult<Arc<Shared>> {
        let forks = forks::count();
        if self.forks.load(Ordering::Relaxed) != forks {
            self.begin_anew(py, forks)?;
        }
        Ok(Arc::clone(&self.shared.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The timeout of a call. While buffering, one that has nothing to return does not wait unless it is told to.
    #[inline]
    fn timeout(&self, given: Option<i64>, returns: bool) -> Timeout {
        match given {
            Some(msec) => Timeout(msec),
            None if !returns && self.buffering.load(Ordering::Relaxed) => Timeout(0),
            None => Timeout(self.io_timeout.load(Ordering::Relaxed)),
        }
    }

    /// Runs a call of one request.
    #[inline]
    fn one(
        &self,
        py: Python<'_>,
        call: Call,
        target: Target,
        request: &Request<'_>,
        timeout: Timeout,
    ) -> PyResult<Py<PyAny>> {
        let alone = |core: &mut Core, now, deadline, space: &mut Space| {
            core.exchange_alone(now, target, request, deadline, space)
        };
        self.submit(py, call, timeout, alone, |core| core.submit(target, request))
    }

    /// Runs a call of the request that `submit` submits, or `alone` exchanges at once.
    #[inline]
    fn submit(
        &self,
        py: Python<'_>,
        call: Call,
        timeout: Timeout,
        alone: impl FnOnce(&mut Core, Instant, Instant, &mut Space) -> Result<Answer, NotAlone> + Send,
        submit: impl FnOnce(&mut Core) -> Result<u32, Answer> + Send,
    ) -> PyResult<Py<PyAny>> {
        let shared = self.shared(py)?;
        self.log.refresh(py, &*shared)?;
        let waits_here = !self.cooperates.load(Ordering::Relaxed);
        let inside = shared.enter();
        let mut space = Space::new();
        let begun = py.detach(|| {
            let mut held = shared.hold();
            let core = &mut held.core;
            if core.freed {
                return Begun::Freed;
            }
            let mut now = core.begin();
            let deadline = timeout.deadline(now);
            let mut submitted = None;
            if waits_here && !timeout.is_none() && call.wants_one() && shared.is_alone() {
                match alone(core, now, deadline.min(now + ALONE), &mut space) {
                    Ok(answer) => {
                        shared.pass_on(&mut held);
                        return Begun::Answered(answer);
                    }
                    Err(NotAlone::Submitted { opaque, now: later }) => {
                        (submitted, now) = (Some(opaque), later);
                    }
                    Err(_) => {}
                }
            }
            let opaque = match submitted.map_or_else(|| submit(core), Ok) {
                Ok(opaque) => opaque,
                Err(answer) => {
                    shared.pass_on(&mut held);
                    return Begun::Refused(Box::new(answer));
                }
            };
            if timeout.is_none() {
                core.leave(now);
                shared.pass_on(&mut held);
                return Begun::Buffered;
            }
            let wait = Wait { goal: Goal::Op(core.claim(opaque)), deadline };
            if waits_here { Begun::of(shared.work(held, &wait, now), wait) } else { Begun::Waiting(wait) }
        });
        if let Begun::Answered(mut answer) = begun {
            drop(inside);
            self.log.deliver(py, &*shared)?;
            let data = std::mem::take(&mut answer.data);
            return call.result_alone(py, answer, if data.is_empty() { &space } else { &data });
        }
        let op = self.finish(py, &shared, call.name, begun);
        drop(inside);
        self.log.deliver(py, &*shared)?;
        match op? {
            None => Ok(py.None()),
            Some(Ok(op)) => call.result(py, *op),
            Some(Err(mut answer)) => Err(call.failure(py, &mut answer)),
        }
    }

    /// Waits for the end of what was begun. None where nobody is to wait.
    #[inline]
    fn finish(
        &self,
        py: Python<'_>,
        shared: &Shared,
        name: &'static str,
        begun: Begun,
    ) -> PyResult<Option<Result<Box<Op>, Box<Answer>>>> {
        match begun {
            Begun::Done(op) => Ok(Some(Ok(op))),
            Begun::Buffered | Begun::Answered(_) => Ok(None),
            Begun::Refused(answer) => Ok(Some(Err(answer))),
            Begun::Freed => Err(errors::freed(py)),
            Begun::Failed(reason) => Err(errors::new(py, name, Ret::FAIL, &reason, true)),
            Begun::Waiting(wait) => match self.wait(py, shared, &wait)? {
                Progress::Done(op) => Ok(Some(Ok(op))),
                Progress::Failed(reason) => Err(errors::new(py, name, Ret::FAIL, &reason, true)),
                _ => Ok(None),
            },
        }
    }

    /// Waits until the goal is reached or the time is over.
    ///
    /// # Errors
    /// What a signal handler or the program's own way to wait has raised. The goal is given up then.
    #[cold]
    fn wait(&self, py: Python<'_>, shared: &Shared, wait: &Wait) -> PyResult<Progress> {
        let forks = forks::count();
        let result = match self.waiter(py) {
            Some(select) => cooperative::wait(py, shared, wait, select.bind(py)),
            None => loop {
                if let Err(error) = py.check_signals() {
                    break Err(error);
                }
                // By a signal's handler.
                if forks::count() != forks {
                    break Ok(Progress::lost());
                }
                let progress = py.detach(|| {
                    let held = shared.hold();
                    let now = held.core.driver.now();
                    shared.work(held, wait, now)
                });
                if !matches!(progress, Progress::Pause) {
                    break Ok(progress);
                }
            },
        };
        if matches!(result, Err(_) | Ok(Progress::Failed(_))) && forks::count() == forks {
            py.detach(|| shared.abandon(wait));
        }
        result
    }

    fn waiter(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        if !self.cooperates.load(Ordering::Relaxed) {
            return None;
        }
        self.select.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|select| select.clone_ref(py))
    }

    /// Runs a call of one request for each of many keys, in parts that fit the send buffers.
    fn many<'py, 'r>(
        &self,
        py: Python<'py>,
        batch: &Batch<'py>,
        timeout: Timeout,
        request: &(impl Fn(usize) -> Request<'r> + Sync),
    ) -> PyResult<Py<PyAny>> {
        let shared = self.shared(py)?;
        self.log.refresh(py, &*shared)?;
        let inside = shared.enter();
        let (count, mut from) = (batch.keys.len(), 0);
        let mut gathered = Gathered::new(py);
        let mut deadline = None;
        let waits_here = !self.cooperates.load(Ordering::Relaxed);
        let mut result = Ok(());
        while result.is_ok() && from < count {
            let (begun, next) = py.detach(|| {
                let mut held = shared.hold();
                let core = &mut held.core;
                if core.freed {
                    return (Begun::Freed, count);
                }
                let now = core.begin();
                let deadline = *deadline.get_or_insert_with(|| timeout.deadline(now));
                let (id, next) = core.submit_batch(now, from..count, request);
                if timeout.is_none() {
                    // Where a buffer is full the rest can't be accepted without waiting.
                    let op = core.release(id);
                    core.leave(now);
                    shared.pass_on(&mut held);
                    return (op.map_or(Begun::Buffered, Begun::Done), if next > from { next } else { count });
                }
                core.driver.cluster.settle_quiet();
                let wait = Wait { goal: Goal::Op(id), deadline };
                let begun = match waits_here {
                    true => Begun::of(shared.work(held, &wait, now), wait),
                    false => Begun::Waiting(wait),
                };
                (begun, next)
            });
            result = match self.finish(py, &shared, batch.name, begun) {
                Ok(Some(Ok(op))) => batch.take(py, &mut gathered, *op, next - from),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            from = next;
        }
        drop(inside);
        self.log.deliver(py, &*shared)?;
        result?;
        batch.result(gathered)
    }

    /// Sends what is buffered and waits until nothing is under way.
    fn drain(&self, py: Python<'_>, timeout: Timeout) -> PyResult<()> {
        let shared = self.shared(py)?;
        self.log.refresh(py, &*shared)?;
        let inside = shared.enter();
        let wait = py.detach(|| {
            let mut held = shared.hold();
            let core = &mut held.core;
            let now = core.begin();
            core.driver.cluster.settle_quiet();
            core.driver.flush(now);
            shared.pass_on(&mut held);
            Wait { goal: Goal::Drained, deadline: timeout.deadline(now) }
        });
        let progress = self.wait(py, &shared, &wait);
        drop(inside);
        self.log.deliver(py, &*shared)?;
        match progress? {
            Progress::Failed(reason) => Err(errors::new(py, "flush", Ret::FAIL, &reason, true)),
            Progress::NotDrained => {
                Err(errors::new(py, "flush", Ret::AGAIN, "something is still under way", true))
            }
            _ => Ok(()),
        }
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        py: Python<'_>,
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        let settings = Settings::default();
        let core = Core::new(&settings).map_err(|error| errors::usage(py, error.to_string()))?;
        Ok(Self {
            shared: RwLock::new(Arc::new(Shared::new(core))),
            settings: Mutex::new(settings),
            io_timeout: AtomicI64::new(IO_TIMEOUT),
            buffering: AtomicBool::new(false),
            forks: AtomicU64::new(forks::count()),
            log: Log::default(),
            select: Mutex::new(None),
            cooperates: AtomicBool::new(false),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(select) = self.select.try_lock()
            && let Some(select) = &*select
        {
            visit.call(select)?;
        }
        self.log.traverse(visit)
    }

    fn __clear__(&self) {
        if let Ok(mut select) = self.select.try_lock() {
            *select = None;
        }
        self.log.clear();
    }
}
