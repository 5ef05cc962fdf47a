//! Keys of chosen servers.

use omcache::Client;
use omcache::driver::hash::{Continuum, Named, Server};

use super::Memcached;

/// Keys that go to one server, as long as all are up: `prefix0`, `prefix1`, … as far as they do.
pub(crate) fn keys_of(client: &Client, server: usize, prefix: &str, count: usize) -> Vec<String> {
    let keys = (0..).map(|n| format!("{prefix}{n}"));
    keys.filter(|key| client.server_for_key(key) == Some(server)).take(count).collect()
}

/// One such key.
pub(crate) fn key_of(client: &Client, server: usize) -> String {
    keys_of(client, server, "key", 1).remove(0)
}

/// The order in which libmemcached's ketama offers these servers to a key.
pub(crate) fn ring_order(servers: &[Memcached], key: &str) -> Vec<usize> {
    let places: Vec<(String, String)> = servers.iter().map(Memcached::place).collect();
    let servers: Vec<_> = places.iter().map(|(host, port)| Server::new(host, port)).collect();
    Continuum::new(&Named::Ketama, &servers).unwrap().walk(key.as_bytes()).collect()
}
