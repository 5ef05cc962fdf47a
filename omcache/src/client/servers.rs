//! Commands to servers, and what is known of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omcache_conn::{Cluster, Health, Response, Server, Target};
use omcache_hash::Distribution;
use omcache_proto::Request;
use omcache_proto::binary::Status;

use super::Client;
use crate::error::Error;
use crate::expiration::Expiration;

/// How a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerState {
    /// Not connected, as nothing was asked of it yet or its last connection ended. It takes keys.
    Idle,
    /// Being connected. It takes keys.
    Connecting,
    /// Connected. It takes keys.
    Ready,
    /// It could not be reached; its keys go to other servers.
    Disabled,
    /// It is being tried again; its keys still go to other servers.
    Retrying,
}

/// What is known of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its index.
    pub index: usize,
    /// Where it is, and its weight.
    pub address: Server,
    /// How it is doing.
    pub state: ServerState,
    /// What it last failed of.
    pub last_failure: Option<String>,
    /// When it is tried again, where it is disabled.
    pub retry_in: Option<Duration>,
}

fn done(response: &Response<'_>) -> Result<(), Error> {
    match response.header().status {
        Status::SUCCESS => Ok(()),
        status => Err(Error::refused(status)),
    }
}

/// The protocol's number for the delay of a flush. The server takes one of more than 30 days for a moment, as with expirations.
fn flush_delay(delay: Duration) -> Result<u32, Error> {
    let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    if u32::try_from(seconds).is_err() {
        let text = format!("a delay of {seconds} s: the protocol's limit is {}", u32::MAX);
        return Err(Error::invalid(text));
    }
    Ok(if seconds == 0 { 0 } else { Expiration::after(delay).as_raw() })
}

/// # Servers
///
/// A server's index is its place in the list.
impl Client {
    /// How many servers there are.
    #[must_use]
    pub fn server_count(&self) -> usize {
        self.driver.cluster.server_count()
    }

    /// What is known of the server with this index.
    #[must_use]
    pub fn server_info(&self, index: usize) -> Option<ServerInfo> {
        let address = self.driver.cluster.server(index)?.clone();
        let status = self.driver.cluster.server_status(index)?;
        let state = match status.health {
            Health::Idle => ServerState::Idle,
            Health::Connecting => ServerState::Connecting,
            Health::Ready => ServerState::Ready,
            Health::Retrying => ServerState::Retrying,
            _ => ServerState::Disabled,
        };
        Some(ServerInfo {
            index,
            address,
            state,
            last_failure: status.last_failure.map(|failure| failure.to_string()),
            retry_in: status.retry_at.map(|at| at.since(self.driver.now())),
        })
    }

    /// The index of the server that a key goes to now; `None` where there is none, or all are disabled.
    #[must_use]
    pub fn server_for_key<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<usize> {
        self.driver.cluster.server_for_key(key.as_ref())
    }

    /// The fingerprint of distribution, servers and weights. Clients with the same one agree on every key's server; of those
    /// with a distribution of their own it compares the name and the servers of 64 keys alone.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.driver.cluster.continuum().fingerprint()
    }

    /// Sets other servers, a comma-separated list. Those that stay keep their connections.
    ///
    /// # Errors
    /// Text that can't be read, or servers that the distribution can't take; then the old ones stay.
    pub fn set_servers(&mut self, list: &str) -> Result<(), Error> {
        let servers = omcache_conn::parse_server_list(list).map_err(Error::invalid)?;
        self.set_server_addresses(servers)
    }

    /// Sets other servers. Those that stay keep their connections.
    ///
    /// # Errors
    /// Servers that the distribution can't take; then the old ones stay.
    pub fn set_server_addresses(&mut self, servers: Vec<Server>) -> Result<(), Error> {
        // What a parent queued is not this process's to send.
        self.driver.check_fork();
        self.driver.cluster.set_servers(servers).map_err(Error::invalid)?;
        let now = self.driver.now();
        self.driver.step(now);
        self.take_events();
        Ok(())
    }

    /// Sets another distribution.
    ///
    /// # Errors
    /// Where it can't take the servers; then the old one stays.
    pub fn set_distribution(&mut self, distribution: impl Distribution + 'static) -> Result<(), Error> {
        self.driver.cluster.set_distribution(Arc::new(distribution)).map_err(Error::invalid)
    }

    /// Asks a server whether it is there.
    ///
    /// # Errors
    /// Where it is not, or its index is none of the list's.
    pub fn noop(&mut self, server: usize) -> Result<(), Error> {
        self.exchange(Target::Server(server), &Request::Noop, |response| done(&response))
    }

    /// Asks a server for its version.
    ///
    /// # Errors
    /// As [`Client::noop`].
    pub fn version(&mut self, server: usize) -> Result<String, Error> {
        self.exchange(Target::Server(server), &Request::Version, |response| {
            done(&response).map(|()| String::from_utf8_lossy(response.value()).into_owned())
        })
    }

    /// Asks a server for statistics: a group (`settings`, `items`, `slabs`, …) or, for an empty one, the general ones.
    /// In the server's own order.
    ///
    /// # Errors
    /// As [`Client::noop`]; also [`Refused`](crate::ErrorKind::Refused) for an unknown group.
    pub fn stats(&mut self, server: usize, group: &str) -> Result<Vec<(Bytes, Bytes)>, Error> {
        let now = self.begin();
        let request = Request::Stat { group: group.as_bytes() };
        let deadline = self.deadline(now);
        let submit = |cluster: &mut Cluster| cluster.submit(Target::Server(server), &request);
        let opaque = self.submit_patiently(now, submit)?;
        let mut stats = Vec::new();
        self.await_answer(now, deadline, opaque, |response| {
            let packet = response.packet();
            if packet.ends_stat() {
                return Some(done(&response).map(|()| std::mem::take(&mut stats)));
            }
            stats.push((Bytes::copy_from_slice(packet.key), Bytes::copy_from_slice(packet.value)));
            None
        })
    }

    /// Invalidates all that one server has stored, at once or after a delay: whole seconds, rounded up. What lies beyond the
    /// year 2106 is brought down to it.
    ///
    /// # Errors
    /// As [`Client::noop`]; also [`InvalidInput`](crate::ErrorKind::InvalidInput) for a delay of 2^32 s or more.
    pub fn flush_all(&mut self, server: usize, delay: Duration) -> Result<(), Error> {
        let seconds = flush_delay(delay)?;
        let request = Request::Flush { delay: (seconds > 0).then_some(seconds), quiet: false };
        self.exchange(Target::Server(server), &request, |response| done(&response))
    }

    /// Closes every connection; the next command makes new ones. What was under way ends as failed.
    pub fn disconnect(&mut self) {
        self.driver.cluster.disconnect_all();
        let now = self.driver.now();
        self.driver.step(now);
        self.take_events();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_in_more_than_thirty_days_is_told_as_a_moment() {
        const DAY: u64 = 24 * 60 * 60;
        let number = |seconds| flush_delay(Duration::from_secs(seconds)).ok();
        assert_eq!((number(0), number(30 * DAY)), (Some(0), Some(2_592_000)));
        assert!(number(31 * DAY) > Some(1_700_000_000));
        assert_eq!(flush_delay(Duration::from_millis(1500)).ok(), Some(2));
        assert_eq!((number(1 << 32), flush_delay(Duration::MAX).ok()), (None, None));
    }
}
