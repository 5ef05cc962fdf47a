//! The driver together with the operations that wait on it. No lock, no interpreter, no waiting of its own.

mod batches;
mod events;
mod lines;
mod lone;
mod servers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use omcache::driver::conn::{Instant, SubmitError, Target};
use omcache::driver::hash::BuildError;
use omcache::driver::proto::Request;
use omcache::driver::proto::binary::{Opcode, RequestPacket};
use omcache::driver::{Driver, Level, LogLine, Waited};

use crate::answer::Answer;
use crate::op::{Op, OpId, Unsent};
use crate::settings::Settings;
use crate::shared::Goal;

/// Requests after which those who only submit look at the sockets, so that servers work meanwhile.
const STRIDE: u32 = 512;

/// The driver, and who waits for what.
pub(crate) struct Core {
    pub(crate) driver: Driver,
    /// Operations that are not done, in the order of their opaques.
    ops: VecDeque<Box<Op>>,
    /// Operations that are done and not fetched.
    done: VecDeque<Box<Op>>,
    last_id: OpId,
    /// Lines for the program's log.
    lines: Vec<LogLine>,
    /// Whether there are any, for those who do not hold the core.
    pub(crate) has_lines: Arc<AtomicBool>,
    log_level: Option<Level>,
    /// Commands that nobody waits for, since the sockets were last looked at for their sake.
    left: u32,
    /// Whether the sockets are to be looked at before anything else is submitted.
    lags: bool,
    /// Whether something happened since this was last taken.
    happened: bool,
    /// Whether connections may have been closed since this was last taken.
    closed: bool,
    pub(crate) freed: bool,
}

impl Core {
    /// A core that does what the settings say.
    ///
    /// # Errors
    /// Where the distribution can't take the servers.
    pub(crate) fn new(settings: &Settings) -> Result<Self, BuildError> {
        let mut core = Self {
            driver: Driver::new(settings.config.clone()),
            ops: VecDeque::new(),
            done: VecDeque::new(),
            last_id: 0,
            lines: Vec::new(),
            has_lines: Arc::default(),
            log_level: None,
            left: 0,
            lags: false,
            happened: false,
            closed: false,
            freed: settings.freed,
        };
        // Anything but a start that every program shares makes a stray response of an old process harmless.
        core.driver.cluster.set_last_opaque(std::process::id().wrapping_mul(0x9e37_79b9) >> 4);
        core.driver.set_buffering(settings.buffering);
        core.set_distribution(settings.distribution)?;
        core.driver.cluster.set_servers(settings.servers.clone())?;
        Ok(core)
    }

    /// Looks after what went on since the last call, so that the next request is placed by the present state.
    #[inline]
    pub(crate) fn begin(&mut self) -> Instant {
        self.driver.check_fork();
        let mut now = self.driver.now();
        self.driver.handle_time(now);
        self.take_events();
        if (self.lags || self.driver.cluster.has_handshake()) && !self.driver.buffering() {
            now = self.look(now);
            self.lags = self.is_blocked();
        }
        now
    }

    /// Whether bytes wait for a socket to take them.
    #[inline]
    fn is_blocked(&self) -> bool {
        self.driver.cluster.interests().any(|one| one.writable)
    }

    /// Sends what nobody waits for. A socket that takes no more is looked at when the next command begins, and every one
    /// now and then: else nothing would go on while a program does nothing but submit.
    #[inline]
    pub(crate) fn leave(&mut self, now: Instant) {
        self.driver.step(now);
        self.left = self.left.wrapping_add(1);
        self.lags = self.left.is_multiple_of(STRIDE) || self.is_blocked();
    }

    /// Does what can be done without waiting, and takes what came of it.
    pub(crate) fn look(&mut self, now: Instant) -> Instant {
        // A poll that fails for want of memory is told by the wait that follows.
        let now = match self.driver.wait(now, Some(now)) {
            Ok((Waited::Progress, now)) => now,
            _ => self.driver.now(),
        };
        self.take_events();
        now
    }

    /// Hands one request to the cluster.
    ///
    /// # Errors
    /// Where it is refused, what it is to be told as.
    #[inline]
    pub(crate) fn submit(&mut self, target: Target, request: &Request<'_>) -> Result<u32, Answer> {
        let submitted = self.driver.cluster.submit(target, request);
        self.submitted(submitted, request.opcode())
    }

