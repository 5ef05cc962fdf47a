//! Commands that store a value: set, add, replace, append, prepend.

use std::ffi::{c_int, c_uchar};

use omcache::driver::proto::binary::{Opcode, StoreExtras};

use super::{Key, expiration_of, on_key};
use crate::types::omcache_t;

/// A command that stores.
///
/// # Safety
/// As [`on_key`].
#[allow(clippy::too_many_arguments)]
unsafe fn store(
    mc: *mut omcache_t,
    opcode: Opcode,
    key: (Key, usize),
    value: (*const c_uchar, usize),
    expiration: libc::time_t,
    flags: u32,
    cas: u64,
    timeout: i32,
) -> c_int {
    let extras = StoreExtras { flags, expiration: expiration_of(expiration) }.encode();
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, opcode, key, value, &extras, cas, timeout, &mut |_| ()) }
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
    unsafe {
        store(mc, Opcode::SET, (key, key_len), (value, value_len), expiration, flags, cas, timeout_msec)
    }
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
    unsafe { store(mc, Opcode::ADD, (key, key_len), (value, value_len), expiration, flags, 0, timeout_msec) }
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
    unsafe {
        store(mc, Opcode::REPLACE, (key, key_len), (value, value_len), expiration, flags, 0, timeout_msec)
    }
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
    unsafe {
        on_key(mc, Opcode::APPEND, (key, key_len), (value, value_len), &[], cas, timeout_msec, &mut |_| ())
    }
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
    unsafe {
        on_key(mc, Opcode::PREPEND, (key, key_len), (value, value_len), &[], cas, timeout_msec, &mut |_| ())
    }
}
