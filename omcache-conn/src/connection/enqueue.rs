//! A request joins those that wait to be sent.

use omcache_proto::binary::{HEADER_LEN, Opcode, RequestPacket};
use omcache_proto::{EncodeError, Request};

use super::Connection;
use crate::error::SubmitError;
use crate::in_flight::{Entry, Origin};
use crate::shared::Shared;

/// Quiet requests in a row after which a NOOP is sent, so that what waits to be settled stays bounded.
pub(crate) const MAX_QUIET_RUN: usize = 16 * 1024;

/// A request of more bytes says nothing of those behind it.
const SMALL: usize = 512;

/// What can be written as one packet.
pub(crate) trait Packet {
    fn opcode(&self) -> Opcode;
    /// In bytes, with the header.
    fn len(&self) -> usize;
    /// Writes it to a space of just its length.
    fn write(&self, opaque: u32, space: &mut [u8]) -> Result<(), EncodeError>;
}

impl Packet for Request<'_> {
    #[inline(always)]
    fn opcode(&self) -> Opcode {
        Request::opcode(self)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.encoded_len_binary()
    }

    #[inline(always)]
    fn write(&self, opaque: u32, space: &mut [u8]) -> Result<(), EncodeError> {
        self.write_binary(opaque, space)
    }
}

impl Packet for RequestPacket<'_> {
    #[inline(always)]
    fn opcode(&self) -> Opcode {
        self.opcode
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.encoded_len()
    }

    #[inline(always)]
    fn write(&self, opaque: u32, space: &mut [u8]) -> Result<(), EncodeError> {
        RequestPacket { opaque, ..*self }.write(space)
    }
}

impl Connection {
    /// Makes room for so many requests of the first one's length, as far as they may wait. Where the first one is large,
    /// the others need not be.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize, first: Option<&Request<'_>>, shared: &mut Shared) {
        let Some(len) = first.map(Packet::len).filter(|&len| len <= SMALL) else { return };
        let room = shared.config.send_limit.saturating_sub(self.outgoing.len());
        let count = count.min(room / len.max(1));
        // Behind quiet ones comes a NOOP, and one behind each run.
        let noops = 1 + count / MAX_QUIET_RUN;
        self.outgoing.reserve(len * count + HEADER_LEN * noops, &mut shared.pool);
        self.in_flight.reserve(count + noops, &mut shared.pool);
    }

    /// Queues a request, where all that it takes is at hand; its opaque. Else nothing is done, and [`Connection::enqueue`] does
    /// it or tells why not.
    #[inline(always)]
    pub(crate) fn enqueue_in_place(
        &mut self,
        packet: &impl Packet,
        origin: Origin,
        shared: &mut Shared,
    ) -> Option<u32> {
        if !self.in_flight.has_room(MAX_QUIET_RUN - 1) {
            return None;
        }
        let len = packet.len();
        let space = self.outgoing.append_at_hand(len, shared.config.send_limit)?;
        // All is noted before the packet is written: so nothing has to be kept meanwhile.
        let opaque = shared.opaque.wrapping_add(1);
        shared.opaque = opaque;
        self.in_flight.push_at_hand(Entry::new(opaque, len as u32, packet.opcode(), origin));
        if packet.write(opaque, space).is_err() {
            self.take_last_back(shared);
            return None;
        }
        Some(opaque)
    }

    /// Takes back the last request, as if it had not been queued.
    #[cold]
    #[inline(never)]
    fn take_last_back(&mut self, shared: &mut Shared) {
        for entry in self.in_flight.split_tail(1) {
            self.outgoing.retract(entry.len as usize);
            shared.opaque = shared.opaque.wrapping_sub(1);
        }
    }

    /// Queues a request, where it may wait; its opaque. One that makes a run of quiet ones too long has a NOOP behind it.
    pub(crate) fn enqueue(
        &mut self,
        packet: &impl Packet,
        origin: Origin,
        shared: &mut Shared,
    ) -> Result<u32, SubmitError> {
        let limit = shared.config.send_limit;
        let (len, queued) = (packet.len(), self.outgoing.len());
        if queued.saturating_add(len) > limit {
            let server = self.index.unwrap_or_default();
            return Err(SubmitError::SendBufferFull { server, needed: len, queued, limit });
        }
        let opaque = shared.opaque.wrapping_add(1);
        let space = self.outgoing.append(len, &mut shared.pool);
        let space = space.ok_or(EncodeError::WrongSpace { needed: len, given: 0 })?;
        if let Err(error) = packet.write(opaque, space) {
            self.outgoing.retract(len);
            return Err(error.into());
        }
        shared.opaque = opaque;
        self.in_flight.push(Entry::new(opaque, len as u32, packet.opcode(), origin), &mut shared.pool);
        if self.in_flight.quiet_run() >= MAX_QUIET_RUN {
            self.settle_quiet(shared);
        }
        Ok(opaque)
    }

    /// Queues requests, from the one with the number `first` on, as long as there is room at hand; `next` is told the number and
    /// the opaque of each, and has the next number, if there is one. Returned is that of the first one that is not queued.
    #[inline(always)]
    pub(crate) fn enqueue_at_hand<'r>(
        &mut self,
        first: u32,
        shared: &mut Shared,
        request: impl Fn(usize) -> Option<Request<'r>>,
        mut next: impl FnMut(u32, u32, &Request<'r>) -> Option<u32>,
    ) -> Option<u32> {
        let mut at = Some(first);
        let mut opaque = shared.opaque;
        // The one that makes a run too long has a NOOP behind it.
        let mut queue = self.in_flight.at_hand(MAX_QUIET_RUN - 1);
        let mut space = self.outgoing.at_hand(shared.config.send_limit);
        let (mut room, free) = (space.len(), space.len());
        while let Some(number) = at
            && let Some(request) = request(number as usize)
        {
            let (len, numbered) = (request.encoded_len_binary(), opaque.wrapping_add(1));
            let Some((place, behind)) = space.split_at_mut_checked(len) else { break };
            let entry = Entry::new(numbered, len as u32, request.opcode(), Origin::Key);
            if request.write_binary(numbered, place).is_err() || !queue.push(entry) {
                break;
            }
            (opaque, room) = (numbered, behind.len());
            space = behind;
            at = next(number, opaque, &request);
        }
        let taken = free - room;
        let loud = queue.end();
        self.in_flight.took(taken, loud);
        self.outgoing.take(taken);
        shared.opaque = opaque;
        at
    }
}
