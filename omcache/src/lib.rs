//! A memcached client for clusters: redundant, consistent, and easy to put into any event loop.
//!
//! [`Client`] stores and reads values on a cluster of memcached servers, choosing the same server for every key as
//! libmemcached does. Where a server dies or hangs, its keys go to the next one of the ring in bounded time, and each
//! operation tells what became of it: answered, not sent, or unknown.
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use omcache::{Client, Expiration, Stored, testing::Server};
//! use std::time::Duration;
//!
//! let (a, b) = (Server::start()?, Server::start()?);
//! let mut client = Client::builder()
//!     .server(a.address())?
//!     .server(b.address())?
//!     .timeout(Duration::from_millis(500))
//!     .build()?;
//!
//! let stored = client.add("lock:report", "me", Expiration::after(Duration::from_secs(30)))?;
//! assert!(stored.is_stored());
//! assert_eq!(client.add("lock:report", "you", Expiration::NEVER)?, Stored::Exists);
//! let values = client.get_multi(&["lock:report", "lock:mail"]);
//! assert_eq!(values[0].as_ref().unwrap().as_ref().unwrap().data, "me");
//! assert_eq!(*values[1].as_ref().unwrap(), None);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `tokio`: `aio::AsyncClient`, the client on tokio.
//! - `testing`: `testing::Server`, a small memcached server in this process, that can be told to misbehave.
//!
//! # Logging
//!
//! Changes of servers go to the [`log`](https://docs.rs/log) facade under the target `omcache`: `warn` for failed
//! look-ups, `info` for servers that are disabled, lost or tried again, `debug` for connects.

#[cfg(feature = "tokio")]
pub mod aio;
mod client;
mod command;
pub mod driver;
mod error;
mod expiration;
#[cfg(feature = "testing")]
pub mod testing;

/// What a program's own distribution is made of: [`ClientBuilder::distribution`](crate::ClientBuilder::distribution)
/// takes any [`Distribution`].
///
/// These are types of the crate `omcache-hash`, passed on deliberately: its version is part of this crate's interface.
pub mod distribution {
    pub use omcache_hash::{
        BuildError, Distribution, Named, Placement, Ring, RingDistribution, Server, UnknownDistribution, hash,
    };
}

pub use bytes::Bytes;
pub use distribution::{Distribution, Named};
pub use omcache_conn::{Endpoint, Server as ServerAddress};

pub use client::{
    Client, ClientBuilder, Completion, Flushed, RawRequest, RawResponse, ServerInfo, ServerState, Ticket,
};
pub use command::{Command, Delta, Item, Mode, Reply, Stored, Value, ValueRef};
pub use driver::Descriptor;
pub use error::{Error, ErrorKind};
pub use expiration::Expiration;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ProjectReadme;
