//! Commands on a key that neither store nor read a value: delete, touch, counters.

use std::ffi::c_int;

use omcache::driver::proto::{CounterMode, Request};

use super::{Key, checked_key, expiration_of, on_key};
use crate::boundary::put;
use crate::failure::refuse_key;
use crate::lone::Told;
use crate::types::omcache_t;

/// Removes a key.
///
/// # Safety
/// `mc` is NULL or a live handle; the key is as long as its length says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_delete(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key((key, key_len)) }) else { return unsafe { refuse_key(mc) } };
    let request = move || Request::Delete { key, cas: 0, quiet: timeout_msec == 0 };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout_msec, &mut |_| ()) }
}

/// Sets a key's expiration.
///
/// # Safety
/// As `omcache_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_touch(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    expiration: libc::time_t,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key((key, key_len)) }) else { return unsafe { refuse_key(mc) } };
    let expiration = expiration_of(expiration);
    let request = move || Request::Touch { key, expiration };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout_msec, &mut |_| ()) }
}

/// # Safety
/// As `omcache_increment`.
#[allow(clippy::too_many_arguments)]
unsafe fn count(
    mc: *mut omcache_t,
    mode: CounterMode,
    key: (Key, usize),
    delta: u64,
    initial: u64,
    expiration: libc::time_t,
    value: *mut u64,
    timeout: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key(key) }) else { return unsafe { refuse_key(mc) } };
    let expiration = expiration_of(expiration);
    let request =
        move || Request::Counter { mode, key, delta, initial, expiration, cas: 0, quiet: timeout == 0 };
    // SAFETY: NULL or writable, as the caller promises.
    let mut tell = |told: &Told| unsafe { put(value, told.delta) };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout, &mut tell) }
}

/// Adds to a counter.
///
/// # Safety
/// `mc` is NULL or a live handle; the key is as long as its length says; `value` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_increment(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    delta: u64,
    initial: u64,
    expiration: libc::time_t,
    value: *mut u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        count(mc, CounterMode::Increment, (key, key_len), delta, initial, expiration, value, timeout_msec)
    }
}

/// Subtracts from a counter.
///
/// # Safety
/// As `omcache_increment`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_decrement(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    delta: u64,
    initial: u64,
    expiration: libc::time_t,
    value: *mut u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        count(mc, CounterMode::Decrement, (key, key_len), delta, initial, expiration, value, timeout_msec)
    }
}
