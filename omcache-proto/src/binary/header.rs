//! The 24-byte header that begins every packet, in both directions.

use nom::{IResult, Needed, Parser};

use super::{Decoded, Opcode, Status};
use crate::DecodeError;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 24;

/// First byte of a request.
pub const MAGIC_REQUEST: u8 = 0x80;

/// First byte of a response.
pub const MAGIC_RESPONSE: u8 = 0x81;

/// The data type of every packet: raw bytes.
const RAW_BYTES: u8 = 0;

/// The header of a request. All numbers are big-endian on the wire.
///
/// ```
/// use omcache_proto::binary::{Decoded, Opcode, RequestHeader};
///
/// let header = RequestHeader {
///     opcode: Opcode::GET,
///     key_len: 5,
///     extras_len: 0,
///     vbucket: 0,
///     body_len: 5,
///     opaque: 1,
///     cas: 0,
/// };
/// let bytes = header.encode();
/// assert_eq!(bytes[..16], [0x80, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1]);
/// let parsed = RequestHeader::parse(&bytes);
/// assert_eq!(parsed, Ok(Decoded::Complete { message: header, consumed: 24 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestHeader {
    /// The command.
    pub opcode: Opcode,
    /// Length of the key, in bytes.
    pub key_len: u16,
    /// Length of the extras, in bytes.
    pub extras_len: u8,
    /// The vbucket; 0 for memcached.
    pub vbucket: u16,
    /// Length of the body (extras, key and value together), in bytes.
    pub body_len: u32,
    /// Comes back in the response unchanged.
    pub opaque: u32,
    /// The item's version that is meant; 0: any.
    pub cas: u64,
}

/// The header of a response. All numbers are big-endian on the wire.
///
/// ```
/// use omcache_proto::binary::{Decoded, ResponseHeader};
///
/// assert_eq!(ResponseHeader::parse(&[0x81; 20]), Ok(Decoded::Incomplete { needed: 4 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponseHeader {
    /// The command that is answered.
    pub opcode: Opcode,
    /// Length of the key, in bytes.
    pub key_len: u16,
    /// Length of the extras, in bytes.
    pub extras_len: u8,
    /// What came of the request.
    pub status: Status,
    /// Length of the body (extras, key and value together), in bytes.
    pub body_len: u32,
    /// The opaque of the request.
    pub opaque: u32,
    /// The item's version; 0 where there is none to tell.
    pub cas: u64,
}

/// The header's fields in the order of the wire; `special` is the vbucket or the status.
struct Fields {
    magic: u8,
    opcode: u8,
    key_len: u16,
    extras_len: u8,
    data_type: u8,
    special: u16,
    body_len: u32,
    opaque: u32,
    cas: u64,
}

/// Takes `N` bytes off the front: one length check, and a load where the length is known.
#[inline(always)]
fn chunk<const N: usize>(input: &[u8]) -> IResult<&[u8], [u8; N], ()> {
    match input.split_first_chunk::<N>() {
        Some((chunk, rest)) => Ok((rest, *chunk)),
        None => Err(nom::Err::Incomplete(Needed::new(N - input.len()))),
    }
}

#[inline(always)]
fn fields(input: &[u8]) -> IResult<&[u8], Fields, ()> {
    (
        chunk::<1>.map(u8::from_be_bytes),
        chunk::<1>.map(u8::from_be_bytes),
        chunk::<2>.map(u16::from_be_bytes),
        chunk::<1>.map(u8::from_be_bytes),
        chunk::<1>.map(u8::from_be_bytes),
        chunk::<2>.map(u16::from_be_bytes),
        chunk::<4>.map(u32::from_be_bytes),
        chunk::<4>.map(u32::from_be_bytes),
        chunk::<8>.map(u64::from_be_bytes),
    )
        .map(|(magic, opcode, key_len, extras_len, data_type, special, body_len, opaque, cas)| Fields {
            magic,
            opcode,
            key_len,
            extras_len,
            data_type,
            special,
            body_len,
            opaque,
            cas,
        })
        .parse(input)
}

