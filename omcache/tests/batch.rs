//! Batches over several servers: a result for each key, any size, and servers that fail alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::collections::HashMap;
use std::time::Duration;

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::keys::{key_of, ring_order};
use omcache::{Client, ClientBuilder, ErrorKind, Expiration, Item, Mode, Stored};

const NEVER: Expiration = Expiration::NEVER;

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap()
}

/// Stores one value each, which names its key.
fn fill(client: &mut Client, keys: &[String]) {
    let values: Vec<String> = keys.iter().map(|key| format!("value of {key}")).collect();
    let items: Vec<Item<'_>> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value)).collect();
    for (key, stored) in keys.iter().zip(client.set_multi(&items)) {
        assert!(stored.unwrap_or_else(|error| panic!("{key}: {error:?}")).is_stored());
    }
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

#[test]
fn each_key_has_its_own_result() {
    let servers = Memcached::start_many::<4>();
    let mut client = builder(&servers).build().unwrap();
    let keys = numbered("key", 40);
    fill(&mut client, &keys);
    let used = servers.iter().filter(|server| server.stat("curr_items") > 0).count();
    assert_eq!(used, 4, "all servers have some");

    let long = "k".repeat(251);
    let mut asked: Vec<&str> = keys.iter().map(String::as_str).collect();
    asked.insert(20, &long);
    asked.insert(10, "no such key");
    asked.insert(30, "");
    let results = client.get_multi(&asked);
    assert_eq!(results.len(), asked.len());
    for (key, result) in asked.iter().zip(results) {
        match *key {
            "no such key" => assert_eq!(result.unwrap(), None),
            key if key.is_empty() || key == long => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
            }
            key => assert_eq!(result.unwrap().unwrap().data, format!("value of {key}")),
        }
    }

    let mut items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, "2")).collect();
    items.insert(7, Item::new(&long, "x"));
    items.insert(21, Item::new("large", "x"));
    let large = vec![0; 1024 * 1024 + 1];
    items[21].value = &large;
    items.insert(30, Item::new("no such key", "x").cas(7));
    for (place, result) in client.set_multi(&items).into_iter().enumerate() {
        match place {
            7 => assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput),
            21 => assert_eq!(result.unwrap_err().kind(), ErrorKind::ValueTooLarge),
            30 => assert_eq!(result.unwrap(), Stored::NotFound),
            _ => assert!(result.unwrap().is_stored()),
        }
    }
    let deleted = client.delete_multi(&["key3", "no such key", "key5", &long, "key7"]);
    let deleted: Vec<_> = deleted.into_iter().map(|result| result.ok()).collect();
    assert_eq!(deleted, [Some(true), Some(false), Some(true), None, Some(true)]);
}

#[test]
fn stores_of_every_mode_tell_what_became_of_each() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    fill(&mut client, &numbered("old", 20));
    let keys: Vec<String> = (0..20).flat_map(|n| [format!("old{n}"), format!("new{n}")]).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, "+").flags(9)).collect();
    for (mode, on_old, on_new) in [
        (Mode::Append, None, Some(Stored::NotStored)),
        (Mode::Prepend, None, Some(Stored::NotStored)),
        (Mode::Replace, None, Some(Stored::NotFound)),
        (Mode::Add, Some(Stored::Exists), None),
    ] {
        for (key, result) in keys.iter().zip(client.store_multi(mode, &items)) {
            let expected = if key.starts_with("old") { on_old } else { on_new };
            assert_eq!(result.unwrap(), expected.unwrap_or(Stored::Stored { cas: 0 }), "{mode:?} {key}");
        }
    }
    for result in client.get_multi(&keys) {
        let value = result.unwrap().unwrap();
        assert_eq!((&*value.data, value.flags), (&b"+"[..], 9));
    }
}

#[test]
fn a_key_may_come_twice() {
    let servers = Memcached::start_many::<4>();
    let mut client = builder(&servers).build().unwrap();
    let items: Vec<(String, String)> = (0..1000).map(|n| (format!("key{}", n % 10), n.to_string())).collect();
    let items: Vec<Item<'_>> = items.iter().map(|(key, value)| Item::new(key, value)).collect();
    for stored in client.set_multi(&items) {
        assert!(stored.unwrap().is_stored());
    }
    let asked: Vec<String> = (0..1000).map(|n| format!("key{}", n % 10)).collect();
    for (n, value) in client.get_multi(&asked).into_iter().enumerate() {
        let last = 990 + n % 10;
        assert_eq!(value.unwrap().unwrap().data, last.to_string(), "the last one stands");
    }
    let deleted: Vec<bool> =
        client.delete_multi(&["key1", "key1", "key2"]).into_iter().map(|result| result.unwrap()).collect();
    assert_eq!(deleted, [true, false, true]);
}

