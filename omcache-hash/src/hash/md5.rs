//! MD5 (RFC 1321), as its four little-endian words.

use md5::block_api::compress;

const BLOCK: usize = 64;

/// The first word of a key's MD5, little-endian: libmemcached's `md5`.
///
/// ```
/// // MD5("a") = 0cc175b9 c0f1b6a8 31c399e2 69772661
/// assert_eq!(omcache_hash::hash::md5(b"a"), 0xb975_c10c);
/// ```
#[inline]
#[must_use]
pub fn md5(key: &[u8]) -> u32 {
    md5_words(key)[0]
}

/// All four little-endian words of an MD5: the four points that one name gives a weighted ring.
#[must_use]
pub fn md5_words(data: &[u8]) -> [u32; 4] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    if !blocks.is_empty() {
        compress(&mut state, blocks);
    }
    // The padding: a 1 bit, zeros, the length in bits. Words and not bytes are written, since words
    // are what is read again at once.
    let (words, tail) = rest.as_chunks::<4>();
    let mut last = [0; BLOCK];
    let mut places = last.as_chunks_mut::<4>().0.iter_mut();
    for (word, place) in words.iter().zip(&mut places) {
        *place = *word;
    }
    if let Some(place) = places.next() {
        let end = tail.iter().rev().fold(0x80, |word, &byte| word << 8 | u32::from(byte));
        *place = end.to_le_bytes();
    }
    if rest.len() >= BLOCK - 8 {
        compress(&mut state, &[last]);
        last = [0; BLOCK];
    }
    if let Some((_, length)) = last.split_last_chunk_mut::<8>() {
        *length = (data.len() as u64).wrapping_mul(8).to_le_bytes();
    }
    compress(&mut state, &[last]);
    state
}

#[cfg(test)]
mod tests {
    use super::md5_words;
    use md5::{Digest, Md5};

    #[test]
    fn every_length_is_padded_as_it_should() {
        let data: [u8; 200] = core::array::from_fn(|n| n as u8);
        for length in 0..=data.len() {
            let digest: [u8; 16] = Md5::digest(&data[..length]).into();
            let words = md5_words(&data[..length]).map(u32::to_le_bytes);
            assert_eq!(words.as_flattened(), digest, "{length} bytes");
        }
    }
}
