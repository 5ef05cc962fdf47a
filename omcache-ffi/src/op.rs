//! One call at work: plain data in the outermost frame, so that a callback may leave by `longjmp` at any time.

use std::ffi::c_int;
use std::ptr;

use omcache::driver::conn::Instant;

use crate::types::{omcache_req_t, omcache_value_t};

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To begin: the frame is not registered yet.
    Begin,
    /// The request is submitted already; to be registered, then exchanged.
    Adopt,
    /// What went on since the last call is looked at, so that requests are placed by the present state.
    Look,
    /// To hand the requests to the cluster.
    Submit,
    /// To send, receive and wait.
    Exchange,
    /// The result is known.
    End,
}

/// What a call wants, and how far it is. Plain data: nothing in it waits to be dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) phase: Phase,
    pub(crate) requests: *mut omcache_req_t,
    pub(crate) request_count: usize,
    /// Whether the requests are to be submitted; else they are awaited again.
    pub(crate) submit: bool,
    pub(crate) values: *mut omcache_value_t,
    pub(crate) capacity: usize,
    pub(crate) stored: usize,
    /// The opaque of the first request.
    pub(crate) first: u32,
    /// Milliseconds; negative waits for ever, 0 does not wait.
    pub(crate) timeout: i32,
    pub(crate) now: Instant,
    pub(crate) deadline: Instant,
    pub(crate) result: c_int,
    /// The worst status that a request of it ended with, stored or not.
    pub(crate) worst: c_int,
    /// The address of the outermost frame.
    pub(crate) frame: usize,
    /// Whether the deadline has passed.
    pub(crate) over: bool,
    /// Whether the program may ask for the requests again where the call does not wait for them.
    pub(crate) resumable: bool,
    /// Whether the call only delivers log lines.
    pub(crate) idle: bool,
    /// Keys whose requests are made as they are submitted.
    pub(crate) keys: Option<Keys>,
}

/// The keys of a call on many, as many as it has requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) keys: *const *const u8,
    pub(crate) lens: *const usize,
}

impl Op {
    pub(crate) fn new(timeout: i32) -> Self {
        Self {
            phase: Phase::Begin,
            requests: ptr::null_mut(),
            request_count: 0,
            submit: false,
            values: ptr::null_mut(),
            capacity: 0,
            stored: 0,
            first: 0,
            timeout,
            now: Instant::ORIGIN,
            deadline: Instant::FAR_FUTURE,
            result: 0,
            worst: 0,
            frame: 0,
            over: false,
            resumable: false,
            idle: false,
            keys: None,
        }
    }

    /// A call that does nothing but deliver log lines and return `result`.
    pub(crate) fn done(result: c_int) -> Self {
        Self { idle: true, result, ..Self::new(0) }
    }

    /// Whether it waits for the requests whose first one has this opaque; one that submits has none before it did.
    pub(crate) fn awaits(&self, first: u32) -> bool {
        self.request_count > 0 && self.first == first && (!self.submit || self.phase == Phase::Exchange)
    }

    /// Whether the call stands among those at work.
    pub(crate) fn is_registered(&self) -> bool {
        !matches!(self.phase, Phase::Begin | Phase::Adopt)
    }

    pub(crate) fn end(&mut self, result: c_int) {
        self.result = result;
        self.phase = Phase::End;
    }
}
