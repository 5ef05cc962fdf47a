//! Reports that come too early, too late or of nothing: they change nothing.

use omcache_conn::{Address, Cluster, Config, Failure, Health, Instant, Target};
use omcache_proto::Request;

use crate::sim::peer::{Mode, address};
use crate::sim::{World, literal};

/// Reports everything that can be reported of a connection that has no socket.
fn report_everything(cluster: &mut Cluster, now: Instant) {
    let connection = cluster.connection_of(0).unwrap();
    let space = cluster.receive_space(connection);
    space[..30].fill(0x77);
    cluster.handle_received(now, connection, 30);
    cluster.handle_sent(now, connection, 10);
    cluster.handle_writable(connection);
    cluster.handle_blocked(now, connection);
    cluster.handle_writable(connection);
    assert!(cluster.poll_event().is_none());
}

#[test]
fn an_idle_connection_hears_nothing() {
    let mut world = World::new(Config::default(), 1);
    report_everything(&mut world.cluster, world.now);
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_connected(world.now, connection);
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    world.run();
    assert_eq!(world.health(0), Health::Idle);
    assert!(world.changes.is_empty());
    let noop = world.noop(0);
    world.run();
    assert!(!world.fate(noop).is_unknown() && !world.fate(noop).is_not_sent());
}

#[test]
fn a_connection_that_is_being_made_hears_nothing_of_data() {
    let mut world = World::named(Config::default(), 1);
    let get = world.get("a");
    // Idle with something to send, looking up, connecting.
    report_everything(&mut world.cluster, world.now);
    world.pass_time();
    report_everything(&mut world.cluster, world.now);
    world.answer_lookups();
    report_everything(&mut world.cluster, world.now);
    world.run();
    assert_eq!(world.health(0), Health::Ready);
    assert!(!world.fate(get).is_unknown() && !world.fate(get).is_not_sent());
}

#[test]
fn a_disabled_server_hears_nothing() {
    let mut world = World::new(Config::default(), 1);
    world.kill(0);
    world.noop(0);
    world.run();
    report_everything(&mut world.cluster, world.now);
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_connected(world.now, connection);
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    world.run();
    assert_eq!(world.health(0), Health::Disabled);
    world.peers[0].mode = Mode::Up;
    world.advance_ms(10_000);
    assert_eq!(world.health(0), Health::Ready);
}

#[test]
fn a_second_connected_is_ignored() {
    let mut world = World::new(Config::default(), 1);
    let noop = world.noop(0);
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_connected(world.now, connection);
    world.run();
    assert_eq!(world.health(0), Health::Ready);
    assert_eq!(world.peers[0].noops, 2, "the probe and the request");
    assert!(!world.fate(noop).is_unknown());
}

#[test]
fn connections_that_are_gone_are_no_more() {
    let mut world = World::new(Config::default(), 2);
    for server in 0..2 {
        world.noop(server);
    }
    world.run();
    let gone = world.cluster.connection_of(1).unwrap();
    world.cluster.set_servers(vec![literal(0)]).unwrap();
    assert!(world.cluster.receive_space(gone).is_empty());
    world.cluster.handle_received(world.now, gone, 10);
    world.cluster.handle_sent(world.now, gone, 10);
    world.cluster.handle_lost(world.now, gone, Failure::Closed);
    world.cluster.handle_writable(gone);
    world.cluster.handle_blocked(world.now, gone);
    world.run();
    assert_eq!(world.cluster.connection_of(1), None);
    assert_eq!((world.cluster.server(1), world.cluster.server_status(1)), (None, None));
    let mut cluster = Cluster::new(Config::default());
    assert!(cluster.submit(Target::Server(0), &Request::Noop).is_err());
    cluster.handle_lost(world.now, gone, Failure::Closed);
    assert!(cluster.poll_event().is_none());
}

#[test]
fn a_lookup_is_answered_once() {
    let mut world = World::named(Config::default(), 2);
    world.noop(0);
    world.pass_time();
    let (lookup, _) = world.lookups[0].clone();
    world.run();
    world.cluster.handle_resolved(world.now, lookup, Ok(vec![Address::Ip(address(1))]));
    world.run();
    assert_eq!(world.connects, [(world.now, 0)]);
}
