//! A distribution of one's own: keys with the same `{tag}` are kept on the same server, so that what belongs together is
//! read in one round trip.
//!
//! `cargo run -p omcache --features testing --example own_distribution [SERVERS]`. Without SERVERS (a comma-separated
//! list), four small servers are started in this process.

use std::error::Error;

use omcache::distribution::{BuildError, Placement, Server as Place};
use omcache::testing::Server;
use omcache::{Client, Distribution, Item, Named};

/// libmemcached's ring, looked up by what stands between the first `{` and the next `}` of a key; by the whole key
/// where there is no such thing.
struct ByTag;

impl Distribution for ByTag {
    // The name is part of the fingerprint by which clients find out whether they agree on every key's server.
    fn name(&self) -> &str {
        "ketama_by_tag"
    }

    fn build(&self, servers: &[Place<'_>]) -> Result<Box<dyn Placement>, BuildError> {
        Ok(Box::new(TaggedRing(Named::Ketama.build(servers)?)))
    }
}

/// The rule, once the servers are known.
struct TaggedRing(Box<dyn Placement>);

impl Placement for TaggedRing {
    fn server(&self, key: &[u8]) -> usize {
        self.0.server(tag(key))
    }

    // Where the keys go whose server is down: all of a tag's to the same next one.
    fn walk<'a>(&'a self, key: &[u8]) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        self.0.walk(tag(key))
    }
}

fn tag(key: &[u8]) -> &[u8] {
    let inside = || {
        let start = key.iter().position(|&byte| byte == b'{')? + 1;
        let len = key.get(start..)?.iter().position(|&byte| byte == b'}')?;
        key.get(start..start + len).filter(|tag| !tag.is_empty())
    };
    inside().unwrap_or(key)
}

fn main() -> Result<(), Box<dyn Error>> {
    let own = [Server::start()?, Server::start()?, Server::start()?, Server::start()?];
    let list = match std::env::args().nth(1) {
        Some(list) => list,
        None => own.iter().map(|server| server.address().to_string()).collect::<Vec<_>>().join(","),
    };
    let mut client = Client::builder().servers(&list)?.distribution(ByTag).build()?;

    for user in ["ada", "grace", "edsger"] {
        let keys = ["name", "mail", "cart"].map(|field| format!("{{{user}}}:{field}"));
        let items: Vec<_> = keys.iter().map(|key| Item::new(key, user)).collect();
        for stored in client.set_multi(&items) {
            let _ = stored?;
        }
        let servers: Vec<_> = keys.iter().map(|key| client.server_for_key(key)).collect();
        println!("{} are on server {:?}", keys.join(", "), servers[0]);
        if servers.iter().any(|server| *server != servers[0]) {
            return Err(format!("the keys of {user} are apart: {servers:?}").into());
        }
        for value in client.get_multi(&keys) {
            if value?.is_none_or(|value| value.data != user) {
                return Err(format!("a value of {user} is missing or wrong").into());
            }
        }
        let _ = client.delete_multi(&keys);
    }

    // Clients of another distribution would look elsewhere, and the fingerprint shows it.
    let other = Client::connect_to(&list)?;
    println!("fingerprints: {:016x} by tag, {:016x} by key", client.fingerprint(), other.fingerprint());
    if client.fingerprint() == other.fingerprint() {
        return Err("two distributions have one fingerprint".into());
    }
    Ok(())
}
