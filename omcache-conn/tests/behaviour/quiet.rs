//! Quiet requests: settled by a later response, by a NOOP of the cluster's own, or with the connection.

use omcache_conn::{Config, Failure, Outcome, SubmitError, Target};
use omcache_proto::binary::{Opcode, RequestPacket, Status};
use omcache_proto::{Key, Request, StoreMode};

use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode};
use crate::sim::{World, literal};

const SILENT: Fate = Fate::Settled(Outcome::Silent);
/// Quiet requests after which the cluster sends a NOOP without being asked.
const RUN: usize = 16 * 1024;

fn ready() -> World {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world
}

#[test]
fn a_later_answer_settles_those_before_it() {
    let mut world = ready();
    world.peers[0].put("there", "v");
    let (hit, miss) = (world.get_quiet("there"), world.get_quiet("absent"));
    let set = world.set_quiet("b", 1);
    let loud = world.get("b");
    let behind = world.get_quiet("absent");
    world.run();
    assert!(world.value(hit).starts_with(b"v|"));
    assert_eq!((world.fate(miss), world.fate(set)), (&SILENT, &SILENT));
    assert!(world.value(loud).starts_with(b"b@"));
    assert_eq!(world.fate(behind), &Fate::Pending);
    assert_eq!(world.peers[0].noops, 2, "the probe and the first request: none for these");
}

#[test]
fn a_hit_settles_the_misses_before_it() {
    let mut world = ready();
    world.peers[0].put("there", "v");
    let misses: Vec<_> = (0..100).map(|n| world.get_quiet(&format!("absent{n}"))).collect();
    let hit = world.get_quiet("there");
    let behind = world.get_quiet("absent");
    world.run();
    // Nothing is read for quiet requests alone.
    assert_eq!(world.fate(hit), &Fate::Pending);
    world.noop(0);
    world.round();
    world.run();
    assert!(misses.iter().all(|&miss| *world.fate(miss) == SILENT));
    assert!(world.value(hit).starts_with(b"v|"));
    assert_eq!(world.fate(behind), &SILENT);
}

#[test]
fn an_error_of_a_quiet_request_is_an_answer() {
    let mut world = ready();
    world.peers[0].put("there", "v");
    let before = world.set_quiet("other", 1);
    let add = world.store(Target::Key, StoreMode::Add, "there", 1, true).unwrap();
    let replace = world.store(Target::Key, StoreMode::Replace, "absent", 1, true).unwrap();
    let key = Key::new(b"absent").unwrap();
    let delete = world.submit(Target::Key, &Request::Delete { key, cas: 0, quiet: true }).unwrap();
    let after = world.set_quiet("other", 1);
    world.cluster.settle_quiet();
    world.run();
    assert_eq!((world.fate(before), world.fate(after)), (&SILENT, &SILENT));
    for (opaque, expected) in
        [(add, Status::KEY_EXISTS), (replace, Status::KEY_NOT_FOUND), (delete, Status::KEY_NOT_FOUND)]
    {
        assert!(matches!(world.fate(opaque), Fate::Answered { status, .. } if *status == expected));
    }
}

#[test]
fn a_request_to_settle_adds_a_noop_where_one_is_needed() {
    let mut world = ready();
    let noops = |world: &World| world.peers[0].noops - 2;
    world.cluster.settle_quiet();
    world.run();
    assert_eq!(noops(&world), 0, "nothing is quiet");
    let set = world.set_quiet("a", 1);
    world.cluster.settle_quiet();
    world.cluster.settle_quiet();
    world.run();
    assert_eq!((world.fate(set), noops(&world)), (&SILENT, 1));
    let set = world.set_quiet("a", 1);
    world.get("a");
    world.cluster.settle_quiet();
    world.run();
    assert_eq!((world.fate(set), noops(&world)), (&SILENT, 1), "the GET settles it");
    // Also where it was sent long ago.
    let set = world.set_quiet("a", 1);
    world.advance_ms(50_000);
    assert_eq!(world.fate(set), &Fate::Pending);
    world.cluster.settle_quiet();
    world.run();
    assert_eq!((world.fate(set), noops(&world)), (&SILENT, 2));
    assert!(!world.cluster.has_pending());
}

