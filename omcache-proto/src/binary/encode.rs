//! Packets written to a buffer: lengths checked first, then header, extras, key and value.

use bytes::BytesMut;

use super::{
    CounterExtras, FlushExtras, HEADER_LEN, Opcode, RequestHeader, StoreExtras, TouchExtras, VerbosityExtras,
};
use crate::{ConcatMode, CounterMode, EncodeError, Key, Request, StoreMode};

/// The lengths of a packet's parts, each known to fit its field of the header.
pub(super) struct Lengths {
    pub(super) extras: u8,
    pub(super) key: u16,
    pub(super) body: u32,
}

impl Lengths {
    /// Takes the lengths of the parts, in bytes.
    #[inline(always)]
    pub(super) fn of(extras: usize, key: usize, value: usize) -> Result<Self, EncodeError> {
        let body = body_len(extras, key, value);
        Ok(Self {
            extras: u8::try_from(extras).map_err(|_| EncodeError::ExtrasTooLong { len: extras })?,
            key: u16::try_from(key).map_err(|_| EncodeError::KeyTooLong { len: key })?,
            body: u32::try_from(body).map_err(|_| EncodeError::BodyTooLong { len: body })?,
        })
    }

    /// As [`Lengths::of`], with a key, which has 250 bytes at most, and extras of no more than 20.
    #[inline(always)]
    fn of_key(extras: usize, key: Key<'_>, value: &[u8]) -> Result<Self, EncodeError> {
        let body = keyed_len(extras, key, value);
        let body_too_long = |_| EncodeError::BodyTooLong { len: body };
        let body = if value.is_empty() { body as u32 } else { u32::try_from(body).map_err(body_too_long)? };
        Ok(Self { extras: extras as u8, key: key.as_bytes().len() as u16, body })
    }
}

#[inline(always)]
pub(super) const fn body_len(extras: usize, key: usize, value: usize) -> usize {
    extras.saturating_add(key).saturating_add(value)
}

/// As [`body_len`], with a key, which has 250 bytes at most: together with half of what a number of bytes can be, which is
/// the most that a slice has, that is less than all of it.
#[inline(always)]
const fn keyed_len(extras: usize, key: Key<'_>, value: &[u8]) -> usize {
    extras.wrapping_add(key.as_bytes().len()).wrapping_add(value.len())
}

/// Where a packet is written to.
pub(super) trait Out {
    /// Writes the parts one after the other. The extras are an array where their length is known: then header and
    /// extras are composed in registers.
    fn write(
        self,
        header: &[u8; HEADER_LEN],
        extras: impl AsRef<[u8]>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeError>;
}

/// Appends; the buffer grows at most once.
impl Out for &mut BytesMut {
    #[inline(always)]
    fn write(
        self,
        header: &[u8; HEADER_LEN],
        extras: impl AsRef<[u8]>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeError> {
        let extras = extras.as_ref();
        self.reserve(HEADER_LEN.saturating_add(body_len(extras.len(), key.len(), value.len())));
        self.extend_from_slice(header);
        // Appending nothing is not free.
        for part in [extras, key, value] {
            if !part.is_empty() {
                self.extend_from_slice(part);
            }
        }
        Ok(())
    }
}

/// Fills the slice, which must be as long as the packet.
impl Out for &mut [u8] {
    #[inline(always)]
    fn write(
        self,
        header: &[u8; HEADER_LEN],
        extras: impl AsRef<[u8]>,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EncodeError> {
        let extras = extras.as_ref();
        let given = self.len();
        let wrong = EncodeError::WrongSpace {
            needed: HEADER_LEN.saturating_add(body_len(extras.len(), key.len(), value.len())),
            given,
        };
        let (place, rest) = self.split_first_chunk_mut::<HEADER_LEN>().ok_or(wrong)?;
        let (extras_place, rest) = rest.split_at_mut_checked(extras.len()).ok_or(wrong)?;
        let (key_place, value_place) = rest.split_at_mut_checked(key.len()).ok_or(wrong)?;
        if value_place.len() != value.len() {
            return Err(wrong);
        }
        *place = *header;
        extras_place.copy_from_slice(extras);
        copy_key(key_place, key);
        if !value.is_empty() {
            value_place.copy_from_slice(value);
        }
        Ok(())
    }
}

/// Copies a key to a place of its length: one of a usual length in two pieces, which may overlap, without a call.
#[inline(always)]
fn copy_key(place: &mut [u8], key: &[u8]) {
    const PIECE: usize = 16;
    if let (Some(first), Some(last)) = (key.first_chunk::<PIECE>(), key.last_chunk::<PIECE>())
        && key.len() <= 2 * PIECE
        && place.len() == key.len()
    {
        if let Some(begin) = place.first_chunk_mut() {
            *begin = *first;
        }
        if let Some(end) = place.last_chunk_mut() {
            *end = *last;
        }
    } else {
        place.copy_from_slice(key);
    }
}

/// What goes into the header besides the lengths.
#[derive(Clone, Copy)]
struct Head {
    opcode: Opcode,
    cas: u64,
    opaque: u32,
}

impl Head {
    #[inline(always)]
    fn write<const N: usize>(
        self,
        extras: [u8; N],
        key: &[u8],
        value: &[u8],
        out: impl Out,
    ) -> Result<(), EncodeError> {
        self.write_parts(Lengths::of(N, key.len(), value.len())?, extras, key, value, out)
    }

