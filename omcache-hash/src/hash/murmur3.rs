//! MurmurHash3, x86 32-bit: whole, and byte by byte for names that share a beginning.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// libmemcached's `murmur3`: MurmurHash3 x86_32 of the key, seed `0xdeadbeef * length` (32 bits, wrapping).
///
/// Source: Appleby, MurmurHash3; libhashkit's `murmur3_api`.
#[inline]
#[must_use]
pub fn murmur3(key: &[u8]) -> u32 {
    // The length is meant to be cut to 32 bits.
    let seed = 0xdead_beef_u32.wrapping_mul(key.len() as u32);
    let (words, rest) = key.as_chunks::<4>();
    let hash = words.iter().fold(seed, |hash, word| absorb(hash, u32::from_le_bytes(*word)));
    let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u32::from(byte));
    finish(hash, tail, key.len() as u32)
}

/// MurmurHash3 x86_32 as a state that takes bytes; a copy of it goes on from a common beginning.
///
/// ```
/// use omcache_hash::hash::Murmur3;
///
/// assert_eq!(Murmur3::new(0).update(b"Hello, ").update(b"world!").finish(), 0xc036_3e43);
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Murmur3 {
    hash: u32,
    // Bytes that do not fill a word yet, the first one lowest.
    tail: u32,
    length: u32,
}

impl Murmur3 {
    /// The state before the first byte.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self { hash: seed, tail: 0, length: 0 }
    }

    /// The state after one more byte.
    #[inline]
    #[must_use]
    pub fn push(mut self, byte: u8) -> Self {
        self.tail |= u32::from(byte) << (8 * (self.length & 3));
        self.length = self.length.wrapping_add(1);
        if self.length & 3 == 0 {
            self.hash = absorb(self.hash, self.tail);
            self.tail = 0;
        }
        self
    }

    /// The state after more bytes.
    #[inline]
    #[must_use]
    pub fn update(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |state, &byte| state.push(byte))
    }

    /// The hash of all bytes so far.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u32 {
        finish(self.hash, self.tail, self.length)
    }
}

#[inline(always)]
fn scramble(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[inline(always)]
fn absorb(hash: u32, word: u32) -> u32 {
    (hash ^ scramble(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

#[inline(always)]
fn finish(hash: u32, tail: u32, length: u32) -> u32 {
    // A tail of zero bytes scrambles to 0, as does none.
    let mut hash = hash ^ scramble(tail) ^ length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::{Murmur3, murmur3};

    #[test]
    fn byte_by_byte_is_the_same_as_at_once() {
        let data: [u8; 40] = core::array::from_fn(|n| (n * 37) as u8);
        for length in 0..=data.len() {
            let (one, other) = data[..length].split_at(length / 3);
            let seed = 0xdead_beef_u32.wrapping_mul(length as u32);
            let hash = Murmur3::new(seed).update(one).update(other).finish();
            assert_eq!(hash, murmur3(&data[..length]), "{length} bytes");
        }
    }
}