/// The header's fields, checked against `magic` and each other.
#[inline(always)]
fn parse(input: &[u8], magic: u8) -> Result<Decoded<Fields>, DecodeError> {
    // Over a slice of known length, the checks of the nine parsers fold away.
    let Some(header) = input.first_chunk::<HEADER_LEN>() else {
        return incomplete(input, magic);
    };
    let Ok((_, fields)) = fields(header) else {
        return incomplete(input, magic);
    };
    if fields.magic != magic {
        return Err(DecodeError::Magic { expected: magic, found: fields.magic });
    }
    if fields.data_type != RAW_BYTES {
        return Err(DecodeError::DataType { found: fields.data_type });
    }
    if u32::from(fields.extras_len) + u32::from(fields.key_len) > fields.body_len {
        return Err(DecodeError::Lengths {
            key_len: fields.key_len,
            extras_len: fields.extras_len,
            body_len: fields.body_len,
        });
    }
    Ok(Decoded::Complete { message: fields, consumed: HEADER_LEN })
}

/// What to say of a part of a header: a wrong magic is told from the first byte, for a peer that
/// speaks another protocol may never send 24 bytes.
#[cold]
fn incomplete(input: &[u8], magic: u8) -> Result<Decoded<Fields>, DecodeError> {
    match input.first() {
        Some(&found) if found != magic => Err(DecodeError::Magic { expected: magic, found }),
        _ => Ok(Decoded::Incomplete { needed: HEADER_LEN.saturating_sub(input.len()).max(1) }),
    }
}

/// Composes the header out of 64-bit words, so that it is stored with three wide writes.
#[inline(always)]
fn encode(fields: &Fields) -> [u8; HEADER_LEN] {
    let first = u64::from(fields.magic) << 56
        | u64::from(fields.opcode) << 48
        | u64::from(fields.key_len) << 32
        | u64::from(fields.extras_len) << 24
        | u64::from(fields.data_type) << 16
        | u64::from(fields.special);
    let second = u64::from(fields.body_len) << 32 | u64::from(fields.opaque);
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(&first.to_be_bytes());
    header[8..16].copy_from_slice(&second.to_be_bytes());
    header[16..].copy_from_slice(&fields.cas.to_be_bytes());
    header
}

/// A length from the wire as `usize`; where that is narrower, a length that can't be had in memory.
#[inline]
fn in_memory(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

macro_rules! header {
    ($header:ident, $magic:ident, $special:ident: $wrap:expr, $unwrap:expr) => {
        impl $header {
            /// Reads the header at the front of `input`.
            ///
            /// Needs [`HEADER_LEN`] bytes, and says how many more where there are fewer. A wrong
            /// magic is told from the first byte on. `consumed` is [`HEADER_LEN`]; the body is
            /// not looked at.
            ///
            /// # Errors
            ///
            /// [`DecodeError::Magic`], [`DecodeError::DataType`], and [`DecodeError::Lengths`]
            /// where the extras and the key are longer than the body.
            #[inline(always)]
            pub fn parse(input: &[u8]) -> Result<Decoded<Self>, DecodeError> {
                Ok(match parse(input, $magic)? {
                    Decoded::Incomplete { needed } => Decoded::Incomplete { needed },
                    Decoded::Complete { message: fields, consumed } => Decoded::Complete {
                        message: Self {
                            opcode: Opcode(fields.opcode),
                            key_len: fields.key_len,
                            extras_len: fields.extras_len,
                            $special: $wrap(fields.special),
                            body_len: fields.body_len,
                            opaque: fields.opaque,
                            cas: fields.cas,
                        },
                        consumed,
                    },
                })
            }

            /// The header as it goes on the wire. The lengths are written as they are,
            /// contradicting or not.
            #[inline]
            #[must_use]
            pub fn encode(&self) -> [u8; HEADER_LEN] {
                encode(&Fields {
                    magic: $magic,
                    opcode: self.opcode.0,
                    key_len: self.key_len,
                    extras_len: self.extras_len,
                    data_type: RAW_BYTES,
                    special: $unwrap(self.$special),
                    body_len: self.body_len,
                    opaque: self.opaque,
                    cas: self.cas,
                })
            }

            /// Length of the value, in bytes: what is left of the body behind the extras and the
            /// key; 0 where they contradict the body's length.
            #[inline]
            #[must_use]
            pub fn value_len(&self) -> usize {
                in_memory(self.body_len.saturating_sub(u32::from(self.extras_len) + u32::from(self.key_len)))
            }

            /// Length of the packet with its header, in bytes.
            #[inline]
            #[must_use]
            pub fn packet_len(&self) -> usize {
                in_memory(self.body_len).saturating_add(HEADER_LEN)
            }
        }
    };
}

header!(RequestHeader, MAGIC_REQUEST, vbucket: core::convert::identity, core::convert::identity);
header!(ResponseHeader, MAGIC_RESPONSE, status: Status, |status: Status| status.0);