    /// As [`Head::write`], where the key's length is known to fit.
    #[inline(always)]
    fn write_keyed<const N: usize>(
        self,
        extras: [u8; N],
        key: Key<'_>,
        value: &[u8],
        out: impl Out,
    ) -> Result<(), EncodeError> {
        self.write_parts(Lengths::of_key(N, key, value)?, extras, key.as_bytes(), value, out)
    }

    #[inline(always)]
    fn write_parts<const N: usize>(
        self,
        lengths: Lengths,
        extras: [u8; N],
        key: &[u8],
        value: &[u8],
        out: impl Out,
    ) -> Result<(), EncodeError> {
        let header = RequestHeader {
            opcode: self.opcode,
            key_len: lengths.key,
            extras_len: lengths.extras,
            vbucket: 0,
            body_len: lengths.body,
            opaque: self.opaque,
            cas: self.cas,
        };
        out.write(&header.encode(), extras, key, value)
    }
}

impl Request<'_> {
    /// The opcode that carries it, quiet where the request is.
    #[inline(always)]
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        match *self {
            Self::Get { with_key: false, quiet: false, .. } => Opcode::GET,
            Self::Get { with_key: false, quiet: true, .. } => Opcode::GETQ,
            Self::Get { with_key: true, quiet: false, .. } => Opcode::GETK,
            Self::Get { with_key: true, quiet: true, .. } => Opcode::GETKQ,
            Self::GetAndTouch { with_key: false, quiet: false, .. } => Opcode::GAT,
            Self::GetAndTouch { with_key: false, quiet: true, .. } => Opcode::GATQ,
            Self::GetAndTouch { with_key: true, quiet: false, .. } => Opcode::GATK,
            Self::GetAndTouch { with_key: true, quiet: true, .. } => Opcode::GATKQ,
            Self::Store { mode: StoreMode::Set, quiet: false, .. } => Opcode::SET,
            Self::Store { mode: StoreMode::Set, quiet: true, .. } => Opcode::SETQ,
            Self::Store { mode: StoreMode::Add, quiet: false, .. } => Opcode::ADD,
            Self::Store { mode: StoreMode::Add, quiet: true, .. } => Opcode::ADDQ,
            Self::Store { mode: StoreMode::Replace, quiet: false, .. } => Opcode::REPLACE,
            Self::Store { mode: StoreMode::Replace, quiet: true, .. } => Opcode::REPLACEQ,
            Self::Concat { mode: ConcatMode::Append, quiet: false, .. } => Opcode::APPEND,
            Self::Concat { mode: ConcatMode::Append, quiet: true, .. } => Opcode::APPENDQ,
            Self::Concat { mode: ConcatMode::Prepend, quiet: false, .. } => Opcode::PREPEND,
            Self::Concat { mode: ConcatMode::Prepend, quiet: true, .. } => Opcode::PREPENDQ,
            Self::Counter { mode: CounterMode::Increment, quiet: false, .. } => Opcode::INCREMENT,
            Self::Counter { mode: CounterMode::Increment, quiet: true, .. } => Opcode::INCREMENTQ,
            Self::Counter { mode: CounterMode::Decrement, quiet: false, .. } => Opcode::DECREMENT,
            Self::Counter { mode: CounterMode::Decrement, quiet: true, .. } => Opcode::DECREMENTQ,
            Self::Delete { quiet: false, .. } => Opcode::DELETE,
            Self::Delete { quiet: true, .. } => Opcode::DELETEQ,
            Self::Touch { .. } => Opcode::TOUCH,
            Self::Flush { quiet: false, .. } => Opcode::FLUSH,
            Self::Flush { quiet: true, .. } => Opcode::FLUSHQ,
            Self::Noop => Opcode::NOOP,
            Self::Version => Opcode::VERSION,
            Self::Quit { quiet: false } => Opcode::QUIT,
            Self::Quit { quiet: true } => Opcode::QUITQ,
            Self::Verbosity { .. } => Opcode::VERBOSITY,
            Self::Stat { .. } => Opcode::STAT,
            Self::SaslList => Opcode::SASL_LIST_MECHS,
            Self::SaslAuth { .. } => Opcode::SASL_AUTH,
            Self::SaslStep { .. } => Opcode::SASL_STEP,
        }
    }

