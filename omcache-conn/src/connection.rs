//! One server's connection: its states, what it owes, and what follows from what happens to it.

use std::collections::VecDeque;

use bytes::BytesMut;
use omcache_proto::binary::{Decoded, HEADER_LEN, Opcode, RequestHeader, ResponseHeader, Status};

use crate::buffer::{Incoming, Outgoing, Pool};
use crate::config::Config;
use crate::error::{Failure, ProtocolError};
use crate::event::{Action, LookupId, Outcome, ServerChange, ServerEvent, Settled};
use crate::in_flight::{Entry, InFlight, Match, Origin};
use crate::instant::Instant;
use crate::server::{Address, Server};

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
/// [`Cluster::handle_time`](crate::Cluster::handle_time). `Connection::down` stands beside the state: it is set on the
/// way into Disabled and cleared on the way into Ready, and while it is set the server takes no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Resolving { lookup: LookupId, deadline: Instant },
    Connecting { address_deadline: Instant, deadline: Instant },
    Probing { opaque: u32, sent: usize, address_deadline: Instant, deadline: Instant },
    Ready,
    Disabled { until: Instant },
}

/// What the connections of a cluster share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Pool,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) events: VecDeque<Queued>,
    pub(crate) now: Instant,
    pub(crate) opaque: u32,
    pub(crate) lookups: u64,
}

/// An event that waits to be polled.
#[derive(Debug)]
pub(crate) enum Queued {
    Settled(Settled),
    Server(ServerEvent),
}

impl Shared {
    /// The opaque of a NOOP of this crate's own. It takes no number of the callers', whose requests so have
    /// consecutive ones, and is half the range away from those under way.
    pub(crate) fn internal_opaque(&self) -> u32 {
        self.opaque ^ 0x8000_0000
    }
}

/// What the bytes received so far amount to.
#[derive(Debug)]
pub(crate) enum Message {
    /// Nothing whole.
    None,
    /// The handshake's NOOP was answered.
    Ready,
    /// A quiet request is settled by a later response.
    Silent(Entry),
    /// The response at `start` answers `entry`.
    Answer { entry: Entry, header: ResponseHeader, start: usize },
    /// A response to `entry` that is too large; it is thrown away.
    TooLarge { entry: Entry, header: ResponseHeader },
    /// The server broke the protocol.
    Poison(ProtocolError),
}

