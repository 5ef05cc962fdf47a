//! FNV-1 in 32 bits, with signed bytes.

/// libmemcached's `fnv1_32`: multiply, then add the byte, signed.
///
/// Source: Fowler, Noll, Vo (draft-eastlake-fnv); libhashkit's `fnv_32`.
///
/// ```
/// assert_eq!(omcache_hash::hash::fnv1_32(b"a"), 0x050c_5d7e);
/// ```
#[inline]
#[must_use]
pub fn fnv1_32(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash: u32, &byte| {
        hash.wrapping_mul(0x0100_0193) ^ i32::from(byte.cast_signed()).cast_unsigned()
    })
}
