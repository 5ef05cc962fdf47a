//! A driver and what a client's operations do with it: requests go out, and each one's end is gathered.

use std::io;
use std::time::Duration;

use omcache::driver::conn::{Config, Event, Instant, SubmitError, Target};
use omcache::driver::proto::Request;
use omcache::driver::{Driver, Waited};
use pyo3::prelude::*;

use super::batch::{Batch, NOBODY};
use super::code::Code;
use super::rules::{Rules, SEND_LIMIT};
use crate::forks;

/// After this long, a waiting operation looks after the program's signals.
pub(super) const SIGNALS: Duration = Duration::from_millis(50);

/// Keys after which a batch looks at the sockets, so that servers work while it is still being written.
const STRIDE: usize = 512;

/// What an operation ends with in a child that was forked meanwhile.
#[cold]
pub(super) fn lost_by_fork() -> PyErr {
    io::Error::other("the operation was lost by a fork").into()
}

/// A driver, and the rules that it was told.
pub(super) struct Session {
    pub(super) driver: Driver,
    failover: bool,
    down: Code,
    /// Bytes of the key that have no part in the choice of a server.
    pub(super) unrouted: usize,
    pub(super) replicas: usize,
    /// Operations that nobody waits for, since the sockets were last looked at for their sake.
    left: usize,
    /// Whether the sockets are to be looked at before anything else is submitted.
    lags: bool,
}

impl Session {
    pub(super) fn new() -> Self {
        let mut driver = Driver::new(Config::default());
        // Anything but a start that every program shares makes a stray response of an old process harmless.
        driver.cluster.set_last_opaque(std::process::id().wrapping_mul(0x9e37_79b9) >> 4);
        Self {
            driver,
            failover: false,
            down: Code::SERVER_DOWN,
            unrouted: 0,
            replicas: 0,
            left: 0,
            lags: false,
        }
    }

    /// Goes by other rules from now on.
    ///
    /// # Errors
    /// As [`Rules::apply`].
    pub(super) fn apply(&mut self, rules: &Rules) -> PyResult<()> {
        self.driver.check_fork();
        rules.apply(&mut self.driver)?;
        self.failover = rules.failover;
        self.down = rules.down();
        self.unrouted = rules.unrouted();
        self.replicas = rules.replicas.min(self.driver.cluster.server_count().saturating_sub(1));
        self.rest();
        Ok(())
    }

    /// Closes every connection. Servers that were left alone are tried at once.
    pub(super) fn disconnect(&mut self) {
        self.driver.check_fork();
        self.driver.cluster.disconnect_all();
        self.rest();
    }

    /// Does what was decided, while nobody waits for anything.
    fn rest(&mut self) {
        let now = self.driver.now();
        self.driver.step(now);
        while self.driver.cluster.poll_event().is_some() {}
    }

    /// How many servers there are.
    pub(super) fn servers(&self) -> usize {
        self.driver.cluster.server_count()
    }

    /// Host and port of a server.
    pub(super) fn server(&self, index: usize) -> Option<(String, String)> {
        let server = self.driver.cluster.server(index)?;
        Some((server.host().to_owned(), server.port().to_owned()))
    }

    /// The server that a key on the wire goes to, by its index.
    #[inline]
    pub(super) fn server_for(&self, key: &[u8]) -> Option<usize> {
        let cluster = &self.driver.cluster;
        let routed = key.get(self.unrouted..).unwrap_or(key);
        match self.failover {
            true => cluster.server_for_key(routed),
            false => cluster.continuum().server(routed),
        }
    }

    #[inline]
    fn target(&self, key: &[u8]) -> Target {
        if self.failover && self.unrouted == 0 {
            return Target::Key;
        }
        // Without a server, the refusal tells it.
        self.server_for(key).map_or(Target::Key, Target::Server)
    }

