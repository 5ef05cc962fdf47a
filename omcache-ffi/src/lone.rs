//! The shortest way of a command on one key, where nothing else is at work and the program has no callbacks to be called.

use std::ffi::c_int;
use std::time::Duration;

use omcache::driver::Level;
use omcache::driver::conn::{Instant, Target};
use omcache::driver::proto::binary::RequestPacket;

use crate::deliver::{Active, value_of};
use crate::handle::Handle;
use crate::op::{Op, Phase};
use crate::ret;
use crate::types::omcache_value_t;

/// What came of it.
pub(crate) enum Lone {
    /// It is done.
    Done(c_int),
    /// It is done, and log lines wait to be delivered.
    Logged(c_int),
    /// Nothing was done: the general way is to be taken.
    Untouched,
    /// It was submitted with this opaque, and is to be awaited the general way until the deadline.
    Submitted { opaque: u32, now: Instant, deadline: Instant },
}

impl Handle {
    /// Runs a request that its key places, and waits for the answer, unless the timeout is 0.
    #[inline]
    pub(crate) fn run_alone(
        &mut self,
        packet: &RequestPacket<'_>,
        timeout: i32,
        answer: &mut omcache_value_t,
    ) -> Lone {
        let quiet_here = self.frames.is_empty()
            && self.active.is_empty()
            && self.lines.is_empty()
            && self.response_callback.is_none()
            && !self.log.wants(Level::Debug)
            && !self.driver.cluster.has_events();
        if !quiet_here {
            return Lone::Untouched;
        }
        self.release();
        self.driver.check_fork();
        let now = self.driver.now();
        self.driver.handle_time(now);
        // As the general way: a handshake may change where the request goes.
        let looks = !self.driver.buffering() && self.driver.cluster.has_handshake();
        if looks || self.driver.cluster.has_events() {
            return Lone::Untouched;
        }
        // A refusal changes nothing; the general way is refused as well, and tells.
        let Ok(opaque) = self.driver.cluster.submit_packet(Target::Key, packet) else {
            return Lone::Untouched;
        };
        if timeout == 0 {
            self.driver.step(now);
            return Lone::Done(ret::BUFFERED);
        }
        let deadline = match u64::try_from(timeout) {
            Ok(msec) => Some(now + Duration::from_millis(msec)),
            Err(_) => None,
        };
        match self.driver.exchange_alone(now, opaque, deadline) {
            Ok(response) => {
                *answer = value_of(&response);
                let (opcode, status) = (packet.opcode, response.header().status);
                if answer.status == ret::FAIL {
                    self.note_refusal(opcode, status);
                }
                if self.lines.is_empty() { Lone::Done(answer.status) } else { Lone::Logged(answer.status) }
            }
            Err(now) => Lone::Submitted { opaque, now, deadline: deadline.unwrap_or(Instant::FAR_FUTURE) },
        }
    }

    /// Takes over a request that is submitted already: the call goes on as if it had submitted it.
    pub(crate) fn adopt(&mut self, op: &mut Op) {
        self.driver.cluster.settle_quiet();
        self.frames.push(op.frame);
        self.active.push(Active::new(op.first, op.request_count, 0));
        op.phase = Phase::Exchange;
    }
}
