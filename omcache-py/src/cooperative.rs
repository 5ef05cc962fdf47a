//! Waiting in the program's own select function, so that a cooperative scheduler's other tasks run meanwhile.
//!
//! Several tasks may wait on one core. One of them leads: it selects the servers' descriptors and takes what comes for
//! all. The others select a descriptor of their own, which the leading one makes readable when there is something for
//! them, or when they are to lead.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use omcache::driver::conn::Instant;
use pyo3::prelude::*;
use pyo3::types::PyList;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io;

use crate::core::Core;
use crate::forks;
use crate::shared::{Goal, Held, Leading, Progress, Shared, Wait};

/// Descriptors that are kept for tasks to come. Where many tasks waited at once, the others' are closed.
const SPARE: usize = 16;

/// A descriptor that one task selects, and another makes readable.
#[derive(Debug)]
struct Nudge(OwnedFd);

impl Nudge {
    fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    fn wake(&self) {
        // One that can't be written to is readable.
        let _ = io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn clear(&self) {
        let _ = io::read(&self.0, &mut [0_u8; 8]);
    }
}

#[derive(Debug)]
struct Sleeper {
    ticket: u64,
    goal: Goal,
    nudge: Nudge,
    /// Set while it leads and selects.
    leading: Option<Leading>,
}

/// The tasks that wait on one core.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    asleep: Vec<Sleeper>,
    /// The one that leads.
    leader: Option<u64>,
    last_ticket: u64,
    /// Descriptors that no task uses now.
    spare: Vec<Nudge>,
}

impl Sleepers {
    fn enter(&mut self, goal: Goal) -> io::Result<u64> {
        let nudge = match self.spare.pop() {
            Some(nudge) => nudge,
            None => Nudge::new()?,
        };
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.asleep.push(Sleeper { ticket, goal, nudge, leading: None });
        Ok(ticket)
    }

    /// Takes a task off; where it led, another one is to.
    fn leave(&mut self, ticket: u64) {
        if let Some(at) = self.asleep.iter().position(|sleeper| sleeper.ticket == ticket) {
            let nudge = self.asleep.remove(at).nudge;
            if self.spare.len() < SPARE {
                nudge.clear();
                self.spare.push(nudge);
            }
        }
        if self.leader == Some(ticket) {
            self.leader = None;
            if let Some(next) = self.asleep.first() {
                next.nudge.wake();
            }
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.asleep.is_empty()
    }

    /// Wakes the tasks that have reached their goals, but the one whose operation is `own`.
    pub(crate) fn wake(&self, core: &Core, own: Option<Goal>) {
        let own = own.filter(|goal| matches!(goal, Goal::Op(_)));
        for sleeper in &self.asleep {
            if Some(sleeper.goal) != own && core.has_reached(sleeper.goal) {
                sleeper.nudge.wake();
            }
        }
    }

    fn get(&mut self, ticket: u64) -> Option<&mut Sleeper> {
        self.asleep.iter_mut().find(|sleeper| sleeper.ticket == ticket)
    }
}

/// What a task is to select.
struct Selection {
    readable: Vec<RawFd>,
    writable: Vec<RawFd>,
    /// Seconds.
    timeout: Option<f64>,
}

enum Next {
    Ended(Progress),
    Select(Selection),
}

/// A task's stay among those that wait, which ends with the value.
struct Stay<'s> {
    shared: &'s Shared,
    ticket: u64,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        // Held for moments only: nobody waits with it where tasks do.
        self.shared.hold().sleepers.leave(self.ticket);
    }
}

