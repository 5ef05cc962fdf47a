//! The client: commands that wait for their answer, with one deadline for all of it.

mod batch;
mod builder;
mod external;
mod inbox;
mod queue;
mod raw;
mod results;
mod servers;
mod single;
mod waiting;

use std::time::Duration;

use omcache_conn::{Cluster, Event, Instant, Outcome, Response, SubmitError, Target};
use omcache_proto::Request;

use self::inbox::{Inbox, Unnamed};
use crate::driver::{Driver, NotAlone, Waited};
use crate::error::{Error, ErrorKind};

pub use self::builder::ClientBuilder;
pub use self::external::Completion;
#[cfg(feature = "tokio")]
pub(crate) use self::external::{NotSubmitted, Sent};
pub use self::queue::Flushed;
pub use self::raw::{RawRequest, RawResponse};
pub use self::servers::{ServerInfo, ServerState};
#[cfg(feature = "tokio")]
pub(crate) use self::waiting::Waiting;

/// Names a request that was submitted without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u32);

/// A client of a cluster of memcached servers.
///
/// Commands that return a result wait for the answer, at most the client's timeout: it covers the name look-up, the
/// connect, the exchange, and going on to another server. They wait in `poll(2)`, on this client's own descriptors; a
/// signal does not end the wait. Connections are made when they are first needed and kept.
///
/// The same client serves an event loop: [`Client::submit`] takes a command without waiting, [`Client::descriptors`] and
/// [`Client::time_left`] tell what to wait for, [`Client::step`] does what can be done, and [`Client::next_completion`]
/// has the results.
///
/// Dropping a client closes its connections: what was queued or submitted and is not sent is lost, so call
/// [`Client::flush`] first.
///
/// A client can be moved between threads; to share it, put it behind a lock, or give each thread its own. After `fork`
/// the child makes connections of its own and leaves the parent's alone.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use omcache::{Client, Expiration, testing::Server};
///
/// let server = Server::start()?;
/// let mut client = Client::builder().server(server.address())?.build()?;
/// let _ = client.set("greeting", "hello", Expiration::NEVER)?;
/// let value = client.get("greeting")?.ok_or("a miss")?;
/// assert_eq!(value.data, "hello");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    driver: Driver,
    inbox: Inbox,
    timeout: Option<Duration>,
    /// Bytes that may be queued before the time and the servers are to be looked at.
    sends_in: usize,
}

/// Whether more of its kind may follow, which cost less to ask for.
fn is_silent(event: &Event<'_>) -> bool {
    matches!(event, Event::Settled(settled) if settled.outcome == Outcome::Silent)
}

impl Client {
    /// A client to be configured.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A client of these servers, a comma-separated list, with everything else left as it is by default.
    ///
    /// # Errors
    /// A server that can't be read.
    pub fn connect_to(servers: &str) -> Result<Self, Error> {
        Self::builder().servers(servers)?.build()
    }

    fn new(driver: Driver, timeout: Option<Duration>) -> Self {
        Self { driver, inbox: Inbox::default(), timeout, sends_in: 0 }
    }

