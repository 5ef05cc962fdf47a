//! Dalli's ring: SHA-1 points, CRC-32 keys, and the point at or below the key.

use super::point_name::{PointName, full_name};
use crate::hash::{crc32, sha1_word};
use crate::ring::Points;
use crate::server::Server;

const POINTS: u64 = 160;

// Dalli takes the last of the points at or below the hash. With all bits turned over, points and
// keys, and the servers in reverse, that is the first point at or after it, as on every other ring.

/// The points: 160 a server, or in proportion to its weight.
pub(crate) fn points(servers: &[Server<'_>]) -> Points {
    let total: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
    let mut points = Points::with_capacity(servers.len().saturating_mul(POINTS as usize));
    let mut name = PointName::new();
    let count = u16::try_from(servers.len()).unwrap_or(u16::MAX);
    for (index, server) in (0..count).zip(servers).rev() {
        name.begin(format_args!("{}:", full_name(server)));
        for number in 0..points_of(server.weight, total, servers.len() as u64) {
            points.push(!sha1_word(name.numbered(number)), index);
        }
    }
    points
}

/// The hash of a key.
#[inline]
pub(crate) fn key_hash(key: &[u8]) -> u32 {
    !crc32(key)
}

// An integer product divided as a double and cut off; 0 where there is no weight at all.
fn points_of(weight: u32, total: u64, servers: u64) -> u32 {
    let product = u128::from(servers * POINTS) * u128::from(weight);
    (product as f64 / total as f64) as u32
}

#[cfg(test)]
mod tests {
    use super::points_of;

    #[test]
    fn points_follow_the_weight() {
        assert_eq!(points_of(1, 3, 3), 160);
        assert_eq!(points_of(4, 9, 2), 142);
        assert_eq!(points_of(5, 9, 2), 177);
        assert_eq!(points_of(0, 9, 2), 0);
        assert_eq!(points_of(0, 0, 2), 0);
    }
}
