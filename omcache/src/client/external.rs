//! The client in a program's own event loop: nothing here waits.

#[cfg(feature = "tokio")]
use std::os::fd::OwnedFd;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tokio")]
use omcache_conn::cluster::Lone;
#[cfg(feature = "tokio")]
use omcache_conn::{ConnectionId, SubmitError, TakenValue};
use omcache_conn::{Instant, Target};

#[cfg(feature = "tokio")]
use super::Waiting;
use super::{Client, Ticket};
#[cfg(feature = "tokio")]
use crate::command::{self, Value};
use crate::command::{Command, Reply};
use crate::driver::Descriptor;
#[cfg(feature = "tokio")]
use crate::driver::{NotAlone, Watch};
use crate::error::Error;

/// The result of a submitted command.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completion {
    /// The command.
    pub ticket: Ticket,
    /// What it came to.
    pub result: Result<Reply, Error>,
}

/// How a command was sent.
#[cfg(feature = "tokio")]
pub(crate) enum Sent {
    /// Alone, at this moment.
    Alone { lone: Lone, at: Instant },
    /// The general way.
    Submitted { ticket: Ticket, at: Instant },
}

/// Why a command was not submitted.
#[cfg(feature = "tokio")]
pub(crate) enum NotSubmitted {
    /// The send buffer of the server has no room for it now.
    Full {
        /// The server's index.
        server: usize,
    },
    /// It can't be.
    Failed(Error),
}

/// # Many commands at a time
///
/// [`Client::submit_later`] stands between [`Client::begin_turn`] and [`Client::end_turn`].
#[cfg(feature = "tokio")]
impl Client {
    pub(crate) fn begin_turn(&mut self) -> Instant {
        self.begin()
    }

    /// Takes a command, unless others wait for its server; nothing is sent yet.
    pub(crate) fn submit_later(
        &mut self,
        command: &Command<'_>,
        waiting: &Waiting,
    ) -> Result<Ticket, NotSubmitted> {
        let request = command.request(false).map_err(NotSubmitted::Failed)?;
        if !waiting.is_empty() {
            let server = request.key().and_then(|key| self.driver.cluster.server_for_key(key.as_bytes()));
            if let Some(server) = server.filter(|&server| waiting.has(server)) {
                return Err(NotSubmitted::Full { server });
            }
        }
        match self.driver.cluster.submit(Target::Key, &request) {
            Ok(opaque) => Ok(Ticket(opaque)),
            Err(SubmitError::SendBufferFull { server, needed, limit, .. }) if needed <= limit => {
                Err(NotSubmitted::Full { server })
            }
            Err(error) => Err(NotSubmitted::Failed(error.into())),
        }
    }

    /// Takes commands together, in their order for each server; nothing is sent yet. `each` is told of every one, by its place.
    /// False, with nothing done, where one is invalid.
    pub(crate) fn submit_together(
        &mut self,
        commands: &[Command<'_>],
        mut each: impl FnMut(usize, Result<Ticket, NotSubmitted>),
    ) -> bool {
        let key = |at: usize| commands.get(at).map_or(&[][..], Command::key);
        let request = |at: usize| commands.get(at)?.request(false).ok();
        self.driver.cluster.submit_many(commands.len(), key, request, |submitted| {
            let result = match submitted.result {
                Ok(opaque) => Ok(Ticket(opaque)),
                Err(SubmitError::SendBufferFull { server, needed, limit, .. }) if needed <= limit => {
                    Err(NotSubmitted::Full { server })
                }
                Err(error) => Err(NotSubmitted::Failed(error.into())),
            };
            each(submitted.at, result);
        })
    }

    /// Takes the values that come next, as long as they are for commands that are wanted.
    pub(crate) fn take_values(
        &mut self,
        is_wanted: impl Fn(Ticket) -> bool,
        mut each: impl FnMut(Ticket, Value),
    ) {
        self.driver.check_fork();
        self.driver.cluster.take_owned_values(
            |opaque| is_wanted(Ticket(opaque)),
            |_, TakenValue { opaque, flags, cas, data, .. }| each(Ticket(opaque), Value { data, flags, cas }),
        );
    }

    pub(crate) fn end_turn(&mut self, now: Instant) {
        self.driver.step(now);
        self.take_events();
    }
}

/// # For a runtime that watches the descriptors
///
/// What it tells of is handled between steps, without a look at the sockets of the client's own.
#[cfg(feature = "tokio")]
impl Client {
    /// Does what the time and the events want.
    pub(crate) fn step_told(&mut self) -> Instant {
        self.driver.check_fork();
        let now = self.driver.now();
        self.driver.handle_time(now);
        self.settle_events(now);
        now
    }