    /// Length of its packet on the wire with the header, in bytes.
    #[inline(always)]
    #[must_use]
    pub const fn encoded_len_binary(&self) -> usize {
        let body = match *self {
            Self::Get { key, .. } | Self::Delete { key, .. } => keyed_len(0, key, &[]),
            Self::GetAndTouch { key, .. } | Self::Touch { key, .. } => keyed_len(4, key, &[]),
            Self::Store { key, value, .. } => keyed_len(8, key, value),
            Self::Concat { key, value, .. } => keyed_len(0, key, value),
            Self::Counter { key, .. } => keyed_len(20, key, &[]),
            Self::Flush { delay: Some(_), .. } | Self::Verbosity { .. } => 4,
            Self::Flush { delay: None, .. }
            | Self::Noop
            | Self::Version
            | Self::Quit { .. }
            | Self::SaslList => 0,
            Self::Stat { group } => group.len(),
            Self::SaslAuth { mechanism, data } | Self::SaslStep { mechanism, data } => {
                body_len(0, mechanism.len(), data.len())
            }
        };
        match *self {
            Self::SaslAuth { .. } | Self::SaslStep { .. } => HEADER_LEN.saturating_add(body),
            // A key of 250 bytes at most, or one slice and no more.
            _ => HEADER_LEN.wrapping_add(body),
        }
    }

