//! Requests that are handed over one at a time.

use omcache_proto::Request;
use omcache_proto::binary::RequestPacket;

use super::{Cluster, Target};
use crate::connection::{Packet, State};
use crate::error::SubmitError;
use crate::in_flight::Origin;

impl Cluster {
    /// Queues a request and returns its opaque, by which its event will name it.
    ///
    /// # Errors
    /// Where it can't be queued; then nothing of it will be sent.
    #[inline(always)]
    pub fn submit(&mut self, target: Target, request: &Request<'_>) -> Result<u32, SubmitError> {
        let key = request.key();
        self.submit_as(target, key.as_ref().map(|key| key.as_bytes()), request)
    }

    /// Queues a request that is given as the binary protocol carries it. Its opaque is ignored and a new one returned.
    ///
    /// # Errors
    /// Where it can't be queued; then nothing of it will be sent.
    #[inline]
    pub fn submit_packet(&mut self, target: Target, packet: &RequestPacket<'_>) -> Result<u32, SubmitError> {
        self.submit_as(target, Some(packet.key).filter(|key| !key.is_empty()), packet)
    }

    /// As [`Cluster::submit`], where the server that has the key takes it and memory for it is at hand. Else the result is none
    /// and nothing is changed: `submit` may have the memory or find another server, or tells why it can't be queued. It costs less.
    #[inline(always)]
    pub fn submit_to_own(&mut self, request: &Request<'_>) -> Option<u32> {
        self.enqueue_at_own(request.key()?.as_bytes(), request)
    }

    #[inline(always)]
    fn submit_as(
        &mut self,
        target: Target,
        key: Option<&[u8]>,
        packet: &impl Packet,
    ) -> Result<u32, SubmitError> {
        // Mostly a key's own server takes it.
        if target == Target::Key
            && let Some(key) = key
            && let Some(opaque) = self.enqueue_at_own(key, packet)
        {
            return Ok(opaque);
        }
        self.submit_otherwise(target, key, packet)
    }

    /// Queues a request at the server that has the key, where that takes keys and has memory at hand.
    #[inline(always)]
    fn enqueue_at_own(&mut self, key: &[u8], packet: &impl Packet) -> Option<u32> {
        let server = self.continuum.server(key)?;
        let slot = *self.order.get(server)?;
        let connection = self.connections.get_mut(slot.index())?.as_mut()?;
        if connection.down {
            return None;
        }
        let opaque = connection.enqueue_in_place(packet, Origin::Key, &mut self.shared)?;
        self.last_server = server;
        // As joined, without looking the connection up again.
        if connection.state != State::Ready {
            if !connection.starting {
                connection.starting = true;
                self.starting.push(slot);
            }
        } else if !connection.woken {
            connection.woken = true;
            self.woken.push(slot);
        }
        if connection.active_at == usize::MAX {
            connection.active_at = self.active.len();
            self.active.push(slot);
        }
        Some(opaque)
    }

    #[cold]
    #[inline(never)]
    fn submit_otherwise(
        &mut self,
        target: Target,
        key: Option<&[u8]>,
        packet: &impl Packet,
    ) -> Result<u32, SubmitError> {
        let slot = self.place(target, key)?;
        let total = self.order.len();
        let (connection, shared) = self.parts(slot).ok_or(SubmitError::NoServers { total })?;
        let origin = if target == Target::Key { Origin::Key } else { Origin::Server };
        let opaque = connection.enqueue(packet, origin, shared)?;
        self.last_server = connection.index.unwrap_or_default();
        self.joined(slot);
        Ok(opaque)
    }

    /// Sees to it that the quiet requests submitted so far get an outcome, with a NOOP behind those that would
    /// otherwise wait for a later request's response.
    pub fn settle_quiet(&mut self) {
        for at in 0..self.active.len() {
            let Some(&slot) = self.active.get(at) else { break };
            let Some(Some(connection)) = self.connections.get_mut(slot.index()) else { continue };
            if connection.settle_quiet(&mut self.shared) {
                self.wake(slot);
            }
        }
    }
}
