//! Servers that hang, die, come back or never were: what their keys come to, and in which time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::time::{Duration, Instant};

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::keys::{key_of, keys_of, ring_order};
use omcache::{Client, ClientBuilder, Command, ErrorKind, Expiration, Item, ServerState};

const NEVER: Expiration = Expiration::NEVER;
const DEAD: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(3);
const RECONNECT: Duration = Duration::from_secs(4);

/// A client with the timeouts above.
fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder()
        .servers(list.join(","))
        .unwrap()
        .dead_timeout(DEAD)
        .connect_timeout(CONNECT)
        .reconnect_timeout(RECONNECT)
}

fn wait(time: Duration) {
    let start = Instant::now();
    until(time * 2, "time passes", || start.elapsed() >= time);
}

fn state(client: &Client, server: usize) -> ServerState {
    client.server_info(server).unwrap().state
}

#[test]
fn a_server_that_hangs_fails_two_gets_and_is_back_when_it_goes_on() {
    let servers = Memcached::start_many::<3>();
    let mut client = builder(&servers).build().unwrap();
    let sick = key_of(&client, 1);
    let healthy = [key_of(&client, 0), key_of(&client, 2)];
    for key in [&sick, &healthy[0], &healthy[1]] {
        assert!(client.set(key, key, NEVER).unwrap().is_stored());
    }
    let well = |client: &mut Client| {
        for key in &healthy {
            let value = within(ms(500), "a get from a healthy server", || client.get(key));
            assert_eq!(value.unwrap().unwrap().data, *key);
        }
    };
    assert_eq!(state(&client, 1), ServerState::Ready);
    servers[1].pause();
    let error = within(ms(1500), "the first get", || client.get(&sick)).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unknown, true), "{error:?}");
    assert_eq!(error.server(), Some(&*servers[1].address()));
    well(&mut client);
    let error = within(ms(1500), "the second get", || client.get(&sick)).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NotSent, false), "{error:?}");
    let disabled = Instant::now();
    well(&mut client);
    let value = within(ms(500), "the third get", || client.get(&sick)).unwrap();
    assert_eq!(value, None, "another server answers");
    assert!(client.set(&sick, "elsewhere", NEVER).unwrap().is_stored());
    let next = ring_order(&servers, &sick)[1];
    assert_eq!(servers[next].value(&sick).as_deref(), Some("elsewhere"), "the next one in ring order has it");
    assert_eq!(client.server_for_key(&sick), Some(next));

    let info = client.server_info(1).unwrap();
    assert_eq!(info.state, ServerState::Disabled);
    assert!(info.retry_in.unwrap() <= RECONNECT);
    assert!(info.last_failure.unwrap().contains("no answer"));

    servers[1].resume();
    until(RECONNECT + Duration::from_secs(1) - disabled.elapsed(), "it is back", || {
        well(&mut client);
        let value = within(ms(500), "a get meanwhile", || client.get(&sick)).unwrap().unwrap();
        assert!(value.data == sick || value.data == "elsewhere");
        value.data == sick
    });
    assert!(
        disabled.elapsed() > RECONNECT - ms(200),
        "it is left alone until then: {:?}",
        disabled.elapsed()
    );
    assert_eq!(state(&client, 1), ServerState::Ready);
    assert_eq!(client.server_for_key(&sick), Some(1));
}

#[test]
fn with_all_servers_hanging_nothing_is_answered_and_their_keys_return_with_them() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).reconnect_timeout(Duration::from_secs(2)).build().unwrap();
    let keys = [key_of(&client, 0), key_of(&client, 1)];
    for key in &keys {
        assert!(client.set(key, key, NEVER).unwrap().is_stored());
    }
    servers.iter().for_each(Memcached::pause);
    let start = Instant::now();
    let mut refused = 0;
    while start.elapsed() < Duration::from_secs(6) {
        for key in &keys {
            let error = within(ms(1500), "a get from nowhere", || client.get(key)).unwrap_err();
            refused += u32::from(error.kind() == ErrorKind::NoServers);
        }
    }
    assert!(refused > 0, "it is known that nobody is there");

    // One comes back: it has its own keys, and those of the other.
    servers[0].resume();
    until(Duration::from_secs(4), "one is back", || {
        let value = within(ms(1500), "a get meanwhile", || client.get(&keys[0]));
        value.is_ok_and(|value| value.unwrap().data == keys[0])
    });
    until(Duration::from_secs(2), "it has the keys of the other", || {
        within(ms(1500), "a get meanwhile", || client.get(&keys[1])).is_ok_and(|value| value.is_none())
    });
    servers[1].resume();
    until(Duration::from_secs(4), "the other is back", || {
        let value = within(ms(1500), "a get meanwhile", || client.get(&keys[1]));
        value.is_ok_and(|value| value.is_some_and(|value| value.data == keys[1]))
    });
    for key in &keys {
        assert_eq!(client.get(key).unwrap().unwrap().data, *key);
    }
}