    /// Writes its packet to the end of `out`, with vbucket 0.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where a length does not fit its field: a statistics group or a mechanism
    /// over 65535 bytes, a body over `u32::MAX`. Nothing is written then.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use omcache_proto::{Key, Request};
    ///
    /// let mut out = BytesMut::new();
    /// let request = Request::Get { key: Key::new(b"Hello")?, with_key: false, quiet: false };
    /// request.encode_binary(1, &mut out)?;
    /// assert_eq!(&out[..], b"\x80\0\0\x05\0\0\0\0\0\0\0\x05\0\0\0\x01\0\0\0\0\0\0\0\0Hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn encode_binary(&self, opaque: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            // Part of the caller's code, where the kind is often known: the usual ones, and an arm
            // each so that only that kind's code is left of it.
            Self::Get { .. } => self.encode_here(opaque, out),
            Self::Store { .. } => self.encode_here(opaque, out),
            _ => self.encode_called(opaque, out),
        }
    }

    /// Writes its packet, with vbucket 0, to a slice of just its length,
    /// [`encoded_len_binary`](Self::encoded_len_binary).
    ///
    /// # Errors
    ///
    /// As [`encode_binary`](Self::encode_binary), and [`EncodeError::WrongSpace`] for a slice of another length.
    /// Nothing is written then.
    ///
    /// ```
    /// use omcache_proto::{Key, Request};
    ///
    /// let request = Request::Get { key: Key::new(b"Hello")?, with_key: false, quiet: false };
    /// let mut out = vec![0; request.encoded_len_binary()];
    /// request.write_binary(1, &mut out)?;
    /// assert_eq!(out, b"\x80\0\0\x05\0\0\0\0\0\0\0\x05\0\0\0\x01\0\0\0\0\0\0\0\0Hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn write_binary(&self, opaque: u32, out: &mut [u8]) -> Result<(), EncodeError> {
        match self {
            Self::Get { .. } => self.encode_here(opaque, out),
            Self::Store { .. } => self.encode_here(opaque, out),
            _ => self.encode_called(opaque, out),
        }
    }

    #[inline(never)]
    fn encode_called(&self, opaque: u32, out: impl Out) -> Result<(), EncodeError> {
        self.encode_here(opaque, out)
    }

    #[inline(always)]
    fn encode_here(&self, opaque: u32, out: impl Out) -> Result<(), EncodeError> {
        let head = |cas| Head { opcode: self.opcode(), cas, opaque };
        match *self {
            Self::Get { key, .. } => head(0).write_keyed([], key, &[], out),
            Self::Store { key, value, flags, expiration, cas, .. } => {
                let extras = StoreExtras { flags, expiration }.encode();
                head(cas).write_keyed(extras, key, value, out)
            }
            Self::Delete { key, cas, .. } => head(cas).write_keyed([], key, &[], out),
            Self::GetAndTouch { key, expiration, .. } | Self::Touch { key, expiration } => {
                head(0).write_keyed(TouchExtras { expiration }.encode(), key, &[], out)
            }
            Self::Concat { key, value, cas, .. } => head(cas).write_keyed([], key, value, out),
            Self::Counter { key, delta, initial, expiration, cas, .. } => {
                let extras = CounterExtras { delta, initial, expiration }.encode();
                head(cas).write_keyed(extras, key, &[], out)
            }
            Self::Flush { delay, .. } => match (FlushExtras { delay }).encode() {
                Some(extras) => head(0).write(extras, &[], &[], out),
                None => head(0).write([], &[], &[], out),
            },
            Self::Verbosity { level } => head(0).write(VerbosityExtras { level }.encode(), &[], &[], out),
            Self::Noop | Self::Version | Self::Quit { .. } | Self::SaslList => {
                head(0).write([], &[], &[], out)
            }
            Self::Stat { group } => head(0).write([], group, &[], out),
            Self::SaslAuth { mechanism, data } | Self::SaslStep { mechanism, data } => {
                head(0).write([], mechanism, data, out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lengths;
    use crate::EncodeError;

    // Of lengths alone, for a test can't well have a body of 4 GiB.
    #[test]
    fn lengths_fit_their_fields_or_are_refused() {
        let most = u32::MAX as usize;
        let lengths = Lengths::of(255, 65535, most - 255 - 65535).expect("all fields full");
        assert_eq!((lengths.extras, lengths.key, lengths.body), (255, 65535, u32::MAX));

        assert_eq!(Lengths::of(256, 0, 0).err(), Some(EncodeError::ExtrasTooLong { len: 256 }));
        assert_eq!(Lengths::of(0, 65536, 0).err(), Some(EncodeError::KeyTooLong { len: 65536 }));
        #[cfg(target_pointer_width = "64")]
        assert_eq!(Lengths::of(8, 1, most - 8).err(), Some(EncodeError::BodyTooLong { len: most + 1 }));
        assert_eq!(Lengths::of(1, 1, usize::MAX).err(), Some(EncodeError::BodyTooLong { len: usize::MAX }));
    }
}
