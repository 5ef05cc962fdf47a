//! What goes beyond OMcache 0.3, under the symbol version `OMCACHE_1.0`.

use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;

use omcache::driver::conn::{Health, parse_server_list};
use omcache::driver::hash::Named;
use omcache::driver::proto::binary::Opcode;

use crate::boundary::{put, str_of, with_handle};
use crate::command::of_named_server;
use crate::deliver::bare_value;
use crate::failure::refuse;
use crate::io::one;
use crate::ret;
use crate::settings::{NO_TEXT, with_lines};
use crate::types::{omcache_req_header_s, omcache_req_t, omcache_server_status_t, omcache_t};

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The library's own version, static text such as `1.0.0`.
#[unsafe(no_mangle)]
pub extern "C" fn omcache_library_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Sets servers with weights; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `servers` is NULL or a string; `weights` is NULL or holds `weight_count` weights.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_weighted_servers(
    mc: *mut omcache_t,
    servers: *const c_char,
    weights: *const u32,
    weight_count: usize,
) -> c_int {
    // SAFETY: NULL or a string, as the caller promises.
    let list = unsafe { str_of(servers) };
    // SAFETY: NULL or a live handle, as the caller promises.
    unsafe {
        let Some(list) = list else { return refuse(mc, ret::INVALID, NO_TEXT) };
        if (weights.is_null() && weight_count > 0) || u32::try_from(weight_count).is_err() {
            return refuse(mc, ret::INVALID, "the weights are NULL, or more than fit 32 bits");
        }
        let weights = match weight_count {
            0 => &[][..],
            // Not NULL, and as many as the caller promises.
            count => std::slice::from_raw_parts(weights, count),
        };
        with_lines(mc, |handle| {
            let servers = match parse_server_list(list) {
                Ok(servers) if servers.len() == weights.len() && !weights.contains(&0) => servers,
                Ok(servers) => {
                    let (count, given) = (servers.len(), weights.len());
                    handle.note_error(
                        ret::INVALID,
                        &format_args!("{count} servers and {given} weights, of which none may be 0"),
                    );
                    return ret::INVALID;
                }
                Err(error) => {
                    handle.note_error(ret::INVALID, &error);
                    return ret::INVALID;
                }
            };
            let weighted =
                servers.into_iter().zip(weights).map(|(server, &weight)| server.with_weight(weight));
            crate::settings::set_servers(handle, weighted.collect())
        })
    }
}

/// Sets a distribution by its name; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `name` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_distribution_by_name(mc: *mut omcache_t, name: *const c_char) -> c_int {
    // SAFETY: NULL or a string, as the caller promises.
    let name = unsafe { str_of(name) };
    // SAFETY: NULL or a live handle, as the caller promises.
    unsafe {
        let Some(name) = name else { return refuse(mc, ret::INVALID, NO_TEXT) };
        with_lines(mc, |handle| match name.parse::<Named>() {
            Ok(named) => crate::dist::set_distribution(handle, Arc::new(named)),
            Err(error) => {
                handle.note_error(ret::INVALID, &error);
                ret::INVALID
            }
        })
    }
}

/// Asks a server for its version; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `version` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_server_version(
    mc: *mut omcache_t,
    server_index: c_int,
    version: *mut c_char,
    size: usize,
    timeout_msec: i32,
) -> c_int {
    if mc.is_null() || version.is_null() || size == 0 || timeout_msec == 0 || server_index < 0 {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::INVALID, "no room for the version, no server, or no time") };
    }
    let mut request = omcache_req_t {
        server_index,
        header: omcache_req_header_s { opcode: Opcode::VERSION.0, ..omcache_req_header_s::default() },
        extra: std::ptr::null(),
        key: std::ptr::null(),
        data: std::ptr::null(),
    };
    let mut value = bare_value(ret::OK);
    // SAFETY: as the caller promises.
    let result = unsafe { one(mc, &raw mut request, &mut value, timeout_msec) };
    let len = if result == ret::OK { value.data_len.min(size - 1) } else { 0 };
    // SAFETY: room for `size` bytes, of which `len` and a NUL are written; the value has at least `len`.
    unsafe {
        std::ptr::copy_nonoverlapping(value.data.cast(), version, len);
        version.add(len).write(0);
    }
    of_named_server(result)
}

/// How a server is doing; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `status` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_server_status(
    mc: *mut omcache_t,
    server_index: c_int,
    status: *mut omcache_server_status_t,
) -> c_int {
    if status.is_null() {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::INVALID, "the status is NULL") };
    }
    // SAFETY: NULL or a live handle, and writable, as the caller promises.
    unsafe {
        with_handle(mc, |handle| {
            let known = usize::try_from(server_index)
                .ok()
                .and_then(|index| handle.driver.cluster.server_status(index));
            let Some(known) = known else {
                handle.note_text(ret::INVALID, &format_args!("there is no server {server_index}"));
                return ret::INVALID;
            };
            let left = known.retry_at.map(|at| at.since(handle.driver.now()).as_millis()).unwrap_or_default();
            let text = known.last_failure.map(|failure| failure.to_string().replace('\0', " "));
            let has_text = text.is_some();
            handle.status_text = CString::new(text.unwrap_or_default()).unwrap_or_default();
            put(
                status,
                omcache_server_status_t {
                    state: match known.health {
                        Health::Idle => 0,
                        Health::Connecting => 1,
                        Health::Ready => 2,
                        Health::Retrying => 4,
                        _ => 3,
                    },
                    retry_msec: u32::try_from(left).unwrap_or(u32::MAX),
                    last_error: if has_text { handle.status_text.as_ptr() } else { std::ptr::null() },
                },
            );
            ret::OK
        })
    }
}
