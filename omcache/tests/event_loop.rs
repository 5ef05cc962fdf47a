//! The client in a program's own event loop: nothing blocks, every command ends in one completion.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use memcached::Memcached;
use memcached::deadline::{ms, until, within};
use memcached::foreign_loop::ForeignLoop;
use memcached::keys::{key_of, keys_of, ring_order};
use omcache::{
    Client, ClientBuilder, Command, Delta, ErrorKind, Expiration, Item, Mode, Reply, Stored, Value,
};

const NEVER: Expiration = Expiration::NEVER;
/// A call that waited would take as long as the timeouts below; a busy machine alone takes less than this.
const AT_ONCE: Duration = ms(200);
/// Long enough for any answer of a server that is well.
const PATIENCE: Duration = Duration::from_secs(10);

fn builder(servers: &[Memcached]) -> ClientBuilder {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    Client::builder().servers(list.join(",")).unwrap()
}

fn value(reply: Reply) -> Option<Value> {
    match reply {
        Reply::Value(value) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_command_ends_in_one_completion() {
    let servers = Memcached::start_many::<3>();
    let mut events = ForeignLoop::new(builder(&servers).build().unwrap());
    let keys: Vec<String> = (0..500).map(|n| format!("key{n}")).collect();
    let mut expected = HashMap::new();
    for key in &keys {
        let item = Item::new(key, key).flags(7);
        expected.insert(events.submit(&Command::Store(Mode::Set, item)).unwrap(), ("store", key));
        expected.insert(events.get(key), ("get", key));
        expected.insert(events.submit(&Command::GetAndTouch(key.as_bytes(), NEVER)).unwrap(), ("get", key));
        expected.insert(events.submit(&Command::Touch(key.as_bytes(), NEVER)).unwrap(), ("found", key));
        expected
            .insert(events.submit(&Command::Increment(key.as_bytes(), Delta::from(1))).unwrap(), ("no", key));
        expected.insert(events.submit(&Command::Delete(key.as_bytes())).unwrap(), ("found", key));
        expected.insert(events.submit(&Command::Delete(key.as_bytes())).unwrap(), ("gone", key));
    }
    assert_eq!(expected.len(), 7 * keys.len(), "each has a ticket of its own");
    for completion in events.complete(expected.len(), PATIENCE) {
        let (what, key) = expected.remove(&completion.ticket).expect("a ticket that was given, once");
        match (what, completion.result) {
            ("store", Ok(Reply::Stored(stored))) => assert!(stored.is_stored()),
            ("get", Ok(reply)) => {
                let value = value(reply).unwrap();
                assert_eq!((&*value.data, value.flags), (key.as_bytes(), 7));
            }
            ("found", Ok(Reply::Found(found))) => assert!(found),
            ("gone", Ok(Reply::Found(found))) => assert!(!found),
            ("no", Err(error)) => assert_eq!(error.kind(), ErrorKind::NonNumeric),
            other => panic!("{key}: {other:?}"),
        }
    }
    assert!(events.turn(Duration::ZERO).is_empty());
    let mut descriptors = Vec::new();
    events.client.descriptors(&mut descriptors);
    assert!(descriptors.is_empty() && events.client.time_left().is_none(), "nothing more is expected");
    assert!(events.slowest < AT_ONCE, "{:?}", events.slowest);
}

#[test]
fn nothing_waits_for_a_server_that_hangs_or_a_name_that_is_looked_up() {
    let servers = Memcached::start_many::<3>();
    let list = format!(
        "{},{},localhost:{},nosuchhost.invalid",
        servers[0].address(),
        servers[1].address(),
        servers[2].port()
    );
    let client =
        Client::builder().servers(list).unwrap().dead_timeout(Duration::from_secs(1)).build().unwrap();
    let mut events = ForeignLoop::new(client);
    // One that is connected hangs; the others are not connected yet.
    let sick = key_of(&events.client, 0);
    events.call(|client| client.submit(&Command::Get(sick.as_bytes()))).unwrap();
    events.complete(1, PATIENCE);
    servers[0].pause();
    let stuck: HashSet<_> = (0..20).map(|_| events.get(&sick)).collect();
    let start = Instant::now();
    let healthy = [1, 2].map(|server| key_of(&events.client, server));
    let first: HashSet<_> = healthy.iter().map(|key| events.get(key)).collect();
    let nowhere = key_of(&events.client, 3);
    let nowhere = events.get(&nowhere);

    let mut done = HashSet::new();
    while !first.is_subset(&done) {
        done.extend(events.turn(ms(100)).into_iter().map(|completion| {
            assert!(!stuck.contains(&completion.ticket));
            completion.result.unwrap();
            completion.ticket
        }));
        assert!(start.elapsed() < ms(900), "they wait for the one that hangs");
    }
    // Again and again, on connections that stand.
    while start.elapsed() < ms(800) {
        let mut asked: HashSet<_> = healthy.iter().map(|key| events.get(key)).collect();
        let asked_at = Instant::now();
        while !asked.is_empty() {
            for completion in events.turn(ms(100)) {
                completion.result.unwrap();
                asked.remove(&completion.ticket);
                done.insert(completion.ticket);
            }
            assert!(asked_at.elapsed() < AT_ONCE, "they wait for the one that hangs");
        }
    }
    let mut failed = HashSet::new();
    until(PATIENCE, "those of the hanging server fail", || {
        for completion in events.turn(ms(100)) {
            if stuck.contains(&completion.ticket) {
                let error = completion.result.unwrap_err();
                assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Unknown, true), "{error:?}");
                assert_eq!(error.server(), Some(&*servers[0].address()));
                assert!(start.elapsed() > ms(990) && start.elapsed() < ms(1500), "{:?}", start.elapsed());
                failed.insert(completion.ticket);
            } else {
                done.insert(completion.ticket);
            }
        }
        failed == stuck
    });
    let mut gone_on = || {
        done.extend(events.turn(ms(100)).into_iter().map(|completion| completion.ticket));
        done.contains(&nowhere)
    };
    until(Duration::from_secs(15), "the key of the name without an address goes elsewhere", &mut gone_on);
    assert!(events.slowest < AT_ONCE, "{:?}", events.slowest);
}

