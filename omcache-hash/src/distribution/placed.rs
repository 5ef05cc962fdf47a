//! A named distribution that knows its servers: one look-up each, without a virtual call.

use alloc::boxed::Box;

use super::python_memcached::Slots;
use super::rendezvous::Nodes;
use super::{Placement, dalli, furc, modula, twemproxy};
use crate::hash::{HashFunction, crc32, one_at_a_time};
use crate::ring::Ring;
use crate::walk::Course;

/// A named distribution over its servers.
#[derive(Clone, Debug)]
pub(crate) enum Placed {
    /// A single server: it has every key.
    One,
    /// A ring, keys by one-at-a-time: the default, so it has a look-up of its own.
    OneAtATime(Ring),
    /// A ring, keys by the function.
    Ring(Ring, HashFunction),
    /// twemproxy's ring, and the hash tag.
    Twemproxy(Ring, Option<[u8; 2]>),
    /// Dalli's ring, with all bits turned over.
    Dalli(Ring),
    /// The function modulo so many servers.
    Modula(HashFunction, u32),
    /// python-memcached's list.
    PythonMemcached(Slots),
    /// pymemcache's rendezvous.
    Rendezvous(Nodes),
    /// CRC-32 modulo so many servers.
    Gomemcache(u32),
    /// mcrouter's CRC-32 modulo so many servers.
    McrouterCrc32(u32),
    /// mcrouter's ch3 over so many servers.
    McrouterCh3(u32),
}

impl Placed {
    /// The index of the server that has the key.
    pub(crate) fn server(&self, key: &[u8]) -> usize {
        match self {
            Self::One => 0,
            Self::OneAtATime(ring) => ring.server(one_at_a_time(key)),
            Self::Ring(ring, function) => ring.server(function.hash(key)),
            Self::Twemproxy(ring, tag) => ring.server(twemproxy::key_hash(key, *tag)),
            Self::Dalli(ring) => ring.server(dalli::key_hash(key)),
            Self::Modula(function, servers) => modula::remainder(function.hash(key), *servers),
            Self::PythonMemcached(slots) => slots.server(key),
            Self::Rendezvous(nodes) => nodes.server(key),
            Self::Gomemcache(servers) => modula::remainder(crc32(key), *servers),
            Self::McrouterCrc32(servers) => modula::remainder(modula::mcrouter_hash(key), *servers),
            Self::McrouterCh3(servers) => furc::server(modula::routing_part(key), *servers),
        }
    }

    /// The first server for the key, and how a walk goes on from it.
    #[inline]
    pub(crate) fn course(&self, key: &[u8]) -> (usize, Course<'_>) {
        let along = |ring, hash| (Ring::server(ring, hash), Course::Along(ring, hash));
        match self {
            Self::OneAtATime(ring) => along(ring, one_at_a_time(key)),
            Self::Ring(ring, function) => along(ring, function.hash(key)),
            Self::Twemproxy(ring, tag) => along(ring, twemproxy::key_hash(key, *tag)),
            Self::Dalli(ring) => along(ring, dalli::key_hash(key)),
            Self::Rendezvous(nodes) => {
                let order = nodes.order(key);
                (order.first().copied().map_or(0, usize::from), Course::listed(order))
            }
            Self::One
            | Self::Modula(..)
            | Self::PythonMemcached(_)
            | Self::Gomemcache(_)
            | Self::McrouterCrc32(_)
            | Self::McrouterCh3(_) => (self.server(key), Course::Following),
        }
    }

    /// Whether no server can be given a key.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::OneAtATime(ring) | Self::Ring(ring, _) | Self::Twemproxy(ring, _) | Self::Dalli(ring) => {
                ring.is_empty()
            }
            Self::PythonMemcached(slots) => slots.is_empty(),
            Self::One
            | Self::Modula(..)
            | Self::Rendezvous(_)
            | Self::Gomemcache(_)
            | Self::McrouterCrc32(_)
            | Self::McrouterCh3(_) => false,
        }
    }
}

impl Placement for Placed {
    fn server(&self, key: &[u8]) -> usize {
        Placed::server(self, key)
    }

    fn walk<'a>(&'a self, key: &[u8]) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        let (first, course) = self.course(key);
        Box::new(core::iter::once(first).chain(course))
    }
}
