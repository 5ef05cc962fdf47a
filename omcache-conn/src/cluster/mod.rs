//! A cluster of servers: it places requests, follows the connections, and tells what became of everything.

mod input;
mod list;
mod lone;
mod many;
mod output;
mod route;
mod submit;
mod withdraw;

use std::sync::Arc;

use omcache_hash::{Continuum, Distribution, Named};

use crate::config::Config;
use crate::connection::{Connection, ConnectionId, Decoded, Follow, ServerStatus, State};
use crate::error::Failure;
use crate::instant::Instant;
use crate::server::Server;
use crate::shared::Shared;

use lone::LoneBuffers;
pub use lone::{Lone, LoneAnswer};
use many::Chains;
pub use many::Submitted;
pub use output::{Interest, Transmit};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// To the server that its key belongs to, or the next live one in ring order.
    Key,
    /// To the server with this index, and no other.
    Server(usize),
}

/// The state machine of a whole cluster. The [crate's page](crate) has the order of calls.
///
/// Inputs are `submit…` and `handle_…`, outputs `poll_…` and their short forms; no call blocks or reads a clock: moments are
/// parameters.
pub struct Cluster {
    pub(crate) connections: Vec<Option<Connection>>,
    /// The slot of each server of the list.
    pub(crate) order: Vec<ConnectionId>,
    pub(crate) continuum: Continuum,
    distribution: Arc<dyn Distribution>,
    pub(crate) shared: Shared,
    /// Connections that may have bytes to write.
    woken: Vec<ConnectionId>,
    /// Connections that wait for the time: to start a handshake, or for how long their requests have waited.
    starting: Vec<ConnectionId>,
    /// Connections with a handshake, a timer, or something outstanding.
    active: Vec<ConnectionId>,
    /// Connections with bytes to decode.
    readable: Vec<ConnectionId>,
    /// One that was read to the end, but whose buffer the last response borrowed.
    unsettled: Option<ConnectionId>,
    lone: LoneBuffers,
    chains: Chains,
    /// Empty, kept for its memory.
    decoded: Vec<Decoded>,
    /// No timer fires before this moment.
    next_timer: Instant,
    /// The index of the server that took the last request.
    last_server: usize,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("servers", &self.order.len())
            .field("distribution", &self.distribution.name())
            .field("active", &self.active.len())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster without servers, on libmemcached's ketama.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            connections: Vec::new(),
            order: Vec::new(),
            continuum: Continuum::default(),
            distribution: Arc::new(Named::Ketama),
            shared: Shared::new(config),
            woken: Vec::new(),
            starting: Vec::new(),
            active: Vec::new(),
            readable: Vec::new(),
            unsettled: None,
            lone: LoneBuffers::default(),
            chains: Chains::default(),
            decoded: Vec::new(),
            next_timer: Instant::FAR_FUTURE,
            last_server: 0,
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Sets other limits. How long an answer is owed already is judged by the new dead timeout; a handshake that is under
    /// way, and the pause of a disabled server, end when they were to.
    pub fn set_config(&mut self, config: Config) {
        self.shared.set_config(config);
        self.next_timer = Instant::ORIGIN;
    }

    /// The opaque of the last request. They count up by one, and wrap; those of refused requests are used again.
    #[inline]
    #[must_use]
    pub fn last_opaque(&self) -> u32 {
        self.shared.opaque
    }

    /// The index of the server that took the last request that was accepted.
    #[inline]
    #[must_use]
    pub fn last_server(&self) -> usize {
        self.last_server
    }

    /// Sets the opaque after which requests are numbered; the next one gets `opaque + 1`, wrapping.
    #[inline]
    pub fn set_last_opaque(&mut self, opaque: u32) {
        self.shared.opaque = opaque;
    }

    /// The server that a request with this key goes to now, by its index: the first in ring order that takes keys.
    /// None where every server is disabled, or there is none.
    #[must_use]
    pub fn server_for_key(&self, key: &[u8]) -> Option<usize> {
        self.live_server(key)
    }

