//! One server's connection: what it owes, and what becomes of its requests.

mod arrivals;
mod decode;
mod enqueue;
mod handshake;
mod state;
mod values;

use bytes::BytesMut;
use omcache_proto::binary::{HEADER_LEN, Opcode, ResponseHeader};

use crate::buffer::{Incoming, Outgoing};
use crate::config::Config;
use crate::error::Failure;
use crate::event::{Outcome, ServerChange, ServerEvent, Settled};
use crate::in_flight::{Entry, InFlight, Origin};
use crate::instant::Instant;
use crate::server::{Address, Server};
use crate::shared::{Queued, Shared};

use arrivals::Arrivals;
pub(crate) use decode::Message;
pub(crate) use enqueue::{MAX_QUIET_RUN, Packet};
pub(crate) use state::State;
pub use state::{ConnectionId, Health, ServerStatus};
pub(crate) use values::Decoded;
pub use values::TakenValue;

/// What follows for the cluster from something that happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Nothing.
    Nothing,
    /// It is disabled; what waits to be sent has to go elsewhere.
    Divert {
        /// It was disabled before, and failed a retry.
        again: bool,
    },
    /// It has something to do at the next [`Cluster::handle_time`](crate::Cluster::handle_time).
    Wake,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) server: Server,
    /// Its place in the server list; none once it was taken off.
    pub(crate) index: Option<usize>,
    pub(crate) state: State,
    pub(crate) down: bool,
    pub(crate) outgoing: Outgoing,
    pub(crate) in_flight: InFlight,
    pub(crate) incoming: Incoming,
    /// The socket took no more; it is to be told when it does.
    pub(crate) blocked: bool,
    /// Since when an answer is owed and nothing moved.
    pub(crate) waiting_since: Option<Instant>,
    pub(crate) last_failure: Option<Failure>,
    /// Since when which requests wait for the handshake.
    arrivals: Arrivals,
    /// The address has no room for a connection; until then it is left alone.
    pub(crate) busy_until: Option<Instant>,
    /// The first request that waited when the handshake began, by its opaque.
    first_waiting: Option<u32>,
    /// It stands in the cluster's list of connections with bytes to write.
    pub(crate) woken: bool,
    /// It stands in the cluster's list of connections that wait for the time.
    pub(crate) starting: bool,
    /// It stands in the cluster's list of connections with bytes to decode.
    pub(crate) unread: bool,
    /// Its place in the cluster's list of active connections.
    pub(crate) active_at: usize,
    /// It was lost with something outstanding, so it is to be tried at once.
    retry: bool,
    addresses: Vec<Address>,
    next_address: usize,
    probe: [u8; HEADER_LEN],
    /// A response whose header was read, and how many quiet requests it still settles.
    matched: Option<(ResponseHeader, usize)>,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, server: Server, index: usize) -> Self {
        Self {
            id,
            server,
            index: Some(index),
            state: State::Idle,
            down: false,
            outgoing: Outgoing::default(),
            in_flight: InFlight::default(),
            incoming: Incoming::default(),
            blocked: false,
            waiting_since: None,
            last_failure: None,
            arrivals: Arrivals::default(),
            busy_until: None,
            first_waiting: None,
            woken: false,
            starting: false,
            unread: false,
            active_at: usize::MAX,
            retry: false,
            addresses: Vec::new(),
            next_address: 0,
            probe: [0; HEADER_LEN],
            matched: None,
        }
    }

    pub(crate) fn status(&self) -> ServerStatus {
        let (health, retry_at) = match self.state {
            State::Idle => (Health::Idle, None),
            State::Ready => (Health::Ready, None),
            State::Disabled { until } => (Health::Disabled, Some(until)),
            _ if self.down => (Health::Retrying, None),
            _ => (Health::Connecting, None),
        };
        ServerStatus { health, last_failure: self.last_failure.clone(), retry_at }
    }

    /// Whether it needs looking after: something is outstanding, or a timer runs.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        match self.state {
            State::Ready | State::Idle => {
                !self.in_flight.is_empty() || !self.outgoing.is_empty() || self.retry
            }
            _ => true,
        }
    }

    /// The bytes to be written now.
    #[inline]
    pub(crate) fn transmit(&self) -> &[u8] {
        match self.state {
            State::Ready => self.outgoing.unsent(),
            State::Probing { sent, .. } => self.probe.get(sent..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether an answer is owed, or bytes wait that the socket refused.
    #[inline]
    pub(crate) fn owes(&self) -> bool {
        self.in_flight.loud() > 0 || self.blocked
    }

    /// Whether the next [`Cluster::handle_time`](crate::Cluster::handle_time) begins a handshake.
    #[inline]
    pub(crate) fn wants_handshake(&self) -> bool {
        self.state == State::Idle && (self.retry || !self.outgoing.is_empty())
    }

    /// When the next timer fires.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Instant> {
        let dead = self.waiting_since.map(|since| since + config.dead_timeout);
        match self.state {
            State::Idle => None,
            State::Disabled { until } => Some(until),
            State::Ready => dead,
            State::Resolving { lookup_deadline: step, .. }
            | State::Connecting { address_deadline: step, .. }
            | State::Probing { address_deadline: step, .. } => {
                [Some(step), dead, self.busy_until].into_iter().flatten().min()
            }
        }
    }

    /// Takes `count` bytes as written.
    #[inline]
    pub(crate) fn sent(&mut self, count: usize, shared: &mut Shared) {
        match &mut self.state {
            State::Ready if count > 0 => {}
            State::Probing { sent, .. } => {
                *sent += count;
                return;
            }
            _ => return,
        }
        self.outgoing.advance(count, &mut shared.pool);
        if !self.outgoing.is_empty() {
            // Part of a long transfer is progress.
            self.waiting_since = Some(shared.now);
            return;
        }
        self.blocked = false;
        if self.in_flight.loud() == 0 {
            self.waiting_since = None;
        } else if self.waiting_since.is_none() {
            // Else it waits already: more requests to a server that hangs are no progress.
            self.waiting_since = Some(shared.now);
        }
    }

    /// Judges anew what is waited for, after requests were taken back.
    pub(crate) fn taken_back(&mut self) {
        if self.outgoing.is_empty() {
            self.blocked = false;
            if self.in_flight.loud() == 0 {
                self.waiting_since = None;
            }
        }
    }

    #[inline]
    pub(crate) fn received(&mut self, count: usize, shared: &Shared) {
        if !matches!(self.state, State::Probing { .. } | State::Ready) {
            return;
        }
        self.incoming.received(count);
        if count > 0 && self.waiting_since.is_some() && self.state == State::Ready {
            self.waiting_since = Some(shared.now);
        }
    }

    /// Appends a NOOP of this crate's own, if quiet requests stand at the end whose fate nothing else would tell.
    pub(crate) fn settle_quiet(&mut self, shared: &mut Shared) -> bool {
        if self.in_flight.quiet_run() == 0 {
            return false;
        }
        let opaque = shared.internal_opaque();
        self.outgoing.extend(&handshake::noop(opaque), &mut shared.pool);
        let len = HEADER_LEN as u32;
        self.in_flight.push(Entry::new(opaque, len, Opcode::NOOP, Origin::Internal), &mut shared.pool);
        true
    }

    /// Takes out what is not sent at all: its entries, and their packets one after the other.
    pub(crate) fn take_unsent(&mut self) -> (Vec<Entry>, BytesMut) {
        let (count, len) = self.in_flight.unsent(self.outgoing.len());
        (self.in_flight.split_tail(count), self.outgoing.split_tail(len))
    }

    /// Takes a request back, if nothing of it is sent.
    pub(crate) fn cancel(&mut self, opaque: u32, shared: &mut Shared) -> bool {
        let unsent = self.outgoing.len();
        let Some((at, behind)) = self.in_flight.find_unsent(opaque, unsent) else { return false };
        let Some(entry) = self.in_flight.remove(at) else { return false };
        self.outgoing.cut(entry.len as usize, behind, &mut shared.pool);
        true
    }

    /// Whether one of those that are not sent at all is such.
    pub(crate) fn has_unsent(&self, is_such: impl Fn(&Entry) -> bool) -> bool {
        self.in_flight.last(self.in_flight.unsent(self.outgoing.len()).0).any(is_such)
    }

    pub(crate) fn settle_unsent(&mut self, failure: &Failure, shared: &mut Shared) {
        let (entries, _) = self.take_unsent();
        for entry in entries {
            self.settle(entry, Outcome::NotSent(failure.clone()), shared);
        }
        if self.outgoing.is_empty() {
            self.outgoing.clear(&mut shared.pool);
        }
    }

    pub(crate) fn settle_sent(&mut self, failure: &Failure, shared: &mut Shared) {
        let (entries, packets) = self.take_unsent();
        while let Some(entry) = self.in_flight.pop() {
            self.settle(entry, Outcome::Unknown(failure.clone()), shared);
        }
        self.outgoing.forget();
        if !packets.is_empty() {
            self.outgoing.extend(&packets, &mut shared.pool);
        }
        for entry in entries {
            self.in_flight.push(entry, &mut shared.pool);
        }
    }

    pub(crate) fn settle(&self, entry: Entry, outcome: Outcome, shared: &mut Shared) {
        if entry.origin == Origin::Internal {
            return;
        }
        let Entry { opaque, opcode, .. } = entry;
        shared.events.push_back(Queued::Settled(Settled { opaque, opcode, server: self.index, outcome }));
    }

    pub(crate) fn tell(&self, shared: &mut Shared, change: ServerChange) {
        if let Some(server) = self.index {
            let name = format!("{}:{}", self.server.host(), self.server.port());
            shared.events.push_back(Queued::Server(ServerEvent { server, name, change }));
        }
    }
}