#[test]
fn completions_of_several_servers_come_as_they_come() {
    let servers = Memcached::start_many::<4>();
    let mut events = ForeignLoop::new(builder(&servers).build().unwrap());
    let keys: Vec<String> = (0..4).map(|server| key_of(&events.client, server)).collect();
    for key in &keys {
        events.submit(&Command::Store(Mode::Set, Item::new(key, key))).unwrap();
    }
    events.complete(4, PATIENCE);
    // The later a server was asked, the earlier it answers.
    servers.iter().for_each(Memcached::pause);
    let tickets: Vec<_> = keys.iter().map(|key| events.get(key)).collect();
    assert!(events.turn(ms(50)).is_empty());
    for server in (0..4).rev() {
        servers[server].resume();
        let completion = events.complete(1, PATIENCE).remove(0);
        assert_eq!(completion.ticket, tickets[server]);
        assert_eq!(value(completion.result.unwrap()).unwrap().data, keys[server]);
    }
}

#[test]
fn a_cancelled_command_has_no_completion() {
    let servers = Memcached::start_many::<2>();
    let mut events = ForeignLoop::new(builder(&servers).build().unwrap());
    let (here, there) = (key_of(&events.client, 0), key_of(&events.client, 1));
    let store = |key| Command::Store(Mode::Add, Item::new(key, "x"));

    // Not connected yet: it is never sent.
    let never = events.submit(&store(&here)).unwrap();
    let stays = events.submit(&store(&there)).unwrap();
    assert!(events.call(|client| client.cancel(never)));
    let completion = events.complete(1, PATIENCE).remove(0);
    assert_eq!(completion.ticket, stays);
    assert_eq!(servers[0].stat("cmd_set"), 0);

    // Sent: the answer is dropped, and nothing else.
    events.get(&here);
    events.complete(1, PATIENCE);
    servers[0].pause();
    let sent = events.submit(&store(&here)).unwrap();
    let after = events.get(&here);
    assert!(!events.call(|client| client.cancel(sent)));
    assert!(!events.call(|client| client.cancel(sent)), "once more changes nothing");
    servers[0].resume();
    let completion = events.complete(1, PATIENCE).remove(0);
    assert_eq!(completion.ticket, after);
    assert_eq!(value(completion.result.unwrap()).unwrap().data, "x", "it was carried out");

    // Answered, but the answer not taken yet.
    let ticket = events.get(&here);
    let other = events.get(&there);
    let mut waiting = || {
        events.call(Client::step).unwrap();
        let mut descriptors = Vec::new();
        events.call(|client| client.descriptors(&mut descriptors));
        descriptors.is_empty()
    };
    until(PATIENCE, "both are answered", &mut waiting);
    assert!(!events.call(|client| client.cancel(ticket)));
    let completion = events.complete(1, PATIENCE).remove(0);
    assert_eq!(completion.ticket, other);
    assert!(events.turn(Duration::ZERO).is_empty());

    // Taken: there is nothing to cancel.
    assert!(!events.call(|client| client.cancel(other)));
    events.get(&here);
    assert_eq!(events.complete(1, PATIENCE).len(), 1);
}

