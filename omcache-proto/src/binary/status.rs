//! Statuses: how a server says what came of a request.

use core::fmt;

/// The status of a response.
///
/// Any number is a `Status`, so that one that is not known here passes through unchanged. The
/// numbers up to 0x06, and 0x20, 0x21, 0x81 and 0x82 are what memcached itself sends; the others
/// are reserved for, and used by, servers that speak its protocol.
///
/// ```
/// use omcache_proto::binary::Status;
///
/// assert!(Status(0).is_success());
/// assert_eq!(Status::KEY_NOT_FOUND.message(), Some("key not found"));
/// assert_eq!(format!("{:?} {:?}", Status(2), Status(0x1234)), "KEY_EXISTS 0x1234");
/// assert_eq!(Status(5).to_string(), "item not stored");
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $message:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Status = Status($number);)*

            /// The name, as in `"KEY_NOT_FOUND"`; `None` for a number that has none here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What it means in a few words, as in `"key not found"`; `None` for a number that has
            /// no name here.
            #[must_use]
            pub const fn message(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($message),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// The request was carried out.
    SUCCESS = 0x0000, "success";
    /// No item has the key.
    KEY_NOT_FOUND = 0x0001, "key not found";
    /// The item is there (ADD), or has another CAS by now.
    KEY_EXISTS = 0x0002, "key exists";
    /// The value is larger than the server stores.
    VALUE_TOO_LARGE = 0x0003, "value too large";
    /// The server does not take the request's lengths or extras.
    INVALID_ARGUMENTS = 0x0004, "invalid arguments";
    /// The item was not stored: APPEND and PREPEND of an absent key.
    NOT_STORED = 0x0005, "item not stored";
    /// Counting in a value that is no decimal number.
    NON_NUMERIC = 0x0006, "value is not a number";
    /// The vbucket belongs to another server.
    WRONG_VBUCKET = 0x0007, "vbucket belongs to another server";
    /// Authentication failed, or is needed first.
    AUTH_ERROR = 0x0020, "authentication error";
    /// Authentication needs a further step.
    AUTH_CONTINUE = 0x0021, "authentication continues";
    /// A number is outside what the server takes.
    RANGE_ERROR = 0x0022, "value out of range";
    /// The server does not know the opcode.
    UNKNOWN_COMMAND = 0x0081, "unknown command";
    /// The server has no memory for it.
    OUT_OF_MEMORY = 0x0082, "out of memory";
    /// The server knows the opcode and does not do it.
    NOT_SUPPORTED = 0x0083, "not supported";
    /// The server failed in itself.
    INTERNAL_ERROR = 0x0084, "internal error";
    /// The server is too busy.
    BUSY = 0x0085, "busy";
    /// A failure that may have passed on another try.
    TEMPORARY_FAILURE = 0x0086, "temporary failure";
}

impl Status {
    /// Whether it is [`Status::SUCCESS`].
    #[inline]
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

/// The name, or the number as in `0x1234` where it has none.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

/// The message, or the number as in `status 0x1234` where it has none.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => f.write_str(message),
            None => write!(f, "status {:#06x}", self.0),
        }
    }
}