#[test]
fn duplicates_keep_their_order_in_a_send_buffer_that_is_full() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).send_limit(8 * 1024).socket_buffer(4096).build().unwrap();
    // Long values and short ones by turns: a short one may not overtake a long one that found no room. Where a batch
    // ends decides which ones could.
    let long = "x".repeat(6000);
    for count in (550..1000).step_by(23) {
        let value = |n: usize| if n.is_multiple_of(2) { format!("{n} {long}") } else { n.to_string() };
        let pairs: Vec<(String, String)> =
            (0..count).map(|n| (format!("key{}", n / 2 % 50), value(n))).collect();
        let items: Vec<Item<'_>> = pairs.iter().map(|(key, value)| Item::new(key, value)).collect();
        for stored in client.set_multi(&items) {
            assert!(stored.unwrap().is_stored());
        }
        let last: HashMap<&String, &String> = pairs.iter().map(|(key, value)| (key, value)).collect();
        for (key, value) in last {
            let found = client.get(key).unwrap().unwrap().data;
            let number = String::from_utf8_lossy(&found[..found.len().min(3)]).into_owned();
            assert!(found == **value, "{key}: that of {number} in place of that of {}", &value[..3]);
        }
    }
}

#[test]
fn an_empty_batch_touches_nothing() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).build().unwrap();
    let connections = servers[0].connections_taken();
    assert!(client.get_multi::<&str>(&[]).is_empty());
    assert!(client.gat_multi::<&str>(&[], NEVER).is_empty());
    assert!(client.set_multi(&[]).is_empty());
    assert!(client.delete_multi::<&str>(&[]).is_empty());
    assert_eq!(connections.since(&servers[0]), 0);
    let mut nobody = Client::builder().build().unwrap();
    assert!(nobody.get_multi::<&str>(&[]).is_empty());
    assert_eq!(nobody.get_multi(&["key"])[0].as_ref().unwrap_err().kind(), ErrorKind::NoServers);
}

#[test]
fn gat_multi_sets_the_expiration_of_what_it_finds() {
    let servers = Memcached::start_many::<4>();
    let mut client = builder(&servers).build().unwrap();
    let keys = numbered("key", 40);
    fill(&mut client, &keys);
    let mut asked = keys.clone();
    asked.push("no such key".to_owned());
    let values = client.gat_multi(&asked, Duration::from_secs(1));
    for (key, value) in asked.iter().zip(values) {
        let value = value.unwrap().map(|value| value.data);
        assert_eq!(value, (key != "no such key").then(|| format!("value of {key}").into()));
    }
    until(Duration::from_secs(5), "they expire", || {
        client.get_multi(&keys).into_iter().all(|value| value.unwrap().is_none())
    });
}

#[test]
fn a_hundred_thousand_keys_pass_through_small_buffers_both_ways() {
    let servers: [_; 4] = std::array::from_fn(|_| Memcached::start_with(&["-m", "1024"]));
    let mut client = builder(&servers)
        .socket_buffer(4096)
        .send_limit(64 * 1024)
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let keys = numbered("key:", 100_000);
    let values: Vec<String> = keys.iter().map(|key| format!("{key:>1024}")).collect();
    let items: Vec<Item<'_>> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value)).collect();
    for (key, stored) in keys.iter().zip(client.set_multi(&items)) {
        assert!(stored.unwrap_or_else(|error| panic!("{key}: {error:?}")).is_stored());
    }
    let found = client.get_multi(&keys);
    for ((key, expected), value) in keys.iter().zip(&values).zip(found) {
        let value = value.unwrap_or_else(|error| panic!("{key}: {error:?}"));
        assert!(value.unwrap().data == *expected, "{key}");
    }
    for deleted in client.delete_multi(&keys) {
        assert!(deleted.unwrap());
    }
    assert!(client.get_multi(&keys).into_iter().all(|value| value.unwrap().is_none()));
}

