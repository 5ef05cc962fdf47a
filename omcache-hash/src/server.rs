//! One server, as far as its place in a distribution goes.

/// A memcached server as it was configured: the text that points are made of, and its weight.
///
/// Nothing here is resolved or parsed: two spellings of one address are two servers to every distribution.
///
/// | server | `host` | `port` |
/// |---|---|---|
/// | host name or IPv4 | as given | decimal, `"11211"` where none was given |
/// | IPv6 | without brackets | as above |
/// | Unix socket | its path, beginning with `/` | `"0"`, which libmemcached calls it by |
///
/// ```
/// use omcache_hash::Server;
///
/// let server = Server::new("10.0.0.7", "11212").with_weight(3);
/// assert_eq!((server.host, server.port, server.weight), ("10.0.0.7", "11212", 3));
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server<'a> {
    /// Host name, address or socket path.
    pub host: &'a str,
    /// Port, in decimal and without leading zeros; `"11211"` is the default of the caller, not of this crate.
    pub port: &'a str,
    /// Share of the keys, relative to the other servers. What 0 means is the distribution's affair.
    pub weight: u32,
    /// A name of its own, where the configuration gives it one; only
    /// [`TwemproxyKetama`](crate::Named::TwemproxyKetama) looks at it.
    pub name: Option<&'a str>,
}

impl<'a> Server<'a> {
    /// A server of weight 1 without a name.
    #[must_use]
    pub const fn new(host: &'a str, port: &'a str) -> Self {
        Self { host, port, weight: 1, name: None }
    }

    /// The same server with that weight.
    #[must_use]
    pub const fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The same server with that name.
    #[must_use]
    pub const fn with_name(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }

    /// Whether this is a Unix socket: its host is a path.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.host.starts_with('/')
    }
}
