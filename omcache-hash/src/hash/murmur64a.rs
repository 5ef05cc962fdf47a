//! MurmurHash64A, from which mcrouter's ch3 draws its bits.

const M: u64 = 0xc6a4_a793_5bd1_e995;

/// MurmurHash64A (MurmurHash2, 64 bits, for 64-bit machines), little-endian on every platform.
///
/// Source: Appleby, MurmurHash2.
#[inline]
#[must_use]
pub fn murmur64a(key: &[u8], seed: u32) -> u64 {
    let mut hash = u64::from(seed) ^ (key.len() as u64).wrapping_mul(M);
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        let k = u64::from_le_bytes(*word).wrapping_mul(M);
        let k = (k ^ (k >> 47)).wrapping_mul(M);
        hash = (hash ^ k).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 47)).wrapping_mul(M);
    hash ^ (hash >> 47)
}
