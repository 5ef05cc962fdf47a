//! FNV-1a in 32 bits, with signed bytes.

/// libmemcached's `fnv1a_32`: add the byte, signed, then multiply.
///
/// Source: Fowler, Noll, Vo (draft-eastlake-fnv); libhashkit's `fnv_32`.
///
/// ```
/// assert_eq!(omcache_hash::hash::fnv1a_32(b"a"), 0xe40c_292c);
/// ```
#[inline]
#[must_use]
pub fn fnv1a_32(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash: u32, &byte| {
        (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(0x0100_0193)
    })
}
