//! What a driver is to wait for: no more than is needed, and reading also while writing.

use omcache_conn::{Config, Interest};

use crate::sim::World;
use crate::sim::peer::Mode;

/// Readable and writable of the only connection that is to be watched.
fn only(world: &World) -> (bool, bool) {
    let interests: Vec<Interest> = world.cluster.interests().collect();
    let [Interest { readable, writable, .. }] = interests[..] else { panic!("{interests:?}") };
    (readable, writable)
}

#[test]
fn each_state_has_its_own() {
    let mut world = World::named(Config::default(), 1);
    let none = |world: &World| world.cluster.interests().next().is_none();
    assert!(none(&world));
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 10;
    world.get("a");
    assert!(none(&world), "idle");
    world.pass_time();
    assert!(none(&world), "looking up");
    world.answer_lookups();
    assert_eq!(only(&world), (false, true), "connecting");
    world.io();
    assert_eq!(only(&world), (true, true), "the probe is not sent");
    world.transmit();
    assert_eq!(only(&world), (true, true), "the probe is sent in part");
    world.peers[0].window = 40;
    world.run();
    assert_eq!(only(&world), (true, false), "the probe is sent");
    world.peers[0].mode = Mode::Up;
    world.peers[0].window = 1 << 16;
    world.run();
    assert!(none(&world), "at rest");
    world.peers[0].mode = Mode::Hanging;
    world.get("a");
    assert_eq!(only(&world), (true, true), "to be sent");
    world.run();
    assert_eq!(only(&world), (true, false), "sent");
    world.kill(0);
    world.run();
    assert!(none(&world), "disabled");
}

#[test]
fn connections_at_rest_are_left_out() {
    let mut world = World::new(Config::default(), 5);
    for server in 0..5 {
        world.noop(server);
    }
    world.run();
    assert_eq!(world.cluster.interests().count(), 0);
    world.peers[3].mode = Mode::Hanging;
    world.noop(3);
    world.run();
    let connection = world.cluster.connection_of(3).unwrap();
    let interests: Vec<_> = world.cluster.interests().collect();
    let [interest] = interests[..] else { panic!("{interests:?}") };
    assert_eq!((interest.connection, interest.readable, interest.writable), (connection, true, false));
}

#[test]
fn answers_are_read_while_writing_is_blocked() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 10;
    // Also where all that waits is quiet: its errors could fill the socket back to us.
    world.set_quiet("a", 100);
    world.run();
    assert_eq!(only(&world), (true, true));
}

#[test]
fn a_blocked_socket_is_not_offered_bytes_until_it_has_room() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 10;
    world.get("a");
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    world.get("b");
    world.cluster.handle_time(world.now);
    assert!(world.cluster.poll_transmit().is_none());
    world.cluster.handle_writable(connection);
    let transmit = world.cluster.poll_transmit().unwrap();
    assert_eq!((transmit.connection, transmit.bytes.len()), (connection, 25 - 10 + 25));
    world.cluster.handle_blocked(world.now, connection);
    assert!(world.cluster.poll_transmit().is_none());
}

#[test]
fn what_is_left_of_a_write_is_offered_again() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.get("a");
    let connection = world.cluster.connection_of(0).unwrap();
    for left in [25, 20, 1] {
        assert_eq!(world.cluster.poll_transmit().unwrap().bytes.len(), left);
        world.cluster.handle_sent(world.now, connection, if left == 25 { 5 } else { 19.min(left) });
    }
    assert!(world.cluster.poll_transmit().is_none());
}

#[test]
fn all_that_has_bytes_is_offered_once() {
    let mut world = World::new(Config::default(), 4);
    for server in 0..4 {
        world.noop(server);
    }
    world.run();
    for server in [2, 0, 3] {
        world.noop(server);
    }
    world.cluster.handle_time(world.now);
    let mut offered = Vec::new();
    while let Some(transmit) = world.cluster.poll_transmit() {
        let (connection, len) = (transmit.connection, transmit.bytes.len());
        assert_eq!(len, 24);
        offered.push(connection);
        world.cluster.handle_sent(world.now, connection, len);
    }
    offered.sort();
    let expected = [0, 2, 3].map(|server| world.cluster.connection_of(server).unwrap());
    assert_eq!(offered, expected);
}
