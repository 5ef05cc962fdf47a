//! Settings of a handle: servers, distribution, time and buffer limits, callbacks.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use omcache::driver::conn::{Config, Server, parse_server_list};

use crate::boundary::{str_of, with_handle};
use crate::failure::refuse;
use crate::handle::{Handle, run};
use crate::op::Op;
use crate::ret;
use crate::types::{omcache_response_callback_func, omcache_t};

pub(crate) const NO_TEXT: &str = "a text is NULL, or no UTF-8";

/// # Safety
/// `mc` is NULL or a live handle.
unsafe fn configure(mc: *mut omcache_t, set: impl FnOnce(&mut Config)) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            let mut config = handle.driver.cluster.config().clone();
            set(&mut config);
            handle.driver.cluster.set_config(config);
            ret::OK
        })
    }
}

/// Sets how long a handshake may take, in milliseconds.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_connect_timeout(mc: *mut omcache_t, msec: u32) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { configure(mc, |config| config.connect_timeout = Duration::from_millis(msec.into())) }
}

/// Sets how long a disabled server is left alone, in milliseconds.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_reconnect_timeout(mc: *mut omcache_t, msec: u32) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { configure(mc, |config| config.reconnect_timeout = Duration::from_millis(msec.into())) }
}

/// Sets how long a connection that owes an answer may stay without progress, in milliseconds.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_dead_timeout(mc: *mut omcache_t, msec: u32) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { configure(mc, |config| config.dead_timeout = Duration::from_millis(msec.into())) }
}

/// Sets how many bytes may wait to be sent to one server.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_send_buffer_max_size(mc: *mut omcache_t, size: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { configure(mc, |config| config.send_limit = size) }
}

/// Sets the largest response that is taken, in bytes.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_recv_buffer_max_size(mc: *mut omcache_t, size: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { configure(mc, |config| config.receive_limit = size) }
}

/// Turns buffering on or off.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_buffering(mc: *mut omcache_t, enabled: u32) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            handle.driver.set_buffering(enabled != 0);
            ret::OK
        })
    }
}

/// Throws away what is buffered and not sent.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_reset_buffers(mc: *mut omcache_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            handle.driver.cluster.discard_unsent();
            ret::OK
        })
    }
}

/// Sets the function that sees every response; NULL ends it.
///
/// # Safety
/// `mc` is NULL or a live handle; `resp_cb` may be called with the context as long as it is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_response_callback(
    mc: *mut omcache_t,
    resp_cb: Option<omcache_response_callback_func>,
    resp_cb_context: *mut c_void,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            handle.response_callback = resp_cb.map(|func| (func, resp_cb_context));
            ret::OK
        })
    }
}

/// Runs `body` on the handle, then delivers the log lines that it left.
///
/// # Safety
/// As [`with_handle`].
pub(crate) unsafe fn with_lines(mc: *mut omcache_t, body: impl FnOnce(&mut Handle) -> c_int) -> c_int {
    // SAFETY: as the caller promises.
    let result = unsafe { with_handle(mc, body) };
    if mc.is_null() {
        return result;
    }
    // SAFETY: a live handle, as the caller promises.
    unsafe { run(mc, &mut Op::done(result)) }
}

/// Sets the servers, sorted by host and port as strings.
pub(crate) fn set_servers(handle: &mut Handle, mut servers: Vec<Server>) -> c_int {
    servers.sort_by(|a, b| (a.host(), a.port()).cmp(&(b.host(), b.port())));
    // Nothing of a parent's is written, or shut down for it.
    handle.driver.check_fork();
    match handle.driver.cluster.set_servers(servers) {
        Ok(()) => {
            let now = handle.driver.now();
            // Connections of servers that are gone are closed now, and not at the next request.
            handle.driver.step(now);
            ret::OK
        }
        Err(error) => {
            handle.note_error(ret::INVALID, &error);
            ret::INVALID
        }
    }
}

/// Sets the servers; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `servers` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_servers(mc: *mut omcache_t, servers: *const c_char) -> c_int {
    // SAFETY: NULL or a string, as the caller promises.
    let list = unsafe { str_of(servers) };
    // SAFETY: NULL or a live handle, as the caller promises.
    unsafe {
        let Some(list) = list else { return refuse(mc, ret::INVALID, NO_TEXT) };
        with_lines(mc, |handle| match parse_server_list(list) {
            Ok(servers) => set_servers(handle, servers),
            Err(error) => {
                handle.note_error(ret::INVALID, &error);
                ret::INVALID
            }
        })
    }
}
