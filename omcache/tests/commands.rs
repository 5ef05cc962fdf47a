//! Every command against memcached: hits, misses, refusals, and what is stored afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::process::Command as Program;
use std::time::{Duration, SystemTime};

use memcached::Memcached;
use memcached::deadline::until;
use omcache::{Client, Command, Delta, ErrorKind, Expiration, Item, Mode, RawRequest, Stored};

const NEVER: Expiration = Expiration::NEVER;
/// memcached's clock has whole seconds: one second is over after two at the latest, here with a margin.
const TWO_SECONDS: Duration = Duration::from_secs(5);

fn client(server: &Memcached) -> Client {
    Client::connect_to(&server.address()).unwrap()
}

fn text(client: &mut Client, key: &str) -> Option<String> {
    let value = client.get(key).unwrap()?;
    Some(String::from_utf8(value.data.to_vec()).unwrap())
}

fn cas(stored: Stored) -> u64 {
    match stored {
        Stored::Stored { cas } => cas,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_stored_in_every_mode() {
    let server = Memcached::start();
    let mut client = client(&server);
    assert_eq!(client.get("key").unwrap(), None);
    assert_eq!(client.replace("key", "x", NEVER).unwrap(), Stored::NotFound);
    assert_eq!(client.append("key", "x").unwrap(), Stored::NotStored);
    assert_eq!(client.prepend("key", "x").unwrap(), Stored::NotStored);
    assert!(client.add("key", "b", NEVER).unwrap().is_stored());
    assert_eq!(client.add("key", "x", NEVER).unwrap(), Stored::Exists);
    assert!(client.append("key", "c").unwrap().is_stored());
    assert!(client.prepend("key", "a").unwrap().is_stored());
    assert_eq!(text(&mut client, "key").unwrap(), "abc");
    assert!(client.replace("key", "d", NEVER).unwrap().is_stored());
    assert_eq!(text(&mut client, "key").unwrap(), "d");
    assert!(client.set("key", "", NEVER).unwrap().is_stored());
    assert_eq!(text(&mut client, "key").unwrap(), "");
    assert!(client.delete("key").unwrap());
    assert!(!client.delete("key").unwrap());
    assert_eq!(client.get("key").unwrap(), None);
}

#[test]
fn flags_are_kept() {
    let server = Memcached::start();
    let mut client = client(&server);
    for flags in [0, 1, 0x8000_0000, u32::MAX] {
        assert!(client.store(Mode::Set, &Item::new("key", "value").flags(flags)).unwrap().is_stored());
        assert_eq!(client.get("key").unwrap().unwrap().flags, flags);
        assert!(client.append("key", "+").unwrap().is_stored());
        assert_eq!(client.gat("key", NEVER).unwrap().unwrap().flags, flags);
    }
}

#[test]
fn a_cas_lets_only_the_first_of_two_store() {
    let server = Memcached::start();
    let (mut one, mut two) = (client(&server), client(&server));
    assert_eq!(one.cas("key", "x", NEVER, 1).unwrap(), Stored::NotFound);
    let first = cas(one.set("key", "1", NEVER).unwrap());
    let seen = one.get("key").unwrap().unwrap();
    assert_eq!(seen.cas, first);
    assert_eq!(two.get("key").unwrap().unwrap().cas, first);
    let second = cas(two.cas("key", "2", NEVER, first).unwrap());
    assert_ne!(first, second);
    assert_eq!(one.cas("key", "3", NEVER, first).unwrap(), Stored::Exists);
    assert_eq!(one.store(Mode::Append, &Item::new("key", "x").cas(first)).unwrap(), Stored::Exists);
    assert!(one.store(Mode::Append, &Item::new("key", "+").cas(second)).unwrap().is_stored());
    assert_eq!(text(&mut one, "key").unwrap(), "2+");
    assert!(one.delete("key").unwrap());
    assert_eq!(one.cas("key", "4", NEVER, second).unwrap(), Stored::NotFound);
}

#[test]
fn a_value_that_is_too_large_is_refused_alone() {
    let server = Memcached::start();
    let mut client = client(&server);
    let connections = server.connections_taken();
    let large = vec![b'x'; 1024 * 1024 + 1];
    for mode in [Mode::Set, Mode::Add] {
        let error = client.store(mode, &Item::new("large", &large)).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::ValueTooLarge, Some(3)), "{error:?}");
        assert_eq!(error.server(), Some(&*server.address()));
    }
    let most = vec![b'y'; 1000 * 1000];
    assert!(client.set("most", &most, NEVER).unwrap().is_stored());
    assert_eq!(client.get("most").unwrap().unwrap().data, most);
    assert_eq!(client.get("large").unwrap(), None);
    assert_eq!(connections.since(&server), 1);
}

