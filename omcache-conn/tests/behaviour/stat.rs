//! STAT: many responses to one request, the last of them without a name.

use omcache_conn::{Config, Outcome, Target};
use omcache_proto::Request;
use omcache_proto::binary::Status;

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode};

fn ready(config: Config) -> World {
    let mut world = World::new(config, 1);
    world.noop(0);
    world.run();
    world
}

fn stat(world: &mut World) -> u32 {
    world.submit(Target::Server(0), &Request::Stat { group: b"" }).unwrap()
}

fn lines(world: &World, opaque: u32) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    world.ledger.record(opaque).lines.iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn each_line_is_a_response_and_the_empty_one_ends_it() {
    let mut world = ready(Config::default());
    world.peers[0].stat_lines = 200;
    let quiet = world.set_quiet("a", 1);
    let (first, second) = (stat(&mut world), stat(&mut world));
    let get = world.get("a");
    world.run();
    assert_eq!(world.fate(quiet), &Fate::Settled(Outcome::Silent));
    for opaque in [first, second] {
        let expected: Vec<_> = (0..200).map(|n| (format!("line{n}"), n.to_string())).collect();
        assert_eq!(lines(&world, opaque), expected);
        let end = Fate::Answered { server: 0, status: Status::SUCCESS, value: Vec::new() };
        assert_eq!(world.fate(opaque), &end);
    }
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
}

#[test]
fn it_is_pending_until_its_end() {
    let mut world = ready(Config::default());
    world.peers[0].read_max = 40;
    let opaque = stat(&mut world);
    while lines(&world, opaque).len() < 2 {
        world.round();
    }
    assert!(world.cluster.has_pending());
    assert!(world.cluster.interests().next().unwrap().readable);
    world.run();
    assert_eq!(lines(&world, opaque).len(), 3);
    assert!(!world.cluster.has_pending());
}

#[test]
fn an_error_ends_it() {
    let mut world = ready(Config::default());
    world.peers[0].stat_lines = 0;
    world.peers[0].lie = Some((0, Lie::Status));
    world.ledger.statuses_lie = true;
    let opaque = stat(&mut world);
    let behind = world.get("a");
    world.run();
    assert!(matches!(world.fate(opaque), Fate::Answered { status: Status::INTERNAL_ERROR, .. }));
    assert!(matches!(world.fate(behind), Fate::Answered { .. }));
}

#[test]
fn a_line_that_is_too_large_is_its_only_outcome() {
    // A line has 24 + 5 + 1 bytes, from the eleventh on more.
    let mut world = ready(Config { receive_limit: 30, ..Config::default() });
    world.peers[0].stat_lines = 15;
    let (opaque, behind) = (stat(&mut world), world.noop(0));
    world.run();
    assert_eq!(lines(&world, opaque).len(), 10);
    let outcome = Outcome::ResponseTooLarge { status: Status::SUCCESS, len: 32, limit: 30 };
    assert_eq!(world.fate(opaque), &Fate::Settled(outcome));
    assert!(matches!(world.fate(behind), Fate::Answered { .. }));
    assert_eq!(world.peers[0].accepted, 1);
}

#[test]
fn a_connection_that_breaks_between_lines_leaves_it_unknown() {
    let mut world = ready(Config::default());
    world.peers[0].read_max = 40;
    let opaque = stat(&mut world);
    while lines(&world, opaque).is_empty() {
        world.round();
    }
    world.peers[0].mode = Mode::Hanging;
    world.reset(0);
    world.run();
    assert!(world.fate(opaque).is_unknown());
    assert!(!lines(&world, opaque).is_empty());
}
