//! Waiting costs no processor time, whatever is waited for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::time::{Duration, Instant};

use memcached::Memcached;
use memcached::deadline::ms;
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::{key_of, keys_of};
use omcache::{Client, ClientBuilder, Command, Item, Mode};
use rustix::time::{ClockId, clock_gettime};

/// How long each wait here takes at least.
const LONG: Duration = ms(900);
/// One that spins takes all of that; one that waits next to nothing.
const IDLE: Duration = ms(150);

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder()
        .servers(list.join(","))
        .unwrap()
        .dead_timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(3))
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Does something that has to wait for long, and fails where that was no rest.
fn rests<T>(what: &str, call: impl FnOnce() -> T) -> T {
    let (start, used) = (Instant::now(), processor_time());
    let result = call();
    let (waited, used) = (start.elapsed(), processor_time() - used);
    assert!(waited >= LONG, "{what}: only {waited:?}");
    assert!(used < IDLE, "{what}: {used:?} of {waited:?}");
    result
}

#[test]
fn for_an_answer() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).build().unwrap();
    client.noop(0).unwrap();
    servers[0].pause();
    rests("a get on a connection", || client.get("key")).unwrap_err();
    rests("a get while it is connected", || client.get("key")).unwrap_err();
    let mut client = builder(&servers).build().unwrap();
    rests("the first get of all", || client.get("key")).unwrap_err();
}

#[test]
fn for_room_in_the_socket() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).socket_buffer(4096).build().unwrap();
    let large = vec![0; 900_000];
    // More than the kernel takes.
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[0].pause();
    let keys = keys_of(&client, 0, "key", 10);
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, &large)).collect();
    let results = rests("a batch that is not taken", || client.set_multi(&items));
    assert!(results[0].as_ref().is_err_and(|error| error.was_sent()), "{:?}", results[0]);
}

#[test]
fn for_room_in_the_send_buffer() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers)
        .socket_buffer(4096)
        .send_limit(20_000)
        .timeout(ms(1500))
        .dead_timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    for server in 0..2 {
        client.noop(server).unwrap();
    }
    servers[0].pause();
    let value = "x".repeat(5000);
    let keys: Vec<String> = (0..600).map(|n| format!("key{n}")).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, &value)).collect();
    let results = rests("a batch larger than the limit", || client.set_multi(&items));
    assert!(results.iter().any(Result::is_ok) && results.iter().any(Result::is_err));
    rests("a command that is queued", || {
        let sick = keys_of(&client, 0, "queued", 600);
        let queue = |key: &String| client.queue(&Command::Store(Mode::Set, Item::new(key, &value)));
        sick.iter().map(queue).find_map(Result::err).expect("it is full")
    });
    rests("the flush", || client.flush()).unwrap_err();
}

#[test]
fn where_one_server_refuses_and_one_hangs() {
    let mut servers = Memcached::start_many::<3>();
    let mut client = builder(&servers).build().unwrap();
    let keys: Vec<String> = (0..300).map(|n| format!("key{n}")).collect();
    client.noop(1).unwrap();
    servers[0].kill();
    servers[1].pause();
    let results = rests("a batch", || client.get_multi(&keys));
    assert!(results.iter().any(Result::is_ok) && results.iter().any(Result::is_err));
    let mut client = builder(&servers).build().unwrap();
    for key in &keys {
        client.queue(&Command::Store(Mode::Set, Item::new(key, "x"))).unwrap();
    }
    let flushed = rests("a flush", || client.flush()).unwrap();
    assert!(!flushed.failures.is_empty());
}

#[test]
fn in_a_loop_of_the_programs_own() {
    let mut servers = Memcached::start_many::<4>();
    servers[3].kill();
    let client = builder(&servers).reconnect_timeout(ms(300)).build().unwrap();
    let (well, sick) = (key_of(&client, 0), key_of(&client, 1));
    let dead = key_of(&client, 3);
    let mut events = ForeignLoop::new(client);
    events.get(&well);
    events.get(&sick);
    events.get(&dead);
    events.complete(3, Duration::from_secs(5));
    servers[1].pause();
    events.get(&sick);
    let mut turns = 0;
    // One hangs, one is tried again now and then, and nothing is asked of the others.
    rests("a loop", || {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            events.turn(ms(500));
            turns += 1;
        }
    });
    assert!(turns < 100, "{turns} turns");
}
