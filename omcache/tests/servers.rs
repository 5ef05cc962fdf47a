//! Changes of the server list and the distribution while the client is in use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::time::Duration;

use memcached::Memcached;
use memcached::deadline::until;
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::{key_of, keys_of};
use omcache::{Client, Command, ErrorKind, Expiration, Item, Mode, Named, Reply, ServerState};

const NEVER: Expiration = Expiration::NEVER;
const PATIENCE: Duration = Duration::from_secs(10);

fn list(servers: &[&Memcached]) -> String {
    servers.iter().map(|server| server.address()).collect::<Vec<_>>().join(",")
}

#[test]
fn servers_that_stay_keep_their_connections() {
    let [a, b, c] = Memcached::start_many::<3>();
    let mut client = Client::connect_to(&list(&[&a, &b])).unwrap();
    client.noop(0).unwrap();
    client.noop(1).unwrap();
    let connections = [&a, &b].map(Memcached::connections_taken);
    client.set_servers(&list(&[&c, &b])).unwrap();
    assert_eq!(client.server_count(), 2);
    assert_eq!(client.server_info(0).unwrap().state, ServerState::Idle);
    assert_eq!(client.server_info(1).unwrap().state, ServerState::Ready);
    assert_eq!(client.stats(0, "").unwrap()[0].1, c.pid().to_string());
    assert_eq!(client.stats(1, "").unwrap()[0].1, b.pid().to_string());
    until(PATIENCE, "the one that is gone is left", || a.connections_open() == 0);
    assert_eq!(connections[1].since(&b), 0);
    client.set_servers(&list(&[&b, &c, &a])).unwrap();
    for (index, server) in [&b, &c, &a].into_iter().enumerate() {
        assert_eq!(client.stats(index, "").unwrap()[0].1, server.pid().to_string());
    }
    assert_eq!(connections[1].since(&b), 1, "this test's question alone");
    assert_eq!(client.noop(3).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_is_under_way_ends_right_when_its_server_is_taken_off() {
    let [a, b] = Memcached::start_many::<2>();
    let mut client = Client::connect_to(&list(&[&a, &b])).unwrap();
    let (here, there) = (key_of(&client, 0), key_of(&client, 1));
    client.noop(0).unwrap();
    client.noop(1).unwrap();
    a.pause();
    let sent = client.submit(&Command::Store(Mode::Set, Item::new(&here, "sent"))).unwrap();
    let stays = client.submit(&Command::Store(Mode::Set, Item::new(&there, "stays"))).unwrap();
    for key in keys_of(&client, 0, "queued", 50) {
        client.queue(&Command::Store(Mode::Set, Item::new(&key, "x"))).unwrap();
    }
    client.set_servers(&list(&[&b])).unwrap();
    let mut events = ForeignLoop::new(client);
    for completion in events.complete(2, PATIENCE) {
        match completion.result {
            Ok(Reply::Stored(stored)) => assert!(completion.ticket == stays && stored.is_stored()),
            other => {
                assert_eq!(completion.ticket, sent);
                assert_eq!(other.unwrap_err().kind(), ErrorKind::Unknown);
            }
        }
    }
    let failures = events.client.flush().unwrap().failures;
    assert!(failures.is_empty(), "what was not sent went to the new server: {failures:?}");
    assert_eq!(b.stat("curr_items"), 51);
}

#[test]
fn a_list_that_can_not_be_read_changes_nothing() {
    let [a, b] = Memcached::start_many::<2>();
    let mut client = Client::connect_to(&list(&[&a, &b])).unwrap();
    let key = key_of(&client, 1);
    assert!(client.set(&key, "value", NEVER).unwrap().is_stored());
    let fingerprint = client.fingerprint();
    for wrong in ["[::1", "host:1:2", "mc1:", "mc1,:11211"] {
        let error = client.set_servers(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("server"))
        );
    }
    assert_eq!((client.server_count(), client.fingerprint()), (2, fingerprint));
    assert_eq!(client.get(&key).unwrap().unwrap().data, "value");
    client.set_servers("").unwrap();
    assert_eq!(client.get(&key).unwrap_err().kind(), ErrorKind::NoServers);
    client.set_servers(&list(&[&a, &b])).unwrap();
    assert_eq!(client.get(&key).unwrap().unwrap().data, "value");
    assert_eq!(client.fingerprint(), fingerprint);
}

#[test]
fn another_distribution_moves_keys_and_keeps_connections() {
    let servers = Memcached::start_many::<4>();
    let list = list(&servers.each_ref());
    let mut client = Client::connect_to(&list).unwrap();
    let keys: Vec<String> = (0..400).map(|n| format!("key{n}")).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, key)).collect();
    assert!(client.set_multi(&items).into_iter().all(|stored| stored.unwrap().is_stored()));
    let before: Vec<_> = keys.iter().map(|key| client.server_for_key(key)).collect();
    let connections = servers.each_ref().map(Memcached::connections_taken);
    let ketama = client.fingerprint();
    client.set_distribution(Named::Modula(omcache::driver::hash::HashFunction::Crc)).unwrap();
    assert_ne!(client.fingerprint(), ketama);
    let same = Client::builder().servers(&list).unwrap().distribution_by_name("modula/crc").unwrap().build();
    let same = same.unwrap();
    assert_eq!(same.fingerprint(), client.fingerprint());
    let found = client.get_multi(&keys);
    let mut moved = 0;
    for ((key, before), found) in keys.iter().zip(before).zip(found) {
        let stayed = client.server_for_key(key) == before;
        assert_eq!(same.server_for_key(key), client.server_for_key(key));
        assert_eq!(found.unwrap().is_some(), stayed);
        moved += u32::from(!stayed);
    }
    assert!(moved > 100);
    for (server, connections) in servers.iter().zip(connections) {
        assert_eq!(connections.since(server), 0);
    }
}

#[test]
fn a_server_may_stand_in_the_list_twice() {
    let server = Memcached::start();
    let mut client = Client::connect_to(&list(&[&server, &server])).unwrap();
    for index in 0..2 {
        client.noop(index).unwrap();
    }
    assert_eq!(server.connections_open(), 2);
    assert!(client.set("key", "value", NEVER).unwrap().is_stored());
    client.set_servers(&list(&[&server])).unwrap();
    until(PATIENCE, "one is left", || server.connections_open() == 1);
    assert_eq!(client.get("key").unwrap().unwrap().data, "value");
}
