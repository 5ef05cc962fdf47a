//! What the C functions allocate: nothing for a command on one key, nor for a batch; one buffer for a large value.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

use std::ffi::{CString, c_int};
use std::ptr;

use allocation_counter::{AllocationInfo, measure};
use omcache::testing::Server;
use omcache_ffi::types::{omcache_req_header_s, omcache_req_t, omcache_t, omcache_value_t};
use omcache_ffi::{
    omcache_free, omcache_get, omcache_get_multi, omcache_init, omcache_io, omcache_set,
    omcache_set_buffering, omcache_set_servers,
};

const OK: c_int = 0;
const NOT_FOUND: c_int = 1;
const BUFFERED: c_int = 0x1003;
const PATIENCE: i32 = 20_000;

/// A handle, freed when it goes out of scope.
struct Handle(*mut omcache_t);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: made by omcache_init, and not used again.
        unsafe { omcache_free(self.0) };
    }
}

impl Handle {
    fn new(servers: &[Server]) -> Self {
        let list: Vec<String> = servers.iter().map(Server::address).collect();
        let list = CString::new(list.join(",")).unwrap();
        let mc = omcache_init();
        // SAFETY: a live handle, and a string.
        assert_eq!(unsafe { omcache_set_servers(mc, list.as_ptr()) }, OK);
        Self(mc)
    }

    fn set(&self, key: &str, value: &[u8], timeout: i32) -> c_int {
        // SAFETY: a live handle, and as many bytes as the lengths say.
        unsafe { omcache_set(self.0, key.as_ptr(), key.len(), value.as_ptr(), value.len(), 0, 0, 0, timeout) }
    }

    /// The result, and the value's length and first byte.
    fn get(&self, key: &str) -> (c_int, usize, u8) {
        let (mut data, mut len) = (ptr::null(), 0);
        // SAFETY: a live handle, the key's own bytes, and places to write to; the value is there until the next call.
        unsafe {
            let (out, flags, cas) = ((&raw mut data, &raw mut len), ptr::null_mut(), ptr::null_mut());
            let result = omcache_get(self.0, key.as_ptr(), key.len(), out.0, out.1, flags, cas, PATIENCE);
            (result, len, if len > 0 { *data } else { 0 })
        }
    }

    fn flush(&self) {
        let none = ptr::null_mut();
        // SAFETY: a live handle; the arrays and counts may be NULL.
        let result =
            unsafe { omcache_io(self.0, ptr::null_mut(), none, ptr::null_mut(), ptr::null_mut(), PATIENCE) };
        assert_eq!(result, OK);
    }
}

/// The arrays of a call for many keys.
struct Arrays {
    keys: Vec<*const u8>,
    lens: Vec<usize>,
    requests: Vec<omcache_req_t>,
    values: Vec<omcache_value_t>,
}

impl Arrays {
    fn new(names: &[String]) -> Self {
        let request = omcache_req_t {
            server_index: -1,
            header: omcache_req_header_s::default(),
            extra: ptr::null(),
            key: ptr::null(),
            data: ptr::null(),
        };
        let value = omcache_value_t {
            status: 0,
            key: ptr::null(),
            key_len: 0,
            data: ptr::null(),
            data_len: 0,
            flags: 0,
            cas: 0,
            delta_value: 0,
        };
        Self {
            keys: names.iter().map(|name| name.as_ptr()).collect(),
            lens: names.iter().map(String::len).collect(),
            requests: vec![request; names.len()],
            values: vec![value; names.len()],
        }
    }

    /// How many values were found.
    fn get(&mut self, handle: &Handle) -> usize {
        let count = self.keys.len();
        let (mut requested, mut found) = (count, count);
        // SAFETY: a live handle, and arrays as long as their counts say.
        let result = unsafe {
            omcache_get_multi(
                handle.0,
                self.keys.as_ptr(),
                self.lens.as_mut_ptr(),
                count,
                self.requests.as_mut_ptr(),
                &raw mut requested,
                self.values.as_mut_ptr(),
                &raw mut found,
                PATIENCE,
            )
        };
        assert_eq!((result, requested), (OK, 0));
        found
    }
}

/// Counts this thread's allocations; the servers have threads of their own.
fn allocated(run: impl FnOnce()) -> AllocationInfo {
    measure(run)
}

#[test]
fn no_command_allocates_once_the_connections_stand() {
    let servers: Vec<Server> = (0..4).map(|_| Server::start().unwrap()).collect();
    let handle = Handle::new(&servers);
    let names: Vec<String> = (0..100).map(|n| format!("key_{n:012}")).collect();
    let (value, mut arrays) = ([b'v'; 100], Arrays::new(&names));
    let mut all = || {
        for name in names.iter().cycle().take(1_000) {
            assert_eq!(handle.set(name, &value, PATIENCE), OK);
            assert_eq!(handle.get(name), (OK, 100, b'v'));
            assert_eq!(handle.get("absent").0, NOT_FOUND);
        }
        for _ in 0..100 {
            assert_eq!(arrays.get(&handle), names.len());
        }
        // SAFETY: a live handle.
        unsafe { omcache_set_buffering(handle.0, 1) };
        for name in names.iter().cycle().take(1_000) {
            assert_eq!(handle.set(name, &value, 0), BUFFERED);
        }
        handle.flush();
        // SAFETY: as above.
        unsafe { omcache_set_buffering(handle.0, 0) };
    };
    all();
    let of_all = allocated(&mut all);
    // A buffer more where more connections have something to read at once than ever before.
    let most = servers.len() as u64;
    assert!(of_all.count_total <= 64 && of_all.bytes_total <= most * 70_000, "{of_all:?}");
    let of_single = allocated(|| {
        for name in names.iter().cycle().take(1_000) {
            assert_eq!(handle.set(name, &value, PATIENCE), OK);
            assert_eq!(handle.get(name), (OK, 100, b'v'));
            assert_eq!(handle.get("absent").0, NOT_FOUND);
        }
    });
    assert_eq!(of_single.count_total, 0, "{of_single:?}");
}

#[test]
fn a_large_value_is_shown_where_it_was_received() {
    const LEN: usize = 900 * 1024;
    let servers = [Server::start().unwrap()];
    let handle = Handle::new(&servers);
    assert_eq!(handle.set("large", &vec![b'l'; LEN], PATIENCE), OK);
    assert_eq!(handle.get("large"), (OK, LEN, b'l'));
    let of_gets = allocated(|| {
        for _ in 0..20 {
            assert_eq!(handle.get("large"), (OK, LEN, b'l'));
        }
    });
    // One buffer, which is used again: a second copy would need another one.
    let bytes = usize::try_from(of_gets.bytes_max).unwrap();
    assert!(bytes < LEN + LEN / 2, "{bytes} bytes at once for a value of {LEN}");
}