    /// Begins an operation.
    #[inline]
    pub(super) fn begin(&mut self) -> (Instant, Batch) {
        self.driver.check_fork();
        let mut now = self.driver.now();
        self.driver.handle_time(now);
        let first = self.driver.cluster.last_opaque().wrapping_add(1);
        let mut batch = Batch { first, paused: now, ..Batch::default() };
        self.take(&mut batch);
        if self.lags || self.driver.cluster.has_handshake() {
            self.lags = false;
            now = self.look(now, &mut batch);
        }
        (now, batch)
    }

    /// One request for a key, and its end.
    ///
    /// # Errors
    /// What a signal's handler raised.
    #[inline]
    pub(super) fn one(&mut self, request: &Request<'_>) -> PyResult<Batch> {
        let (mut now, mut batch) = self.begin();
        self.submit(&mut now, &mut batch, 0, request)?;
        self.finish(now, batch)
    }

    /// A request for each place, and their ends; those that are settled by silence have no reply.
    ///
    /// # Errors
    /// What a signal's handler raised.
    pub(super) fn many<'r>(
        &mut self,
        places: impl Iterator<Item = u32>,
        request: impl Fn(u32) -> Option<Request<'r>>,
    ) -> PyResult<Batch> {
        let (mut now, mut batch) = self.begin();
        for place in places {
            let Some(request) = request(place) else { continue };
            self.submit(&mut now, &mut batch, place, &request)?;
            if batch.places.len() % STRIDE == STRIDE - 1 {
                now = self.look(now, &mut batch);
            }
        }
        self.finish(now, batch)
    }

    /// As [`Session::many`], each of them to the server at its place.
    pub(super) fn everywhere(&mut self, request: &Request<'_>) -> PyResult<Batch> {
        let (mut now, mut batch) = self.begin();
        for server in 0..self.servers() {
            // There are at most 65,535 servers.
            let place = u32::try_from(server).unwrap_or(NOBODY);
            self.submit_to(&mut now, &mut batch, place, Target::Server(server), request)?;
        }
        self.finish(now, batch)
    }

    /// Hands over requests that nobody waits for, and does not wait.
    ///
    /// # Errors
    /// What a signal's handler raised. The batch has the requests that were refused.
    pub(super) fn leave<'r>(
        &mut self,
        places: impl Iterator<Item = u32>,
        request: impl Fn(u32) -> Option<Request<'r>>,
    ) -> PyResult<Batch> {
        let (mut now, mut batch) = self.begin();
        for place in places {
            let Some(request) = request(place) else { continue };
            batch.unawaited = true;
            self.submit(&mut now, &mut batch, place, &request)?;
        }
        self.driver.flush(now);
        self.take(&mut batch);
        // A socket that takes no more is looked at when the next operation begins, and every one now and then: else
        // nothing would go on while a program does nothing but leave requests.
        self.left = self.left.wrapping_add(1);
        self.lags =
            self.left.is_multiple_of(STRIDE) || self.driver.cluster.interests().any(|one| one.writable);
        Ok(batch)
    }

    /// Submits a request, and where values are kept on several servers, what it changes to those too.
    #[inline]
    fn submit(
        &mut self,
        now: &mut Instant,
        batch: &mut Batch,
        place: u32,
        request: &Request<'_>,
    ) -> PyResult<()> {
        let target = match request.key() {
            Some(key) => self.target(key.as_bytes()),
            None => Target::Key,
        };
        self.submit_to(now, batch, place, target, request)?;
        if self.replicas > 0 {
            self.submit_replicas(now, batch, request)?;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn submit_to(
        &mut self,
        now: &mut Instant,
        batch: &mut Batch,
        place: u32,
        target: Target,
        request: &Request<'_>,
    ) -> PyResult<()> {
        loop {
            match self.driver.cluster.submit(target, request) {
                Ok(_) => {
                    batch.places.push(if batch.unawaited { NOBODY } else { place });
                    batch.outstanding += u32::from(!batch.unawaited);
                    return Ok(());
                }
                Err(SubmitError::SendBufferFull { needed, limit, .. }) if needed > limit => {
                    self.allow(needed);
                }
                Err(SubmitError::SendBufferFull { .. }) => *now = self.wait(*now, batch)?,
                Err(error) => {
                    let code = Code::of_refusal(&error, self.down);
                    let reason = self.why(target).unwrap_or_else(|| error.to_string());
                    if place != NOBODY {
                        batch.failed(place, code, &reason);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Makes room for a single request that is larger than the limit.
    #[cold]
    fn allow(&mut self, needed: usize) {
        let config = Config { send_limit: needed.max(SEND_LIMIT), ..self.driver.cluster.config().clone() };
        self.driver.cluster.set_config(config);
    }

    /// Why a server is left alone.
    #[cold]
    fn why(&self, target: Target) -> Option<String> {
        let Target::Server(index) = target else { return None };
        let failure = self.driver.cluster.server_status(index)?.last_failure?;
        Some(format!("{} is left alone for a while: {failure}", self.driver.cluster.server(index)?))
    }

    /// Does what can be done without waiting.
    fn look(&mut self, now: Instant, batch: &mut Batch) -> Instant {
        // A poll that fails for want of memory is told by the wait that follows.
        let now = match self.driver.wait(now, Some(now)) {
            Ok((_, now)) => now,
            Err(_) => self.driver.now(),
        };
        self.take(batch);
        now
    }

    /// Waits until every request has ended.
    #[inline]
    pub(super) fn finish(&mut self, mut now: Instant, mut batch: Batch) -> PyResult<Batch> {
        self.driver.cluster.settle_quiet();
        while batch.outstanding > 0 {
            now = self.wait(now, &mut batch)?;
        }
        Ok(batch)
    }

    /// Sends, and waits until something happens.
    ///
    /// # Errors
    /// What a signal's handler raised, or the system's refusal; then the requests are given up.
    #[inline]
    fn wait(&mut self, now: Instant, batch: &mut Batch) -> PyResult<Instant> {
        let (waited, later) = match self.driver.wait(now, Some(now + SIGNALS)) {
            Ok(waited) => waited,
            Err(error) => return Err(self.give_up(batch, error.into())),
        };
        self.take(batch);
        let is_late = later.since(batch.paused) >= SIGNALS;
        if (waited != Waited::Progress || is_late) && batch.outstanding > 0 {
            batch.paused = later;
            self.pause(waited, batch)?;
        }
        Ok(later)
    }

    #[cold]
    fn pause(&mut self, waited: Waited, batch: &mut Batch) -> PyResult<()> {
        if waited == Waited::Nothing {
            match self.driver.time_left() {
                Some(left) => std::thread::sleep(left.min(SIGNALS)),
                None => return Err(self.give_up(batch, lost_by_fork())),
            }
        }
        let forks = forks::count();
        let handled = Python::attach(|py| py.check_signals());
        if forks::count() != forks {
            // By a handler: the connections are the parent's, and so are the answers.
            self.driver.check_fork();
            return handled.and_then(|()| Err(lost_by_fork()));
        }
        handled.map_err(|error| self.give_up(batch, error))
    }

    /// Takes back what is not sent; nobody waits for the rest any more.
    #[cold]
    fn give_up(&mut self, batch: &Batch, error: PyErr) -> PyErr {
        self.driver.cluster.settle_quiet();
        let count = u32::try_from(batch.places.len()).unwrap_or(u32::MAX);
        self.driver.cluster.cancel(batch.first, count, |_| {});
        error
    }

    /// Takes what the driver has to tell.
    #[inline]
    fn take(&mut self, batch: &mut Batch) {
        while let Some(event) = self.driver.cluster.poll_event() {
            match event {
                Event::Response(response) => {
                    if let Some(place) = batch.place(response.opaque()) {
                        batch.answered(place, &response);
                    }
                }
                Event::Settled(settled) => {
                    if let Some(place) = batch.place(settled.opaque) {
                        let server = settled.server.and_then(|index| self.driver.cluster.server(index));
                        batch.settled(place, &settled, server);
                    }
                }
                Event::Server(event) => self.driver.log_change(&event),
                _ => {}
            }
        }
    }
}