    /// How long a command may take; none is for ever.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Sets how long a command may take; none is for ever (a server that hangs still ends it, by the dead timeout).
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        self.timeout.map(|timeout| now + timeout)
    }

    /// Looks after what went on since the last call, so that the next request is placed by the present state.
    #[inline]
    fn begin(&mut self) -> Instant {
        self.driver.check_fork();
        let now = self.driver.now();
        self.catch_up(now);
        now
    }

    /// As [`Client::begin`], behind the look at the clock.
    fn catch_up(&mut self, now: Instant) {
        self.driver.handle_time(now);
        if self.driver.cluster.has_handshake() {
            self.look_around(now);
        }
    }

    /// Looks at the sockets without waiting, and takes the events that follow.
    fn look_around(&mut self, now: Instant) {
        // A poll that fails for want of memory is told by the wait that follows.
        if let Ok((Waited::Progress, now)) = self.driver.wait(now, Some(now)) {
            self.take_events();
            self.driver.flush(now);
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.driver.cluster.poll_event() {
            let silent = is_silent(&event);
            let unnamed = self.inbox.take(event, &mut self.driver.logger);
            self.name_kept(unnamed);
            if silent && self.inbox.abandoned_none() {
                self.inbox.take_all_silent(self.driver.cluster.drop_silent());
            } else if silent {
                let inbox = &mut self.inbox;
                self.driver.cluster.take_silent(|opaque| inbox.take_silent(opaque));
            }
        }
    }

    /// Sends a request and waits for its answer.
    #[inline(always)]
    fn exchange<T>(
        &mut self,
        target: Target,
        request: &Request<'_>,
        answer: impl FnOnce(Response<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.driver.check_fork();
        let mut now = self.driver.now();
        let deadline = self.deadline(now);
        let opaque = match self.driver.exchange_alone(now, target, request, deadline) {
            Ok(response) => {
                let server = response.server();
                return answer(response).map_err(|error| self.name_server(error, Some(server)));
            }
            Err(NotAlone::Submitted { opaque, now: later }) => {
                now = later;
                opaque
            }
            Err(_) => {
                self.catch_up(now);
                match self.driver.cluster.submit(target, request) {
                    Ok(opaque) => opaque,
                    Err(SubmitError::SendBufferFull { needed, limit, .. }) if needed <= limit => {
                        self.submit_with_room(now, |cluster| cluster.submit(target, request))?
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let mut answer = Some(answer);
        self.await_answer(now, deadline, opaque, |response| answer.take().map(|answer| answer(response)))
    }

    /// Submits a request; where the send buffer could hold it and has no room, waits until it has.
    fn submit_patiently(
        &mut self,
        now: Instant,
        submit: impl Fn(&mut Cluster) -> Result<u32, SubmitError>,
    ) -> Result<u32, Error> {
        match submit(&mut self.driver.cluster) {
            Err(SubmitError::SendBufferFull { needed, limit, .. }) if needed <= limit => {
                self.submit_with_room(now, submit)
            }
            result => Ok(result?),
        }
    }

    /// Waits until the send buffer has room for a request that it could hold, and submits it.
    #[cold]
    fn submit_with_room(
        &mut self,
        mut now: Instant,
        submit: impl Fn(&mut Cluster) -> Result<u32, SubmitError>,
    ) -> Result<u32, Error> {
        let deadline = self.deadline(now);
        loop {
            // Events may let something go, and sending makes room: only where neither does is there something to
            // wait for.
            self.take_events();
            self.driver.flush(now);
            self.take_events();
            match submit(&mut self.driver.cluster) {
                Err(SubmitError::SendBufferFull { needed, limit, .. }) if needed <= limit => {}
                result => return Ok(result?),
            }
            now = self.pause(now, deadline).map_err(|error| match error.kind() {
                ErrorKind::Timeout => Error::timeout(false),
                _ => error,
            })?;
        }
    }

    /// Waits until `answer` makes something of a response to the request.
    #[inline]
    fn await_answer<T>(
        &mut self,
        mut now: Instant,
        deadline: Option<Instant>,
        opaque: u32,
        mut answer: impl FnMut(Response<'_>) -> Option<Result<T, Error>>,
    ) -> Result<T, Error> {
        loop {
            self.driver.flush(now);
            while let Some(event) = self.driver.cluster.poll_event() {
                match event {
                    Event::Response(response) if response.opaque() == opaque => {
                        let server = response.server();
                        if let Some(answer) = answer(response) {
                            return answer.map_err(|error| self.name_server(error, Some(server)));
                        }
                    }
                    Event::Settled(settled) if settled.opaque == opaque => {
                        let error = Error::from_outcome(settled.outcome).unwrap_or(Error::timeout(true));
                        return Err(self.name_server(error, settled.server));
                    }
                    other => {
                        let unnamed = self.inbox.take(other, &mut self.driver.logger);
                        self.name_kept(unnamed);
                    }
                }
            }
            now = match self.pause(now, deadline) {
                Ok(now) => now,
                Err(error) => return Err(self.give_up(opaque, 1, 1, error, |_| ())),
            };
        }
    }

    /// Waits once, for no longer than the deadline.
    #[inline]
    fn pause(&mut self, now: Instant, deadline: Option<Instant>) -> Result<Instant, Error> {
        self.pause_taking(now, deadline, &mut |_| ())
    }

    /// As [`Client::pause`]; where many connections are ready, `take` may take values between.
    fn pause_taking(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        take: &mut dyn FnMut(&mut Cluster),
    ) -> Result<Instant, Error> {
        if deadline.is_some_and(|deadline| deadline < now) {
            // What came until then has been looked at; a stream of other answers may not stretch the time.
            return Err(Error::timeout(true));
        }
        match self.driver.wait_taking(now, deadline, take) {
            // What became ready is looked at once more, even where the deadline passed meanwhile.
            Ok((Waited::Progress, now)) => Ok(now),
            Ok((waited, now)) => {
                let over = deadline.is_some_and(|deadline| deadline <= now);
                let idle = waited == Waited::Nothing && self.driver.cluster.poll_deadline().is_none();
                if over || idle { Err(Error::timeout(true)) } else { Ok(now) }
            }
            Err(error) => Err(Error::new(ErrorKind::System, error)),
        }
    }

    /// Gives up on `count` requests from `first` on, of which `unsettled` have no outcome yet: those that are not sent
    /// are taken back and named to `not_sent`, the answers to the others will be dropped.
    #[cold]
    fn give_up(
        &mut self,
        first: u32,
        count: u32,
        unsettled: u32,
        error: Error,
        mut not_sent: impl FnMut(u32),
    ) -> Error {
        let mut taken_back = 0;
        self.driver.cluster.cancel(first, count, |opaque| {
            taken_back += 1;
            not_sent(opaque);
        });
        if taken_back < unsettled {
            self.inbox.abandon(first, count, unsettled - taken_back);
            // Outcomes that are known by now are told to nobody.
            self.take_events();
        }
        match error.kind() {
            ErrorKind::Timeout => Error::timeout(taken_back < unsettled),
            _ => error,
        }
    }

    /// Names the server of a failure that was kept for others.
    #[inline]
    fn name_kept(&mut self, unnamed: Option<Unnamed>) {
        if let Some(unnamed) = unnamed
            && let Some(server) = self.driver.cluster.server(unnamed.server)
        {
            self.inbox.name(unnamed, server.to_string());
        }
    }

    #[cold]
    fn name_server(&self, error: Error, server: Option<usize>) -> Error {
        match server.and_then(|server| self.driver.cluster.server(server)) {
            Some(server) => error.with_server(server.to_string()),
            None => error,
        }
    }
}