/// Waits in `select` until the goal is reached or the time is over.
///
/// # Errors
/// What `select` raises.
pub(crate) fn wait(
    py: Python<'_>,
    shared: &Shared,
    wait: &Wait,
    select: &Bound<'_, PyAny>,
) -> PyResult<Progress> {
    // What can be sent at once goes out before anything is selected.
    let first = py.detach(|| {
        let mut held = shared.hold();
        let now = held.core.driver.now();
        match shared.look(&mut held, wait, now) {
            Some(progress) => Ok(Err(progress)),
            None => held.sleepers.enter(wait.goal).map(Ok),
        }
    });
    let ticket = match first {
        Ok(Ok(ticket)) => ticket,
        Ok(Err(progress)) => return Ok(progress),
        Err(error) => return Ok(Progress::Failed(format!("no descriptor left to wait with: {error}"))),
    };
    let stay = Stay { shared, ticket };
    let forks = forks::count();
    let mut fresh = true;
    loop {
        match py.detach(|| next(&mut shared.hold(), shared, wait, ticket, fresh)) {
            Next::Ended(progress) => return Ok(progress),
            Next::Select(Selection { readable, writable, timeout }) => {
                let selected = select.call1((readable, writable, PyList::empty(py), timeout));
                if forks::count() != forks {
                    // The connections are the parent's, and a thread that is not here may hold the core.
                    std::mem::forget(stay);
                    selected?;
                    return Ok(Progress::lost());
                }
                selected?;
            }
        }
        fresh = false;
    }
}

/// Takes what came, and tells what to select. A fresh task has just looked.
fn next(held: &mut Held, shared: &Shared, wait: &Wait, ticket: u64, fresh: bool) -> Next {
    let mut now = held.core.driver.now();
    if !fresh {
        if let Some(sleeper) = held.sleepers.get(ticket) {
            sleeper.leading = None;
            sleeper.nudge.clear();
        }
        now = held.core.look(now);
        if let Some(progress) = shared.look(held, wait, now) {
            return Next::Ended(progress);
        }
    }
    let leads = *held.sleepers.leader.get_or_insert(ticket) == ticket;
    let mut selection = if leads { lead(held, wait, ticket, now) } else { follow(held, wait, now) };
    if let Some(sleeper) = held.sleepers.get(ticket) {
        selection.readable.push(sleeper.nudge.0.as_raw_fd());
    }
    Next::Select(selection)
}

fn lead(held: &mut Held, wait: &Wait, ticket: u64, now: Instant) -> Selection {
    let leading = held.lead(now);
    let fds = |wanted: fn(&omcache::Descriptor) -> bool| {
        leading.watched.iter().filter(|&one| wanted(one)).map(|one| one.fd).collect()
    };
    let until = leading.until.map_or(wait.deadline, |timer| timer.min(wait.deadline));
    let selection = Selection {
        readable: fds(|one| one.readable),
        writable: fds(|one| one.writable),
        timeout: seconds(until, now),
    };
    if let Some(sleeper) = held.sleepers.get(ticket) {
        sleeper.leading = Some(leading);
    }
    selection
}

impl Held {
    /// Wakes the task that leads where it does not select all that is waited for now.
    pub(crate) fn nudge_leader(&mut self, now: Instant) {
        let leader = self.sleepers.leader.unwrap_or_default();
        if let Some(leading) = self.sleepers.get(leader).and_then(|leader| leader.leading.take()) {
            let covered = self.covers(&leading, now);
            if let Some(leader) = self.sleepers.get(leader) {
                leader.leading = Some(leading);
                if !covered {
                    leader.nudge.wake();
                }
            }
        }
    }
}

fn follow(held: &mut Held, wait: &Wait, now: Instant) -> Selection {
    held.nudge_leader(now);
    Selection { readable: Vec::new(), writable: Vec::new(), timeout: seconds(wait.deadline, now) }
}

/// The time until then in seconds, rounded up to whole milliseconds; none for ever.
fn seconds(until: Instant, now: Instant) -> Option<f64> {
    if until == Instant::FAR_FUTURE {
        return None;
    }
    let msec = until.since(now).as_nanos().div_ceil(1_000_000);
    u32::try_from(msec).ok().map(|msec| f64::from(msec) / 1000.0)
}
