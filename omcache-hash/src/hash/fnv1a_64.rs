//! The "64-bit" FNV-1a of libmemcached and twemproxy, which runs in 32 bits, with signed bytes.

/// libmemcached's and twemproxy's `fnv1a_64`: FNV-1a in 32 bits with the low halves of the 64-bit
/// offset (0x84222325) and prime (0x1b3), bytes signed.
///
/// ```
/// // FNV-1a 64 of "a" is 0xaf63dc4c8601ec8c.
/// assert_eq!(omcache_hash::hash::fnv1a_64(b"a"), 0x8601_ec8c);
/// ```
#[inline]
#[must_use]
pub fn fnv1a_64(key: &[u8]) -> u32 {
    key.iter().fold(0x8422_2325, |hash: u32, &byte| {
        (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(0x1b3)
    })
}
