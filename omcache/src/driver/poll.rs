//! Waiting in `poll(2)`, and what follows from what became ready.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use omcache_conn::{ConnectionId, Failure, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;

use super::{Descriptor, Driver};

/// Descriptors that one wait can watch without allocating.
const INLINE: usize = 8;

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Something was read, written, connected or looked up.
    Progress,
    /// The time was over first, or a timer was due.
    Elapsed,
    /// A signal came first.
    Interrupted,
    /// There is nothing to wait for: no request is under way.
    Nothing,
}

/// What a connection's socket is ready for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    readable: bool,
    writable: bool,
}

impl Driver {
    /// Sends what is queued, waits until a socket is ready, a timer is due or `deadline` has come, and does what follows.
    /// A deadline that has passed makes it a look at the sockets without waiting. All events that were told before must
    /// have been polled.
    ///
    /// # Errors
    /// Where `poll(2)` itself fails, for want of memory.
    ///
    /// Returned beside what it came to is the moment at its end.
    pub fn wait(&mut self, now: Instant, deadline: Option<Instant>) -> io::Result<(Waited, Instant)> {
        self.flush(now);
        let timer = self.cluster.poll_deadline();
        let until = match (deadline, timer) {
            (Some(deadline), Some(timer)) => Some(deadline.min(timer)),
            (deadline, timer) => deadline.or(timer),
        };
        let mut ready = std::mem::take(&mut self.ready);
        let polled = self.poll_sockets(until.map(|until| until.since(now)), &mut ready);
        let result = match polled {
            Ok(Some(0)) => Ok(Waited::Elapsed),
            Ok(Some(_)) => Ok(Waited::Progress),
            Ok(None) => Ok(Waited::Nothing),
            Err(Errno::INTR) => Ok(Waited::Interrupted),
            Err(error) => Err(error.into()),
        };
        let now = self.now();
        if matches!(result, Ok(Waited::Progress)) {
            for (connection, readiness) in ready.drain(..) {
                self.handle_ready(now, connection, readiness);
            }
            for (lookup, found) in self.resolver.answers() {
                self.cluster.handle_resolved(now, lookup, found);
            }
            self.flush(now);
        }
        self.ready = ready;
        result.map(|waited| (waited, now))
    }

    /// Polls; none where there is nothing to poll for.
    fn poll_sockets(
        &self,
        timeout: Option<Duration>,
        ready: &mut Vec<(ConnectionId, Readiness)>,
    ) -> Result<Option<usize>, Errno> {
        let mut watched: SmallVec<[ConnectionId; INLINE]> = SmallVec::new();
        let mut polled: SmallVec<[PollFd<'_>; INLINE]> = SmallVec::new();
        for interest in self.cluster.interests() {
            let Some(Some(socket)) = self.sockets.get(interest.connection.index()) else { continue };
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, interest.readable);
            flags.set(PollFlags::OUT, interest.writable);
            watched.push(interest.connection);
            polled.push(PollFd::new(socket, flags));
        }
        if let Some(descriptor) = self.resolver.descriptor() {
            polled.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        }
        if polled.is_empty() {
            return Ok(None);
        }
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let count = poll(&mut polled, timeout.as_ref())?;
        for (connection, polled) in watched.into_iter().zip(&polled) {
            let events = polled.revents();
            if events.is_empty() {
                continue;
            }
            let failed = events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
            let readable = failed || events.contains(PollFlags::IN);
            ready.push((
                connection,
                Readiness { readable, writable: failed || events.contains(PollFlags::OUT) },
            ));
        }
        Ok(Some(count))
    }

    fn handle_ready(&mut self, now: Instant, connection: ConnectionId, readiness: Readiness) {
        let Some(Some(socket)) = self.sockets.get_mut(connection.index()) else { return };
        if !socket.connected {
            match socket.finish_connect() {
                Ok(()) => self.cluster.handle_connected(now, connection),
                Err(error) => self.lose(now, connection, Failure::io("connect", &error)),
            }
            return;
        }
        if readiness.writable {
            self.cluster.handle_writable(connection);
        }
        if readiness.readable {
            self.receive(now, connection);
        }
    }

    /// The descriptors to be watched now, for the program's own event loop: appended to `to`.
    pub fn descriptors(&self, to: &mut Vec<Descriptor>) {
        for interest in self.cluster.interests() {
            let Some(Some(socket)) = self.sockets.get(interest.connection.index()) else { continue };
            let fd = std::os::fd::AsFd::as_fd(socket).as_raw_fd();
            to.push(Descriptor { fd, readable: interest.readable, writable: interest.writable });
        }
        if let Some(descriptor) = self.resolver.descriptor() {
            to.push(Descriptor { fd: descriptor.as_raw_fd(), readable: true, writable: false });
        }
    }

    /// How long the program may wait before a timer wants attention; none where no timer runs.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.cluster.poll_deadline().map(|deadline| deadline.since(self.now()))
    }
}
