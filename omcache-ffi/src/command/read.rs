//! Commands that read values: get and gat, for one key or many.

use std::ffi::{c_int, c_uchar};
use std::ptr;

use omcache::driver::Level;
use omcache::driver::proto::Request;
use omcache::driver::proto::binary::{Opcode, TouchExtras};

use super::{Key, Parts, checked_key, expiration_of, on_key};
use crate::boundary::{key_of, put, with_handle};
use crate::failure::{refuse, refuse_key};
use crate::handle::run;
use crate::io::omcache_command;
use crate::lone::Told;
use crate::op::{Keys, Op};
use crate::ret;
use crate::types::{omcache_req_t, omcache_t, omcache_value_t};

/// Where the parts of a value go to.
struct Outputs {
    value: *mut *const c_uchar,
    value_len: *mut usize,
    flags: *mut u32,
    cas: *mut u64,
}

/// # Safety
/// As `omcache_get`.
#[inline(always)]
unsafe fn read<'r>(
    mc: *mut omcache_t,
    request: impl Fn() -> Request<'r> + Copy,
    out: &Outputs,
    timeout: i32,
) -> c_int {
    // SAFETY: NULL or writable, as the caller promises.
    let mut tell = |told: &Told| unsafe {
        put(out.value, told.data);
        put(out.value_len, told.data_len);
        put(out.flags, told.flags);
        put(out.cas, told.cas);
    };
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, request, timeout, &mut tell) }
}

/// Reads a value.
///
/// # Safety
/// `mc` is NULL or a live handle; the key is as long as its length says; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_get(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *mut *const c_uchar,
    value_len: *mut usize,
    flags: *mut u32,
    cas: *mut u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key((key, key_len)) }) else { return unsafe { refuse_key(mc) } };
    let request = move || Request::Get { key, with_key: true, quiet: timeout_msec == 0 };
    let out = Outputs { value, value_len, flags, cas };
    // SAFETY: as the caller promises.
    unsafe { read(mc, request, &out, timeout_msec) }
}

/// Reads a value and sets its expiration.
///
/// # Safety
/// As `omcache_get`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_gat(
    mc: *mut omcache_t,
    key: Key,
    key_len: usize,
    value: *mut *const c_uchar,
    value_len: *mut usize,
    expiration: libc::time_t,
    flags: *mut u32,
    cas: *mut u64,
    timeout_msec: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(key) = (unsafe { checked_key((key, key_len)) }) else { return unsafe { refuse_key(mc) } };
    let expiration = expiration_of(expiration);
    let request = move || Request::GetAndTouch { key, expiration, with_key: true, quiet: timeout_msec == 0 };
    let out = Outputs { value, value_len, flags, cas };
    // SAFETY: as the caller promises.
    unsafe { read(mc, request, &out, timeout_msec) }
}

/// Writes one quiet request for each key to `reqs`, and submits them.
///
/// # Safety
/// As `omcache_gat_multi`; `expirations` may be NULL where the opcode has none.
unsafe fn read_multi(
    mc: *mut omcache_t,
    opcode: Opcode,
    (keys, key_lens, key_count): (*const Key, *const usize, usize),
    expirations: *const libc::time_t,
    (reqs, req_count): (*mut omcache_req_t, *mut usize),
    (values, value_count): (*mut omcache_value_t, *mut usize),
    timeout: i32,
) -> c_int {
    let null = keys.is_null() || key_lens.is_null() || reqs.is_null() || req_count.is_null();
    let uncounted = !values.is_null() && value_count.is_null();
    // SAFETY: not NULL, and readable as the caller promises.
    if mc.is_null() || null || uncounted || unsafe { *req_count } < key_count {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::INVALID, "an array is NULL, or less than the number of keys") };
    }
    // SAFETY: `at` is less than `key_count`, which the arrays hold.
    let key_at = |at: usize| unsafe { key_of(*keys.add(at), *key_lens.add(at)) };
    let all = Keys { keys, lens: key_lens };
    // All are looked at before anything is written, or done.
    // SAFETY: the arrays hold `key_count` pointers and lengths.
    if !unsafe { all.are_valid(key_count) } {
        // SAFETY: as the caller promises.
        return unsafe { refuse_key(mc) };
    }
    if opcode == Opcode::GETKQ && key_count > 0 {
        let given = (reqs, req_count, values, value_count);
        // SAFETY: as the caller promises, and the keys were looked at.
        let result = unsafe { get_keys(mc, all, key_count, given, timeout) };
        if let Some(result) = result {
            return result;
        }
    }
    let mut extras: *const [u8; 4] = ptr::null();
    let frame = &raw const extras as usize;
    if !expirations.is_null() {
        // SAFETY: a live handle; the array holds `key_count` expirations.
        let kept = unsafe {
            with_handle(mc, |handle| {
                let expirations = std::slice::from_raw_parts(expirations, key_count);
                let encode = |&expiration| TouchExtras { expiration: expiration_of(expiration) }.encode();
                extras = handle.keep_extras(frame, expirations.iter().map(encode).collect());
                ret::OK
            })
        };
        if kept != ret::OK {
            return kept;
        }
    }
    for at in 0..key_count {
        // SAFETY: one for each key; they stay in the handle while the call is at work.
        let extras: &[u8] = if extras.is_null() { &[] } else { unsafe { &*extras.add(at) } };
        let request =
            key_at(at).and_then(|key| Parts { opcode, extras, key, ..Parts::default() }.request(-1));
        let Some(request) = request else { return ret::INVALID };
        // SAFETY: the array holds `key_count` requests.
        unsafe { reqs.add(at).write(request) };
    }
    // SAFETY: as the caller promises.
    let result = unsafe {
        *req_count = key_count;
        omcache_command(mc, reqs, req_count, values, value_count, timeout)
    };
    if !extras.is_null() {
        for at in 0..key_count {
            // The program may look at those that were refused.
            // SAFETY: the array holds `key_count` requests.
            unsafe { (*reqs.add(at)).extra = ptr::null() };
        }
        // SAFETY: a live handle, as it was just used.
        unsafe {
            with_handle(mc, |handle| {
                handle.drop_extras(extras);
                ret::OK
            })
        };
    }
    result
}

