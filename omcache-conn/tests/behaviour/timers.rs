//! Timers: when they fire, what stops them, and that the deadline that is told is the one of the next.

use std::time::Duration;

use omcache_conn::{Action, Config, Failure, Health, Instant, Outcome, Server, ServerChange, Target};
use omcache_proto::Request;

use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;
use crate::sim::{Name, World, literal};

const DEAD: Failure = Failure::DeadTimeout { limit: Duration::from_secs(1) };

/// Handshakes may take long, answers not.
fn impatient() -> Config {
    Config { dead_timeout: Duration::from_secs(1), ..Config::default() }
}

fn ms(since_origin: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(since_origin)
}

/// One server, connected, whose sockets take no more than `window` bytes from now on, and which hangs.
fn stuck(config: Config, window: usize) -> World {
    let mut world = World::new(config, 1);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = window;
    world
}

#[test]
fn a_request_waits_for_a_handshake_no_longer_than_the_dead_timeout() {
    // In each state of the handshake.
    for (name, mode) in [
        (Name::Hangs, Mode::Up),
        (Name::Found(vec![0]), Mode::Unreachable),
        (Name::Found(vec![0]), Mode::Hanging),
    ] {
        let mut world = World::named(impatient(), 1);
        world.names.insert("cache".into(), name);
        world.peers[0].mode = mode;
        let get = world.get("a");
        world.run();
        assert_eq!(world.cluster.poll_deadline(), Some(ms(1_000)));
        world.advance_ms(999);
        assert_eq!(world.fate(get), &Fate::Pending);
        world.advance_ms(1);
        assert_eq!(world.fate(get), &Fate::Settled(Outcome::NotSent(DEAD)));
        assert_eq!(world.health(0), Health::Disabled);
    }
}

#[test]
fn the_wait_goes_on_over_several_addresses() {
    let mut world = World::named(impatient(), 3);
    world.peers[0].mode = Mode::Refusing;
    world.peers[1].mode = Mode::Closing;
    world.peers[1].connect_delay = Duration::from_millis(400);
    world.peers[2].mode = Mode::Unreachable;
    let get = world.get("a");
    world.advance_ms(999);
    assert_eq!((world.fate(get), world.connects.len()), (&Fate::Pending, 3));
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_000)));
    world.advance_ms(1);
    assert_eq!(world.fate(get), &Fate::Settled(Outcome::NotSent(DEAD)));
}

#[test]
fn a_request_that_joins_a_handshake_waits_from_then_on() {
    let mut world = World::new(impatient(), 1);
    world.kill(0);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Unreachable;
    world.advance_ms(10_500);
    assert_eq!(world.health(0), Health::Retrying);
    let get = world.get("a");
    world.advance_ms(999);
    assert_eq!(world.fate(get), &Fate::Pending);
    world.advance_ms(1);
    assert_eq!(world.fate(get), &Fate::Settled(Outcome::NotSent(DEAD)));
}

#[test]
fn a_handshake_without_requests_has_its_own_limit_alone() {
    let mut world = World::new(impatient(), 1);
    world.kill(0);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Unreachable;
    world.advance_ms(19_999);
    assert_eq!(world.health(0), Health::Retrying);
    world.advance_ms(1);
    assert_eq!(world.health(0), Health::Disabled);
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let mut world = stuck(impatient(), 1 << 16);
    let (get, set) = (world.get("a"), world.set("b", 10));
    world.advance_ms(999);
    assert_eq!((world.fate(get), world.fate(set)), (&Fate::Pending, &Fate::Pending));
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_000)));
    world.advance_ms(1);
    let unknown = Fate::Settled(Outcome::Unknown(DEAD));
    assert_eq!((world.fate(get), world.fate(set)), (&unknown, &unknown));
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Lost { failure: DEAD }]);
    // It is tried again at once, and takes keys meanwhile.
    assert_eq!((world.health(0), world.connects.len()), (Health::Connecting, 2));
}

