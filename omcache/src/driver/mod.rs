//! The layer under [`Client`](crate::Client): it drives a cluster's state machine with sockets, `poll(2)` and a clock.
//!
//! Most programs want [`Client`](crate::Client). This layer is for fronts: the C library and the Python module stand on
//! it. Its vocabulary is that of the crates below, which it passes on as [`conn`] and [`proto`]: their
//! versions are part of this module's interface, and change more often than the rest of this crate.

pub use omcache_conn as conn;
pub use omcache_hash as hash;
pub use omcache_proto as proto;

mod log;
mod lone;
mod poll;
mod resolver;
mod socket;

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use forkguard::Guard;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use omcache_conn::{Action, Address, Cluster, Config, ConnectionId, Failure, Instant, ServerEvent};

pub(crate) use self::log::Logger;
pub use self::log::{Level, LogLine};
pub use self::lone::NotAlone;
pub use self::poll::Waited;
#[cfg(feature = "tokio")]
pub(crate) use self::poll::Watch;
use self::resolver::Resolver;
use self::socket::{Connecting, Socket, Transfer};

/// A connection that rested this long is read from before it is written to: a server that was restarted meanwhile is
/// then found gone before anything is sent that could not be sent again.
const REST: Duration = Duration::from_secs(1);

/// A descriptor that waits for something, for the program's own event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// The descriptor. It stays this crate's: it is to be watched, not read, written or closed.
    pub fd: RawFd,
    /// Whether to wait until it is readable.
    pub readable: bool,
    /// Whether to wait until it is writable.
    pub writable: bool,
}

/// Sockets, look-ups, a clock, and the [`Cluster`] that they serve.
pub struct Driver {
    /// The state machine. What it wants done is done by [`Driver::step`].
    pub cluster: Cluster,
    sockets: Vec<Option<Socket>>,
    resolver: Resolver,
    /// The clock at the beginning, in nanoseconds.
    origin: u64,
    pub(crate) logger: Logger,
    /// What a wait watches, and what of it is ready; kept for their memory.
    watched: Vec<ConnectionId>,
    ready: Vec<(ConnectionId, poll::Readiness)>,
    /// While set, nothing is sent before [`Driver::wait`].
    buffering: bool,
    socket_buffer: Option<usize>,
    forks: Forks,
}

/// By what a fork is noticed.
enum Forks {
    /// A flag that the C library raises in the child.
    Flag(Guard),
    /// Another process id, where the flag can't be had; it costs a system call each time.
    Process(u32),
}

impl Forks {
    #[inline]
    fn detected(&mut self) -> bool {
        match self {
            Self::Flag(guard) => guard.detected_fork(),
            Self::Process(known) => {
                let present = std::process::id();
                std::mem::replace(known, present) != present
            }
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver without servers. Nothing is opened or started before a request wants it.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut logger = Logger::default();
        let forks = Guard::try_new().map_or_else(
            |error| {
                let text = format_args!("forks are noticed by the process id: {error:?}");
                logger.log(Level::Warning, text);
                Forks::Process(std::process::id())
            },
            Forks::Flag,
        );
        Self {
            cluster: Cluster::new(config),
            sockets: Vec::new(),
            resolver: Resolver::default(),
            origin: monotonic_nanos(),
            logger,
            watched: Vec::new(),
            ready: Vec::new(),
            buffering: false,
            socket_buffer: None,
            forks,
        }
    }

    /// The present moment on this driver's clock.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(monotonic_nanos().saturating_sub(self.origin))
    }

    /// While on, requests stay in their buffers until [`Driver::flush`] or [`Driver::wait`].
    pub fn set_buffering(&mut self, on: bool) {
        self.buffering = on;
    }

    /// Whether requests stay in their buffers.
    #[must_use]
    pub fn buffering(&self) -> bool {
        self.buffering
    }

    /// Sets the size of the kernel's buffers of connections made from now on, in bytes; none leaves it to the kernel.
    pub fn set_socket_buffer(&mut self, size: Option<usize>) {
        self.socket_buffer = size;
    }

    /// Sends log lines to a queue instead of the `log` facade, those of `level` and above; see [`Driver::log_lines`].
    pub fn queue_log(&mut self, level: Option<Level>) {
        self.logger.queue(level);
    }

    /// Takes the lines that were logged since the last call.
    pub fn log_lines(&mut self) -> Vec<LogLine> {
        self.logger.take()
    }

    /// Where the process was forked since the last call: closes this process's copies of the parent's connections,
    /// without a word to the servers. What was under way ends as failed here; in the parent it goes on. Whether it was.
    #[inline]
    pub fn check_fork(&mut self) -> bool {
        let forked = self.forks.detected();
        if forked {
            self.forked();
        }
        forked
    }

    #[cold]
    fn forked(&mut self) {
        // The parent's look-up threads are not here, and one may have held the lock.
        std::mem::forget(std::mem::take(&mut self.resolver));
        self.cluster.disconnect_all();
        self.perform(self.now());
    }

    /// Does what can be done without waiting and without a look at the sockets: timers, connects, and sending (unless
    /// buffering is on).
    #[inline]
    pub fn step(&mut self, now: Instant) {
        self.handle_time(now);
        self.perform(now);
        if !self.buffering {
            self.transmit(now);
        }
    }

    /// Sends what is queued as far as the sockets take it, even while buffering.
    #[inline]
    pub fn flush(&mut self, now: Instant) {
        if self.cluster.rests(now) {
            return;
        }
        self.handle_time(now);
        self.perform(now);
        self.transmit(now);
    }

