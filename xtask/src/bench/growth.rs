//! What a key costs in batches of few keys and of many, and with few servers and many.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use super::clients::Client;
use super::sample::{self, Task};
use crate::demo::memcached::Memcached;

/// What is counted of one client.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    pub(super) client: String,
    /// Keys in a batch, all of one server, and instructions a key.
    pub(super) keys: Vec<(usize, f64)>,
    /// Servers, and instructions of a single get, and a key in a batch of a hundred for each server.
    pub(super) servers: Vec<(usize, [f64; 2])>,
}

/// Counts with up to so many keys in a batch, which are a hundred for each server.
pub(super) fn measure<'c>(
    clients: impl Iterator<Item = &'c Client>,
    most: usize,
    tell: impl Fn(&str),
) -> Result<Vec<Growth>> {
    let program = Memcached::installed().context("memcached is not installed")?;
    let addresses: Vec<_> = (1..=u8::MAX - 1)
        .flat_map(|low| (0..4).map(move |high| Ipv4Addr::new(127, 0, high, low)))
        .take(1_000)
        .collect();
    let server = Memcached::start_on_many(&program, &addresses)?;
    let list = |count: usize| {
        let servers = addresses.iter().take(count).map(|address| format!("{address}:{}", server.port()));
        servers.collect::<Vec<_>>().join(",")
    };
    let mut found = Vec::new();
    for client in clients {
        let mut growth = Growth { client: client.name.clone(), keys: Vec::new(), servers: Vec::new() };
        let count = |servers: usize, workload: &str, runs: [usize; 2]| {
            tell(&format!("{}: instructions of {workload}, servers: {servers}", client.name));
            let task = Task { servers: &list(servers), workload, value: 100 };
            sample::instructions(client, task, runs, 1)
        };
        for keys in [10, 100, 1_000, 10_000, 100_000].into_iter().filter(|&keys| keys <= most) {
            growth.keys.push((keys, count(1, &format!("get{keys}"), runs(keys))?));
        }
        for servers in [1, 10, 100, 1_000].into_iter().filter(|&servers| servers * 100 <= most) {
            let keys = servers * 100;
            let single = count(servers, "get", [1_000, 3_000])?;
            growth.servers.push((servers, [single, count(servers, &format!("get{keys}"), runs(keys))?]));
        }
        found.push(growth);
    }
    Ok(found)
}

/// Keys of the shorter and of the longer run: after one batch the buffers have their size.
fn runs(keys: usize) -> [usize; 2] {
    let batches = 10_usize.max(2_000 / keys);
    [2 * keys, (2 + batches) * keys]
}
