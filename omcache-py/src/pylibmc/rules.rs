//! What a client is told to do: its servers and behaviors, as `omcache_pylibmc` hands them over.

use std::sync::Arc;
use std::time::Duration;

use omcache::driver::Driver;
use omcache::driver::conn::{Config, Server};
use omcache::driver::hash::{self, Named};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::code::Code;

/// Bytes that may wait to be sent to one server, unless a single request is larger.
pub(super) const SEND_LIMIT: usize = 16 * 1024 * 1024;

/// The largest response. memcached can't be told to take a value of more than 1 GiB.
const RECEIVE_LIMIT: usize = (1 << 30) + (1 << 20);

/// The kind of a server that listens on a Unix socket, as pylibmc numbers them.
const UNIX: u8 = 4;

/// Everything that a client is told, as the items of a dict. Times are in microseconds.
#[derive(Clone, Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Rules {
    /// Kind, host or path, port, weight.
    servers: Vec<(u8, String, u32, u32)>,
    /// A name of `omcache_hash`'s.
    distribution: String,
    connect_timeout: u64,
    reply_timeout: u64,
    retry_timeout: u64,
    /// Whether the keys of a server that fails go to the next one.
    pub(super) failover: bool,
    /// What a server that is left alone is told as.
    down: u8,
    /// Stands before every key.
    pub(super) namespace: Vec<u8>,
    /// Whether servers are chosen by the whole key.
    hash_namespace: bool,
    pub(super) verify_keys: bool,
    /// Whether stores and deletes are not waited for.
    pub(super) quiet: bool,
    pub(super) cas: bool,
    /// On how many more servers a value is kept.
    pub(super) replicas: usize,
    pub(super) pickle_protocol: i64,
    /// Whether the program has a `serialize` of its own.
    pub(super) own_serialize: bool,
    /// Whether the program has a `deserialize` of its own.
    pub(super) own_deserialize: bool,
}

/// Those of a client without servers.
impl Default for Rules {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            distribution: "modula".to_owned(),
            connect_timeout: 4_000_000,
            reply_timeout: 5_000_000,
            retry_timeout: 2_000_000,
            failover: false,
            down: Code::SERVER_DOWN.0,
            namespace: Vec::new(),
            hash_namespace: false,
            verify_keys: false,
            quiet: false,
            cas: false,
            replicas: 0,
            pickle_protocol: -1,
            own_serialize: false,
            own_deserialize: false,
        }
    }
}

impl Rules {
    /// What a server that is left alone is told as.
    pub(super) fn down(&self) -> Code {
        Code(self.down)
    }

    /// How much of a key on the wire has no part in choosing its server.
    #[inline]
    pub(super) fn unrouted(&self) -> usize {
        if self.hash_namespace { 0 } else { self.namespace.len() }
    }

    fn config(&self) -> Config {
        Config {
            connect_timeout: Duration::from_micros(self.connect_timeout),
            reconnect_timeout: Duration::from_micros(self.retry_timeout),
            dead_timeout: Duration::from_micros(self.reply_timeout),
            send_limit: SEND_LIMIT,
            receive_limit: RECEIVE_LIMIT,
        }
    }

    fn servers(&self) -> Vec<Server> {
        let server = |(kind, host, port, weight): &(u8, String, u32, u32)| {
            let server = match *kind {
                UNIX => Server::unix(host.clone()),
                _ => Server::tcp(host.clone(), port.to_string()),
            };
            server.with_weight(*weight)
        };
        self.servers.iter().map(server).collect()
    }

    /// Makes a driver act on them. Servers that stay keep their connections.
    ///
    /// # Errors
    /// An unknown distribution, or one that can't take the servers.
    pub(super) fn apply(&self, driver: &mut Driver) -> PyResult<()> {
        let named = Named::from_name(&self.distribution).ok_or_else(|| {
            PyValueError::new_err(format!("there is no distribution {:?}", self.distribution))
        })?;
        let servers = self.servers();
        let hashed: Vec<_> = servers
            .iter()
            .map(|server| hash::Server::new(server.host(), server.port()).with_weight(server.weight()))
            .collect();
        let refused = |error: hash::BuildError| PyRuntimeError::new_err(error.to_string());
        let cluster = &mut driver.cluster;
        cluster.set_config(self.config());
        cluster.set_distribution(Arc::new(named.as_libmemcached(&hashed))).map_err(refused)?;
        cluster.set_servers(servers).map_err(refused)
    }
}
