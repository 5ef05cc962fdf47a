//! The shortest way of one request that is alone: each step does what the general way would do, or nothing at all.

use omcache_proto::binary::ResponseHeader;

use super::{Cluster, Transmit};
use crate::connection::ConnectionId;
use crate::event::Response;
use crate::instant::Instant;

/// The answer to a lone request, to be looked at with [`Cluster::lone_response`].
#[derive(Clone, Copy, Debug)]
pub struct LoneAnswer {
    slot: ConnectionId,
    header: ResponseHeader,
    start: usize,
}

/// # One request alone
///
/// A driver that waits for one request may ask here first. Whatever is unusual is left to the general calls, which go on from
/// where this ended.
impl Cluster {
    /// The bytes of the request with this opaque, where it is all that is under way, none of it is sent, and nothing else
    /// is to be done now. Once all of them are written, [`Cluster::handle_lone_sent`] follows, else what follows
    /// [`Cluster::poll_transmit`]; or nothing, and they will be polled again.
    #[inline]
    pub fn poll_lone(&mut self, now: Instant, opaque: u32) -> Option<Transmit<'_>> {
        if let Some(slot) = self.unsettled.take() {
            self.settle(slot);
        }
        let (&[slot], &[woken]) = (self.active.as_slice(), self.woken.as_slice()) else { return None };
        let rests = self.shared.events.is_empty()
            && self.readable.is_empty()
            && self.shared.actions.is_empty()
            && self.starting.is_empty()
            && self.next_timer > now;
        if !rests || woken != slot {
            return None;
        }
        let bytes = self.connection(slot)?.lone_request(opaque)?;
        Some(Transmit { connection: slot, bytes })
    }

    /// Reports that all bytes of [`Cluster::poll_lone`] were written. Returned is the moment at which
    /// [`Cluster::handle_time`] is to be called at the latest.
    #[inline]
    pub fn handle_lone_sent(&mut self, now: Instant, connection: ConnectionId) -> Instant {
        self.woken.clear();
        let Self { connections, shared, next_timer, .. } = self;
        if let Some(Some(connection)) = connections.get_mut(connection.index()) {
            connection.woken = false;
            connection.outgoing.clear(&mut shared.pool);
            connection.waiting_since = Some(now);
            *next_timer = (*next_timer).min(now + shared.config.dead_timeout);
        }
        *next_timer
    }

    /// Reports that `count` bytes were read into [`Cluster::receive_space`]. None where they are not the whole answer
    /// and no more: then nothing is changed, and [`Cluster::handle_received`] is to follow.
    #[inline]
    pub fn handle_lone_received(&mut self, connection: ConnectionId, count: usize) -> Option<LoneAnswer> {
        let slot = connection;
        let connection = self.connections.get_mut(slot.index())?.as_mut()?;
        let (header, start) = connection.lone_answer(count, self.shared.config.receive_limit)?;
        self.deactivate(slot);
        self.unsettled = Some(slot);
        Some(LoneAnswer { slot, header, start })
    }

    /// The response of a lone request; none where anything else was called since.
    #[inline]
    pub fn lone_response(&mut self, answer: LoneAnswer) -> Option<Response<'_>> {
        let LoneAnswer { slot, header, start } = answer;
        if self.unsettled != Some(slot) {
            return None;
        }
        let connection = self.connections.get_mut(slot.index())?.as_mut()?;
        let server = connection.index.unwrap_or_default();
        Some(Response { server, header, start, incoming: &mut connection.incoming })
    }
}
