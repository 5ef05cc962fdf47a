//! Waiting in the program's own select function, so that a cooperative scheduler's other tasks run meanwhile.
//!
//! Several tasks may wait on one core. One of them leads: it selects the servers' descriptors and takes what comes for
//! all. The others select a descriptor of their own, which the leading one makes readable when there is something for
//! them, or when they are to lead.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use omcache::driver::conn::Instant;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::shared::{Goal, Held, Leading, Progress, Shared, Wait};

/// A descriptor that one task selects, and another makes readable.
#[derive(Debug)]
struct Nudge {
    sleeper: UnixStream,
    waker: UnixStream,
}

impl Nudge {
    fn new() -> io::Result<Self> {
        let (sleeper, waker) = UnixStream::pair()?;
        sleeper.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        Ok(Self { sleeper, waker })
    }

    fn wake(&self) {
        // One that can't be written to is readable.
        let _ = (&self.waker).write(&[1]);
    }

    fn clear(&self) {
        let mut drain = [0; 64];
        while matches!((&self.sleeper).read(&mut drain), Ok(count) if count > 0) {}
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
            nudge.clear();
            self.spare.push(nudge);
        }
        if self.leader == Some(ticket) {
            self.leader = None;
            if let Some(next) = self.asleep.first() {
                next.nudge.wake();
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
    let ticket = match first.map_err(|error| PyOSError::new_err(error.to_string()))? {
        Ok(ticket) => ticket,
        Err(progress) => return Ok(progress),
    };
    let stay = Stay { shared, ticket };
    let mut fresh = true;
    loop {
        match py.detach(|| next(&mut shared.hold(), shared, wait, stay.ticket, fresh)) {
            Next::Ended(progress) => return Ok(progress),
            Next::Select(Selection { readable, writable, timeout }) => {
                select.call1((readable, writable, PyList::empty(py), timeout))?;
            }
        }
        fresh = false;
    }
}

/// Takes what came, and tells what to select. A fresh task has just looked.
fn next(held: &mut Held, shared: &Shared, wait: &Wait, ticket: u64, fresh: bool) -> Next {
    let mut now = held.core.driver.now();
    if let Some(sleeper) = held.sleepers.get(ticket) {
        sleeper.leading = None;
        sleeper.nudge.clear();
    }
    if !fresh {
        now = held.core.look(now);
        if let Some(progress) = shared.look(held, wait, now) {
            wake_others(held, ticket);
            return Next::Ended(progress);
        }
        wake_others(held, ticket);
    }
    let leads = *held.sleepers.leader.get_or_insert(ticket) == ticket;
    let mut selection = if leads { lead(held, wait, ticket, now) } else { follow(held, wait, now) };
    if let Some(sleeper) = held.sleepers.get(ticket) {
        selection.readable.push(sleeper.nudge.sleeper.as_raw_fd());
    }
    Next::Select(selection)
}

/// Wakes the tasks that have reached their goals.
fn wake_others(held: &mut Held, ticket: u64) {
    let Held { core, sleepers, .. } = held;
    for sleeper in sleepers.asleep.iter().filter(|sleeper| sleeper.ticket != ticket) {
        let reached = match sleeper.goal {
            Goal::Op(id) => core.is_done(id),
            Goal::Drained => core.is_drained(),
        };
        if reached {
            sleeper.nudge.wake();
        }
    }
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

fn follow(held: &mut Held, wait: &Wait, now: Instant) -> Selection {
    let leader = held.sleepers.leader.unwrap_or_default();
    if let Some(leading) = held.sleepers.get(leader).and_then(|leader| leader.leading.take()) {
        let covered = held.covers(&leading, now);
        if let Some(leader) = held.sleepers.get(leader) {
            leader.leading = Some(leading);
            if !covered {
                leader.nudge.wake();
            }
        }
    }
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