#[test]
fn a_batch_of_large_values_passes_both_ways() {
    let servers: [_; 2] = std::array::from_fn(|_| Memcached::start_with(&["-m", "1024"]));
    let mut client = builder(&servers).timeout(Duration::from_secs(60)).build().unwrap();
    let keys = numbered("large", 150);
    let values: Vec<Vec<u8>> = (0..150).map(|n| vec![n; 700_000]).collect();
    let items: Vec<Item<'_>> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value)).collect();
    for stored in client.set_multi(&items) {
        assert!(stored.unwrap().is_stored());
    }
    for (value, expected) in client.get_multi(&keys).into_iter().zip(&values) {
        assert!(value.unwrap().unwrap().data == expected);
    }
}

#[test]
fn a_batch_goes_on_to_the_next_server_where_one_refuses_to_be_connected() {
    let mut servers = Memcached::start_many::<3>();
    let keys = numbered("key", 300);
    let mut all = builder(&servers).build().unwrap();
    let homes: Vec<usize> = keys.iter().map(|key| all.server_for_key(key).unwrap()).collect();
    let next: Vec<usize> = keys
        .iter()
        .map(|key| ring_order(&servers, key).into_iter().find(|&server| server != 1).unwrap())
        .collect();
    fill(&mut all, &keys);
    servers[1].kill();

    let mut client = builder(&servers).build().unwrap();
    let values = within(Duration::from_secs(2), "a batch with a dead server", || client.get_multi(&keys));
    for ((key, &home), value) in keys.iter().zip(&homes).zip(values) {
        let value = value.unwrap_or_else(|error| panic!("{key} of {home}: {error:?}"));
        assert_eq!(value.is_some(), home != 1, "{key} of {home}");
    }
    let mut client = builder(&servers).build().unwrap();
    within(Duration::from_secs(2), "a batch with a dead server", || fill(&mut client, &keys));
    for (key, &next) in keys.iter().zip(&next) {
        assert_eq!(
            servers[next].value(key),
            Some(format!("value of {key}")),
            "the next one in ring order has it"
        );
    }
    let mut client = builder(&servers).build().unwrap();
    let deleted = within(Duration::from_secs(2), "a batch with a dead server", || client.delete_multi(&keys));
    assert!(deleted.into_iter().all(|deleted| deleted.unwrap()));
}

#[test]
fn a_batch_without_any_server_left_fails_quickly() {
    let mut servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let keys = numbered("key", 2000);
    fill(&mut client, &keys);
    servers.iter_mut().for_each(Memcached::kill);
    // The connections are found closed, or refused: after these, both are known to be down.
    let _ = within(Duration::from_secs(2), "the first batch", || client.get_multi(&keys));
    let _ = within(Duration::from_secs(2), "the second batch", || client.get_multi(&keys));
    let values = within(ms(500), "a batch with all servers down", || client.get_multi(&keys));
    for value in values {
        let error = value.unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NoServers, false), "{error:?}");
    }
}

#[test]
fn a_hanging_server_fails_its_own_keys_alone_and_in_bounded_time() {
    let servers = Memcached::start_many::<4>();
    let mut client = builder(&servers).dead_timeout(Duration::from_secs(1)).build().unwrap();
    let keys = numbered("key", 400);
    let homes: Vec<usize> = keys.iter().map(|key| client.server_for_key(key).unwrap()).collect();
    fill(&mut client, &keys);
    servers[2].pause();
    let values = within(ms(1500), "a batch with a hanging server", || client.get_multi(&keys));
    for ((key, &home), value) in keys.iter().zip(&homes).zip(values) {
        match value {
            Ok(value) => {
                assert_ne!(home, 2, "{key}");
                assert_eq!(value.unwrap().data, format!("value of {key}"));
            }
            Err(error) => {
                assert_eq!(home, 2, "{key}: {error:?}");
                assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unknown, true));
                assert_eq!(error.server(), Some(&*servers[2].address()));
            }
        }
    }
}

