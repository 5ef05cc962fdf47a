//! The shortest way of one request that is alone: it stands in no list, and nothing is noted of it but what its answer
//! has to match. As soon as anything is unusual it joins those on the general way, as if it had been one of them.

use omcache_proto::Request;
use omcache_proto::binary::{Decoded, Opcode, ResponseHeader};

use super::{Cluster, Target};
use crate::buffer::{CHUNK, Incoming, Outgoing};
use crate::connection::{ConnectionId, State};
use crate::event::Response;
use crate::in_flight::{Entry, Origin};
use crate::instant::Instant;

/// A request that goes alone.
#[derive(Clone, Copy, Debug)]
pub struct Lone {
    slot: ConnectionId,
    server: usize,
    opaque: u32,
    opcode: Opcode,
}

impl Lone {
    /// The connection that it is to be written to.
    #[inline]
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.slot
    }

    /// The opaque that was given to it.
    #[inline]
    #[must_use]
    pub fn opaque(&self) -> u32 {
        self.opaque
    }
}

/// The answer to a lone request, to be looked at with [`Cluster::lone_response`].
#[derive(Clone, Copy, Debug)]
pub struct LoneAnswer {
    server: usize,
    header: ResponseHeader,
}

/// The buffers of a request that goes alone; the connection's own stay empty meanwhile.
#[derive(Debug, Default)]
pub(super) struct LoneBuffers {
    outgoing: Outgoing,
    incoming: Incoming,
}

/// # One request alone
///
/// A driver that waits for one request may begin here. What was begun is to be ended before anything else is called: by its
/// answer, which [`Cluster::handle_lone_received`] returns, or by [`Cluster::join_lone`].
impl Cluster {
    /// Begins a request, where nothing else is under way or to be done now, and the server that its key belongs to is
    /// connected. None where it can't go alone; then nothing is changed, and it is to be submitted.
    #[inline(always)]
    pub fn begin_lone(&mut self, now: Instant, target: Target, request: &Request<'_>) -> Option<Lone> {
        let (key, len) = (request.key()?, request.encoded_len_binary());
        let lone = self.place_lone(now, target, key.as_bytes(), request.opcode(), len)?;
        // Where it can't be encoded nothing is written.
        let space = self.lone.outgoing.append(len, &mut self.shared.pool)?;
        if request.write_binary(lone.opaque, space).is_err() {
            self.lone.outgoing.retract(len);
            return None;
        }
        Some(self.number(lone))
    }

    #[inline(always)]
    fn place_lone(
        &mut self,
        now: Instant,
        target: Target,
        key: &[u8],
        opcode: Opcode,
        len: usize,
    ) -> Option<Lone> {
        // Several packets may answer STAT, and none a quiet request.
        let is_such =
            target == Target::Key && !key.is_empty() && !opcode.is_quiet() && opcode != Opcode::STAT;
        if !is_such || !self.is_still(now) {
            return None;
        }
        let slot = *self.order.get(self.continuum.server(key)?)?;
        let connection = self.connection(slot)?;
        let fits = len <= self.shared.config.send_limit;
        if connection.state != State::Ready || !connection.incoming.is_done() || !fits {
            return None;
        }
        let server = connection.index.unwrap_or_default();
        Some(Lone { slot, server, opaque: self.shared.opaque.wrapping_add(1), opcode })
    }

    #[inline(always)]
    fn number(&mut self, lone: Lone) -> Lone {
        self.shared.opaque = lone.opaque;
        self.last_server = lone.server;
        lone
    }

    /// Whether nothing is under way, and nothing to be told or done now.
    #[inline(always)]
    fn is_still(&mut self, now: Instant) -> bool {
        if self.unsettled.is_some() {
            self.settle_read();
        }
        let waiting = self.readable.len() | self.shared.events.len() | self.shared.actions.len();
        waiting == 0 && (self.active.is_empty() || self.only_disabled(now))
    }

    #[cold]
    fn settle_read(&mut self) {
        if let Some(slot) = self.unsettled.take() {
            self.settle(slot);
        }
    }

    /// Whether no connection waits for anything but the time at which it is tried again.
    #[cold]
    fn only_disabled(&self, now: Instant) -> bool {
        let is_disabled = |&slot: &ConnectionId| {
            self.connection(slot).is_some_and(|connection| {
                matches!(connection.state, State::Disabled { .. }) && connection.in_flight.is_empty()
            })
        };
        self.next_timer > now && self.starting.is_empty() && self.active.iter().all(is_disabled)
    }

    /// The bytes of the request that was begun.
    #[inline]
    #[must_use]
    pub fn lone_request(&self) -> &[u8] {
        self.lone.outgoing.unsent()
    }

    /// The moment at which a request whose bytes were all written at `sent` is to join the others, if it has no answer.
    #[inline]
    #[must_use]
    pub fn lone_wakeup(&self, sent: Instant) -> Instant {
        let dead = sent.after_nanos(self.shared.dead_nanos);
        if self.active.is_empty() { dead } else { dead.min(self.next_timer) }
    }

    /// Where the answer is to be read to; at least 16 KiB.
    #[inline]
    pub fn lone_space(&mut self) -> &mut [u8] {
        self.lone.incoming.whole_space(&mut self.shared.pool)
    }

    /// Reports that `count` bytes were read into [`Cluster::lone_space`]. None where they are not the whole answer and no
    /// more: then [`Cluster::join_lone`] is to follow.
    #[inline(always)]
    pub fn handle_lone_received(&mut self, lone: &Lone, count: usize) -> Option<LoneAnswer> {
        let Self { shared, lone: buffers, .. } = self;
        let read = buffers.incoming.just_read(count)?;
        let Ok(Decoded::Complete { message: header, .. }) = ResponseHeader::parse(read) else { return None };
        let is_answer = header.opaque == lone.opaque
            && header.opcode == lone.opcode
            && header.packet_len() == count
            && count <= shared.config.receive_limit;
        if !is_answer {
            return None;
        }
        buffers.incoming.take_whole(count);
        // There is one such buffer, not one for each connection.
        buffers.outgoing.clear_above(CHUNK, &mut shared.pool);
        Some(LoneAnswer { server: lone.server, header })
    }

    /// The response of a lone request, until anything else is called.
    #[inline]
    pub fn lone_response(&mut self, answer: LoneAnswer) -> Response<'_> {
        let LoneAnswer { server, header } = answer;
        Response { server, header, start: 0, incoming: &mut self.lone.incoming }
    }

    /// Has a request that was begun go on the general way, as if it had been submitted; its bytes count as written where
    /// `sent` has the moment, else they will be polled. Bytes that were read are kept: then
    /// [`Cluster::handle_received`] is to follow with their count.
    #[cold]
    pub fn join_lone(&mut self, lone: Lone, sent: Option<Instant>) {
        let Lone { slot, opaque, opcode, .. } = lone;
        let Self { connections, shared, lone: buffers, .. } = self;
        let Some(Some(connection)) = connections.get_mut(slot.index()) else { return };
        // Nothing is in the connection's own buffers, and the bytes need not be copied.
        buffers.incoming.restart();
        std::mem::swap(&mut connection.outgoing, &mut buffers.outgoing);
        std::mem::swap(&mut connection.incoming, &mut buffers.incoming);
        let len = connection.outgoing.len();
        let packet_len = u32::try_from(len).unwrap_or(u32::MAX);
        connection.in_flight.push(Entry::new(opaque, packet_len, opcode, Origin::Key), &mut shared.pool);
        self.wake(slot);
        self.activate(slot);
        if let Some(sent) = sent {
            self.handle_sent(sent, slot, len);
        }
    }
}
