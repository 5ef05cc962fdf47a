//! Remainders: the hash modulo the number of servers, in the order in which they were given.

use crate::hash::crc32;

/// The remainder, as a server's index.
#[inline]
pub(crate) fn remainder(hash: u32, servers: u32) -> usize {
    hash.checked_rem(servers).unwrap_or(0) as usize
}

/// The part of a key that mcrouter hashes: what comes before `|#|`.
#[inline]
pub(crate) fn routing_part(key: &[u8]) -> &[u8] {
    match key.windows(3).position(|window| window == b"|#|") {
        Some(end) => key.get(..end).unwrap_or(key),
        None => key,
    }
}

/// mcrouter's `Crc32`: 31 bits of the CRC-32.
#[inline]
pub(crate) fn mcrouter_hash(key: &[u8]) -> u32 {
    crc32(routing_part(key)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::{remainder, routing_part};

    #[test]
    fn what_follows_the_stop_does_not_count() {
        assert_eq!(routing_part(b"user:1|#|name"), b"user:1");
        assert_eq!(routing_part(b"a|#|b|#|c"), b"a");
        assert_eq!(routing_part(b"|#|b"), b"");
        for whole in [&b"user:1"[..], b"a|#", b"#|", b""] {
            assert_eq!(routing_part(whole), whole);
        }
    }

    #[test]
    fn no_servers_is_no_division() {
        assert_eq!(remainder(7, 0), 0);
        assert_eq!(remainder(7, 4), 3);
    }
}