#[test]
fn a_command_that_waits_leaves_submitted_ones_their_answers() {
    let servers = Memcached::start_many::<2>();
    let mut client = builder(&servers).dead_timeout(Duration::from_secs(1)).build().unwrap();
    let (here, there) = (key_of(&client, 0), key_of(&client, 1));
    for key in [&here, &there] {
        assert!(client.set(key, key, NEVER).unwrap().is_stored());
    }
    let mut tickets = Vec::new();
    for n in 0..50 {
        tickets.push(client.submit(&Command::Get(here.as_bytes())).unwrap());
        tickets.push(client.submit(&Command::Get(there.as_bytes())).unwrap());
        assert_eq!(client.get(&here).unwrap().unwrap().data, here);
        let values = client.get_multi(&[&there, &here]);
        assert_eq!(values[0].as_ref().unwrap().as_ref().unwrap().data, there);
        assert_eq!(client.increment("n", Delta::from(1).or_create(1, NEVER)).unwrap(), Some(n + 1));
        client.stats(0, "").unwrap();
    }
    let mut events = ForeignLoop::new(client);
    let mut completions = events.complete(tickets.len(), PATIENCE);
    completions.sort_by_key(|completion| completion.ticket);
    for ((completion, ticket), key) in
        completions.into_iter().zip(tickets).zip([&here, &there].into_iter().cycle())
    {
        assert_eq!(completion.ticket, ticket);
        assert_eq!(value(completion.result.unwrap()).unwrap().data, *key);
    }

    // The waiting command does not wait for what was submitted to a server that hangs.
    servers[0].pause();
    let stuck = events.get(&here);
    within(ms(500), "a get from the other server", || events.client.get(&there)).unwrap();
    let completion = events.complete(1, PATIENCE).remove(0);
    assert_eq!((completion.ticket, completion.result.unwrap_err().kind()), (stuck, ErrorKind::Unknown));
}

#[test]
fn the_time_left_is_enough_to_go_by() {
    // Two servers that refuse at once, before any descriptor is there to wait for, and one behind them.
    let mut servers = [Memcached::start_unix(), Memcached::start_unix(), Memcached::start()];
    let mut client = builder(&servers).build().unwrap();
    assert!(client.time_left().is_none());
    let mut keys = (0..).map(|n| format!("key{n}"));
    let key = keys.find(|key| ring_order(&servers, key).last() == Some(&2)).unwrap();
    servers[..2].iter_mut().for_each(Memcached::kill);
    client.set_timeout(None);
    let mut events = ForeignLoop::new(client);
    let ticket = events.submit(&Command::Store(Mode::Set, Item::new(&key, "x"))).unwrap();
    let completion = events.complete(1, Duration::from_secs(2)).remove(0);
    assert_eq!(completion.ticket, ticket);
    assert!(matches!(completion.result, Ok(Reply::Stored(Stored::Stored { .. }))));
    assert_eq!(servers[2].value(&key).as_deref(), Some("x"));
    let left = events.client.time_left().expect("the others are to be tried again");
    assert!(left > Duration::from_secs(5) && left <= Duration::from_secs(10), "{left:?}");
}

#[test]
fn a_program_that_was_busy_elsewhere_still_gets_the_answer_that_came_in_time() {
    let servers = Memcached::start_many::<1>();
    let mut client = builder(&servers).dead_timeout(ms(300)).build().unwrap();
    assert!(client.set("key", "value", NEVER).unwrap().is_stored());
    let connections = servers[0].connections_taken();
    for _ in 0..2 {
        let asked = servers[0].stat("cmd_get");
        let ticket = client.submit(&Command::Get(b"key")).unwrap();
        let start = Instant::now();
        until(PATIENCE, "the answer lies there for long", || {
            start.elapsed() > ms(400) && servers[0].stat("cmd_get") > asked
        });
        client.step().unwrap();
        let completion = client.next_completion().expect("it is there");
        assert_eq!(completion.ticket, ticket);
        assert_eq!(value(completion.result.unwrap()).unwrap().data, "value");
    }
    // Likewise where a blocking call comes next.
    let ticket = client.submit(&Command::Get(b"key")).unwrap();
    let start = Instant::now();
    until(PATIENCE, "time passes", || start.elapsed() > ms(400));
    assert_eq!(client.get("key").unwrap().unwrap().data, "value");
    let completion = client.next_completion().expect("it is there");
    assert_eq!(completion.ticket, ticket);
    assert_eq!(value(completion.result.unwrap()).unwrap().data, "value");
    assert_eq!(client.server_info(0).unwrap().last_failure, None, "{:?}", connections.since(&servers[0]));
}

