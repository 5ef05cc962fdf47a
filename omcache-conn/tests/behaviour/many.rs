//! Requests on many keys that are handed over together, and their answers by the way of those who only look.

use std::panic::{AssertUnwindSafe, catch_unwind};

use omcache_conn::{Config, Event, Outcome, SubmitError, Target};
use omcache_proto::{Key, Request, StoreMode};

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;

fn ready(config: Config, servers: usize) -> World {
    let mut world = World::new(config, servers);
    for server in 0..servers {
        world.noop(server);
    }
    world.run();
    world
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key{number}")).collect()
}

#[test]
fn each_key_is_asked_of_its_own_server_and_its_answer_shown() {
    for (takes_values, wants_all) in [(false, true), (false, false), (true, true), (true, false)] {
        let mut world = ready(Config::default(), 4);
        (world.shows_values, world.takes_values, world.wants_all) = (true, takes_values, wants_all);
        let keys = keys(403);
        for key in &keys {
            let server = world.cluster.server_for_key(key.as_bytes()).unwrap();
            world.peers[server].put(key, format!("{key}@:value"));
        }
        let before = world.cluster.last_opaque();
        assert_eq!(world.submit_many(&keys, false), keys.len());
        world.cluster.settle_quiet();
        world.run();
        // One that is not wanted goes the general way, and so does what is behind it on its connection until the next event.
        let some = (200..keys.len()).contains(&world.shown);
        assert!(if wants_all { world.shown == keys.len() } else { some }, "{}", world.shown);
        let fates = (1..=403).map(|next| world.fate(before + next));
        assert!(fates.into_iter().all(|fate| matches!(fate, Fate::Answered { .. })));
        assert!(!world.cluster.has_pending());
        assert_eq!(world.cluster.poll_deadline(), None, "nothing is waited for any more");
        world.check_kept_values();
    }
}

/// Of so many quiet requests in a row the last one has a NOOP behind it, which nobody asked for.
#[test]
fn a_long_run_that_is_submitted_together_is_settled_unasked() {
    const RUN: usize = 16 * 1024;
    let mut world = ready(Config::default(), 1);
    let (before, noops) = (world.cluster.last_opaque(), world.peers[0].noops);
    assert_eq!(world.submit_many(&keys(2 * RUN + 1), false), 2 * RUN + 1);
    world.run();
    assert_eq!(world.peers[0].noops, noops + 2);
    let last = before + 2 * RUN as u32 + 1;
    assert!((before + 1..last).all(|opaque| *world.fate(opaque) == Fate::Settled(Outcome::Silent)));
    assert_eq!(*world.fate(last), Fate::Pending);
}

#[test]
fn a_panic_of_the_caller_leaves_the_connection_in_order() {
    let mut world = ready(Config::default(), 1);
    let before = world.cluster.last_opaque();
    let key = Key::new(b"key").unwrap();
    let request = |at| {
        assert!(at < 3, "as the caller's own code may");
        Some(Request::Get { key, with_key: false, quiet: true })
    };
    let submit = || world.cluster.submit_many(5, |_| key.as_bytes(), request, |_| ());
    assert!(catch_unwind(AssertUnwindSafe(submit)).is_err());
    assert_eq!(world.cluster.last_opaque(), before, "none of the server's is queued");
    let get = world.submit(Target::Key, &Request::Get { key, with_key: false, quiet: false }).unwrap();
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
    assert!(!world.cluster.has_pending());
}

#[test]
fn keys_of_a_disabled_server_go_on_along_the_ring() {
    let mut world = World::new(Config::default(), 3);
    world.peers[1].mode = Mode::Refusing;
    world.noop(1);
    world.run();
    let keys = keys(60);
    let before = world.cluster.last_opaque();
    assert_eq!(world.submit_many(&keys, true), 60);
    world.cluster.settle_quiet();
    world.run();
    for opaque in before + 1..=before + 60 {
        // A delete of what is not there is answered.
        assert!(matches!(world.fate(opaque), Fate::Answered { server: 0 | 2, .. }));
    }
}

#[test]
fn without_servers_each_is_refused() {
    let mut world = World::new(Config::default(), 0);
    assert_eq!(world.submit_many(&keys(7), false), 0);
}

#[test]
fn where_one_key_is_invalid_nothing_is_queued() {
    let mut world = ready(Config::default(), 2);
    for at in 0..9 {
        let mut keys = keys(9);
        keys[at] = if at % 2 == 0 { String::new() } else { "k".repeat(251) };
        assert_eq!(world.submit_many(&keys, false), 0);
    }
    assert!(!world.cluster.has_pending());
    assert_eq!(world.submit_many(&keys(9), false), 9, "the next ones are not mixed with those");
    world.cluster.settle_quiet();
    world.run();
}

