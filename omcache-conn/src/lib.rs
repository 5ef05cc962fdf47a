//! Connection and cluster state machines of a memcached client, without I/O.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or looks at the environment. A [`Cluster`] takes
//! requests, bytes and moments, and gives back bytes to send, sockets to open and close, names to look up, a moment to
//! be called again, and [events](Event). Whoever drives it does the waiting; so a blocking client, a program's own
//! `poll(2)` loop and an asynchronous runtime share one behaviour, and a test can let years pass in a microsecond.
//!
//! # The driving contract
//!
//! After any call that changes something, a driver does the following, in this order, until nothing more comes out:
//!
//! 1. [`Cluster::handle_time`] with the present moment: timers, and handshakes that wait to be started.
//! 2. [`Cluster::poll_action`]: look names up, open and close sockets; report with [`Cluster::handle_resolved`],
//!    [`Cluster::handle_connected`], [`Cluster::handle_lost`], or [`Cluster::handle_busy`] where an address has no room.
//! 3. [`Cluster::poll_transmit`]: write; report with [`Cluster::handle_sent`] or [`Cluster::handle_blocked`].
//! 4. [`Cluster::poll_event`]: answers, outcomes, changes of a server's state. [`Cluster::take_values`],
//!    [`Cluster::take_owned_values`], [`Cluster::take_responses`] and [`Cluster::take_silent`] have the usual ones at less
//!    cost.
//! 5. Wait until [`Cluster::poll_deadline`] for what [`Cluster::interests`] lists. What became readable is read into
//!    [`Cluster::receive_space`] and reported with [`Cluster::handle_received`]; what became writable after
//!    [`Cluster::handle_blocked`] is reported with [`Cluster::handle_writable`], or it is offered no bytes any more.
//!
//! # Promises
//!
//! - A response is matched to its request by opaque and opcode. One that fits nothing closes the connection.
//! - Each accepted request ends in exactly one event: a [`Response`], or an [`Outcome`] that tells whether it was sent.
//! - Nothing that may have been sent is sent twice; what was not sent goes to the next server of the ring.
//! - Buffers have limits, and a length from the wire is checked before it is used.
//!
//! # Example
//!
//! ```
//! use omcache_conn::{Action, Cluster, Config, Event, Instant, Server, Target};
//! use omcache_proto::{Key, Request};
//!
//! let mut cluster = Cluster::new(Config::default());
//! let now = Instant::ORIGIN;
//! cluster.set_servers(vec![Server::tcp("192.0.2.1", "11211")])?;
//! let key = Key::new(b"greeting")?;
//! let opaque = cluster.submit(Target::Key, &Request::Get { key, with_key: false, quiet: false })?;
//! cluster.handle_time(now);
//! // The driver is asked for a connection; until it stands, the request waits.
//! assert!(matches!(cluster.poll_action(), Some(Action::Connect { .. })));
//! assert!(cluster.poll_transmit().is_none());
//! # let _ = opaque;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod buffer;
pub mod cluster;
mod config;
mod connection;
pub mod error;
pub mod event;
mod in_flight;
mod instant;
mod server;
mod shared;

pub use cluster::{Cluster, Interest, LoneAnswer, Submitted, Target, Transmit};
pub use config::Config;
pub use connection::{ConnectionId, Health, ServerStatus, TakenValue};
pub use error::{Failure, ProtocolError, SubmitError};
pub use event::{Action, Event, LookupId, Outcome, Response, ServerChange, ServerEvent, Settled};
pub use instant::Instant;
pub use server::{Address, Endpoint, ParseServerError, Server, parse_server_list};

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
