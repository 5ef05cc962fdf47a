//! Many servers, many requests: each step costs what it concerns, so that these come to an end soon.

use omcache_conn::{Config, Failure, Outcome};

use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;
use crate::sim::{World, literal};

#[test]
fn a_thousand_servers_that_die_at_once() {
    let mut world = World::new(Config::default(), 1_000);
    for server in 0..1_000 {
        world.noop(server);
    }
    world.run();
    let gets: Vec<_> = (0..2_000).map(|n| world.get(&format!("key{n}"))).collect();
    world.run();
    assert!(gets.iter().all(|&get| matches!(world.fate(get), Fate::Answered { .. })));
    // All but ten of them.
    for peer in 10..1_000 {
        world.kill(peer);
    }
    let gets: Vec<_> = (0..2_000).map(|n| world.get(&format!("key{n}"))).collect();
    world.run();
    assert!(gets.iter().all(|&get| matches!(world.fate(get), Fate::Answered { server: 0..10, .. })));
    world.cluster.set_servers((0..10).map(literal).collect()).unwrap();
    world.run();
    assert!(world.ledger.pending().is_empty());
}

#[test]
fn many_requests_in_flight_on_one_connection() {
    const MANY: u32 = 30_000;
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = usize::MAX;
    let first = world.cluster.last_opaque() + 1;
    for n in 0..MANY {
        match n % 3 {
            0 => world.get("a"),
            1 => world.get_quiet("a"),
            _ => world.set_quiet("b", 0),
        };
    }
    world.run();
    // Nothing of it can be taken back.
    for n in 0..MANY {
        world.cancel(first + n, 1);
    }
    world.peers[0].mode = Mode::Up;
    world.cluster.settle_quiet();
    world.run();
    assert!(world.ledger.pending().is_empty());
    assert!((first..first + MANY).all(|opaque| !world.fate(opaque).is_unknown()));
}

#[test]
fn many_requests_that_are_lost_at_once() {
    const MANY: u32 = 30_000;
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.peers[0].window = 500_000;
    world.peers[0].mode = Mode::Hanging;
    let first = world.cluster.last_opaque() + 1;
    for _ in 0..MANY {
        world.get("a");
    }
    world.run();
    world.cluster.disconnect_all();
    world.run();
    let unknown = Fate::Settled(Outcome::Unknown(Failure::Disconnected));
    let not_sent = Fate::Settled(Outcome::NotSent(Failure::Disconnected));
    let lost = (first..first + MANY).filter(|&opaque| *world.fate(opaque) == unknown).count();
    let kept = (first..first + MANY).filter(|&opaque| *world.fate(opaque) == not_sent).count();
    assert_eq!((lost, kept), (500_000 / 25, MANY as usize - 500_000 / 25));
}
