//! From events to the program: which call a response belongs to, and the value it is told as.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::ptr;

use omcache::Bytes;
use omcache::driver::Level;
use omcache::driver::conn::{Cluster, Event, Response};
use omcache::driver::proto::binary::{Found, Opcode};

use crate::failure::is_discarded;
use crate::handle::Handle;
use crate::op::Op;
use crate::ret;
use crate::types::omcache_value_t;

/// A set of requests that is awaited.
#[derive(Debug)]
pub(crate) struct Active {
    /// The opaque of the first; they are consecutive.
    pub(crate) first: u32,
    pub(crate) count: usize,
    pub(crate) outstanding: usize,
    /// How many calls were at work when it was submitted.
    pub(crate) depth: usize,
    /// What came while another call was at work, with the place of its request.
    backlog: VecDeque<(usize, Kept)>,
}

impl Active {
    pub(crate) fn new(first: u32, count: usize, depth: usize) -> Self {
        Self { first, count, outstanding: count, depth, backlog: VecDeque::new() }
    }

    fn contains(&self, opaque: u32) -> bool {
        (opaque.wrapping_sub(self.first) as usize) < self.count
    }

    /// Takes the values that come next into the call's array, as far as it has room.
    #[inline]
    pub(crate) fn take_values(&mut self, cluster: &mut Cluster, op: &mut Op) {
        if op.stored >= op.capacity {
            return;
        }
        let (first, count) = (self.first, self.count);
        // SAFETY: the program gave room for `capacity` values, and `stored` is less.
        let begin = unsafe { op.values.add(op.stored) };
        // Nothing is read or written there.
        let (mut place, end) = (begin, op.values.wrapping_add(op.capacity));
        let all = |_| true;
        cluster.take_values(all, |_, opaque, found| {
            if (opaque.wrapping_sub(first) as usize) < count {
                // SAFETY: `place` is before the end of the program's array.
                place = unsafe {
                    place.write(got(&found));
                    place.add(1)
                };
            }
            place != end
        });
        // SAFETY: both are places of the program's array.
        let stored = unsafe { place.offset_from_unsigned(begin) };
        self.outstanding = self.outstanding.saturating_sub(stored);
        op.stored += stored;
    }
}

/// A value with bytes of its own, so that it outlasts the call that received it.
#[derive(Debug)]
pub(crate) struct Kept {
    key: Bytes,
    data: Bytes,
    value: omcache_value_t,
}

impl Kept {
    fn new(value: omcache_value_t) -> Self {
        let own = |data: *const u8, len: usize| {
            // SAFETY: a value's pointers are to as many bytes as its lengths say, held by the handle at this time.
            unsafe { crate::boundary::bytes_of(data, len) }.map(Bytes::copy_from_slice).unwrap_or_default()
        };
        let (key, data) = (own(value.key, value.key_len), own(value.data, value.data_len));
        let value = omcache_value_t { key: key.as_ptr(), data: data.as_ptr(), ..value };
        Self { key, data, value }
    }

    fn value(&self) -> omcache_value_t {
        omcache_value_t { key: self.key.as_ptr(), data: self.data.as_ptr(), ..self.value }
    }
}

/// A value that says no more than how a request ended.
pub(crate) fn bare_value(status: c_int) -> omcache_value_t {
    omcache_value_t {
        status,
        key: ptr::null(),
        key_len: 0,
        data: ptr::null(),
        data_len: 0,
        flags: 0,
        cas: 0,
        delta_value: 0,
    }
}

/// A value that was read.
#[inline(always)]
fn got(found: &Found<'_>) -> omcache_value_t {
    omcache_value_t {
        status: ret::OK,
        key: found.key.as_ptr(),
        key_len: found.key.len(),
        data: found.value.as_ptr(),
        data_len: found.value.len(),
        flags: found.flags,
        cas: found.cas,
        delta_value: 0,
    }
}

/// Any answer.
pub(crate) fn value_of(response: &Response<'_>) -> omcache_value_t {
    let packet = response.packet();
    let end_of_stat = packet.opcode == Opcode::STAT && packet.key.is_empty() && packet.value.is_empty();
    omcache_value_t {
        status: ret::of_status(packet.status),
        key: if end_of_stat { ptr::null() } else { packet.key.as_ptr() },
        key_len: packet.key.len(),
        data: if end_of_stat { ptr::null() } else { packet.value.as_ptr() },
        data_len: packet.value.len(),
        flags: packet.flags().unwrap_or_default(),
        cas: packet.cas,
        delta_value: packet.counter().unwrap_or_default(),
    }
}

impl Handle {
    /// Whether there may be something for a call to take.
    #[inline]
    pub(crate) fn has_something(&self) -> bool {
        self.driver.cluster.has_events() || self.active.iter().any(|active| !active.backlog.is_empty())
    }

