//! The shortest way of one request that is alone: what takes it, what does not, and that nothing else differs.

use std::time::Duration;

use omcache_conn::{Config, Failure, Health, Outcome, Target};
use omcache_proto::binary::{Opcode, ResponseHeader, Status};
use omcache_proto::{Key, Request};

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
fn after_the_general_way_the_next_one_goes_alone() {
    let mut world = World::new(Config::default(), 1);
    world.goes_alone = true;
    let first = world.set("a", 10);
    assert_eq!((world.went_alone, world.fate(first)), (0, &Fate::Pending), "there is no connection yet");
    // No more events are asked for than until the answer is there.
    while world.fate(first) == &Fate::Pending {
        world.pass_time();
        world.transmit();
        world.serve();
        world.io();
        world.drain_one();
    }
    world.get("a");
    assert_eq!(world.went_alone, 1);
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
    world.goes_alone = false;
    let asked = [world.get("a"), world.get("a")];
    world.goes_alone = true;
    let behind = world.get("a");
    world.run();
    let quiet = world.set_quiet("a", 1);
    world.run();
    world.cluster.settle_quiet();
    world.run();
    let stat = world.submit(Target::Server(0), &Request::Stat { group: b"" }).unwrap();
    world.run();
    assert_eq!(world.went_alone, 0);
    assert_eq!(world.fate(quiet), &Fate::Settled(Outcome::Silent));
    for opaque in asked.into_iter().chain([behind, stat]) {
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
fn a_response_that_went_alone_can_be_taken_out_once() {
    let mut world = ready(1);
    let key = Key::new(b"a").unwrap();
    let request = Request::Get { key, with_key: false, quiet: false };
    let lone = world.cluster.begin_lone(world.now, Target::Key, &request).unwrap();
    let header = ResponseHeader {
        opcode: Opcode::GET,
        key_len: 0,
        extras_len: 4,
        status: Status::SUCCESS,
        body_len: 9,
        opaque: lone.opaque(),
        cas: 3,
    };
    let response = [&header.encode()[..], b"\0\0\0\x07", b"value"].concat();
    let space = world.cluster.lone_space();
    space[..response.len()].copy_from_slice(&response);
    space[response.len()] = 0x81;
    for count in [0, 1, 23, 24, response.len() - 1, response.len() + 1] {
        assert!(world.cluster.handle_lone_received(&lone, count).is_none(), "{count} bytes");
    }
    let answer = world.cluster.handle_lone_received(&lone, response.len()).unwrap();
    let told = world.cluster.lone_response(answer);
    assert_eq!((told.server(), told.packet().flags(), told.value()), (0, Some(7), &b"value"[..]));
    assert_eq!(&told.into_value()[..], b"value");
    // What was taken out is not there a second time.
    assert!(world.cluster.lone_response(answer).into_value().is_empty());
    assert!(world.cluster.poll_event().is_none());
    assert!(world.cluster.lone_request().is_empty());
}

#[test]
fn only_what_gets_one_answer_at_the_server_of_its_key_goes_alone() {
    let mut world = ready(2);
    let key = Key::new(b"a").unwrap();
    let get = Request::Get { key, with_key: false, quiet: false };
    let mut begins = |target, request: &Request<'_>| {
        let before = world.cluster.last_opaque();
        let begun = world.cluster.begin_lone(world.now, target, request);
        assert_eq!(world.cluster.last_opaque(), before.wrapping_add(u32::from(begun.is_some())));
        begun.is_some()
    };
    assert!(!begins(Target::Server(0), &get));
    assert!(!begins(Target::Key, &Request::Get { key, with_key: false, quiet: true }));
    assert!(!begins(Target::Key, &Request::Noop));
    assert!(!begins(Target::Key, &Request::Stat { group: b"items" }));
    assert!(begins(Target::Key, &get));
}

#[test]
fn a_disabled_server_does_not_keep_others_from_going_alone() {
    let mut world = ready(2);
    world.kill(0);
    world.noop(0);
    world.run();
    assert_eq!(world.health(0), Health::Disabled);
    let key = world.key_of(1);
    world.get(&key);
    assert_eq!(world.went_alone, 1);
    // Its own keys take the general way, to the other one.
    let key = world.key_of(0);
    let get = world.get(&key);
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { server: 1, .. }));
    assert_eq!(world.went_alone, 1);
    // When it is due, it is tried before anything else.
    let due = world.cluster.poll_deadline().unwrap();
    world.now = due;
    world.peers[0].mode = Mode::Up;
    world.get(&world.key_of(1));
    assert_eq!(world.went_alone, 1);
    world.run();
    assert_eq!(world.health(0), Health::Ready);
}