#[test]
fn more_requests_are_no_progress() {
    let mut world = stuck(impatient(), 1 << 16);
    let first = world.get("a");
    world.advance_ms(600);
    let second = world.get("b");
    world.advance_ms(400);
    assert!(world.fate(first).is_unknown() && world.fate(second).is_unknown());
}

#[test]
fn answers_are_progress() {
    let mut world = World::new(impatient(), 1);
    world.noop(0);
    world.run();
    world.peers[0].delay = Duration::from_millis(900);
    let first = world.get("a");
    world.advance_ms(600);
    let second = world.get("b");
    world.advance_ms(600);
    assert!(matches!(world.fate(first), Fate::Answered { .. }));
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_900)));
    world.advance_ms(300);
    assert!(matches!(world.fate(second), Fate::Answered { .. }));
    assert_eq!(world.cluster.poll_deadline(), None);
}

#[test]
fn a_part_of_an_answer_is_progress() {
    let mut world = World::new(impatient(), 1);
    world.peers[0].put("a", "v".repeat(150));
    world.noop(0);
    world.run();
    world.peers[0].read_max = 50;
    let get = world.get("a");
    world.round();
    for _ in 0..2 {
        world.now = world.now + Duration::from_millis(900);
        world.cluster.handle_time(world.now);
        world.io();
        world.drain();
        assert_eq!(world.fate(get), &Fate::Pending);
    }
    world.advance_ms(900);
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn a_long_transfer_is_progress_as_long_as_it_moves() {
    for quiet in [false, true] {
        let mut world = stuck(impatient(), 100);
        let set = if quiet { world.set_quiet("a", 1_000) } else { world.set("a", 1_000) };
        world.run();
        for _ in 0..5 {
            assert_eq!(world.cluster.poll_deadline(), Some(world.now + Duration::from_secs(1)));
            world.advance_ms(900);
            world.peers[0].window += 100;
            world.run();
        }
        assert_eq!(world.fate(set), &Fate::Pending, "quiet: {quiet}");
        world.advance_ms(999);
        assert_eq!(world.fate(set), &Fate::Pending, "quiet: {quiet}");
        world.advance_ms(1);
        assert_eq!(world.fate(set), &Fate::Settled(Outcome::Unknown(DEAD)), "quiet: {quiet}");
    }
}

#[test]
fn a_socket_that_takes_nothing_is_given_up() {
    let mut world = stuck(impatient(), 0);
    let (set, get) = (world.set_quiet("a", 10), world.get_quiet("b"));
    world.advance_ms(999);
    assert_eq!(world.fate(set), &Fate::Pending);
    world.peers[0].window = 1 << 16;
    world.peers[0].mode = Mode::Up;
    world.peers[0].window = 0;
    world.advance_ms(1);
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Lost { failure: DEAD }]);
    // Nothing of them was sent, so they wait for the next connection.
    world.peers[0].window = 1 << 16;
    world.run();
    world.cluster.settle_quiet();
    world.run();
    let silent = Fate::Settled(Outcome::Silent);
    assert_eq!((world.fate(set), world.fate(get)), (&silent, &silent));
}

#[test]
fn room_that_is_none_is_no_progress() {
    let mut world = stuck(impatient(), 10);
    let set = world.set("a", 100);
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    for _ in 0..3 {
        world.advance_ms(300);
        world.cluster.handle_writable(connection);
        assert!(world.cluster.poll_transmit().is_some());
        world.cluster.handle_sent(world.now, connection, 0);
        world.cluster.handle_blocked(world.now, connection);
    }
    world.advance_ms(100);
    assert_eq!(world.fate(set), &Fate::Settled(Outcome::Unknown(DEAD)));
}

