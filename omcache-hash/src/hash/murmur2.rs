//! MurmurHash2, 32 bits, seeded with the key's length as libmemcached does.

const M: u32 = 0x5bd1_e995;

/// libmemcached's `murmur`: MurmurHash2 of the key, seed `0xdeadbeef * length` (32 bits, wrapping).
///
/// Source: Appleby, MurmurHash2; libhashkit's `murmur`.
#[inline]
#[must_use]
pub fn murmur(key: &[u8]) -> u32 {
    // The length is meant to be cut to 32 bits.
    let length = key.len() as u32;
    let mut hash = 0xdead_beef_u32.wrapping_mul(length) ^ length;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let k = u32::from_le_bytes(*word).wrapping_mul(M);
        let k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u32::from(byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur;

    #[test]
    fn the_empty_key_hashes_to_zero() {
        assert_eq!(murmur(b""), 0);
    }

    #[test]
    fn each_tail_length_differs() {
        let hashes = [murmur(b"a"), murmur(b"aa"), murmur(b"aaa"), murmur(b"aaaa"), murmur(b"aaaaa")];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash));
        }
    }
}