    /// The servers, in the order of their indices.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.order.iter().filter_map(|&slot| Some(&self.connection(slot)?.server))
    }

    /// How many servers there are.
    #[must_use]
    pub fn server_count(&self) -> usize {
        self.order.len()
    }

    /// The server with this index.
    #[must_use]
    pub fn server(&self, index: usize) -> Option<&Server> {
        Some(&self.connection(*self.order.get(index)?)?.server)
    }

    /// How the server with this index is doing.
    #[must_use]
    pub fn server_status(&self, index: usize) -> Option<ServerStatus> {
        Some(self.connection(*self.order.get(index)?)?.status())
    }

    /// The connection of the server with this index.
    #[must_use]
    pub fn connection_of(&self, index: usize) -> Option<ConnectionId> {
        self.order.get(index).copied()
    }

    /// The ring.
    #[must_use]
    pub fn continuum(&self) -> &Continuum {
        &self.continuum
    }

    /// While on, the bytes of responses stay where they are until [`Cluster::release_received`], so that a caller
    /// outside Rust can go on looking at them.
    pub fn hold_received(&mut self, on: bool) {
        self.shared.pool.hold = on;
    }

    /// Lets go of the responses seen so far.
    #[inline]
    pub fn release_received(&mut self) {
        if usize::from(self.unsettled.is_some()) | self.shared.pool.held() > 0 {
            self.release_received_after(0);
        }
    }

    /// A mark behind the responses seen so far, for [`Cluster::release_received_after`].
    pub fn mark_received(&mut self) -> usize {
        if let Some(slot) = self.unsettled.take() {
            self.settle(slot);
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.incoming.hold_decoded(&mut self.shared.pool);
        }
        self.shared.pool.held()
    }

    /// Lets go of the responses seen since [`Cluster::mark_received`] returned this mark.
    pub fn release_received_after(&mut self, mark: usize) {
        if let Some(slot) = self.unsettled.take() {
            // What it would hold is let go of at once.
            let hold = std::mem::replace(&mut self.shared.pool.hold, false);
            self.settle(slot);
            self.shared.pool.hold = hold;
        }
        self.shared.pool.release(mark);
    }

    #[inline]
    pub(crate) fn connection(&self, slot: ConnectionId) -> Option<&Connection> {
        self.connections.get(slot.index())?.as_ref()
    }

    #[inline]
    pub(crate) fn parts(&mut self, slot: ConnectionId) -> Option<(&mut Connection, &mut Shared)> {
        Some((self.connections.get_mut(slot.index())?.as_mut()?, &mut self.shared))
    }

    #[inline]
    pub(crate) fn wake(&mut self, slot: ConnectionId) {
        let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return };
        if !matches!(connection.state, State::Ready | State::Probing { .. }) {
            self.await_time(slot);
        } else if !connection.woken {
            connection.woken = true;
            self.woken.push(slot);
        }
    }

    /// Sees to it that requests are sent which joined others of a connection.
    pub(crate) fn joined(&mut self, slot: ConnectionId) {
        // Also one that is about to be ready waits for the time: its new requests do.
        match self.connection(slot).is_some_and(|connection| connection.state == State::Ready) {
            true => self.wake(slot),
            false => self.await_time(slot),
        }
        self.activate(slot);
    }

    fn await_time(&mut self, slot: ConnectionId) {
        if let Some(Some(connection)) = self.connections.get_mut(slot.index())
            && !std::mem::replace(&mut connection.starting, true)
        {
            self.starting.push(slot);
        }
    }

    #[inline]
    pub(crate) fn activate(&mut self, slot: ConnectionId) {
        if let Some(Some(connection)) = self.connections.get_mut(slot.index())
            && connection.active_at == usize::MAX
        {
            connection.active_at = self.active.len();
            self.active.push(slot);
        }
    }

    pub(crate) fn deactivate(&mut self, slot: ConnectionId) {
        let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return };
        let at = std::mem::replace(&mut connection.active_at, usize::MAX);
        if at >= self.active.len() {
            return;
        }
        connection.in_flight.give_memory(&mut self.shared.pool);
        self.active.swap_remove(at);
        if let Some(&moved) = self.active.get(at)
            && let Some(Some(connection)) = self.connections.get_mut(moved.index())
        {
            connection.active_at = at;
        }
    }

    /// Draws the consequences of something that happened to a connection.
    pub(crate) fn follow(&mut self, slot: ConnectionId, follow: Follow) {
        match follow {
            Follow::Nothing => {}
            Follow::Wake => self.wake(slot),
            Follow::Divert { again } => self.divert(slot, again),
        }
        let Some(connection) = self.connection(slot) else { return };
        let (active, deadline) = (connection.is_active(), connection.deadline(&self.shared.config));
        if active {
            self.activate(slot);
        } else {
            self.deactivate(slot);
        }
        if let Some(deadline) = deadline {
            self.next_timer = self.next_timer.min(deadline);
        }
    }

    /// Hands what waits for a disabled server to the next live server of each key.
    fn divert(&mut self, slot: ConnectionId, again: bool) {
        let Some((connection, _)) = self.parts(slot) else { return };
        let unsent = connection.take_unsent();
        let failure = connection.last_failure.clone().unwrap_or(Failure::NoServers);
        // Two servers that hang while they are tried again would hand it to and fro for ever.
        self.reroute(slot, unsent, !again, &failure);
    }
}
