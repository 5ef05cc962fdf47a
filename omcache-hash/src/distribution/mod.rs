//! Distributions: the rules that say which server has a key.

mod dalli;
mod furc;
mod ketama;
mod modula;
mod named;
mod own;
mod placed;
mod point_name;
mod python_memcached;
mod rendezvous;
mod spymemcached;
mod twemproxy;

use alloc::boxed::Box;

use crate::MAX_SERVERS;
use crate::error::BuildError;
use crate::ring::Ring;
use crate::server::Server;

pub use self::named::Named;
pub use self::own::RingDistribution;
pub(crate) use self::placed::Placed;
pub(crate) use self::point_name::Decimal;

/// A rule that says which server has a key, before it knows the servers.
///
/// Implement this for a rule of your own; for one that places points on a ring,
/// [`RingDistribution`] is shorter.
///
/// ```
/// use omcache_hash::{BuildError, Continuum, Distribution, Placement, Server};
///
/// /// The key's length decides.
/// struct ByLength;
/// struct Places(usize);
///
/// impl Distribution for ByLength {
///     fn name(&self) -> &str {
///         "by_length"
///     }
///
///     fn build(&self, servers: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError> {
///         Ok(Box::new(Places(servers.len())))
///     }
/// }
///
/// impl Placement for Places {
///     fn server(&self, key: &[u8]) -> usize {
///         key.len() % self.0
///     }
/// }
///
/// let servers = [Server::new("a", "11211"), Server::new("b", "11211"), Server::new("c", "11211")];
/// let continuum = Continuum::new(&ByLength, &servers)?;
/// assert_eq!(continuum.server(b"four"), Some(1));
/// assert!(continuum.walk(b"four").eq([1, 2, 0]));
/// # Ok::<(), BuildError>(())
/// ```
pub trait Distribution: Send + Sync {
    /// The rule's name. It takes part in the [fingerprint](crate::Continuum::fingerprint): give two
    /// rules two names.
    fn name(&self) -> &str;

    /// The rule applied to these servers, of which there is at least one.
    ///
    /// # Errors
    ///
    /// Whatever makes it impossible; [`BuildError::Distribution`] takes an error of your own.
    fn build(&self, servers: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError>;

    /// The named distribution that this is, if it is one: its look-ups then need no virtual call.
    fn as_named(&self) -> Option<Named> {
        None
    }
}

/// A distribution that knows its servers.
pub trait Placement: Send + Sync {
    /// The index of the server that has the key, in the list given to [`Distribution::build`].
    ///
    /// Anything beyond the list is taken modulo its length.
    fn server(&self, key: &[u8]) -> usize;

    /// The servers to try for the key, one after the other, beginning with [`server`](Self::server).
    ///
    /// Repeats are left out by the caller, and servers that are missing come last, so a finite part
    /// will do; what is here by default is the first server alone, whereupon the ones after it in
    /// the list follow.
    fn walk<'a>(&'a self, key: &[u8]) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        Box::new(core::iter::once(self.server(key)))
    }

    /// The ring that the key is looked up in and its hash there, if there is a ring: a walk then goes
    /// on along it ([`Ring::servers_from`]), and needs no allocation.
    fn on_ring(&self, key: &[u8]) -> Option<(&Ring, u32)> {
        let _ = key;
        None
    }
}

// Within what an index of 16 bits can tell apart.
pub(crate) fn check_count(servers: &[Server<'_>]) -> Result<(), BuildError> {
    match servers.len() {
        given if given > MAX_SERVERS => Err(BuildError::TooManyServers { given, most: MAX_SERVERS }),
        _ => Ok(()),
    }
}
