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

/// Keys that are hashed at a time.
pub(crate) const BLOCK: usize = 32;

/// Bytes of a key that are absorbed at a time.
const GROUP: usize = 16;

/// [`one_at_a_time`] of several keys: less work than one after the other, and less waiting, where the processor has vectors.
pub(crate) struct OneAtATimeOfMany {
    groups: [[u8; GROUP]; BLOCK],
    hashes: [u32; BLOCK],
}

impl OneAtATimeOfMany {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { groups: [[0; GROUP]; BLOCK], hashes: [0; BLOCK] }
    }

    /// The hash of each of these keys, of which there are no more than [`BLOCK`].
    #[inline(never)]
    pub(crate) fn hashes(&mut self, keys: &[&[u8]]) -> &[u32] {
        let Self { groups, hashes } = self;
        let hashes = hashes.get_mut(..keys.len()).unwrap_or_default();
        hashes.fill(0);
        let mut done = 0;
        // Where the last group of each was taken, none has more.
        let mut has_rest = !keys.is_empty();
        while has_rest && let Some(longest) = take_groups(groups, keys, done) {
            absorb_groups(hashes, groups);
            done += GROUP;
            has_rest = longest > done;
        }
        if has_rest {
            absorb_rests(hashes, keys, done);
        }
        for hash in &mut *hashes {
            *hash = finish(*hash);
        }
        hashes
    }
}

/// Takes a group of each key, where all have one behind those that are done; the length of the longest key.
#[inline(always)]
fn take_groups(groups: &mut [[u8; GROUP]; BLOCK], keys: &[&[u8]], done: usize) -> Option<usize> {
    let mut longest = 0;
    for (group, key) in groups.iter_mut().zip(keys) {
        *group = *key.get(done..done + GROUP)?.first_chunk()?;
        longest = longest.max(key.len());
    }
    Some(longest)
}

/// A lane for each key, so that it compiles to vector instructions.
#[inline(never)]
fn absorb_groups(hashes: &mut [u32], groups: &[[u8; GROUP]; BLOCK]) {
    for (hash, group) in hashes.iter_mut().zip(groups) {
        let words = group.as_chunks().0.iter();
        *hash = words.fold(*hash, |hash, word| absorb_word(hash, *word));
    }
}

/// What is behind the groups that all keys have.
#[inline(never)]
fn absorb_rests(hashes: &mut [u32], keys: &[&[u8]], done: usize) {
    fn rest_of(key: &[u8], done: usize) -> &[u8] {
        key.get(done..).unwrap_or_default()
    }
    let (fours, others) = keys.as_chunks::<4>();
    let (places, other_places) = hashes.as_chunks_mut::<4>();
    for (keys, hashes) in fours.iter().zip(places) {
        absorb_four(hashes, keys.map(|key| rest_of(key, done)));
    }
    for (key, hash) in others.iter().zip(other_places) {
        *hash = absorb_signed(*hash, rest_of(key, done));
    }
}

/// What all four keys have is absorbed together, four bytes at a time; then what some have more.
#[inline(always)]
fn absorb_four(hashes: &mut [u32; 4], mut keys: [&[u8]; 4]) {
    let mut words = [[0; 4]; 4];
    while take_words(&mut words, &mut keys) {
        absorb_words(hashes, &words);
    }
    for (hash, rest) in hashes.iter_mut().zip(keys) {
        if !rest.is_empty() {
            *hash = absorb_signed(*hash, rest);
        }
    }
}

/// Takes a word off each key, where all have one.
#[inline(always)]
fn take_words(words: &mut [[u8; 4]; 4], keys: &mut [&[u8]; 4]) -> bool {
    let mut rests = [[].as_slice(); 4];
    for ((key, rest), word) in keys.iter().zip(&mut rests).zip(words) {
        let Some((first, behind)) = key.split_first_chunk() else { return false };
        (*word, *rest) = (*first, behind);
    }
    *keys = rests;
    true
}

#[inline(never)]
fn absorb_words(hashes: &mut [u32; 4], words: &[[u8; 4]; 4]) {
    for (hash, word) in hashes.iter_mut().zip(words) {
        *hash = absorb_word(*hash, *word);
    }
}

#[inline(always)]
fn absorb_word(hash: u32, word: [u8; 4]) -> u32 {
    let word = u32::from_le_bytes(word);
    [24, 16, 8, 0].into_iter().fold(hash, |hash, shift| {
        let byte = ((word << shift).cast_signed() >> 24).cast_unsigned();
        let sum = hash.wrapping_add(byte);
        let sum = sum.wrapping_add(sum << 10);
        sum ^ (sum >> 6)
    })
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
