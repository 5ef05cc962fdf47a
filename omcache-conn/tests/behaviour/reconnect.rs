//! A server that failed: it is left alone, tried in the background, and takes keys again once it answers.

use std::time::Duration;

use omcache_conn::{Config, Failure, Health, ServerChange, SubmitError, Target};
use omcache_proto::Request;

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;

/// Two servers; the first is dead and known to be so. A key of the first.
fn one_down(config: Config) -> (World, String) {
    let mut world = World::new(config, 2);
    let key = world.key_of(0);
    world.kill(0);
    world.get(&key);
    world.run();
    assert_eq!((world.health(0), world.health(1)), (Health::Disabled, Health::Ready));
    (world, key)
}

#[test]
fn its_keys_stay_away_until_the_noop_is_answered() {
    let (mut world, key) = one_down(Config::default());
    let goes_to = |world: &World| world.cluster.server_for_key(key.as_bytes());
    world.advance_ms(9_999);
    assert_eq!((world.health(0), goes_to(&world)), (Health::Disabled, Some(1)));
    world.peers[0].mode = Mode::Up;
    world.peers[0].connect_delay = Duration::from_millis(100);
    world.peers[0].delay = Duration::from_millis(100);
    world.advance_ms(1);
    assert_eq!((world.health(0), goes_to(&world)), (Health::Retrying, Some(1)));
    world.advance_ms(150);
    assert_eq!(world.peers[0].accepted, 1);
    assert_eq!((world.health(0), goes_to(&world)), (Health::Retrying, Some(1)));
    let away = world.get(&key);
    world.advance_ms(50);
    assert_eq!((world.health(0), goes_to(&world)), (Health::Ready, Some(0)));
    assert!(matches!(world.fate(away), Fate::Answered { server: 1, .. }));
    let home = world.get(&key);
    world.advance_ms(100);
    assert!(matches!(world.fate(home), Fate::Answered { server: 0, .. }));
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Retrying, ServerChange::Enabled]);
    // Nothing waits any more, so nothing is watched and no timer runs.
    assert_eq!(world.cluster.poll_deadline(), None);
}

#[test]
fn a_server_that_stays_away_is_tried_again_and_again() {
    let (mut world, key) = one_down(Config::default());
    let before = world.connects.len();
    world.advance_ms(35_000);
    let tries: Vec<_> = world.connects[before..].iter().map(|&(at, _)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(tries, [10_000, 20_000, 30_000]);
    assert_eq!(world.cluster.server_for_key(key.as_bytes()), Some(1));
    let status = world.cluster.server_status(0).unwrap();
    assert_eq!(status.retry_at.map(|at| at.as_nanos()), Some(40_000_000_000));
    assert!(matches!(status.last_failure, Some(Failure::Io { operation: "connect", .. })));
}

#[test]
fn a_named_server_is_refused_while_disabled_and_taken_while_retried() {
    let (mut world, _) = one_down(Config::default());
    let refused = world.submit(Target::Server(0), &Request::Noop);
    assert_eq!(refused, Err(SubmitError::ServerDisabled { server: 0 }));
    world.peers[0].mode = Mode::Up;
    world.peers[0].delay = Duration::from_millis(500);
    world.advance_ms(10_100);
    assert_eq!(world.health(0), Health::Retrying);
    let noop = world.noop(0);
    world.advance_ms(900);
    assert!(matches!(world.fate(noop), Fate::Answered { .. }));
}

#[test]
fn the_end_of_the_pause_counts_before_the_timer_was_told_of_it() {
    let (mut world, _) = one_down(Config::default());
    world.peers[0].mode = Mode::Up;
    world.now = world.now + Duration::from_secs(10);
    world.cluster.handle_time(world.now);
    let noop = world.noop(0);
    world.run();
    assert!(matches!(world.fate(noop), Fate::Answered { .. }));
}

#[test]
fn a_connection_that_breaks_with_something_under_way_is_made_anew_at_once() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    let get = world.get("a");
    world.run();
    world.peers[0].mode = Mode::Up;
    world.reset(0);
    world.run();
    assert_eq!(
        world.fate(get).failure(),
        &Failure::io("receive", &std::io::ErrorKind::ConnectionReset.into())
    );
    assert!(world.fate(get).is_unknown());
    assert_eq!((world.health(0), world.peers[0].accepted), (Health::Ready, 2));
    let lost = ServerChange::Lost { failure: world.fate(get).failure().clone() };
    assert_eq!(world.changes_of(0), [ServerChange::Connected, lost, ServerChange::Connected]);
}

