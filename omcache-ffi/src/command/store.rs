//! Commands that store a value: set, add, replace, append, prepend.

use std::ffi::{c_int, c_uchar};

use omcache::driver::proto::{ConcatMode, Request, StoreMode};

use super::{Key, checked_key, expiration_of, on_key};
use crate::boundary::bytes_of;
use crate::failure::{refuse_key, refuse_value};
use crate::types::omcache_t;

/// A way to store. Each has code of its own, where its opcode is known.
trait Mode {
    const MODE: StoreMode;
}

struct Set;
struct Add;
struct Replace;

impl Mode for Set {
    const MODE: StoreMode = StoreMode::Set;
}

impl Mode for Add {
    const MODE: StoreMode = StoreMode::Add;
}

impl Mode for Replace {
    const MODE: StoreMode = StoreMode::Replace;
}

/// A command that stores. One that is not waited for is short, and so wants fewer things at hand; with the same parameters
/// both kinds are jumped to.
///
/// # Safety
/// As `omcache_set`.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
unsafe fn store<M: Mode>(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    expiration: libc::time_t,
    flags: u32,
    cas: u64,
    timeout: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        match timeout {
            0 => store_by::<M, true>(mc, key, key_len, value, value_len, expiration, flags, cas, timeout),
            _ => store_by::<M, false>(mc, key, key_len, value, value_len, expiration, flags, cas, timeout),
        }
    }
}

/// # Safety
/// As `omcache_set`; the timeout is 0 where `QUIET` is set, and only there.
#[allow(clippy::too_many_arguments)]
#[inline(never)]
unsafe extern "C" fn store_by<M: Mode, const QUIET: bool>(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    expiration: libc::time_t,
    flags: u32,
    cas: u64,
    timeout: i32,
) -> c_int {
    // Each is looked at before the next one is made: so their lengths stay known.
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key((key, key_len)) }) else { return unsafe { refuse_key(mc) } };
    // SAFETY: as the caller promises.
    let Some(value) = (unsafe { bytes_of(value, value_len) }) else {
        // SAFETY: as the caller promises.
        return unsafe { refuse_value(mc) };
    };
    let (expiration, timeout) = (expiration_of(expiration), if QUIET { 0 } else { timeout });
    let request = move || Request::Store { mode: M::MODE, key, value, flags, expiration, cas, quiet: QUIET };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout, &mut |_| ()) }
}

/// A command that adds to a value.
///
/// # Safety
/// As `omcache_append`.
unsafe fn concat(
    mc: *mut omcache_t,
    mode: ConcatMode,
    key: (Key, usize),
    value: (*const c_uchar, usize),
    cas: u64,
    timeout: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let (key, value) = unsafe { (checked_key(key), bytes_of(value.0, value.1)) };
    // SAFETY: as the caller promises.
    let Some(key) = key else { return unsafe { refuse_key(mc) } };
    // SAFETY: as the caller promises.
    let Some(value) = value else { return unsafe { refuse_value(mc) } };
    let request = move || Request::Concat { mode, key, value, cas, quiet: timeout == 0 };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout, &mut |_| ()) }
}

/// Stores a value.
///
/// # Safety
/// `mc` is NULL or a live handle; key and value are as long as their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    expiration: libc::time_t,
    flags: u32,
    cas: u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { store::<Set>(mc, key, key_len, value, value_len, expiration, flags, cas, timeout_msec) }
}

/// Stores a value where the key does not exist.
///
/// # Safety
/// As `omcache_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_add(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    expiration: libc::time_t,
    flags: u32,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { store::<Add>(mc, key, key_len, value, value_len, expiration, flags, 0, timeout_msec) }
}

/// Stores a value where the key exists.
///
/// # Safety
/// As `omcache_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_replace(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    expiration: libc::time_t,
    flags: u32,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { store::<Replace>(mc, key, key_len, value, value_len, expiration, flags, 0, timeout_msec) }
}

/// Adds bytes behind a value.
///
/// # Safety
/// As `omcache_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_append(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    cas: u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { concat(mc, ConcatMode::Append, (key, key_len), (value, value_len), cas, timeout_msec) }
}

/// Adds bytes before a value.
///
/// # Safety
/// As `omcache_set`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_prepend(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *const c_uchar,
    value_len: usize,
    cas: u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { concat(mc, ConcatMode::Prepend, (key, key_len), (value, value_len), cas, timeout_msec) }
}
