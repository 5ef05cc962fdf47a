//! From a server's address to a connection that is ready, and back: look-up, connect, probe, loss, timers.

use std::time::Duration;

use omcache_proto::binary::{HEADER_LEN, Opcode, RequestHeader};

use super::{Connection, Follow, State};
use crate::error::Failure;
use crate::event::{Action, LookupId, ServerChange};
use crate::instant::Instant;
use crate::server::Address;
use crate::shared::Shared;

/// After this time an address is tried again that had no room for a connection.
const BUSY: Duration = Duration::from_millis(10);

/// A server that refuses connections is not tried more often than this, or a program that waits for it would do nothing else.
const MIN_RETRY: Duration = Duration::from_millis(10);

impl Connection {
    /// Does what the moment asks for: starts a handshake that is wanted, and fires timers.
    pub(crate) fn handle_time(&mut self, shared: &mut Shared) -> Follow {
        let now = shared.now;
        let dead = shared.config.dead_timeout;
        let dead_at = self.waiting_since.map_or(Instant::FAR_FUTURE, |since| since + dead);
        match self.state {
            State::Idle if self.wants_handshake() => self.start(shared),
            State::Disabled { until } if until <= now => {
                self.tell(shared, ServerChange::Retrying);
                self.start(shared)
            }
            State::Idle | State::Disabled { .. } => Follow::Nothing,
            State::Ready if dead_at <= now => self.lost(Failure::DeadTimeout { limit: dead }, shared),
            State::Ready => Follow::Nothing,
            // Where both limits come at once, as they do by default, it is the handshake that failed.
            State::Resolving { deadline, .. }
            | State::Connecting { deadline, .. }
            | State::Probing { deadline, .. }
                if dead_at <= now && dead_at < deadline =>
            {
                // What waited that long has failed; it is not handed on to make the caller wait once more.
                let failure = Failure::DeadTimeout { limit: dead };
                self.settle_overdue(&failure, shared);
                self.disable(failure, shared)
            }
            State::Resolving { lookup_deadline, deadline, .. } if lookup_deadline <= now => {
                if deadline > now {
                    return self.connect_first(deadline, shared);
                }
                let failure = Failure::ConnectTimeout { limit: shared.config.connect_timeout };
                self.disable(failure, shared)
            }
            State::Connecting { address_deadline, deadline }
            | State::Probing { address_deadline, deadline, .. }
                if address_deadline <= now =>
            {
                let failure = Failure::ConnectTimeout { limit: shared.config.connect_timeout };
                self.next_or_disable(failure, deadline, shared)
            }
            State::Resolving { .. } | State::Connecting { .. } | State::Probing { .. } => {
                if self.busy_until.is_some_and(|until| until <= now) {
                    self.ask_for_connect(shared);
                }
                self.note_arrivals(now);
                Follow::Nothing
            }
        }
    }

    /// Begins a handshake.
    fn start(&mut self, shared: &mut Shared) -> Follow {
        self.retry = false;
        self.waiting_since = None;
        self.arrivals.clear();
        self.note_arrivals(shared.now);
        self.first_waiting = self.in_flight.front().map(|entry| entry.opaque);
        let deadline = shared.now + shared.config.connect_timeout;
        if let Some(address) = self.server.literal_address() {
            self.addresses = vec![address];
            return self.connect_first(deadline, shared);
        }
        shared.lookups += 1;
        let lookup = LookupId(shared.lookups);
        // A resolver that hangs must leave time for the addresses that are known.
        let lookup_deadline = shared.now + share(deadline, shared.now, self.addresses.len() + 1);
        self.state = State::Resolving { lookup, lookup_deadline, deadline };
        let (host, port) = (self.server.host().to_owned(), self.server.port().to_owned());
        shared.actions.push_back(Action::Resolve { lookup, host, port });
        Follow::Nothing
    }

    pub(crate) fn resolved(&mut self, result: Result<Vec<Address>, Failure>, shared: &mut Shared) -> Follow {
        let State::Resolving { deadline, .. } = self.state else { return Follow::Nothing };
        let deadline = self.excused(deadline, shared);
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
        self.connect_first(deadline, shared)
    }

    fn connect_first(&mut self, deadline: Instant, shared: &mut Shared) -> Follow {
        self.next_address = 0;
        self.connect_next(deadline, shared)
    }

    fn connect_next(&mut self, deadline: Instant, shared: &mut Shared) -> Follow {
        if self.next_address >= self.addresses.len() {
            return Follow::Nothing;
        }
        // A hanging address must leave time for those behind it.
        let left = self.addresses.len() - self.next_address;
        let address_deadline = shared.now + share(deadline, shared.now, left);
        self.next_address += 1;
        self.state = State::Connecting { address_deadline, deadline };
        self.ask_for_connect(shared);
        Follow::Nothing
    }

