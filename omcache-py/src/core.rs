//! The driver together with the operations that wait on it. No lock, no interpreter, no waiting of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use omcache::driver::conn::{Event, Instant, Server, SubmitError, Target};
use omcache::driver::hash::BuildError;
use omcache::driver::proto::Request;
use omcache::driver::proto::binary::{Opcode, RequestPacket};
use omcache::driver::{Driver, Level, LogLine, Waited};
use smallvec::SmallVec;

use crate::answer::Answer;
use crate::ret::Ret;
use crate::settings::Settings;

/// Keys after which a batch looks at the sockets, so that servers work while it is still being written.
const STRIDE: usize = 512;

/// Names an operation.
pub(crate) type OpId = u64;

/// An operation: one request, or the many of a batch.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: OpId,
    /// The opaque of the first request; they are consecutive.
    first: u32,
    count: u32,
    outstanding: u32,
    /// Of a batch: the place of each request among its keys, and whether it is settled, in the order of opaques.
    places: Vec<(u32, bool)>,
    /// What became of the requests, by place. Of a quiet one that was answered by silence nothing is told.
    pub(crate) answers: SmallVec<[(u32, Answer); 1]>,
}

impl Op {
    fn new(id: OpId, first: u32) -> Self {
        Self { id, first, count: 0, outstanding: 0, places: Vec::new(), answers: SmallVec::new() }
    }

    #[inline]
    fn contains(&self, opaque: u32) -> bool {
        opaque.wrapping_sub(self.first) < self.count
    }

    /// Notes what became of a request.
    #[inline]
    fn settle(&mut self, opaque: u32, answer: Option<Answer>, ends: bool) {
        let mut place = 0;
        if let Some((at, settled)) = self.places.get_mut(opaque.wrapping_sub(self.first) as usize) {
            place = *at;
            *settled |= ends;
        }
        self.outstanding -= u32::from(ends);
        self.answers.extend(answer.map(|answer| (place, answer)));
    }

    /// Notes that those which are still outstanding are given up; `unsent` has the opaques that were taken back.
    fn give_up(&mut self, unsent: &[u32]) {
        let mut end = |opaque: u32, place: u32| {
            self.answers.push((place, Answer::timeout(!unsent.contains(&opaque))));
        };
        if self.places.is_empty() && self.outstanding > 0 {
            end(self.first, 0);
        }
        for (at, &(place, settled)) in (0..).zip(&self.places) {
            if !settled {
                end(self.first.wrapping_add(at), place);
            }
        }
        self.outstanding = 0;
    }
}

