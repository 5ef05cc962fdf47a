//! The client's configuration, checked before anything is opened.

use std::sync::Arc;
use std::time::Duration;

use omcache_conn::{Config, Server, parse_server_list};
use omcache_hash::{Distribution, Named};

use super::Client;
use crate::driver::Driver;
use crate::error::Error;

/// Configures a [`Client`].
///
/// | setting | default |
/// |---|---|
/// | [`timeout`](Self::timeout), for a command as a whole | 5 s |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s |
/// | [`reconnect_timeout`](Self::reconnect_timeout) | 10 s |
/// | [`dead_timeout`](Self::dead_timeout) | 10 s |
/// | [`send_limit`](Self::send_limit), for each server | 10 MiB |
/// | [`receive_limit`](Self::receive_limit), for a response | 1056 KiB |
/// | [`distribution`](Self::distribution) | libmemcached's ketama (1.0.10 and later) |
///
/// ```
/// use omcache::Client;
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .servers("mc1.example.net, mc2.example.net:11300, [2001:db8::3]:11211, /run/memcached.sock")?
///     .weighted_server("mc3.example.net", 2)?
///     .distribution_by_name("libmemcached_ketama_weighted")?
///     .timeout(Duration::from_millis(250))
///     .build()?;
/// assert_eq!(client.server_count(), 5);
/// # Ok::<(), omcache::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing before build()"]
pub struct ClientBuilder {
    servers: Vec<Server>,
    distribution: Arc<dyn Distribution>,
    config: Config,
    timeout: Option<Duration>,
    socket_buffer: Option<usize>,
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("servers", &self.servers)
            .field("distribution", &self.distribution.name())
            .field("config", &self.config)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            servers: Vec::new(),
            distribution: Arc::new(Named::Ketama),
            config: Config::default(),
            timeout: Some(Duration::from_secs(5)),
            socket_buffer: None,
        }
    }

    /// Adds a server: `host`, `host:port`, `[v6]:port`, a bare IPv6 address, `/path` or `unix:/path`. The port is 11211
    /// where none is given, and may be a service's name. Names are looked up when the server is first needed.
    ///
    /// # Errors
    /// Text that can't be read, with the reason.
    pub fn server(self, server: impl AsRef<str>) -> Result<Self, Error> {
        self.weighted_server(server, 1)
    }

    /// Adds a server with a weight, which counts in the weighted distributions only.
    ///
    /// # Errors
    /// As [`ClientBuilder::server`]; also a weight of 0.
    pub fn weighted_server(mut self, server: impl AsRef<str>, weight: u32) -> Result<Self, Error> {
        let server: Server = server.as_ref().parse().map_err(Error::invalid)?;
        if weight == 0 {
            return Err(Error::invalid(format!("server {server}: a weight of 0")));
        }
        self.servers.push(server.with_weight(weight));
        Ok(self)
    }

    /// Adds the servers of a comma-separated list.
    ///
    /// # Errors
    /// As [`ClientBuilder::server`].
    pub fn servers(mut self, list: impl AsRef<str>) -> Result<Self, Error> {
        self.servers.extend(parse_server_list(list.as_ref()).map_err(Error::invalid)?);
        Ok(self)
    }

    /// Adds a server with everything that can be said of it.
    pub fn server_address(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// Sets the rule by which keys are spread over the servers: a [`Named`] one or a program's own.
    pub fn distribution(mut self, distribution: impl Distribution + 'static) -> Self {
        self.distribution = Arc::new(distribution);
        self
    }

    /// Sets one of the named distributions, `libmemcached_ketama` for one; [`Named`] lists them.
    ///
    /// # Errors
    /// An unknown name.
    pub fn distribution_by_name(self, name: &str) -> Result<Self, Error> {
        let named: Named = name.parse().map_err(Error::invalid)?;
        Ok(self.distribution(named))
    }

    /// Sets how long a command may take as a whole; `None` is for ever.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets how long a handshake may take: look-up, connect, and the answer to a first NOOP together.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// Sets how long a server that failed its handshake is left alone, at least 10 ms.
    pub fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        self.config.reconnect_timeout = timeout;
        self
    }

    /// Sets how long a server that owes an answer may stay without progress before its connection is given up.
    pub fn dead_timeout(mut self, timeout: Duration) -> Self {
        self.config.dead_timeout = timeout;
        self
    }

    /// Sets how many bytes may wait to be sent to one server.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.config.send_limit = bytes;
        self
    }

    /// Sets the largest response that is taken, in bytes, its 24-byte header included.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.config.receive_limit = bytes;
        self
    }

    /// Sets the size of the kernel's buffers for each connection, in bytes; the kernel decides where it is not set.
    pub fn socket_buffer(mut self, bytes: usize) -> Self {
        self.socket_buffer = Some(bytes);
        self
    }

    /// The client. Nothing is connected before it is needed.
    ///
    /// # Errors
    /// Where the distribution can't take these servers, or a limit is smaller than a packet's header of 24 bytes.
    pub fn build(self) -> Result<Client, Error> {
        for (name, limit) in [("send", self.config.send_limit), ("receive", self.config.receive_limit)] {
            if limit < omcache_proto::binary::HEADER_LEN {
                return Err(Error::invalid(format!(
                    "a {name} limit of {limit} bytes: a header alone has 24"
                )));
            }
        }
        let mut driver = Driver::new(self.config);
        driver.set_socket_buffer(self.socket_buffer);
        driver.cluster.set_distribution(self.distribution).map_err(Error::invalid)?;
        driver.cluster.set_servers(self.servers).map_err(Error::invalid)?;
        Ok(Client::new(driver, self.timeout))
    }
}
