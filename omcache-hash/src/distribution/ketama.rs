//! libmemcached's rings, and OMcache 0.3's.

use super::point_name::{PointName, ShortName};
use crate::error::BuildError;
use crate::hash::{HashFunction, OneAtATime, md5_words};
use crate::ring::{Points, Ring};
use crate::server::Server;

/// Points of a server in an unweighted ring, one hash each.
const POINTS: u32 = 100;
/// Names of a server in a weighted ring if all weights are equal, four points each.
const WEIGHTED_NAMES: u32 = 40;
/// Points of one such name: the words of its MD5.
const WORDS: u32 = 4;

/// An unweighted ring: 100 names a server, one point each.
pub(crate) fn plain(servers: &[Server<'_>], function: HashFunction) -> Result<Ring, BuildError> {
    match function {
        HashFunction::OneAtATime => one_at_a_time::<true>(servers),
        HashFunction::OneAtATimeUnsigned => one_at_a_time::<false>(servers),
        _ => {
            let mut points = Points::with_capacity(servers.len().saturating_mul(POINTS as usize));
            let mut name = PointName::new();
            for (server, index) in servers.iter().zip(0..) {
                name.begin(format_args!("{}-", ShortName(server)));
                for number in 0..POINTS {
                    points.push(function.hash(name.numbered(number)), index);
                }
            }
            points.into_ring()
        }
    }
}

// What comes before the number is hashed once a server.
fn one_at_a_time<const SIGNED: bool>(servers: &[Server<'_>]) -> Result<Ring, BuildError> {
    let mut points = Points::with_capacity(servers.len().saturating_mul(POINTS as usize));
    let mut name = PointName::new();
    for (server, index) in servers.iter().zip(0..) {
        name.begin(format_args!("{}-", ShortName(server)));
        let before = OneAtATime::<SIGNED>::default().update(name.prefix());
        for number in 0..10 {
            // A digit, so below 10.
            points.push(before.update(&[b'0' + number]).finish(), index);
        }
        for tens in 1..10 {
            let before = before.update(&[b'0' + tens]);
            for number in 0..10 {
                points.push(before.update(&[b'0' + number]).finish(), index);
            }
        }
    }
    points.into_ring()
}

/// How many names each server of a weighted ring has.
#[derive(Copy, Clone)]
pub(crate) enum Names {
    /// In proportion to its weight, a weight of 0 counting as 1, computed as libmemcached computes it.
    Libmemcached,
    /// In proportion to its weight, computed as libmemcached and twemproxy compute it.
    Weighted,
    /// 40, whatever its weight: OMcache 0.3, spymemcached.
    Equal,
}

impl Names {
    /// The number of names of each server.
    pub(crate) fn count<'a>(self, servers: &'a [Server<'a>]) -> impl Iterator<Item = u32> + 'a {
        let weight = move |server: &Server<'_>| match self {
            Self::Libmemcached => server.weight.max(1),
            Self::Weighted => server.weight,
            Self::Equal => 1,
        };
        let total = servers.iter().map(|server| u64::from(weight(server))).sum::<u64>();
        servers.iter().map(move |server| match self {
            Self::Equal => WEIGHTED_NAMES,
            Self::Libmemcached | Self::Weighted => names_of(weight(server), total, servers.len()),
        })
    }
}

// Every step in 32-bit float, in this order: other steps give other numbers of names. Casting to an
// integer cuts off what floor() does, and makes 0 of the NaN that no weight at all gives.
fn names_of(weight: u32, total: u64, servers: usize) -> u32 {
    let share = weight as f32 / total as f32;
    (share * (WEIGHTED_NAMES * WORDS) as f32 / WORDS as f32 * servers as f32 + 1e-10) as u32
}

/// A ring of names with four points each.
///
/// `begin` begins a server's names.
pub(crate) fn md5_points<'a>(
    servers: &'a [Server<'a>],
    counts: impl Iterator<Item = u32>,
    begin: impl Fn(&mut PointName, &Server<'_>),
) -> Points {
    let names = servers.len().saturating_mul(WEIGHTED_NAMES as usize);
    let mut points = Points::with_capacity(names.saturating_mul(WORDS as usize));
    let mut name = PointName::new();
    for ((server, index), count) in servers.iter().zip(0..).zip(counts) {
        begin(&mut name, server);
        for number in 0..count {
            for word in md5_words(name.numbered(number)) {
                points.push(word, index);
            }
        }
    }
    points
}

/// libmemcached's weighted ring.
pub(crate) fn weighted(servers: &[Server<'_>], names: Names) -> Result<Ring, BuildError> {
    md5_points(servers, names.count(servers), |name, server| {
        name.begin(format_args!("{}-", ShortName(server)));
    })
    .into_ring()
}

#[cfg(test)]
mod tests {
    use super::{Names, names_of};
    use crate::server::Server;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn equal_weights_fall_one_name_short_at_some_sizes() {
        let short: Vec<usize> = (1..=100).filter(|&n| names_of(1, n as u64, n) == 39).collect();
        assert_eq!(short, [25, 47, 50, 55, 61, 71, 94, 100]);
        assert!((1..=100).all(|n| matches!(names_of(1, n as u64, n), 39 | 40)));
    }

    #[test]
    fn no_weight_is_weight_one_to_libmemcached_and_none_to_others() {
        let servers = [Server::new("a", "1").with_weight(0), Server::new("b", "1")];
        assert_eq!(Names::Libmemcached.count(&servers).collect::<Vec<_>>(), vec![40, 40]);
        assert_eq!(Names::Weighted.count(&servers).collect::<Vec<_>>(), vec![0, 80]);
        assert_eq!(Names::Equal.count(&servers).collect::<Vec<_>>(), vec![40, 40]);
        let none = [Server::new("a", "1").with_weight(0)];
        assert_eq!(Names::Weighted.count(&none).collect::<Vec<_>>(), vec![0]);
    }
}
