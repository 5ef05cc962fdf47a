//! The commands: each describes one request, or one for each key, and waits for what becomes of it.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::ptr;

use omcache::driver::proto::binary::{CounterExtras, FlushExtras, Opcode, StoreExtras, TouchExtras};

use crate::boundary::{bytes_of, key_of, put, str_of, with_handle};
use crate::deliver::bare_value;
use crate::io::{omcache_command, one};
use crate::ret;
use crate::types::{omcache_req_header_s, omcache_req_t, omcache_t, omcache_value_t};

type Key = *const c_uchar;

/// What a request is made of. The protocol's expiration has 32 bits.
struct Parts<'p> {
    opcode: Opcode,
    extras: &'p [u8],
    key: &'p [u8],
    value: &'p [u8],
    cas: u64,
    server_index: c_int,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self { opcode: Opcode::NOOP, extras: &[], key: &[], value: &[], cas: 0, server_index: -1 }
    }
}

impl Parts<'_> {
    /// The request, in its quiet form where it is not waited for and has one. None where it is too long.
    fn request(&self, timeout: i32) -> Option<omcache_req_t> {
        let opcode = if timeout == 0 { self.opcode.quiet().unwrap_or(self.opcode) } else { self.opcode };
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

    /// Runs the request; the result is its response's status.
    ///
    /// # Safety
    /// `mc` is NULL or a live handle.
    unsafe fn run(&self, mc: *mut omcache_t, value: &mut omcache_value_t, timeout: i32) -> c_int {
        let Some(mut request) = self.request(timeout) else { return ret::INVALID };
        // SAFETY: as the caller promises; the request points to what its lengths say.
        let result = unsafe { one(mc, &raw mut request, value, timeout) };
        if self.server_index >= 0 && result == ret::SERVER_FAILURE { ret::NO_SERVERS } else { result }
    }
}

/// The protocol's expiration: the low 32 bits, as 0.3 passed them on.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn expiration_of(expiration: libc::time_t) -> u32 {
    expiration as u32
}

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
    let result =
        unsafe { omcache_command(mc, &raw mut request, &raw mut req_count, values, value_count, timeout_msec) };
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

/// A command on one key.
///
/// # Safety
/// `mc` is NULL or a live handle; key and value are as long as their lengths say.
#[allow(clippy::too_many_arguments)]
unsafe fn on_key(
    mc: *mut omcache_t,
    opcode: Opcode,
    (key, key_len): (Key, usize),
    (value, value_len): (*const c_uchar, usize),
    extras: &[u8],
    cas: u64,
    answer: &mut omcache_value_t,
    timeout: i32,
) -> c_int {
    // SAFETY: as the caller promises.
    let (key, value) = unsafe { (key_of(key, key_len), bytes_of(value, value_len)) };
    let (Some(key), Some(value)) = (key, value) else { return ret::INVALID };
    // SAFETY: as the caller promises.
    unsafe { Parts { opcode, extras, key, value, cas, server_index: -1 }.run(mc, answer, timeout) }
}

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
    unsafe { on_key(mc, opcode, key, value, &extras, cas, &mut bare_value(ret::OK), timeout) }
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
    unsafe { store(mc, Opcode::SET, (key, key_len), (value, value_len), expiration, flags, cas, timeout_msec) }
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
    unsafe { store(mc, Opcode::REPLACE, (key, key_len), (value, value_len), expiration, flags, 0, timeout_msec) }
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
    let answer = &mut bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, Opcode::APPEND, (key, key_len), (value, value_len), &[], cas, answer, timeout_msec) }
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
    let answer = &mut bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, Opcode::PREPEND, (key, key_len), (value, value_len), &[], cas, answer, timeout_msec) }
}

/// Removes a key.
///
/// # Safety
/// `mc` is NULL or a live handle; the key is as long as its length says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_delete(mc: *mut omcache_t, key: Key, key_len: usize, timeout_msec: i32) -> c_int {
    let answer = &mut bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, Opcode::DELETE, (key, key_len), (ptr::null(), 0), &[], 0, answer, timeout_msec) }
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
    let extras = TouchExtras { expiration: expiration_of(expiration) }.encode();
    let answer = &mut bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe { on_key(mc, Opcode::TOUCH, (key, key_len), (ptr::null(), 0), &extras, 0, answer, timeout_msec) }
}

