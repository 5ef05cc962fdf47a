//! The commands: each describes one request, or one for each key, and waits for what becomes of it.

mod key;
mod read;
mod server;
mod store;

use std::ffi::{c_int, c_uchar, c_void};

use omcache::driver::conn::Instant;
use omcache::driver::proto::binary::{CounterExtras, Opcode, StoreExtras, TouchExtras};
use omcache::driver::proto::{self, Request};

use crate::boundary::{guarded, key_of};
use crate::deliver::bare_value;
use crate::failure::refuse;
use crate::handle::run;
use crate::io::{noted, one};
use crate::lone::{Lone, Told};
use crate::op::{Op, Phase};
use crate::ret;
use crate::types::{omcache_req_header_s, omcache_req_t, omcache_t, omcache_value_t};

pub use key::*;
pub use read::*;
pub use server::*;
pub use store::*;

pub(super) type Key = *const c_uchar;

/// What a request is made of. The protocol's expiration has 32 bits.
pub(super) struct Parts<'p> {
    pub(super) opcode: Opcode,
    pub(super) extras: &'p [u8],
    pub(super) key: &'p [u8],
    pub(super) value: &'p [u8],
    pub(super) cas: u64,
    pub(super) server_index: c_int,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self { opcode: Opcode::NOOP, extras: &[], key: &[], value: &[], cas: 0, server_index: -1 }
    }
}

/// The quiet form of an opcode, where it has one.
fn quiet(opcode: Opcode) -> Opcode {
    opcode.quiet().unwrap_or(opcode)
}

impl<'p> Parts<'p> {
    /// Those of a request on one key, which goes where the key belongs.
    #[cold]
    fn of(request: &Request<'p>, extras: &'p [u8]) -> Self {
        let (value, cas): (&[u8], u64) = match *request {
            Request::Store { value, cas, .. } | Request::Concat { value, cas, .. } => (value, cas),
            _ => (&[], 0),
        };
        let key = request.key().map_or(&[][..], |key| key.as_bytes());
        Self { opcode: request.opcode(), extras, key, value, cas, server_index: -1 }
    }

    /// The request, in its quiet form where it is not waited for and has one. None where it is too long.
    pub(super) fn request(&self, timeout: i32) -> Option<omcache_req_t> {
        let opcode = if timeout == 0 { quiet(self.opcode) } else { self.opcode };
        let body = self.extras.len() + self.key.len() + self.value.len();
        Some(omcache_req_t {
            server_index: self.server_index,
            header: omcache_req_header_s {
                opcode: opcode.0,
                keylen: u16::try_from(self.key.len()).ok()?.to_be(),
                extlen: u8::try_from(self.extras.len()).ok()?,
                bodylen: u32::try_from(body).ok()?.to_be(),
                cas: self.cas.to_be(),
                ..omcache_req_header_s::default()
            },
            extra: self.extras.as_ptr().cast::<c_void>(),
            key: self.key.as_ptr(),
            data: self.value.as_ptr(),
        })
    }

    /// Runs the request the general way; the result is its response's status.
    ///
    /// # Safety
    /// `mc` is NULL or a live handle.
    pub(super) unsafe fn run(&self, mc: *mut omcache_t, value: &mut omcache_value_t, timeout: i32) -> c_int {
        // SAFETY: as the caller promises.
        unsafe { self.run_submitted(mc, value, timeout, None) }
    }

    /// Goes on with a request that is submitted already where `submitted` has its opaque, the moment and the deadline.
    ///
    /// # Safety
    /// As [`Parts::run`].
    unsafe fn run_submitted(
        &self,
        mc: *mut omcache_t,
        value: &mut omcache_value_t,
        timeout: i32,
        submitted: Option<(u32, Instant, Instant)>,
    ) -> c_int {
        let Some(mut request) = self.request(timeout) else {
            // SAFETY: as the caller promises.
            return unsafe { refuse(mc, ret::INVALID, "the request is too long") };
        };
        if let Some((opaque, now, deadline)) = submitted {
            let mut op = Op::new(timeout);
            (op.phase, op.first, op.now, op.deadline) = (Phase::Adopt, opaque, now, deadline);
            (op.submit, op.requests, op.request_count) = (true, &raw mut request, 1);
            (op.values, op.capacity) = (std::ptr::from_mut(value), 1);
            // SAFETY: as the caller promises; the pointers are to this frame's.
            let result = unsafe { run(mc, &mut op) };
            if result != ret::OK || op.stored == 0 {
                return result;
            }
            // SAFETY: as the caller promises.
            return unsafe { noted(mc, value.status) };
        }
        // SAFETY: as the caller promises; the request points to what its lengths say.
        let result = unsafe { one(mc, &raw mut request, value, timeout) };
        if self.server_index >= 0 { of_named_server(result) } else { result }
    }
}

