//! Distributions: the three of libmemcached as data objects, and a program's own.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar};

use omcache::driver::hash::{Distribution, Named, RingDistribution, Server, hash};
use std::sync::Arc;

use crate::boundary::{bytes_of, guarded};
use crate::failure::refuse;
use crate::handle::Handle;
use crate::ret;
use crate::settings::with_lines;
use crate::types::{
    OMCACHE_VERSION, omc_ketama_key_hash_func, omc_ketama_point_hash_func, omcache_dist_t, omcache_t,
};

/// Hashes of a point, at most.
const MOST_ENTRIES: u32 = 65536;

/// libmemcached 1.0.10's ketama and later ones'.
#[unsafe(no_mangle)]
pub static omcache_dist_libmemcached_ketama: omcache_dist_t = omcache_dist_t {
    omcache_version: OMCACHE_VERSION,
    points_per_server: 100,
    entries_per_point: 1,
    point_hash_func: Some(point_one_at_a_time),
    key_hash_func: Some(key_one_at_a_time),
};

/// libmemcached's weighted ketama.
#[unsafe(no_mangle)]
pub static omcache_dist_libmemcached_ketama_weighted: omcache_dist_t = omcache_dist_t {
    omcache_version: OMCACHE_VERSION,
    points_per_server: 40,
    entries_per_point: 4,
    point_hash_func: Some(point_md5),
    key_hash_func: Some(key_md5),
};

/// libmemcached's ketama before 1.0.10.
#[unsafe(no_mangle)]
pub static omcache_dist_libmemcached_ketama_pre1010: omcache_dist_t = omcache_dist_t {
    omcache_version: OMCACHE_VERSION,
    points_per_server: 40,
    entries_per_point: 4,
    point_hash_func: Some(point_md5),
    key_hash_func: Some(key_one_at_a_time),
};

/// The name of a point: the port is left out where it is memcached's own.
///
/// # Safety
/// Both are NULL or strings.
unsafe fn point_name(hostname: *const c_char, portname: *const c_char, point: u32) -> Vec<u8> {
    let text = |text: *const c_char| {
        // SAFETY: not NULL, and a string as the caller promises.
        if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
    };
    let (host, port) = (text(hostname), text(portname));
    let mut name = host.to_vec();
    if port != b"11211" {
        name.push(b':');
        name.extend_from_slice(port);
    }
    name.extend_from_slice(format!("-{point}").as_bytes());
    name
}

unsafe extern "C" fn point_one_at_a_time(
    hostname: *const c_char,
    portname: *const c_char,
    point: u32,
    hashes: *mut u32,
) -> u32 {
    guarded(0, || {
        // SAFETY: strings, and room for one hash, by the contract of the type.
        unsafe { hashes.write(hash::one_at_a_time(&point_name(hostname, portname, point))) };
        1
    })
}

unsafe extern "C" fn point_md5(
    hostname: *const c_char,
    portname: *const c_char,
    point: u32,
    hashes: *mut u32,
) -> u32 {
    guarded(0, || {
        // SAFETY: strings, by the contract of the type.
        let words = hash::md5_words(&unsafe { point_name(hostname, portname, point) });
        // SAFETY: room for four hashes, by the contract of the type with `entries_per_point` 4; the library gives it always.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), hashes, words.len()) };
        4
    })
}

unsafe extern "C" fn key_one_at_a_time(key: *const c_uchar, key_len: usize) -> u32 {
    // SAFETY: as long as it says, by the contract of the type.
    guarded(0, || hash::one_at_a_time(unsafe { bytes_of(key, key_len) }.unwrap_or_default()))
}

unsafe extern "C" fn key_md5(key: *const c_uchar, key_len: usize) -> u32 {
    // SAFETY: as long as it says, by the contract of the type.
    guarded(0, || hash::md5(unsafe { bytes_of(key, key_len) }.unwrap_or_default()))
}

/// The named distribution that a program's structure is, whatever its address: a program that is no PIE has a copy.
fn named(method: &omcache_dist_t) -> Option<Named> {
    let same = |known: &omcache_dist_t| {
        method.points_per_server == known.points_per_server
            && method.entries_per_point == known.entries_per_point
            && method.point_hash_func.map(|func| func as usize)
                == known.point_hash_func.map(|func| func as usize)
            && method.key_hash_func.map(|func| func as usize) == known.key_hash_func.map(|func| func as usize)
    };
    [
        (&omcache_dist_libmemcached_ketama, Named::Ketama),
        (&omcache_dist_libmemcached_ketama_weighted, Named::KetamaWeighted),
        (&omcache_dist_libmemcached_ketama_pre1010, Named::KetamaPre1010),
    ]
    .into_iter()
    .find_map(|(known, name)| same(known).then_some(name))
}

/// A distribution of the program's own functions.
fn own(
    method: &omcache_dist_t,
    point_hash: omc_ketama_point_hash_func,
    key_hash: omc_ketama_key_hash_func,
) -> RingDistribution {
    let (points, entries) = (method.points_per_server, method.entries_per_point);
    let points_of = move |server: &Server<'_>, to: &mut Vec<u32>| {
        let (Ok(host), Ok(port)) = (CString::new(server.host), CString::new(server.port)) else { return };
        // The point functions of the library write four, whatever the structure says.
        let mut hashes = vec![0; entries.max(4) as usize];
        for point in 0..points {
            // SAFETY: strings, and room for as many hashes as the structure says.
            let made = unsafe { point_hash(host.as_ptr(), port.as_ptr(), point, hashes.as_mut_ptr()) };
            to.extend(hashes.iter().take(made.min(entries) as usize));
        }
    };
    // SAFETY: a key and its length.
    RingDistribution::new("custom", points_of, move |key| unsafe { key_hash(key.as_ptr(), key.len()) })
}

pub(crate) fn set_distribution(handle: &mut Handle, distribution: Arc<dyn Distribution>) -> c_int {
    match handle.driver.cluster.set_distribution(distribution) {
        Ok(()) => ret::OK,
        Err(error) => {
            handle.note_error(ret::INVALID, &error);
            ret::INVALID
        }
    }
}

/// Sets the distribution; see `omcache_cdef.h`.
///
/// # Safety
/// `mc` is NULL or a live handle; `method` is NULL or a distribution whose functions may be called as long as it is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_distribution_method(
    mc: *mut omcache_t,
    method: *const omcache_dist_t,
) -> c_int {
    // SAFETY: NULL or a distribution, as the caller promises.
    let method = unsafe { method.as_ref() };
    let functions = method.and_then(|method| Some((method, method.point_hash_func?, method.key_hash_func?)));
    // SAFETY: NULL or a live handle, as the caller promises.
    unsafe {
        let Some((method, point_hash, key_hash)) = functions else {
            return refuse(mc, ret::INVALID, "the distribution or one of its functions is NULL");
        };
        if method.entries_per_point > MOST_ENTRIES {
            return refuse(mc, ret::INVALID, "the distribution has more than 65536 entries per point");
        }
        with_lines(mc, |handle| match named(method) {
            Some(named) => set_distribution(handle, Arc::new(named)),
            None => set_distribution(handle, Arc::new(own(method, point_hash, key_hash))),
        })
    }
}
