//! Limits of what is sent and received: what is beyond them fails alone, on a connection that goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use memcached::Memcached;
use memcached::deadline::until;
use omcache::{Client, ClientBuilder, Command, ErrorKind, Expiration, Item, Mode, Reply};
use std::time::Duration;

const NEVER: Expiration = Expiration::NEVER;
/// A response to a get: header and flags.
const RESPONSE: usize = 24 + 4;
/// A request that stores: header, flags and expiration.
const REQUEST: usize = 24 + 8;

fn builder(server: &Memcached) -> ClientBuilder {
    Client::builder().server(server.address()).unwrap()
}

fn store(server: &Memcached, values: &[(&str, usize)]) {
    let mut client = builder(server).build().unwrap();
    for (key, len) in values {
        assert!(client.set(key, &key.repeat(*len)[..*len], NEVER).unwrap().is_stored());
    }
}

#[test]
fn a_response_above_the_limit_fails_alone() {
    let server = Memcached::start();
    store(&server, &[("small", 10), ("large", 100_000), ("huge", 1_000_000)]);
    let mut client = builder(&server).receive_limit(10_000).build().unwrap();
    let connections = server.connections_taken();
    for _ in 0..3 {
        assert_eq!(client.get("small").unwrap().unwrap().data.len(), 10);
        for key in ["large", "huge"] {
            let error = client.get(key).unwrap_err();
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::ResponseTooLarge, true), "{error:?}");
            assert_eq!(error.server(), Some(&*server.address()));
        }
        let error = client.gat("large", NEVER).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
        let keys = ["small", "large", "none", "small", "huge", "small"];
        let kinds: Vec<_> = client
            .get_multi(&keys)
            .into_iter()
            .map(|result| {
                result.map(|value| value.map(|value| value.data.len())).map_err(|error| error.kind())
            })
            .collect();
        let too_large = Err(ErrorKind::ResponseTooLarge);
        assert_eq!(kinds, [Ok(Some(10)), too_large, Ok(None), Ok(Some(10)), too_large, Ok(Some(10))]);
    }
    assert_eq!(connections.since(&server), 1, "what is too large is passed over, on the same connection");
}

#[test]
fn a_submitted_request_whose_response_is_too_large_is_completed_in_its_turn() {
    let server = Memcached::start();
    store(&server, &[("small", 10), ("large", 500_000)]);
    let mut client = builder(&server).receive_limit(1000).build().unwrap();
    let keys = ["small", "large", "small", "large", "small"];
    let tickets: Vec<_> =
        keys.iter().map(|key| client.submit(&Command::Get(key.as_bytes())).unwrap()).collect();
    let mut completions = Vec::new();
    until(Duration::from_secs(10), "all are completed", || {
        client.step().unwrap();
        completions.extend(std::iter::from_fn(|| client.next_completion()));
        completions.len() == keys.len()
    });
    for ((completion, ticket), key) in completions.into_iter().zip(tickets).zip(keys) {
        assert_eq!(completion.ticket, ticket);
        match completion.result {
            Ok(Reply::Value(Some(value))) => assert_eq!((key, value.data.len()), ("small", 10)),
            other => assert_eq!((key, other.unwrap_err().kind()), ("large", ErrorKind::ResponseTooLarge)),
        }
    }
}

#[test]
fn the_receive_limit_is_exact() {
    let server = Memcached::start();
    store(&server, &[("most", 2000), ("more", 2001)]);
    let mut client = builder(&server).receive_limit(RESPONSE + 2000).build().unwrap();
    assert_eq!(client.get("most").unwrap().unwrap().data.len(), 2000);
    assert_eq!(client.get("more").unwrap_err().kind(), ErrorKind::ResponseTooLarge);
}

#[test]
fn statistics_beyond_the_receive_limit_fail_as_a_whole() {
    let server = Memcached::start();
    store(&server, &[("key", 3)]);
    // Room for a short value, and for some of the statistics.
    let mut client = builder(&server).receive_limit(24 + 4 + 8).build().unwrap();
    let connections = server.connections_taken();
    for _ in 0..2 {
        assert_eq!(client.stats(0, "").unwrap_err().kind(), ErrorKind::ResponseTooLarge);
        assert_eq!(client.get("key").unwrap().unwrap().data, "key");
        client.noop(0).unwrap();
    }
    assert_eq!(connections.since(&server), 1);
}

#[test]
fn a_request_above_the_send_limit_fails_alone_and_unsent() {
    let server = Memcached::start();
    let mut client = builder(&server).send_limit(5000).build().unwrap();
    let connections = server.connections_taken();
    let large = "x".repeat(5000);
    for _ in 0..3 {
        assert!(client.set("small", "1", NEVER).unwrap().is_stored());
        let error = client.set("large", &large, NEVER).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::SendBufferFull, false), "{error:?}");
        let items = [Item::new("a", "1"), Item::new("large", &large), Item::new("b", "2")];
        let results = client.set_multi(&items);
        assert!(results[0].as_ref().unwrap().is_stored());
        assert_eq!(results[1].as_ref().unwrap_err().kind(), ErrorKind::SendBufferFull);
        assert!(results[2].as_ref().unwrap().is_stored());
        assert_eq!(client.get("large").unwrap(), None);
        assert_eq!(client.get("b").unwrap().unwrap().data, "2");
    }
    assert_eq!(server.stat("cmd_set"), 9, "the large ones never came");
    assert_eq!(connections.since(&server), 2, "one of them this test's question");
}

#[test]
fn the_send_limit_is_exact() {
    let server = Memcached::start();
    let mut client = builder(&server).send_limit(REQUEST + 3 + 1000).build().unwrap();
    assert!(client.set("key", &"x".repeat(1000), NEVER).unwrap().is_stored());
    let error = client.set("key", &"x".repeat(1001), NEVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SendBufferFull);
    let error = client.store(Mode::Set, &Item::new("key2", &"x".repeat(1000))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SendBufferFull);
}

#[test]
fn limits_below_a_header_are_refused() {
    let server = Memcached::start();
    for limit in [0, 23] {
        assert_eq!(builder(&server).send_limit(limit).build().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(
            builder(&server).receive_limit(limit).build().unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
    let mut client = builder(&server).send_limit(24).receive_limit(24).build().unwrap();
    client.noop(0).unwrap();
}

#[test]
fn statistics_and_raw_requests_wait_for_room() {
    use memcached::deadline::ms;
    let server = Memcached::start();
    let mut client = builder(&server).send_limit(30_000).timeout(ms(100)).build().unwrap();
    client.noop(0).unwrap();
    server.pause();
    let value = "v".repeat(29_000);
    let store = Command::Store(Mode::Set, Item::new("key", &value));
    until(Duration::from_secs(10), "the buffer is full", || client.submit(&store).is_err());
    let small = Command::Store(Mode::Set, Item::new("key", "v"));
    while client.submit(&small).is_ok() {}
    let raw = omcache::RawRequest::new(0x0b).server(0);
    for error in [client.stats(0, "").unwrap_err(), client.raw(&raw).unwrap_err()] {
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, false), "{error:?}");
    }
    server.resume();
    client.set_timeout(Some(Duration::from_secs(10)));
    assert!(!client.stats(0, "").unwrap().is_empty());
    assert_eq!(client.raw(&raw).unwrap().status, 0);
}
