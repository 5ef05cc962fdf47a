//! Buffered writes: ten thousand values queued one by one, sent many at a time, with one wait at the end.
//!
//! `cargo run -p omcache --features testing --example buffered [SERVERS]`. Without SERVERS (a comma-separated list), two
//! small servers are started in this process.

use std::error::Error;
use std::time::Instant;

use omcache::testing::Server;
use omcache::{Client, Command, Expiration, Item, Mode};

const VALUES: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let own = [Server::start()?, Server::start()?];
    let list = match std::env::args().nth(1) {
        Some(list) => list,
        None => format!("{},{}", own[0].address(), own[1].address()),
    };
    let mut client = Client::connect_to(&list)?;
    let keys: Vec<_> = (0..VALUES).map(|n| format!("example:buffered:{n}")).collect();

    // One by one, each waits for its answer.
    let begin = Instant::now();
    for key in &keys[..VALUES / 10] {
        let _ = client.set(key, "before", Expiration::NEVER)?;
    }
    let waited = begin.elapsed() * 10 / VALUES as u32;

    // Queued, a set returns at once. What is queued is sent whenever 64 KiB have come together, and the servers answer
    // only what they refuse.
    let begin = Instant::now();
    for (n, key) in keys.iter().enumerate() {
        let value = format!("value {n}");
        client.queue(&Command::Store(Mode::Set, Item::new(key, &value)))?;
    }
    // An add of a key that exists is refused. The ticket says which command a refusal belongs to.
    let refused = client.queue(&Command::Store(Mode::Add, Item::new(&keys[0], "too late")))?;
    // Sends the rest and waits until every command is settled.
    let flushed = client.flush()?;
    let queued = begin.elapsed() / VALUES as u32;

    println!("set, one by one:   {waited:>8.1?} each");
    println!("queue, then flush: {queued:>8.1?} each");
    for (ticket, error) in &flushed.failures {
        let which = if *ticket == refused { "the late add" } else { "a set" };
        println!("{which} failed: {error}");
    }
    if !matches!(flushed.failures.as_slice(), [(ticket, _)] if *ticket == refused) {
        return Err("the late add alone should have failed".into());
    }

    // All are there, each with its own value.
    for (n, value) in client.get_multi(&keys).into_iter().enumerate() {
        let value = value?.ok_or("a queued value is missing")?;
        if value.data != format!("value {n}") {
            return Err(format!("{} is {:?}", keys[n], value.data).into());
        }
    }
    println!("{VALUES} values read back");

    for key in &keys {
        client.queue(&Command::Delete(key.as_bytes()))?;
    }
    let flushed = client.flush()?;
    println!("{} keys deleted", VALUES - flushed.failures.len());
    Ok(())
}
