//! From Idle to Ready: look-up, connect, probe, several addresses, and one limit over all of it.

use std::path::PathBuf;
use std::time::Duration;

use omcache_conn::{
    Action, Address, Cluster, Config, Failure, Health, Instant, ProtocolError, Server, ServerChange, Target,
};
use omcache_proto::Request;
use omcache_proto::binary::{Opcode, Status};

use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode, address};
use crate::sim::{Name, World};

/// Requests outlast every handshake here.
fn patient() -> Config {
    Config { dead_timeout: Duration::from_secs(1000), ..Config::default() }
}

fn seconds(since_origin: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(since_origin)
}

/// What a cluster of one server asks for when it is first used.
fn first_action(server: Server) -> Option<Action> {
    let mut cluster = Cluster::new(Config::default());
    cluster.set_servers(vec![server]).unwrap();
    cluster.submit(Target::Server(0), &Request::Noop).unwrap();
    cluster.handle_time(Instant::ORIGIN);
    cluster.poll_action()
}

#[test]
fn nothing_is_done_before_a_request() {
    let mut world = World::new(Config::default(), 3);
    world.advance_ms(100_000);
    assert!(world.connects.is_empty() && world.changes.is_empty());
    assert_eq!(world.cluster.poll_deadline(), None);
    assert_eq!(world.health(0), Health::Idle);
}

#[test]
fn a_literal_address_is_connected_without_a_lookup() {
    for (server, expected) in [
        (Server::tcp("192.0.2.7", "11311"), Address::Ip("192.0.2.7:11311".parse().unwrap())),
        (Server::tcp("2001:db8::7", "1"), Address::Ip("[2001:db8::7]:1".parse().unwrap())),
        (Server::unix("/run/cache"), Address::Unix(PathBuf::from("/run/cache"))),
    ] {
        let Some(Action::Connect { address, .. }) = first_action(server.clone()) else { panic!("{server}") };
        assert_eq!(address, expected);
    }
}

#[test]
fn a_name_is_looked_up() {
    // An address with a service for a port is one as well, and so is a port that no port can have.
    for (given_host, given_port) in [("cache", "11211"), ("192.0.2.7", "memcache"), ("192.0.2.7", "70000")] {
        let Some(Action::Resolve { host, port, .. }) = first_action(Server::tcp(given_host, given_port))
        else {
            panic!("{given_host}:{given_port}")
        };
        assert_eq!((&*host, &*port), (given_host, given_port));
    }
}

#[test]
fn requests_wait_until_the_noop_is_answered() {
    let mut world = World::new(patient(), 1);
    world.peers[0].connect_delay = Duration::from_secs(1);
    world.peers[0].delay = Duration::from_secs(2);
    let set = world.set("a", 10);
    let get = world.get("a");
    assert_eq!(world.health(0), Health::Idle);
    world.run();
    assert_eq!(world.health(0), Health::Connecting);
    world.advance_ms(2_999);
    assert_eq!((world.peers[0].noops, world.peers[0].log.len()), (1, 0));
    assert_eq!(world.health(0), Health::Connecting);
    world.advance_ms(1);
    assert_eq!(world.health(0), Health::Ready);
    assert_eq!(world.peers[0].keys_seen(), ["a", "a"]);
    world.advance_ms(2_000);
    assert!(matches!(world.fate(set), Fate::Answered { server: 0, status: Status::SUCCESS, .. }));
    assert!(world.value(get).starts_with(b"a@1:xxxxxxxxxx|0#"));
    assert_eq!(world.changes, [(seconds(3), 0, ServerChange::Connected)]);
}

