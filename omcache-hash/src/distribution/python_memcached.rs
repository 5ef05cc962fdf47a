//! python-memcached's list, in which each server stands as often as its weight.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::hash::crc;
use crate::server::Server;

/// Keys hash to fewer than this, so later places of the list are never reached.
const REACHED: usize = 1 << 15;

/// The list, or the part of it that a key can reach, and its true length.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    servers: Box<[u16]>,
    length: u64,
}

impl Slots {
    pub(crate) fn new(servers: &[Server<'_>]) -> Self {
        let slots: Vec<u16> = servers
            .iter()
            .zip(0..)
            .flat_map(|(server, index)| core::iter::repeat_n(index, server.weight as usize))
            .take(REACHED)
            .collect();
        Self {
            servers: slots.into_boxed_slice(),
            length: servers.iter().map(|server| u64::from(server.weight)).sum(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The server that has the key.
    #[inline]
    pub(crate) fn server(&self, key: &[u8]) -> usize {
        // python-memcached takes 1 for 0.
        let hash = u64::from(crc(key).max(1));
        // Below 2^15, as the hash is.
        let slot = hash.checked_rem(self.length).unwrap_or(0) as usize;
        self.servers.get(slot).copied().map_or(0, usize::from)
    }
}