#[test]
fn a_server_that_refuses_to_be_connected_costs_nothing() {
    let mut servers = Memcached::start_many::<3>();
    servers[1].kill();
    let mut client = builder(&servers).build().unwrap();
    for key in keys_of(&client, 1, "key", 20) {
        let next = ring_order(&servers, &key)[1];
        let mut client = builder(&servers).build().unwrap();
        let stored = within(ms(500), "a set", || client.set(&key, "value", NEVER)).unwrap();
        assert!(stored.is_stored());
        assert_eq!(servers[next].value(&key).as_deref(), Some("value"), "it went on within the same call");
    }
    let key = key_of(&client, 1);
    assert_eq!(client.get(&key).unwrap().unwrap().data, "value");
    let info = client.server_info(1).unwrap();
    assert_eq!(info.state, ServerState::Disabled);
    assert!(info.last_failure.unwrap().contains("connect failed"));
    for error in [client.noop(1).unwrap_err(), client.version(1).unwrap_err()] {
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NoServers, false), "{error:?}");
    }
}

#[test]
fn a_server_that_was_killed_is_found_dead_before_anything_is_sent_after_a_rest() {
    let mut servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let key = key_of(&client, 0);
    assert!(client.set(&key, "value", NEVER).unwrap().is_stored());
    servers[0].kill();
    wait(ms(1200));
    let value = within(ms(500), "a get", || client.get(&key)).unwrap();
    assert_eq!(value, None, "the other server answers, within the same call");
    assert_eq!(state(&client, 0), ServerState::Disabled);

    // It comes back, and after the reconnect time its keys do.
    servers[0].restart();
    assert!(client.set(&key, "elsewhere", NEVER).unwrap().is_stored());
    until(RECONNECT + Duration::from_secs(1), "it is back", || client.get(&key).unwrap().is_none());
    assert_eq!(state(&client, 0), ServerState::Ready);
}

#[test]
fn a_server_that_was_restarted_while_the_client_rested_is_not_noticed() {
    let mut servers = [Memcached::start(), Memcached::start_unix()];
    let mut client = builder(&servers).build().unwrap();
    let keys = [key_of(&client, 0), key_of(&client, 1)];
    for key in &keys {
        assert!(client.set(key, "value", NEVER).unwrap().is_stored());
    }
    servers.iter_mut().for_each(Memcached::restart);
    wait(ms(1200));
    for (key, server) in keys.iter().zip(&servers) {
        assert_eq!(client.get(key).unwrap(), None);
        assert!(client.set(key, "new", NEVER).unwrap().is_stored());
        assert_eq!(server.value(key).as_deref(), Some("new"));
    }
    servers.iter_mut().for_each(Memcached::restart);
    wait(ms(1200));
    let values = client.get_multi(&keys);
    assert!(values.into_iter().all(|value| value.unwrap().is_none()));
    servers.iter_mut().for_each(Memcached::restart);
    wait(ms(1200));
    for server in 0..2 {
        client.noop(server).unwrap();
    }
}

#[test]
fn a_server_killed_under_a_request_leaves_it_unknown_and_the_next_goes_on() {
    let mut servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).build().unwrap();
    let key = key_of(&client, 0);
    assert!(client.set(&key, "value", NEVER).unwrap().is_stored());
    servers[0].kill();
    // No rest: the request may be sent before the end of the connection is seen.
    match within(ms(500), "the first get", || client.get(&key)) {
        Err(error) => assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unknown, true), "{error:?}"),
        Ok(value) => assert_eq!(value, None),
    }
    let value = within(ms(500), "the second get", || client.get(&key)).unwrap();
    assert_eq!(value, None);
    assert_eq!(client.server_for_key(&key), Some(1));
}

#[test]
fn a_server_that_never_was_started_is_passed_over() {
    let mut servers = Memcached::start_many::<2>();
    servers[0].kill();
    let mut client = builder(&servers).reconnect_timeout(ms(300)).build().unwrap();
    let key = key_of(&client, 0);
    let start = Instant::now();
    while start.elapsed() < ms(1500) {
        // It is tried again now and then, which nobody has to wait for.
        assert!(within(ms(500), "a set", || client.set(&key, "value", NEVER)).unwrap().is_stored());
        wait(ms(20));
    }
    assert_eq!(servers[1].value(&key).as_deref(), Some("value"));
    servers[0].restart();
    until(Duration::from_secs(2), "it takes its keys", || client.get(&key).unwrap().is_none());
}

