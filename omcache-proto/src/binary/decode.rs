//! Packets out of a buffer of received bytes, borrowed from it.

use super::{HEADER_LEN, RequestHeader, RequestPacket, ResponseHeader, ResponsePacket};
use crate::DecodeError;

/// What the bytes at the front of a buffer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<T> {
    /// There is all of it.
    Complete {
        /// What was decoded.
        message: T,
        /// How many bytes of the buffer it took.
        consumed: usize,
    },
    /// More bytes are needed.
    Incomplete {
        /// How many more, in bytes, at least 1: up to the end of the header while that is not
        /// complete, then up to the end of the packet.
        needed: usize,
    },
}

/// Extras, key and value.
type Body<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// The lengths that a header tells, and the opaque for the error.
struct Lengths {
    key_len: u16,
    extras_len: u8,
    body_len: u32,
    packet_len: usize,
    opaque: u32,
}

#[inline(always)]
fn split_body<'a>(
    input: &'a [u8],
    lengths: &Lengths,
    max_body: usize,
) -> Result<Decoded<Body<'a>>, DecodeError> {
    let &Lengths { key_len, extras_len, body_len, packet_len, opaque } = lengths;
    if packet_len - HEADER_LEN > max_body {
        return Err(DecodeError::BodyTooLarge { body_len, limit: max_body, opaque });
    }
    let Some(body) = input.get(HEADER_LEN..packet_len) else {
        return Ok(Decoded::Incomplete { needed: packet_len.saturating_sub(input.len()).max(1) });
    };
    body.split_at_checked(usize::from(extras_len))
        .and_then(|(extras, rest)| {
            let (key, value) = rest.split_at_checked(usize::from(key_len))?;
            Some(Decoded::Complete { message: (extras, key, value), consumed: packet_len })
        })
        .ok_or(DecodeError::Lengths { key_len, extras_len, body_len })
}

/// Decodes the request at the front of `input`, for a server or a proxy.
///
/// Never blocks and copies nothing: the packet borrows from `input`. `max_body` is the longest body
/// (extras, key and value together, in bytes) that is taken; a longer one is refused as soon as its
/// header is there.
///
/// # Errors
///
/// As [`RequestHeader::parse`], and [`DecodeError::BodyTooLarge`]. After an error the stream has no
/// known next packet.
///
/// ```
/// use bytes::BytesMut;
/// use omcache_proto::{Key, Request, binary::{Decoded, decode_request}};
///
/// let request = Request::Touch { key: Key::new(b"a")?, expiration: 60 };
/// let mut buffer = BytesMut::new();
/// request.encode_binary(7, &mut buffer)?;
///
/// let Decoded::Complete { message, consumed } = decode_request(&buffer, 1024)? else {
///     unreachable!("the whole packet is there");
/// };
/// assert_eq!(message.opaque, 7);
/// assert_eq!(message.to_request()?, request);
/// assert_eq!(consumed, buffer.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn decode_request(input: &[u8], max_body: usize) -> Result<Decoded<RequestPacket<'_>>, DecodeError> {
    let header = match RequestHeader::parse(input)? {
        Decoded::Complete { message, .. } => message,
        Decoded::Incomplete { needed } => return Ok(Decoded::Incomplete { needed }),
    };
    let lengths = Lengths {
        key_len: header.key_len,
        extras_len: header.extras_len,
        body_len: header.body_len,
        packet_len: header.packet_len(),
        opaque: header.opaque,
    };
    Ok(match split_body(input, &lengths, max_body)? {
        Decoded::Complete { message: (extras, key, value), consumed } => Decoded::Complete {
            message: RequestPacket {
                opcode: header.opcode,
                vbucket: header.vbucket,
                cas: header.cas,
                opaque: header.opaque,
                extras,
                key,
                value,
            },
            consumed,
        },
        Decoded::Incomplete { needed } => Decoded::Incomplete { needed },
    })
}

/// Decodes the response at the front of `input`, for a client or a proxy.
///
/// Never blocks and copies nothing: the packet borrows from `input`. `max_body` is the longest body
/// (extras, key and value together, in bytes) that is taken; a longer one is refused as soon as its
/// header is there.
///
/// # Errors
///
/// As [`ResponseHeader::parse`], and [`DecodeError::BodyTooLarge`]. After an error the stream has
/// no known next packet.
///
/// ```
/// use omcache_proto::binary::{Decoded, Status, decode_response};
///
/// let received = b"\x81\x01\0\0\0\0\0\x03\0\0\0\x09\0\0\0\x07\0\0\0\0\0\0\0\0Too large";
/// assert_eq!(decode_response(&received[..30], 1024)?, Decoded::Incomplete { needed: 3 });
/// if let Decoded::Complete { message, .. } = decode_response(received, 1024)? {
///     assert_eq!(message.status, Status::VALUE_TOO_LARGE);
///     assert_eq!(message.value, b"Too large");
/// }
/// # Ok::<(), omcache_proto::DecodeError>(())
/// ```
#[inline(always)]
pub fn decode_response(input: &[u8], max_body: usize) -> Result<Decoded<ResponsePacket<'_>>, DecodeError> {
    let header = match ResponseHeader::parse(input)? {
        Decoded::Complete { message, .. } => message,
        Decoded::Incomplete { needed } => return Ok(Decoded::Incomplete { needed }),
    };
    let lengths = Lengths {
        key_len: header.key_len,
        extras_len: header.extras_len,
        body_len: header.body_len,
        packet_len: header.packet_len(),
        opaque: header.opaque,
    };
    Ok(match split_body(input, &lengths, max_body)? {
        Decoded::Complete { message: (extras, key, value), consumed } => Decoded::Complete {
            message: ResponsePacket {
                opcode: header.opcode,
                status: header.status,
                cas: header.cas,
                opaque: header.opaque,
                extras,
                key,
                value,
            },
            consumed,
        },
        Decoded::Incomplete { needed } => Decoded::Incomplete { needed },
    })
}