    /// As [`Driver::watches`](crate::driver::Driver).
    pub(crate) fn watches(&self) -> impl Iterator<Item = Watch<'_>> {
        self.driver.watches()
    }

    /// Reads and writes what a descriptor is ready for. False where there may be more to read.
    pub(crate) fn handle_told(
        &mut self,
        now: Instant,
        connection: Option<ConnectionId>,
        readiness: (bool, bool),
    ) -> bool {
        self.driver.handle_told(now, connection, readiness)
    }

    /// The moment at which the client is to be stepped at the latest. It may be too early, but never is too late.
    #[inline]
    pub(crate) fn next_wakeup(&self) -> Instant {
        self.driver.cluster.next_wakeup()
    }
}

/// # One command alone, for a runtime
///
/// What is sent here is to be ended before anything else of the client is called: by [`Client::receive_alone`] or
/// [`Client::join_alone`].
#[cfg(feature = "tokio")]
impl Client {
    /// Sends a command, where nothing else is under way. None where it can't go alone, and nothing was done.
    #[inline]
    pub(crate) fn send_alone(
        &mut self,
        command: &Command<'_>,
        timer: Instant,
        is_watched: impl FnOnce(ConnectionId, &Arc<OwnedFd>) -> bool,
    ) -> Result<Option<Sent>, Error> {
        let request = command.request(false)?;
        self.driver.check_fork();
        let now = self.driver.now();
        match self.driver.send_alone(now, &request, timer, is_watched) {
            Ok(lone) => Ok(Some(Sent::Alone { lone, at: now })),
            Err(NotAlone::Submitted { opaque, now }) => {
                self.driver.step(now);
                self.take_events();
                Ok(Some(Sent::Submitted { ticket: Ticket(opaque), at: now }))
            }
            Err(NotAlone::Untouched) => Ok(None),
        }
    }

    /// Reads the answer, once its connection is readable; with it comes whether that was all that there is to read. None
    /// where it goes on the general way: its completion comes, if it is not there.
    pub(crate) fn receive_alone(&mut self, lone: Lone, at: Instant) -> Option<(Result<Reply, Error>, bool)> {
        let (result, server, is_drained) = match self.driver.receive_alone(lone, at) {
            Ok((response, is_drained)) => {
                let server = response.server();
                (command::reply(response), server, is_drained)
            }
            Err(_) => {
                let now = self.driver.now();
                self.settle_events(now);
                return None;
            }
        };
        Some((result.map_err(|error| self.name_server(error, Some(server))), is_drained))
    }

    /// Has the command go on the general way.
    pub(crate) fn join_alone(&mut self, lone: Lone, at: Instant) {
        self.driver.join_alone(lone, at);
    }
}