    /// Tells the state machine the time, after it was told what came until then. A front calls this, not the state
    /// machine's own.
    #[inline]
    pub fn handle_time(&mut self, now: Instant) {
        if self.cluster.next_wakeup() <= now {
            self.catch_up(now);
        }
        self.cluster.handle_time(now);
    }

    #[inline]
    fn perform(&mut self, now: Instant) {
        while let Some(action) = self.cluster.poll_action() {
            self.perform_one(now, action);
        }
    }

    #[cold]
    fn perform_one(&mut self, now: Instant, action: Action) {
        match action {
            Action::Resolve { lookup, host, port } => {
                let is_awaited = |lookup| self.cluster.awaits(lookup);
                if let Err(failure) = self.resolver.ask(lookup, (host, port), is_awaited) {
                    self.cluster.handle_resolved(now, lookup, Err(failure));
                }
            }
            Action::Connect { connection, address } => self.connect(now, connection, &address),
            Action::Close { connection } => {
                if let Some(place) = self.sockets.get_mut(connection.index()) {
                    *place = None;
                }
            }
            other => self.logger.log(Level::Error, format_args!("nothing is known of {other:?}")),
        }
    }

    fn connect(&mut self, now: Instant, connection: ConnectionId, address: &Address) {
        let at = connection.index();
        if self.sockets.len() <= at {
            self.sockets.resize_with(at + 1, || None);
        }
        match Socket::connect(address, self.socket_buffer) {
            Ok((socket, begun)) => {
                if let Some(place) = self.sockets.get_mut(at) {
                    *place = Some(socket);
                }
                if begun == Connecting::Done {
                    self.cluster.handle_connected(now, connection);
                }
            }
            // A Unix socket whose backlog is full says so at once, and of its room nothing tells.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.cluster.handle_busy(now, connection);
            }
            Err(error) => self.cluster.handle_lost(now, connection, Failure::io("connect", &error)),
        }
    }

    #[inline]
    fn transmit(&mut self, now: Instant) {
        while let Some(transmit) = self.cluster.poll_transmit() {
            let connection = transmit.connection;
            let at = connection.index();
            let Some(Some(socket)) = self.sockets.get_mut(at) else {
                let gone = io::Error::from(io::ErrorKind::NotConnected);
                self.cluster.handle_lost(now, connection, Failure::io("send", &gone));
                continue;
            };
            let rested = socket.rests(now, REST);
            socket.touch(now);
            if rested {
                self.look_at_rested(now, connection);
                continue;
            }
            let (result, len) = (socket.send(transmit.bytes), transmit.bytes.len());
            self.handle_transfer(now, connection, result, len);
            if self.cluster.has_action() {
                self.perform(now);
            }
        }
    }

    /// Reports what came of writing `len` bytes.
    #[inline]
    fn handle_transfer(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        result: io::Result<Transfer>,
        len: usize,
    ) {
        match result {
            Ok(Transfer::Bytes(count)) => {
                self.cluster.handle_sent(now, connection, count);
                if count != len {
                    self.cluster.handle_blocked(now, connection);
                }
            }
            Ok(Transfer::WouldBlock) => self.cluster.handle_blocked(now, connection),
            Ok(Transfer::Closed) => self.cluster.handle_lost(now, connection, Failure::Closed),
            Err(error) => self.cluster.handle_lost(now, connection, Failure::io("send", &error)),
        }
    }

    /// Reads before the first write after a rest; see [`REST`].
    #[cold]
    fn look_at_rested(&mut self, now: Instant, connection: ConnectionId) {
        self.receive(now, connection);
        self.cluster.handle_writable(connection);
        self.cluster.handle_time(now);
        self.perform(now);
    }

    #[inline]
    fn receive(&mut self, now: Instant, connection: ConnectionId) {
        let Some(Some(socket)) = self.sockets.get(connection.index()) else { return };
        let space = self.cluster.receive_space(connection);
        let result = socket.receive(space);
        self.handle_read(now, connection, result);
    }

    /// Reports what came of reading.
    #[inline]
    fn handle_read(&mut self, now: Instant, connection: ConnectionId, result: io::Result<Transfer>) {
        match result {
            Ok(Transfer::Bytes(count)) => self.cluster.handle_received(now, connection, count),
            Ok(Transfer::WouldBlock) => self.cluster.handle_received(now, connection, 0),
            Ok(Transfer::Closed) => self.lose(now, connection, Failure::Closed),
            Err(error) => self.lose(now, connection, Failure::io("receive", &error)),
        }
    }

    fn lose(&mut self, now: Instant, connection: ConnectionId, failure: Failure) {
        self.cluster.handle_lost(now, connection, failure);
        self.perform(now);
    }

    /// Logs a change of a server's state.
    pub fn log_change(&mut self, event: &ServerEvent) {
        self.logger.change(event);
    }
}

/// The system's monotonic clock, in nanoseconds; read through the C library, whose way to it every tool knows.
#[inline]
fn monotonic_nanos() -> u64 {
    // There is no system without this clock.
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or(TimeSpec::new(0, 0));
    time.tv_sec().cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec().cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_flag_another_process_id_tells_of_a_fork() {
        let mut forks = Forks::Process(std::process::id());
        assert!(!forks.detected());
        forks = Forks::Process(0);
        assert!(forks.detected() && !forks.detected(), "it is noticed once");
    }
}
