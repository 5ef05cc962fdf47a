//! mcrouter's ch3 (furc_hash): a walk down a binary tree by a stream of bits from the key.

use crate::hash::murmur64a;

const SEED: u32 = 4_193_360_111;
const STEP: u32 = 23;
const TRIES: u32 = 32;

/// The server that has the key, of `servers`.
///
/// Bit `depth` of the stream says whether the key belongs to the upper half of the servers of that
/// depth; if not, one level less is looked at. Where it does, bits in steps of 23 from there make up
/// the number below the leading one; a number that is no server is tried again further on.
pub(crate) fn server(key: &[u8], servers: u32) -> usize {
    if servers <= 1 {
        return 0;
    }
    let mut bits = Bits::new(key);
    let mut depth = u32::BITS - (servers - 1).leading_zeros();
    let mut at = depth;
    for _ in 0..TRIES {
        while !bits.get(at) {
            depth -= 1;
            if depth == 0 {
                return 0;
            }
            at = depth;
        }
        at += STEP;
        let mut number = 1;
        for _ in 1..depth {
            number = number << 1 | u32::from(bits.get(at));
            at += STEP;
        }
        if number < servers {
            return number as usize;
        }
    }
    0
}

// The stream's first words are kept, since the walk comes back to the beginning; the last try but
// few end within them.
const KEPT: usize = 16;

struct Bits {
    words: [u64; KEPT],
    filled: usize,
}

impl Bits {
    fn new(key: &[u8]) -> Self {
        let mut words = [0; KEPT];
        words[0] = murmur64a(key, SEED);
        Self { words, filled: 1 }
    }

    fn get(&mut self, index: u32) -> bool {
        (self.word((index / u64::BITS) as usize) >> (index % u64::BITS)) & 1 == 1
    }

    fn word(&mut self, index: usize) -> u64 {
        while self.filled <= index && self.filled < KEPT {
            self.words[self.filled] = next(self.words[self.filled - 1]);
            self.filled += 1;
        }
        match self.words.get(index) {
            Some(&word) => word,
            None => (KEPT..=index).fold(self.words[KEPT - 1], |word, _| next(word)),
        }
    }
}

fn next(word: u64) -> u64 {
    murmur64a(&word.to_le_bytes(), SEED)
}
