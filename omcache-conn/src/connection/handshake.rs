//! From a server's address to a connection that is ready, and back: look-up, connect, probe, loss, timers.

use std::time::Duration;

use omcache_proto::binary::{HEADER_LEN, Opcode, RequestHeader};

use super::{Connection, Follow, State};
use crate::error::Failure;
use crate::event::{Action, LookupId, ServerChange};
use crate::instant::Instant;
use crate::server::Address;
use crate::shared::Shared;

/// A server that refuses connections is not tried more often than this, or a program that waits for it would do nothing else.
const MIN_RETRY: Duration = Duration::from_millis(10);

impl Connection {
    /// Does what the moment asks for: starts a handshake that is wanted, and fires timers.
    pub(crate) fn handle_time(&mut self, shared: &mut Shared) -> Follow {
        let now = shared.now;
        let dead = shared.config.dead_timeout;
        let is_dead = self.waiting_since.is_some_and(|since| since + dead <= now);
        match self.state {
            State::Idle if self.wants_handshake() => self.start(shared),
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
            State::Connecting { address_deadline, deadline }
            | State::Probing { address_deadline, deadline, .. }
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
        let deadline = self.excused(deadline, shared);
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
        self.waiting_since = self.waiting_since.map(|_| shared.now);
        shared.now + shared.config.connect_timeout
    }

    /// Its socket failed, or it is to be given up.
    pub(crate) fn lost(&mut self, failure: Failure, shared: &mut Shared) -> Follow {
        match self.state {
            State::Idle | State::Disabled { .. } | State::Resolving { .. } => Follow::Nothing,
            State::Connecting { deadline, .. } | State::Probing { deadline, .. } => {
                self.next_or_disable(failure, deadline, shared)
            }
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
        let waiting_since = self.waiting_since;
        self.close(shared);
        self.waiting_since = waiting_since;
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
        self.state = State::Idle;
    }
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
