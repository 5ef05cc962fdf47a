//! The view: a distribution and its servers, built once and asked for each key.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use crate::distribution::{Distribution, Named, Placed, Placement, check_count};
use crate::error::BuildError;
use crate::fingerprint;
use crate::hash::{BLOCK, HashFunction, OneAtATimeOfMany, md5};
use crate::server::Server;
use crate::walk::{Course, Walk};

/// A distribution applied to a list of servers.
///
/// Servers are known by their index in the list that the continuum was built from. The order of the
/// list decides where the distribution counts servers (modula, CRC-32, ch3) and among equal points
/// of a ring; it decides nothing else.
///
/// Building costs time in proportion to the number of points (about 100 to 160 a server); a change
/// of the servers means a new continuum.
pub struct Continuum {
    placement: Kind,
    servers: usize,
    fingerprint: u64,
    distribution: String,
}

enum Kind {
    Empty,
    Named(Placed),
    Own(Box<dyn Placement>),
}

/// Ketama without servers.
impl Default for Continuum {
    fn default() -> Self {
        let mut continuum = Self {
            placement: Kind::Empty,
            servers: 0,
            fingerprint: 0,
            distribution: Named::Ketama.to_string(),
        };
        continuum.fingerprint = fingerprint::of(&continuum, &[]);
        continuum
    }
}

impl Continuum {
    /// Builds a distribution over these servers, of which there may be none.
    ///
    /// # Errors
    ///
    /// [`BuildError::TooManyServers`] beyond [`MAX_SERVERS`](crate::MAX_SERVERS), [`BuildError::TooManyPoints`] and
    /// [`BuildError::NoPoints`] where the weights ask for too many points or none at all, and
    /// whatever a distribution of your own answers.
    pub fn new(distribution: &dyn Distribution, servers: &[Server<'_>]) -> Result<Self, BuildError> {
        check_count(servers)?;
        let named = distribution.as_named();
        let placement = if servers.is_empty() {
            Kind::Empty
        } else if let Some(named) = named {
            Kind::Named(named.place(servers)?)
        } else {
            Kind::Own(distribution.build(servers)?)
        };
        let mut continuum = Self {
            placement,
            servers: servers.len(),
            fingerprint: 0,
            distribution: match named {
                Some(named) => named.simplest().to_string(),
                None => distribution.name().to_owned(),
            },
        };
        continuum.fingerprint = fingerprint::of(&continuum, servers);
        Ok(continuum)
    }

    /// The index of the server that has the key; `None` without servers.
    ///
    /// Any bytes are a key here, none included; what memcached accepts as one is not checked.
    #[inline(always)]
    #[must_use]
    pub fn server(&self, key: &[u8]) -> Option<usize> {
        // Nothing of a key matters to a single server, so nothing is called.
        if self.servers == 1 {
            return Some(0);
        }
        if let Kind::Named(Placed::OneAtATime(ring)) = &self.placement {
            return Some(ring.server_of_key(key));
        }
        self.server_of_other(key)
    }

    /// The [`server`](Self::server) of each of `count` keys: `each` gets the key's number and the server's index, those of
    /// the last key first. It costs less than one after the other. Without servers nothing is told.
    ///
    /// ```
    /// use omcache_hash::{Continuum, Named, Server};
    ///
    /// let servers = [Server::new("a", "1"), Server::new("b", "1"), Server::new("c", "1")];
    /// let continuum = Continuum::new(&Named::Ketama, &servers)?;
    /// let keys: [&[u8]; 3] = [b"one", b"two", b"three"];
    /// continuum.for_each_server(keys.len(), |at| keys[at], |at, server| {
    ///     assert_eq!(continuum.server(keys[at]), Some(server));
    /// });
    /// # Ok::<(), omcache_hash::BuildError>(())
    /// ```
    #[inline(always)]
    pub fn for_each_server<'k>(
        &self,
        count: usize,
        key: impl Fn(usize) -> &'k [u8],
        mut each: impl FnMut(usize, usize),
    ) {
        if self.servers == 1 {
            for at in (0..count).rev() {
                // Those who give the keys may look at them.
                key(at);
                each(at, 0);
            }
            return;
        }
        let Kind::Named(Placed::OneAtATime(ring)) = &self.placement else {
            for at in (0..count).rev() {
                if let Some(server) = self.server_of_other(key(at)) {
                    each(at, server);
                }
            }
            return;
        };
        let server = ring.finder();
        // A block is hashed before the first key of it is looked up: two short loops have their needs in registers.
        let (mut keys, mut hashes) = ([[].as_slice(); BLOCK], OneAtATimeOfMany::new());
        let mut end = count;
        while end > 0 {
            let begin = end.saturating_sub(BLOCK);
            for (at, place) in (begin..end).zip(&mut keys) {
                *place = key(at);
            }
            let hashes = hashes.hashes(keys.get(..end - begin).unwrap_or_default());
            for (at, &hash) in (begin..end).zip(hashes).rev() {
                each(at, server(hash));
            }
            end = begin;
        }
    }