/// The driver, and who waits for what.
pub(crate) struct Core {
    pub(crate) driver: Driver,
    /// Operations that are not done, in the order of their opaques.
    ops: VecDeque<Op>,
    /// Operations that are done and not fetched.
    done: Vec<Op>,
    last_id: OpId,
    /// Lines for the program's log.
    lines: Vec<LogLine>,
    log_level: Option<Level>,
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
            done: Vec::new(),
            last_id: 0,
            lines: Vec::new(),
            log_level: None,
            happened: false,
            closed: false,
            freed: false,
        };
        // Anything but a start that every program shares makes a stray response of an old process harmless.
        core.driver.cluster.set_last_opaque(std::process::id().wrapping_mul(0x9e37_79b9) >> 4);
        core.driver.set_buffering(settings.buffering);
        core.log_up_to(settings.log_level);
        core.driver.cluster.set_distribution(Arc::new(settings.distribution))?;
        core.driver.cluster.set_servers(settings.servers.clone())?;
        Ok(core)
    }

    /// Sets the servers; those that stay keep their connections.
    ///
    /// # Errors
    /// Where the distribution can't take them; then the old ones stay.
    pub(crate) fn set_servers(&mut self, servers: Vec<Server>) -> Result<(), BuildError> {
        self.driver.cluster.set_servers(servers)?;
        // Connections of servers that are gone are closed now, and not at the next request.
        self.closed = true;
        let now = self.driver.now();
        self.driver.step(now);
        self.take_events();
        Ok(())
    }

    /// Lines up to this level are kept for the program's log.
    pub(crate) fn log_up_to(&mut self, level: Option<Level>) {
        self.log_level = level;
        self.driver.queue_log(level);
        if level.is_none() {
            self.lines = Vec::new();
        }
    }

    #[inline]
    pub(crate) fn log_level(&self) -> Option<Level> {
        self.log_level
    }

    /// The lines since the last call.
    #[inline]
    pub(crate) fn take_lines(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    /// Keeps a line, if it is wanted.
    #[cold]
    fn log(&mut self, level: Level, text: impl FnOnce() -> String) {
        if self.log_level.is_some_and(|most| level <= most) {
            let line = LogLine { level, text: text() };
            // A batch that fails says so once.
            if self.lines.last() != Some(&line) {
                self.lines.push(line);
            }
        }
    }

    #[cold]
    fn log_message(&mut self, what: &str, server: usize, opcode: Opcode, opaque: u32) {
        let name = self.server_name(Some(server)).unwrap_or_default();
        self.log(Level::Debug, || format!("[{name}]: {what} {opcode:?} {opaque}"));
    }

    /// Logs a failure that a call is about to tell.
    pub(crate) fn note(&mut self, answer: &Answer) {
        let Some(failure) = &answer.failure else { return };
        let level = match answer.ret {
            Ret::NO_SERVERS => Level::Error,
            Ret::BUFFER_FULL => Level::Warning,
            _ => Level::Debug,
        };
        let ret = answer.ret.text();
        self.log(level, || format!("{ret}: {}", failure.reason));
    }

    #[cold]
    fn server_name(&self, server: Option<usize>) -> Option<String> {
        let server = self.driver.cluster.server(server?)?;
        Some(format!("{}:{}", server.host(), server.port()))
    }

    /// Looks after what went on since the last call, so that the next request is placed by the present state.
    #[inline]
    pub(crate) fn begin(&mut self) -> Instant {
        self.driver.check_fork();
        let mut now = self.driver.now();
        self.driver.handle_time(now);
        self.take_events();
        if self.driver.cluster.has_handshake() && !self.driver.buffering() {
            now = self.look(now);
        }
        now
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
    pub(crate) fn submit_packet(&mut self, target: Target, packet: &RequestPacket<'_>) -> Result<u32, Answer> {
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
    pub(crate) fn expect(&mut self, opaque: u32) -> OpId {
        self.last_id += 1;
        self.ops.push_back(Op { count: 1, outstanding: 1, ..Op::new(self.last_id, opaque) });
        self.last_id
    }

    /// Submits the requests of a batch from place `from` on, as far as there is room for them, and has an operation wait
    /// for them. Beside it the place where the batch is to go on is returned.
    pub(crate) fn submit_batch<'r>(
        &mut self,
        mut now: Instant,
        places: std::ops::Range<usize>,
        request: &(dyn Fn(usize) -> Request<'r> + Sync),
    ) -> (OpId, usize) {
        self.last_id += 1;
        let id = self.last_id;
        let mut op = Op::new(id, self.driver.cluster.last_opaque().wrapping_add(1));
        op.places.reserve(places.len());
        // One more than there are, so that it is not done before it is whole.
        op.outstanding = 1;
        self.ops.push_back(op);
        let (mut next, mut accepted) = (places.end, 0_usize);
        for place in places {
            let request = request(place);
            let submitted = self.driver.cluster.submit(Target::Key, &request);
            if let Err(SubmitError::SendBufferFull { queued, .. }) = &submitted
                && *queued > 0
                && accepted > 0
            {
                next = place;
                break;
            }
            let submitted = self.submitted(submitted, request.opcode());
            let Some(op) = self.ops.back_mut() else { break };
            // A batch has less than 2^32 keys: their references alone would take 32 GiB.
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            match submitted {
                Ok(_) => {
                    accepted += 1;
                    op.count += 1;
                    op.outstanding += 1;
                    op.places.push((place, false));
                }
                Err(answer) => op.answers.push((place, answer)),
            }
            if accepted % STRIDE == STRIDE - 1 {
                now = self.look(now);
            }
        }
        if let Some(op) = self.ops.back_mut() {
            op.outstanding -= 1;
            if op.outstanding == 0 {
                self.done.extend(self.ops.pop_back());
            }
        }
        (id, next)
    }

    /// Takes what the driver has to tell.
    #[inline]
    pub(crate) fn take_events(&mut self) {
        while let Some(event) = self.driver.cluster.poll_event() {
            self.happened = true;
            let (opaque, answer, ends) = match event {
                Event::Response(response) => {
                    let (opaque, server, opcode) =
                        (response.opaque(), response.server(), response.header().opcode);
                    let ends = opcode != Opcode::STAT || response.packet().ends_stat();
                    let Some(at) = find(&self.ops, opaque) else {
                        self.unawaited(server, opcode, opaque);
                        continue;
                    };
                    let answer = Answer::of_response(response);
                    if self.log_level == Some(Level::Debug) {
                        self.log_message("received", server, opcode, opaque);
                    }
                    self.settle(at, opaque, Some(answer), ends);
                    continue;
                }
                Event::Settled(settled) => {
                    let server = self.server_name(settled.server);
                    (settled.opaque, Answer::of_settled(&settled, server.as_deref()), true)
                }
                Event::Server(event) => {
                    self.closed = true;
                    self.driver.log_change(&event);
                    self.lines.extend(self.driver.log_lines());
                    continue;
                }
                _ => continue,
            };
            if let Some(answer) = &answer {
                self.note(answer);
            }
            if let Some(at) = find(&self.ops, opaque) {
                self.settle(at, opaque, answer, ends);
            }
        }
    }

    #[cold]
    fn unawaited(&mut self, server: usize, opcode: Opcode, opaque: u32) {
        if self.log_level == Some(Level::Debug) {
            self.log_message("nobody waits for the answer to", server, opcode, opaque);
        }
    }

    #[inline]
    fn settle(&mut self, at: usize, opaque: u32, answer: Option<Answer>, ends: bool) {
        let Some(op) = self.ops.get_mut(at) else { return };
        op.settle(opaque, answer, ends);
        if op.outstanding == 0 {
            self.done.extend(self.ops.remove(at));
        }
    }

    /// Fetches an operation that is done.
    #[inline]
    pub(crate) fn fetch(&mut self, id: OpId) -> Option<Op> {
        let at = self.done.iter().position(|op| op.id == id)?;
        Some(self.done.swap_remove(at))
    }

    /// Fetches all operations that are done.
    pub(crate) fn fetch_all(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.done)
    }

    /// Ends an operation: what is not sent is taken back, the answers to the rest will be dropped.
    #[cold]
    pub(crate) fn give_up(&mut self, id: OpId) -> Option<Op> {
        if let Some(op) = self.fetch(id) {
            return Some(op);
        }
        let at = self.ops.iter().position(|op| op.id == id)?;
        let mut op = self.ops.remove(at)?;
        let mut unsent = Vec::new();
        self.driver.cluster.cancel(op.first, op.count, |opaque| unsent.push(opaque));
        op.give_up(&unsent);
        if let Some((_, answer)) = op.answers.last() {
            let answer = answer.clone();
            self.note(&answer);
        }
        Some(op)
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

/// The operation that waits for this opaque.
#[inline]
fn find(ops: &VecDeque<Op>, opaque: u32) -> Option<usize> {
    let base = ops.front()?.first;
    let distance = opaque.wrapping_sub(base);
    let at = match ops.len() {
        1 => 0,
        _ => ops.partition_point(|op| op.first.wrapping_sub(base) <= distance).checked_sub(1)?,
    };
    ops.get(at)?.contains(opaque).then_some(at)
}
