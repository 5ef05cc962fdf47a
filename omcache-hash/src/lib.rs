//! Which memcached server has a key.
//!
//! A client of several memcached servers decides by itself which of them has a key. All clients of
//! one cluster must decide alike, or they miss each other's values. This crate decides as
//! libmemcached does, and as a number of other clients do, byte for byte; it does no I/O, needs no
//! `std`, and knows nothing of the protocol.
//!
//! A [`Distribution`] is the rule: one of the [`Named`] ones, or your own. Together with the
//! [`Server`]s it makes a [`Continuum`], which is built once and then asked for each key.
//!
//! ```
//! use omcache_hash::{Continuum, Named, Server};
//!
//! let servers = [
//!     Server::new("10.0.0.1", "11211"),
//!     Server::new("10.0.0.2", "11211"),
//!     Server::new("10.0.0.3", "11211"),
//! ];
//! let continuum = Continuum::new(&Named::Ketama, &servers)?;
//!
//! let home = continuum.server(b"user:42");
//! // Where to go when servers are down, and where replicas belong: on along the ring.
//! let order: Vec<usize> = continuum.walk(b"user:42").collect();
//! assert_eq!(order.first().copied(), home);
//! assert_eq!(order.len(), 3);
//! # Ok::<(), omcache_hash::BuildError>(())
//! ```
//!
//! Nothing here blocks, panics or reads a clock. Looking up a key takes constant time whatever the
//! number of servers (but for [`Named::PymemcacheRendezvous`], which looks at each) and allocates
//! nothing.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod continuum;
pub mod distribution;
mod error;
mod fingerprint;
pub mod hash;
mod ring;
mod server;
mod walk;

pub use self::continuum::Continuum;
pub use self::distribution::{Distribution, Named, Placement, RingDistribution};
pub use self::error::{BuildError, UnknownDistribution, UnknownHash};
pub use self::hash::HashFunction;
pub use self::ring::{MAX_POINTS, Ring, RingServers};
pub use self::server::Server;
pub use self::walk::Walk;

/// The most servers that a [`Continuum`] holds.
pub const MAX_SERVERS: usize = 65_535;
