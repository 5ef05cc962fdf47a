//! Reads of many keys, by the shortest way: each request is made as it is submitted.

use std::ffi::c_int;
use std::ptr;

use omcache::driver::conn::{SubmitError, Submitted};
use omcache::driver::proto::binary::Opcode;
use omcache::driver::proto::{Key, Request};

use crate::handle::Handle;
use crate::op::{Keys, Op};
use crate::ret;
use crate::types::{omcache_req_header_s, omcache_req_t};

impl Handle {
    /// Submits a request for each key and writes those that were accepted to the front of the program's array, the others
    /// to its end. Returned is how many were accepted, and why the last one of the others was not; where a key is invalid,
    /// nothing is submitted or written. All were valid when the call began.
    #[inline(never)]
    pub(crate) fn submit_keys(&mut self, op: &mut Op, keys: Keys) -> (usize, c_int) {
        let (count, requests) = (op.request_count, op.requests);
        let mut refused = Vec::new();
        // SAFETY: the arrays hold as many keys as there are requests.
        if op.has_called && !unsafe { keys.are_valid(count) } {
            return (0, ret::INVALID);
        }
        // SAFETY: the arrays hold as many keys as there are requests, all of which were looked at; since then no callback was
        // called that could change them.
        let key =
            move |at: usize| unsafe { std::slice::from_raw_parts(*keys.keys.add(at), *keys.lens.add(at)) };
        let request =
            move |at: usize| Some(Request::Get { key: Key::new(key(at)).ok()?, with_key: true, quiet: true });
        let before = self.driver.cluster.last_opaque();
        let mut place = requests;
        let valid = self.driver.cluster.submit_many(
            count,
            key,
            request,
            |Submitted { server, key, result, .. }| {
                // SAFETY: the array has as many requests as there are keys, each of which comes once: those that are accepted
                // are counted from its front, the others from its end.
                unsafe {
                    match result {
                        Ok(opaque) => {
                            place.write(request_of(key, opaque, server as c_int));
                            place = place.add(1);
                        }
                        Err(error) => {
                            refused.push(error);
                            requests.add(count - refused.len()).write(request_of(key, 0, -1));
                        }
                    }
                }
            },
        );
        let accepted = self.driver.cluster.last_opaque().wrapping_sub(before) as usize;
        if refused.is_empty() {
            return (accepted, if valid { ret::OK } else { ret::INVALID });
        }
        (accepted, self.refuse_keys(op, &refused, accepted))
    }

    /// Tells of those that were not accepted: the first one is the last of the array.
    #[cold]
    fn refuse_keys(&mut self, op: &mut Op, refused: &[SubmitError], accepted: usize) -> c_int {
        let mut code = ret::OK;
        for (at, error) in refused.iter().enumerate() {
            code = self.note_submit_error(error);
            if accepted > 0 || at + 1 < refused.len() {
                self.refuse(op, op.request_count - 1 - at, code);
            }
        }
        code
    }
}

#[inline(always)]
fn request_of(key: &[u8], opaque: u32, server_index: c_int) -> omcache_req_t {
    // A key has 250 bytes at most.
    let len = key.len() as u16;
    omcache_req_t {
        server_index,
        header: omcache_req_header_s {
            magic: 0x80,
            opcode: Opcode::GETKQ.0,
            keylen: len.to_be(),
            bodylen: u32::from(len).to_be(),
            opaque,
            ..omcache_req_header_s::default()
        },
        extra: ptr::null(),
        key: key.as_ptr(),
        data: ptr::null(),
    }
}
