//! Values that are lent where they were received to: for one key and for many, beside other commands, and with a function
//! that panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::panic::{AssertUnwindSafe, catch_unwind};

use memcached::Memcached;
use memcached::deadline::ms;
use omcache::{Client, Command, ErrorKind, Expiration, Item, Mode, Reply, Stored};

const NEVER: Expiration = Expiration::NEVER;

fn client(servers: &[Memcached]) -> Client {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap().timeout(ms(5_000)).build().unwrap()
}

/// Keys whose values name them, and have their numbers as flags.
fn fill(client: &mut Client, count: usize) -> Vec<String> {
    let keys: Vec<String> = (0..count).map(|number| format!("key{number}")).collect();
    let values: Vec<String> = keys.iter().map(|key| value_of(key)).collect();
    let items =
        keys.iter().zip(&values).zip(0..).map(|((key, value), flags)| Item::new(key, value).flags(flags));
    for stored in client.set_multi(&items.collect::<Vec<_>>()) {
        assert!(stored.unwrap().is_stored());
    }
    keys
}

fn value_of(key: &str) -> String {
    format!("value of {key}")
}

#[test]
fn a_value_is_lent_as_it_is_stored() {
    let servers = Memcached::start_many::<2>();
    let mut client = client(&servers);
    let stored = client.store(Mode::Set, &Item::new("key", "value").flags(7)).unwrap();
    let Stored::Stored { cas } = stored else { panic!("{stored:?}") };
    let seen = client.get_with("key", |value| (value.data.to_vec(), value.flags, value.cas)).unwrap();
    assert_eq!(seen, Some((b"value".to_vec(), 7, cas)));
    assert!(client.set("empty", "", NEVER).unwrap().is_stored());
    assert_eq!(client.get_with("empty", |value| value.data.len()).unwrap(), Some(0));
    let large = vec![b'l'; 900 * 1024];
    assert!(client.set("large", &large, NEVER).unwrap().is_stored());
    assert_eq!(client.get_with("large", |value| value.data == large).unwrap(), Some(true));
    assert_eq!(client.get_with("absent", |_| panic!("there is none")).unwrap(), None);
    let refused = client.get_with("", |_| ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn each_place_of_a_batch_is_lent_its_own_value() {
    let servers = Memcached::start_many::<4>();
    let mut client = client(&servers);
    let keys = fill(&mut client, 3_000);
    let long = "k".repeat(251);
    let mut asked: Vec<&str> = keys.iter().map(String::as_str).collect();
    let twice = asked[5];
    asked.extend(["absent", twice, &long]);
    let mut lent = vec![None; asked.len()];
    let found = client.get_multi_with(&asked, |at, value| {
        let before = lent[at].replace((value.data.to_vec(), value.flags));
        assert_eq!(before, None, "once each");
    });
    for (at, (key, found)) in asked.iter().zip(found).enumerate() {
        if *key == long {
            assert_eq!(found.unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(lent[at], None);
        } else if *key == "absent" {
            assert_eq!((found.unwrap(), &lent[at]), (false, &None));
        } else {
            let number = keys.iter().position(|known| known == key).unwrap();
            assert!(found.unwrap());
            assert_eq!(lent[at], Some((value_of(key).into_bytes(), u32::try_from(number).unwrap())));
        }
    }
}

#[test]
fn nothing_is_lent_that_belongs_to_other_commands() {
    let servers = Memcached::start_many::<2>();
    let mut client = client(&servers);
    let keys = fill(&mut client, 200);
    // Before the batch, on the same connections: commands of the program's own loop, and queued ones.
    let tickets: Vec<_> =
        keys.iter().map(|key| client.submit(&Command::Get(key.as_bytes())).unwrap()).collect();
    for key in &keys[..50] {
        client.queue(&Command::Store(Mode::Set, Item::new(key, "queued"))).unwrap();
    }
    let mut lent = 0;
    let found = client.get_multi_with(&keys, |at, value| {
        let expected = if at < 50 { "queued".to_owned() } else { value_of(&keys[at]) };
        assert_eq!(value.data, expected.as_bytes());
        lent += 1;
    });
    assert!(found.into_iter().all(Result::unwrap) && lent == keys.len());
    assert!(client.flush().unwrap().failures.is_empty());
    for (ticket, key) in tickets.iter().zip(&keys) {
        let completion = client.next_completion().expect("an answer each");
        let at = tickets.iter().position(|ticket| *ticket == completion.ticket).unwrap();
        let Reply::Value(Some(value)) = completion.result.unwrap() else { panic!("{ticket:?} of {key}") };
        assert_eq!(value.data, value_of(&keys[at]));
    }
    assert!(client.next_completion().is_none());
}

#[test]
fn a_function_that_panics_leaves_the_client_as_it_should_be() {
    let servers = Memcached::start_many::<2>();
    let mut client = client(&servers);
    let keys = fill(&mut client, 1_000);
    let connections = || [0, 1].map(|server: usize| servers[server].stat("total_connections"));
    let before = connections();
    let one = catch_unwind(AssertUnwindSafe(|| client.get_with(&keys[0], |_| panic!("of one"))));
    assert_eq!(one.unwrap_err().downcast_ref(), Some(&"of one"));
    client.queue(&Command::Store(Mode::Set, Item::new("queued", "x"))).unwrap();
    let mut calls = 0;
    let many = catch_unwind(AssertUnwindSafe(|| {
        client.get_multi_with(&keys, |_, _| {
            calls += 1;
            assert!(calls < 300, "of many");
        })
    }));
    assert_eq!(many.unwrap_err().downcast_ref(), Some(&"of many"));
    assert_eq!(calls, 300, "it is called no more");
    // What was asked for is answered and forgotten: nothing of it is left for those that follow.
    assert_eq!(client.flush().unwrap().failures.len(), 0);
    for key in &keys[..20] {
        assert_eq!(client.get(key).unwrap().unwrap().data, value_of(key));
    }
    let found =
        client.get_multi_with(&keys, |at, value| assert_eq!(value.data, value_of(&keys[at]).as_bytes()));
    assert!(found.into_iter().all(Result::unwrap));
    assert!(client.next_completion().is_none());
    // Each look at the statistics is a connection of its own.
    assert_eq!(connections(), before.map(|count| count + 1), "none was made anew");
}

#[test]
fn a_hanging_server_fails_its_own_keys_and_lends_nothing_late() {
    let servers = Memcached::start_many::<2>();
    let mut client = client(&servers);
    let keys = fill(&mut client, 200);
    client.set_timeout(Some(ms(300)));
    servers[0].pause();
    let mut lent = 0;
    let found = client.get_multi_with(&keys, |at, value| {
        assert_eq!(value.data, value_of(&keys[at]).as_bytes());
        lent += 1;
    });
    let hung = found
        .iter()
        .filter(|found| found.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout))
        .count();
    assert!(hung > 0 && lent > 0 && hung + lent == keys.len());
    servers[0].resume();
    client.set_timeout(Some(ms(5_000)));
    // The answers that come late are nobody's.
    let found =
        client.get_multi_with(&keys, |at, value| assert_eq!(value.data, value_of(&keys[at]).as_bytes()));
    assert!(found.into_iter().all(Result::unwrap));
}
