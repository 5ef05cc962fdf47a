//! Return codes: their values, their texts, and what the outcomes of requests are in them.

use std::ffi::{CStr, c_char, c_int};

use omcache::driver::conn::{Failure, Outcome, SubmitError};
use omcache::driver::proto::binary::Status;

pub(crate) const OK: c_int = 0x00;
pub(crate) const NOT_FOUND: c_int = 0x01;
pub(crate) const KEY_EXISTS: c_int = 0x02;
pub(crate) const TOO_LARGE_VALUE: c_int = 0x03;
pub(crate) const NOT_STORED: c_int = 0x05;
pub(crate) const DELTA_BAD_VALUE: c_int = 0x06;
pub(crate) const FAIL: c_int = 0x0fff;
pub(crate) const AGAIN: c_int = 0x1001;
pub(crate) const INVALID: c_int = 0x1002;
pub(crate) const BUFFERED: c_int = 0x1003;
pub(crate) const BUFFER_FULL: c_int = 0x1004;
pub(crate) const NO_SERVERS: c_int = 0x1005;
pub(crate) const SERVER_FAILURE: c_int = 0x1006;

pub(crate) fn text(code: c_int) -> &'static CStr {
    match code {
        OK => c"Success",
        NOT_FOUND => c"Key not found from memcached",
        KEY_EXISTS => c"Conflicting key exists in memcached",
        TOO_LARGE_VALUE => c"Value size exceeds maximum",
        NOT_STORED => c"Append or prepend value not stored",
        DELTA_BAD_VALUE => c"Existing value can not be incremented or decremented",
        FAIL => c"Command failed in memcached",
        AGAIN => c"Call would block, try again",
        INVALID => c"Invalid parameters",
        BUFFERED => c"Data buffered in OMcache",
        BUFFER_FULL => c"Buffer full, command dropped",
        NO_SERVERS => c"No server available",
        SERVER_FAILURE => c"Failure communicating to server",
        _ => c"Unknown",
    }
}

/// The text of a return code, static.
#[unsafe(no_mangle)]
pub extern "C" fn omcache_strerror(rc: c_int) -> *const c_char {
    text(rc).as_ptr()
}

pub(crate) fn of_status(status: Status) -> c_int {
    match status {
        Status::SUCCESS => OK,
        Status::KEY_NOT_FOUND => NOT_FOUND,
        Status::KEY_EXISTS => KEY_EXISTS,
        Status::VALUE_TOO_LARGE => TOO_LARGE_VALUE,
        Status::NOT_STORED => NOT_STORED,
        Status::NON_NUMERIC => DELTA_BAD_VALUE,
        _ => FAIL,
    }
}

/// What an outcome is to the caller; none for silence, which settles a quiet request.
pub(crate) fn of_outcome(outcome: &Outcome) -> Option<c_int> {
    match outcome {
        Outcome::Silent => None,
        Outcome::NotSent(Failure::NoServers) => Some(NO_SERVERS),
        Outcome::NotSent(Failure::SendBufferFull) | Outcome::ResponseTooLarge { .. } => Some(BUFFER_FULL),
        _ => Some(SERVER_FAILURE),
    }
}

pub(crate) fn of_refusal(error: &SubmitError) -> c_int {
    match error {
        SubmitError::NoServers { .. }
        | SubmitError::ServerDisabled { .. }
        | SubmitError::UnknownServer { .. } => NO_SERVERS,
        SubmitError::SendBufferFull { .. } => BUFFER_FULL,
        _ => INVALID,
    }
}