/// What follows for the cluster from something that happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Nothing.
    Nothing,
    /// It is disabled; what waits to be sent has to go elsewhere.
    Divert,
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
    /// It stands in the cluster's list of connections to be looked at.
    pub(crate) woken: bool,
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
            woken: false,
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
            State::Ready | State::Idle => !self.in_flight.is_empty() || !self.outgoing.is_empty() || self.retry,
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

    /// When the next timer fires.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Instant> {
        let dead = self.waiting_since.map(|since| since + config.dead_timeout);
        match self.state {
            State::Idle => None,
            State::Disabled { until } => Some(until),
            State::Ready => dead,
            State::Resolving { deadline, .. } => Some(dead.map_or(deadline, |dead| dead.min(deadline))),
            State::Connecting { address_deadline, .. } | State::Probing { address_deadline, .. } => {
                Some(dead.map_or(address_deadline, |dead| dead.min(address_deadline)))
            }
        }
    }

    /// Does what the moment asks for: starts a handshake that is wanted, and fires timers.
    pub(crate) fn handle_time(&mut self, shared: &mut Shared) -> Follow {
        let now = shared.now;
        let dead = shared.config.dead_timeout;
        let is_dead = self.waiting_since.is_some_and(|since| since + dead <= now);
        match self.state {
            State::Idle if self.retry || !self.outgoing.is_empty() => self.start(shared),
            State::Disabled { until } if until <= now => {
                self.tell(shared, ServerChange::Retrying);
                self.start(shared)
            }
            State::Idle | State::Disabled { .. } => Follow::Nothing,
            State::Ready if is_dead => self.lost(Failure::DeadTimeout { limit: dead }, shared),
            State::Ready => Follow::Nothing,
            State::Resolving { .. } | State::Connecting { .. } | State::Probing { .. } if is_dead => {
                // What waited that long has failed; it is not handed on to make the caller wait once more.
                let failure = Failure::DeadTimeout { limit: dead };
                self.settle_unsent(&failure, shared);
                self.disable(failure, shared)
            }
            State::Resolving { deadline, .. } if deadline <= now => {
                let failure = Failure::ConnectTimeout { limit: shared.config.connect_timeout };
                self.disable(failure, shared)
            }
            State::Connecting { address_deadline, deadline } | State::Probing { address_deadline, deadline, .. }
                if address_deadline <= now =>
            {
                let failure = Failure::ConnectTimeout { limit: shared.config.connect_timeout };
                self.next_or_disable(failure, deadline, shared)
            }
            State::Resolving { .. } | State::Connecting { .. } | State::Probing { .. } => {
                if self.waiting_since.is_none() && !self.outgoing.is_empty() {
                    self.waiting_since = Some(now);
                }
                Follow::Nothing
            }
        }
    }

    /// Begins a handshake.
    fn start(&mut self, shared: &mut Shared) -> Follow {
        self.retry = false;
        self.waiting_since = (!self.outgoing.is_empty()).then_some(shared.now);
        let deadline = shared.now + shared.config.connect_timeout;
        if let Some(address) = self.server.literal_address() {
            self.addresses = vec![address];
            self.next_address = 0;
            return self.connect_next(deadline, shared);
        }
        shared.lookups += 1;
        let lookup = LookupId(shared.lookups);
        self.state = State::Resolving { lookup, deadline };
        let (host, port) = (self.server.host().to_owned(), self.server.port().to_owned());
        shared.actions.push_back(Action::Resolve { lookup, host, port });
        Follow::Nothing
    }

    pub(crate) fn resolved(&mut self, result: Result<Vec<Address>, Failure>, shared: &mut Shared) -> Follow {
        let State::Resolving { deadline, .. } = self.state else { return Follow::Nothing };
        self.next_address = 0;
        match result {
            Ok(addresses) if !addresses.is_empty() => self.addresses = addresses,
            // The addresses that worked before are worth a try while the resolver is out of order.
            _ if !self.addresses.is_empty() => {}
            Ok(_) => {
                let failure = Failure::Lookup { message: "the name has no address".into() };
                return self.disable(failure, shared);
            }
            Err(failure) => return self.disable(failure, shared),
        }
        self.connect_next(deadline, shared)
    }

    fn connect_next(&mut self, deadline: Instant, shared: &mut Shared) -> Follow {
        let Some(address) = self.addresses.get(self.next_address).cloned() else { return Follow::Nothing };
        let left = u32::try_from(self.addresses.len() - self.next_address).unwrap_or(u32::MAX);
        self.next_address += 1;
        // A hanging address must leave time for those behind it.
        let address_deadline = shared.now + deadline.since(shared.now) / left;
        self.state = State::Connecting { address_deadline, deadline };
        shared.actions.push_back(Action::Connect { connection: self.id, address });
        Follow::Nothing
    }

    pub(crate) fn connected(&mut self, shared: &mut Shared) -> Follow {
        let State::Connecting { address_deadline, deadline } = self.state else { return Follow::Nothing };
        let opaque = shared.internal_opaque();
        self.probe = noop(opaque);
        self.blocked = false;
        self.state = State::Probing { opaque, sent: 0, address_deadline, deadline };
        Follow::Wake
    }

    /// Its socket failed, or it is to be given up.
    pub(crate) fn lost(&mut self, failure: Failure, shared: &mut Shared) -> Follow {
        match self.state {
            State::Idle | State::Disabled { .. } | State::Resolving { .. } => Follow::Nothing,
            State::Connecting { deadline, .. } | State::Probing { deadline, .. } => {
                self.next_or_disable(failure, deadline, shared)
            }
            State::Ready => {
                self.retry = self.owes();
                self.close(shared);
                self.settle_sent(&failure, shared);
                self.last_failure = Some(failure.clone());
                self.tell(shared, ServerChange::Lost { failure });
                Follow::Wake
            }
        }
    }

    fn next_or_disable(&mut self, failure: Failure, deadline: Instant, shared: &mut Shared) -> Follow {
        if self.next_address >= self.addresses.len() || deadline <= shared.now {
            return self.disable(failure, shared);
        }
        if let Some(address) = self.addresses.get(self.next_address - 1).cloned() {
            self.tell(shared, ServerChange::AddressFailed { address, failure });
        }
        self.close(shared);
        self.connect_next(deadline, shared)
    }

    fn disable(&mut self, failure: Failure, shared: &mut Shared) -> Follow {
        let retry_in = shared.config.reconnect_timeout;
        self.close(shared);
        self.state = State::Disabled { until: shared.now + retry_in };
        self.down = true;
        self.last_failure = Some(failure.clone());
        self.tell(shared, ServerChange::Disabled { failure, retry_in });
        Follow::Divert
    }

    /// Lets go of the socket and of what was received, and is Idle.
    pub(crate) fn close(&mut self, shared: &mut Shared) {
        if matches!(self.state, State::Connecting { .. } | State::Probing { .. } | State::Ready) {
            shared.actions.push_back(Action::Close { connection: self.id });
        }
        self.incoming.reset(&mut shared.pool);
        self.matched = None;
        self.blocked = false;
        self.waiting_since = None;
        self.state = State::Idle;
    }

    /// Takes `count` bytes as written.
    #[inline]
    pub(crate) fn sent(&mut self, count: usize, shared: &mut Shared) {
        if let State::Probing { sent, .. } = &mut self.state {
            *sent += count;
            return;
        }
        self.outgoing.advance(count, &mut shared.pool);
        let drained = self.outgoing.is_empty();
        if drained {
            self.blocked = false;
        }
        // More requests to a server that hangs are no progress; the rest of a long transfer is.
        if self.owes() && (self.waiting_since.is_none() || !drained) {
            self.waiting_since = Some(shared.now);
        }
    }

    #[inline]
    pub(crate) fn received(&mut self, count: usize, shared: &Shared) {
        self.incoming.received(count);
        if count > 0 && self.waiting_since.is_some() && self.state == State::Ready {
            self.waiting_since = Some(shared.now);
        }
    }

    /// Decodes the next message.
    #[inline]
    pub(crate) fn next_message(&mut self, shared: &mut Shared) -> Message {
        let (header, silent) = match self.matched.take() {
            Some(matched) => matched,
            None => match self.next_header() {
                Ok(Some(header)) => match self.state {
                    State::Probing { opaque, .. } => return self.probe_answer(&header, opaque),
                    _ => match self.in_flight.find(header.opaque) {
                        Match::Entry { silent } => (header, silent),
                        Match::None => {
                            let ResponseHeader { opaque, opcode, .. } = header;
                            return Message::Poison(ProtocolError::Unexpected { opaque, opcode });
                        }
                    },
                },
                Ok(None) => return Message::None,
                Err(error) => return Message::Poison(error),
            },
        };
        if silent > 0 {
            if let Some(entry) = self.in_flight.pop() {
                self.matched = Some((header, silent - 1));
                return Message::Silent(entry);
            }
        }
        self.answer(header, shared)
    }

    /// The header of the next response, if all of the response is there or it is too large to be.
    #[inline]
    fn next_header(&mut self) -> Result<Option<ResponseHeader>, ProtocolError> {
        let pending = self.incoming.pending();
        match ResponseHeader::parse(pending)? {
            Decoded::Complete { message, .. } => Ok(Some(message)),
            Decoded::Incomplete { needed } => {
                if !pending.is_empty() {
                    self.incoming.lacks(needed);
                }
                Ok(None)
            }
        }
    }

    #[inline]
    fn answer(&mut self, header: ResponseHeader, shared: &Shared) -> Message {
        let Some(&entry) = self.in_flight.front() else { return Message::None };
        let len = header.packet_len();
        if entry.opcode.loud() != header.opcode.loud() {
            let (opaque, asked, answered) = (entry.opaque, entry.opcode, header.opcode);
            return Message::Poison(ProtocolError::OpcodeMismatch { opaque, asked, answered });
        }
        let too_large = len > shared.config.receive_limit;
        let there = self.incoming.pending().len();
        if there < len && !too_large {
            self.incoming.lacks(len - there);
            self.matched = Some((header, 0));
            return Message::None;
        }
        let start = self.incoming.position();
        let goes_on = header.opcode == Opcode::STAT && header.status.is_success() && header.key_len > 0;
        if goes_on && too_large {
            // Its outcome is told now; the lines that follow are nobody's business.
            self.in_flight.disown_front();
        }
        if !goes_on {
            self.in_flight.pop();
            if !self.owes() {
                self.waiting_since = None;
            }
        }
        if too_large {
            self.incoming.discard(len);
            return Message::TooLarge { entry, header };
        }
        self.incoming.consume(len);
        Message::Answer { entry, header, start }
    }

    fn probe_answer(&mut self, header: &ResponseHeader, asked: u32) -> Message {
        let ResponseHeader { opaque, opcode, status, .. } = *header;
        if opaque != asked || opcode != Opcode::NOOP {
            return Message::Poison(ProtocolError::Unexpected { opaque, opcode });
        }
        if status != Status::SUCCESS || header.body_len != 0 {
            return Message::Poison(ProtocolError::Probe { status });
        }
        self.incoming.consume(HEADER_LEN);
        self.state = State::Ready;
        self.down = false;
        self.waiting_since = None;
        Message::Ready
    }

    /// Appends a NOOP of this crate's own, if quiet requests stand at the end whose fate nothing else would tell.
    pub(crate) fn settle_quiet(&mut self, shared: &mut Shared) -> bool {
        if self.in_flight.quiet_run() == 0 {
            return false;
        }
        let opaque = shared.internal_opaque();
        self.outgoing.append(&mut shared.pool).extend_from_slice(&noop(opaque));
        let len = HEADER_LEN as u32;
        self.in_flight.push(Entry { opaque, len, opcode: Opcode::NOOP, origin: Origin::Internal });
        true
    }

    /// Takes out what is not sent at all: its entries, and their packets one after the other.
    pub(crate) fn take_unsent(&mut self) -> (VecDeque<Entry>, BytesMut) {
        let (count, len) = self.in_flight.unsent(self.outgoing.len());
        (self.in_flight.split_tail(count), self.outgoing.split_tail(len))
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
        self.outgoing.clear(&mut shared.pool);
        if !packets.is_empty() {
            self.outgoing.append(&mut shared.pool).extend_from_slice(&packets);
        }
        for entry in entries {
            self.in_flight.push(entry);
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

/// A NOOP as it is sent.
fn noop(opaque: u32) -> [u8; HEADER_LEN] {
    let header =
        RequestHeader { opcode: Opcode::NOOP, key_len: 0, extras_len: 0, vbucket: 0, body_len: 0, opaque, cas: 0 };
    header.encode()
}
