//! Request numbers that wrap while requests are under way: no C function can set them, so the handle is reached into.

#![allow(clippy::expect_used)]

use std::ffi::{c_int, c_uchar};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::deliver::bare_value;
use crate::types::{omcache_req_header_s, omcache_req_t, omcache_t};
use crate::{omcache_free, omcache_get_multi, omcache_init, omcache_set, omcache_set_servers, ret};

/// Killed when it goes out of scope.
struct Memcached(Child);

impl Drop for Memcached {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn memcached(file: &Path) -> (Memcached, String) {
    let mut command = Command::new("memcached");
    command.args(["-p", "-1", "-l", "127.0.0.1", "-U", "0", "-t", "1", "-u", "root"]);
    let child =
        command.env("MEMCACHED_PORT_FILENAME", file).stdin(Stdio::null()).spawn().expect("memcached starts");
    let server = Memcached(child);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(port) = text.lines().find_map(|line| line.strip_prefix("TCP INET: ")) {
            return (server, format!("127.0.0.1:{}\0", port.trim()));
        }
        assert!(Instant::now() < deadline, "memcached tells no port");
        sleep(Duration::from_millis(1));
    }
}

fn set(mc: *mut omcache_t, key: &str, timeout: i32) -> c_int {
    let (key, len) = (key.as_ptr(), key.len());
    // SAFETY: a live handle, and the key's own bytes.
    unsafe { omcache_set(mc, key, len, key, len, 0, 0, 0, timeout) }
}

/// Gets all keys at once, and returns how many were hits; each must have its own value.
fn get_all(mc: *mut omcache_t, names: &[String]) -> usize {
    let keys: Vec<*const c_uchar> = names.iter().map(|name| name.as_ptr()).collect();
    let mut lens: Vec<usize> = names.iter().map(String::len).collect();
    let empty = omcache_req_t {
        server_index: -1,
        header: omcache_req_header_s::default(),
        extra: ptr::null(),
        key: ptr::null(),
        data: ptr::null(),
    };
    let (mut requests, mut values) = (vec![empty; names.len()], vec![bare_value(ret::FAIL); names.len()]);
    let (mut request_count, mut value_count) = (names.len(), names.len());
    // SAFETY: a live handle, and arrays as long as their counts say.
    let result = unsafe {
        omcache_get_multi(
            mc,
            keys.as_ptr(),
            lens.as_mut_ptr(),
            names.len(),
            requests.as_mut_ptr(),
            &raw mut request_count,
            values.as_mut_ptr(),
            &raw mut value_count,
            20_000,
        )
    };
    assert_eq!((result, request_count), (ret::OK, 0));
    for value in &values[..value_count] {
        assert_eq!(value.status, ret::OK);
        // SAFETY: as long as it says, until the next call with the handle.
        let (key, data) = unsafe {
            (
                std::slice::from_raw_parts(value.key, value.key_len),
                std::slice::from_raw_parts(value.data, value.data_len),
            )
        };
        assert_eq!(key, data);
    }
    value_count
}

#[test]
fn request_numbers_wrap_without_losing_a_response() {
    let file = std::env::temp_dir().join(format!("omcache-wrap-{}", std::process::id()));
    let (_server, address) = memcached(&file);
    std::fs::remove_file(&file).expect("memcached wrote it");
    let mc = omcache_init();
    // SAFETY: a live handle and a string that ends in NUL.
    assert_eq!(unsafe { omcache_set_servers(mc, address.as_ptr().cast()) }, ret::OK);
    let names: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
    for name in names.iter().step_by(2) {
        assert_eq!(set(mc, name, 20_000), ret::OK);
    }
    // The wrap falls before, within and behind the batch, on a hit and on a miss; quiet ones of no one before it.
    for before in 0..25 {
        assert_eq!(set(mc, "key-0", 0), ret::BUFFERED);
        // SAFETY: a live handle that no other reference is to.
        unsafe { (*mc).driver.cluster.set_last_opaque(u32::MAX - before) };
        assert_eq!(set(mc, "key-0", 0), ret::BUFFERED);
        assert_eq!(get_all(mc, &names), 10, "{before} numbers before the wrap");
        // SAFETY: as above.
        let last = unsafe { (*mc).driver.cluster.last_opaque() };
        assert_eq!(last, 20_u32.wrapping_sub(before), "they are consecutive");
    }
    // SAFETY: the handle is not used again.
    assert_eq!(unsafe { omcache_free(mc) }, ret::OK);
}
