//! The structures and callbacks of the C interface, laid out as `omcache_cdef.h` has them.

use std::ffi::{c_char, c_int, c_uchar, c_void};

/// A handle. C programs know it by its pointer alone.
pub type omcache_t = crate::handle::Handle;

/// The version of the interface whose layouts these are, `OMCACHE_VERSION`.
pub const OMCACHE_VERSION: c_int = 0x0300;

/// The 24-byte request header, as on the wire but for `opaque`, whose byte order is the machine's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct omcache_req_header_s {
    /// Set by the library.
    pub magic: u8,
    /// The command.
    pub opcode: u8,
    /// Key length, network order.
    pub keylen: u16,
    /// Extras length.
    pub extlen: u8,
    /// Set by the library.
    pub datatype: u8,
    /// The vbucket, network order.
    pub reserved: u16,
    /// Length of extras, key and data, network order.
    pub bodylen: u32,
    /// Set by the library.
    pub opaque: u32,
    /// The CAS, network order.
    pub cas: u64,
}

/// A request.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omcache_req_t {
    /// The server's index; -1 lets the key choose.
    pub server_index: c_int,
    /// The header.
    pub header: omcache_req_header_s,
    /// The extras, `header.extlen` bytes.
    pub extra: *const c_void,
    /// The key, `header.keylen` bytes.
    pub key: *const c_uchar,
    /// The value, what is left of `header.bodylen`.
    pub data: *const c_uchar,
}

/// A response.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omcache_value_t {
    /// An `omcache_ret_t`.
    pub status: c_int,
    /// The key, where the response has one.
    pub key: *const c_uchar,
    /// Its length.
    pub key_len: usize,
    /// The value.
    pub data: *const c_uchar,
    /// Its length.
    pub data_len: usize,
    /// The flags of a get.
    pub flags: u32,
    /// The CAS.
    pub cas: u64,
    /// The new value of a counter.
    pub delta_value: u64,
}

/// Makes the hashes of one point of a server; returns how many it made.
pub type omc_ketama_point_hash_func = unsafe extern "C" fn(
    hostname: *const c_char,
    portname: *const c_char,
    point: u32,
    hashes: *mut u32,
) -> u32;
/// Hashes a key.
pub type omc_ketama_key_hash_func = unsafe extern "C" fn(key: *const c_uchar, key_len: usize) -> u32;

/// A distribution.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omcache_dist_t {
    /// `OMCACHE_VERSION`.
    pub omcache_version: c_int,
    /// Points of each server.
    pub points_per_server: u32,
    /// Hashes of each point, at most.
    pub entries_per_point: u32,
    /// Makes a point's hashes.
    pub point_hash_func: Option<omc_ketama_point_hash_func>,
    /// Hashes a key.
    pub key_hash_func: Option<omc_ketama_key_hash_func>,
}

/// What is known of a server.
#[repr(C)]
#[derive(Debug)]
pub struct omcache_server_info_t {
    /// `OMCACHE_VERSION`.
    pub omcache_version: c_int,
    /// The server's index.
    pub server_index: c_int,
    /// Its host name or address.
    pub hostname: *mut c_char,
    /// Its port.
    pub port: c_int,
}

/// Receives log lines.
pub type omcache_log_callback_func =
    unsafe extern "C" fn(context: *mut c_void, level: c_int, msg: *const c_char);
/// Receives responses.
pub type omcache_response_callback_func =
    unsafe extern "C" fn(mc: *mut omcache_t, result: *mut omcache_value_t, context: *mut c_void);

/// How a server is doing, `omcache_server_status_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omcache_server_status_t {
    /// An `omcache_server_state_t`.
    pub state: c_int,
    /// Milliseconds until a disabled server is tried again; 0 otherwise.
    pub retry_msec: u32,
    /// What it last failed of; NULL where it did not.
    pub last_error: *const c_char,
}