    /// Hands one request to the cluster that is given as it is on the wire.
    ///
    /// # Errors
    /// Where it is refused, what it is to be told as.
    pub(crate) fn submit_packet(
        &mut self,
        target: Target,
        packet: &RequestPacket<'_>,
    ) -> Result<u32, Answer> {
        let submitted = self.driver.cluster.submit_packet(target, packet);
        self.submitted(submitted, packet.opcode)
    }

    #[inline]
    fn submitted(&mut self, result: Result<u32, SubmitError>, opcode: Opcode) -> Result<u32, Answer> {
        match result {
            Ok(opaque) => {
                if self.log_level == Some(Level::Debug) {
                    self.log_message("sending", self.driver.cluster.last_server(), opcode, opaque);
                }
                Ok(opaque)
            }
            Err(error) => {
                let answer = Answer::refused(&error);
                self.note(&answer);
                Err(answer)
            }
        }
    }

    /// Has an operation wait for the request that was submitted last.
    #[inline]
    pub(crate) fn claim(&mut self, opaque: u32) -> OpId {
        self.last_id += 1;
        self.ops.push_back(Box::new(Op::single(self.last_id, opaque)));
        self.last_id
    }

    /// Fetches an operation that is done.
    #[inline]
    pub(crate) fn fetch(&mut self, id: OpId) -> Option<Box<Op>> {
        let at = self.done.iter().position(|op| op.id == id)?;
        self.done.swap_remove_back(at)
    }

    /// Fetches all operations that are done.
    pub(crate) fn fetch_all(&mut self) -> VecDeque<Box<Op>> {
        std::mem::take(&mut self.done)
    }

    /// Ends an operation: what is not sent is taken back, the answers to the rest will be dropped.
    #[cold]
    pub(crate) fn give_up(&mut self, id: OpId) -> Option<Box<Op>> {
        if let Some(op) = self.fetch(id) {
            return Some(op);
        }
        let at = self.ops.iter().position(|op| op.id == id)?;
        let mut op = self.ops.remove(at)?;
        let mut unsent = Unsent::none_of(&op);
        self.driver.cluster.cancel(op.first, op.count, |opaque| unsent.note(opaque));
        op.give_up(&unsent);
        if let Some((_, answer)) = op.answers.last() {
            let answer = answer.clone();
            self.note(&answer);
        }
        Some(op)
    }

    /// Has nobody wait for an operation any more; its requests stay under way. What is known of it already is returned.
    pub(crate) fn release(&mut self, id: OpId) -> Option<Box<Op>> {
        let op = self.fetch(id).or_else(|| {
            let at = self.ops.iter().position(|op| op.id == id)?;
            self.ops.remove(at)
        });
        op.filter(|op| op.has_news())
    }

    /// Whether what somebody waits for has come, and was not fetched.
    pub(crate) fn has_reached(&self, goal: Goal) -> bool {
        match goal {
            Goal::Op(id) => self.done.iter().any(|op| op.id == id),
            Goal::Drained => self.is_drained(),
        }
    }

    /// Whether nothing is to be sent, and no answer owed.
    pub(crate) fn is_drained(&self) -> bool {
        !self.driver.cluster.has_pending()
    }

    /// Whether something happened since the last call that others may wait for.
    #[inline]
    pub(crate) fn take_happened(&mut self) -> bool {
        std::mem::take(&mut self.happened)
    }

    /// Whether a descriptor may have been closed since the last call, so that its number may stand for another one.
    pub(crate) fn take_closed(&mut self) -> bool {
        std::mem::take(&mut self.closed)
    }

    /// Closes every connection, for good.
    pub(crate) fn free(&mut self) {
        self.freed = true;
        self.disconnect();
    }

    /// Closes every connection; the next request makes new ones.
    pub(crate) fn disconnect(&mut self) {
        self.driver.cluster.disconnect_all();
        self.closed = true;
        let now = self.driver.now();
        self.driver.step(now);
        self.take_events();
    }

    /// How long until a timer is due; none where none runs.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.driver.time_left()
    }
}