    fn ask_for_connect(&mut self, shared: &mut Shared) {
        self.busy_until = None;
        if let Some(address) = self.addresses.get(self.next_address - 1).cloned() {
            shared.actions.push_back(Action::Connect { connection: self.id, address });
        }
    }

    /// There is no room for the connection now.
    pub(crate) fn busy(&mut self, shared: &mut Shared) -> Follow {
        if matches!(self.state, State::Connecting { .. }) {
            self.busy_until = Some(shared.now + BUSY);
        }
        Follow::Nothing
    }

    pub(crate) fn connected(&mut self, shared: &mut Shared) -> Follow {
        let State::Connecting { address_deadline, deadline } = self.state else { return Follow::Nothing };
        let address_deadline = self.excused(address_deadline, shared);
        let deadline = deadline.max(address_deadline);
        let opaque = shared.internal_opaque();
        self.probe = noop(opaque);
        self.blocked = false;
        self.state = State::Probing { opaque, sent: 0, address_deadline, deadline };
        Follow::Wake
    }

    /// A limit that passed before this step was reported begins anew: whoever drives was busy elsewhere, which is not the
    /// server's fault.
    fn excused(&mut self, deadline: Instant, shared: &Shared) -> Instant {
        if deadline >= shared.now {
            return deadline;
        }
        if self.waiting_since.take().is_some() {
            self.arrivals.clear();
            self.note_arrivals(shared.now);
        }
        shared.now + shared.config.connect_timeout
    }

    /// Its socket failed, or it is to be given up.
    pub(crate) fn lost(&mut self, failure: Failure, shared: &mut Shared) -> Follow {
        match self.state {
            State::Idle | State::Disabled { .. } | State::Resolving { .. } => Follow::Nothing,
            State::Connecting { deadline, .. } | State::Probing { deadline, .. } => {
                self.next_or_disable(failure, deadline, shared)
            }
            // Nothing could be sent on it: it would be made anew for ever.
            State::Ready if self.is_stuck() => self.disable(failure, shared),
            State::Ready => {
                let retry = self.owes();
                self.close(shared);
                self.retry = retry;
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
        // The requests have waited since the first address.
        let (waiting_since, arrivals) = (self.waiting_since, std::mem::take(&mut self.arrivals));
        self.close(shared);
        (self.waiting_since, self.arrivals) = (waiting_since, arrivals);
        self.connect_next(deadline, shared)
    }

    fn disable(&mut self, failure: Failure, shared: &mut Shared) -> Follow {
        let retry_in = shared.config.reconnect_timeout.max(MIN_RETRY);
        self.close(shared);
        self.state = State::Disabled { until: shared.now + retry_in };
        let again = std::mem::replace(&mut self.down, true);
        self.last_failure = Some(failure.clone());
        self.tell(shared, ServerChange::Disabled { failure, retry_in });
        Follow::Divert { again }
    }

    /// Lets go of the socket and of what was received, and is Idle.
    pub(crate) fn close(&mut self, shared: &mut Shared) {
        if matches!(self.state, State::Connecting { .. } | State::Probing { .. } | State::Ready) {
            shared.actions.push_back(Action::Close { connection: self.id });
        }
        self.incoming.reset(&mut shared.pool);
        self.matched = None;
        self.blocked = false;
        self.retry = false;
        self.waiting_since = None;
        self.arrivals.clear();
        self.busy_until = None;
        self.state = State::Idle;
    }

    /// Whether the request for which this connection was made still waits, and so nothing was sent.
    fn is_stuck(&self) -> bool {
        self.first_waiting.is_some()
            && self.first_waiting == self.in_flight.front().map(|entry| entry.opaque)
            && self.in_flight.unsent(self.outgoing.len()).0 == self.in_flight.len()
    }
}

/// The share of one of `parts` in the time that is left.
fn share(deadline: Instant, now: Instant, parts: usize) -> Duration {
    deadline.since(now) / u32::try_from(parts).unwrap_or(u32::MAX).max(1)
}

/// A NOOP as it is sent.
pub(super) fn noop(opaque: u32) -> [u8; HEADER_LEN] {
    let header = RequestHeader {
        opcode: Opcode::NOOP,
        key_len: 0,
        extras_len: 0,
        vbucket: 0,
        body_len: 0,
        opaque,
        cas: 0,
    };
    header.encode()
}
