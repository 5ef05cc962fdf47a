//! Changes of the server list: who keeps a connection, and what becomes of requests to those who go.

use std::collections::BTreeSet;
use std::sync::Arc;

use omcache_conn::{Config, Failure, Health, Outcome, Server, SubmitError, Target};
use omcache_hash::Named;
use omcache_proto::Request;

use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;
use crate::sim::{Name, World, literal};

const REMOVED_UNKNOWN: Fate = Fate::Settled(Outcome::Unknown(Failure::Removed));
const REMOVED_NOT_SENT: Fate = Fate::Settled(Outcome::NotSent(Failure::Removed));

fn set(world: &mut World, peers: &[usize]) {
    world.cluster.set_servers(peers.iter().map(|&peer| literal(peer)).collect()).unwrap();
}

/// Servers that are connected.
fn ready(servers: usize) -> World {
    let mut world = World::new(Config::default(), servers);
    for server in 0..servers {
        world.noop(server);
    }
    world.run();
    world
}

fn accepted(world: &World) -> Vec<usize> {
    world.peers.iter().map(|peer| peer.accepted).collect()
}

#[test]
fn kept_servers_keep_their_connections_and_what_is_under_way() {
    let mut world = ready(4);
    world.peers[2].mode = Mode::Hanging;
    let sent = world.noop(2);
    world.run();
    world.peers[2].window = 0;
    let unsent = world.noop(2);
    // Another order, one less.
    set(&mut world, &[2, 3, 0]);
    assert_eq!(world.cluster.server(0).unwrap(), &literal(2));
    world.peers[2].mode = Mode::Up;
    world.peers[2].window = 1 << 16;
    world.run();
    for opaque in [sent, unsent] {
        assert!(matches!(world.fate(opaque), Fate::Answered { server: 0, .. }), "{:?}", world.fate(opaque));
    }
    for server in 0..3 {
        world.noop(server);
    }
    world.run();
    assert_eq!(accepted(&world), [1, 1, 1, 1]);
    assert!(world.ledger.pending().is_empty());
}

#[test]
fn the_same_list_changes_nothing() {
    let mut world = ready(3);
    let before = world.cluster.continuum().fingerprint();
    for _ in 0..3 {
        set(&mut world, &[0, 1, 2]);
    }
    world.run();
    assert_eq!(world.cluster.continuum().fingerprint(), before);
    assert!((0..3).all(|server| world.health(server) == Health::Ready));
    assert_eq!(accepted(&world), [1, 1, 1]);
}

#[test]
fn a_server_that_goes_takes_what_was_sent_to_it_along() {
    let mut world = ready(2);
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 100;
    let key = world.key_of(0);
    let sent = world.get(&key);
    let (quiet, partly) = (world.set_quiet(&key, 0), world.set(&key, 500));
    let (unsent, named) = (world.get(&key), world.noop(0));
    world.run();
    set(&mut world, &[1]);
    world.run();
    assert_eq!(
        (world.fate(sent), world.fate(quiet), world.fate(partly)),
        (&REMOVED_UNKNOWN, &REMOVED_UNKNOWN, &REMOVED_UNKNOWN)
    );
    assert_eq!(world.fate(named), &REMOVED_NOT_SENT);
    assert!(matches!(world.fate(unsent), Fate::Answered { server: 0, .. }));
    assert_eq!(world.peers[1].keys_seen(), [key]);
    assert_eq!(world.sockets.len(), 1, "its socket is closed");
    assert_eq!(world.cluster.server_count(), 1);
}

