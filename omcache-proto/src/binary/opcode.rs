//! Opcodes: the number of a command, its quiet form and its name.

use core::fmt;

/// The number of a command, the second byte of every packet.
///
/// Any number is an `Opcode`, so that one that is not known here passes through a proxy unchanged.
///
/// ```
/// use omcache_proto::binary::Opcode;
///
/// assert_eq!(Opcode::GETK.quiet(), Some(Opcode::GETKQ));
/// assert_eq!(Opcode::GETKQ.loud(), Opcode::GETK);
/// assert!(Opcode::GETKQ.is_quiet_on_miss());
/// assert_eq!(format!("{:?} {:?}", Opcode(0x1d), Opcode(0xf0)), "GAT 0xf0");
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opcode(pub u8);

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl Opcode {
            $($(#[$doc])* pub const $name: Opcode = Opcode($number);)*

            /// The name, as in `"GETQ"`; `None` for a number that has none here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

opcodes! {
    /// Ask for a value.
    GET = 0x00;
    /// Store in any case.
    SET = 0x01;
    /// Store where the key is absent.
    ADD = 0x02;
    /// Store where the key is present.
    REPLACE = 0x03;
    /// Remove an item.
    DELETE = 0x04;
    /// Count up.
    INCREMENT = 0x05;
    /// Count down.
    DECREMENT = 0x06;
    /// Close the connection.
    QUIT = 0x07;
    /// Invalidate every item.
    FLUSH = 0x08;
    /// [`GET`](Self::GET), silent where the key is absent.
    GETQ = 0x09;
    /// Nothing but an answer.
    NOOP = 0x0a;
    /// Ask for the server's version.
    VERSION = 0x0b;
    /// [`GET`](Self::GET) with the key in the response.
    GETK = 0x0c;
    /// [`GETK`](Self::GETK), silent where the key is absent.
    GETKQ = 0x0d;
    /// Add behind a value.
    APPEND = 0x0e;
    /// Add before a value.
    PREPEND = 0x0f;
    /// Ask for statistics.
    STAT = 0x10;
    /// [`SET`](Self::SET), silent on success.
    SETQ = 0x11;
    /// [`ADD`](Self::ADD), silent on success.
    ADDQ = 0x12;
    /// [`REPLACE`](Self::REPLACE), silent on success.
    REPLACEQ = 0x13;
    /// [`DELETE`](Self::DELETE), silent on success.
    DELETEQ = 0x14;
    /// [`INCREMENT`](Self::INCREMENT), silent on success.
    INCREMENTQ = 0x15;
    /// [`DECREMENT`](Self::DECREMENT), silent on success.
    DECREMENTQ = 0x16;
    /// [`QUIT`](Self::QUIT), silent.
    QUITQ = 0x17;
    /// [`FLUSH`](Self::FLUSH), silent on success.
    FLUSHQ = 0x18;
    /// [`APPEND`](Self::APPEND), silent on success.
    APPENDQ = 0x19;
    /// [`PREPEND`](Self::PREPEND), silent on success.
    PREPENDQ = 0x1a;
    /// Set how much the server logs.
    VERBOSITY = 0x1b;
    /// Set an item's expiration.
    TOUCH = 0x1c;
    /// Ask for a value and set the item's expiration ("get and touch").
    GAT = 0x1d;
    /// [`GAT`](Self::GAT), silent where the key is absent.
    GATQ = 0x1e;
    /// Ask for the names of the SASL mechanisms.
    SASL_LIST_MECHS = 0x20;
    /// Begin SASL authentication.
    SASL_AUTH = 0x21;
    /// Go on with SASL authentication.
    SASL_STEP = 0x22;
    /// [`GAT`](Self::GAT) with the key in the response.
    GATK = 0x23;
    /// [`GATK`](Self::GATK), silent where the key is absent.
    GATKQ = 0x24;
    /// Range operations: get. memcached reserves the range numbers for others and serves none.
    RGET = 0x30;
    /// Range operations: set.
    RSET = 0x31;
    /// Range operations: set, silent on success.
    RSETQ = 0x32;
    /// Range operations: append.
    RAPPEND = 0x33;
    /// Range operations: append, silent on success.
    RAPPENDQ = 0x34;
    /// Range operations: prepend.
    RPREPEND = 0x35;
    /// Range operations: prepend, silent on success.
    RPREPENDQ = 0x36;
    /// Range operations: delete.
    RDELETE = 0x37;
    /// Range operations: delete, silent on success.
    RDELETEQ = 0x38;
    /// Range operations: increment.
    RINCR = 0x39;
    /// Range operations: increment, silent on success.
    RINCRQ = 0x3a;
    /// Range operations: decrement.
    RDECR = 0x3b;
    /// Range operations: decrement, silent on success.
    RDECRQ = 0x3c;
}

/// A set of opcodes below 64, a bit each.
const fn bits<const N: usize>(opcodes: [Opcode; N]) -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < N {
        set |= 1 << opcodes[i].0;
        i += 1;
    }
    set
}

const QUIET_ON_MISS: u64 = bits([Opcode::GETQ, Opcode::GETKQ, Opcode::GATQ, Opcode::GATKQ]);

const QUIET_ON_SUCCESS: u64 = bits([
    Opcode::SETQ,
    Opcode::ADDQ,
    Opcode::REPLACEQ,
    Opcode::DELETEQ,
    Opcode::INCREMENTQ,
    Opcode::DECREMENTQ,
    Opcode::QUITQ,
    Opcode::FLUSHQ,
    Opcode::APPENDQ,
    Opcode::PREPENDQ,
    Opcode::RSETQ,
    Opcode::RAPPENDQ,
    Opcode::RPREPENDQ,
    Opcode::RDELETEQ,
    Opcode::RINCRQ,
    Opcode::RDECRQ,
]);

const QUIET: u64 = QUIET_ON_MISS | QUIET_ON_SUCCESS;

impl Opcode {
    #[inline]
    const fn is_in(self, set: u64) -> bool {
        self.0 < 64 && (set >> self.0) & 1 == 1
    }

    /// Whether the server leaves out the answer in the usual case: a miss for the GET and GAT
    /// family ([`is_quiet_on_miss`](Self::is_quiet_on_miss)), success for the others.
    #[inline]
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        self.is_in(QUIET)
    }

    /// Whether the server is silent where the key is absent: GETQ, GETKQ, GATQ and GATKQ.
    #[inline]
    #[must_use]
    pub const fn is_quiet_on_miss(self) -> bool {
        self.is_in(QUIET_ON_MISS)
    }

    /// Whether it asks for a value: GET, GETK, GAT, GATK and their quiet forms.
    #[inline]
    #[must_use]
    pub const fn is_get_family(self) -> bool {
        const GET_FAMILY: u64 = QUIET_ON_MISS | bits([Opcode::GET, Opcode::GETK, Opcode::GAT, Opcode::GATK]);
        self.is_in(GET_FAMILY)
    }

    /// Whether it counts: INCREMENT, DECREMENT and their quiet forms.
    #[inline]
    #[must_use]
    pub const fn is_counter(self) -> bool {
        const COUNTER: u64 =
            bits([Opcode::INCREMENT, Opcode::DECREMENT, Opcode::INCREMENTQ, Opcode::DECREMENTQ]);
        self.is_in(COUNTER)
    }

    /// The quiet form; of a quiet opcode itself. `None` where the protocol has none.
    #[must_use]
    pub const fn quiet(self) -> Option<Opcode> {
        if self.is_quiet() {
            return Some(self);
        }
        Some(match self {
            Self::GET => Self::GETQ,
            Self::GETK => Self::GETKQ,
            Self::GAT => Self::GATQ,
            Self::GATK => Self::GATKQ,
            Self::SET => Self::SETQ,
            Self::ADD => Self::ADDQ,
            Self::REPLACE => Self::REPLACEQ,
            Self::DELETE => Self::DELETEQ,
            Self::INCREMENT => Self::INCREMENTQ,
            Self::DECREMENT => Self::DECREMENTQ,
            Self::QUIT => Self::QUITQ,
            Self::FLUSH => Self::FLUSHQ,
            Self::APPEND => Self::APPENDQ,
            Self::PREPEND => Self::PREPENDQ,
            Self::RSET => Self::RSETQ,
            Self::RAPPEND => Self::RAPPENDQ,
            Self::RPREPEND => Self::RPREPENDQ,
            Self::RDELETE => Self::RDELETEQ,
            Self::RINCR => Self::RINCRQ,
            Self::RDECR => Self::RDECRQ,
            _ => return None,
        })
    }

    /// The form that is always answered; an opcode that has no other is its own.
    #[must_use]
    pub const fn loud(self) -> Opcode {
        match self {
            Self::GETQ => Self::GET,
            Self::GETKQ => Self::GETK,
            Self::GATQ => Self::GAT,
            Self::GATKQ => Self::GATK,
            Self::SETQ => Self::SET,
            Self::ADDQ => Self::ADD,
            Self::REPLACEQ => Self::REPLACE,
            Self::DELETEQ => Self::DELETE,
            Self::INCREMENTQ => Self::INCREMENT,
            Self::DECREMENTQ => Self::DECREMENT,
            Self::QUITQ => Self::QUIT,
            Self::FLUSHQ => Self::FLUSH,
            Self::APPENDQ => Self::APPEND,
            Self::PREPENDQ => Self::PREPEND,
            Self::RSETQ => Self::RSET,
            Self::RAPPENDQ => Self::RAPPEND,
            Self::RPREPENDQ => Self::RPREPEND,
            Self::RDELETEQ => Self::RDELETE,
            Self::RINCRQ => Self::RINCR,
            Self::RDECRQ => Self::RDECR,
            other => other,
        }
    }
}

/// The name, or the number as in `0xf0` where it has none.
impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
