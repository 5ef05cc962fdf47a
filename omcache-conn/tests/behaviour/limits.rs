//! The two limits of a handshake: how long it may take, and how long a request may wait for it.

use std::time::Duration;

use omcache_conn::{Config, Failure, Health, Outcome, ServerChange};

use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;
use crate::sim::{Name, World};

const DEAD: Failure = Failure::DeadTimeout { limit: Duration::from_secs(1) };

/// Handshakes may take long, answers not.
fn impatient() -> Config {
    Config { dead_timeout: Duration::from_secs(1), ..Config::default() }
}

#[test]
fn by_default_what_waited_for_a_handshake_that_hangs_goes_to_the_next_server() {
    for mode in [Mode::Unreachable, Mode::Hanging] {
        let mut world = World::new(Config::default(), 2);
        world.peers[0].mode = mode;
        let key = world.key_of(0);
        let get = world.get(&key);
        let named = world.noop(0);
        world.advance_ms(9_999);
        assert_eq!(world.fate(get), &Fate::Pending);
        world.advance_ms(1);
        assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
        let limit = Failure::ConnectTimeout { limit: Duration::from_secs(10) };
        assert_eq!(world.fate(named), &Fate::Settled(Outcome::NotSent(limit.clone())));
        let disabled = ServerChange::Disabled { failure: limit, retry_in: Duration::from_secs(10) };
        assert_eq!(world.changes_of(0), [disabled]);
    }
}

#[test]
fn by_default_it_goes_on_where_a_name_has_several_addresses_or_a_lookup_hangs() {
    for name in [Name::Found(vec![0, 1]), Name::Hangs] {
        let mut world = World::named(Config::default(), 3);
        world.names.insert("cache".into(), name);
        let servers = vec![omcache_conn::Server::tcp("cache", "11211"), crate::sim::literal(2)];
        world.cluster.set_servers(servers).unwrap();
        world.peers[0].mode = Mode::Unreachable;
        world.peers[1].mode = Mode::Hanging;
        let key = world.key_of(0);
        let get = world.get(&key);
        world.advance_ms(10_000);
        assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
    }
}

#[test]
fn a_handshake_limit_that_comes_first_hands_on_and_so_does_one_that_was_seen_late() {
    for late in [0, 30_000] {
        let config = Config { connect_timeout: Duration::from_secs(2), ..Config::default() };
        let mut world = World::new(config, 2);
        world.peers[0].mode = Mode::Unreachable;
        let key = world.key_of(0);
        let get = world.get(&key);
        world.run();
        // The driver was busy elsewhere when both limits passed.
        world.now = world.now + Duration::from_millis(2_000 + late);
        world.run();
        assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
    }
}

#[test]
fn those_that_waited_too_long_fail_and_those_that_came_later_go_on() {
    for mode in [Mode::Unreachable, Mode::Hanging] {
        let mut world = World::new(impatient(), 2);
        world.peers[0].mode = mode;
        let key = world.key_of(0);
        let (first, second) = (world.get(&key), world.set(&key, 1));
        world.advance_ms(400);
        let later = world.get(&key);
        let later_named = world.noop(0);
        world.advance_ms(599);
        let last = world.get(&key);
        world.advance_ms(1);
        let dead = Fate::Settled(Outcome::NotSent(DEAD));
        assert_eq!((world.fate(first), world.fate(second)), (&dead, &dead));
        for get in [later, last] {
            assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
        }
        assert_eq!(world.fate(later_named), &dead, "its server is disabled");
        assert_eq!(world.health(0), Health::Disabled);
    }
}

#[test]
fn one_that_came_this_very_moment_goes_on() {
    let mut world = World::new(impatient(), 2);
    world.peers[0].mode = Mode::Unreachable;
    let key = world.key_of(0);
    let first = world.get(&key);
    world.run();
    // The limit is over, and the cluster was not told the time since.
    world.now = world.now + Duration::from_secs(1);
    let last = world.get(&key);
    world.run();
    assert_eq!(world.fate(first), &Fate::Settled(Outcome::NotSent(DEAD)));
    assert!(matches!(world.fate(last), Fate::Answered { server: 1, .. }), "{:?}", world.fate(last));
}

#[test]
fn what_was_taken_back_leaves_the_others_their_time() {
    let mut world = World::new(impatient(), 2);
    world.peers[0].mode = Mode::Unreachable;
    let key = world.key_of(0);
    let gone = [world.get(&key), world.get(&key)];
    world.advance_ms(500);
    // Many that are given up, each at another moment, and one that stays.
    let stays = world.get(&key);
    world.advance_ms(100);
    for _ in 0..300 {
        let given_up = world.get(&key);
        world.advance_ms(1);
        world.cancel(given_up, 1);
    }
    world.cancel(gone[0], 2);
    world.advance_ms(100);
    assert!(matches!(world.fate(stays), Fate::Answered { server: 1, .. }), "{:?}", world.fate(stays));
}

#[test]
fn what_is_handed_to_a_server_about_to_be_ready_waits_no_longer_than_elsewhere() {
    let mut world = World::new(impatient(), 2);
    world.peers[1].mode = Mode::Hanging;
    let key = world.key_of(0);
    // The second is probed, with nothing that waits for it.
    let noop = world.noop(1);
    world.run();
    world.cancel(noop, 1);
    assert_eq!(world.health(1), Health::Connecting);
    world.peers[0].mode = Mode::Refusing;
    let get = world.get(&key);
    world.run();
    assert_eq!((world.health(0), world.fate(get)), (Health::Disabled, &Fate::Pending));
    world.advance_ms(999);
    assert_eq!(world.fate(get), &Fate::Pending);
    world.advance_ms(1);
    assert_eq!(world.fate(get), &Fate::Settled(Outcome::NotSent(DEAD)));
}
