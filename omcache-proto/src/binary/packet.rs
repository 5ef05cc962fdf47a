//! A request as the binary protocol carries it, and its typed view for servers.

use bytes::BytesMut;

use super::encode::{Lengths, Out, body_len};
use super::{
    CounterExtras, FlushExtras, HEADER_LEN, Opcode, RequestHeader, StoreExtras, TouchExtras, VerbosityExtras,
};
use crate::{ConcatMode, CounterMode, DecodeError, EncodeError, Key, Request, StoreMode};

/// A request as the binary protocol carries it: any opcode, any extras.
///
/// What [`decode_request`](super::decode_request) returns, and the way to send a request that
/// [`Request`] has no form for.
///
/// ```
/// use bytes::BytesMut;
/// use omcache_proto::binary::{Opcode, RequestPacket};
///
/// let packet = RequestPacket {
///     opcode: Opcode(0xf0),
///     vbucket: 3,
///     cas: 0,
///     opaque: 9,
///     extras: b"e",
///     key: b"k",
///     value: b"",
/// };
/// let mut out = BytesMut::new();
/// packet.encode(&mut out)?;
/// assert_eq!(&out[..], b"\x80\xf0\0\x01\x01\0\0\x03\0\0\0\x02\0\0\0\x09\0\0\0\0\0\0\0\0ek");
/// # Ok::<(), omcache_proto::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPacket<'a> {
    /// The command.
    pub opcode: Opcode,
    /// The vbucket; 0 for memcached.
    pub vbucket: u16,
    /// The item's version that is meant; 0: any.
    pub cas: u64,
    /// Comes back in the response unchanged.
    pub opaque: u32,
    /// The command's fixed fields, at most 255 bytes.
    pub extras: &'a [u8],
    /// The key, at most 65535 bytes (memcached takes 250).
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl<'a> RequestPacket<'a> {
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
    pub fn header(&self) -> Result<RequestHeader, EncodeError> {
        let lengths = Lengths::of(self.extras.len(), self.key.len(), self.value.len())?;
        Ok(RequestHeader {
            opcode: self.opcode,
            key_len: lengths.key,
            extras_len: lengths.extras,
            vbucket: self.vbucket,
            body_len: lengths.body,
            opaque: self.opaque,
            cas: self.cas,
        })
    }

    /// Writes the packet to the end of `out`.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where a length does not fit its field: a key over 65535 bytes, extras over
    /// 255, a body over `u32::MAX`. Nothing is written then.
    #[inline(always)]
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        out.write(&self.header()?.encode(), self.extras, self.key, self.value)
    }

    /// Writes the packet to a slice of just its length, [`encoded_len`](Self::encoded_len).
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode), and [`EncodeError::WrongSpace`] for a slice of another length. Nothing is written
    /// then.
    #[inline(always)]
    pub fn write(&self, out: &mut [u8]) -> Result<(), EncodeError> {
        out.write(&self.header()?.encode(), self.extras, self.key, self.value)
    }

    /// The typed view, for a server.
    ///
    /// As strict as memcached about what belongs to an opcode: other extras, a key too many or too
    /// few, or a value where there is none are errors. The vbucket, and the CAS where the
    /// command has no use for it, are left out of the view.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Opcode`] for an opcode that [`Request`] has no form for (the range operations
    /// and unknown numbers), [`DecodeError::Extras`], [`DecodeError::Key`],
    /// [`DecodeError::UnexpectedKey`], [`DecodeError::UnexpectedValue`].
    pub fn to_request(&self) -> Result<Request<'a>, DecodeError> {
        let opcode = self.opcode;
        let quiet = opcode.is_quiet();
        let cas = self.cas;
        let named = Some(opcode);
        Ok(match opcode.loud() {
            Opcode::GET | Opcode::GETK => {
                self.no_extras()?;
                self.no_value()?;
                Request::Get { key: self.checked_key()?, with_key: opcode.loud() == Opcode::GETK, quiet }
            }
            Opcode::GAT | Opcode::GATK => {
                let TouchExtras { expiration } = TouchExtras::parse_of(named, self.extras)?;
                self.no_value()?;
                let with_key = opcode.loud() == Opcode::GATK;
                Request::GetAndTouch { key: self.checked_key()?, expiration, with_key, quiet }
            }
            Opcode::SET => self.store(StoreMode::Set)?,
            Opcode::ADD => self.store(StoreMode::Add)?,
            Opcode::REPLACE => self.store(StoreMode::Replace)?,
            Opcode::APPEND => self.concat(ConcatMode::Append)?,
            Opcode::PREPEND => self.concat(ConcatMode::Prepend)?,
            Opcode::INCREMENT => self.counter(CounterMode::Increment)?,
            Opcode::DECREMENT => self.counter(CounterMode::Decrement)?,
            Opcode::DELETE => {
                self.no_extras()?;
                self.no_value()?;
                Request::Delete { key: self.checked_key()?, cas, quiet }
            }
            Opcode::TOUCH => {
                let TouchExtras { expiration } = TouchExtras::parse_of(named, self.extras)?;
                self.no_value()?;
                Request::Touch { key: self.checked_key()?, expiration }
            }
            Opcode::FLUSH => {
                let FlushExtras { delay } = FlushExtras::parse_of(named, self.extras)?;
                self.no_key()?;
                self.no_value()?;
                Request::Flush { delay, quiet }
            }
            Opcode::VERBOSITY => {
                let VerbosityExtras { level } = VerbosityExtras::parse_of(named, self.extras)?;
                self.no_key()?;
                self.no_value()?;
                Request::Verbosity { level }
            }
            Opcode::NOOP => self.bare(Request::Noop)?,
            Opcode::VERSION => self.bare(Request::Version)?,
            Opcode::QUIT => self.bare(Request::Quit { quiet })?,
            Opcode::SASL_LIST_MECHS => self.bare(Request::SaslList)?,
            Opcode::STAT => {
                self.no_extras()?;
                self.no_value()?;
                Request::Stat { group: self.key }
            }
            Opcode::SASL_AUTH => {
                self.no_extras()?;
                Request::SaslAuth { mechanism: self.key, data: self.value }
            }
            Opcode::SASL_STEP => {
                self.no_extras()?;
                Request::SaslStep { mechanism: self.key, data: self.value }
            }
            _ => return Err(DecodeError::Opcode { opcode }),
        })
    }

    fn store(&self, mode: StoreMode) -> Result<Request<'a>, DecodeError> {
        let StoreExtras { flags, expiration } = StoreExtras::parse_of(Some(self.opcode), self.extras)?;
        let (key, quiet) = (self.checked_key()?, self.opcode.is_quiet());
        Ok(Request::Store { mode, key, value: self.value, flags, expiration, cas: self.cas, quiet })
    }

    fn concat(&self, mode: ConcatMode) -> Result<Request<'a>, DecodeError> {
        self.no_extras()?;
        let (key, quiet) = (self.checked_key()?, self.opcode.is_quiet());
        Ok(Request::Concat { mode, key, value: self.value, cas: self.cas, quiet })
    }

    fn counter(&self, mode: CounterMode) -> Result<Request<'a>, DecodeError> {
        let CounterExtras { delta, initial, expiration } =
            CounterExtras::parse_of(Some(self.opcode), self.extras)?;
        self.no_value()?;
        let (key, quiet) = (self.checked_key()?, self.opcode.is_quiet());
        Ok(Request::Counter { mode, key, delta, initial, expiration, cas: self.cas, quiet })
    }

    /// `request`, which has neither extras nor key nor value.
    fn bare(&self, request: Request<'a>) -> Result<Request<'a>, DecodeError> {
        self.no_extras()?;
        self.no_key()?;
        self.no_value()?;
        Ok(request)
    }

    fn checked_key(&self) -> Result<Key<'a>, DecodeError> {
        Key::new(self.key).map_err(|source| DecodeError::Key { opcode: self.opcode, source })
    }

    fn no_extras(&self) -> Result<(), DecodeError> {
        match self.extras.len() {
            0 => Ok(()),
            found => Err(DecodeError::Extras { opcode: Some(self.opcode), expected: 0, found }),
        }
    }

    fn no_key(&self) -> Result<(), DecodeError> {
        match self.key.len() {
            0 => Ok(()),
            len => Err(DecodeError::UnexpectedKey { opcode: self.opcode, len }),
        }
    }

    fn no_value(&self) -> Result<(), DecodeError> {
        match self.value.len() {
            0 => Ok(()),
            len => Err(DecodeError::UnexpectedValue { opcode: self.opcode, len }),
        }
    }
}
