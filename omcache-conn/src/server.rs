//! What is known of a server before it is connected: where it is, its weight, its name.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a server that is given without one.
const DEFAULT_PORT: &str = "11211";

/// Where a server listens, as its user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A host name or IP address (IPv6 without brackets) and a port number or service name.
    Tcp {
        /// The name or address.
        host: String,
        /// The port, or a service's name.
        port: String,
    },
    /// The path of a Unix socket.
    Unix(String),
}

/// Where to connect to, after the look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Ip(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// One server of a cluster.
///
/// From text: `host`, `host:port`, `[v6]:port`, `[v6]`, a bare IPv6 address, `/path` or `unix:/path`; port 11211 where
/// none is given, and a service's name serves as one.
///
/// ```
/// use omcache_conn::Server;
///
/// let server: Server = "[2001:db8::1]:11300".parse()?;
/// assert_eq!((server.host(), server.port()), ("2001:db8::1", "11300"));
/// assert_eq!(server.to_string(), "[2001:db8::1]:11300");
/// assert!("mc1:".parse::<Server>().is_err());
/// # Ok::<(), omcache_conn::ParseServerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    weight: u32,
    name: Option<String>,
}

impl Server {
    /// A server at a host name or IP address and a port number or service name; weight 1.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: impl Into<String>) -> Self {
        Self::at(Endpoint::Tcp { host: host.into(), port: port.into() })
    }

    /// A server at a Unix socket's path; weight 1.
    #[must_use]
    pub fn unix(path: impl Into<String>) -> Self {
        Self::at(Endpoint::Unix(path.into()))
    }

    fn at(endpoint: Endpoint) -> Self {
        Self { endpoint, weight: 1, name: None }
    }

    /// The same server with another weight. Weights count in the weighted distributions only; 0 is taken as 1.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight.max(1);
        self
    }

    /// The same server under a name of its own, which some distributions hash in place of its address.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its host name or address, or its socket's path.
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.endpoint {
            Endpoint::Tcp { host, .. } => host,
            Endpoint::Unix(path) => path,
        }
    }

    /// Its port number or service name; `0` for a Unix socket.
    #[must_use]
    pub fn port(&self) -> &str {
        match &self.endpoint {
            Endpoint::Tcp { port, .. } => port,
            Endpoint::Unix(_) => "0",
        }
    }

    /// Its weight, at least 1.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Its own name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address, where it needs no look-up: an IP address with a numeric port, or a path.
    pub(crate) fn literal_address(&self) -> Option<Address> {
        match &self.endpoint {
            Endpoint::Unix(path) => Some(Address::Unix(PathBuf::from(path))),
            Endpoint::Tcp { host, port } => {
                let ip: IpAddr = host.parse().ok()?;
                Some(Address::Ip(SocketAddr::new(ip, port.parse().ok()?)))
            }
        }
    }

    pub(crate) fn as_hash_server(&self) -> omcache_hash::Server<'_> {
        let mut server = omcache_hash::Server::new(self.host(), self.port()).with_weight(self.weight);
        server.name = self.name();
        server
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => f.write_str(path),
        }
    }
}

/// A server's text that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server {text:?}: {reason}")]
pub struct ParseServerError {
    text: String,
    reason: &'static str,
}

impl FromStr for Server {
    type Err = ParseServerError;

    fn from_str(text: &str) -> Result<Self, ParseServerError> {
        let fail = |reason| Err(ParseServerError { text: text.to_owned(), reason });
        let given = text.trim();
        if given.is_empty() {
            return fail("is empty");
        }
        if given.contains('\0') {
            return fail("has a NUL in it");
        }
        if let Some(path) = given.strip_prefix("unix:").or_else(|| given.starts_with('/').then_some(given)) {
            return match path.is_empty() {
                true => fail("has no path"),
                false => Ok(Self::unix(path)),
            };
        }
        let (host, port) = if let Some(rest) = given.strip_prefix('[') {
            let Some((host, after)) = rest.split_once(']') else {
                return fail("has no closing bracket");
            };
            match after.strip_prefix(':') {
                None if after.is_empty() => (host, DEFAULT_PORT),
                None => return fail("has something other than :port behind the bracket"),
                Some(port) => (host, port),
            }
        } else if given.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) {
            // With or without the name of an interface behind it.
            (given, DEFAULT_PORT)
        } else {
            given.split_once(':').unwrap_or((given, DEFAULT_PORT))
        };
        if host.is_empty() {
            return fail("has no host");
        }
        if port.is_empty() {
            return fail("has an empty port");
        }
        if port.contains(':') {
            return fail("has more than one port (write IPv6 addresses in brackets)");
        }
        Ok(Self::tcp(host, port))
    }
}

/// Servers from a comma-separated list. Blanks around entries and empty entries are ignored.
///
/// # Errors
/// The first entry that can't be read.
pub fn parse_server_list(list: &str) -> Result<Vec<Server>, ParseServerError> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
}
