//! Limits of what is buffered, and values that arrive in any pieces.

use omcache_conn::{Config, Failure, Outcome, ServerChange, SubmitError};
use omcache_proto::binary::Status;

use crate::sim::World;
use crate::sim::ledger::Fate;
use crate::sim::peer::{Lie, Mode};

const CHUNK: usize = 64 * 1024;

fn ready(config: Config) -> World {
    let mut world = World::new(config, 1);
    world.noop(0);
    world.run();
    world
}

/// Length of the packet that [`World::get`] makes of a key of one byte.
const GET: usize = 25;

#[test]
fn a_request_beyond_the_send_limit_is_refused_and_nothing_of_it_is_sent() {
    let mut world = ready(Config { send_limit: 2 * GET + 9, ..Config::default() });
    let (first, second) = (world.get("a"), world.get("b"));
    let refused = world.store(omcache_conn::Target::Key, omcache_proto::StoreMode::Set, "c", 10, false);
    let (needed, queued) = (24 + 8 + 1 + "c@1:".len() + 10, 2 * GET);
    let expected = SubmitError::SendBufferFull { server: 0, needed, queued, limit: 2 * GET + 9 };
    assert_eq!(refused, Err(expected));
    world.run();
    assert_eq!(world.peers[0].keys_seen(), ["a", "b"]);
    assert!(matches!(world.fate(first), Fate::Answered { .. }));
    assert!(matches!(world.fate(second), Fate::Answered { .. }));
    // What is sent makes room.
    let third = world.set("c", 10);
    world.run();
    assert!(matches!(world.fate(third), Fate::Answered { .. }));
}

#[test]
fn a_request_that_fills_the_limit_is_taken() {
    let mut world = World::new(Config { send_limit: 2 * GET, ..Config::default() }, 1);
    world.get("a");
    world.get("b");
    world.run();
    assert_eq!(world.peers[0].keys_seen(), ["a", "b"]);
    let full = Config { send_limit: GET - 1, ..Config::default() };
    world.cluster.set_config(full);
    let key = omcache_proto::Key::new(b"a").unwrap();
    let get = omcache_proto::Request::Get { key, with_key: true, quiet: false };
    assert!(world.submit(omcache_conn::Target::Key, &get).is_err());
}

#[test]
fn bytes_that_the_socket_took_do_not_count() {
    let mut world = ready(Config { send_limit: 1_100, ..Config::default() });
    world.peers[0].mode = Mode::Hanging;
    world.peers[0].window = 600;
    world.set("a", 1_000);
    world.run();
    world.set("b", 500);
    world.peers[0].mode = Mode::Up;
    world.run();
    assert_eq!(world.peers[0].keys_seen(), ["a", "b"]);
}

#[test]
fn settling_quiet_requests_is_not_refused() {
    let mut world = World::new(Config { send_limit: 60, ..Config::default() }, 1);
    let set = world.set_quiet("a", 60 - 24 - 8 - 1 - "a@1:".len());
    world.cluster.settle_quiet();
    world.run();
    assert_eq!(world.fate(set), &Fate::Settled(Outcome::Silent));
}

#[test]
fn a_response_beyond_the_receive_limit_fails_its_request_alone() {
    for read_max in [usize::MAX, 1_000, 24, 1] {
        let mut world = ready(Config { receive_limit: 5_000, ..Config::default() });
        world.peers[0].read_max = read_max;
        world.peers[0].put("small", "s");
        world.peers[0].put("large", "l".repeat(5_000));
        let (quiet, before) = (world.get_quiet("absent"), world.get("small"));
        let (large, after) = (world.get("large"), world.get("small"));
        let quiet_large = world.get_quiet("large");
        let last = world.get("small");
        world.run();
        assert_eq!(world.fate(quiet), &Fate::Settled(Outcome::Silent));
        for opaque in [before, after, last] {
            assert!(world.value(opaque).starts_with(b"s|"));
        }
        for opaque in [large, quiet_large] {
            let Fate::Settled(Outcome::ResponseTooLarge { status: Status::SUCCESS, len, limit: 5_000 }) =
                world.fate(opaque)
            else {
                panic!("{:?}", world.fate(opaque))
            };
            assert_eq!(*len, 24 + 4 + 5 + 5_000 + "|0#2".len());
        }
        assert_eq!((world.peers[0].accepted, world.changes.len()), (1, 1));
    }
}

