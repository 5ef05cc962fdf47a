//! Waiting in `poll(2)`, and what follows from what became ready.

use std::io;
use std::os::fd::AsRawFd;
#[cfg(feature = "tokio")]
use std::os::fd::OwnedFd;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::Duration;

use omcache_conn::{Cluster, ConnectionId, Failure, Instant, Interest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;

#[cfg(feature = "tokio")]
use super::Transfer;
use super::{Descriptor, Driver};

/// Descriptors that one wait can watch without allocating.
const INLINE: usize = 8;
/// Connections that are read from before the first of them is decoded, where their values may be taken between: each has a
/// buffer of its own meanwhile.
const UNREAD: usize = 4;

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Something was read, written, connected or looked up.
    Progress,
    /// The time was over first, or a timer was due.
    Elapsed,
    /// A signal came first.
    Interrupted,
    /// There is nothing to wait for: no request is under way and no timer runs, or the deadline had passed.
    Nothing,
}

/// What a connection's socket is ready for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    readable: bool,
    writable: bool,
}

impl Readiness {
    #[inline]
    fn new(events: PollFlags) -> Self {
        let failed = events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        Self {
            readable: failed || events.contains(PollFlags::IN),
            writable: failed || events.contains(PollFlags::OUT),
        }
    }
}

/// What a runtime watches a descriptor for.
#[cfg(feature = "tokio")]
pub(crate) struct Watch<'d> {
    /// Whose it is; none is the resolver.
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) descriptor: &'d Arc<OwnedFd>,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// What `poll(2)` said.
enum Polled {
    /// There was nothing to poll for.
    Nothing,
    /// The time was over first.
    Elapsed,
    /// Those in `Driver::ready` are ready, or the resolver is.
    Ready,
}

#[inline]
fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.readable);
    flags.set(PollFlags::OUT, interest.writable);
    flags
}

