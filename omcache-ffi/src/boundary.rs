//! The boundary to C: pointers that are checked, panics that do not cross.

use std::ffi::{CStr, c_char, c_int, c_uchar};
use std::panic::{AssertUnwindSafe, catch_unwind};

use omcache::driver::proto::Key;

use crate::handle::Handle;
use crate::ret;

/// Runs `body` on the handle; a NULL handle is invalid, and a panic fails the call.
///
/// # Safety
/// `mc` is NULL or a handle of `omcache_init` that is not freed, and no other reference to it is live.
pub(crate) unsafe fn with_handle(mc: *mut Handle, body: impl FnOnce(&mut Handle) -> c_int) -> c_int {
    // SAFETY: as the caller promises.
    let Some(handle) = (unsafe { mc.as_mut() }) else { return ret::INVALID };
    handle.is_clear = false;
    guarded(ret::FAIL, || body(handle))
}

/// Runs `body`; where it panics, the result is `fallback`.
#[inline(always)]
pub(crate) fn guarded<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// A C string as UTF-8; none for NULL and for what is no UTF-8.
///
/// # Safety
/// `text` is NULL or points to a string that ends in NUL and outlives the result.
pub(crate) unsafe fn str_of<'t>(text: *const c_char) -> Option<&'t str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, and a string as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// Bytes of C; none where there should be some and the pointer is NULL, or they are more than fit the protocol.
///
/// # Safety
/// `data` is NULL or points to `len` readable bytes that outlive the result.
pub(crate) unsafe fn bytes_of<'d>(data: *const c_uchar, len: usize) -> Option<&'d [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if data.is_null() || u32::try_from(len).is_err() {
        return None;
    }
    // SAFETY: not NULL, `len` bytes as the caller promises, and less than isize::MAX.
    Some(unsafe { std::slice::from_raw_parts(data, len) })
}

/// A key of 1 to 250 bytes.
///
/// # Safety
/// As [`bytes_of`].
pub(crate) unsafe fn key_of<'k>(key: *const c_uchar, len: usize) -> Option<&'k [u8]> {
    if len > Key::MAX_LEN {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { bytes_of(key, len) }.filter(|key| !key.is_empty())
}

/// Writes through an out-parameter, if the program gave one.
///
/// # Safety
/// `place` is NULL or may be written to.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { place.write(value) };
    }
}
