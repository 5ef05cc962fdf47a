//! Failover: what was not sent goes along the ring, what was sent is never sent twice.

use std::time::Duration;

use omcache_conn::{Config, Failure, Health, Outcome, SubmitError, Target};
use omcache_proto::{Key, Request, StoreMode};

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;

fn ring(world: &World, key: &str) -> Vec<usize> {
    world.cluster.continuum().walk(key.as_bytes()).collect()
}

fn answered_by(world: &World, opaque: u32) -> usize {
    match world.fate(opaque) {
        Fate::Answered { server, .. } => *server,
        other => panic!("{other:?}"),
    }
}

fn submit_get(world: &mut World, key: &str) -> Result<u32, SubmitError> {
    world.submit(
        Target::Key,
        &Request::Get { key: Key::new(key.as_bytes()).unwrap(), with_key: true, quiet: false },
    )
}

#[test]
fn what_was_not_sent_goes_to_the_next_live_server_of_its_key() {
    for dead in 1..5 {
        let mut world = World::new(Config::default(), 5);
        let keys: Vec<_> = (0..50).map(|n| format!("key{n}")).collect();
        for peer in 0..dead {
            world.kill(peer);
        }
        let gets: Vec<_> = keys.iter().map(|key| world.get(key)).collect();
        world.run();
        for (key, get) in keys.iter().zip(gets) {
            let expected = ring(&world, key).into_iter().find(|&server| server >= dead).unwrap();
            assert_eq!(answered_by(&world, get), expected, "{key}");
            assert_eq!(world.cluster.server_for_key(key.as_bytes()), Some(expected));
            // Later ones go there at once.
            let later = world.get(key);
            world.run();
            assert_eq!(answered_by(&world, later), expected);
        }
    }
}

#[test]
fn requests_keep_their_order_on_the_way() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.kill(0);
    let sets: Vec<_> = (0..10).map(|n| world.set(&key, n)).collect();
    let get = world.get(&key);
    world.run();
    assert!(sets.iter().all(|&set| answered_by(&world, set) == 1));
    assert!(world.value(get).starts_with(format!("{key}@10:").as_bytes()));
}

#[test]
fn what_was_sent_is_unknown_and_never_sent_twice() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 24 + 8 + key.len() + 10;
    let sent = world.set(&key, 0);
    let partly = world.set(&key, 100);
    let unsent = world.set(&key, 0);
    world.run();
    world.kill(0);
    world.run();
    assert!(world.fate(sent).is_unknown() && world.fate(partly).is_unknown());
    assert_eq!(answered_by(&world, unsent), 1);
    assert_eq!(world.peers[1].log.len(), 1);
    // Not even when the server comes back.
    world.peers[0].mode = Mode::Up;
    world.peers[0].window = 1 << 16;
    world.advance_ms(20_000);
    assert_eq!((world.health(0), world.peers[0].log.len()), (Health::Ready, 0));
}

#[test]
fn requests_to_a_named_server_stay_with_it() {
    let mut world = World::new(Config::default(), 3);
    world.kill(0);
    let key = world.key_of(0);
    let (noop, named, by_key) =
        (world.noop(0), world.get_at(Target::Server(0), &key, false), world.get(&key));
    world.run();
    for opaque in [noop, named] {
        let Fate::Settled(Outcome::NotSent(Failure::Io { operation: "connect", .. })) = world.fate(opaque)
        else {
            panic!("{:?}", world.fate(opaque))
        };
    }
    assert_ne!(answered_by(&world, by_key), 0);
}

#[test]
fn a_key_may_be_sent_to_a_server_that_is_not_its_own() {
    let mut world = World::new(Config::default(), 3);
    let key = world.key_of(0);
    let get = world.get_at(Target::Server(2), &key, false);
    world.run();
    assert_eq!(answered_by(&world, get), 2);
}

#[test]
fn without_a_live_server_requests_fail_and_then_are_refused() {
    let mut world = World::new(Config::default(), 3);
    for peer in 0..3 {
        world.kill(peer);
    }
    let gets: Vec<_> = (0..20).map(|n| world.get(&format!("key{n}"))).collect();
    world.run();
    for get in gets {
        assert_eq!(world.fate(get), &Fate::Settled(Outcome::NotSent(Failure::NoServers)));
    }
    assert_eq!(submit_get(&mut world, "a"), Err(SubmitError::NoServers { total: 3 }));
    assert_eq!(world.cluster.server_for_key(b"a"), None);
}

#[test]
fn a_server_that_is_retried_takes_requests_where_no_other_is_left() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.kill(0);
    world.kill(1);
    let failed = world.get(&key);
    world.run();
    assert!(world.fate(failed).is_not_sent());
    // The first to be retried hangs for a while, then works.
    world.peers[0].mode = Mode::Up;
    world.peers[0].delay = Duration::from_millis(500);
    world.advance_ms(10_000);
    assert_eq!((world.health(0), world.health(1)), (Health::Retrying, Health::Disabled));
    assert_eq!(world.cluster.server_for_key(key.as_bytes()), None, "it takes no keys by rights");
    let get = world.get(&key);
    world.advance_ms(1_000);
    assert_eq!(answered_by(&world, get), 0);
}

#[test]
fn a_live_server_is_taken_before_one_that_is_retried() {
    let mut world = World::new(Config::default(), 3);
    let key = world.key_of(0);
    world.kill(0);
    world.get(&key);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.advance_ms(10_000);
    assert_eq!(world.health(0), Health::Retrying);
    let get = world.get(&key);
    world.run();
    assert_eq!(answered_by(&world, get), ring(&world, &key)[1]);
}

