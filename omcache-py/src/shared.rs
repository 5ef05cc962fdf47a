//! A core that several threads use: who waits for the sockets, and how each one gets what it waits for.
//!
//! A thread that is alone waits in the driver for a moment, with the core held. After that, and where there are more, one
//! thread leads: it waits for the sockets without the core, so that the others can submit, and takes what comes for all.
//! The others wait for their turn. No thread that holds the core waits for the interpreter.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use omcache::Descriptor;
use omcache::driver::Waited;
use omcache::driver::conn::Instant;
use pyo3::Python;

use crate::cooperative::Sleepers;
use crate::core::Core;
use crate::log::Lines;
use crate::op::{Op, OpId};
use crate::poller::Poller;

/// After this long, a waiting thread looks after the program's signals.
const SIGNALS: Duration = Duration::from_millis(50);

/// How long a thread that is alone waits with the core held. Most answers come sooner.
pub(crate) const ALONE: Duration = Duration::from_millis(5);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The end of an operation.
    Op(OpId),
    /// That nothing is under way.
    Drained,
}

/// Something to wait for, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) goal: Goal,
    pub(crate) deadline: Instant,
}

/// How far waiting has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The operation is done, or was given up.
    Done(Box<Op>),
    /// Nothing is under way.
    Drained,
    /// The time was over before nothing was under way.
    NotDrained,
    /// Signals are to be looked after; then it goes on.
    Pause,
    /// The system refused to wait.
    Failed(String),
}

impl Progress {
    /// The operation is not this process's any more.
    #[cold]
    pub(crate) fn lost() -> Self {
        Self::Failed("the operation was lost by a fork".to_owned())
    }
}

/// What the leading thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Leading {
    pub(crate) watched: Vec<Descriptor>,
    /// When the next timer is due.
    pub(crate) until: Option<Instant>,
    /// What it waits for to be reached.
    goal: Option<Goal>,
}

/// The core, and who leads.
pub(crate) struct Held {
    pub(crate) core: Core,
    leading: Option<Leading>,
    /// Threads that wait for their turn.
    following: usize,
    scratch: Vec<Descriptor>,
    /// Those who wait in the program's own way.
    pub(crate) sleepers: Sleepers,
}

/// A core that several threads use.
pub(crate) struct Shared {
    held: Mutex<Held>,
    turn: Condvar,
    /// Threads with an operation at work.
    inside: AtomicUsize,
    /// Whether lines wait for the program's log.
    has_lines: Arc<AtomicBool>,
    poller: OnceLock<Option<Poller>>,
}

/// Counts a thread as one that has an operation at work.
pub(crate) struct Inside<'s>(&'s Shared);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(core: Core) -> Self {
        let has_lines = Arc::clone(&core.has_lines);
        Self {
            held: Mutex::new(Held {
                core,
                leading: None,
                following: 0,
                scratch: Vec::new(),
                sleepers: Sleepers::default(),
            }),
            has_lines,
            turn: Condvar::new(),
            inside: AtomicUsize::new(0),
            poller: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }

    /// Takes hold of the core. To be called without the interpreter: another thread may have it for milliseconds.
    #[inline]
    pub(crate) fn hold(&self) -> MutexGuard<'_, Held> {
        // The core is whole at every point where a panic could be.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes hold of the core if no other thread has it.
    pub(crate) fn try_hold(&self) -> Option<MutexGuard<'_, Held>> {
        match self.held.try_lock() {
            Ok(held) => Some(held),
            Err(std::sync::TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    /// Tells those who wait what concerns them, after the core was used for anything but a wait.
    #[inline]
    pub(crate) fn pass_on(&self, held: &mut Held) {
        if held.is_awaited() {
            self.tell_all(held);
        }
    }

    #[cold]
    fn tell_all(&self, held: &mut Held) {
        held.core.take_happened();
        self.tell(held, None);
        let now = held.core.driver.now();
        if held.leading.is_some() && !held.is_covered(now) {
            self.wake_leader();
        }
        held.nudge_leader(now);
    }

    /// Tells those who wait that something happened; `own` is the caller's goal, of which it knows.
    #[cold]
    fn tell(&self, held: &mut Held, own: Option<Goal>) {
        if held.following > 0 {
            self.turn.notify_all();
        }
        let goal = held.leading.as_ref().and_then(|leading| leading.goal);
        if goal.is_some_and(|goal| held.core.has_reached(goal)) {
            self.wake_leader();
        }
        held.sleepers.wake(&held.core, own);
    }

    fn wake_leader(&self) {
        if let Some(poller) = self.poller() {
            poller.wake();
        }
    }

    /// Whether no other thread has an operation at work.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.inside.load(Ordering::Relaxed) <= 1
    }

    fn poller(&self) -> Option<&Poller> {
        self.poller.get_or_init(|| Poller::new().ok()).as_ref()
    }

    /// Sends, receives and waits until the goal is reached, the time is over, or signals are to be looked after.
    #[inline]
    pub(crate) fn work<'s>(&'s self, held: MutexGuard<'s, Held>, wait: &Wait, now: Instant) -> Progress {
        let (held, progress) = self.work_held(held, wait, now);
        // Somebody is to take the lead.
        if held.following > 0 && held.leading.is_none() {
            self.turn.notify_all();
        }
        progress
    }

