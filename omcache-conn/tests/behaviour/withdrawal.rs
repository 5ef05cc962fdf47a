//! What the caller takes back: cancelled and discarded requests, and connections that are closed on purpose.

use omcache_conn::{Config, Failure, Health, Outcome};

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;

const DISCARDED: Fate = Fate::Settled(Outcome::NotSent(Failure::Discarded));
const DISCONNECTED: Failure = Failure::Disconnected;

/// One connected server that hangs and takes 100 bytes.
fn stuck() -> World {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    (world.peers[0].mode, world.peers[0].window) = (Mode::Hanging, 100);
    world
}

fn recover(world: &mut World) {
    (world.peers[0].mode, world.peers[0].window) = (Mode::Up, 1 << 16);
    world.run();
}

#[test]
fn only_what_is_not_sent_can_be_cancelled() {
    let mut world = stuck();
    let requests: Vec<_> = (0..6).map(|n| world.get(&format!("a{n}"))).collect();
    world.run();
    // 26 bytes each: three are sent, of the fourth 22 bytes.
    let mut not_sent = Vec::new();
    world.cluster.cancel(requests[1], 4, |opaque| not_sent.push(opaque));
    assert_eq!(not_sent, requests[4..5]);
    world.ledger.cancelled(requests[4]);
    recover(&mut world);
    assert_eq!(world.peers[0].keys_seen(), ["a0", "a1", "a2", "a3", "a5"]);
    assert!(world.ledger.pending().is_empty());
}

#[test]
fn each_is_cancelled_wherever_it_waits() {
    let mut world = World::new(Config::default(), 4);
    world.peers[1].mode = Mode::Unreachable;
    let requests: Vec<_> = (0..40).map(|n| world.set(&format!("key{n}"), n)).collect();
    world.pass_time();
    world.cancel(requests[10], 20);
    assert!(requests[10..30].iter().all(|&opaque| *world.fate(opaque) == Fate::Cancelled));
    world.peers[1].mode = Mode::Up;
    world.advance_ms(60_000);
    assert!(requests[..10].iter().chain(&requests[30..]).all(|&opaque| {
        matches!(world.fate(opaque), Fate::Answered { .. }) || world.fate(opaque).is_not_sent()
    }));
    let seen: usize = world.peers.iter().map(|peer| peer.log.len()).sum();
    assert!(seen <= 20);
}

#[test]
fn what_is_cancelled_before_the_connect_leaves_nothing_to_do() {
    let mut world = World::new(Config::default(), 1);
    let get = world.get("a");
    world.cancel(get, 1);
    assert!(!world.cluster.has_pending());
    assert_eq!(world.cluster.poll_deadline(), None);
    world.run();
    assert!(world.connects.is_empty());
}

#[test]
fn nothing_is_cancelled_twice_or_by_chance() {
    let mut world = stuck();
    let sent = world.get("a");
    world.run();
    world.cancel(sent, 1);
    world.cancel(sent.wrapping_sub(100), 100);
    world.cancel(sent.wrapping_add(1), u32::MAX - 1);
    assert_eq!(world.fate(sent), &Fate::Pending);
    recover(&mut world);
    assert!(matches!(world.fate(sent), Fate::Answered { .. }));
    world.cancel(sent, 1);
    let unsent = world.get("b");
    world.cancel(unsent, 0);
    world.run();
    assert!(matches!(world.fate(unsent), Fate::Answered { .. }));
}

#[test]
fn a_noop_of_the_clusters_own_is_not_cancelled() {
    let mut world = stuck();
    world.peers[0].window = 0;
    let (set, other) = (world.set_quiet("a", 1), world.set_quiet("b", 1));
    world.cluster.settle_quiet();
    world.cancel(other, u32::MAX);
    recover(&mut world);
    assert_eq!(world.fate(set), &Fate::Settled(Outcome::Silent));
    assert_eq!(world.fate(other), &Fate::Cancelled);
}

#[test]
fn what_is_discarded_was_not_sent() {
    let mut world = stuck();
    let requests: Vec<_> = (0..6).map(|n| world.get(&format!("a{n}"))).collect();
    let quiet = world.set_quiet("b", 1);
    world.run();
    world.cluster.discard_unsent();
    world.drain();
    assert!(requests[4..].iter().all(|&opaque| *world.fate(opaque) == DISCARDED));
    assert_eq!(world.fate(quiet), &DISCARDED);
    recover(&mut world);
    assert_eq!(world.peers[0].keys_seen(), ["a0", "a1", "a2", "a3"]);
    // The stream is whole: later ones are understood.
    let later = world.get("later");
    world.run();
    assert!(matches!(world.fate(later), Fate::Answered { .. }));
}