#[test]
fn quiet_requests_alone_are_not_pending() {
    let mut world = ready();
    let set = world.set_quiet("a", 1);
    assert!(world.cluster.has_pending(), "it waits to be sent");
    world.run();
    assert!(!world.cluster.has_pending());
    assert_eq!(world.fate(set), &Fate::Pending);
    assert_eq!(world.cluster.interests().count(), 0);
    assert_eq!(world.cluster.poll_deadline(), None);
    world.cluster.settle_quiet();
    assert!(world.cluster.has_pending());
}

#[test]
fn a_long_run_is_settled_unasked() {
    let mut world = ready();
    let first = world.cluster.last_opaque().wrapping_add(1);
    for n in 0..RUN - 1 {
        world.set_quiet("a", n % 3);
    }
    world.run();
    assert_eq!((world.fate(first), world.peers[0].noops), (&Fate::Pending, 2));
    let last = world.set_quiet("a", 1);
    let behind = world.set_quiet("a", 1);
    world.run();
    assert_eq!(world.peers[0].noops, 3);
    assert!((first..=last).all(|opaque| *world.fate(opaque) == SILENT));
    assert_eq!(world.fate(behind), &Fate::Pending);
}

#[test]
fn a_long_run_up_to_the_send_limit_is_refused_for_want_of_room_alone() {
    let packet = RequestPacket {
        opcode: Opcode::SETQ,
        vbucket: 0,
        cas: 0,
        opaque: 0,
        extras: &[0; 8],
        key: b"key",
        value: b"value",
    };
    let len = packet.encoded_len();
    // The run's end, its NOOP and the next request, each with too little room for the next by a few bytes.
    for send_limit in (RUN * len - 4..(RUN + 1) * len + 32).step_by(4) {
        let mut world = World::new(Config { send_limit, ..Config::default() }, 1);
        let mut queued = 0;
        let refused = loop {
            match world.cluster.submit_packet(Target::Key, &packet) {
                Ok(_) => queued += len + if queued + len == RUN * len { 24 } else { 0 },
                Err(refused) => break refused,
            }
        };
        let expected = SubmitError::SendBufferFull { server: 0, needed: len, queued, limit: send_limit };
        assert_eq!(refused, expected);
        assert!(queued + len > send_limit);
    }
}

#[test]
fn what_the_noop_is_answered_with_does_not_matter() {
    for lie in [Lie::Status, Lie::Huge] {
        let mut world = ready();
        let set = world.set_quiet("a", 1);
        world.cluster.settle_quiet();
        world.peers[0].lie = Some((0, lie));
        world.run();
        assert_eq!(world.fate(set), &SILENT, "{lie:?}");
    }
}

#[test]
fn they_are_unknown_where_the_connection_breaks() {
    let mut world = ready();
    let set = world.set_quiet("a", 1);
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    world.perform();
    world.run();
    assert_eq!(world.fate(set), &Fate::Settled(Outcome::Unknown(Failure::Closed)));
    assert_eq!(world.connects.len(), 1, "nobody waits for an answer");
}

#[test]
fn a_response_that_breaks_off_leaves_those_before_it_settled() {
    let mut world = ready();
    let (set, get) = (world.set_quiet("a", 100), world.get("a"));
    world.peers[0].lie = Some((0, Lie::Truncated));
    world.run();
    assert_eq!(world.fate(set), &SILENT);
    assert!(world.fate(get).is_unknown());
}

#[test]
fn they_are_settled_where_they_go_when_their_server_fails() {
    let mut world = World::new(Config::default(), 3);
    let keys: Vec<_> = world.keys_of(0).take(20).collect();
    world.kill(0);
    let sets: Vec<_> = keys.iter().map(|key| world.set_quiet(key, 1)).collect();
    world.cluster.settle_quiet();
    let behind = world.set_quiet(&keys[0], 1);
    world.run();
    assert!(sets.iter().all(|&set| *world.fate(set) == SILENT));
    assert!(world.peers[1..].iter().all(|peer| !peer.log.is_empty()), "they went to different servers");
    assert_eq!(world.fate(behind), &Fate::Pending, "nobody asked for it");
}