#[inline]
pub(super) fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    }
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
        self.wait_taking(now, deadline, &mut |_| ())
    }

    /// As [`Driver::wait`]; where many connections are ready, `take` may take values between, so that their buffers serve
    /// the next ones. It is to do no more than that, and need not.
    ///
    /// # Errors
    /// As [`Driver::wait`].
    pub fn wait_taking(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        take: &mut dyn FnMut(&mut Cluster),
    ) -> io::Result<(Waited, Instant)> {
        self.flush(now);
        let until = match self.cluster.has_events() {
            // What came of this flush is told before anything is waited for.
            true => now,
            false => self.cluster.next_wakeup().min(deadline.unwrap_or(Instant::FAR_FUTURE)),
        };
        let timeout = (until != Instant::FAR_FUTURE).then(|| timespec(until.since(now)));
        let polled = self.poll_sockets(timeout.as_ref());
        let now = self.now();
        let waited = match polled {
            Ok(Polled::Nothing) => return self.sleep(now, until),
            Ok(polled) => self.handle_polled(now, polled, take),
            Err(Errno::INTR) => Waited::Interrupted,
            Err(error) => return Err(error.into()),
        };
        self.flush(now);
        Ok((waited, now))
    }

    /// Where no socket is to be watched: waits for the timers, if there are any.
    #[cold]
    fn sleep(&mut self, now: Instant, until: Instant) -> io::Result<(Waited, Instant)> {
        let mut waited = Waited::Nothing;
        let mut now = now;
        if until > now && self.cluster.poll_deadline().is_some() {
            waited = match poll(&mut [], Some(&timespec(until.since(now)))) {
                Ok(_) => Waited::Elapsed,
                Err(Errno::INTR) => Waited::Interrupted,
                Err(error) => return Err(error.into()),
            };
            now = self.now();
        }
        self.flush(now);
        Ok((waited, now))
    }

    /// Reads what has come already, where a timer is due: a program that was busy elsewhere must not take an answer that
    /// lies unread for silence.
    #[cold]
    pub(super) fn catch_up(&mut self, now: Instant) {
        // A poll that fails for want of memory is told by the wait that follows.
        if let Ok(polled) = self.poll_sockets(Some(&timespec(Duration::ZERO))) {
            self.handle_polled(now, polled, &mut |_| ());
        }
    }

    fn poll_sockets(&mut self, timeout: Option<&Timespec>) -> Result<Polled, Errno> {
        let Self { cluster, sockets, resolver, watched, ready, .. } = self;
        watched.clear();
        let mut polled: SmallVec<[PollFd<'_>; INLINE]> = SmallVec::new();
        polled.extend(cluster.interests().filter_map(|interest| {
            let socket = sockets.get(interest.connection.index())?.as_ref()?;
            watched.push(interest.connection);
            Some(PollFd::new(socket, flags(interest)))
        }));
        if let Some(descriptor) = resolver.descriptor() {
            polled.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        }
        if polled.is_empty() {
            return Ok(Polled::Nothing);
        }
        if poll(&mut polled, timeout)? == 0 {
            return Ok(Polled::Elapsed);
        }
        for (&connection, polled) in watched.iter().zip(&*polled) {
            let events = polled.revents();
            if !events.is_empty() {
                ready.push((connection, Readiness::new(events)));
            }
        }
        Ok(Polled::Ready)
    }

    #[inline]
    fn handle_polled(&mut self, now: Instant, polled: Polled, take: &mut dyn FnMut(&mut Cluster)) -> Waited {
        match polled {
            Polled::Nothing => return Waited::Nothing,
            Polled::Elapsed => return Waited::Elapsed,
            Polled::Ready => {}
        }
        let mut ready = std::mem::take(&mut self.ready);
        for (connection, readiness) in ready.drain(..) {
            if self.cluster.unread() >= UNREAD {
                take(&mut self.cluster);
                // By what takes: the others that are ready are the parent's.
                self.check_fork();
            }
            self.handle_ready(now, connection, readiness);
        }
        self.ready = ready;
        if self.resolver.descriptor().is_some() {
            self.take_answers(now);
        }
        Waited::Progress
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

    /// What a runtime is to watch now.
    #[cfg(feature = "tokio")]
    pub(crate) fn watches(&self) -> impl Iterator<Item = Watch<'_>> {
        let sockets = self.cluster.interests().filter_map(|interest| {
            let Interest { connection, readable, writable, .. } = interest;
            let descriptor = &self.sockets.get(connection.index())?.as_ref()?.descriptor;
            Some(Watch { connection: Some(connection), descriptor, readable, writable })
        });
        let resolver = self.resolver.shared_descriptor();
        sockets.chain(resolver.map(|descriptor| Watch {
            connection: None,
            descriptor,
            readable: true,
            writable: false,
        }))
    }

    /// Does what follows from a descriptor's readiness, of which a runtime told. False where there may be more to read.
    #[cfg(feature = "tokio")]
    pub(crate) fn handle_told(
        &mut self,
        now: Instant,
        connection: Option<ConnectionId>,
        (readable, writable): (bool, bool),
    ) -> bool {
        let Some(connection) = connection else {
            self.take_answers(now);
            return true;
        };
        let Some(Some(socket)) = self.sockets.get(connection.index()) else { return true };
        if !socket.connected || !readable {
            self.handle_ready(now, connection, Readiness { readable, writable });
            return false;
        }
        if writable {
            self.cluster.handle_writable(connection);
        }
        let space = self.cluster.receive_space(connection);
        let len = space.len();
        let result = socket.receive(space);
        let is_drained = !matches!(result, Ok(Transfer::Bytes(count)) if count == len);
        self.handle_read(now, connection, result);
        is_drained
    }

    #[inline]
    fn take_answers(&mut self, now: Instant) {
        for (lookup, found) in self.resolver.answers() {
            self.cluster.handle_resolved(now, lookup, found);
        }
    }

    /// How long the program may wait before a timer wants attention; none where no timer runs.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.cluster.poll_deadline().map(|deadline| deadline.since(self.now()))
    }
}
