//! Requests that are taken back, and connections that their own program closes.

use omcache_proto::binary::Opcode;

use super::Cluster;
use crate::connection::{ConnectionId, Follow};
use crate::error::Failure;
use crate::in_flight::{Entry, Origin};

impl Cluster {
    /// Takes back those of `count` requests from `first` on that are not sent: no event will tell of them. Each is named
    /// to `not_sent`. Those that are sent, at least in part, may be carried out, and their events are still to come.
    pub fn cancel(&mut self, first: u32, count: u32, mut not_sent: impl FnMut(u32)) {
        if count == 1 {
            // Those who give up one by one do not pay for all that waits.
            let taken_back = |&slot: &ConnectionId| {
                self.connections
                    .get_mut(slot.index())
                    .and_then(Option::as_mut)
                    .is_some_and(|connection| connection.cancel(first, &mut self.shared))
            };
            if let Some(slot) = self.active.iter().copied().find(taken_back) {
                not_sent(first);
                self.taken_back(slot);
            }
            return;
        }
        let is_meant =
            |entry: &Entry| entry.origin != Origin::Internal && entry.opaque.wrapping_sub(first) < count;
        for slot in self.active.clone() {
            let Some((connection, shared)) = self.parts(slot) else { continue };
            if !connection.has_unsent(is_meant) {
                continue;
            }
            let (entries, mut packets) = connection.take_unsent();
            for entry in entries {
                let packet = packets.split_to((entry.len as usize).min(packets.len()));
                if is_meant(&entry) {
                    not_sent(entry.opaque);
                    continue;
                }
                connection.outgoing.extend(&packet, &mut shared.pool);
                connection.in_flight.push(entry, &mut shared.pool);
            }
            self.taken_back(slot);
        }
    }

    /// The opcode of a request that is queued or sent, and whose outcome did not come yet; none of others.
    #[must_use]
    pub fn outstanding(&self, opaque: u32) -> Option<Opcode> {
        self.active.iter().find_map(|&slot| {
            let entry = self.connection(slot)?.in_flight.entry(opaque)?;
            Some(entry.opcode)
        })
    }

    fn taken_back(&mut self, slot: ConnectionId) {
        if let Some((connection, _)) = self.parts(slot) {
            connection.taken_back();
        }
        self.follow(slot, Follow::Nothing);
    }

    /// Throws away what is queued and not sent; each request ends as [`Outcome::NotSent`](crate::Outcome::NotSent). What is sent in part is
    /// sent to its end.
    pub fn discard_unsent(&mut self) {
        for slot in self.active.clone() {
            let Some((connection, shared)) = self.parts(slot) else { continue };
            let settles = connection.has_unsent(|entry| !entry.is_quiet());
            connection.settle_unsent(&Failure::Discarded, shared);
            // Quiet requests that are sent lose the one whose answer would have told of them.
            let settles = settles && connection.settle_quiet(shared);
            self.taken_back(slot);
            if settles {
                self.wake(slot);
            }
        }
    }

    /// Closes every connection. What is outstanding ends as unknown, what is queued as not sent. Servers that are
    /// disabled are so no longer.
    pub fn disconnect_all(&mut self) {
        for slot in (0..).map(ConnectionId).take(self.connections.len()) {
            let Some((connection, shared)) = self.parts(slot) else { continue };
            connection.settle_unsent(&Failure::Disconnected, shared);
            connection.settle_sent(&Failure::Disconnected, shared);
            connection.close(shared);
            connection.down = false;
            self.follow(slot, Follow::Nothing);
        }
    }
}