#[test]
fn values_beyond_a_mebibyte_pass_where_both_sides_allow_them() {
    let server = Memcached::start_with(&["-I", "16m"]);
    let mut client = Client::builder()
        .server(server.address())
        .unwrap()
        .receive_limit(16 * 1024 * 1024)
        .send_limit(16 * 1024 * 1024)
        .build()
        .unwrap();
    let value: Vec<u8> = (0..12 * 1024 * 1024_u32).map(|n| (n / 7) as u8).collect();
    assert!(client.set("large", &value, NEVER).unwrap().is_stored());
    assert!(client.get("large").unwrap().unwrap().data == value);
}

#[test]
fn counters_count() {
    let server = Memcached::start();
    let mut client = client(&server);
    assert_eq!(client.increment("n", 1).unwrap(), None);
    assert_eq!(client.decrement("n", 1).unwrap(), None);
    assert_eq!(client.get("n").unwrap(), None, "nothing was made");
    let create = Delta::from(5).or_create(40, NEVER);
    assert_eq!(client.increment("n", create).unwrap(), Some(40));
    assert_eq!(client.increment("n", create).unwrap(), Some(45));
    assert_eq!(client.decrement("n", 3).unwrap(), Some(42));
    assert_eq!(client.decrement("n", 100).unwrap(), Some(0), "it stops at 0");
    assert!(client.set("n", &u64::MAX.to_string(), NEVER).unwrap().is_stored());
    assert_eq!(client.increment("n", 3).unwrap(), Some(2), "it wraps");
    assert_eq!(client.decrement("m", Delta::from(1).or_create(u64::MAX, NEVER)).unwrap(), Some(u64::MAX));
    assert!(client.set("word", "seven", NEVER).unwrap().is_stored());
    for error in [client.increment("word", 1).unwrap_err(), client.decrement("word", create).unwrap_err()] {
        assert_eq!((error.kind(), error.status()), (ErrorKind::NonNumeric, Some(6)), "{error:?}");
    }
    assert_eq!(text(&mut client, "word").unwrap(), "seven");
}

#[test]
fn what_expires_goes_and_what_is_touched_stays() {
    let server = Memcached::start();
    let mut client = client(&server);
    let second = Duration::from_secs(1);
    for key in ["set", "touched", "got"] {
        assert!(client.set(key, "value", second).unwrap().is_stored());
    }
    for key in ["shortened", "got shorter"] {
        assert!(client.set(key, "value", NEVER).unwrap().is_stored());
    }
    let soon = SystemTime::now() + second;
    assert!(client.set("absolute", "value", Expiration::at(soon)).unwrap().is_stored());
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    assert!(client.set("thirty days", "value", days(30)).unwrap().is_stored());
    assert!(client.set("a year", "value", days(365)).unwrap().is_stored());
    let create = Delta::from(1).or_create(7, second);
    assert_eq!(client.increment("counter", create).unwrap(), Some(7));

    assert!(client.touch("touched", NEVER).unwrap());
    assert_eq!(client.gat("got", NEVER).unwrap().unwrap().data, "value");
    assert!(client.touch("shortened", second).unwrap());
    assert_eq!(client.gat("got shorter", second).unwrap().unwrap().data, "value");
    for key in ["set", "shortened", "got shorter", "absolute", "counter"] {
        until(TWO_SECONDS, &format!("{key} expires"), || client.get(key).unwrap().is_none());
    }
    for key in ["touched", "got", "thirty days", "a year"] {
        assert_eq!(text(&mut client, key).as_deref(), Some("value"), "{key}");
    }
    assert!(!client.touch("set", NEVER).unwrap());
    assert_eq!(client.gat("set", NEVER).unwrap(), None);
}

#[test]
fn what_expires_immediately_is_never_seen() {
    let server = Memcached::start();
    let mut client = client(&server);
    assert!(client.set("set", "value", Expiration::IMMEDIATELY).unwrap().is_stored());
    assert_eq!(client.get("set").unwrap(), None);
    let past = SystemTime::now() - Duration::from_secs(3600);
    assert!(client.set("past", "value", Expiration::at(past)).unwrap().is_stored());
    assert_eq!(client.get("past").unwrap(), None);
    assert!(client.set("touched", "value", NEVER).unwrap().is_stored());
    assert!(client.touch("touched", Expiration::IMMEDIATELY).unwrap());
    assert_eq!(client.get("touched").unwrap(), None);
    assert!(client.set("got", "value", NEVER).unwrap().is_stored());
    assert_eq!(client.gat("got", Expiration::IMMEDIATELY).unwrap().unwrap().data, "value");
    assert_eq!(client.get("got").unwrap(), None);
}

