//! The shortest way of a command on one key, where nothing else is at work and the program has no callbacks to be called.

use std::ffi::c_int;
use std::ptr;

use omcache::driver::conn::{Instant, Response, Target};
use omcache::driver::proto::Request;
use omcache::driver::proto::binary::{Opcode, Status};
use omcache::driver::{Level, NotAlone};

use crate::deliver::Active;
use crate::frames::Frame;
use crate::handle::Handle;
use crate::op::{Op, Phase};
use crate::ret;
use crate::types::omcache_value_t;

/// What the caller of a command on one key is told beside its result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) data: *const u8,
    pub(crate) data_len: usize,
    pub(crate) flags: u32,
    pub(crate) cas: u64,
    pub(crate) delta: u64,
}

impl Told {
    /// Where the result is no success.
    pub(crate) const NOTHING: Self = Self { data: ptr::null(), data_len: 0, flags: 0, cas: 0, delta: 0 };

    #[inline(always)]
    fn of_response(response: &Response<'_>) -> Self {
        let packet = response.packet();
        Self {
            data: packet.value.as_ptr(),
            data_len: packet.value.len(),
            flags: packet.flags().unwrap_or_default(),
            cas: packet.cas,
            delta: packet.counter().unwrap_or_default(),
        }
    }

    pub(crate) fn of_value(value: &omcache_value_t) -> Self {
        let &omcache_value_t { data, data_len, flags, cas, delta_value: delta, .. } = value;
        Self { data, data_len, flags, cas, delta }
    }
}

/// What came of it.
pub(crate) enum Lone {
    /// It is done.
    Done(c_int),
    /// It is done, and log lines wait to be delivered.
    Logged(c_int),
    /// Nothing was done: the general way is to be taken.
    Untouched,
    /// Nothing was done, as the key's own server did not take a request that nobody waits for at once.
    Unplaced,
    /// It was submitted with this opaque, and is to be awaited the general way until the deadline.
    Submitted { opaque: u32, now: Instant, deadline: Instant },
}

impl Handle {
    /// Runs a request that its key places, and waits for the answer, unless the timeout is 0. Where it is done, `tell` was
    /// called.
    #[inline(always)]
    pub(crate) fn run_alone(
        &mut self,
        request: &Request<'_>,
        timeout: i32,
        tell: &mut impl FnMut(&Told),
    ) -> Lone {
        if timeout == 0 {
            return self.run_quiet(request, tell);
        }
        if !self.is_idle() {
            return Lone::Untouched;
        }
        let now = self.driver.now();
        let deadline = match u64::try_from(timeout) {
            Ok(msec) => Some(now.after_millis(msec)),
            Err(_) => None,
        };
        match self.driver.exchange_alone(now, Target::Key, request, deadline) {
            Ok(response) => {
                let status = response.header().status;
                if status == Status::SUCCESS {
                    tell(&Told::of_response(&response));
                    return Lone::Done(ret::OK);
                }
                tell(&Told::NOTHING);
                self.unsuccessful(request.opcode(), status)
            }
            Err(NotAlone::Submitted { opaque, now }) => {
                Lone::Submitted { opaque, now, deadline: deadline.unwrap_or(Instant::FAR_FUTURE) }
            }
            Err(_) => Lone::Untouched,
        }
    }

    #[cold]
    #[inline(never)]
    fn unsuccessful(&mut self, opcode: Opcode, status: Status) -> Lone {
        let result = ret::of_status(status);
        self.note_code(result);
        if result == ret::FAIL {
            self.note_refusal(opcode, status);
        }
        if self.lines.is_empty() { Lone::Done(result) } else { Lone::Logged(result) }
    }

    /// Whether nothing else is at work that a call on one request might disturb, nor wants to be told. What earlier calls
    /// returned is let go of then.
    #[inline(always)]
    fn is_idle(&mut self) -> bool {
        self.is_clear = false;
        let at_work = self.frames.len() | self.active.len() | self.lines.len();
        if at_work != 0 || self.response_callback.is_some() || self.log.wants(Level::Debug) {
            return false;
        }
        self.release();
        self.driver.check_fork();
        true
    }

    /// Submits a request that nobody waits for.
    #[inline(always)]
    fn run_quiet(&mut self, request: &Request<'_>, tell: &mut impl FnMut(&Told)) -> Lone {
        let mut now = None;
        if !self.is_clear || self.driver.check_fork() {
            match self.look_ahead() {
                Some(ahead) => now = ahead,
                None => return Lone::Untouched,
            }
        }
        if self.driver.cluster.submit_to_own(request).is_none() {
            return Lone::Unplaced;
        }
        if let Some(now) = now {
            self.driver.step(now);
        }
        tell(&Told::NOTHING);
        Lone::Done(ret::BUFFERED)
    }

    /// Looks whether a request that nobody waits for may be submitted. None where it may not; the moment at which it is to
    /// be sent then, unless it is only buffered.
    #[inline(never)]
    fn look_ahead(&mut self) -> Option<Option<Instant>> {
        if !self.is_idle() || self.driver.cluster.has_events() {
            return None;
        }
        if self.driver.buffering() {
            // What is only buffered touches no socket, and what the time asks for is done by the call that does.
            self.is_clear = true;
            return Some(None);
        }
        let now = self.driver.now();
        self.driver.handle_time(now);
        // As the general way: a handshake may change where the request goes.
        let is_open = !self.driver.cluster.has_handshake() && !self.driver.cluster.has_events();
        is_open.then_some(Some(now))
    }

    /// Submits a request that is [`Lone::Unplaced`], where that is all there is to do: the general way is to tell the rest.
    #[cold]
    pub(crate) fn place_quiet(&mut self, request: &Request<'_>) -> Option<c_int> {
        self.is_clear = false;
        let (now, buffers) = (self.driver.now(), self.driver.buffering());
        self.driver.handle_time(now);
        if self.driver.cluster.has_events() || (!buffers && self.driver.cluster.has_handshake()) {
            return None;
        }
        self.driver.cluster.submit(Target::Key, request).ok()?;
        self.driver.step(now);
        Some(ret::BUFFERED)
    }

    /// Takes over a request that is submitted already: the call goes on as if it had submitted it.
    pub(crate) fn adopt(&mut self, op: &mut Op) {
        self.frames.push(Frame::at(op.frame));
        self.tell_anew();
        self.active.push(Active::new(op.first, op.request_count, 0));
        op.phase = Phase::Exchange;
    }
}