/// # Safety
/// As `omcache_increment`.
#[allow(clippy::too_many_arguments)]
unsafe fn count(
    mc: *mut omcache_t,
    opcode: Opcode,
    key: (Key, usize),
    delta: u64,
    initial: u64,
    expiration: libc::time_t,
    value: *mut u64,
    timeout: i32,
) -> c_int {
    let extras = CounterExtras { delta, initial, expiration: expiration_of(expiration) }.encode();
    let mut answer = bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe {
        let result = on_key(mc, opcode, key, (ptr::null(), 0), &extras, 0, &mut answer, timeout);
        put(value, if result == ret::OK { answer.delta_value } else { 0 });
        result
    }
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
    unsafe { count(mc, Opcode::INCREMENT, (key, key_len), delta, initial, expiration, value, timeout_msec) }
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
    unsafe { count(mc, Opcode::DECREMENT, (key, key_len), delta, initial, expiration, value, timeout_msec) }
}

/// Where the parts of a value go to.
struct Outputs {
    value: *mut *const c_uchar,
    value_len: *mut usize,
    flags: *mut u32,
    cas: *mut u64,
}

/// # Safety
/// As `omcache_get`.
unsafe fn read(
    mc: *mut omcache_t,
    opcode: Opcode,
    key: (Key, usize),
    extras: &[u8],
    out: &Outputs,
    timeout: i32,
) -> c_int {
    let mut answer = bare_value(ret::OK);
    // SAFETY: as the caller promises.
    unsafe {
        let result = on_key(mc, opcode, key, (ptr::null(), 0), extras, 0, &mut answer, timeout);
        if result != ret::OK {
            answer = bare_value(result);
        }
        put(out.value, answer.data);
        put(out.value_len, answer.data_len);
        put(out.flags, answer.flags);
        put(out.cas, answer.cas);
        result
    }
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
    let out = Outputs { value, value_len, flags, cas };
    // SAFETY: as the caller promises.
    unsafe { read(mc, Opcode::GETK, (key, key_len), &[], &out, timeout_msec) }
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
    let out = Outputs { value, value_len, flags, cas };
    let extras = TouchExtras { expiration: expiration_of(expiration) }.encode();
    // SAFETY: as the caller promises.
    unsafe { read(mc, Opcode::GATK, (key, key_len), &extras, &out, timeout_msec) }
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
    // SAFETY: not NULL, and readable as the caller promises.
    if mc.is_null() || null || unsafe { *req_count } < key_count {
        return ret::INVALID;
    }
    let mut extras: *const [u8; 4] = ptr::null();
    if !expirations.is_null() {
        // SAFETY: a live handle; the array holds `key_count` expirations.
        let kept = unsafe {
            with_handle(mc, |handle| {
                let expirations = std::slice::from_raw_parts(expirations, key_count);
                let encode = |&expiration| TouchExtras { expiration: expiration_of(expiration) }.encode();
                extras = handle.keep_extras(expirations.iter().map(encode).collect());
                ret::OK
            })
        };
        if kept != ret::OK {
            return kept;
        }
    }
    for at in 0..key_count {
        // SAFETY: `at` is less than the arrays' lengths; the extras stay in the handle while the call is at work.
        let (key, extras) = unsafe {
            let extras: &[u8] = if extras.is_null() { &[] } else { &*extras.add(at) };
            (key_of(*keys.add(at), *key_lens.add(at)), extras)
        };
        let Some(request) = key.and_then(|key| Parts { opcode, extras, key, ..Parts::default() }.request(-1)) else {
            return ret::INVALID;
        };
        // SAFETY: the array holds `key_count` requests.
        unsafe { reqs.add(at).write(request) };
    }
    // SAFETY: as the caller promises.
    unsafe {
        *req_count = key_count;
        omcache_command(mc, reqs, req_count, values, value_count, timeout)
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
    let (keys, requests, values) = ((keys, key_lens.cast_const(), key_count), (reqs, req_count), (values, value_count));
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
        return ret::INVALID;
    }
    let (keys, requests, values) = ((keys, key_lens.cast_const(), key_count), (reqs, req_count), (values, value_count));
    // SAFETY: as the caller promises.
    unsafe { read_multi(mc, Opcode::GATKQ, keys, expirations, requests, values, timeout_msec) }
}
