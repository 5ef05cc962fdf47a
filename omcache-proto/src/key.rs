//! The key of an item: 1..=250 bytes, checked once.

use core::fmt;

use crate::KeyError;

/// The key of an item: any bytes, 1..=250 of them.
///
/// The binary protocol gives no byte a meaning, so spaces, line ends and NUL are allowed; the limit
/// is memcached's. A `Key` borrows, so that making one costs only the check.
///
/// ```
/// use omcache_proto::{Key, KeyError};
///
/// let key = Key::new(b"user:1")?;
/// assert_eq!(key.as_bytes(), b"user:1");
/// assert_eq!(Key::new(b""), Err(KeyError::Empty));
/// assert_eq!(Key::new(&[b'x'; 251]), Err(KeyError::TooLong { len: 251 }));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key<'a>(&'a [u8]);

impl<'a> Key<'a> {
    /// The longest key that memcached takes, in bytes.
    pub const MAX_LEN: usize = 250;

    /// Checks the length of `bytes`, and nothing else.
    ///
    /// # Errors
    ///
    /// [`KeyError::Empty`] for no bytes, [`KeyError::TooLong`] for more than [`Key::MAX_LEN`].
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            0 => Err(KeyError::Empty),
            1..=Self::MAX_LEN => Ok(Self(bytes)),
            len => Err(KeyError::TooLong { len }),
        }
    }

    /// The bytes of the key, for as long as they were borrowed.
    #[inline]
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> TryFrom<&'a [u8]> for Key<'a> {
    type Error = KeyError;

    fn try_from(bytes: &'a [u8]) -> Result<Self, KeyError> {
        Self::new(bytes)
    }
}

impl<'a> TryFrom<&'a str> for Key<'a> {
    type Error = KeyError;

    fn try_from(text: &'a str) -> Result<Self, KeyError> {
        Self::new(text.as_bytes())
    }
}

impl AsRef<[u8]> for Key<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

/// Escaped ASCII in quotes, as in `Key("user:\xff")`.
impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(\"{}\")", self.0.escape_ascii())
    }
}
