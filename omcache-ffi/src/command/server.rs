//! Commands to a server: noop, stat, flush_all.

use std::ffi::{c_char, c_int};

use omcache::driver::proto::binary::{FlushExtras, Opcode};

use super::{Parts, expiration_of, of_named_server};
use crate::boundary::str_of;
use crate::deliver::bare_value;
use crate::failure::refuse;
use crate::io::{exchange, noted};
use crate::ret;
use crate::types::{omcache_t, omcache_value_t};

const NO_INDEX: &str = "the index of a server is not negative";

/// # Safety
/// `mc` is NULL or a live handle.
unsafe fn to_server(mc: *mut omcache_t, parts: &Parts<'_>, timeout: i32) -> c_int {
    if parts.server_index < 0 {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::NO_SERVERS, NO_INDEX) };
    }
    // SAFETY: as the caller promises.
    unsafe { parts.run(mc, &mut bare_value(ret::OK), timeout) }
}

/// Asks a server whether it is there.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_noop(mc: *mut omcache_t, server_index: c_int, timeout_msec: i32) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { to_server(mc, &Parts { server_index, ..Parts::default() }, timeout_msec) }
}

/// Asks a server for statistics.
///
/// # Safety
/// `mc` is NULL or a live handle; `command` is NULL or a string; the array is as long as its count says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_stat(
    mc: *mut omcache_t,
    command: *const c_char,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    server_index: c_int,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: NULL or a string, as the caller promises.
    let command = if command.is_null() { Some("") } else { unsafe { str_of(command) } };
    let Some(command) = command.filter(|command| command.len() <= 250) else {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::INVALID, "the command is no text of at most 250 bytes") };
    };
    if server_index < 0 {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::NO_SERVERS, NO_INDEX) };
    }
    let parts = Parts { opcode: Opcode::STAT, key: command.as_bytes(), server_index, ..Parts::default() };
    let Some(mut request) = parts.request(timeout_msec) else { return ret::INVALID };
    let mut req_count = 1;
    // SAFETY: as the caller promises; the request points to what its lengths say.
    let (result, worst) = unsafe {
        let how = (true, true);
        exchange(mc, how, &raw mut request, &raw mut req_count, values, value_count, timeout_msec)
    };
    if result != ret::OK {
        return of_named_server(result);
    }
    // How it ended counts, whether there was room for it or not.
    let mut status = worst;
    if !values.is_null() {
        // SAFETY: not NULL, as values is not and the command was not invalid.
        let stored = unsafe { *value_count };
        if stored > 0 {
            // SAFETY: `stored` values were stored.
            status = status.max(unsafe { (*values.add(stored - 1)).status });
        }
    }
    // SAFETY: as the caller promises.
    of_named_server(unsafe { noted(mc, status) })
}

/// Invalidates what a server has stored.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_flush_all(
    mc: *mut omcache_t,
    expiration: libc::time_t,
    server_index: c_int,
    timeout_msec: i32,
) -> c_int {
    let extras = FlushExtras { delay: Some(expiration_of(expiration)) }.encode().unwrap_or_default();
    let parts = Parts { opcode: Opcode::FLUSH, extras: &extras, server_index, ..Parts::default() };
    // SAFETY: as the caller promises.
    unsafe { to_server(mc, &parts, timeout_msec) }
}
