//! The servers of a core, and the rule by which keys are spread over them.

use std::sync::Arc;

use omcache::driver::conn::{Health, Server};
use omcache::driver::hash::{BuildError, Named};

use super::Core;
use crate::front::Known;

impl Core {
    /// Sets the servers; those that stay keep their connections.
    ///
    /// # Errors
    /// Where the distribution can't take them; then the old ones stay.
    pub(crate) fn set_servers(&mut self, servers: Vec<Server>) -> Result<(), BuildError> {
        self.driver.cluster.set_servers(servers)?;
        // Connections of servers that are gone are closed now, and not at the next request.
        self.closed = true;
        let now = self.driver.now();
        self.driver.step(now);
        self.take_events();
        Ok(())
    }

    /// Sets the rule by which keys are spread over the servers.
    ///
    /// # Errors
    /// Where it can't take the servers; then the old one stays.
    pub(crate) fn set_distribution(&mut self, named: Named) -> Result<(), BuildError> {
        self.driver.cluster.set_distribution(Arc::new(named))
    }

    /// What is known of the servers, in the order of their indices.
    pub(crate) fn known_servers(&self) -> Vec<Known> {
        let (now, cluster) = (self.driver.now(), &self.driver.cluster);
        let known = |index: usize| {
            let (server, status) = (cluster.server(index)?, cluster.server_status(index)?);
            let state = match status.health {
                Health::Idle => "idle",
                Health::Connecting => "connecting",
                Health::Ready => "ready",
                Health::Retrying => "retrying",
                _ => "disabled",
            };
            let failure = status.last_failure.map(|failure| failure.to_string());
            let left = status.retry_at.map(|at| at.since(now).as_millis());
            let left = left.map(|left| u64::try_from(left).unwrap_or(u64::MAX));
            Some((server.host().to_owned(), server.port().to_owned(), server.weight(), state, failure, left))
        };
        (0..cluster.server_count()).filter_map(known).collect()
    }
}
