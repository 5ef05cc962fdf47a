//! The hash functions that libmemcached lets its user choose from, by name.

use alloc::borrow::ToOwned;
use core::fmt;
use core::str::FromStr;

use super::{
    crc, fnv1_32, fnv1_64, fnv1a_32, fnv1a_64, jenkins, md5, murmur, murmur3, one_at_a_time,
    one_at_a_time_unsigned,
};
use crate::error::UnknownHash;

/// A hash function that libmemcached can be told to use (`MEMCACHED_BEHAVIOR_HASH`).
///
/// ```
/// use omcache_hash::HashFunction;
///
/// let md5: HashFunction = "md5".parse()?;
/// assert_eq!(md5.hash(b"a"), 0xb975_c10c);
/// # Ok::<(), omcache_hash::UnknownHash>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashFunction {
    /// `one_at_a_time` (also `default`): [`one_at_a_time`](crate::hash::one_at_a_time), libmemcached's default.
    OneAtATime,
    /// `one_at_a_time_unsigned`: [`one_at_a_time_unsigned`](crate::hash::one_at_a_time_unsigned), what
    /// libmemcached's default is where `char` is unsigned.
    OneAtATimeUnsigned,
    /// `md5`: [`md5`](crate::hash::md5).
    Md5,
    /// `crc`: [`crc`](crate::hash::crc).
    Crc,
    /// `fnv1_64`: [`fnv1_64`](crate::hash::fnv1_64).
    Fnv1_64,
    /// `fnv1a_64`: [`fnv1a_64`](crate::hash::fnv1a_64).
    Fnv1a64,
    /// `fnv1_32`: [`fnv1_32`](crate::hash::fnv1_32).
    Fnv1_32,
    /// `fnv1a_32`: [`fnv1a_32`](crate::hash::fnv1a_32).
    Fnv1a32,
    /// `murmur`: [`murmur`](crate::hash::murmur).
    Murmur,
    /// `jenkins`: [`jenkins`](crate::hash::jenkins).
    Jenkins,
    /// `murmur3`: [`murmur3`](crate::hash::murmur3).
    Murmur3,
}

impl HashFunction {
    /// Every function.
    pub const ALL: [Self; 11] = [
        Self::OneAtATime,
        Self::OneAtATimeUnsigned,
        Self::Md5,
        Self::Crc,
        Self::Fnv1_64,
        Self::Fnv1a64,
        Self::Fnv1_32,
        Self::Fnv1a32,
        Self::Murmur,
        Self::Jenkins,
        Self::Murmur3,
    ];

    /// The function of that name; `None` for an unknown one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "default" {
            return Some(Self::OneAtATime);
        }
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The name, as libmemcached's documentation and pylibmc spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneAtATime => "one_at_a_time",
            Self::OneAtATimeUnsigned => "one_at_a_time_unsigned",
            Self::Md5 => "md5",
            Self::Crc => "crc",
            Self::Fnv1_64 => "fnv1_64",
            Self::Fnv1a64 => "fnv1a_64",
            Self::Fnv1_32 => "fnv1_32",
            Self::Fnv1a32 => "fnv1a_32",
            Self::Murmur => "murmur",
            Self::Jenkins => "jenkins",
            Self::Murmur3 => "murmur3",
        }
    }

    /// The hash of a key.
    #[inline]
    #[must_use]
    pub fn hash(self, key: &[u8]) -> u32 {
        match self {
            Self::OneAtATime => one_at_a_time(key),
            Self::OneAtATimeUnsigned => one_at_a_time_unsigned(key),
            Self::Md5 => md5(key),
            Self::Crc => crc(key),
            Self::Fnv1_64 => fnv1_64(key),
            Self::Fnv1a64 => fnv1a_64(key),
            Self::Fnv1_32 => fnv1_32(key),
            Self::Fnv1a32 => fnv1a_32(key),
            Self::Murmur => murmur(key),
            Self::Jenkins => jenkins(key),
            Self::Murmur3 => murmur3(key),
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for HashFunction {
    type Err = UnknownHash;

    fn from_str(name: &str) -> Result<Self, UnknownHash> {
        Self::from_name(name).ok_or_else(|| UnknownHash { name: name.to_owned() })
    }
}