    #[inline]
    fn work_held<'s>(
        &'s self,
        mut held: MutexGuard<'s, Held>,
        wait: &Wait,
        mut now: Instant,
    ) -> (MutexGuard<'s, Held>, Progress) {
        let pause = now + SIGNALS;
        let mut alone = now + ALONE;
        loop {
            if let Some(progress) = self.look(&mut held, wait, now) {
                return (held, progress);
            }
            if now >= pause {
                return (held, Progress::Pause);
            }
            let until = wait.deadline.min(pause);
            if now >= alone || !self.is_alone() {
                let shared;
                (held, shared) = self.share(held, wait.goal, until);
                if let Some(progress) = shared {
                    return (held, progress);
                }
                now = held.core.driver.now();
                continue;
            }
            match held.core.driver.wait(now, Some(until.min(alone))) {
                Ok((Waited::Interrupted, _)) => return (held, Progress::Pause),
                Ok((Waited::Nothing, later)) if held.core.time_left().is_none() => {
                    now = later;
                    let progress = self.look(&mut held, wait, now);
                    let progress = progress.unwrap_or_else(|| self.end(&mut held, wait));
                    return (held, progress);
                }
                Ok((Waited::Progress, later)) => now = later,
                Ok((_, later)) => {
                    // It takes longer: others are to have the core meanwhile.
                    (now, alone) = (later, later);
                }
                Err(error) => return (held, Progress::Failed(error.to_string())),
            }
        }
    }

    /// Sends what can be sent, and looks whether the goal is reached or the time is over.
    #[inline]
    pub(crate) fn look(&self, held: &mut Held, wait: &Wait, now: Instant) -> Option<Progress> {
        let core = &mut held.core;
        core.driver.flush(now);
        core.take_events();
        if core.take_happened() && held.is_awaited() {
            self.tell(held, Some(wait.goal));
        }
        let core = &mut held.core;
        match wait.goal {
            Goal::Op(id) => {
                if let Some(op) = core.fetch(id) {
                    return Some(Progress::Done(op));
                }
            }
            Goal::Drained if core.is_drained() => return Some(Progress::Drained),
            Goal::Drained => {}
        }
        (now >= wait.deadline).then(|| self.end(held, wait))
    }

    /// Gives the goal up.
    #[cold]
    fn end(&self, held: &mut Held, wait: &Wait) -> Progress {
        match wait.goal {
            Goal::Op(id) => match held.core.give_up(id) {
                Some(op) => Progress::Done(op),
                None => Progress::lost(),
            },
            Goal::Drained => Progress::NotDrained,
        }
    }

    /// Gives up an operation that nobody will wait for any more.
    pub(crate) fn abandon(&self, wait: &Wait) {
        if let Goal::Op(id) = wait.goal {
            self.hold().core.give_up(id);
        }
    }

    /// Waits once, while other threads may use the core, which is held again when it returns.
    #[cold]
    fn share<'s>(
        &'s self,
        mut held: MutexGuard<'s, Held>,
        goal: Goal,
        until: Instant,
    ) -> (MutexGuard<'s, Held>, Option<Progress>) {
        let now = held.core.driver.now();
        let Some(poller) = self.poller() else {
            return (held, Some(Progress::Failed("no descriptors left to wait with".to_owned())));
        };
        if held.leading.is_some() {
            if !held.is_covered(now) {
                poller.wake();
            }
            held.following += 1;
            let waited = self.turn.wait_timeout(held, until.since(now));
            let (mut held, _) = waited.unwrap_or_else(PoisonError::into_inner);
            held.following -= 1;
            return (held, None);
        }
        let leading = Leading { goal: Some(goal), ..held.lead(now) };
        if let Err(error) = poller.watch(&leading.watched) {
            return (held, Some(Progress::Failed(error.to_string())));
        }
        let left = leading.until.map_or(until, |timer| timer.min(until)).since(now);
        held.leading = Some(leading);
        drop(held);
        let waited = poller.wait(Some(left));
        let mut held = self.hold();
        if let Some(leading) = held.leading.take() {
            held.scratch = leading.watched;
        }
        let now = held.core.driver.now();
        held.core.look(now);
        let progress = match waited {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Some(Progress::Pause),
            Err(error) => Some(Progress::Failed(error.to_string())),
            Ok(()) => None,
        };
        (held, progress)
    }
}

impl Lines for Shared {
    #[inline]
    fn has_lines(&self) -> bool {
        self.has_lines.load(Ordering::Relaxed)
    }

    fn with<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Core) -> R + Send) -> R {
        py.detach(|| work(&mut self.hold().core))
    }
}

impl Held {
    /// What the leading thread is to wait for now.
    pub(crate) fn lead(&mut self, now: Instant) -> Leading {
        let mut watched = std::mem::take(&mut self.scratch);
        watched.clear();
        self.core.driver.descriptors(&mut watched);
        Leading { watched, until: self.core.time_left().map(|left| now + left), goal: None }
    }

    /// Whether anybody waits while another one has the core.
    #[inline]
    fn is_awaited(&self) -> bool {
        self.following > 0 || self.leading.is_some() || !self.sleepers.is_empty()
    }

    /// Whether the leading thread's wait ends in time for all that is waited for now.
    fn is_covered(&mut self, now: Instant) -> bool {
        let Some(leading) = self.leading.take() else { return false };
        let covered = self.covers(&leading, now);
        self.leading = Some(leading);
        covered
    }

    /// Whether somebody who waits for that does not wait too long.
    pub(crate) fn covers(&mut self, leading: &Leading, now: Instant) -> bool {
        let timer = self.core.time_left().map(|left| now + left);
        let mut wanted = std::mem::take(&mut self.scratch);
        wanted.clear();
        self.core.driver.descriptors(&mut wanted);
        let in_time = match (timer, leading.until) {
            // A timer that was a moment later when it was first read is the same one.
            (Some(timer), Some(until)) => until <= timer + Duration::from_millis(1),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let watches = |one: &Descriptor| {
            leading.watched.iter().any(|other| {
                other.fd == one.fd && (other.readable || !one.readable) && (other.writable || !one.writable)
            })
        };
        let covered = in_time && wanted.iter().all(watches);
        self.scratch = wanted;
        covered
    }
}