#[test]
fn a_handshake_that_ended_while_the_program_was_busy_elsewhere_counts() {
    let servers = Memcached::start_many::<2>();
    let list = format!("{},localhost:{}", servers[0].address(), servers[1].port());
    for server in 0..2 {
        for turns in 0..4 {
            let client = Client::builder().servers(&list).unwrap().connect_timeout(ms(200)).build().unwrap();
            let mut events = ForeignLoop::new(client);
            let key = key_of(&events.client, server);
            let ticket = events.get(&key);
            // As far as it comes in these turns: looked up, connected, or asked for its first answer.
            let mut early = Vec::new();
            for _ in 0..turns {
                early.append(&mut events.turn(ms(100)));
            }
            let start = Instant::now();
            until(PATIENCE, "time passes", || start.elapsed() > ms(300));
            if early.is_empty() {
                early = events.complete(1, PATIENCE);
            }
            assert_eq!(early[0].ticket, ticket);
            assert!(early[0].result.is_ok(), "after {turns} turns: {:?}", early[0].result);
            assert_eq!(events.client.server_for_key(&key), Some(server), "after {turns} turns");
            let info = events.client.server_info(server).unwrap();
            assert_eq!(info.last_failure, None, "after {turns} turns");
        }
    }
}

#[test]
fn commands_under_way_to_a_killed_server_end() {
    let mut servers = Memcached::start_many::<3>();
    let mut events = ForeignLoop::new(builder(&servers).build().unwrap());
    let keys = keys_of(&events.client, 1, "key", 20);
    let next: Vec<usize> = keys.iter().map(|key| ring_order(&servers, key)[1]).collect();
    for key in &keys {
        events.submit(&Command::Store(Mode::Set, Item::new(key, key))).unwrap();
    }
    events.complete(keys.len(), PATIENCE);
    servers[1].pause();
    let asked: HashSet<_> = keys.iter().map(|key| events.get(key)).collect();
    servers[1].kill();
    for completion in events.complete(keys.len(), PATIENCE) {
        assert!(asked.contains(&completion.ticket));
        assert_eq!(completion.result.unwrap_err().kind(), ErrorKind::Unknown);
    }
    for key in &keys {
        events.submit(&Command::Store(Mode::Set, Item::new(key, "again"))).unwrap();
    }
    for completion in events.complete(keys.len(), PATIENCE) {
        assert!(matches!(completion.result, Ok(Reply::Stored(Stored::Stored { .. }))));
    }
    for (key, next) in keys.iter().zip(next) {
        assert_eq!(servers[next].value(key).as_deref(), Some("again"));
    }
    assert!(events.slowest < AT_ONCE, "{:?}", events.slowest);
}

#[test]
fn without_servers_there_is_nothing_to_wait_for() {
    let mut events = ForeignLoop::new(Client::builder().build().unwrap());
    let error = events.submit(&Command::Get(b"key")).unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::NoServers, false));
    assert!(events.turn(Duration::ZERO).is_empty());
    let mut descriptors = Vec::new();
    events.client.descriptors(&mut descriptors);
    assert!(descriptors.is_empty() && events.client.time_left().is_none());
}

#[test]
fn a_result_that_comes_of_the_last_step_is_told_by_it() {
    // Connecting to a socket that is not there fails at once, so each step goes on to further servers.
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<_> = (0..20).map(|n| format!("{}/{n}", folder.path().display())).collect();
    for count in 1..list.len() {
        let mut client = Client::builder().servers(list[..count].join(",")).unwrap().build().unwrap();
        let ticket = client.submit(&Command::Get(b"key")).unwrap();
        let mut turns = 0;
        let completion = loop {
            if let Some(completion) = client.next_completion() {
                break completion;
            }
            let mut descriptors = Vec::new();
            client.descriptors(&mut descriptors);
            assert!(descriptors.is_empty() && turns <= count, "after {turns} turns of {count} servers");
            assert_eq!(client.time_left(), Some(Duration::ZERO), "after {turns} turns of {count} servers");
            client.step().unwrap();
            turns += 1;
        };
        assert_eq!(completion.ticket, ticket);
        assert!(completion.result.is_err());
    }
}