/// The NOOP that is to settle those that are sent is not sent itself.
#[test]
fn quiet_requests_that_are_sent_are_settled_after_a_discard() {
    let mut world = stuck();
    let sent = world.set_quiet("a", 1);
    world.run();
    let unsent: Vec<_> = (0..9).map(|n| world.set_quiet(&format!("b{n}"), 1)).collect();
    world.cluster.settle_quiet();
    world.run();
    world.cluster.discard_unsent();
    world.drain();
    assert_eq!(world.fate(unsent[8]), &DISCARDED);
    recover(&mut world);
    assert_eq!(world.fate(sent), &Fate::Settled(Outcome::Silent));
    assert!(world.ledger.pending().is_empty() && !world.cluster.has_pending());
}

/// A request of the caller stood in the NOOP's place.
#[test]
fn quiet_requests_are_settled_after_the_loud_one_behind_them_is_discarded() {
    let mut world = stuck();
    let sent = world.set_quiet("a", 1);
    world.run();
    for n in 0..9 {
        world.set_quiet(&format!("b{n}"), 1);
    }
    let loud = world.get("b");
    world.run();
    world.cluster.discard_unsent();
    world.drain();
    assert_eq!(world.fate(loud), &DISCARDED);
    recover(&mut world);
    assert_eq!(world.fate(sent), &Fate::Settled(Outcome::Silent));
}

#[test]
fn discarding_frees_the_send_buffer() {
    let mut world = World::new(Config { send_limit: 100, ..Config::default() }, 1);
    world.peers[0].mode = Mode::Unreachable;
    world.set("a", 50);
    world.run();
    world.cluster.discard_unsent();
    world.set("a", 50);
    world.run();
    assert_eq!(world.health(0), Health::Connecting);
}

#[test]
fn disconnecting_ends_what_is_under_way() {
    let mut world = stuck();
    let (sent, quiet) = (world.get("a"), world.set_quiet("b", 0));
    let (partly, unsent) = (world.set("c", 100), world.get("d"));
    world.run();
    world.cluster.disconnect_all();
    assert!(!world.cluster.has_pending() && world.cluster.interests().next().is_none());
    world.run();
    for opaque in [sent, quiet, partly] {
        assert_eq!(world.fate(opaque), &Fate::Settled(Outcome::Unknown(DISCONNECTED)));
    }
    assert_eq!(world.fate(unsent), &Fate::Settled(Outcome::NotSent(DISCONNECTED)));
    assert!(world.sockets.is_empty());
    assert_eq!((world.health(0), world.connects.len()), (Health::Idle, 1), "and it is not connected anew");
    world.peers[0].mode = Mode::Up;
    world.peers[0].window = 1 << 16;
    let again = world.get("a");
    world.run();
    assert!(matches!(world.fate(again), Fate::Answered { .. }));
}

#[test]
fn disconnecting_leaves_no_wish_to_connect() {
    // Lost with something under way a moment ago, so that it would be tried at once.
    let mut world = stuck();
    let get = world.get("a");
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    world.cluster.disconnect_all();
    assert_eq!(world.cluster.poll_deadline(), None);
    world.run();
    assert!(world.fate(get).is_unknown());
    assert_eq!((world.health(0), world.connects.len()), (Health::Idle, 1));
}

#[test]
fn disconnecting_enables_disabled_servers_and_ends_handshakes() {
    let mut world = World::new(Config::default(), 3);
    world.kill(0);
    world.noop(0);
    world.run();
    world.peers[1].mode = Mode::Unreachable;
    let connecting = world.noop(1);
    world.run();
    assert_eq!((world.health(0), world.health(1)), (Health::Disabled, Health::Connecting));
    world.cluster.disconnect_all();
    world.run();
    assert!((0..3).all(|server| world.health(server) == Health::Idle));
    assert_eq!(world.fate(connecting), &Fate::Settled(Outcome::NotSent(DISCONNECTED)));
    assert_eq!(world.cluster.poll_deadline(), None);
    let key = world.key_of(0);
    assert_eq!(world.cluster.server_for_key(key.as_bytes()), Some(0));
}
