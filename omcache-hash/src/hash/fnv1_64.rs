//! The low half of FNV-1 in 64 bits, with signed bytes.

/// libmemcached's `fnv1_64`: 64-bit FNV-1 with signed bytes, of which the low 32 bits are kept.
///
/// No bit of the upper half reaches the lower one, so 32 bits do.
///
/// ```
/// // FNV-1 64 of "a" is 0xaf63bd4c8601b7be.
/// assert_eq!(omcache_hash::hash::fnv1_64(b"a"), 0x8601_b7be);
/// ```
#[inline]
#[must_use]
pub fn fnv1_64(key: &[u8]) -> u32 {
    key.iter().fold(0x8422_2325, |hash: u32, &byte| {
        hash.wrapping_mul(0x1b3) ^ i32::from(byte.cast_signed()).cast_unsigned()
    })
}