#[test]
fn a_name_without_an_address_is_a_server_that_is_down() {
    let servers = Memcached::start_many::<1>();
    let list = format!("nosuchhost.invalid,{}", servers[0].address());
    let mut client = Client::builder()
        .servers(list)
        .unwrap()
        .connect_timeout(CONNECT)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let (nowhere, here) = (key_of(&client, 0), key_of(&client, 1));
    assert!(within(ms(500), "another server's set", || client.set(&here, "x", NEVER)).unwrap().is_stored());
    let stored = within(CONNECT + ms(500), "a set that goes on", || client.set(&nowhere, "value", NEVER));
    assert!(stored.unwrap().is_stored());
    assert_eq!(servers[0].value(&nowhere).as_deref(), Some("value"));
    let info = client.server_info(0).unwrap();
    assert_eq!(info.state, ServerState::Disabled);
    assert!(info.last_failure.is_some());

    let mut client = Client::connect_to("nosuchhost.invalid, nosuchhost.invalid:no-such-service").unwrap();
    let error = within(Duration::from_secs(5) + ms(500), "a get", || client.get("key")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoServers | ErrorKind::Timeout), "{error:?}");
    assert!(!error.was_sent());
}

#[test]
fn a_name_and_its_addresses_serve() {
    // On most machines this name has two addresses, and nobody listens on one of them.
    let server = Memcached::start();
    let mut client = Client::connect_to(&format!("localhost:{}", server.port())).unwrap();
    for n in 0..10 {
        assert!(client.set("key", &n.to_string(), NEVER).unwrap().is_stored());
        assert_eq!(server.value("key"), Some(n.to_string()));
        client.disconnect();
    }
}

#[test]
fn all_servers_down_is_told_at_once() {
    let mut servers = [Memcached::start(), Memcached::start(), Memcached::start_unix()];
    servers.iter_mut().for_each(Memcached::kill);
    let mut client = builder(&servers).build().unwrap();
    for _ in 0..5 {
        let error = within(ms(500), "a get", || client.get("key")).unwrap_err();
        assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NoServers, false), "{error:?}");
    }
    assert_eq!(client.server_for_key("key"), None);
    let error = within(ms(500), "a batch", || client.get_multi(&["a", "b"])).remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoServers);
    for server in 0..3 {
        assert_eq!(client.noop(server).unwrap_err().kind(), ErrorKind::NoServers);
    }
    // What is closed by hand is tried anew.
    servers[2].restart();
    assert_eq!(client.get("key").unwrap_err().kind(), ErrorKind::NoServers);
    client.disconnect();
    assert_eq!(client.get("key").unwrap(), None);
}

#[test]
fn the_servers_of_a_key_take_over_in_ring_order() {
    let mut servers = Memcached::start_many::<5>();
    let probe = builder(&servers).build().unwrap();
    let key = key_of(&probe, 0);
    let order = ring_order(&servers, &key);
    assert_eq!(order.len(), 5);
    for (dead, &next) in order.iter().enumerate() {
        let mut client = builder(&servers).build().unwrap();
        let mut batch = builder(&servers).build().unwrap();
        assert!(client.set(&key, "one", NEVER).unwrap().is_stored());
        assert_eq!(servers[next].value(&key).as_deref(), Some("one"), "with {dead} of 5 dead");
        assert!(batch.set_multi(&[Item::new(&key, "many")])[0].as_ref().unwrap().is_stored());
        assert_eq!(servers[next].value(&key).as_deref(), Some("many"), "with {dead} of 5 dead");
        assert_eq!(client.server_for_key(&key), Some(next));
        servers[next].kill();
    }
    let mut client = builder(&servers).build().unwrap();
    assert_eq!(client.get(&key).unwrap_err().kind(), ErrorKind::NoServers);
}

#[test]
fn a_chain_of_refusals_is_gone_through_while_another_server_hangs() {
    // Unix sockets refuse at once, so that one step follows the other without a wait.
    let mut servers =
        [Memcached::start_unix(), Memcached::start_unix(), Memcached::start(), Memcached::start()];
    let mut client = builder(&servers).dead_timeout(Duration::from_secs(8)).build().unwrap();
    let hanging = key_of(&client, 2);
    client.noop(2).unwrap();
    servers[2].pause();
    servers[0].kill();
    servers[1].kill();
    client.submit(&Command::Get(hanging.as_bytes())).unwrap();
    let mut keys = (0..).map(|n| format!("key{n}"));
    let key = keys.find(|key| matches!(ring_order(&servers, key)[..], [0, 1, 3, _] | [1, 0, 3, _])).unwrap();
    let stored = within(ms(500), "a set", || client.set(&key, "value", NEVER)).unwrap();
    assert!(stored.is_stored());
    assert_eq!(servers[3].value(&key).as_deref(), Some("value"));
}
