//! Hands a call's requests to the cluster, and tells of those that it refuses.

use std::ffi::c_int;

use omcache::driver::Level;
use omcache::driver::conn::{SubmitError, Target};
use omcache::driver::proto::binary::{Opcode, RequestPacket};

use super::Handle;
use crate::deliver::Active;
use crate::op::{Op, Phase};
use crate::ret;
use crate::types::omcache_req_t;

impl Handle {
    /// Hands the call's requests to the cluster. Those that it refuses are moved to the end of the array.
    pub(super) fn submit(&mut self, op: &mut Op) {
        let count = op.request_count;
        op.first = self.driver.cluster.last_opaque().wrapping_add(1);
        let (accepted, refusal) = match op.keys {
            Some(keys) => self.submit_keys(op, keys),
            None => self.submit_requests(op),
        };
        op.request_count = accepted;
        if accepted == 0 {
            op.stored = 0;
            op.end(if count == 0 { ret::OK } else { refusal });
            return;
        }
        let active = Active::new(op.first, accepted, self.frames.len().saturating_sub(1));
        if op.timeout == 0 {
            if op.resumable {
                self.active.push(active);
            }
            self.driver.step(op.now);
            op.stored = 0;
            op.end(ret::BUFFERED);
            return;
        }
        self.driver.cluster.settle_quiet();
        self.active.push(active);
        op.phase = Phase::Exchange;
    }

    /// Submits the program's requests; how many were accepted is returned, and why the last one of the others was not.
    fn submit_requests(&mut self, op: &mut Op) -> (usize, c_int) {
        let (mut accepted, mut at, mut end) = (0, 0, op.request_count);
        let mut refusal = ret::OK;
        while at < end {
            // SAFETY: `at` is less than the count of requests that the program gave with the pointer.
            let request = unsafe { &mut *op.requests.add(at) };
            match self.submit_one(request) {
                Ok(()) => {
                    at += 1;
                    accepted += 1;
                }
                Err(code) => {
                    refusal = code;
                    end -= 1;
                    // SAFETY: both are less than the count; swapping one with itself does nothing.
                    unsafe { std::ptr::swap(op.requests.add(at), op.requests.add(end)) };
                    if accepted > 0 || end > at {
                        self.refuse(op, end, code);
                    }
                }
            }
        }
        (accepted, refusal)
    }

    fn submit_one(&mut self, request: &mut omcache_req_t) -> Result<(), c_int> {
        let header = &mut request.header;
        let (key_len, extras_len) = (usize::from(u16::from_be(header.keylen)), usize::from(header.extlen));
        let body_len = u32::from_be(header.bodylen) as usize;
        let value_len = body_len.checked_sub(key_len + extras_len).ok_or(ret::INVALID)?;
        // SAFETY: the program gives as many bytes as the header says.
        let (extras, key, value) = unsafe {
            (
                crate::boundary::bytes_of(request.extra.cast(), extras_len).ok_or(ret::INVALID)?,
                crate::boundary::bytes_of(request.key, key_len).ok_or(ret::INVALID)?,
                crate::boundary::bytes_of(request.data, value_len).ok_or(ret::INVALID)?,
            )
        };
        if key_len > omcache::driver::proto::Key::MAX_LEN {
            return Err(ret::INVALID);
        }
        let opcode = Opcode(header.opcode);
        let cas = u64::from_be(header.cas);
        let vbucket = u16::from_be(header.reserved);
        let packet = RequestPacket { opcode, vbucket, cas, opaque: 0, extras, key, value };
        let target = match usize::try_from(request.server_index) {
            Ok(server) => Target::Server(server),
            Err(_) => Target::Key,
        };
        match self.driver.cluster.submit_packet(target, &packet) {
            Ok(opaque) => {
                header.magic = 0x80;
                header.datatype = 0;
                header.opaque = opaque;
                let server = self.driver.cluster.last_server();
                request.server_index = c_int::try_from(server).unwrap_or(c_int::MAX);
                if self.log.wants(Level::Debug) {
                    self.log_message("sending", server, opcode, opaque);
                }
                Ok(())
            }
            Err(error) => Err(self.note_submit_error(&error)),
        }
    }

    /// Notes why a request was not queued; its return code.
    #[cold]
    pub(crate) fn note_submit_error(&mut self, error: &SubmitError) -> c_int {
        let code = ret::of_refusal(error);
        let cause = if code == ret::NO_SERVERS { self.cause(None) } else { String::new() };
        self.note_error(code, &format_args!("{error}{cause}"));
        code
    }
}