    fn server_of_other(&self, key: &[u8]) -> Option<usize> {
        match &self.placement {
            // Weighted ketama: as much as MD5 itself costs, little should come on top.
            Kind::Named(Placed::Ring(ring, HashFunction::Md5)) => Some(ring.server(md5(key))),
            Kind::Named(placed) => Some(placed.server(key)),
            Kind::Own(own) => own.server(key).checked_rem(self.servers),
            Kind::Empty => None,
        }
    }

    /// The servers for the key in the order in which to try them, each once, beginning with
    /// [`server`](Self::server).
    ///
    /// For failover, take the first that is up; for replicas, take the first few.
    ///
    /// ```
    /// use omcache_hash::{Continuum, Named, Server};
    ///
    /// let servers = [Server::new("a", "1"), Server::new("b", "1"), Server::new("c", "1")];
    /// let continuum = Continuum::new(&Named::Ketama, &servers)?;
    /// let down = continuum.server(b"key");
    /// let instead = continuum.walk(b"key").find(|&server| Some(server) != down);
    /// assert!(instead.is_some());
    /// # Ok::<(), omcache_hash::BuildError>(())
    /// ```
    #[inline]
    pub fn walk<'a>(&'a self, key: &[u8]) -> Walk<'a> {
        let (first, course) = match &self.placement {
            Kind::Named(placed) => placed.course(key),
            Kind::Own(own) => self.own_course(own.as_ref(), key),
            Kind::Empty => (0, Course::Following),
        };
        Walk::new(self.servers, first, course)
    }

    fn own_course<'a>(&'a self, own: &'a dyn Placement, key: &[u8]) -> (usize, Course<'a>) {
        let within = |server: usize| server.checked_rem(self.servers).unwrap_or(0);
        match own.on_ring(key) {
            Some((ring, hash)) => (within(ring.server(hash)), Course::Along(ring, hash)),
            None => (within(own.server(key)), Course::Own(own.walk(key))),
        }
    }

    /// How many servers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers
    }

    /// Whether there is no server.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers == 0
    }

    /// The distribution's name; the same for two names of one distribution.
    #[must_use]
    pub fn distribution(&self) -> &str {
        &self.distribution
    }

    /// A number that tells whether two clients agree: of the distribution, the servers in their
    /// order, and their weights and names.
    ///
    /// Equal fingerprints mean equal answers for every key. The other way round there is no promise:
    /// a changed order of the servers changes it, though only indices may differ.
    ///
    /// It is the same on every platform and in every release: the first eight bytes, as a
    /// little-endian number, of the MD5 of
    ///
    /// - `omcache-hash/1` and the [distribution's name](Self::distribution),
    /// - the number of servers,
    /// - for each server its host, its port, its weight, whether it has a name (1 or 0), and the name
    ///   (or an empty text),
    /// - for a distribution that is not one of [`Named`](crate::Named)'s, the servers of the 64 keys
    ///   `0`, `1`, … `63`, since its name alone does not say what it does,
    ///
    /// texts as their length in bytes and then their bytes, numbers and lengths as four bytes,
    /// little-endian.
    ///
    /// For a distribution of your own this is no proof: two that place those 64 keys alike, under the same
    /// name, may still differ in others.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether the distribution is a user's own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.placement, Kind::Own(_))
    }
}

impl fmt::Debug for Continuum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Continuum")
            .field("distribution", &self.distribution)
            .field("servers", &self.servers)
            .field("fingerprint", &format_args!("{:#018x}", self.fingerprint))
            .finish_non_exhaustive()
    }
}
