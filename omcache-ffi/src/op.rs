//! One call at work: plain data in the outermost frame, so that a callback may leave by `longjmp` at any time.

use std::ffi::c_int;
use std::ptr;

use omcache::driver::conn::Instant;
use omcache::driver::proto::Key;

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
    /// Whether a callback was called, which may have changed what the program gave.
    pub(crate) has_called: bool,
    /// Keys whose requests are made as they are submitted.
    pub(crate) keys: Option<Keys>,
}

/// The keys of a call on many, as many as it has requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) keys: *const *const u8,
    pub(crate) lens: *const usize,
}

impl Keys {
    /// Whether all of them are keys: of 1 to 250 bytes, and none of them NULL.
    ///
    /// # Safety
    /// The arrays are not NULL and hold `count` entries.
    pub(crate) unsafe fn are_valid(&self, count: usize) -> bool {
        // SAFETY: as the caller promises.
        let (keys, lens) = unsafe {
            (std::slice::from_raw_parts(self.keys, count), std::slice::from_raw_parts(self.lens, count))
        };
        are_short(keys, lens)
            || keys.iter().zip(lens).all(|(key, len)| !key.is_null() && (1..=Key::MAX_LEN).contains(len))
    }
}

/// Whether all are keys of 1 to 128 bytes, as most are: that is seen of them together, without a branch for each.
fn are_short(keys: &[*const u8], lens: &[usize]) -> bool {
    // What NULL or 0 is one less than has all bits set, and what is in use of a pointer's bits leaves the highest one.
    let less = |bits: usize, number: usize| bits | number.wrapping_sub(1);
    let addresses = keys.iter().map(|key| key.addr()).fold(0, less);
    addresses.leading_zeros() > 0 && lens.iter().copied().fold(0, less) < 128
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
            has_called: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_1_to_250_bytes_and_not_null() {
        let are_valid = |given: &[(&[u8], usize)]| {
            let keys: Vec<_> = given.iter().map(|(key, _)| key.as_ptr()).collect();
            let lens: Vec<_> = given.iter().map(|&(_, len)| len).collect();
            // SAFETY: the lists have an entry for each key.
            unsafe { Keys { keys: keys.as_ptr(), lens: lens.as_ptr() }.are_valid(given.len()) }
        };
        let long = [b'x'; 300];
        let key = |len| (&long[..], len);
        assert!(are_valid(&[]) && are_valid(&[key(1), key(128), key(129), key(250)]));
        for len in [0, 251, 256, 257, usize::MAX] {
            assert!(!are_valid(&[key(16), key(len), key(16)]), "{len}");
        }
        let null = [ptr::null(), long.as_ptr()];
        // SAFETY: as above.
        let is_valid = unsafe { Keys { keys: null.as_ptr(), lens: [5, 5].as_ptr() }.are_valid(2) };
        assert!(!is_valid);
    }
}
