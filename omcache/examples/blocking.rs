//! A first program: set and get, many keys at once, compare-and-swap, counters, and what errors tell.
//!
//! `cargo run -p omcache --features testing --example blocking [SERVERS]`, where SERVERS is a list such as
//! `mc1.example.net,mc2.example.net:11300`. Without one, two small servers are started in this process.

use std::error::Error;
use std::time::Duration;

use omcache::testing::Server;
use omcache::{Client, Delta, ErrorKind, Expiration, Item, Stored};

fn main() -> Result<(), Box<dyn Error>> {
    let own = [Server::start()?, Server::start()?];
    let list = match std::env::args().nth(1) {
        Some(list) => list,
        None => format!("{},{}", own[0].address(), own[1].address()),
    };

    // Nothing is connected yet: each server is, when it first gets a key. The timeout is for a command as a whole,
    // so no call below takes longer, whatever happens to the servers.
    let mut client = Client::builder().servers(&list)?.timeout(Duration::from_millis(500)).build()?;
    println!("{} servers: {list}", client.server_count());

    // A miss is no error: it is `None`.
    let _ = client.delete("example:greeting")?;
    if client.get("example:greeting")?.is_some() {
        return Err("a deleted key was found".into());
    }
    // Stored for a minute; the server removes it then.
    let _ = client.set("example:greeting", "hello", Expiration::after(Duration::from_secs(60)))?;
    let greeting = client.get("example:greeting")?.ok_or("the key that was just set is missing")?;
    println!("example:greeting is {:?}", greeting.data);

    // Many keys: one round trip to each server, all of them at the same time, and a result for each key. A server
    // that fails takes none of the others' keys with it.
    let items = [Item::new("example:1", "one"), Item::new("example:2", "two").flags(7)];
    for stored in client.set_multi(&items) {
        if !stored?.is_stored() {
            return Err("a set of a batch was not stored".into());
        }
    }
    let keys = ["example:1", "example:no such key", "example:2"];
    for (key, value) in keys.iter().zip(client.get_multi(&keys)) {
        match value? {
            Some(value) => println!("{key} is {:?}, flags {}", value.data, value.flags),
            None => println!("{key} is not there"),
        }
    }

    // Compare-and-swap: a value is only replaced if nobody else did so since it was read.
    let seen = client.get("example:1")?.ok_or("example:1 is missing")?;
    let first = client.cas("example:1", "uno", Expiration::NEVER, seen.cas)?;
    let second = client.cas("example:1", "eins", Expiration::NEVER, seen.cas)?;
    println!("first swap: {first:?}, second swap with the same CAS: {second:?}");
    if !first.is_stored() || second != Stored::Exists {
        return Err("a swap went wrong".into());
    }

    // Counters are decimal numbers that the server itself changes. This one begins at 100 if it is new.
    let _ = client.delete("example:visits")?;
    let one = Delta::from(1).or_create(100, Expiration::NEVER);
    println!(
        "visits: {:?}, then {:?}",
        client.increment("example:visits", one)?,
        client.increment("example:visits", one)?
    );

    // What goes wrong has a kind to match on, and a text for people with the server's name in it.
    match client.increment("example:greeting", 1) {
        Err(error) if error.kind() == ErrorKind::NonNumeric => println!("as expected: {error}"),
        other => return Err(format!("counting a word: {other:?}").into()),
    }
    match client.set("example:large", &vec![0; 2 << 20], Expiration::NEVER) {
        Err(error) if error.kind() == ErrorKind::ValueTooLarge => println!("as expected: {error}"),
        other => return Err(format!("storing 2 MiB: {other:?}").into()),
    }
    // A program may repeat a command that was not sent. One that was sent may have been carried out.
    match client.get("") {
        Err(error) if !error.was_sent() => println!("as expected: {error}"),
        other => return Err(format!("getting an empty key: {other:?}").into()),
    }

    // Batches have a result for each key here too.
    for deleted in client.delete_multi(&["example:1", "example:2", "example:visits", "example:greeting"]) {
        let _ = deleted?;
    }
    Ok(())
}