#[test]
fn a_response_that_fills_the_receive_limit_is_taken() {
    let len = 24 + 4 + 1 + 100 + "|0#1".len();
    for (receive_limit, fits) in [(len, true), (len - 1, false)] {
        let mut world = ready(Config { receive_limit, ..Config::default() });
        world.peers[0].put("a", "v".repeat(100));
        let get = world.get("a");
        world.run();
        assert_eq!(matches!(world.fate(get), Fate::Answered { .. }), fits);
    }
}

#[test]
fn an_announced_length_is_not_believed() {
    let mut world = ready(Config::default());
    world.peers[0].lie = Some((0, Lie::Huge));
    let (get, behind) = (world.get("a"), world.get("b"));
    world.run();
    let Fate::Settled(Outcome::ResponseTooLarge { len, .. }) = world.fate(get) else { panic!() };
    assert_eq!(*len, 0xffff_fff0 + 24);
    // The rest of it is not waited for.
    let failure = Failure::ResponseTooLarge { len: *len, limit: Config::default().receive_limit };
    assert_eq!(world.fate(behind), &Fate::Settled(Outcome::Unknown(failure.clone())));
    assert_eq!(world.changes_of(0)[1..], [ServerChange::Lost { failure }, ServerChange::Connected]);
    let again = world.get("b");
    world.run();
    assert!(matches!(world.fate(again), Fate::Answered { .. }));
}

#[test]
fn responses_may_be_split_anywhere() {
    for read_max in (1..130).chain([1_000, CHUNK - 1, CHUNK, CHUNK + 1]) {
        let mut world = ready(Config::default());
        world.peers[0].read_max = read_max;
        let sets: Vec<_> = (0..5).map(|n| world.set(&format!("key{n}"), 20 * n)).collect();
        let gets: Vec<_> = (0..5).map(|n| world.get(&format!("key{n}"))).collect();
        let missing = world.get_quiet("absent");
        let noop = world.noop(0);
        world.run();
        for opaque in sets.into_iter().chain([noop]) {
            assert!(matches!(world.fate(opaque), Fate::Answered { .. }));
        }
        // The ledger compares the values.
        assert!(gets.iter().all(|&get| world.value(get).starts_with(b"key")));
        assert_eq!(world.fate(missing), &Fate::Settled(Outcome::Silent));
    }
}

#[test]
fn values_of_any_length_arrive_whole() {
    let around = |len: usize| [len - 40, len - 33, len - 1, len, len + 1];
    let lengths: Vec<_> =
        [CHUNK / 4, CHUNK - 24, CHUNK, 2 * CHUNK, 1 << 20].into_iter().flat_map(around).collect();
    for (takes_values, read_max) in [(false, usize::MAX), (true, usize::MAX), (true, 1_460), (false, 30_000)]
    {
        let mut world = ready(Config { receive_limit: 2 << 20, ..Config::default() });
        world.takes_values = takes_values;
        world.peers[0].read_max = read_max;
        world.peers[0].backlog = usize::MAX;
        let mut gets = Vec::new();
        for len in &lengths {
            let value: Vec<u8> = (0..*len).map(|at| (at % 251) as u8).collect();
            world.peers[0].put(&format!("{len}"), value);
            // Small ones in between, so that the large ones begin anywhere in a chunk.
            gets.extend([world.get("absent"), world.get(&format!("{len}")), world.get_quiet("absent")]);
        }
        world.noop(0);
        world.run();
        assert!(world.ledger.pending().is_empty());
        for (get, len) in gets.chunks(3).map(|three| three[1]).zip(&lengths) {
            let value = world.value(get);
            assert!(
                value.len() > *len && value[..*len].iter().enumerate().all(|(at, &b)| b == (at % 251) as u8)
            );
        }
        world.check_kept_values();
    }
}

#[test]
fn a_batch_of_any_size_passes_through_small_sockets() {
    let mut world = ready(Config::default());
    // The server stops reading while nobody reads its answers.
    (world.peers[0].window, world.peers[0].backlog) = (100, 100);
    let sets: Vec<_> = (0..20).map(|n| world.set(&format!("key{n}"), 2_000)).collect();
    let gets: Vec<_> = (0..100).map(|n| world.get(&format!("key{}", n % 20))).collect();
    world.run();
    assert!(sets.iter().chain(&gets).all(|&opaque| matches!(world.fate(opaque), Fate::Answered { .. })));
}
