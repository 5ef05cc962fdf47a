//! The states of a connection, and the health that they are to the outside.

use crate::error::Failure;
use crate::event::LookupId;
use crate::instant::Instant;

/// Names a connection towards its driver. Numbers are small and used again, so that a driver can index by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) u32);

impl ConnectionId {
    /// The number, for use as an index.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// No connection stands, and none is needed now. It takes keys.
    Idle,
    /// A handshake is under way. It takes keys.
    Connecting,
    /// Connected. It takes keys.
    Ready,
    /// It failed its handshake and takes no keys.
    Disabled,
    /// It takes no keys yet, but is being tried again.
    Retrying,
}

/// A server's health, and what it last failed of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatus {
    /// How it is doing.
    pub health: Health,
    /// Its last failure, if it had one since it was put on the list.
    pub last_failure: Option<Failure>,
    /// When it is tried again, where it is disabled.
    pub retry_at: Option<Instant>,
}

/// The states of a connection.
///
/// ```text
///               something to send         addresses           connected           NOOP answered
///       ┌─────┐ ───────────────▶ Resolving ───────▶ Connecting ───────▶ Probing ──────────────▶ Ready
///   ┌──▶│Idle │ ─── no look-up needed ───────────────▲  ▲                │  │                     │
///   │   └─────┘                      │            │  │  └─ next address ─┘  │                     │
///   │                                └────────────┴──┼───── no more ────────┘                     │
///   │                                        ▼       │                                            │
///   │                                     Disabled ──┘ (after the reconnect timeout, by Resolving)│
///   └──────────────────────────────────────────── lost ──────────────────────────────────────────┘
/// ```
///
/// A connection that was lost with something outstanding, or waiting to be sent, leaves Idle at the next
/// [`Cluster::handle_time`](crate::Cluster::handle_time). One that was lost before the request that it was made for could be
/// sent goes from Ready to Disabled. A look-up that hangs is left for Connecting where addresses are known from before. `Connection::down` stands beside the state: it is set on the
/// way into Disabled and cleared on the way into Ready, and while it is set the server takes no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Resolving { lookup: LookupId, lookup_deadline: Instant, deadline: Instant },
    Connecting { address_deadline: Instant, deadline: Instant },
    Probing { opaque: u32, sent: usize, address_deadline: Instant, deadline: Instant },
    Ready,
    Disabled { until: Instant },
}
