//! Bob Jenkins' one-at-a-time hash, with bytes read as signed (libmemcached) or unsigned.

/// One-at-a-time as libmemcached computes it on x86-64: each byte is added as a *signed* char.
///
/// Equal to [`one_at_a_time_unsigned`] for keys without a byte of 0x80 and above.
/// Source: Jenkins, "A hash function for hash table lookup"; libhashkit's `one_at_a_time`.
///
/// ```
/// use omcache_hash::hash::{one_at_a_time, one_at_a_time_unsigned};
///
/// assert_eq!(one_at_a_time(b"a"), 0xca2e_9442);
/// assert_eq!(one_at_a_time(b"a"), one_at_a_time_unsigned(b"a"));
/// assert_ne!(one_at_a_time(b"\xc3\xa4"), one_at_a_time_unsigned(b"\xc3\xa4"));
/// ```
#[inline]
#[must_use]
pub fn one_at_a_time(key: &[u8]) -> u32 {
    finish(absorb(0, key, |byte| i32::from(byte.cast_signed()).cast_unsigned()))
}

/// One-at-a-time as the textbook has it, and OMcache 0.3, and libmemcached where `char` is
/// unsigned (64-bit ARM).
#[inline]
#[must_use]
pub fn one_at_a_time_unsigned(key: &[u8]) -> u32 {
    finish(absorb(0, key, u32::from))
}

/// Words of each of four keys that are absorbed at a time.
const WORDS: usize = 16;

/// [`one_at_a_time`] of each key: less work than one after the other, and less waiting, where the processor has vectors.
#[inline(never)]
pub(crate) fn one_at_a_time_of_many(keys: &[&[u8]], hashes: &mut [u32]) {
    let mut words = [[0; 4]; WORDS];
    let (fours, others) = keys.as_chunks::<4>();
    let (places, other_places) = hashes.as_chunks_mut::<4>();
    for (keys, hashes) in fours.iter().zip(places) {
        absorb_four(hashes, *keys, &mut words);
    }
    for (key, hash) in others.iter().zip(other_places) {
        *hash = absorb_signed(0, key);
    }
    for hash in hashes {
        *hash = finish(*hash);
    }
}

/// What all four keys have is absorbed together, in words of four bytes; then what some have more.
#[inline(always)]
fn absorb_four(hashes: &mut [u32; 4], keys: [&[u8]; 4], words: &mut [[u32; 4]; WORDS]) {
    *hashes = [0; 4];
    let [mut first, mut second, mut third, mut fourth] = keys.map(|key| key.as_chunks::<4>().0);
    let mut common = 0;
    loop {
        let mut count = 0;
        let fours = first.iter().zip(second).zip(third).zip(fourth);
        for (words, (((one, two), three), four)) in words.iter_mut().zip(fours) {
            *words = [*one, *two, *three, *four].map(u32::from_le_bytes);
            count += 1;
        }
        absorb_words(hashes, words.get(..count).unwrap_or_default());
        common += 4 * count;
        if count < WORDS {
            break;
        }
        for key in [&mut first, &mut second, &mut third, &mut fourth] {
            *key = key.get(WORDS..).unwrap_or_default();
        }
    }
    for (hash, key) in hashes.iter_mut().zip(keys) {
        if let Some(rest @ [_, ..]) = key.get(common..) {
            *hash = absorb_signed(*hash, rest);
        }
    }
}

/// A word of each of four keys, and the next ones. A lane each, so that it compiles to vector instructions.
#[inline(never)]
fn absorb_words(hashes: &mut [u32; 4], words: &[[u32; 4]]) {
    let mut state = *hashes;
    for word in words {
        for shift in [24, 16, 8, 0] {
            for (hash, four) in state.iter_mut().zip(word) {
                let byte = ((four << shift).cast_signed() >> 24).cast_unsigned();
                let sum = hash.wrapping_add(byte);
                let sum = sum.wrapping_add(sum << 10);
                *hash = sum ^ (sum >> 6);
            }
        }
    }
    *hashes = state;
}

#[inline(never)]
fn absorb_signed(hash: u32, bytes: &[u8]) -> u32 {
    absorb(hash, bytes, |byte| i32::from(byte.cast_signed()).cast_unsigned())
}

/// The state after a prefix, from which many names that begin with it are hashed.
#[derive(Copy, Clone, Default)]
pub(crate) struct OneAtATime<const SIGNED: bool>(u32);

impl<const SIGNED: bool> OneAtATime<SIGNED> {
    pub(crate) fn update(self, bytes: &[u8]) -> Self {
        if SIGNED {
            Self(absorb(self.0, bytes, |byte| i32::from(byte.cast_signed()).cast_unsigned()))
        } else {
            Self(absorb(self.0, bytes, u32::from))
        }
    }

    pub(crate) fn finish(self) -> u32 {
        finish(self.0)
    }
}

// Written for groups of eight: the loop's own cost is a third of the whole otherwise.
#[inline(always)]
fn absorb(mut hash: u32, bytes: &[u8], widen: impl Fn(u8) -> u32 + Copy) -> u32 {
    let factor = factor();
    let (groups, rest) = bytes.as_chunks::<8>();
    for group in groups {
        for &byte in group {
            hash = step(hash, widen(byte), factor);
        }
    }
    for &byte in rest {
        hash = step(hash, widen(byte), factor);
    }
    hash
}

// `h += byte; h += h << 10; h ^= h >> 6`.
#[inline(always)]
fn step(hash: u32, byte: u32, factor: u32) -> u32 {
    let sum = hash.wrapping_add(byte).wrapping_mul(factor);
    sum ^ (sum >> 6)
}

// 1 + (1 << 10). A compiler for x86-64 that knows the factor makes three instructions of the one that
// multiplies: a fifth more in a whole look-up, for no time where several keys are looked up. Others
// have a single instruction that shifts and adds.
#[inline(always)]
fn factor() -> u32 {
    const FACTOR: u32 = 1025;
    if cfg!(target_arch = "x86_64") { core::hint::black_box(FACTOR) } else { FACTOR }
}

#[inline(always)]
fn finish(hash: u32) -> u32 {
    let sum = hash.wrapping_add(hash << 3);
    let mixed = sum ^ (sum >> 11);
    mixed.wrapping_add(mixed << 15)
}