#[test]
fn a_connect_may_succeed_at_once() {
    let mut world = World::new(patient(), 2);
    world.connects_at_once = true;
    let get = world.get("a");
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn the_probe_is_sent_in_parts_where_the_socket_is_full() {
    let mut world = World::new(patient(), 1);
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 5;
    let get = world.get("a");
    world.run();
    // It would be writable at once, had the server read.
    let interest = world.cluster.interests().next().unwrap();
    assert!(interest.readable && interest.writable);
    world.peers[0].mode = Mode::Up;
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

/// The program was busy elsewhere while the answer lay there, and a request joins before it is looked at.
#[test]
fn an_answer_that_was_read_is_looked_at_before_the_time_is() {
    let mut world = World::new(patient(), 1);
    world.get("a");
    world.pass_time();
    world.perform();
    world.io();
    world.transmit();
    world.serve();
    world.now = world.now + Duration::from_secs(60);
    assert!(world.io(), "the answer to the NOOP is read");
    world.get("b");
    world.cluster.handle_time(world.now);
    world.drain();
    world.run();
    assert_eq!((world.health(0), world.changes_of(0)), (Health::Ready, vec![ServerChange::Connected]));
}

#[test]
fn each_address_has_its_share_of_the_time() {
    let mut world = World::named(patient(), 4);
    for peer in &mut world.peers[..3] {
        peer.mode = Mode::Unreachable;
    }
    let get = world.get("a");
    world.advance_ms(60_000);
    let nanos = |nanos| Instant::from_nanos(nanos);
    assert_eq!(
        world.connects,
        [(nanos(0), 0), (nanos(2_500_000_000), 1), (seconds(5), 2), (nanos(7_500_000_000), 3)]
    );
    assert!(matches!(world.fate(get), Fate::Answered { server: 0, .. }));
    let failed = |peer| ServerChange::AddressFailed {
        address: Address::Ip(address(peer)),
        failure: Failure::ConnectTimeout { limit: Duration::from_secs(10) },
    };
    assert_eq!(world.changes_of(0), [failed(0), failed(1), failed(2), ServerChange::Connected]);
}

#[test]
fn what_a_refused_address_leaves_goes_to_the_others() {
    let mut world = World::named(patient(), 3);
    world.kill(0);
    world.peers[1].mode = Mode::Hanging;
    world.advance_ms(1_000);
    let get = world.get("a");
    world.advance_ms(60_000);
    assert_eq!(world.connects, [(seconds(1), 0), (seconds(1), 1), (seconds(6), 2)]);
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn an_address_that_breaks_the_protocol_is_followed_by_the_next() {
    for lie in Lie::ALL {
        let mut world = World::named(patient(), 2);
        world.peers[0].lie = Some((0, lie));
        let get = world.get("a");
        world.advance_ms(60_000);
        assert!(matches!(world.fate(get), Fate::Answered { .. }), "{lie:?}: {:?}", world.fate(get));
        assert_eq!(world.peers[1].keys_seen(), ["a"], "{lie:?}");
        assert_eq!(world.peers[0].accepted, 1, "{lie:?}");
    }
}

#[test]
fn a_server_without_a_working_address_is_disabled() {
    let mut world = World::named(patient(), 2);
    world.kill(0);
    world.peers[1].mode = Mode::Closing;
    let get = world.get("a");
    world.run();
    assert_eq!(world.health(0), Health::Disabled);
    assert_eq!(world.fate(get).failure(), &Failure::NoServers);
    assert!(world.fate(get).is_not_sent());
    let status = world.cluster.server_status(0).unwrap();
    assert_eq!(status.last_failure, Some(Failure::Closed));
    assert_eq!(status.retry_at, Some(seconds(10)));
    let retry_in = Duration::from_secs(10);
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Disabled { failure: Failure::Closed, retry_in }]);
}

#[test]
fn a_failed_lookup_disables() {
    for answer in [Name::Fails, Name::Found(Vec::new())] {
        let mut world = World::named(patient(), 1);
        world.names.insert("cache".into(), answer);
        let noop = world.noop(0);
        world.run();
        assert_eq!(world.health(0), Health::Disabled);
        assert!(world.fate(noop).is_not_sent());
        assert!(matches!(world.fate(noop).failure(), Failure::Lookup { .. }));
        // Its next try may find the name.
        world.names.insert("cache".into(), Name::Found(vec![0]));
        world.advance_ms(10_000);
        assert_eq!(world.health(0), Health::Ready);
    }
}

#[test]
fn a_failed_lookup_falls_back_to_the_addresses_that_were_known() {
    for answer in [Name::Fails, Name::Found(Vec::new())] {
        let mut world = World::named(patient(), 2);
        world.kill(0);
        world.get("a");
        world.run();
        assert_eq!(world.health(0), Health::Ready);
        world.names.insert("cache".into(), answer);
        world.reset(1);
        let (lost, get) = (world.get("a"), world.get("a"));
        world.run();
        assert!(world.fate(lost).is_unknown() || matches!(world.fate(lost), Fate::Answered { .. }));
        assert!(matches!(world.fate(get), Fate::Answered { .. }) || world.fate(get).is_unknown());
        let again = world.get("a");
        world.run();
        assert!(matches!(world.fate(again), Fate::Answered { .. }));
        // From the first address on, though the second was the one that worked.
        assert_eq!(world.connects.iter().map(|&(_, peer)| peer).collect::<Vec<_>>(), [0, 1, 0, 1]);
    }
}

#[test]
fn a_lookup_may_find_other_addresses_than_before() {
    let mut world = World::named(patient(), 2);
    world.names.insert("cache".into(), Name::Found(vec![0]));
    world.get("a");
    world.run();
    world.kill(0);
    world.names.insert("cache".into(), Name::Found(vec![1]));
    world.get("a");
    world.run();
    let get = world.get("a");
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
    assert_eq!(world.connects.last(), Some(&(Instant::ORIGIN, 1)));
}

#[test]
fn one_limit_covers_lookup_connect_and_probe() {
    let mut world = World::named(patient(), 1);
    world.names.insert("cache".into(), Name::Hangs);
    world.peers[0].connect_delay = Duration::from_secs(4);
    world.peers[0].mode = Mode::Hanging;
    let noop = world.noop(0);
    world.advance_ms(4_000);
    world.names.insert("cache".into(), Name::Found(vec![0]));
    world.advance_ms(5_999);
    assert_eq!((world.peers[0].accepted, world.health(0)), (1, Health::Connecting));
    world.advance_ms(1);
    assert_eq!(world.health(0), Health::Disabled);
    assert_eq!(world.fate(noop).failure(), &Failure::ConnectTimeout { limit: Duration::from_secs(10) });
    assert!(world.fate(noop).is_not_sent());
}

#[test]
fn a_lookup_that_hangs_ends_with_the_limit_and_its_answer_comes_too_late() {
    let mut world = World::named(patient(), 1);
    world.names.insert("cache".into(), Name::Hangs);
    let noop = world.noop(0);
    world.advance_ms(10_000);
    assert!(world.fate(noop).is_not_sent());
    let (late, _) = world.lookups.pop().unwrap();
    world.cluster.handle_resolved(world.now, late, Ok(vec![Address::Ip(address(0))]));
    world.run();
    assert_eq!(world.health(0), Health::Disabled);
    // Nor is it taken for the answer to the look-up of the next try.
    world.advance_ms(10_000);
    assert_eq!(world.health(0), Health::Retrying);
    world.cluster.handle_resolved(world.now, late, Ok(vec![Address::Ip(address(0))]));
    world.run();
    assert!(world.connects.is_empty());
}

#[test]
fn a_probe_that_is_answered_with_an_error_is_a_failure() {
    let mut world = World::new(patient(), 1);
    world.peers[0].lie = Some((0, Lie::Status));
    let noop = world.noop(0);
    world.run();
    let expected = Failure::Protocol(ProtocolError::Probe { status: Status::INTERNAL_ERROR });
    assert_eq!(world.fate(noop).failure(), &expected);
}

#[test]
fn what_a_server_says_unasked_behind_the_probes_answer_is_a_failure() {
    let mut world = World::new(patient(), 1);
    let noop = world.noop(0);
    world.cluster.handle_time(world.now);
    let Some(Action::Connect { connection, .. }) = world.cluster.poll_action() else { panic!() };
    world.cluster.handle_connected(world.now, connection);
    let mut answers = world.cluster.poll_transmit().unwrap().bytes.to_vec();
    answers[0] = 0x81;
    answers.extend_from_within(..);
    world.cluster.handle_sent(world.now, connection, 24);
    world.cluster.receive_space(connection)[..48].copy_from_slice(&answers);
    world.cluster.handle_received(world.now, connection, 48);
    world.drain();
    // Were it taken for a standing connection that broke, it would be made anew at once and for ever.
    assert_eq!(world.health(0), Health::Disabled);
    assert!(matches!(
        world.fate(noop).failure(),
        Failure::Protocol(ProtocolError::Unexpected { opcode: Opcode::NOOP, .. })
    ));
}

#[test]
fn a_probe_is_not_answered_before_it_is_sent() {
    let mut world = World::new(patient(), 1);
    let noop = world.noop(0);
    world.cluster.handle_time(world.now);
    let Some(Action::Connect { connection, .. }) = world.cluster.poll_action() else { panic!() };
    world.cluster.handle_connected(world.now, connection);
    let mut answer = world.cluster.poll_transmit().unwrap().bytes.to_vec();
    answer[0] = 0x81;
    world.cluster.handle_sent(world.now, connection, 23);
    world.cluster.receive_space(connection)[..24].copy_from_slice(&answer);
    world.cluster.handle_received(world.now, connection, 24);
    world.drain();
    assert_eq!(world.health(0), Health::Disabled);
    assert!(world.fate(noop).is_not_sent());
}

#[test]
fn a_lookup_that_hangs_leaves_time_for_the_addresses_that_were_known() {
    let mut world = World::named(patient(), 2);
    world.get("a");
    world.run();
    world.reset(0);
    world.peers[0].mode = Mode::Unreachable;
    world.names.insert("cache".into(), Name::Hangs);
    let get = world.get("a");
    world.advance_ms(60_000);
    // A third of the ten seconds for the look-up, and for each address an equal part of what is left.
    let from_first: Vec<_> =
        world.connects.iter().map(|&(at, peer)| (at.as_nanos() / 1_000_000, peer)).collect();
    assert_eq!(from_first, [(0, 0), (3_333, 0), (6_666, 1)]);
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
    assert_eq!(world.health(0), Health::Ready);
    // Its answer may still come, and is not waited for.
    let (late, _) = world.lookups.pop().unwrap();
    world.cluster.handle_resolved(world.now, late, Ok(vec![Address::Ip(address(0))]));
    world.run();
    assert_eq!(world.health(0), Health::Ready);
}

#[test]
fn a_lookup_that_hangs_with_no_address_that_works_ends_with_the_limit() {
    let mut world = World::named(patient(), 1);
    world.get("a");
    world.run();
    world.reset(0);
    world.peers[0].mode = Mode::Unreachable;
    world.names.insert("cache".into(), Name::Hangs);
    let noop = world.noop(0);
    world.advance_ms(9_999);
    assert_eq!(world.health(0), Health::Connecting);
    world.advance_ms(1);
    assert_eq!(world.fate(noop).failure(), &Failure::ConnectTimeout { limit: Duration::from_secs(10) });
}

#[test]
fn an_address_without_room_is_tried_again_until_the_limit() {
    let ms = |ms| Instant::ORIGIN + Duration::from_millis(ms);
    let mut cluster = Cluster::new(patient());
    cluster.set_servers(vec![Server::unix("/run/cache")]).unwrap();
    cluster.submit(Target::Server(0), &Request::Noop).unwrap();
    let mut now = Instant::ORIGIN;
    for tries in 0..1_000 {
        cluster.handle_time(now);
        let Some(Action::Connect { connection, .. }) = cluster.poll_action() else { panic!("{tries}") };
        cluster.handle_busy(now, connection);
        assert_eq!((cluster.poll_action(), cluster.interests().count()), (None, 0), "there is no socket");
        now = cluster.poll_deadline().unwrap();
        assert!(cluster.next_wakeup() <= now);
        assert_eq!(now, ms(10 * (tries + 1)));
    }
    let status = |cluster: &Cluster| cluster.server_status(0).unwrap();
    assert_eq!(status(&cluster).health, Health::Connecting);
    cluster.handle_time(now);
    let limit = Duration::from_secs(10);
    assert_eq!(status(&cluster).last_failure, Some(Failure::ConnectTimeout { limit }));
    // One that finds room goes on as ever.
    now = ms(20_000);
    cluster.handle_time(now);
    while !matches!(cluster.poll_action(), Some(Action::Connect { .. })) {}
    let connection = cluster.connection_of(0).unwrap();
    cluster.handle_busy(now, connection);
    now = ms(20_010);
    cluster.handle_time(now);
    assert!(matches!(cluster.poll_action(), Some(Action::Connect { .. })));
    cluster.handle_connected(now, connection);
    assert_eq!(cluster.poll_transmit().map(|transmit| transmit.bytes.len()), Some(24));
}
