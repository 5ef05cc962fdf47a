//! A value that was asked for, by the shortest way from received bytes.

use super::{HEADER_LEN, MAGIC_RESPONSE, Opcode};

/// What a response tells where it has the value that was asked for: a success of the GET and GAT family.
///
/// ```
/// use bytes::BytesMut;
/// use omcache_proto::binary::{Found, Opcode, ResponsePacket, Status};
///
/// let mut received = BytesMut::new();
/// let (opcode, status) = (Opcode::GETKQ, Status::SUCCESS);
/// let packet = ResponsePacket { opcode, status, cas: 1, opaque: 7, extras: &[0, 0, 0, 5], key: b"k", value: b"v" };
/// packet.encode(&mut received)?;
///
/// let found = Found { flags: 5, cas: 1, key: b"k", value: b"v" };
/// assert_eq!(Found::decode(&received, Opcode::GETKQ, 7, 1024), Some((found, &[][..])));
/// assert_eq!(Found::decode(&received, Opcode::GETKQ, 8, 1024), None);
/// # Ok::<(), omcache_proto::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The item's flags.
    pub flags: u32,
    /// The item's version.
    pub cas: u64,
    /// The key where it was asked for.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// All of the header's first eight bytes but the key's length.
const FIXED: u64 = 0xffff_0000_ffff_ffff;
/// What those are in a success with flags, but for the opcode.
const SUCCESS: u64 = (MAGIC_RESPONSE as u64) << 56 | (FLAGS_LEN as u64) << 24;
const FLAGS_LEN: usize = 4;

impl<'a> Found<'a> {
    /// Decodes the response at the front of `input`, with what is behind it, where all of it is there and it is the
    /// value that the request with this opcode and opaque asked for. `max_body` is as with
    /// [`decode_response`](super::decode_response), which tells what is the matter where this has nothing.
    #[inline(always)]
    #[must_use]
    pub fn decode(input: &'a [u8], opcode: Opcode, opaque: u32, max_body: usize) -> Option<(Self, &'a [u8])> {
        let (header, rest) = input.split_first_chunk::<HEADER_LEN>()?;
        let [first, second, cas] = words(header);
        let expected = SUCCESS | u64::from(opcode.0) << 48;
        // The lower half is the opaque, and the upper one the length of the body.
        if first & FIXED != expected || second as u32 != opaque || !opcode.is_get_family() {
            return None;
        }
        let (key_len, body_len) = ((first >> 32) as u16, usize::try_from(second >> 32).ok()?);
        if body_len > max_body {
            return None;
        }
        let (body, behind) = rest.split_at_checked(body_len)?;
        let (flags, body) = body.split_first_chunk::<FLAGS_LEN>()?;
        let (key, value) = body.split_at_checked(usize::from(key_len))?;
        Some((Self { flags: u32::from_be_bytes(*flags), cas, key, value }, behind))
    }
}

#[inline(always)]
fn words(header: &[u8; HEADER_LEN]) -> [u64; 3] {
    let word =
        |at: usize| header.as_chunks::<8>().0.get(at).copied().map(u64::from_be_bytes).unwrap_or_default();
    [word(0), word(1), word(2)]
}