#[test]
fn a_live_server_that_fails_leaves_its_requests_to_one_that_is_retried() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.kill(0);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Up;
    world.peers[0].delay = Duration::from_millis(500);
    world.advance_ms(10_100);
    assert_eq!(world.health(0), Health::Retrying);
    world.kill(1);
    let get = world.get(&key);
    world.advance_ms(2_000);
    assert_eq!(answered_by(&world, get), 0);
}

#[test]
fn servers_that_hang_in_turn_do_not_keep_a_request_for_ever() {
    // Each is retried while the other pauses; a request that is handed from one to the other has no end.
    let config = Config {
        connect_timeout: Duration::from_millis(1_000),
        reconnect_timeout: Duration::from_millis(500),
        dead_timeout: Duration::from_millis(5_000),
        ..Config::default()
    };
    let mut world = World::new(config, 2);
    world.peers[0].mode = Mode::Unreachable;
    world.noop(0);
    world.advance_ms(700);
    world.peers[1].mode = Mode::Unreachable;
    world.noop(1);
    world.advance_ms(1_200);
    let mut gets = Vec::new();
    for _ in 0..20 {
        gets.extend(submit_get(&mut world, "a"));
        world.advance_ms(100);
    }
    assert!(!gets.is_empty());
    world.advance_ms(8_000);
    for get in gets {
        assert!(world.fate(get).is_not_sent(), "{:?}", world.fate(get));
    }
}

#[test]
fn a_next_server_without_room_refuses() {
    let mut world = World::new(Config { send_limit: 1_000, ..Config::default() }, 2);
    let (mine, other) = (world.key_of(0), world.key_of(1));
    world.peers[1].mode = Mode::Hanging;
    world.kill(0);
    let there = world.set(&other, 800);
    let (large, small) = (world.set(&mine, 800), world.set(&mine, 0));
    world.run();
    assert_eq!(world.fate(large), &Fate::Settled(Outcome::NotSent(Failure::SendBufferFull)));
    world.peers[1].mode = Mode::Up;
    world.run();
    assert_eq!((answered_by(&world, there), answered_by(&world, small)), (1, 1));
}

#[test]
fn packets_of_the_callers_own_go_along_the_ring_as_well() {
    use omcache_proto::binary::{Opcode, RequestPacket};
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.kill(0);
    let packet = RequestPacket {
        opcode: Opcode::TOUCH,
        vbucket: 0,
        cas: 0,
        opaque: 77,
        extras: &[0; 4],
        key: key.as_bytes(),
        value: b"",
    };
    let opaque = world.cluster.submit_packet(Target::Key, &packet).unwrap();
    world.ledger.accept(opaque, Opcode::TOUCH, key.as_bytes(), Target::Key);
    world.run();
    assert_eq!(answered_by(&world, opaque), 1);
    let keyless = RequestPacket { opcode: Opcode::NOOP, extras: b"", key: b"", ..packet };
    assert_eq!(world.cluster.submit_packet(Target::Key, &keyless), Err(SubmitError::NoKey));
    let long = RequestPacket { extras: &[0; 256], ..packet };
    assert!(matches!(world.cluster.submit_packet(Target::Server(1), &long), Err(SubmitError::Encode(_))));
    assert_eq!(world.cluster.last_opaque(), opaque);
}

#[test]
fn what_only_the_keys_own_server_may_take_goes_to_no_other() {
    let mut world = World::new(Config { send_limit: 400, ..Config::default() }, 2);
    world.peers[0].mode = Mode::Refusing;
    world.noop(0);
    world.noop(1);
    world.run();
    let of = |server: usize| {
        let mut names = (0..).map(|number| format!("k{number}"));
        names.find(|name| world.cluster.continuum().server(name.as_bytes()) == Some(server)).unwrap()
    };
    let (down, up) = (of(0), of(1));
    let set = |name, value| Request::Store {
        mode: StoreMode::Set,
        key: Key::new(name).unwrap(),
        value,
        flags: 0,
        expiration: 0,
        cas: 0,
        quiet: true,
    };
    let before = world.cluster.last_opaque();
    let (small, middle, large): (&[u8], &[u8], &[u8]) = (b"v", &[b'v'; 150], &[b'v'; 350]);
    assert_eq!(world.cluster.submit_to_own(&set(up.as_bytes(), middle)), None, "there is no memory at hand");
    assert_eq!(world.cluster.last_opaque(), before);
    assert_eq!(world.cluster.submit(Target::Key, &set(up.as_bytes(), middle)), Ok(before + 1));
    assert_eq!(world.cluster.submit_to_own(&set(down.as_bytes(), small)), None);
    assert_eq!(world.cluster.submit_to_own(&set(up.as_bytes(), small)), Some(before + 2));
    assert_eq!(world.cluster.submit_to_own(&set(up.as_bytes(), large)), None, "there is no room for it");
    assert_eq!(world.cluster.submit_to_own(&Request::Noop), None, "it has no key");
    // None of them left anything behind.
    assert_eq!(world.cluster.last_opaque(), before + 2);
    assert_eq!(world.cluster.submit(Target::Key, &set(down.as_bytes(), small)), Ok(before + 3));
    assert_eq!(world.cluster.last_server(), 1);
}