    /// Takes the next event. The outer option is none where there is no event; the inner one is for the program's response
    /// callback: a response, or a failure that this call does not return.
    pub(crate) fn take_event(&mut self, op: &mut Op) -> Option<Option<omcache_value_t>> {
        self.take_backlog(op);
        if op.stored == 0 {
            // What only callbacks were shown need not stay until the next call.
            self.release_shown();
        }
        match self.driver.cluster.poll_event()? {
            Event::Response(response) => {
                let value = value_of(&response);
                let (opaque, server) = (response.opaque(), response.server());
                let packet = response.packet();
                let (opcode, status) = (packet.opcode, packet.status);
                let ends = opcode != Opcode::STAT || packet.ends_stat();
                if self.log.wants(Level::Debug) {
                    self.log_message("received", server, opcode, opaque);
                }
                if value.status == ret::FAIL {
                    self.note_refusal(opcode, status);
                }
                self.settle(op, opaque, Some(value), ends);
                Some(Some(value))
            }
            Event::Settled(settled) => {
                let value = ret::of_outcome(&settled.outcome).map(bare_value);
                if let Some(value) = value {
                    self.note_settled(value.status, &settled);
                }
                let silent = value.is_none();
                let returned = self.settle(op, settled.opaque, value, true);
                if silent && self.active.is_empty() {
                    self.driver.cluster.drop_silent();
                } else if silent {
                    let Self { driver, active, .. } = self;
                    driver.cluster.take_silent(|opaque| {
                        if let Some(active) = active.iter_mut().rev().find(|active| active.contains(opaque)) {
                            active.outstanding = active.outstanding.saturating_sub(1);
                        }
                    });
                }
                Some(value.filter(|_| !returned && !is_discarded(&settled)))
            }
            Event::Server(event) => {
                self.driver.log_change(&event);
                self.take_driver_lines();
                Some(None)
            }
            _ => Some(None),
        }
    }

    /// Whether nobody but this call is to be told of the responses that it waits for, and it has room for them.
    pub(crate) fn is_plain(&self, op: &Op) -> bool {
        let tells = self.response_callback.is_some() || self.log.wants(Level::Debug);
        let [active] = self.active.as_slice() else { return false };
        !tells && op.awaits(active.first) && active.backlog.is_empty() && op.stored < op.capacity
    }

    /// Takes the responses that this call waits for, as long as each is one that nobody but the call is to be told of. What
    /// is left is for [`Handle::take_event`]; whether nothing is.
    #[inline(never)]
    pub(crate) fn take_plain(&mut self, op: &mut Op) -> bool {
        if !self.is_plain(op) {
            return false;
        }
        let [active] = self.active.as_mut_slice() else { return false };
        let (mut refusal, mut goes_on) = (None, true);
        while goes_on {
            active.take_values(&mut self.driver.cluster, op);
            if op.stored == op.capacity {
                break;
            }
            // Then those that are no values, up to the next one.
            goes_on = false;
            self.driver.cluster.take_responses(|response| {
                goes_on = true;
                if !active.contains(response.opaque()) {
                    return true;
                }
                let value = value_of(&response);
                op.worst = op.worst.max(value.status);
                if value.status == ret::FAIL {
                    refusal = Some((response.header().opcode, response.header().status));
                }
                // SAFETY: the program gave room for `capacity` values, and `stored` is less.
                unsafe { op.values.add(op.stored).write(value) };
                op.stored += 1;
                active.outstanding = active.outstanding.saturating_sub(1);
                op.stored < op.capacity && refusal.is_none() && value.status != ret::OK
            });
            goes_on &= op.stored < op.capacity && refusal.is_none();
        }
        if let Some((opcode, status)) = refusal {
            self.note_refusal(opcode, status);
        }
        // What only callbacks were shown need not stay, and is let go of with the next event.
        op.stored > 0 && !self.driver.cluster.has_events()
    }

    /// Gives an outcome to the call that waits for it; returns whether that is this one.
    fn settle(&mut self, op: &mut Op, opaque: u32, value: Option<omcache_value_t>, ends: bool) -> bool {
        let Some(active) = self.active.iter_mut().rev().find(|active| active.contains(opaque)) else {
            return false;
        };
        if ends {
            active.outstanding = active.outstanding.saturating_sub(1);
        }
        let Some(value) = value else { return false };
        let at = opaque.wrapping_sub(active.first) as usize;
        let is_this = op.awaits(active.first);
        if is_this {
            self.store_at(op, at, value);
        } else {
            active.backlog.push_back((at, Kept::new(value)));
        }
        is_this
    }

    /// Stores what became of the request at this place: a failure has its key.
    fn store_at(&mut self, op: &mut Op, at: usize, mut value: omcache_value_t) {
        op.worst = op.worst.max(value.status);
        if value.key_len == 0 && value.status >= ret::AGAIN {
            // SAFETY: `at` is less than the count of accepted requests, which the program's array holds.
            let request = unsafe { &*op.requests.add(at) };
            value.key = request.key;
            value.key_len = usize::from(u16::from_be(request.header.keylen));
        }
        self.store(op, value);
    }

    /// Stores a value in the program's array, if there is room.
    pub(crate) fn store(&mut self, op: &mut Op, value: omcache_value_t) {
        if op.stored < op.capacity {
            // SAFETY: the program gave room for `capacity` values.
            unsafe { op.values.add(op.stored).write(value) };
            op.stored += 1;
        } else if op.capacity > 0 && self.log.wants(Level::Info) {
            let text = format_args!("values: no space to store response, {} are stored", op.stored);
            self.log_line(Level::Info, text);
        }
    }

    /// Tells a request that was refused as a value, where others of its call were accepted.
    pub(crate) fn refuse(&mut self, op: &mut Op, at: usize, code: c_int) {
        if op.timeout == 0 {
            return;
        }
        // SAFETY: `at` is less than the count of the program's requests.
        let request = unsafe { &*op.requests.add(at) };
        let key_len = usize::from(u16::from_be(request.header.keylen));
        self.store(op, omcache_value_t { key: request.key, key_len, ..bare_value(code) });
    }

    /// Stores what came for this call while another one was at work.
    fn take_backlog(&mut self, op: &mut Op) {
        if op.request_count == 0 || self.active.iter().all(|active| active.backlog.is_empty()) {
            return;
        }
        let Some(active) = self.active.iter_mut().find(|active| op.awaits(active.first)) else { return };
        for (at, kept) in std::mem::take(&mut active.backlog) {
            let value = kept.value();
            self.delivered.push(kept);
            self.store_at(op, at, value);
        }
    }
}