#[test]
fn keys_are_bytes() {
    let server = Memcached::start();
    let mut client = client(&server);
    let all: Vec<u8> = (0..=255).collect();
    let keys: [&[u8]; 7] =
        [b" ", b"\0", b"a b\r\nget c", &all[..250], &all[6..], "schlüssel".as_bytes(), &[0xff; 250]];
    for (n, key) in keys.iter().enumerate() {
        assert!(client.set(key, &n.to_string(), NEVER).unwrap().is_stored());
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(client.get(key).unwrap().unwrap().data, n.to_string());
    }
    for key in keys {
        assert!(client.delete(key).unwrap());
    }
}

#[test]
fn keys_of_0_and_251_bytes_are_refused_by_every_command() {
    let server = Memcached::start();
    let mut client = client(&server);
    let connections = server.connections_taken();
    let long = [b'k'; 251];
    for key in [&[][..], &long[..]] {
        let item = Item::new(key, "value");
        let failures = [
            client.get(key).unwrap_err(),
            client.gat(key, NEVER).unwrap_err(),
            client.set(key, "value", NEVER).unwrap_err(),
            client.add(key, "value", NEVER).unwrap_err(),
            client.replace(key, "value", NEVER).unwrap_err(),
            client.append(key, "value").unwrap_err(),
            client.prepend(key, "value").unwrap_err(),
            client.cas(key, "value", NEVER, 1).unwrap_err(),
            client.increment(key, 1).unwrap_err(),
            client.decrement(key, 1).unwrap_err(),
            client.delete(key).unwrap_err(),
            client.touch(key, NEVER).unwrap_err(),
            client.submit(&Command::Get(key)).unwrap_err(),
            client.queue(&Command::Store(Mode::Set, item)).unwrap_err(),
            client.get_multi(&[key]).remove(0).unwrap_err(),
            client.gat_multi(&[key], NEVER).remove(0).unwrap_err(),
            client.set_multi(&[item]).remove(0).unwrap_err(),
            client.delete_multi(&[key]).remove(0).unwrap_err(),
        ];
        for error in failures {
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::InvalidInput, false), "{error:?}");
        }
    }
    assert_eq!(connections.since(&server), 0, "nothing is connected for them");
}

#[test]
fn statistics_come_whole() {
    let server = Memcached::start();
    let mut client = client(&server);
    assert_eq!(client.stats(0, "items").unwrap(), [], "an empty group");
    assert!(client.set("key", "value", NEVER).unwrap().is_stored());
    let general = client.stats(0, "").unwrap();
    let find = |stats: &[(omcache::Bytes, omcache::Bytes)], name: &str| {
        let found = stats.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| String::from_utf8(value.to_vec()).unwrap())
    };
    assert_eq!(general[0].0, "pid", "in the server's order");
    assert_eq!(find(&general, "pid").unwrap(), server.pid().to_string());
    assert_eq!(find(&general, "curr_items").unwrap(), "1");
    let settings = client.stats(0, "settings").unwrap();
    assert_eq!(find(&settings, "maxbytes").unwrap(), (256 * 1024 * 1024).to_string());
    assert!(find(&client.stats(0, "items").unwrap(), "items:1:number").is_some());
    let error = client.stats(0, "no such group").unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(1)), "{error:?}");
    assert_eq!(text(&mut client, "key").unwrap(), "value");
}

#[test]
fn servers_are_asked_by_their_index() {
    let servers = Memcached::start_many::<2>();
    let list = format!("{}, {}", servers[0].address(), servers[1].address());
    let mut client = Client::connect_to(&list).unwrap();
    let told = Program::new("memcached").arg("-V").output().unwrap().stdout;
    for (index, server) in servers.iter().enumerate() {
        client.noop(index).unwrap();
        let version = client.version(index).unwrap();
        assert!(version.starts_with("1."), "{version}");
        assert_eq!(String::from_utf8_lossy(&told).trim(), format!("memcached {version}"));
        let stats = client.stats(index, "").unwrap();
        assert_eq!(stats[0].1, server.pid().to_string());
    }
    for error in [
        client.noop(2).unwrap_err(),
        client.version(usize::MAX).unwrap_err(),
        client.stats(2, "").unwrap_err(),
        client.flush_all(2, Duration::ZERO).unwrap_err(),
        client.raw(&RawRequest::new(0x0a).server(2)).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::InvalidInput, false), "{error:?}");
    }
}

