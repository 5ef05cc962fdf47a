//! The extras of each command as types: the fixed fields between the header and the key.

use super::Opcode;
use crate::DecodeError;

/// The extras of SET, ADD and REPLACE: 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreExtras {
    /// Stored beside the value, not looked at by the server.
    pub flags: u32,
    /// Expiration, in seconds; see [`Request`](crate::Request).
    pub expiration: u32,
}

/// The extras of INCREMENT and DECREMENT: 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CounterExtras {
    /// How far to count.
    pub delta: u64,
    /// The value that an absent item is created with.
    pub initial: u64,
    /// Expiration of an item that is created, in seconds; `0xffff_ffff`: create none.
    pub expiration: u32,
}

/// The extras of TOUCH and the GAT family: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TouchExtras {
    /// New expiration, in seconds.
    pub expiration: u32,
}

/// The extras of FLUSH: none, or 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlushExtras {
    /// When, in seconds; `None` is written as no extras.
    pub delay: Option<u32>,
}

/// The extras of VERBOSITY: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerbosityExtras {
    /// How much to log; 0 is the least.
    pub level: u32,
}

/// The extras of a response to the GET and GAT family: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetResponseExtras {
    /// What was stored beside the value.
    pub flags: u32,
}

/// `extras` as an array of the length that is expected.
#[inline]
fn exactly<const N: usize>(opcode: Option<Opcode>, extras: &[u8]) -> Result<&[u8; N], DecodeError> {
    <&[u8; N]>::try_from(extras).map_err(|_| DecodeError::Extras { opcode, expected: N, found: extras.len() })
}

impl StoreExtras {
    /// Reads the 8 bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Extras`] for any other length.
    #[inline]
    pub fn parse(extras: &[u8]) -> Result<Self, DecodeError> {
        Self::parse_of(None, extras)
    }

    pub(super) fn parse_of(opcode: Option<Opcode>, extras: &[u8]) -> Result<Self, DecodeError> {
        let &[f0, f1, f2, f3, e0, e1, e2, e3] = exactly(opcode, extras)?;
        Ok(Self {
            flags: u32::from_be_bytes([f0, f1, f2, f3]),
            expiration: u32::from_be_bytes([e0, e1, e2, e3]),
        })
    }

    /// The 8 bytes as they go on the wire.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; 8] {
        (u64::from(self.flags) << 32 | u64::from(self.expiration)).to_be_bytes()
    }
}

impl CounterExtras {
    /// Reads the 20 bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Extras`] for any other length.
    #[inline]
    pub fn parse(extras: &[u8]) -> Result<Self, DecodeError> {
        Self::parse_of(None, extras)
    }

    pub(super) fn parse_of(opcode: Option<Opcode>, extras: &[u8]) -> Result<Self, DecodeError> {
        let &[d0, d1, d2, d3, d4, d5, d6, d7, i0, i1, i2, i3, i4, i5, i6, i7, e0, e1, e2, e3] =
            exactly(opcode, extras)?;
        Ok(Self {
            delta: u64::from_be_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            initial: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            expiration: u32::from_be_bytes([e0, e1, e2, e3]),
        })
    }

    /// The 20 bytes as they go on the wire.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; 20] {
        let mut extras = [0; 20];
        extras[..8].copy_from_slice(&self.delta.to_be_bytes());
        extras[8..16].copy_from_slice(&self.initial.to_be_bytes());
        extras[16..].copy_from_slice(&self.expiration.to_be_bytes());
        extras
    }
}

impl FlushExtras {
    /// Reads no bytes, or 4.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Extras`] for any other length.
    #[inline]
    pub fn parse(extras: &[u8]) -> Result<Self, DecodeError> {
        Self::parse_of(None, extras)
    }

    pub(super) fn parse_of(opcode: Option<Opcode>, extras: &[u8]) -> Result<Self, DecodeError> {
        if extras.is_empty() {
            return Ok(Self { delay: None });
        }
        Ok(Self { delay: Some(u32::from_be_bytes(*exactly(opcode, extras)?)) })
    }

    /// The 4 bytes as they go on the wire; `None`: there are no extras.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> Option<[u8; 4]> {
        self.delay.map(u32::to_be_bytes)
    }
}

macro_rules! one_number {
    ($extras:ident, $field:ident) => {
        impl $extras {
            /// Reads the 4 bytes.
            ///
            /// # Errors
            ///
            /// [`DecodeError::Extras`] for any other length.
            #[inline]
            pub fn parse(extras: &[u8]) -> Result<Self, DecodeError> {
                Self::parse_of(None, extras)
            }

            #[inline]
            pub(super) fn parse_of(opcode: Option<Opcode>, extras: &[u8]) -> Result<Self, DecodeError> {
                Ok(Self { $field: u32::from_be_bytes(*exactly(opcode, extras)?) })
            }

            /// The 4 bytes as they go on the wire.
            #[inline]
            #[must_use]
            pub fn encode(&self) -> [u8; 4] {
                self.$field.to_be_bytes()
            }
        }
    };
}

one_number!(TouchExtras, expiration);
one_number!(VerbosityExtras, level);
one_number!(GetResponseExtras, flags);
