//! What a client asks for, independent of how it is written on the wire.

use crate::Key;

/// How [`Request::Store`] treats an item that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreMode {
    /// Store in any case.
    Set,
    /// Store only where the key is absent.
    Add,
    /// Store only where the key is present.
    Replace,
}

/// The side of the present value to which [`Request::Concat`] adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConcatMode {
    /// Behind the present value.
    Append,
    /// Before the present value.
    Prepend,
}

/// The direction of [`Request::Counter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterMode {
    /// Adds; wraps around at 2⁶⁴.
    Increment,
    /// Subtracts; stops at 0.
    Decrement,
}

/// What a client asks for, independent of the encoding.
///
/// Everywhere:
///
/// - `expiration` and `delay` are seconds. To memcached up to 30 days (2 592 000) they are relative
///   to now and above that an absolute Unix time; 0 means "never" for an expiration and "now" for a
///   delay.
/// - `cas`: the unique number of the item's version as an earlier response told it. The server
///   refuses with `KEY_EXISTS` where the item has another one by now. 0 is: any version.
/// - `quiet`: the server does not answer in the usual case. For [`Get`](Self::Get) and
///   [`GetAndTouch`](Self::GetAndTouch) that is the absent key, for the others success.
/// - `flags`: 32 bits that the server stores beside the value and does not look at.
///
/// [`encode_binary`](Self::encode_binary) writes it, and a server reads it with
/// [`RequestPacket::to_request`](crate::binary::RequestPacket::to_request).
///
/// ```
/// use omcache_proto::{Key, Request, binary::Opcode};
///
/// let request = Request::Get { key: Key::new(b"a")?, with_key: true, quiet: true };
/// assert_eq!(request.opcode(), Opcode::GETKQ);
/// assert_eq!(request.key(), Some(Key::new(b"a")?));
/// assert!(request.is_quiet());
/// # Ok::<(), omcache_proto::KeyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Ask for a value.
    Get {
        /// The item's key.
        key: Key<'a>,
        /// Whether the response carries the key.
        with_key: bool,
        /// No answer where the key is absent.
        quiet: bool,
    },
    /// Ask for a value and set the item's expiration (GAT).
    GetAndTouch {
        /// The item's key.
        key: Key<'a>,
        /// New expiration, in seconds.
        expiration: u32,
        /// Whether the response carries the key.
        with_key: bool,
        /// No answer where the key is absent.
        quiet: bool,
    },
    /// Store a value.
    Store {
        /// What to do where the key is present or absent.
        mode: StoreMode,
        /// The item's key.
        key: Key<'a>,
        /// The bytes to store; may be empty. memcached takes 1 MiB with its default settings.
        value: &'a [u8],
        /// Stored beside the value.
        flags: u32,
        /// Expiration, in seconds.
        expiration: u32,
        /// Store only over this version; 0: any.
        cas: u64,
        /// No answer on success.
        quiet: bool,
    },
    /// Add to the value of a present item; its flags and expiration stay.
    Concat {
        /// The side to add to.
        mode: ConcatMode,
        /// The item's key.
        key: Key<'a>,
        /// The bytes to add.
        value: &'a [u8],
        /// Add only to this version; 0: any.
        cas: u64,
        /// No answer on success.
        quiet: bool,
    },
    /// Count up or down. The stored value is the number in decimal ASCII, the response carries it
    /// as 64 bits.
    Counter {
        /// Up or down.
        mode: CounterMode,
        /// The item's key.
        key: Key<'a>,
        /// How far.
        delta: u64,
        /// The value that an absent item is created with.
        initial: u64,
        /// Expiration of an item that is created, in seconds. `0xffff_ffff`: create none, answer
        /// `KEY_NOT_FOUND`.
        expiration: u32,
        /// Count only in this version; 0: any.
        cas: u64,
        /// No answer on success.
        quiet: bool,
    },
    /// Remove an item.
    Delete {
        /// The item's key.
        key: Key<'a>,
        /// Remove only this version; 0: any.
        cas: u64,
        /// No answer on success.
        quiet: bool,
    },
    /// Set the expiration of an item.
    Touch {
        /// The item's key.
        key: Key<'a>,
        /// New expiration, in seconds.
        expiration: u32,
    },
    /// Invalidate every item of the server.
    Flush {
        /// When, in seconds; `None` writes no extras and means now.
        delay: Option<u32>,
        /// No answer on success.
        quiet: bool,
    },
    /// Nothing but an answer: what was sent before it has been handled when it comes.
    Noop,
    /// Ask for the server's version, text in the value of the response.
    Version,
    /// Ask the server to close the connection.
    Quit {
        /// No answer before closing.
        quiet: bool,
    },
    /// Set how much the server logs.
    Verbosity {
        /// The level; 0 is the least.
        level: u32,
    },
    /// Ask for statistics: a response each with the name as key, and one with an empty key at the
    /// end.
    Stat {
        /// The group, as in `items` or `settings`; empty: the general ones.
        group: &'a [u8],
    },
    /// Ask for the names of the SASL mechanisms, separated by spaces in the value of the response.
    SaslList,
    /// Begin SASL authentication.
    SaslAuth {
        /// The mechanism's name.
        mechanism: &'a [u8],
        /// The mechanism's initial data.
        data: &'a [u8],
    },
    /// Go on with SASL authentication after `AUTH_CONTINUE`.
    SaslStep {
        /// The mechanism's name.
        mechanism: &'a [u8],
        /// The mechanism's data for this step.
        data: &'a [u8],
    },
}

impl<'a> Request<'a> {
    /// The item's key, `None` for a request that concerns no item.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> Option<Key<'a>> {
        match *self {
            Self::Get { key, .. }
            | Self::GetAndTouch { key, .. }
            | Self::Store { key, .. }
            | Self::Concat { key, .. }
            | Self::Counter { key, .. }
            | Self::Delete { key, .. }
            | Self::Touch { key, .. } => Some(key),
            Self::Flush { .. }
            | Self::Noop
            | Self::Version
            | Self::Quit { .. }
            | Self::Verbosity { .. }
            | Self::Stat { .. }
            | Self::SaslList
            | Self::SaslAuth { .. }
            | Self::SaslStep { .. } => None,
        }
    }

    /// Whether the server leaves out the answer in the usual case.
    #[inline]
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        match *self {
            Self::Get { quiet, .. }
            | Self::GetAndTouch { quiet, .. }
            | Self::Store { quiet, .. }
            | Self::Concat { quiet, .. }
            | Self::Counter { quiet, .. }
            | Self::Delete { quiet, .. }
            | Self::Flush { quiet, .. }
            | Self::Quit { quiet } => quiet,
            Self::Touch { .. }
            | Self::Noop
            | Self::Version
            | Self::Verbosity { .. }
            | Self::Stat { .. }
            | Self::SaslList
            | Self::SaslAuth { .. }
            | Self::SaslStep { .. } => false,
        }
    }
}