/// Gets whose requests are made as they are submitted. None where the program is to be told of each.
///
/// # Safety
/// As `omcache_get_multi`, and the keys are valid.
unsafe fn get_keys(
    mc: *mut omcache_t,
    keys: Keys,
    key_count: usize,
    (reqs, req_count, values, value_count): (
        *mut omcache_req_t,
        *mut usize,
        *mut omcache_value_t,
        *mut usize,
    ),
    timeout: i32,
) -> Option<c_int> {
    let mut tells = false;
    // SAFETY: a live handle, as the caller promises.
    let _ = unsafe {
        with_handle(mc, |handle| {
            tells = handle.log.wants(Level::Debug);
            ret::OK
        })
    };
    if tells {
        return None;
    }
    let mut op = Op::new(timeout);
    (op.submit, op.resumable) = (true, true);
    (op.requests, op.request_count, op.keys) = (reqs, key_count, Some(keys));
    // SAFETY: not NULL, and readable and writable as the caller promises; the pointers in `op` are the program's.
    unsafe {
        if !values.is_null() {
            (op.values, op.capacity) = (values, value_count.read());
        }
        let result = run(mc, &mut op);
        req_count.write(op.request_count);
        put(value_count, op.stored);
        Some(result)
    }
}

/// Reads many values.
///
/// # Safety
/// `mc` is NULL or a live handle; the arrays of keys, lengths and requests hold `key_count` entries, that of values as
/// many as its count says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_get_multi(
    mc: *mut omcache_t,
    keys: *const Key,
    key_lens: *mut usize,
    key_count: usize,
    reqs: *mut omcache_req_t,
    req_count: *mut usize,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    timeout_msec: i32,
) -> c_int {
    let (keys, requests, values) =
        ((keys, key_lens.cast_const(), key_count), (reqs, req_count), (values, value_count));
    // SAFETY: as the caller promises.
    unsafe { read_multi(mc, Opcode::GETKQ, keys, ptr::null(), requests, values, timeout_msec) }
}

/// Reads many values and sets their expirations.
///
/// # Safety
/// As `omcache_get_multi`; the array of expirations holds `key_count` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_gat_multi(
    mc: *mut omcache_t,
    keys: *const Key,
    key_lens: *mut usize,
    expirations: *mut libc::time_t,
    key_count: usize,
    reqs: *mut omcache_req_t,
    req_count: *mut usize,
    values: *mut omcache_value_t,
    value_count: *mut usize,
    timeout_msec: i32,
) -> c_int {
    if expirations.is_null() && key_count > 0 {
        // SAFETY: as the caller promises.
        return unsafe { refuse(mc, ret::INVALID, "the expirations are NULL") };
    }
    let (keys, requests, values) =
        ((keys, key_lens.cast_const(), key_count), (reqs, req_count), (values, value_count));
    // SAFETY: as the caller promises.
    unsafe { read_multi(mc, Opcode::GATKQ, keys, expirations, requests, values, timeout_msec) }
}