#[test]
fn they_are_settled_where_they_go_when_their_server_is_removed() {
    let mut world = World::new(Config::default(), 2);
    let keys: Vec<_> = world.keys_of(0).take(5).collect();
    let sets: Vec<_> = keys.iter().map(|key| world.set_quiet(key, 1)).collect();
    world.cluster.settle_quiet();
    world.cluster.set_servers(vec![literal(1)]).unwrap();
    world.run();
    assert!(sets.iter().all(|&set| *world.fate(set) == SILENT));
}

#[test]
fn a_long_run_is_settled_unasked_where_it_goes() {
    let mut world = World::new(Config::default(), 2);
    let key = world.key_of(0);
    world.kill(0);
    let other = world.key_of(1);
    world.peers[1].mode = Mode::Hanging;
    world.get(&other);
    world.run();
    for _ in 0..RUN / 2 {
        world.set_quiet(&other, 1);
    }
    for _ in 0..RUN / 2 {
        world.set_quiet(&key, 1);
    }
    world.peers[1].mode = Mode::Up;
    world.run();
    let pending = world.ledger.pending();
    assert!(pending.is_empty(), "{} of {RUN} wait", pending.len());
}

#[test]
fn a_noop_that_was_not_sent_does_no_harm() {
    let mut world = ready();
    world.peers[0].window = 30;
    world.peers[0].mode = Mode::Hanging;
    let set = world.set_quiet("a", 1);
    world.cluster.settle_quiet();
    world.run();
    world.peers[0].mode = Mode::Up;
    world.reset(0);
    world.run();
    assert!(world.fate(set).is_unknown());
    assert!(!world.cluster.has_pending());
    assert!(
        world.ledger.iter().all(|(_, record)| record.opcode != Opcode::NOOP || record.fate != Fate::Pending)
    );
}

#[test]
fn quiet_requests_that_part_from_the_loud_one_behind_them_are_settled_where_they_go() {
    for taken_off in [false, true] {
        let mut world = World::new(Config::default(), 3);
        world.peers[0].mode = Mode::Unreachable;
        let then = |world: &World, key: &String| {
            let continuum = world.cluster.continuum();
            continuum.walk(key.as_bytes()).nth(1)
        };
        let to_second = world.keys_of(0).find(|key| then(&world, key) == Some(1)).unwrap();
        let to_third = world.keys_of(0).find(|key| then(&world, key) == Some(2)).unwrap();
        let set = world.set_quiet(&to_second, 1);
        let get = world.get(&to_third);
        // Here nothing is to be added: the get's answer would tell.
        world.cluster.settle_quiet();
        world.run();
        if taken_off {
            world.cluster.set_servers(vec![literal(1), literal(2)]).unwrap();
        } else {
            world.kill(0);
            let connection = world.cluster.connection_of(0).unwrap();
            world.cluster.handle_lost(world.now, connection, Failure::Closed);
        }
        world.run();
        assert_eq!(world.fate(set), &SILENT, "taken off: {taken_off}");
        assert!(matches!(world.fate(get), Fate::Answered { .. }));
        assert!(!world.cluster.has_pending());
    }
}

#[test]
fn quiet_requests_before_a_loud_one_that_goes_nowhere_are_settled() {
    let mut world = World::new(Config::default(), 2);
    world.peers[0].mode = Mode::Refusing;
    let key = world.key_of(0);
    let set = world.set_quiet(&key, 1);
    let noop = world.noop(0);
    world.cluster.settle_quiet();
    world.run();
    assert_eq!(world.fate(set), &SILENT);
    assert!(matches!(world.fate(noop), Fate::Settled(Outcome::NotSent(_))));
}
