//! Changes of the server list and of the distribution; live connections outlast them.

use std::collections::HashMap;
use std::sync::Arc;

use omcache_hash::{BuildError, Continuum, Distribution};

use super::Cluster;
use crate::connection::{Connection, ConnectionId, Follow};
use crate::error::Failure;
use crate::server::{Endpoint, Server};

impl Cluster {
    /// Sets the servers; a server's index is its place in the list. Servers that stand in the old and the new list
    /// keep their connections and what is under way on them. What waits to be sent to one that is taken off goes to the
    /// new server of its key.
    ///
    /// # Errors
    /// Where the distribution can't take these servers; then the old list stays.
    pub fn set_servers(&mut self, servers: Vec<Server>) -> Result<(), BuildError> {
        self.continuum = build(&*self.distribution, &servers)?;
        let mut kept: HashMap<Endpoint, Vec<ConnectionId>> = HashMap::new();
        for slot in self.order.drain(..).rev() {
            if let Some(Some(connection)) = self.connections.get(slot.index()) {
                kept.entry(connection.server.endpoint().clone()).or_default().push(slot);
            }
        }
        let mut free = 0;
        for (index, server) in servers.into_iter().enumerate() {
            let slot = match kept.get_mut(server.endpoint()).and_then(Vec::pop) {
                Some(slot) => slot,
                None => self.free_slot(&mut free),
            };
            self.order.push(slot);
            let Some(place) = self.connections.get_mut(slot.index()) else { continue };
            match place {
                Some(connection) => {
                    connection.server = server;
                    connection.index = Some(index);
                }
                None => *place = Some(Connection::new(slot, server, index)),
            }
        }
        let mut removed: Vec<_> = kept.into_values().flatten().collect();
        removed.sort_unstable();
        for slot in removed {
            self.remove(slot);
        }
        Ok(())
    }

    /// Sets the rule by which keys are spread over the servers.
    ///
    /// # Errors
    /// Where it can't take the present servers; then the old one stays.
    pub fn set_distribution(&mut self, distribution: Arc<dyn Distribution>) -> Result<(), BuildError> {
        let servers: Vec<_> = self.servers().map(Server::as_hash_server).collect();
        self.continuum = Continuum::new(&*distribution, &servers)?;
        self.distribution = distribution;
        Ok(())
    }

    /// A slot without a connection, at `from` or behind it.
    fn free_slot(&mut self, from: &mut usize) -> ConnectionId {
        while self.connections.get(*from).is_some_and(Option::is_some) {
            *from += 1;
        }
        if *from == self.connections.len() {
            self.connections.push(None);
        }
        ConnectionId(u32::try_from(*from).unwrap_or(u32::MAX))
    }

    fn remove(&mut self, slot: ConnectionId) {
        let Some((connection, shared)) = self.parts(slot) else { return };
        connection.index = None;
        let unsent = connection.take_unsent();
        connection.settle_sent(&Failure::Removed, shared);
        connection.close(shared);
        self.reroute(slot, unsent, true, &Failure::Removed);
        self.follow(slot, Follow::Nothing);
        self.readable.retain(|&other| other != slot);
        self.woken.retain(|&other| other != slot);
        self.starting.retain(|&other| other != slot);
        if let Some(place) = self.connections.get_mut(slot.index()) {
            *place = None;
        }
    }
}

fn build(distribution: &dyn Distribution, servers: &[Server]) -> Result<Continuum, BuildError> {
    let servers: Vec<_> = servers.iter().map(Server::as_hash_server).collect();
    Continuum::new(distribution, &servers)
}
