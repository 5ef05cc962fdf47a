//! The shortest way of one request that is alone: what takes it, what does not, and that nothing else differs.

use std::time::Duration;

use omcache_conn::{Config, Failure, Outcome, Target};
use omcache_proto::Request;

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode};

fn ready(servers: usize) -> World {
    let mut world = World::new(Config::default(), servers);
    for server in 0..servers {
        world.noop(server);
    }
    world.run();
    world.goes_alone = true;
    world
}

#[test]
fn one_request_after_the_other_goes_alone() {
    let mut world = ready(3);
    for n in 0..50 {
        let set = world.set(&format!("key{n}"), n * 1_000);
        world.run();
        assert!(matches!(world.fate(set), Fate::Answered { .. }));
        let get = world.get(&format!("key{n}"));
        world.run();
        assert!(world.value(get).starts_with(format!("key{n}@").as_bytes()));
        assert_eq!(world.cluster.poll_deadline(), None);
        assert!(!world.cluster.has_pending() && world.cluster.interests().next().is_none());
    }
    assert_eq!(world.went_alone, 100);
}

#[test]
fn values_that_went_alone_are_taken_out_as_well() {
    let mut world = ready(1);
    world.takes_values = true;
    world.peers[0].backlog = usize::MAX;
    for len in [1, 60_000, 10, 500_000, 3] {
        world.peers[0].put("a", "v".repeat(len));
        world.get("a");
        world.run();
    }
    world.check_kept_values();
    assert_eq!(world.kept_values().len(), 5);
}

#[test]
fn what_is_not_alone_goes_the_usual_way() {
    let mut world = ready(1);
    let asked = [world.get("a"), world.get("a")];
    world.run();
    let quiet = world.set_quiet("a", 1);
    world.run();
    world.cluster.settle_quiet();
    world.run();
    let stat = world.submit(Target::Server(0), &Request::Stat { group: b"" }).unwrap();
    world.run();
    assert_eq!(world.went_alone, 0);
    assert_eq!(world.fate(quiet), &Fate::Settled(Outcome::Silent));
    for opaque in asked.into_iter().chain([stat]) {
        assert!(matches!(world.fate(opaque), Fate::Answered { .. }));
    }
    world.get("a");
    world.run();
    assert_eq!(world.went_alone, 1);
}

#[test]
fn an_answer_in_pieces_is_put_together_the_usual_way() {
    for read_max in [1, 24, 25, 30] {
        let mut world = ready(1);
        world.peers[0].read_max = read_max;
        world.peers[0].put("a", "v".repeat(30));
        let get = world.get("a");
        world.run();
        assert_eq!(world.value(get).len(), 30 + "|0#1".len());
        assert_eq!(world.went_alone, 0);
    }
}

#[test]
fn whatever_is_wrong_is_seen() {
    for lie in Lie::ALL.into_iter().filter(|&lie| lie != Lie::Status) {
        let mut world = ready(1);
        world.peers[0].lie = Some((0, lie));
        let get = world.get("a");
        world.run();
        let fate = world.fate(get);
        let too_large = matches!(fate, Fate::Settled(Outcome::ResponseTooLarge { .. }));
        assert!(fate.is_unknown() || (too_large && lie == Lie::Huge), "{lie:?}: {fate:?}");
        world.advance(Duration::from_secs(60));
        let again = world.get("a");
        world.advance(Duration::from_secs(60));
        let last = world.get("a");
        world.run();
        assert!(matches!(world.fate(last), Fate::Answered { .. }), "{lie:?}: {:?}", world.fate(again));
    }
}

#[test]
fn an_answer_beyond_the_limit_fails_its_request() {
    let mut world = World::new(Config { receive_limit: 100, ..Config::default() }, 1);
    world.noop(0);
    world.run();
    world.goes_alone = true;
    world.peers[0].put("a", "v".repeat(100));
    let (get, last) = (world.get("a"), {
        world.run();
        world.get("absent")
    });
    world.run();
    assert!(matches!(world.fate(get), Fate::Settled(Outcome::ResponseTooLarge { limit: 100, .. })));
    assert!(matches!(world.fate(last), Fate::Answered { .. }));
    assert_eq!(world.peers[0].accepted, 1);
}

#[test]
fn a_server_that_hangs_is_given_up_as_ever() {
    let mut world = ready(1);
    world.peers[0].mode = Mode::Hanging;
    let get = world.get("a");
    world.advance_ms(9_999);
    assert_eq!(world.fate(get), &Fate::Pending);
    world.advance_ms(1);
    let dead = Failure::DeadTimeout { limit: Duration::from_secs(10) };
    assert_eq!(world.fate(get), &Fate::Settled(Outcome::Unknown(dead)));
}

#[test]
fn a_request_that_the_socket_does_not_take_goes_the_usual_way() {
    let mut world = ready(1);
    world.peers[0].window = 10;
    let get = world.get("a");
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn an_answer_is_looked_at_before_anything_else_is_called() {
    let mut world = ready(1);
    let connection = world.cluster.connection_of(0).unwrap();
    world.get("a");
    world.pass_time();
    world.transmit();
    world.serve();
    let socket = world.sockets.get_mut(&connection).unwrap();
    let count = socket.read(world.now, world.cluster.receive_space(connection));
    assert!(world.cluster.handle_lone_received(connection, count - 1).is_none());
    assert!(world.cluster.handle_lone_received(connection, count + 1).is_none());
    let answer = world.cluster.handle_lone_received(connection, count).unwrap();
    assert!(world.cluster.handle_lone_received(connection, count).is_none(), "it is taken");
    let response = world.cluster.lone_response(answer).unwrap();
    assert_eq!((response.server(), response.value()), (0, &b"Not found"[..]));
    assert_eq!(&response.into_value()[..], b"Not found");
    // What was taken out is not there a second time.
    let again = world.cluster.lone_response(answer).unwrap();
    assert!(again.into_value().is_empty());
    assert!(world.cluster.poll_event().is_none());
    assert!(world.cluster.lone_response(answer).is_none());
}
