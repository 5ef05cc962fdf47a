//! The settings of an embedded server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::command::Cache;
use super::place::Place;
use super::server::Server;

/// The settings of a [`Server`], from [`Server::builder`].
///
/// ```
/// use omcache::testing::Server;
///
/// let server = Server::builder().max_item_size(10_000).version("1.4.5").start()?;
/// assert_ne!(server.port(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct ServerBuilder {
    address: IpAddr,
    port: u16,
    path: Option<PathBuf>,
    max_item_size: usize,
    version: String,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            path: None,
            max_item_size: 1 << 20,
            version: "1.6.18".to_owned(),
        }
    }

    /// The address to listen at, 127.0.0.1 unless told.
    pub fn address(mut self, address: impl Into<IpAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// The TCP port to listen at. The kernel chooses one for 0, which is what it does unless told.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Listen on a Unix socket at this path and not on TCP. The path must not exist yet.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The largest item, in bytes, as memcached's option `-I`: 1 MiB unless told. As there, it has to hold the key, the
    /// value, 59 bytes besides, and another 4 for flags other than 0.
    pub fn max_item_size(mut self, bytes: usize) -> Self {
        self.max_item_size = bytes;
        self
    }

    /// The text that the server gives as its version, `1.6.18` unless told.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] where the port is taken or the path exists, and whatever else the system says.
    pub fn start(self) -> io::Result<Server> {
        let place = match self.path {
            Some(path) => Place::Unix(path),
            None => Place::tcp(SocketAddr::new(self.address, self.port))?,
        };
        Server::with(place, Cache::new(self.max_item_size, &self.version))
    }
}
