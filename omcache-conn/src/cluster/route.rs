//! Which server takes a request: the key's own, or the next live one in ring order.

use omcache_proto::binary::{Decoded, HEADER_LEN, RequestHeader};

use super::{Cluster, Target};
use crate::connection::{ConnectionId, State};
use crate::error::SubmitError;

impl Cluster {
    #[inline]
    pub(super) fn place(&self, target: Target, key: Option<&[u8]>) -> Result<ConnectionId, SubmitError> {
        match target {
            Target::Key => {
                let key = key.ok_or(SubmitError::NoKey)?;
                self.slot_for_key(key).ok_or(SubmitError::NoServers { total: self.order.len() })
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

    #[inline]
    fn slot_for_key(&self, key: &[u8]) -> Option<ConnectionId> {
        let slot = *self.order.get(self.continuum.server(key)?)?;
        if self.takes_keys(slot) {
            return Some(slot);
        }
        self.next_slot(key)
    }

    #[inline]
    fn takes_keys(&self, slot: ConnectionId) -> bool {
        self.connection(slot).is_some_and(|connection| !connection.down)
    }

    /// Where no server takes keys, one that is being tried again is better than a refusal: the request waits for the
    /// handshake, no longer than the dead timeout.
    #[cold]
    fn next_slot(&self, key: &[u8]) -> Option<ConnectionId> {
        let slots = || self.continuum.walk(key).filter_map(|server| self.order.get(server).copied());
        slots().find(|&slot| self.takes_keys(slot)).or_else(|| slots().find(|&slot| self.is_retrying(slot)))
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

    pub(super) fn slot_for_packet(&self, packet: &[u8]) -> Option<ConnectionId> {
        let Ok(Decoded::Complete { message, .. }) = RequestHeader::parse(packet) else { return None };
        let key = HEADER_LEN + usize::from(message.extras_len);
        self.slot_for_key(packet.get(key..key + usize::from(message.key_len))?)
    }
}
