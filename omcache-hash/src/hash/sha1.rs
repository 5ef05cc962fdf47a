//! SHA-1 (FIPS 180-4), of which Dalli takes the first word.

use sha1::{Digest, Sha1};

/// The first word of a SHA-1, big-endian: a point of Dalli's ring.
///
/// ```
/// // SHA-1("abc") = a9993e36 4706816a ...
/// assert_eq!(omcache_hash::hash::sha1_word(b"abc"), 0xa999_3e36);
/// ```
#[must_use]
pub fn sha1_word(data: &[u8]) -> u32 {
    let [a, b, c, d, ..]: [u8; 20] = Sha1::digest(data).into();
    u32::from_be_bytes([a, b, c, d])
}
