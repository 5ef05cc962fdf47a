//! Requests, answers, and the program's own event loop.

use std::ffi::c_int;
use std::ptr;
use std::time::Duration;

use crate::boundary::{put, with_handle};
use crate::failure::refuse;
use crate::handle::run;
use crate::op::Op;
use crate::ret;
use crate::types::{omcache_req_t, omcache_t, omcache_value_t};

/// Submits requests (`submit`) or awaits them, and writes the counts back. Requests that are `resumable` may be awaited by a
/// later call where this one does not wait. Returned beside the result is the worst status that a request ended with.
///
/// # Safety
/// `mc` is NULL or a live handle; the arrays are NULL or as long as their counts say.
pub(crate) unsafe fn exchange(
    mc: *mut omcache_t,
    (submit, resumable): (bool, bool),
    reqs: *mut omcache_req_t,
    req_count: *mut usize,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    timeout_msec: i32,
) -> (c_int, c_int) {
    let read = |count: *mut usize| {
        // SAFETY: not NULL, and readable as the caller promises.
        if count.is_null() { 0 } else { unsafe { count.read() } }
    };
    let given = read(req_count);
    let uncounted = (!reqs.is_null() && req_count.is_null()) || (!values.is_null() && value_count.is_null());
    if mc.is_null() || uncounted || (submit && reqs.is_null()) {
        // SAFETY: as the caller promises.
        let refused = unsafe { refuse(mc, ret::INVALID, "the requests or a count are NULL") };
        return (refused, refused);
    }
    let awaits = !reqs.is_null() && given > 0;
    let mut op = Op::new(timeout_msec);
    op.submit = submit;
    op.resumable = resumable;
    if awaits {
        op.requests = reqs;
        op.request_count = given;
    }
    if !values.is_null() {
        op.values = values;
        op.capacity = read(value_count);
    }
    if !submit && awaits {
        // SAFETY: the program gave at least one request.
        op.first = unsafe { (*reqs).header.opaque };
        // SAFETY: a live handle; no other reference is live.
        let known = unsafe {
            with_handle(mc, |handle| {
                let (first, count) = (op.first, op.request_count);
                c_int::from(handle.active.iter().any(|active| active.first == first && active.count == count))
            })
        };
        if known != 1 {
            // SAFETY: as the caller promises.
            let refused = unsafe { refuse(mc, ret::INVALID, "the requests are not waited for") };
            return (refused, refused);
        }
    }
    // SAFETY: as the caller promises.
    let result = unsafe { run(mc, &mut op) };
    // SAFETY: NULL or writable, as the caller promises.
    unsafe {
        put(req_count, op.request_count);
        put(value_count, op.stored);
    }
    (result, op.worst)
}

/// Sends, receives and waits; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; the arrays are NULL or as long as their counts say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_io(
    mc: *mut omcache_t,
    reqs: *mut omcache_req_t,
    req_count: *mut usize,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { exchange(mc, (false, false), reqs, req_count, values, value_count, timeout_msec).0 }
}

/// Submits requests, then behaves as `omcache_io`; see `omcache_cdef.h`.
///
/// # Safety
/// As `omcache_io`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_command(
    mc: *mut omcache_t,
    reqs: *mut omcache_req_t,
    req_count: *mut usize,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { exchange(mc, (true, true), reqs, req_count, values, value_count, timeout_msec).0 }
}

/// Submits one request and returns its response's status; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `req` is NULL or a request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_command_status(
    mc: *mut omcache_t,
    req: *mut omcache_req_t,
    timeout_msec: i32,
) -> c_int {
    let mut value = crate::deliver::bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe { one(mc, req, &mut value, timeout_msec) }
}

/// Submits one request; the result is its response's status.
///
/// # Safety
/// As `omcache_command_status`.
pub(crate) unsafe fn one(
    mc: *mut omcache_t,
    req: *mut omcache_req_t,
    value: &mut omcache_value_t,
    timeout_msec: i32,
) -> c_int {
    let (mut req_count, mut value_count) = (1, 1);
    // SAFETY: as the caller promises, and the counts are this frame's.
    let (result, _) = unsafe {
        let counts = (&raw mut req_count, &raw mut value_count);
        exchange(mc, (true, false), req, counts.0, ptr::from_mut(value), counts.1, timeout_msec)
    };
    // SAFETY: as the caller promises.
    if result == ret::OK && value_count > 0 { unsafe { noted(mc, value.status) } } else { result }
}

/// The status of a response as the result of a call.
///
/// # Safety
/// `mc` is NULL or a live handle.
pub(crate) unsafe fn noted(mc: *mut omcache_t, status: c_int) -> c_int {
    if status != ret::OK {
        // SAFETY: as the caller promises.
        unsafe {
            with_handle(mc, |handle| {
                handle.note_code(status);
                status
            })
        };
    }
    status
}

/// What a loop is told at least where no timer runs; with a dead timeout of 0 it would spin.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// The descriptors that need attention; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `nfds` and `poll_timeout` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_poll_fds(
    mc: *mut omcache_t,
    nfds: *mut c_int,
    poll_timeout: *mut c_int,
) -> *mut libc::pollfd {
    if mc.is_null() || nfds.is_null() || poll_timeout.is_null() {
        return ptr::null_mut();
    }
    let (mut fds, mut count, mut timeout) = (ptr::null_mut(), 0, 0);
    // SAFETY: a live handle, no other reference is live.
    let result = unsafe {
        with_handle(mc, |handle| {
            handle.driver.check_fork();
            // Quiet requests get their answer by a NOOP behind them, which is only sent if somebody looks.
            handle.driver.cluster.settle_quiet();
            let now = handle.driver.now();
            handle.driver.step(now);
            handle.descriptors.clear();
            handle.driver.descriptors(&mut handle.descriptors);
            let events = |readable: bool, writable: bool| {
                (if readable { libc::POLLIN } else { 0 }) | (if writable { libc::POLLOUT } else { 0 })
            };
            handle.poll_fds.clear();
            handle.poll_fds.extend(handle.descriptors.iter().map(|descriptor| libc::pollfd {
                fd: descriptor.fd,
                events: events(descriptor.readable, descriptor.writable),
                revents: 0,
            }));
            // Programs of 0.3's time do not know -1: where no timer runs, they are told the dead timeout.
            let idle = || handle.driver.cluster.config().dead_timeout.max(LEAST_IDLE);
            let left = handle.driver.time_left().unwrap_or_else(idle);
            // What was read already, by this look or before a callback left by longjmp, is no matter of descriptors.
            let left = if handle.driver.cluster.has_events() { Duration::ZERO } else { left };
            timeout = c_int::try_from(round_up(left)).unwrap_or(c_int::MAX);
            count = c_int::try_from(handle.poll_fds.len()).unwrap_or(c_int::MAX);
            fds = handle.poll_fds.as_mut_ptr();
            ret::OK
        })
    };
    if result != ret::OK {
        return ptr::null_mut();
    }
    // SAFETY: not NULL, and writable as the caller promises.
    unsafe {
        nfds.write(count);
        poll_timeout.write(timeout);
    }
    fds
}

/// Whole milliseconds, not before the time is over.
fn round_up(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}