#[test]
fn a_hanging_server_does_not_hold_up_the_others_where_the_send_buffer_is_small() {
    let servers: [_; 3] = std::array::from_fn(|_| Memcached::start_with(&["-m", "1024"]));
    let mut client = builder(&servers)
        .send_limit(64 * 1024)
        .socket_buffer(4096)
        .timeout(Duration::from_secs(4))
        .dead_timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let keys = numbered("key", 20_000);
    let homes: Vec<usize> = keys.iter().map(|key| client.server_for_key(key).unwrap()).collect();
    for server in 0..3 {
        client.noop(server).unwrap();
    }
    servers[0].pause();
    let value = "x".repeat(500);
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, &value)).collect();
    let results =
        within(Duration::from_secs(6), "a batch with a hanging server", || client.set_multi(&items));
    let mut unsent = 0;
    for ((key, &home), result) in keys.iter().zip(&homes).zip(results) {
        match result {
            Ok(stored) => {
                assert_ne!(home, 0, "{key}");
                assert!(stored.is_stored());
            }
            Err(error) => {
                assert_eq!(home, 0, "{key}: {error:?}");
                assert_eq!(error.kind(), ErrorKind::Timeout);
                unsent += usize::from(!error.was_sent());
            }
        }
    }
    assert!(unsent > 1000, "most of the hanging server's never left: {unsent}");
    servers[0].resume();
    until(Duration::from_secs(10), "the others are stored", || {
        let kept = keys.iter().zip(&homes).filter(|&(_, &home)| home == 1).count() as u64;
        servers[1].stat("curr_items") == kept
    });
}

#[test]
fn a_server_killed_in_the_middle_of_a_batch_gives_no_wrong_value() {
    let mut servers: [_; 3] = std::array::from_fn(|_| Memcached::start_with(&["-m", "1024"]));
    let mut client = builder(&servers).timeout(Duration::from_secs(20)).build().unwrap();
    let keys = numbered("key", 30_000);
    let homes: Vec<usize> = keys.iter().map(|key| client.server_for_key(key).unwrap()).collect();
    let values: Vec<String> = keys.iter().map(|key| format!("{key:>1000}")).collect();
    let items: Vec<Item<'_>> = keys.iter().zip(&values).map(|(key, value)| Item::new(key, value)).collect();
    for stored in client.set_multi(&items) {
        assert!(stored.unwrap().is_stored());
    }
    let before = servers[1].stat("cmd_get");
    std::thread::scope(|scope| {
        let batch = scope.spawn(|| client.get_multi(&keys));
        until(Duration::from_secs(10), "it is under way", || servers[1].stat("cmd_get") > before);
        servers[1].kill();
        let (mut right, mut failed) = (0, 0);
        for (((key, expected), &home), result) in
            keys.iter().zip(&values).zip(&homes).zip(batch.join().unwrap())
        {
            match result {
                Ok(Some(value)) => {
                    assert!(value.data == *expected, "{key}");
                    right += 1;
                }
                // Not sent yet, it went on to another server, which has nothing.
                Ok(None) => assert_eq!(home, 1, "{key}"),
                Err(error) => {
                    assert_eq!(home, 1, "{key}: {error:?}");
                    assert!(matches!(error.kind(), ErrorKind::Unknown | ErrorKind::NotSent), "{error:?}");
                    failed += 1;
                }
            }
        }
        assert!(right > 0 && failed + right <= keys.len());
    });
}

#[test]
fn the_timeout_holds_while_answers_stream_in() {
    let servers = Memcached::start_many::<4>();
    let mut client = builder(&servers).timeout(Duration::from_secs(5)).build().unwrap();
    let value = vec![7; 1_000_000];
    let large: Vec<String> = (0..4).map(|server| key_of(&client, server)).collect();
    for key in &large {
        assert!(client.set(key, &value, NEVER).unwrap().is_stored());
    }
    // From all four at once, so that there is always something to read.
    let keys: Vec<&String> = (0..8000).map(|n| &large[n % 4]).collect();
    client.set_timeout(Some(ms(100)));
    let results = within(ms(800), "a batch of 8 GB with a timeout of 100 ms", || client.get_multi(&keys));
    let (mut got, mut late) = (0, 0);
    for result in results {
        match result {
            Ok(found) => {
                assert!(found.unwrap().data == value);
                got += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Timeout);
                late += 1;
            }
        }
    }
    assert!(got > 0 && late > 0, "{got} came, {late} were late");
    // The late answers are dropped; the connection goes on or is made anew, and no value is another's.
    client.set_timeout(Some(Duration::from_secs(5)));
    client.disconnect();
    assert!(client.set("small", "8", NEVER).unwrap().is_stored());
    assert_eq!(client.get("small").unwrap().unwrap().data, "8");
}
