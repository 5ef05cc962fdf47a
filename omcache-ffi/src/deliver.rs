//! From events to the program: which call a response belongs to, and the value it is told as.

use std::collections::VecDeque;
use std::ffi::{CString, c_int};
use std::ptr;

use omcache::Bytes;
use omcache::driver::Level;
use omcache::driver::conn::{Event, Outcome, Response};
use omcache::driver::proto::binary::{Opcode, ResponsePacket, Status};

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

pub(crate) fn value_of(response: &Response<'_>) -> omcache_value_t {
    let packet = response.packet();
    if is_got(&packet) { got(&packet) } else { other_value_of(packet) }
}

/// Whether it is a value that was read.
#[inline(always)]
fn is_got(packet: &ResponsePacket<'_>) -> bool {
    // What a batch asks for comes first, as it costs less than to look for all of its family.
    packet.status == Status::SUCCESS && (packet.opcode == Opcode::GETKQ || packet.opcode.is_get_family())
}

/// A value that was read.
#[inline(always)]
fn got(packet: &ResponsePacket<'_>) -> omcache_value_t {
    omcache_value_t {
        status: ret::OK,
        key: packet.key.as_ptr(),
        key_len: packet.key.len(),
        data: packet.value.as_ptr(),
        data_len: packet.value.len(),
        flags: packet.flags().unwrap_or_default(),
        cas: packet.cas,
        delta_value: 0,
    }
}

/// Any other answer.
#[inline(never)]
fn other_value_of(packet: ResponsePacket<'_>) -> omcache_value_t {
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

/// How a request ended without an answer to look at.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotSent(failure) => format!("was not sent: {failure}"),
        Outcome::Unknown(failure) => format!("was sent and not answered: {failure}"),
        Outcome::ResponseTooLarge { len, limit, .. } => {
            format!("was answered with {len} bytes, of which at most {limit} are received")
        }
        _ => "has ended".to_owned(),
    }
}

impl Handle {
    /// Takes the next event. The outer option is none where there is no event; the inner one is a response, for the
    /// program's response callback.
    pub(crate) fn take_event(&mut self, op: &mut Op) -> Option<Option<omcache_value_t>> {
        self.take_backlog(op);
        if op.stored == 0 && self.frames.len() <= 1 && self.delivered.is_empty() {
            // What only callbacks were shown need not stay until the next call.
            self.driver.cluster.release_received();
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
                    let server = settled.server.and_then(|server| self.driver.cluster.server(server));
                    let place = server.map(|server| format!(" at [{}:{}]", server.host(), server.port()));
                    let (opcode, place, told) =
                        (settled.opcode, place.unwrap_or_default(), told(&settled.outcome));
                    let cause = match value.status {
                        ret::NO_SERVERS => self.cause(settled.server),
                        _ => String::new(),
                    };
                    self.note_error(value.status, &format_args!("{opcode:?}{place} {told}{cause}"));
                }
                let silent = value.is_none();
                self.settle(op, settled.opaque, value, true);
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
                Some(None)
            }
            Event::Server(event) => {
                self.driver.log_change(&event);
                self.take_driver_lines();
                Some(None)
            }
            _ => Some(None),
        }
    }

    /// Takes the responses that this call waits for, as long as each is one that nobody but the call is to be told of. What
    /// is left is for [`Handle::take_event`].
    #[inline(never)]
    pub(crate) fn take_plain(&mut self, op: &mut Op) {
        let tells = self.response_callback.is_some() || self.log.wants(Level::Debug);
        let [active] = self.active.as_mut_slice() else { return };
        if tells || !op.awaits(active.first) || !active.backlog.is_empty() || op.stored >= op.capacity {
            return;
        }
        let (first, count) = (active.first, active.count);
        let (values, capacity) = (op.values, op.capacity);
        let (mut stored, mut refusal) = (op.stored, None);
        while let Some(mut answers) = self.driver.cluster.answers() {
            while stored < capacity
                && let Some(answer) = answers.next()
            {
                if answer.opaque.wrapping_sub(first) as usize >= count {
                    continue;
                }
                // SAFETY: the program gave room for `capacity` values, and `stored` is less.
                let place = unsafe { values.add(stored) };
                stored += 1;
                if is_got(&answer) {
                    // SAFETY: as above.
                    unsafe { place.write(got(&answer)) };
                    continue;
                }
                let (opcode, status) = (answer.opcode, answer.status);
                let value = other_value_of(answer);
                // SAFETY: as above.
                unsafe { place.write(value) };
                if value.status == ret::FAIL {
                    refusal = Some((opcode, status));
                    break;
                }
            }
            if stored == capacity || refusal.is_some() {
                break;
            }
        }
        active.outstanding = active.outstanding.saturating_sub(stored - op.stored);
        op.stored = stored;
        if let Some((opcode, status)) = refusal {
            self.note_refusal(opcode, status);
        }
    }

    /// Gives an outcome to the call that waits for it.
    fn settle(&mut self, op: &mut Op, opaque: u32, value: Option<omcache_value_t>, ends: bool) {
        let Some(active) = self.active.iter_mut().rev().find(|active| active.contains(opaque)) else {
            return;
        };
        if ends {
            active.outstanding = active.outstanding.saturating_sub(1);
        }
        let Some(value) = value else { return };
        let at = opaque.wrapping_sub(active.first) as usize;
        if op.awaits(active.first) {
            self.store_at(op, at, value);
        } else {
            active.backlog.push_back((at, Kept::new(value)));
        }
    }

    /// Stores what became of the request at this place: a failure has its key.
    fn store_at(&mut self, op: &mut Op, at: usize, mut value: omcache_value_t) {
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
        } else if op.capacity > 0 || op.values.is_null() {
            let text = format_args!("no space to store response, {} values are stored", op.stored);
            if self.log.wants(Level::Info) && op.capacity > 0 {
                self.log_line(Level::Info, text);
            }
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

    /// Why no server takes a request: the last failure of this one, or of the first that has one.
    #[cold]
    pub(crate) fn cause(&self, server: Option<usize>) -> String {
        let cluster = &self.driver.cluster;
        let failed = |index: usize| {
            let (server, status) = (cluster.server(index)?, cluster.server_status(index)?);
            Some(format!("; [{}:{}]: {}", server.host(), server.port(), status.last_failure?))
        };
        let any = || (0..cluster.server_count()).find_map(failed);
        server.and_then(failed).or_else(any).unwrap_or_default()
    }

    /// Notes that a server refused a request.
    #[cold]
    pub(crate) fn note_refusal(&mut self, opcode: Opcode, status: Status) {
        self.note_error(ret::FAIL, &format_args!("{opcode:?} was answered with {status:?}"));
    }

    /// Keeps the text of a failure for `omcache_last_error`, and logs what the program should know of.
    pub(crate) fn note_error(&mut self, code: c_int, error: &dyn std::fmt::Display) {
        let text = format!("{}: {error}", ret::text(code).to_string_lossy());
        let level = match code {
            ret::NO_SERVERS => Level::Error,
            ret::BUFFER_FULL => Level::Warning,
            _ => Level::Notice,
        };
        if self.log.wants(level) {
            self.log_line(level, format_args!("{text}"));
        }
        self.last_error = CString::new(text.replace('\0', " ")).unwrap_or_default();
    }
}
