//! What the driver is told: things to do, bytes to write, what to wait for, events.

use omcache_proto::binary::{Found, ResponseHeader};

use super::Cluster;
use crate::connection::{ConnectionId, Follow, Message, State, TakenValue};
use crate::error::Failure;
use crate::event::{Action, Event, Outcome, Response, ServerChange, Settled};
use crate::in_flight::Origin;
use crate::instant::Instant;
use crate::shared::Queued;

/// The list of so many decoded values is kept for its memory.
const KEPT: usize = 1024;

/// Bytes to be written to a connection's socket.
#[derive(Debug)]
pub struct Transmit<'c> {
    /// The connection.
    pub connection: ConnectionId,
    /// The bytes.
    pub bytes: &'c [u8],
}

/// What to wait for on a connection's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interest {
    /// The connection.
    pub connection: ConnectionId,
    /// Whether bytes are expected.
    pub readable: bool,
    /// Whether room to write is, or the end of a connect.
    pub writable: bool,
}

enum Next {
    Queued(Queued),
    Answer { connection: ConnectionId, header: ResponseHeader, start: usize },
}

impl Cluster {
    /// The next thing that only the driver can do.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.shared.actions.pop_front()
    }

    /// Whether [`Cluster::poll_action`] has something.
    #[inline]
    #[must_use]
    pub fn has_action(&self) -> bool {
        !self.shared.actions.is_empty()
    }

    /// Bytes to be written. Each call must be followed by [`Cluster::handle_sent`], [`Cluster::handle_blocked`] or
    /// [`Cluster::handle_lost`] for that connection.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        let connection = loop {
            let slot = self.woken.pop()?;
            let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { continue };
            connection.woken = false;
            if !connection.blocked && !connection.transmit().is_empty() {
                break slot;
            }
        };
        let bytes = self.connection(connection)?.transmit();
        Some(Transmit { connection, bytes })
    }

    /// The moment at which [`Cluster::handle_time`] is to be called at the latest; none where no timer runs.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Instant> {
        let timers = self.active.iter().filter_map(|&slot| {
            let connection = self.connection(slot)?;
            if connection.wants_handshake() {
                return Some(self.shared.now);
            }
            connection.deadline(&self.shared.config)
        });
        timers.min()
    }

    /// As [`Cluster::poll_deadline`], at less cost, to be asked after [`Cluster::handle_time`]: it may be too early, but
    /// never is too late. One call of [`Cluster::handle_time`] at that moment puts it right.
    #[inline]
    #[must_use]
    pub fn next_wakeup(&self) -> Instant {
        self.next_timer
    }

    /// What to wait for. Connections that owe nothing are left out.
    pub fn interests(&self) -> impl Iterator<Item = Interest> {
        self.active.iter().filter_map(|&slot| {
            let connection = self.connection(slot)?;
            let (readable, writable) = match connection.state {
                State::Connecting { .. } => (false, connection.busy_until.is_none()),
                State::Probing { .. } => (true, !connection.transmit().is_empty()),
                State::Ready => (connection.in_flight.loud() > 0, !connection.outgoing.is_empty()),
                State::Idle | State::Resolving { .. } | State::Disabled { .. } => (false, false),
            };
            // While bytes wait to be written, answers are read too: else two full buffers could wait for each other.
            let readable = readable || (writable && connection.state == State::Ready);
            (readable || writable).then_some(Interest { connection: slot, readable, writable })
        })
    }

    /// Whether an answer is owed, or something waits to be sent.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.active
            .iter()
            .filter_map(|&slot| self.connection(slot))
            .any(|connection| connection.in_flight.loud() > 0 || !connection.outgoing.is_empty())
    }

    /// Whether a handshake is under way, whose end may change where a key goes.
    #[inline]
    #[must_use]
    pub fn has_handshake(&self) -> bool {
        self.active.iter().filter_map(|&slot| self.connection(slot)).any(|connection| {
            !matches!(connection.state, State::Idle | State::Ready | State::Disabled { .. })
        })
    }

    /// Whether [`Cluster::poll_event`] may have something.
    #[inline]
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.shared.events.is_empty() || !self.readable.is_empty()
    }

    /// How many connections have received what was not looked at.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> usize {
        self.readable.len()
    }

    /// The next event. Responses borrow from the connection's buffer until the next call.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        if let Some(slot) = self.unsettled.take() {
            self.settle(slot);
        }
        match self.next_event()? {
            Next::Queued(Queued::Settled(settled)) => Some(Event::Settled(settled)),
            Next::Queued(Queued::Server(event)) => Some(Event::Server(event)),
            Next::Answer { connection: slot, header, start } => {
                let connection = self.connections.get_mut(slot.index())?.as_mut()?;
                if connection.incoming.pending().is_empty() {
                    // Nothing is left to decode; the buffer is given back once the response is done with.
                    connection.unread = false;
                    self.readable.pop();
                    self.unsettled = Some(slot);
                }
                let server = connection.index.unwrap_or_default();
                Some(Event::Response(Response { server, header, start, incoming: &mut connection.incoming }))
            }
        }
    }

    /// Hands out the events that come next as long as they are responses to the requests that are next in order, as all are
    /// where nothing is amiss, and `each` returns true. [`Cluster::poll_event`] has the rest. It costs less for each.
    #[inline(always)]
    pub fn take_responses(&mut self, mut each: impl FnMut(Response<'_>) -> bool) {
        while let Some(slot) = self.next_readable() {
            let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return };
            let (server, limit) = (connection.index.unwrap_or_default(), self.shared.config.receive_limit);
            let goes_on = connection.take_in_order(limit, |incoming, header, start| {
                each(Response { server, header, start, incoming })
            });
            if !self.read_in_order(slot, goes_on) {
                return;
            }
        }
    }

    /// As [`Cluster::take_responses`], for those who only look at values that were asked for: `each` is shown the server's
    /// index, the request's opaque and the value, as long as it is for a request that is wanted. It ends before any other
    /// response, and costs still less.
    #[inline(always)]
    pub fn take_values(
        &mut self,
        is_wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(usize, u32, Found<'_>) -> bool,
    ) {
        while let Some(slot) = self.next_readable() {
            let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return };
            let (server, limit) = (connection.index.unwrap_or_default(), self.shared.config.receive_limit);
            let goes_on =
                connection.take_values(limit, &is_wanted, |opaque, found| each(server, opaque, found));
            if !self.read_in_order(slot, goes_on) {
                return;
            }
        }
    }

    /// As [`Cluster::take_values`], for those who take values out: `each` gets each one, with its server's index, as long as
    /// it is for a request that is wanted.
    #[inline(always)]
    pub fn take_owned_values(
        &mut self,
        is_wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(usize, TakenValue),
    ) {
        let mut decoded = std::mem::take(&mut self.decoded);
        while let Some(slot) = self.next_readable() {
            let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { break };
            let (server, limit) = (connection.index.unwrap_or_default(), self.shared.config.receive_limit);
            let each = |value| each(server, value);
            let goes_on = connection.take_owned_values(limit, &mut decoded, &is_wanted, each);
            if !self.read_in_order(slot, goes_on) {
                break;
            }
        }
        if decoded.capacity() <= KEPT {
            self.decoded = decoded;
        }
    }

    /// The connection to be read from next, where no other event comes first.
    #[inline]
    fn next_readable(&mut self) -> Option<ConnectionId> {
        if !self.shared.events.is_empty() {
            return None;
        }
        if let Some(slot) = self.unsettled.take() {
            self.settle(slot);
        }
        self.readable.last().copied()
    }

    /// Notes what was read from a connection; whether to go on with the next one.
    #[inline]
    fn read_in_order(&mut self, slot: ConnectionId, goes_on: Option<bool>) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return false };
        if goes_on.is_none() || !connection.incoming.pending().is_empty() {
            return false;
        }
        // Nothing is left to decode; the buffer is given back once the last response is done with.
        connection.unread = false;
        self.readable.pop();
        self.unsettled = Some(slot);
        goes_on == Some(true)
    }

    /// Hands out the events that come next as long as they are that a quiet request was passed over in silence: the request's
    /// opaque. To be called where such an event was the last one; [`Cluster::poll_event`] has the rest. It costs less for
    /// each.
    #[inline]
    pub fn take_silent(&mut self, mut each: impl FnMut(u32)) {
        if !self.shared.events.is_empty() {
            return;
        }
        let Some(&slot) = self.readable.last() else { return };
        let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return };
        while let Some(entry) = connection.next_silent() {
            if entry.origin != Origin::Internal {
                each(entry.opaque);
            }
        }
    }

    /// As [`Cluster::take_silent`], where nobody wants to know which they were; how many is returned.
    pub fn drop_silent(&mut self) -> usize {
        if !self.shared.events.is_empty() {
            return 0;
        }
        let Some(&slot) = self.readable.last() else { return 0 };
        let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { return 0 };
        connection.drop_silent()
    }

    /// Gives back the buffer of a connection that was read to the end.
    #[inline]
    pub(super) fn settle(&mut self, slot: ConnectionId) {
        let Some((connection, shared)) = self.parts(slot) else { return };
        connection.incoming.settle(&mut shared.pool);
        if !connection.is_active() {
            self.deactivate(slot);
        }
    }

    fn next_event(&mut self) -> Option<Next> {
        loop {
            if !self.shared.events.is_empty() {
                return self.shared.events.pop_front().map(Next::Queued);
            }
            let slot = *self.readable.last()?;
            let Some((connection, shared)) = self.parts(slot) else {
                self.readable.pop();
                continue;
            };
            let server = connection.index;
            let (entry, outcome) = match connection.next_message(shared) {
                Message::Answer { entry, header, start } => {
                    if entry.origin == Origin::Internal {
                        continue;
                    }
                    return Some(Next::Answer { connection: slot, header, start });
                }
                Message::None => {
                    connection.unread = false;
                    self.readable.pop();
                    self.settle(slot);
                    continue;
                }
                Message::Ready { enabled } => {
                    let change = if enabled { ServerChange::Enabled } else { ServerChange::Connected };
                    connection.tell(shared, change);
                    self.follow(slot, Follow::Wake);
                    continue;
                }
                Message::Poison(error) => {
                    let follow = connection.lost(Failure::Protocol(error), shared);
                    self.follow(slot, follow);
                    continue;
                }
                Message::Silent(entry) => (entry, Outcome::Silent),
                Message::TooLarge { entry, header, anew } => {
                    let (len, limit) = (header.packet_len(), shared.config.receive_limit);
                    if anew {
                        let follow = connection.lost(Failure::ResponseTooLarge { len, limit }, shared);
                        self.follow(slot, follow);
                    }
                    (entry, Outcome::ResponseTooLarge { status: header.status, len, limit })
                }
            };
            if entry.origin != Origin::Internal {
                let (opaque, opcode) = (entry.opaque, entry.opcode);
                return Some(Next::Queued(Queued::Settled(Settled { opaque, opcode, server, outcome })));
            }
        }
    }
}