#[test]
fn flush_all_empties_one_server_now_or_later() {
    let servers = Memcached::start_many::<2>();
    let list = format!("{}, {}", servers[0].address(), servers[1].address());
    let mut client = Client::connect_to(&list).unwrap();
    let keys = [0, 1].map(|server| memcached::keys::key_of(&client, server));
    for key in &keys {
        assert!(client.set(key, "value", NEVER).unwrap().is_stored());
    }
    client.flush_all(0, Duration::ZERO).unwrap();
    assert_eq!(client.get(&keys[0]).unwrap(), None);
    assert_eq!(text(&mut client, &keys[1]).unwrap(), "value");

    client.flush_all(1, Duration::from_millis(2500)).unwrap();
    assert_eq!(text(&mut client, &keys[1]).unwrap(), "value");
    until(TWO_SECONDS, "the flush comes", || client.get(&keys[1]).unwrap().is_none());
    let error = client.flush_all(1, Duration::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn raw_requests_are_answered_as_they_are() {
    let server = Memcached::start();
    let mut client = client(&server);
    let version = client.raw(&RawRequest::new(0x0b).server(0)).unwrap();
    assert_eq!((version.status, version.opcode, version.server), (0, 0x0b, 0));
    assert!(version.value.starts_with(b"1."));

    let extras = [0, 0, 0, 42, 0, 0, 0, 0];
    let set = client.raw(&RawRequest::new(0x01).key(b"key").value(b"value").extras(&extras)).unwrap();
    assert_eq!(set.status, 0);
    // GETK: the answer has the key in it.
    let got = client.raw(&RawRequest::new(0x0c).key(b"key")).unwrap();
    assert_eq!((&*got.key, &*got.value, &*got.extras), (&b"key"[..], &b"value"[..], &[0, 0, 0, 42][..]));
    assert_eq!(got.cas, set.cas);
    let miss = client.raw(&RawRequest::new(0x00).key(b"no such key")).unwrap();
    assert_eq!(miss.status, 1);
    let unknown = client.raw(&RawRequest::new(0x7f).server(0)).unwrap();
    assert_eq!((unknown.status, unknown.opcode), (0x81, 0x7f));
    let stat = client.raw(&RawRequest::new(0x10).server(0)).unwrap();
    assert_eq!(&*stat.key, b"pid", "the first of many");

    for request in
        [RawRequest::new(0x11).key(b"key"), RawRequest::new(0x00), RawRequest::new(0x0d).key(b"key")]
    {
        let error = client.raw(&request).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::InvalidInput, false), "{error:?}");
    }
    let (long_key, long_extras) = (vec![b'k'; 65_536], [0; 256]);
    for request in
        [RawRequest::new(0x00).key(&long_key), RawRequest::new(0x00).key(b"key").extras(&long_extras)]
    {
        let error = client.raw(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    }
    assert_eq!(text(&mut client, "key").unwrap(), "value", "nothing of the refused ones was sent");
}

#[test]
fn a_unix_socket_serves_as_well() {
    let mut server = Memcached::start_unix();
    for address in [server.address(), format!("unix:{}", server.address())] {
        let mut client = Client::builder().server(address).unwrap().build().unwrap();
        assert!(client.set("key", "value", NEVER).unwrap().is_stored());
        assert_eq!(text(&mut client, "key").unwrap(), "value");
        assert_eq!(client.increment("n", Delta::from(1).or_create(1, NEVER)).unwrap(), Some(1));
        let values = client.get_multi(&["key", "none", "n"]);
        let found: Vec<bool> = values.into_iter().map(|value| value.unwrap().is_some()).collect();
        assert_eq!(found, [true, false, true]);
        assert!(client.delete("n").unwrap());
    }
    let mut client = client(&server);
    client.noop(0).unwrap();
    server.kill();
    assert!(client.noop(0).is_err());
    assert_eq!(client.get("key").unwrap_err().kind(), ErrorKind::NoServers);
}

#[test]
fn weights_share_out_the_keys() {
    let servers = Memcached::start_many::<2>();
    let mut client = Client::builder()
        .weighted_server(servers[0].address(), 1)
        .unwrap()
        .weighted_server(servers[1].address(), 3)
        .unwrap()
        .distribution_by_name("libmemcached_ketama_weighted")
        .unwrap()
        .build()
        .unwrap();
    let keys: Vec<String> = (0..4000).map(|n| format!("weighted:{n}")).collect();
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, "value")).collect();
    for stored in client.set_multi(&items) {
        assert!(stored.unwrap().is_stored());
    }
    let heavy = keys.iter().filter(|key| client.server_for_key(key) == Some(1)).count() as u64;
    assert!((2400..3600).contains(&heavy), "three quarters of 4000, about: {heavy}");
    assert_eq!(servers[1].stat("curr_items"), heavy);
    assert_eq!(servers[0].stat("curr_items"), 4000 - heavy);
}