#[test]
fn what_has_no_room_is_not_overtaken() {
    let mut world = ready(Config { send_limit: 400, ..Config::default() }, 1);
    let key = Key::new(b"key").unwrap();
    let values: [&[u8]; 4] = [&[b'a'; 100], &[b'b'; 300], b"c", b"d"];
    let request = |at: usize| {
        let (mode, value) = (StoreMode::Set, values[at]);
        Some(Request::Store { mode, key, value, flags: 0, expiration: 0, cas: 0, quiet: true })
    };
    let mut told = Vec::new();
    assert!(world.cluster.submit_many(4, |_| key.as_bytes(), request, |submitted| told.push(submitted)));
    assert!(told[0].result.is_ok());
    for submitted in &told[1..] {
        let full = matches!(submitted.result, Err(SubmitError::SendBufferFull { server: 0, .. }));
        assert!(full, "{submitted:?}");
    }
}

/// The next server of the ring has room for the small one only.
#[test]
fn what_has_no_room_elsewhere_is_not_overtaken() {
    let mut world = World::new(Config { send_limit: 400, ..Config::default() }, 2);
    world.peers[0].mode = Mode::Refusing;
    world.noop(0);
    world.noop(1);
    world.run();
    let name = world.keys_of(1).next().unwrap();
    let filled = world.store(Target::Key, StoreMode::Set, &name, 150, true);
    assert!(filled.is_ok());
    let name = (0..).map(|n| format!("k{n}")).find(|name| is_of(&world, name, 0)).unwrap();
    let key = Key::new(name.as_bytes()).unwrap();
    let values: [&[u8]; 2] = [&[b'a'; 300], b"b"];
    let request = |at: usize| {
        let (mode, value) = (StoreMode::Set, values[at]);
        Some(Request::Store { mode, key, value, flags: 0, expiration: 0, cas: 0, quiet: true })
    };
    let mut told = Vec::new();
    assert!(world.cluster.submit_many(2, |_| key.as_bytes(), request, |submitted| told.push(submitted)));
    for submitted in &told {
        let full = matches!(submitted.result, Err(SubmitError::SendBufferFull { server: 1, .. }));
        assert!(full, "{submitted:?}");
    }
}

/// Of a server that is down some keys are for one that is full, others for one that has room.
#[test]
fn a_full_server_holds_up_its_own_keys_alone() {
    let mut world = World::new(Config { send_limit: 400, ..Config::default() }, 3);
    world.peers[0].mode = Mode::Refusing;
    for server in 0..3 {
        world.noop(server);
    }
    world.run();
    let full = world.keys_of(1).next().unwrap();
    assert!(world.store(Target::Key, StoreMode::Set, &full, 150, true).is_ok());
    let names: Vec<_> =
        (0..).map(|n| format!("k{n}")).filter(|name| is_of(&world, name, 0)).take(200).collect();
    let instead = |name: &String| world.cluster.server_for_key(name.as_bytes()).unwrap();
    let of = |server| names.iter().filter(move |name| instead(name) == server);
    // The first one has no room, the second one is for another server, the third one might have it.
    let given = [of(1).next().unwrap(), of(2).next().unwrap(), of(1).nth(1).unwrap(), of(2).nth(1).unwrap()];
    let keys = given.map(|name| Key::new(name.as_bytes()).unwrap());
    let values: [&[u8]; 4] = [&[b'a'; 300], b"b", b"c", b"d"];
    let request = |at: usize| {
        let (mode, key, value) = (StoreMode::Set, keys[at], values[at]);
        Some(Request::Store { mode, key, value, flags: 0, expiration: 0, cas: 0, quiet: true })
    };
    let mut told = Vec::new();
    assert!(world.cluster.submit_many(
        4,
        |at| keys[at].as_bytes(),
        request,
        |submitted| told.push(submitted)
    ));
    for submitted in told {
        match submitted.at {
            0 | 2 => assert!(matches!(submitted.result, Err(SubmitError::SendBufferFull { server: 1, .. }))),
            _ => assert!(submitted.result.is_ok() && submitted.server == 2),
        }
    }
}

/// Whether a key belongs to a server while all are up.
fn is_of(world: &World, key: &str, server: usize) -> bool {
    world.cluster.continuum().server(key.as_bytes()) == Some(server)
}

#[test]
fn silence_about_many_is_told_at_once() {
    let mut world = ready(Config::default(), 1);
    let keys = keys(20);
    assert_eq!(world.submit_many(&keys, false), 20);
    world.cluster.settle_quiet();
    world.transmit();
    world.serve();
    world.io();
    let event = world.cluster.poll_event();
    assert!(
        matches!(&event, Some(Event::Settled(settled)) if settled.outcome == Outcome::Silent),
        "{event:?}"
    );
    assert_eq!(world.cluster.drop_silent(), 19);
    assert_eq!(world.cluster.drop_silent(), 0);
    assert!(world.cluster.poll_event().is_none() && !world.cluster.has_pending());
}
