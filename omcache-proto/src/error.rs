//! What can be wrong with a key, with bytes to decode and with a packet to encode.

use thiserror::Error;

use crate::Key;
use crate::binary::Opcode;

/// Why bytes are no [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has no bytes.
    #[error("the key is empty, a key has 1..={max} bytes", max = Key::MAX_LEN)]
    Empty,
    /// The key has more than [`Key::MAX_LEN`] bytes.
    #[error("the key has {len} bytes, a key has 1..={max} bytes", max = Key::MAX_LEN)]
    TooLong {
        /// The length given, in bytes.
        len: usize,
    },
}

/// Why bytes from the wire are no packet.
///
/// The first four leave the stream without a known next packet: close the connection. The others
/// come from the typed views
/// ([`RequestPacket::to_request`](crate::binary::RequestPacket::to_request) and the extras) of a
/// packet whose end is known, so a server can answer it with
/// [`Status::INVALID_ARGUMENTS`](crate::binary::Status::INVALID_ARGUMENTS) and go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first byte is not the magic of this direction.
    #[error("the magic byte is {found:#04x}, expected {expected:#04x}")]
    Magic {
        /// The magic of the direction that is being decoded.
        expected: u8,
        /// The byte that was there.
        found: u8,
    },
    /// The data type is not 0 (raw bytes), the only one that the protocol defines.
    #[error("the data type is {found:#04x}, expected 0x00")]
    DataType {
        /// The data type that was there.
        found: u8,
    },
    /// The body is too short for the extras and the key that should be in it.
    #[error(
        "extras of {extras_len} bytes and a key of {key_len} bytes do not fit into a body of {body_len} bytes"
    )]
    Lengths {
        /// Length of the key, in bytes.
        key_len: u16,
        /// Length of the extras, in bytes.
        extras_len: u8,
        /// Length of the body (extras, key and value together), in bytes.
        body_len: u32,
    },
    /// The body is longer than the caller allows.
    #[error("the body of the packet with opaque {opaque:#010x} has {body_len} bytes, the limit is {limit}")]
    BodyTooLarge {
        /// Length of the body, in bytes.
        body_len: u32,
        /// The caller's limit, in bytes.
        limit: usize,
        /// The opaque of the packet, so that its request can be told.
        opaque: u32,
    },
    /// The extras do not have the length that the opcode asks for.
    #[error("the extras{of} have {found} bytes, expected {expected}", of = Of(*opcode))]
    Extras {
        /// The opcode of the packet, where it is known.
        opcode: Option<Opcode>,
        /// The length that the opcode asks for, in bytes.
        expected: usize,
        /// The length that was there, in bytes.
        found: usize,
    },
    /// The opcode has no form as a typed [`Request`](crate::Request).
    #[error("the opcode {opcode:?} has no typed request")]
    Opcode {
        /// The opcode that was there.
        opcode: Opcode,
    },
    /// The opcode needs a key, and this is none.
    #[error("{opcode:?} needs a key")]
    Key {
        /// The opcode of the packet.
        opcode: Opcode,
        /// What is wrong with the key.
        source: KeyError,
    },
    /// There is a key where the opcode takes none.
    #[error("{opcode:?} takes no key, the key has {len} bytes")]
    UnexpectedKey {
        /// The opcode of the packet.
        opcode: Opcode,
        /// Length of the key, in bytes.
        len: usize,
    },
    /// There is a value where the opcode takes none.
    #[error("{opcode:?} takes no value, the value has {len} bytes")]
    UnexpectedValue {
        /// The opcode of the packet.
        opcode: Opcode,
        /// Length of the value, in bytes.
        len: usize,
    },
}

/// Writes " of SET" for a known opcode and nothing otherwise.
struct Of(Option<Opcode>);

impl core::fmt::Display for Of {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(opcode) => write!(f, " of {opcode:?}"),
            None => Ok(()),
        }
    }
}

/// Why a packet can't be written: a part does not fit the header's field for its length, or the packet not the space
/// that was given for it.
///
/// Nothing has been written where this is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The key is longer than the header's 16 bits can tell.
    #[error("the key has {len} bytes, a packet holds at most {max}", max = u16::MAX)]
    KeyTooLong {
        /// Length of the key, in bytes.
        len: usize,
    },
    /// The extras are longer than the header's 8 bits can tell.
    #[error("the extras have {len} bytes, a packet holds at most {max}", max = u8::MAX)]
    ExtrasTooLong {
        /// Length of the extras, in bytes.
        len: usize,
    },
    /// Extras, key and value together are longer than the header's 32 bits can tell.
    #[error("the body has {len} bytes, a packet holds at most {max}", max = u32::MAX)]
    BodyTooLong {
        /// Length of the body, in bytes.
        len: usize,
    },
    /// The space for the packet has another length than the packet.
    #[error("the packet has {needed} bytes, the space for it has {given}")]
    WrongSpace {
        /// Length of the packet, in bytes.
        needed: usize,
        /// Length of the space, in bytes.
        given: usize,
    },
}
