//! A response as the binary protocol carries it, and what its opcode says of it.

use bytes::BytesMut;

use super::encode::{Lengths, Out, body_len};
use super::{GetResponseExtras, HEADER_LEN, Opcode, ResponseHeader, Status};
use crate::EncodeError;

/// A response as the binary protocol carries it.
///
/// The value of an unsuccessful response is, if anything, a text for people.
///
/// ```
/// use bytes::BytesMut;
/// use omcache_proto::binary::{Decoded, Opcode, ResponsePacket, Status, decode_response};
///
/// let packet = ResponsePacket {
///     opcode: Opcode::GET,
///     status: Status::SUCCESS,
///     cas: 1,
///     opaque: 7,
///     extras: &[0, 0, 0, 5],
///     key: b"",
///     value: b"v",
/// };
/// assert_eq!(packet.flags(), Some(5));
///
/// let mut buffer = BytesMut::new();
/// packet.encode(&mut buffer)?;
/// let decoded = decode_response(&buffer, 1024);
/// assert_eq!(decoded, Ok(Decoded::Complete { message: packet, consumed: 29 }));
/// # Ok::<(), omcache_proto::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponsePacket<'a> {
    /// The command that is answered.
    pub opcode: Opcode,
    /// What came of the request.
    pub status: Status,
    /// The item's version; 0 where there is none to tell.
    pub cas: u64,
    /// The opaque of the request.
    pub opaque: u32,
    /// The response's fixed fields, at most 255 bytes.
    pub extras: &'a [u8],
    /// The key where it was asked for, or the name of a statistic; at most 65535 bytes.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl ResponsePacket<'_> {
    /// The flags of the item: what the GET and GAT family has as its 4 bytes of extras. `None` for
    /// other opcodes and other lengths.
    ///
    /// (memcached sends flags with a successful TOUCH as well, though TOUCH asks for no value; they
    /// are in `extras`.)
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Option<u32> {
        if !self.opcode.is_get_family() {
            return None;
        }
        GetResponseExtras::parse(self.extras).ok().map(|extras| extras.flags)
    }

    /// The number of a successful (quiet) INCREMENT or DECREMENT, whose value is 8 bytes. `None`
    /// for other opcodes, statuses and lengths.
    #[inline]
    #[must_use]
    pub fn counter(&self) -> Option<u64> {
        if !(self.opcode.is_counter() && self.status.is_success()) {
            return None;
        }
        self.value.try_into().ok().map(u64::from_be_bytes)
    }

    /// Whether it is the last of the responses to a STAT: one with an empty key, or one that is no
    /// success.
    #[inline]
    #[must_use]
    pub fn ends_stat(&self) -> bool {
        self.opcode == Opcode::STAT && (self.key.is_empty() || !self.status.is_success())
    }

    /// Length on the wire with the header, in bytes.
    #[inline]
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(body_len(self.extras.len(), self.key.len(), self.value.len()))
    }

    /// The header that goes before the body.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    #[inline]
    pub fn header(&self) -> Result<ResponseHeader, EncodeError> {
        let lengths = Lengths::of(self.extras.len(), self.key.len(), self.value.len())?;
        Ok(ResponseHeader {
            opcode: self.opcode,
            key_len: lengths.key,
            extras_len: lengths.extras,
            status: self.status,
            body_len: lengths.body,
            opaque: self.opaque,
            cas: self.cas,
        })
    }

    /// Writes the packet to the end of `out`, for a server or a proxy.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where a length does not fit its field: a key over 65535 bytes, extras over
    /// 255, a body over `u32::MAX`. Nothing is written then.
    #[inline]
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.write(&self.header()?.encode(), self.extras, self.key, self.value)
    }
}
