//! Connections that break: what had arrived, what was sent, what was not.

use omcache_conn::{Config, Failure, Outcome};

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::Mode;

#[test]
fn answers_that_arrived_before_the_end_count() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    let answered = world.get("a");
    world.round();
    world.peers[0].mode = Mode::Closing;
    let lost = world.get("b");
    world.run();
    assert!(matches!(world.fate(answered), Fate::Answered { .. }));
    assert_eq!(world.fate(lost), &Fate::Settled(Outcome::Unknown(Failure::Closed)));
}

#[test]
fn a_break_while_writing_is_a_break() {
    let mut world = World::new(Config::default(), 1);
    world.noop(0);
    world.run();
    world.reset(0);
    // Nothing is read at rest, so it shows when the next request is written; that is not sent yet.
    let get = world.get("a");
    world.run();
    assert!(matches!(world.fate(get), Fate::Answered { .. }));
    assert_eq!(world.peers[0].accepted, 2);
}

#[test]
fn a_server_that_closes_on_every_request_fails_every_request() {
    let mut world = World::new(Config::default(), 1);
    let mut fates = Vec::new();
    for round in 0..10 {
        world.peers[0].mode = Mode::Up;
        world.noop(0);
        world.run();
        world.peers[0].mode = Mode::Closing;
        let set = world.set("a", round);
        world.round();
        world.round();
        world.peers[0].mode = Mode::Up;
        world.run();
        fates.push(world.fate(set).clone());
    }
    assert_eq!(fates, vec![Fate::Settled(Outcome::Unknown(Failure::Closed)); 10]);
}

#[test]
fn quit_is_answered_and_then_the_connection_ends() {
    use omcache_conn::{Health, Target};
    use omcache_proto::Request;
    let mut world = World::new(Config::default(), 1);
    let quit = world.submit(Target::Server(0), &Request::Quit { quiet: false }).unwrap();
    let behind = world.noop(0);
    world.run();
    assert!(matches!(world.fate(quit), Fate::Answered { .. }));
    assert!(world.fate(behind).is_unknown());
    assert_eq!(world.health(0), Health::Ready, "it was owed an answer, so it was connected anew");
    let quit = world.submit(Target::Server(0), &Request::Quit { quiet: true }).unwrap();
    world.noop(0);
    world.run();
    assert!(world.fate(quit).is_unknown(), "nothing tells that it was read");
}
