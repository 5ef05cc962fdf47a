//! Which server takes a request: the key's own, or the next live one in ring order.

use bytes::BytesMut;
use omcache_proto::binary::{Decoded, HEADER_LEN, RequestHeader};

use super::{Cluster, Target};
use crate::connection::{ConnectionId, MAX_QUIET_RUN, State};
use crate::error::{Failure, SubmitError};
use crate::event::Outcome;
use crate::in_flight::{Entry, Origin};

impl Cluster {
    #[inline(always)]
    pub(super) fn place(&self, target: Target, key: Option<&[u8]>) -> Result<ConnectionId, SubmitError> {
        match target {
            Target::Key => {
                let key = key.ok_or(SubmitError::NoKey)?;
                self.slot_for_key(key, |slot| self.is_retrying(slot))
                    .ok_or(SubmitError::NoServers { total: self.order.len() })
            }
            Target::Server(server) => {
                let total = self.order.len();
                let slot = *self.order.get(server).ok_or(SubmitError::UnknownServer { server, total })?;
                match self.connection(slot) {
                    Some(connection) if !connection.down || self.is_retrying(slot) => Ok(slot),
                    _ => Err(SubmitError::ServerDisabled { server }),
                }
            }
        }
    }

    #[inline(always)]
    fn slot_for_key(&self, key: &[u8], last_resort: impl Fn(ConnectionId) -> bool) -> Option<ConnectionId> {
        let slot = *self.order.get(self.continuum.server(key)?)?;
        if self.takes_keys(slot) {
            return Some(slot);
        }
        self.next_slot(key, last_resort)
    }

    #[inline]
    pub(super) fn takes_keys(&self, slot: ConnectionId) -> bool {
        self.connection(slot).is_some_and(|connection| !connection.down)
    }

    /// Where no server takes keys, one that is being tried again is better than a refusal: the request waits for the
    /// handshake, no longer than the dead timeout.
    #[cold]
    fn next_slot(&self, key: &[u8], last_resort: impl Fn(ConnectionId) -> bool) -> Option<ConnectionId> {
        let slots = || self.continuum.walk(key).filter_map(|server| self.order.get(server).copied());
        slots().find(|&slot| self.takes_keys(slot)).or_else(|| slots().find(|&slot| last_resort(slot)))
    }

    fn is_retrying(&self, slot: ConnectionId) -> bool {
        self.connection(slot).is_some_and(|connection| match connection.state {
            State::Disabled { until } => until <= self.shared.now,
            _ => connection.down,
        })
    }

    pub(super) fn live_server(&self, key: &[u8]) -> Option<usize> {
        let first = self.continuum.server(key)?;
        let takes_keys = |&server: &usize| self.order.get(server).is_some_and(|&slot| self.takes_keys(slot));
        if takes_keys(&first) {
            return Some(first);
        }
        self.continuum.walk(key).find(takes_keys)
    }

    /// Hands requests that `from` did not send to the next live server of each key; where there is none, and `retry`
    /// allows it, to one that is being tried again.
    pub(super) fn reroute(
        &mut self,
        from: ConnectionId,
        (entries, mut packets): (Vec<Entry>, BytesMut),
        retry: bool,
        failure: &Failure,
    ) {
        let mut quiet = Vec::new();
        for entry in entries {
            let packet = packets.split_to((entry.len as usize).min(packets.len()));
            let refused = match entry.origin {
                Origin::Key => match self.requeue(from, entry, &packet, retry) {
                    Ok(slot) if entry.is_quiet() => {
                        if quiet.last() != Some(&slot) {
                            quiet.push(slot);
                        }
                        continue;
                    }
                    Ok(_) => None,
                    Err(_) if *failure == Failure::Removed => Some(Failure::Removed),
                    Err(refused) => Some(refused),
                },
                Origin::Server => Some(failure.clone()),
                Origin::Internal => None,
            };
            if let Some(refused) = refused
                && let Some((connection, shared)) = self.parts(from)
            {
                connection.settle(entry, Outcome::NotSent(refused), shared);
            }
            if !entry.opcode.is_quiet() {
                // Its answer would have told of the quiet ones before it: not so where they went elsewhere.
                for slot in quiet.drain(..) {
                    if let Some((connection, shared)) = self.parts(slot) {
                        connection.settle_quiet(shared);
                    }
                }
            }
        }
    }

    fn requeue(
        &mut self,
        from: ConnectionId,
        entry: Entry,
        packet: &[u8],
        retry: bool,
    ) -> Result<ConnectionId, Failure> {
        let last_resort = |slot| retry && slot != from && self.is_retrying(slot);
        let slot =
            key_of(packet).and_then(|key| self.slot_for_key(key, last_resort)).ok_or(Failure::NoServers)?;
        let (connection, shared) = self.parts(slot).ok_or(Failure::NoServers)?;
        if packet.len() > shared.config.send_limit.saturating_sub(connection.outgoing.len()) {
            return Err(Failure::SendBufferFull);
        }
        connection.outgoing.extend(packet, &mut shared.pool);
        connection.in_flight.push(entry, &mut shared.pool);
        if connection.in_flight.quiet_run() >= MAX_QUIET_RUN {
            connection.settle_quiet(shared);
        }
        self.joined(slot);
        Ok(slot)
    }
}

/// The key of a request on the wire.
fn key_of(packet: &[u8]) -> Option<&[u8]> {
    let Ok(Decoded::Complete { message, .. }) = RequestHeader::parse(packet) else { return None };
    let key = HEADER_LEN + usize::from(message.extras_len);
    packet.get(key..key + usize::from(message.key_len))
}