#[test]
fn a_connection_that_breaks_at_rest_waits_for_the_next_request() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.close(0);
    let connection = world.cluster.connection_of(0).unwrap();
    world.read(connection);
    world.advance_ms(100_000);
    assert_eq!((world.health(0), world.connects.len()), (Health::Idle, 1));
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Lost { failure: Failure::Closed }]);
    let noop = world.noop(0);
    world.run();
    assert!(matches!(world.fate(noop), Fate::Answered { .. }));
}

#[test]
fn what_was_not_sent_goes_over_the_next_connection() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].window = 0;
    let (get, set) = (world.get("a"), world.set("b", 10));
    world.run();
    world.reset(0);
    world.peers[0].window = 1 << 16;
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
    assert!(matches!(world.fate(set), Fate::Answered { .. }));
    assert_eq!(world.peers[0].accepted, 2);
}

#[test]
fn a_server_that_does_not_come_back_after_a_break_is_disabled() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.get(&key);
    world.run();
    world.peers[0].window = 40;
    let (sent, unsent) = (world.get(&key), world.set(&key, 10));
    world.peers[0].mode = Mode::Hanging;
    world.run();
    world.kill(0);
    world.run();
    assert!(world.fate(sent).is_unknown());
    assert!(world.fate(unsent).is_unknown(), "it was sent in part");
    assert_eq!(world.health(0), Health::Disabled);

    let (mut world, key) = one_down(Config::default());
    world.peers[0].mode = Mode::Up;
    world.advance_ms(10_000);
    world.peers[0].window = 0;
    let unsent = world.get(&key);
    world.run();
    world.kill(0);
    world.run();
    assert!(matches!(world.fate(unsent), Fate::Answered { server: 1, .. }));
}

#[test]
fn a_pause_of_no_length_does_not_keep_a_request_for_ever() {
    for servers in [1, 3] {
        let config = Config { reconnect_timeout: Duration::ZERO, ..Config::default() };
        let mut world = World::new(config, servers);
        for peer in 0..servers {
            world.kill(peer);
        }
        let get = world.get("a");
        for _ in 0..20 {
            world.cluster.handle_time(world.now);
            world.perform();
            world.io();
            world.drain();
        }
        assert_eq!(world.fate(get).failure(), &Failure::NoServers);
    }
}

/// Brings the first server's connection up to where its requests could be sent, and breaks it there.
fn breaks_before_a_byte(world: &mut World) {
    let connection = world.cluster.connection_of(0).unwrap();
    while world.health(0) != Health::Ready {
        world.pass_time();
        world.io();
        if matches!(world.health(0), Health::Connecting | Health::Retrying) {
            world.transmit();
        }
        world.serve();
        world.drain();
    }
    world.sockets.get_mut(&connection).unwrap().reset();
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    world.perform();
}

#[test]
fn connections_that_break_before_anything_could_be_sent_are_no_working_server() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    let get = world.get(&key);
    breaks_before_a_byte(&mut world);
    assert_eq!((world.health(0), world.connects.len()), (Health::Disabled, 1));
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
    assert!(matches!(world.changes_of(0).last(), Some(ServerChange::Disabled { .. })));
}

#[test]
fn a_connection_that_rested_may_break_once_before_its_next_request_is_sent() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    // What was sent and answered on it is no matter: a break finds the next request unsent.
    for _ in 0..3 {
        world.get(&key);
        world.run();
        let get = world.get(&key);
        breaks_before_a_byte(&mut world);
        assert_eq!(world.health(0), Health::Idle);
        world.run();
        assert!(matches!(world.fate(get), Fate::Answered { server: 0, .. }), "{:?}", world.fate(get));
    }
    // But not twice.
    let get = world.get(&key);
    breaks_before_a_byte(&mut world);
    breaks_before_a_byte(&mut world);
    assert_eq!(world.health(0), Health::Disabled);
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }), "{:?}", world.fate(get));
}
