//! Servers that break the protocol: the connection is closed, everything ends, and no wrong value comes through.

use omcache_conn::{Action, Config, ConnectionId, Failure, Health, ProtocolError, ServerChange};
use omcache_proto::DecodeError;
use omcache_proto::binary::{Opcode, ResponsePacket, Status};

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode};

fn ready() -> World {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world
}

/// A response as it comes over the wire.
fn response(opcode: Opcode, opaque: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    let packet =
        ResponsePacket { opcode, status: Status::SUCCESS, cas: 0, opaque, extras: b"", key: b"", value };
    packet.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

/// The server says this, whatever it was asked.
fn say(world: &mut World, bytes: &[u8]) -> ConnectionId {
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.receive_space(connection)[..bytes.len()].copy_from_slice(bytes);
    world.cluster.handle_received(world.now, connection, bytes.len());
    connection
}

#[test]
fn every_breach_closes_the_connection_and_settles_everything() {
    for lie in [
        Lie::Opaque,
        Lie::Opcode,
        Lie::Magic,
        Lie::DataType,
        Lie::Lengths,
        Lie::Garbage,
        Lie::Unasked,
        Lie::Truncated,
        Lie::Later,
    ] {
        for read_max in [usize::MAX, 7, 1] {
            let mut world = ready();
            world.peers[0].read_max = read_max;
            world.peers[0].lie = Some((2, lie));
            let right: Vec<_> = (0..2).map(|n| world.set(&format!("key{n}"), 5)).collect();
            let (wrong, behind) = (world.get("key0"), world.get("key1"));
            let quiet = world.get_quiet("absent");
            world.run();
            for opaque in right {
                assert!(matches!(world.fate(opaque), Fate::Answered { .. }), "{lie:?}");
            }
            for opaque in [wrong, behind, quiet] {
                assert!(world.fate(opaque).is_unknown(), "{lie:?}: {:?}", world.fate(opaque));
            }
            // And all is well with the next connection.
            let again = world.get("key0");
            world.run();
            assert!(matches!(world.fate(again), Fate::Answered { .. }));
            assert_eq!(world.peers[0].accepted, 2);
        }
    }
}

#[test]
fn the_breach_is_told() {
    for (lie, expected) in [
        (Lie::Magic, ProtocolError::Decode(DecodeError::Magic { expected: 0x81, found: 0x80 })),
        (Lie::DataType, ProtocolError::Decode(DecodeError::DataType { found: 1 })),
        (Lie::Garbage, ProtocolError::Decode(DecodeError::Magic { expected: 0x81, found: b'E' })),
        (
            Lie::Lengths,
            ProtocolError::Decode(DecodeError::Lengths { key_len: 0xffff, extras_len: 0xff, body_len: 3 }),
        ),
        (Lie::Opaque, ProtocolError::Unexpected { opaque: 2 ^ 0x4000_0000, opcode: Opcode::GETK }),
        (
            Lie::Opcode,
            ProtocolError::OpcodeMismatch { opaque: 2, asked: Opcode::GETK, answered: Opcode::VERSION },
        ),
    ] {
        let mut world = ready();
        world.peers[0].lie = Some((0, lie));
        let get = world.get("a");
        world.run();
        assert_eq!(world.fate(get).failure(), &Failure::Protocol(expected.clone()));
        let lost = ServerChange::Lost { failure: Failure::Protocol(expected) };
        assert_eq!(world.changes_of(0)[1..], [lost, ServerChange::Connected]);
    }
}

#[test]
fn answers_in_another_order_are_a_breach() {
    let mut world = ready();
    world.peers[0].mode = Mode::Hanging;
    let (first, second) = (world.get("a"), world.get("b"));
    world.run();
    say(&mut world, &response(Opcode::GETK, second, b"of b"));
    world.drain();
    assert!(world.fate(first).is_unknown() && world.fate(second).is_unknown());
}

#[test]
fn an_answer_comes_once() {
    let mut world = ready();
    let noop = world.noop(0);
    world.run();
    assert!(matches!(world.fate(noop), Fate::Answered { .. }));
    say(&mut world, &response(Opcode::NOOP, noop, b""));
    world.drain();
    assert_eq!(
        world.cluster.poll_action(),
        Some(Action::Close { connection: world.cluster.connection_of(0).unwrap() })
    );
    let ServerChange::Lost { failure } = &world.changes_of(0)[1] else { panic!() };
    let unexpected = ProtocolError::Unexpected { opaque: noop, opcode: Opcode::NOOP };
    assert_eq!(failure, &Failure::Protocol(unexpected));
}

#[test]
fn what_was_not_sent_is_not_answered() {
    // Its number can be guessed. Were it taken for answered, its bytes would still go out.
    for quiet_before in [false, true] {
        let mut world = ready();
        world.peers[0].mode = Mode::Hanging;
        world.peers[0].window = 0;
        if quiet_before {
            world.set_quiet("a", 10);
        }
        let get = world.get("a");
        world.run();
        let connection = say(&mut world, &response(Opcode::GETK, get, b"made up"));
        world.drain();
        assert_eq!(world.fate(get), &Fate::Pending);
        assert_eq!(world.cluster.poll_action(), Some(Action::Close { connection }));
        world.sockets.clear();
        world.peers[0].mode = Mode::Up;
        world.peers[0].window = 1 << 16;
        world.run();
        let expected = if quiet_before { Status::SUCCESS } else { Status::KEY_NOT_FOUND };
        assert!(matches!(world.fate(get), Fate::Answered { status, .. } if *status == expected));
        assert_eq!(world.peers[0].log.len(), if quiet_before { 2 } else { 1 });
    }
}

#[test]
fn half_an_answer_to_what_was_not_sent_is_not_kept_for_another() {
    let mut world = ready();
    world.peers[0].mode = Mode::Hanging;
    let sent = world.get("a");
    world.run();
    world.peers[0].window = 0;
    let unsent = world.get("b");
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    let answers = [response(Opcode::GETK, sent, b""), response(Opcode::GETK, unsent, b"of b")].concat();
    // The ledger would not take an answer that no server gave.
    world.cluster.receive_space(connection)[..answers.len()].copy_from_slice(&answers);
    world.cluster.handle_received(world.now, connection, answers.len() - 2);
    let mut answered = Vec::new();
    while let Some(event) = world.cluster.poll_event() {
        if let omcache_conn::Event::Response(response) = event {
            answered.push(response.opaque());
        }
    }
    assert_eq!(answered, [sent]);
    assert_eq!(world.health(0), Health::Idle);
}

#[test]
fn a_request_that_is_sent_in_part_may_be_answered() {
    // As a server does that will not take a value of that length.
    let mut world = ready();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 100;
    let set = world.set("a", 1_000);
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    let mut answer = response(Opcode::SET, set, b"Too large.");
    answer[7] = 3;
    world.cluster.receive_space(connection)[..answer.len()].copy_from_slice(&answer);
    world.cluster.handle_received(world.now, connection, answer.len());
    let Some(omcache_conn::Event::Response(response)) = world.cluster.poll_event() else { panic!() };
    assert_eq!((response.opaque(), response.header().status), (set, Status::VALUE_TOO_LARGE));
    assert!(world.cluster.poll_event().is_none());
    // The rest of it is still sent, and what follows is not taken for it.
    let behind = world.get("b");
    let cancelled = world.get("c");
    world.cancel(cancelled, 1);
    assert!(world.cluster.has_pending());
    let interest = world.cluster.interests().next().unwrap();
    assert!(interest.writable && interest.readable);
    world.cluster.handle_writable(connection);
    let rest = world.cluster.poll_transmit().unwrap().bytes.len();
    assert_eq!(rest, 24 + 8 + 1 + "a@1:".len() + 1_000 - 100 + 25);
    world.cluster.handle_sent(world.now, connection, rest);
    assert_eq!(world.fate(behind), &Fate::Pending);
}

#[test]
fn a_quiet_hit_with_the_wrong_opcode_is_a_breach() {
    let mut world = ready();
    world.peers[0].mode = Mode::Hanging;
    let (quiet, loud) = (world.get_quiet("a"), world.get("b"));
    world.run();
    say(&mut world, &response(Opcode::SETQ, quiet, b""));
    world.drain();
    let mismatch =
        ProtocolError::OpcodeMismatch { opaque: quiet, asked: Opcode::GETKQ, answered: Opcode::SETQ };
    for opaque in [quiet, loud] {
        assert_eq!(world.fate(opaque).failure(), &Failure::Protocol(mismatch.clone()));
    }
}

#[test]
fn a_breach_fails_one_connection_alone() {
    let mut world = World::new(Config::default(), 2);
    for server in 0..2 {
        world.noop(server);
    }
    world.run();
    world.peers[0].lie = Some((0, Lie::Garbage));
    world.peers[1].mode = Mode::Hanging;
    let (wrong, right) = (world.noop(0), world.noop(1));
    world.run();
    world.peers[1].mode = Mode::Up;
    world.run();
    assert!(world.fate(wrong).is_unknown());
    assert!(matches!(world.fate(right), Fate::Answered { .. }));
}

#[test]
fn a_response_that_is_rejected_settles_nothing_before_it() {
    for read_max in [usize::MAX, 1] {
        let mut world = ready();
        world.peers[0].read_max = read_max;
        world.peers[0].put("there", "v");
        // The hit is answered under the opaque of the set: so the hit would be a miss, and the set done.
        world.peers[0].lie = Some((0, Lie::Later));
        let (hit, set) = (world.get_quiet("there"), world.set_quiet("key", 5));
        world.cluster.settle_quiet();
        world.run();
        let mismatch =
            ProtocolError::OpcodeMismatch { opaque: set, asked: Opcode::SETQ, answered: Opcode::GETKQ };
        let unknown = Fate::Settled(omcache_conn::Outcome::Unknown(Failure::Protocol(mismatch)));
        assert_eq!((world.fate(hit), world.fate(set)), (&unknown, &unknown));
    }
}
