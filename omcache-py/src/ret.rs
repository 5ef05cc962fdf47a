//! Return codes: their numbers, which are those of the C interface, and their texts.

use omcache::driver::conn::{Failure, Outcome, SubmitError};
use omcache::driver::proto::binary::Status;

/// How a request ended, as exceptions tell it in `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ret(pub(crate) u16);

impl Ret {
    pub(crate) const OK: Self = Self(0x00);
    pub(crate) const NOT_FOUND: Self = Self(0x01);
    pub(crate) const KEY_EXISTS: Self = Self(0x02);
    pub(crate) const TOO_LARGE_VALUE: Self = Self(0x03);
    pub(crate) const NOT_STORED: Self = Self(0x05);
    pub(crate) const DELTA_BAD_VALUE: Self = Self(0x06);
    pub(crate) const FAIL: Self = Self(0x0fff);
    pub(crate) const AGAIN: Self = Self(0x1001);
    pub(crate) const INVALID: Self = Self(0x1002);
    pub(crate) const BUFFERED: Self = Self(0x1003);
    pub(crate) const BUFFER_FULL: Self = Self(0x1004);
    pub(crate) const NO_SERVERS: Self = Self(0x1005);
    pub(crate) const SERVER_FAILURE: Self = Self(0x1006);

    /// All of them, with the names under which Python has them.
    pub(crate) const NAMED: [(&'static str, Self); 13] = [
        ("OK", Self::OK),
        ("NOT_FOUND", Self::NOT_FOUND),
        ("KEY_EXISTS", Self::KEY_EXISTS),
        ("TOO_LARGE_VALUE", Self::TOO_LARGE_VALUE),
        ("NOT_STORED", Self::NOT_STORED),
        ("DELTA_BAD_VALUE", Self::DELTA_BAD_VALUE),
        ("FAIL", Self::FAIL),
        ("AGAIN", Self::AGAIN),
        ("INVALID", Self::INVALID),
        ("BUFFERED", Self::BUFFERED),
        ("BUFFER_FULL", Self::BUFFER_FULL),
        ("NO_SERVERS", Self::NO_SERVERS),
        ("SERVER_FAILURE", Self::SERVER_FAILURE),
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::OK => "Success",
            Self::NOT_FOUND => "Key not found from memcached",
            Self::KEY_EXISTS => "Conflicting key exists in memcached",
            Self::TOO_LARGE_VALUE => "Value size exceeds maximum",
            Self::NOT_STORED => "Append or prepend value not stored",
            Self::DELTA_BAD_VALUE => "Existing value can not be incremented or decremented",
            Self::FAIL => "Command failed in memcached",
            Self::AGAIN => "Call would block, try again",
            Self::INVALID => "Invalid parameters",
            Self::BUFFERED => "Data buffered in OMcache",
            Self::BUFFER_FULL => "Buffer full, command dropped",
            Self::NO_SERVERS => "No server available",
            Self::SERVER_FAILURE => "Failure communicating to server",
            _ => "Unknown",
        }
    }

    #[inline]
    pub(crate) fn of_status(status: Status) -> Self {
        match status {
            Status::SUCCESS => Self::OK,
            Status::KEY_NOT_FOUND => Self::NOT_FOUND,
            Status::KEY_EXISTS => Self::KEY_EXISTS,
            Status::VALUE_TOO_LARGE => Self::TOO_LARGE_VALUE,
            Status::NOT_STORED => Self::NOT_STORED,
            Status::NON_NUMERIC => Self::DELTA_BAD_VALUE,
            _ => Self::FAIL,
        }
    }

    /// What an outcome is to the caller; none for silence, which settles a quiet request.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Silent => None,
            Outcome::NotSent(Failure::NoServers) => Some(Self::NO_SERVERS),
            Outcome::NotSent(Failure::SendBufferFull) | Outcome::ResponseTooLarge { .. } => {
                Some(Self::BUFFER_FULL)
            }
            _ => Some(Self::SERVER_FAILURE),
        }
    }

    pub(crate) fn of_refusal(error: &SubmitError) -> Self {
        match error {
            SubmitError::NoServers { .. }
            | SubmitError::ServerDisabled { .. }
            | SubmitError::UnknownServer { .. } => Self::NO_SERVERS,
            // No wait makes room for it.
            SubmitError::SendBufferFull { needed, limit, .. } if needed > limit => Self::TOO_LARGE_VALUE,
            SubmitError::SendBufferFull { .. } => Self::BUFFER_FULL,
            _ => Self::INVALID,
        }
    }
}