/// # In an event loop
///
/// Nothing here waits. After a submit or a step, the descriptors and the time left may be others than before.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// # use omcache::{Client, Command, Item, Mode, Reply, testing::Server};
/// # let server = Server::start()?;
/// # let mut client = Client::builder().server(server.address())?.build()?;
/// let ticket = client.submit(&Command::Store(Mode::Set, Item::new("key", "value")))?;
/// let completion = loop {
///     client.step()?;
///     if let Some(completion) = client.next_completion() {
///         break completion;
///     }
///     let mut descriptors = Vec::new();
///     client.descriptors(&mut descriptors);
///     let _timeout = client.time_left();
///     // Here the loop waits until a descriptor is ready, no longer than the timeout.
/// };
/// assert_eq!(completion.ticket, ticket);
/// assert!(matches!(completion.result?, Reply::Stored(stored) if stored.is_stored()));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Client {
    /// Takes a command and sends it as far as the socket takes it now. Its result comes with
    /// [`Client::next_completion`]. The client's timeout does not count here: the dead and connect timeouts
    /// bound it.
    ///
    /// # Errors
    /// Where it can't be queued; then it never is sent.
    pub fn submit(&mut self, command: &Command<'_>) -> Result<Ticket, Error> {
        self.submit_now(command).map(|(ticket, _)| ticket)
    }

    /// As [`Client::submit`]; tells the moment as well.
    #[inline]
    pub(crate) fn submit_now(&mut self, command: &Command<'_>) -> Result<(Ticket, Instant), Error> {
        let request = command.request(false)?;
        let now = self.begin();
        let opaque = self.driver.cluster.submit(Target::Key, &request)?;
        self.driver.step(now);
        self.take_events();
        Ok((Ticket(opaque), now))
    }

    /// Gives up on a submitted or queued command: if it is not sent it never will be, and this returns true; else its answer
    /// is dropped when it comes. There is no completion for it, and no flush tells of it.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        self.take_events();
        if let Some(at) = self.inbox.completions.iter().position(|completion| completion.ticket == ticket) {
            self.inbox.completions.remove(at);
            return false;
        }
        // One that has ended is heard of no more.
        let Some(opcode) = self.driver.cluster.outstanding(ticket.0) else { return false };
        if !self.inbox.is_abandoned(ticket.0) && opcode.is_quiet() {
            self.inbox.queued = self.inbox.queued.saturating_sub(1);
        }
        !self.give_up(ticket.0, 1, 1, Error::timeout(true), |_| ()).was_sent()
    }

    /// Does all that can be done without waiting: reads, writes, connects, timers.
    ///
    /// # Errors
    /// Where the operating system can't poll, for want of memory.
    pub fn step(&mut self) -> Result<(), Error> {
        self.driver.check_fork();
        let now = self.driver.now();
        let (_, now) =
            self.driver.wait(now, Some(now)).map_err(|error| Error::new(crate::ErrorKind::System, error))?;
        self.settle_events(now);
        Ok(())
    }

    /// Takes the events and does what follows.
    fn settle_events(&mut self, now: Instant) {
        loop {
            self.take_events();
            // Events may have moved requests to other servers, and those may fail at once.
            self.driver.step(now);
            if !self.driver.cluster.has_events() {
                return;
            }
        }
    }

    /// The next result of a submitted command, in the order in which they came.
    pub fn next_completion(&mut self) -> Option<Completion> {
        self.inbox.completions.pop_front()
    }

    /// The descriptors that something is expected of, appended to `to`. They stay the client's own.
    pub fn descriptors(&self, to: &mut Vec<Descriptor>) {
        self.driver.descriptors(to);
    }

    /// How long the loop may wait before [`Client::step`] is to be called for a timer's sake; `None` is as long as it
    /// likes. Nothing, where results wait to be taken.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        if !self.inbox.completions.is_empty() || self.driver.cluster.has_events() {
            return Some(Duration::ZERO);
        }
        self.driver.time_left()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panics")]

    use super::*;
    use crate::testing::Server;

    fn complete(client: &mut Client) -> Completion {
        let until = client.driver.now() + Duration::from_secs(5);
        loop {
            let now = client.driver.now();
            assert!(now < until, "no completion");
            client.driver.wait(now, Some(until)).unwrap();
            client.take_events();
            if let Some(completion) = client.next_completion() {
                return completion;
            }
        }
    }

    #[test]
    fn cancelling_what_has_ended_swallows_no_answer_when_its_number_comes_again() {
        let server = Server::start().unwrap();
        let mut client = Client::builder().server(server.address()).unwrap().build().unwrap();
        let taken = client.submit(&Command::Get(b"key")).unwrap();
        assert_eq!(complete(&mut client).ticket, taken);
        // Something else is under way.
        let other = client.submit(&Command::Get(b"other")).unwrap();
        assert!(!client.cancel(taken) && !client.cancel(taken));
        assert_eq!(complete(&mut client).ticket, other);
        // As after four thousand million others.
        client.driver.cluster.set_last_opaque(taken.0.wrapping_sub(1));
        assert_eq!(client.submit(&Command::Get(b"key")).unwrap(), taken);
        assert_eq!(complete(&mut client).ticket, taken);
    }

    #[test]
    fn cancelling_twice_is_cancelling_once() {
        let server = Server::start().unwrap();
        let mut client = Client::builder().server(server.address()).unwrap().build().unwrap();
        client.noop(0).unwrap();
        let sent = client.submit(&Command::Get(b"key")).unwrap();
        let other = client.submit(&Command::Get(b"other")).unwrap();
        let first = client.cancel(sent);
        assert_eq!((client.cancel(sent), first), (false, false));
        assert_eq!(complete(&mut client).ticket, other);
        assert!(!client.inbox.is_abandoned(sent.0));
    }
}
