//! The hash functions, each as the client computes it that uses it, quirks included.
//!
//! libmemcached's functions read the key through `const char *`, which is signed on x86-64. Where
//! that shows in the result (keys with a byte of 0x80 and above), the functions here do the same on
//! every platform.

mod crc32;
mod fnv1_32;
mod fnv1_64;
mod fnv1a_32;
mod fnv1a_64;
mod function;
mod jenkins;
mod md5;
mod murmur2;
mod murmur3;
mod murmur64a;
mod one_at_a_time;
mod sha1;

pub use self::crc32::{crc, crc32};
pub use self::fnv1_32::fnv1_32;
pub use self::fnv1_64::fnv1_64;
pub use self::fnv1a_32::fnv1a_32;
pub use self::fnv1a_64::fnv1a_64;
pub use self::function::HashFunction;
pub use self::jenkins::jenkins;
pub use self::md5::{md5, md5_words};
pub use self::murmur2::murmur;
pub use self::murmur3::{Murmur3, murmur3};
pub use self::murmur64a::murmur64a;
pub(crate) use self::one_at_a_time::{BLOCK, OneAtATime, OneAtATimeOfMany};
pub use self::one_at_a_time::{one_at_a_time, one_at_a_time_unsigned};
pub use self::sha1::sha1_word;