#[test]
fn nothing_is_owed_for_quiet_requests_that_are_sent() {
    let mut world = stuck(impatient(), 50);
    let set = world.set_quiet("a", 1_000);
    world.advance_ms(500);
    // The socket was full for a while; now all of it goes.
    world.peers[0].window = 1 << 16;
    world.run();
    assert_eq!(world.cluster.poll_deadline(), None);
    world.advance_ms(100_000);
    assert_eq!((world.health(0), world.fate(set)), (Health::Ready, &Fate::Pending));
    world.peers[0].mode = Mode::Up;
    world.cluster.settle_quiet();
    world.run();
    assert_eq!(world.fate(set), &Fate::Settled(Outcome::Silent));
}

#[test]
fn what_is_taken_back_is_not_waited_for() {
    // In the handshake, and blocked on a standing connection.
    let mut connecting = World::new(impatient(), 1);
    connecting.peers[0].mode = Mode::Unreachable;
    for (mut world, deadline) in [(connecting, Some(ms(10_000))), (stuck(impatient(), 0), None)] {
        for discard in [false, true] {
            let get = world.get("a");
            world.run();
            assert_eq!(world.cluster.poll_deadline(), Some(ms(1_000)));
            match discard {
                true => world.cluster.discard_unsent(),
                false => world.cancel(get, 1),
            }
            assert_eq!(world.cluster.poll_deadline(), deadline, "discard: {discard}");
            assert!(!world.cluster.has_pending());
        }
        world.advance_ms(5_000);
        assert_eq!(world.health(0), if deadline.is_some() { Health::Connecting } else { Health::Ready });
        assert!(world.changes.iter().all(|(_, _, change)| *change == ServerChange::Connected));
    }
}

#[test]
fn taking_back_leaves_what_was_sent_to_its_timer() {
    let mut world = stuck(impatient(), 40);
    let (sent, unsent) = (world.get("a"), world.set("b", 100));
    world.run();
    world.cancel(sent, 2);
    assert_eq!(world.fate(unsent), &Fate::Pending, "it was sent in part");
    world.advance_ms(1_000);
    assert!(world.fate(sent).is_unknown() && world.fate(unsent).is_unknown());
}

#[test]
fn a_handshake_that_is_wanted_is_wanted_now() {
    let mut world = World::new(Config::default(), 1);
    world.advance_ms(5_000);
    world.get("a");
    assert_eq!(world.cluster.poll_deadline(), Some(world.now));
    world.run();
    assert_eq!(world.cluster.poll_deadline(), None);
    // Also where a standing connection was lost with something under way.
    world.peers[0].mode = Mode::Hanging;
    world.get("b");
    world.run();
    let connection = world.cluster.connection_of(0).unwrap();
    world.cluster.handle_lost(world.now, connection, Failure::Closed);
    assert_eq!(world.cluster.poll_deadline(), Some(world.now));
}

#[test]
fn what_a_timer_takes_from_a_server_is_begun_elsewhere_in_the_same_moment() {
    let mut world = World::new(Config { dead_timeout: Duration::from_secs(60), ..Config::default() }, 2);
    world.peers[0].mode = Mode::Unreachable;
    let key = world.key_of(0);
    let get = world.get(&key);
    world.run();
    let until = world.cluster.poll_deadline().unwrap();
    assert_eq!(until, ms(10_000));
    world.now = until;
    world.cluster.handle_time(until);
    let actions: Vec<_> = std::iter::from_fn(|| world.cluster.poll_action()).collect();
    let connection = |server| world.cluster.connection_of(server).unwrap();
    assert_eq!(actions[0], Action::Close { connection: connection(0) });
    assert!(
        matches!(actions[1..], [Action::Connect { connection: to, .. }] if to == connection(1)),
        "{actions:?}"
    );
    assert_eq!(world.cluster.server_for_key(key.as_bytes()), Some(1));
    assert_eq!(world.fate(get), &Fate::Pending);
}

