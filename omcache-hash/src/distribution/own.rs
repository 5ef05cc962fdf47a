//! A user's own ring: a function for a server's points and one for a key's hash.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{Distribution, Placement, check_count};
use crate::error::BuildError;
use crate::ring::{Points, Ring};
use crate::server::Server;

type PointsOf = dyn Fn(&Server<'_>, &mut Vec<u32>) + Send + Sync;
type KeyHash = dyn Fn(&[u8]) -> u32 + Send + Sync;

/// A ring with points and key hashes of your own.
///
/// The first point whose hash is at least the key's has the key, wrapping to the first point of
/// all; of equal points, that of the server given first.
///
/// ```
/// use omcache_hash::{Continuum, RingDistribution, Server, hash};
///
/// // 50 points a server, named by its host alone, so that a new port moves no key.
/// let by_host = RingDistribution::new(
///     "by_host",
///     |server, points| {
///         points.extend((0..50).map(|n| hash::murmur3(format!("{}#{n}", server.host).as_bytes())));
///     },
///     hash::murmur3,
/// );
///
/// let old = Continuum::new(&by_host, &[Server::new("a", "11211"), Server::new("b", "11211")])?;
/// let new = Continuum::new(&by_host, &[Server::new("a", "11212"), Server::new("b", "11211")])?;
/// assert_eq!(old.server(b"user:42"), new.server(b"user:42"));
/// # Ok::<(), omcache_hash::BuildError>(())
/// ```
pub struct RingDistribution {
    name: String,
    points: Box<PointsOf>,
    key_hash: Arc<KeyHash>,
}

impl RingDistribution {
    /// A ring distribution of that name.
    ///
    /// `points` appends the hashes of one server's points, as many as it likes; it is called once
    /// for each server when a [`Continuum`](crate::Continuum) is built. `key_hash` hashes a key; it
    /// is called for each look-up.
    pub fn new(
        name: impl Into<String>,
        points: impl Fn(&Server<'_>, &mut Vec<u32>) + Send + Sync + 'static,
        key_hash: impl Fn(&[u8]) -> u32 + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), points: Box::new(points), key_hash: Arc::new(key_hash) }
    }
}

impl Distribution for RingDistribution {
    fn name(&self) -> &str {
        &self.name
    }

    fn build(&self, servers: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError> {
        check_count(servers)?;
        let mut points = Points::with_capacity(0);
        let mut hashes = Vec::new();
        for (server, index) in servers.iter().zip(0..) {
            (self.points)(server, &mut hashes);
            for hash in hashes.drain(..) {
                points.push(hash, index);
            }
        }
        if points.is_empty() {
            return Err(BuildError::NoPoints { distribution: self.name.clone(), servers: servers.len() });
        }
        Ok(Box::new(OwnRing { ring: points.into_ring()?, key_hash: Arc::clone(&self.key_hash) }))
    }
}

impl fmt::Debug for RingDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingDistribution").field("name", &self.name).finish_non_exhaustive()
    }
}

struct OwnRing {
    ring: Ring,
    key_hash: Arc<KeyHash>,
}

impl Placement for OwnRing {
    fn server(&self, key: &[u8]) -> usize {
        self.ring.server((self.key_hash)(key))
    }

    fn on_ring(&self, key: &[u8]) -> Option<(&Ring, u32)> {
        Some((&self.ring, (self.key_hash)(key)))
    }
}
