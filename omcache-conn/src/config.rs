//! Time limits and buffer limits of a cluster's connections.

use std::time::Duration;

/// Time limits and buffer limits, the same for every server of a [`Cluster`](crate::Cluster).
///
/// ```
/// use omcache_conn::Config;
/// use std::time::Duration;
///
/// let config = Config { dead_timeout: Duration::from_secs(1), ..Config::default() };
/// assert_eq!(config.connect_timeout, Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a handshake may take: look-up, connect and the answer to a first NOOP together. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a server that failed its handshake is left alone before it is tried again, at least 10 ms. Default: 10 s.
    pub reconnect_timeout: Duration,
    /// How long a connection that owes an answer may stay without progress before it is given up, and how long a request may
    /// wait for a handshake. Where both this and the connect timeout are over at once, the handshake has failed, and what
    /// waits goes to the next server. Default: 10 s.
    pub dead_timeout: Duration,
    /// Bytes that may wait to be sent to one server. A request that does not fit is refused. At most
    /// 4 GiB - 1; more counts as that. Default: 10 MiB.
    pub send_limit: usize,
    /// The largest response, header included, in bytes. A larger one fails its request alone and is passed over; where more
    /// than the limit, or than 1056 KiB, is still to come of it, the connection is made anew instead, and what else was
    /// sent on it is unknown. Default: 1056 KiB, so that a value of memcached's default maximum size (1 MiB) fits.
    pub receive_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            reconnect_timeout: Duration::from_secs(10),
            dead_timeout: Duration::from_secs(10),
            send_limit: 10 * 1024 * 1024,
            receive_limit: 1056 * 1024,
        }
    }
}
