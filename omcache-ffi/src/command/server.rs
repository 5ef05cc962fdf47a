//! Commands to a server: noop, stat, flush_all.

use std::ffi::{c_char, c_int};

use omcache::driver::proto::binary::{FlushExtras, Opcode};

use super::{Parts, expiration_of};
use crate::boundary::str_of;
use crate::deliver::bare_value;
use crate::io::omcache_command;
use crate::ret;
use crate::types::{omcache_t, omcache_value_t};

/// # Safety
/// `mc` is NULL or a live handle.
unsafe fn to_server(mc: *mut omcache_t, parts: &Parts<'_>, timeout: i32) -> c_int {
    if parts.server_index < 0 {
        return ret::NO_SERVERS;
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
    let Some(command) = command.filter(|command| command.len() <= 250) else { return ret::INVALID };
    if server_index < 0 {
        return ret::NO_SERVERS;
    }
    let parts = Parts { opcode: Opcode::STAT, key: command.as_bytes(), server_index, ..Parts::default() };
    let Some(mut request) = parts.request(timeout_msec) else { return ret::INVALID };
    let mut req_count = 1;
    // SAFETY: as the caller promises; the request points to what its lengths say.
    let result = unsafe {
        omcache_command(mc, &raw mut request, &raw mut req_count, values, value_count, timeout_msec)
    };
    if result != ret::OK || values.is_null() {
        return if result == ret::SERVER_FAILURE { ret::NO_SERVERS } else { result };
    }
    // SAFETY: not NULL, as values is not and the command was not invalid.
    let stored = unsafe { *value_count };
    if stored == 0 {
        return result;
    }
    // SAFETY: `stored` values were stored.
    match unsafe { (*values.add(stored - 1)).status } {
        ret::SERVER_FAILURE => ret::NO_SERVERS,
        status => status,
    }
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
