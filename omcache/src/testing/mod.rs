//! A memcached server in this process, for tests and demonstrations (feature `testing`).
//!
//! [`Server`] speaks the binary protocol as memcached 1.6.18 does: the same statuses, texts and versions. It starts in
//! a fraction of a millisecond at a port of its own, so that every test can have one or ten. Three things set it apart:
//!
//! - A test can look inside: at the items, the connections, and how many requests came.
//! - It has a clock that a test moves forward with [`Server::advance`], so that nobody waits for items to expire.
//! - It can be told to misbehave: to hang, to cut its answers short, to answer with garbage. See [`Fault`].
//!
//! ```
//! use omcache::testing::{Fault, Server};
//! use omcache::{Client, Expiration};
//! use std::time::Duration;
//!
//! let server = Server::start()?;
//! let mut client = Client::builder().server(server.address())?.timeout(Duration::from_millis(100)).build()?;
//!
//! client.set("greeting", "Hello", Expiration::after(Duration::from_secs(60)))?;
//! assert_eq!(server.get("greeting").as_deref(), Some(&b"Hello"[..]));
//! server.advance(Duration::from_secs(60));
//! assert!(client.get("greeting")?.is_none());
//!
//! server.misbehave(Fault::StopAnswering);
//! assert!(client.get("greeting").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where it differs from memcached
//!
//! - It keeps everything: there is no limit to the memory and no eviction. Only the size of an item is limited.
//! - Expirations and delays are exact, where memcached counts in whole seconds.
//! - A request that memcached does not know is skipped as a whole. memcached skips too much where such a request has
//!   extras or a key, VERBOSITY for one, and takes the connection's next request for a part of it.
//! - It speaks no other protocol than the binary one: a connection that begins otherwise is closed. So is one on which
//!   the lengths of a request contradict each other, without memcached's answer to that.
//! - STAT has all of memcached's names in the groups it knows (general, `settings`, `items`, `slabs`, `sizes`). Behind
//!   the names are true values as far as there is something to tell, else memcached's usual ones or 0.

mod acceptor;
mod answer;
mod builder;
mod clock;
mod command;
mod connection;
mod fault;
mod link;
mod number;
mod place;
mod sender;
mod server;
mod stat_names;
mod state;
mod stats;
mod store;

pub use builder::ServerBuilder;
pub use fault::Fault;
pub use server::{Server, StoredItem};