/// The extras of a request on one key, in bytes, and how many they are.
fn extras_of(request: &Request<'_>) -> ([u8; 20], usize) {
    let mut extras = [0; 20];
    let len = match *request {
        Request::Store { flags, expiration, .. } => {
            extras[..8].copy_from_slice(&StoreExtras { flags, expiration }.encode());
            8
        }
        Request::Counter { delta, initial, expiration, .. } => {
            extras = CounterExtras { delta, initial, expiration }.encode();
            20
        }
        Request::GetAndTouch { expiration, .. } | Request::Touch { expiration, .. } => {
            extras[..4].copy_from_slice(&TouchExtras { expiration }.encode());
            4
        }
        _ => 0,
    };
    (extras, len)
}

/// Goes on where a request did not go alone, or has more to tell than its status.
///
/// # Safety
/// As [`Parts::run`].
#[cold]
unsafe fn go_on(
    mc: *mut omcache_t,
    request: &Request<'_>,
    lone: Lone,
    tell: &mut impl FnMut(&Told),
    timeout: i32,
) -> c_int {
    let submitted = match lone {
        Lone::Done(result) => return result,
        // SAFETY: a live handle, as it was just used.
        Lone::Logged(result) => return unsafe { run(mc, &mut Op::done(result)) },
        Lone::Untouched => None,
        Lone::Unplaced => {
            let placed = guarded(Some(ret::FAIL), || {
                // SAFETY: a live handle, as it was just used; no other reference to it is live.
                unsafe { mc.as_mut() }.and_then(|handle| handle.place_quiet(request))
            });
            if let Some(result) = placed {
                if result == ret::BUFFERED {
                    tell(&Told::NOTHING);
                }
                return result;
            }
            None
        }
        Lone::Submitted { opaque, now, deadline } => Some((opaque, now, deadline)),
    };
    let (extras, len) = extras_of(request);
    let parts = Parts::of(request, &extras[..len]);
    let mut value = bare_value(ret::OK);
    // SAFETY: as the caller promises.
    let result = unsafe { parts.run_submitted(mc, &mut value, timeout, submitted) };
    match result {
        ret::OK => tell(&Told::of_value(&value)),
        ret::INVALID => {}
        _ => tell(&Told::NOTHING),
    }
    result
}

/// The result of a call that names a server.
pub(crate) fn of_named_server(result: c_int) -> c_int {
    if result == ret::SERVER_FAILURE { ret::NO_SERVERS } else { result }
}

/// The protocol's expiration: the low 32 bits, as 0.3 passed them on.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn expiration_of(expiration: libc::time_t) -> u32 {
    expiration as u32
}

/// A key of 1 to 250 bytes, as requests have it.
///
/// # Safety
/// As [`key_of`].
#[inline(always)]
pub(super) unsafe fn checked_key<'k>((key, len): (Key, usize)) -> Option<proto::Key<'k>> {
    // SAFETY: as the caller promises.
    proto::Key::new(unsafe { key_of(key, len) }?).ok()
}

/// A command on one key, by the shortest way where that can be. The request is made where it is sent, as a known kind costs
/// less. `tell` is called, unless the call is invalid or failed by a panic.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[inline(always)]
pub(super) unsafe fn on_key<'r>(
    mc: *mut omcache_t,
    request: impl Fn() -> Request<'r> + Copy,
    timeout: i32,
    tell: &mut impl FnMut(&Told),
) -> c_int {
    let told = &mut *tell;
    let lone = guarded(Lone::Done(ret::FAIL), move || {
        // SAFETY: a live handle or NULL as the caller promises; no other reference to it is live.
        match unsafe { mc.as_mut() } {
            Some(handle) => handle.run_alone(&request(), timeout, told),
            None => Lone::Done(ret::INVALID),
        }
    });
    if let Lone::Done(result) = lone {
        return result;
    }
    // SAFETY: as the caller promises.
    unsafe { go_on(mc, &request(), lone, tell, timeout) }
}
