//! What the driver reports: time, look-ups, connects, bytes written and read, losses.

use super::Cluster;
use crate::connection::{Connection, ConnectionId, Follow, State};
use crate::error::Failure;
use crate::event::LookupId;
use crate::instant::Instant;
use crate::server::Address;
use crate::shared::Shared;

impl Cluster {
    /// Whether nothing is to be done now: no timer is due, no action waits, no bytes are to be written.
    #[inline]
    #[must_use]
    pub fn rests(&self, now: Instant) -> bool {
        self.woken.is_empty()
            && self.starting.is_empty()
            && self.shared.actions.is_empty()
            && self.next_timer > now
    }

    /// Tells the time: starts the handshakes that are wanted and fires the timers that are due. Cheap where there is
    /// nothing to do. Moments must not go back.
    #[inline]
    pub fn handle_time(&mut self, now: Instant) {
        self.shared.now = self.shared.now.max(now);
        // Timers first: what they take from one server may need another one's handshake.
        if self.next_timer <= self.shared.now {
            self.fire_timers();
        }
        if !self.starting.is_empty() {
            self.start_waiting();
        }
    }

    #[cold]
    fn start_waiting(&mut self) {
        // What follows may add to the list, and stands for itself.
        for slot in std::mem::take(&mut self.starting) {
            if let Some((connection, shared)) = self.parts(slot) {
                if connection.unread && matches!(connection.state, State::Probing { .. }) {
                    // What was received and not looked at yet may be what it waits for.
                    self.starting.push(slot);
                    self.follow(slot, Follow::Nothing);
                    continue;
                }
                connection.starting = false;
                let follow = connection.handle_time(shared);
                self.follow(slot, follow);
            }
        }
    }

    #[cold]
    fn fire_timers(&mut self) {
        self.next_timer = Instant::FAR_FUTURE;
        for slot in self.active.clone() {
            let Some((connection, shared)) = self.parts(slot) else { continue };
            // What was received and not looked at yet may be what it waits for.
            if connection.unread
                || connection.deadline(&shared.config).is_none_or(|deadline| deadline > shared.now)
            {
                self.follow(slot, Follow::Nothing);
                continue;
            }
            let follow = connection.handle_time(shared);
            self.follow(slot, follow);
        }
    }

    /// Reports what a look-up found, or why it failed. One that nobody waits for any more is ignored.
    pub fn handle_resolved(&mut self, now: Instant, lookup: LookupId, result: Result<Vec<Address>, Failure>) {
        let waits = |connection: &&Connection| matches!(connection.state, State::Resolving { lookup: waited, .. } if waited == lookup);
        let Some(slot) = self.connections.iter().flatten().find(waits).map(|connection| connection.id) else {
            return;
        };
        self.handle(now, slot, |connection, shared| connection.resolved(result, shared));
    }

    /// Whether the result of this look-up is still waited for.
    #[must_use]
    pub fn awaits(&self, lookup: LookupId) -> bool {
        let waits = |connection: &Connection| matches!(connection.state, State::Resolving { lookup: waited, .. } if waited == lookup);
        self.connections.iter().flatten().any(waits)
    }

    /// Reports that the address takes no more connections at this moment: the driver has no socket, and will be asked for
    /// the same connect again.
    pub fn handle_busy(&mut self, now: Instant, connection: ConnectionId) {
        self.handle(now, connection, Connection::busy);
    }

    /// Reports that the connection's socket is connected.
    pub fn handle_connected(&mut self, now: Instant, connection: ConnectionId) {
        self.handle(now, connection, Connection::connected);
    }

    /// Reports that the socket failed, or that the server closed it.
    pub fn handle_lost(&mut self, now: Instant, connection: ConnectionId, failure: Failure) {
        self.handle(now, connection, |connection, shared| connection.lost(failure, shared));
    }

    fn handle(
        &mut self,
        now: Instant,
        slot: ConnectionId,
        input: impl FnOnce(&mut Connection, &mut Shared) -> Follow,
    ) {
        self.shared.now = self.shared.now.max(now);
        if let Some((connection, shared)) = self.parts(slot) {
            let follow = input(connection, shared);
            self.follow(slot, follow);
        }
    }

    /// Reports that `count` of the bytes of [`Cluster::poll_transmit`] were written.
    #[inline]
    pub fn handle_sent(&mut self, now: Instant, connection: ConnectionId, count: usize) {
        self.shared.now = self.shared.now.max(now);
        let Some((connection, shared)) = self.parts(connection) else { return };
        let waited = connection.waiting_since;
        connection.sent(count, shared);
        // Where that has changed it is ready, and nothing else ends its time.
        let begun = connection.waiting_since.filter(|_| connection.waiting_since != waited);
        let deadline = begun.map(|since| since.after_nanos(shared.dead_nanos));
        let (slot, more) = (connection.id, !connection.transmit().is_empty());
        if let Some(deadline) = deadline {
            self.next_timer = self.next_timer.min(deadline);
        }
        if more {
            self.wake(slot);
        }
    }

    /// Reports that the socket takes no more bytes now. Its bytes are offered again after [`Cluster::handle_writable`].
    pub fn handle_blocked(&mut self, now: Instant, connection: ConnectionId) {
        self.handle(now, connection, |connection, shared| {
            connection.blocked = true;
            if connection.waiting_since.is_none() && connection.state == State::Ready {
                connection.waiting_since = Some(shared.now);
            }
            Follow::Nothing
        });
    }

    /// Reports that the socket takes bytes again.
    pub fn handle_writable(&mut self, connection: ConnectionId) {
        if let Some((state, _)) = self.parts(connection) {
            state.blocked = false;
            self.wake(connection);
        }
    }

    /// Where the next bytes of this connection are to be read to; at least 16 KiB, or what the message at hand lacks.
    /// Empty for a connection that is gone.
    #[inline]
    pub fn receive_space(&mut self, connection: ConnectionId) -> &mut [u8] {
        match self.parts(connection) {
            Some((connection, shared)) => connection.incoming.space(&mut shared.pool),
            None => &mut [],
        }
    }

    /// Reports that `count` bytes were read into [`Cluster::receive_space`].
    #[inline]
    pub fn handle_received(&mut self, now: Instant, connection: ConnectionId, count: usize) {
        self.shared.now = self.shared.now.max(now);
        if let Some((state, shared)) = self.parts(connection) {
            state.received(count, shared);
            if !std::mem::replace(&mut state.unread, true) {
                self.readable.push(connection);
            }
        }
    }
}