#[test]
fn other_limits_count_for_what_is_under_way() {
    let mut world = stuck(Config::default(), 1 << 16);
    let get = world.get("a");
    world.advance_ms(5_000);
    world.cluster.set_config(impatient());
    assert!(world.cluster.poll_deadline() <= Some(world.now));
    world.run();
    assert_eq!(world.fate(get), &Fate::Settled(Outcome::Unknown(DEAD)));
    assert_eq!(world.cluster.config(), &impatient());
}

#[test]
fn time_does_not_go_back() {
    let mut world = stuck(impatient(), 1 << 16);
    world.advance_ms(5_000);
    world.cluster.handle_time(Instant::ORIGIN);
    world.get("a");
    world.run();
    world.cluster.handle_time(ms(10));
    assert_eq!(world.cluster.poll_deadline(), Some(ms(6_000)));
}

#[test]
fn every_report_tells_the_time() {
    let later = |world: &World| world.now + Duration::from_millis(300);
    // Written.
    let mut world = stuck(impatient(), 1 << 16);
    world.get("a");
    world.cluster.handle_time(world.now);
    let transmit = world.cluster.poll_transmit().unwrap();
    let (connection, len) = (transmit.connection, transmit.bytes.len());
    world.cluster.handle_sent(later(&world), connection, len);
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_300)));
    // Read.
    world.now = ms(600);
    world.cluster.receive_space(connection)[0] = 0x81;
    world.cluster.handle_received(world.now, connection, 1);
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_600)));
    // Blocked.
    let mut world = stuck(impatient(), 0);
    world.get("a");
    world.cluster.handle_time(world.now);
    assert!(world.cluster.poll_transmit().is_some());
    world.cluster.handle_blocked(later(&world), connection);
    assert_eq!(world.cluster.poll_deadline(), Some(ms(1_300)));
    // Lost.
    let mut world = World::new(impatient(), 1);
    world.noop(0);
    world.pass_time();
    world.cluster.handle_lost(later(&world), connection, Failure::Closed);
    assert_eq!(world.cluster.poll_deadline(), Some(ms(10_300)));
}

#[test]
fn limits_without_end_never_come() {
    let (connect_timeout, dead_timeout) = (Duration::MAX, Duration::MAX);
    let config =
        Config { connect_timeout, dead_timeout, reconnect_timeout: Duration::MAX, ..Config::default() };
    let mut world = World::new(config, 2);
    world.peers[0].mode = Mode::Unreachable;
    world.peers[1].mode = Mode::Refusing;
    let hanging = world.noop(0);
    world.noop(1);
    world.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(world.fate(hanging), &Fate::Pending);
    assert_eq!(world.health(1), Health::Disabled);
    assert_eq!(world.cluster.poll_deadline(), Some(Instant::FAR_FUTURE));
}

#[test]
fn the_deadline_is_the_earliest_of_all() {
    let mut world = World::new(Config::default(), 3);
    world.names.insert("cache".into(), Name::Hangs);
    let mut servers: Vec<_> = (0..3).map(literal).collect();
    servers.push(Server::tcp("cache", "1"));
    world.cluster.set_servers(servers).unwrap();
    world.noop(0);
    world.run();
    assert_eq!(world.cluster.poll_deadline(), None);
    world.advance_ms(1_000);
    world.noop(3);
    world.run();
    assert_eq!(world.cluster.poll_deadline(), Some(ms(11_000)));
    world.peers[1].mode = Mode::Refusing;
    world.cluster.set_config(Config { reconnect_timeout: Duration::from_secs(3), ..Config::default() });
    world.noop(1);
    world.run();
    assert_eq!(world.cluster.poll_deadline(), Some(ms(4_000)));
    world.cluster.set_config(impatient());
    world.peers[0].mode = Mode::Hanging;
    world.noop(0);
    world.run();
    assert_eq!(world.cluster.poll_deadline(), Some(ms(2_000)));
    let refused = world.cluster.submit(Target::Server(1), &Request::Noop);
    assert!(refused.is_err());
}
