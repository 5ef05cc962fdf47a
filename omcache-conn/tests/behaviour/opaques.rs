//! Request numbers: they count up, and wrap without losing a response.

use omcache_conn::{Config, Outcome, Target};
use omcache_proto::Request;

use crate::sim::World;
use crate::sim::ledger::Fate;

#[test]
fn they_wrap_with_many_requests_in_flight() {
    for before_the_end in [0, 1, 2, 500, 999, 1_000] {
        let mut world = World::new(Config::default(), 3);
        world.cluster.set_last_opaque(u32::MAX - before_the_end);
        let mut quiet = Vec::new();
        let mut loud = Vec::new();
        for n in 0..1_000 {
            match n % 4 {
                0 => loud.push(world.set(&format!("key{n}"), n % 100)),
                1 => loud.push(world.get(&format!("key{}", n - 1))),
                2 => quiet.push(world.get_quiet(&format!("absent{n}"))),
                _ => quiet.push(world.set_quiet(&format!("key{n}"), 3)),
            }
        }
        assert_eq!(world.cluster.last_opaque(), (u32::MAX - before_the_end).wrapping_add(1_000));
        world.cluster.settle_quiet();
        world.run();
        assert!(loud.iter().all(|&opaque| matches!(world.fate(opaque), Fate::Answered { .. })));
        assert!(quiet.iter().all(|&opaque| *world.fate(opaque) == Fate::Settled(Outcome::Silent)));
    }
}

#[test]
fn those_in_flight_on_both_sides_of_the_wrap_are_told_apart_when_they_fail() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.cluster.set_last_opaque(u32::MAX - 2);
    world.peers[0].window = 100;
    world.peers[0].mode = crate::sim::peer::Mode::Hanging;
    let sent: Vec<_> = (0..4).map(|n| world.get(&format!("a{n}"))).collect();
    assert_eq!(sent, [u32::MAX - 1, u32::MAX, 0, 1]);
    world.run();
    let unsent: Vec<_> = (0..3).map(|n| world.get(&format!("b{n}"))).collect();
    world.cancel(u32::MAX, 3 + 3);
    assert_eq!(world.fate(unsent[2]), &Fate::Cancelled);
    assert_eq!(world.fate(sent[3]), &Fate::Pending, "it was sent in part");
    world.peers[0].mode = crate::sim::peer::Mode::Up;
    world.run();
    assert!(sent.iter().all(|&opaque| matches!(world.fate(opaque), Fate::Answered { .. })));
}

#[test]
fn a_refused_request_takes_none() {
    let mut world = World::new(Config { send_limit: 30, ..Config::default() }, 1);
    world.cluster.set_last_opaque(7);
    assert!(world.submit(Target::Server(1), &Request::Noop).is_err());
    assert!(world.submit(Target::Key, &Request::Noop).is_err(), "it has no key");
    assert!(world.store(Target::Key, omcache_proto::StoreMode::Set, "a", 100, false).is_err());
    assert_eq!(world.get("a"), 8);
}
