//! Servers: which one has a key, and what is known of each.

use std::ffi::{CString, c_int, c_uchar};
use std::ptr;

use crate::boundary::{guarded, key_of};
use crate::ret;
use crate::types::{OMCACHE_VERSION, omcache_server_info_t, omcache_t};

/// The index of the server that a key goes to now: -1 where every server is disabled, 0 with one server or none.
///
/// # Safety
/// `mc` is NULL or a live handle; the key is as long as its length says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_server_index_for_key(
    mc: *mut omcache_t,
    key: *const c_uchar,
    key_len: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    let (handle, key) = unsafe { (mc.as_ref(), key_of(key, key_len)) };
    let (Some(handle), Some(key)) = (handle, key) else { return -1 };
    guarded(-1, || {
        let cluster = &handle.driver.cluster;
        if cluster.server_count() <= 1 {
            return 0;
        }
        cluster.server_for_key(key).and_then(|server| c_int::try_from(server).ok()).unwrap_or(-1)
    })
}

/// The number that a port's text begins with, as 0.3 read it; 0 where there is none.
fn port_number(port: &str) -> c_int {
    let digits = port.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: c_int, digit| number.saturating_mul(10).saturating_add(c_int::from(digit - b'0')))
}

/// What is known of a server; NULL where there is no such index. To be freed by `omcache_server_info_free`.
///
/// # Safety
/// `mc` is NULL or a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_server_info(
    mc: *mut omcache_t,
    server_index: c_int,
) -> *mut omcache_server_info_t {
    // SAFETY: as the caller promises.
    let Some(handle) = (unsafe { mc.as_ref() }) else { return ptr::null_mut() };
    guarded(ptr::null_mut(), || {
        let server = usize::try_from(server_index).ok().and_then(|index| handle.driver.cluster.server(index));
        let Some(server) = server else { return ptr::null_mut() };
        let Ok(hostname) = CString::new(server.host()) else { return ptr::null_mut() };
        Box::into_raw(Box::new(omcache_server_info_t {
            omcache_version: OMCACHE_VERSION,
            server_index,
            hostname: hostname.into_raw(),
            port: port_number(server.port()),
        }))
    })
}

/// Frees what `omcache_server_info` returned. NULL is let pass.
///
/// # Safety
/// `info` is NULL or comes from `omcache_server_info` and is not freed; its host name is unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_server_info_free(
    _mc: *mut omcache_t,
    info: *mut omcache_server_info_t,
) -> c_int {
    if info.is_null() {
        return ret::INVALID;
    }
    guarded(ret::FAIL, || {
        // SAFETY: both were made by into_raw in omcache_server_info.
        unsafe {
            let info = Box::from_raw(info);
            drop(CString::from_raw(info.hostname));
        }
        ret::OK
    })
}

#[cfg(test)]
mod tests {
    use super::port_number;

    #[test]
    fn ports_are_read_as_far_as_they_are_numbers() {
        assert_eq!(port_number("11211"), 11211);
        assert_eq!(port_number("99999"), 99999);
        assert_eq!(port_number("80http"), 80);
        assert_eq!(port_number("memcached"), 0);
        assert_eq!(port_number("99999999999"), i32::MAX);
    }
}