#[test]
fn a_list_without_servers_ends_everything() {
    let mut world = ready(2);
    world.peers[0].mode = Mode::Hanging;
    let key = world.key_of(0);
    let sent = world.get(&key);
    world.run();
    let unsent = world.get(&key);
    set(&mut world, &[]);
    world.run();
    assert_eq!((world.fate(sent), world.fate(unsent)), (&REMOVED_UNKNOWN, &REMOVED_NOT_SENT));
    assert!(world.sockets.is_empty() && !world.cluster.has_pending());
    assert_eq!(world.cluster.server_for_key(b"a"), None);
    let refused = world.submit(Target::Server(0), &Request::Noop);
    assert_eq!(refused, Err(SubmitError::UnknownServer { server: 0, total: 0 }));
    let key = omcache_proto::Key::new(b"a").unwrap();
    let refused = world.submit(Target::Key, &Request::Touch { key, expiration: 0 });
    assert_eq!(refused, Err(SubmitError::NoServers { total: 0 }));
    // And from there on to a list with servers.
    world.peers[0].mode = Mode::Up;
    set(&mut world, &[0, 1]);
    let get = world.get("a");
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn a_list_grows() {
    let mut world = World::new(Config::default(), 5);
    set(&mut world, &[0]);
    let before: Vec<_> = (0..100).map(|n| world.get(&format!("key{n}"))).collect();
    world.run();
    set(&mut world, &[0, 1, 2, 3, 4]);
    let after: Vec<_> = (0..100).map(|n| world.get(&format!("key{n}"))).collect();
    world.run();
    assert!(before.iter().all(|&get| matches!(world.fate(get), Fate::Answered { server: 0, .. })));
    let servers: BTreeSet<_> = after
        .iter()
        .map(|&get| match world.fate(get) {
            Fate::Answered { server, .. } => *server,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(servers.len(), 5);
    assert_eq!(accepted(&world), [1; 5]);
}

#[test]
fn a_server_may_stand_in_the_list_more_than_once() {
    let mut world = World::new(Config::default(), 2);
    set(&mut world, &[0, 1, 0, 0]);
    let noops: Vec<_> = (0..4).map(|server| world.noop(server)).collect();
    world.run();
    for (server, noop) in noops.iter().enumerate() {
        assert!(matches!(world.fate(*noop), Fate::Answered { server: by, .. } if *by == server));
    }
    assert_eq!(accepted(&world), [3, 1], "each has a connection of its own");
    // One of them less, the others keep theirs.
    set(&mut world, &[0, 0, 1]);
    assert_eq!(world.cluster.server_count(), 3);
    for server in 0..3 {
        world.noop(server);
    }
    world.run();
    assert_eq!(accepted(&world), [3, 1]);
    set(&mut world, &[0, 0, 0, 0]);
    world.noop(3);
    world.noop(2);
    world.run();
    assert_eq!(accepted(&world), [5, 1]);
    assert!(world.ledger.pending().is_empty());
}

#[test]
fn a_server_that_is_gone_and_comes_back_is_new() {
    let mut world = ready(2);
    world.kill(0);
    world.noop(0);
    world.run();
    let again = world.get("a");
    world.run();
    assert!(!world.fate(again).is_unknown());
    set(&mut world, &[1]);
    assert_eq!(world.cluster.poll_deadline(), None, "nobody tries it any more");
    set(&mut world, &[0, 1]);
    assert_eq!(world.health(0), Health::Idle);
    assert_eq!(world.cluster.server_status(0).unwrap().last_failure, None);
    assert_eq!(world.health(1), Health::Ready);
}

#[test]
fn a_disabled_server_that_stays_is_still_disabled() {
    let mut world = ready(2);
    world.kill(0);
    world.noop(0);
    world.run();
    world.noop(1);
    set(&mut world, &[1, 0]);
    world.run();
    assert_eq!((world.health(0), world.health(1)), (Health::Ready, Health::Disabled));
}

#[test]
fn servers_go_in_every_state() {
    // Looking up, connecting, probing, disabled, being retried, lost a moment ago.
    let mut world = World::new(Config::default(), 6);
    world.names.insert("cache".into(), Name::Hangs);
    let mut servers: Vec<_> = (0..6).map(literal).collect();
    servers.push(Server::tcp("cache", "11211"));
    world.cluster.set_servers(servers).unwrap();
    world.peers[1].mode = Mode::Unreachable;
    world.peers[2].mode = Mode::Hanging;
    world.peers[3].mode = Mode::Refusing;
    world.peers[4].mode = Mode::Refusing;
    world.noop(5);
    world.noop(4);
    world.run();
    world.peers[4].mode = Mode::Hanging;
    world.advance_ms(9_999);
    world.noop(3);
    world.noop(6);
    world.noop(1);
    world.noop(2);
    world.peers[5].mode = Mode::Hanging;
    world.noop(5);
    world.advance_ms(1);
    let lost = world.cluster.connection_of(5).unwrap();
    world.cluster.handle_lost(world.now, lost, Failure::Closed);
    let health: Vec<_> = (1..7).map(|server| world.health(server)).collect();
    use Health::{Connecting, Disabled, Idle, Retrying};
    assert_eq!(health, [Connecting, Connecting, Disabled, Retrying, Idle, Connecting]);
    set(&mut world, &[0]);
    world.run();
    assert!(world.ledger.pending().is_empty() && world.sockets.is_empty());
    assert_eq!(world.cluster.poll_deadline(), None);
    // The look-up's answer comes for nobody.
    world.names.insert("cache".into(), Name::Found(vec![0]));
    world.run();
    assert!(world.sockets.is_empty());
    // Their places are taken by others, each of which is watched once.
    for peer in &mut world.peers {
        peer.mode = Mode::Up;
    }
    set(&mut world, &[0, 1, 2, 3, 4, 5]);
    let noops: Vec<_> = (0..6).map(|server| world.noop(server)).collect();
    world.pass_time();
    assert_eq!(world.cluster.interests().count(), 6);
    world.run();
    assert!(noops.iter().all(|&noop| matches!(world.fate(noop), Fate::Answered { .. })));
    assert_eq!(world.cluster.interests().count(), 0);
}

#[test]
fn a_removed_server_says_nothing_more() {
    let mut world = ready(2);
    world.peers[0].mode = Mode::Hanging;
    world.noop(0);
    world.run();
    let told = world.changes.len();
    set(&mut world, &[1]);
    world.run();
    assert_eq!(world.changes.len(), told);
}

#[test]
fn weight_and_name_of_a_server_may_change() {
    let mut world = ready(2);
    world.cluster.set_distribution(Arc::new(Named::KetamaWeighted)).unwrap();
    let before = world.cluster.continuum().fingerprint();
    world.cluster.set_servers(vec![literal(0).with_weight(5), literal(1).with_name("other")]).unwrap();
    assert_ne!(world.cluster.continuum().fingerprint(), before);
    assert_eq!((world.health(0), world.health(1)), (Health::Ready, Health::Ready));
    assert_eq!(world.cluster.server(0).unwrap().weight(), 5);
}

#[test]
fn a_list_that_the_distribution_refuses_changes_nothing() {
    let mut world = ready(2);
    world.peers[0].mode = Mode::Hanging;
    let noop = world.noop(0);
    world.run();
    let too_many = vec![literal(0); omcache_hash::MAX_SERVERS + 1];
    assert!(world.cluster.set_servers(too_many).is_err());
    assert_eq!(world.cluster.server_count(), 2);
    assert_eq!(world.fate(noop), &Fate::Pending);
    world.peers[0].mode = Mode::Up;
    world.run();
    assert!(matches!(world.fate(noop), Fate::Answered { .. }));
}
