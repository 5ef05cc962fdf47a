//! Values that outlive their event: taken out, or held where they are; and how much memory that keeps.

use omcache_conn::{Cluster, Config, Event};

use crate::sim::World;

const CHUNK: usize = 64 * 1024;

fn ready() -> World {
    let mut world = World::new(Config { receive_limit: 4 << 20, ..Config::default() }, 1);
    world.noop(0);
    world.run();
    world
}

/// Where bytes lie in memory.
fn place(bytes: &[u8]) -> std::ops::Range<usize> {
    let start = bytes.as_ptr().addr();
    start..start + bytes.len()
}

fn overlap(a: &std::ops::Range<usize>, b: &std::ops::Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Values as they come, taken without copying, and where the borrowed ones were.
fn take_values(world: &mut World) -> Vec<(bytes::Bytes, std::ops::Range<usize>)> {
    let mut taken = Vec::new();
    loop {
        world.pass_time();
        world.transmit();
        while let Some(event) = world.cluster.poll_event() {
            if let Event::Response(response) = event {
                let borrowed = place(response.value());
                taken.push((response.into_value(), borrowed));
            }
        }
        if !(world.serve() | world.io()) {
            return taken;
        }
    }
}

#[test]
fn a_value_is_taken_out_without_copying() {
    let mut world = ready();
    world.peers[0].backlog = usize::MAX;
    for len in [1, 100, CHUNK, 1 << 20] {
        world.peers[0].put("a", "v".repeat(len));
        for _ in 0..3 {
            world.get("a");
        }
        world.get("absent");
        let taken = take_values(&mut world);
        assert_eq!(taken.len(), 4);
        for (value, borrowed) in &taken[..3] {
            assert_eq!((place(value), value[0]), (borrowed.clone(), b'v'));
        }
    }
}

#[test]
fn a_small_value_keeps_one_chunk_and_a_large_one_about_itself() {
    for with_large_ones in [false, true] {
        let mut world = ready();
        world.peers[0].put("small", "v".repeat(50));
        world.peers[0].put("large", "v".repeat(900_000));
        if with_large_ones {
            // Their buffers are used again, and not for small values.
            for _ in 0..3 {
                world.get("large");
                world.run();
            }
        }
        let mut kept = Vec::new();
        for key in ["small", "large", "small", "small", "large", "small"] {
            world.get(key);
            kept.extend(take_values(&mut world).into_iter().map(|(value, _)| value));
        }
        drop(world);
        // What only one refers to gives its memory back.
        let sizes: Vec<_> = kept
            .into_iter()
            .filter_map(|value| {
                let len = value.len();
                Some((len, value.try_into_mut().ok()?.capacity()))
            })
            .collect();
        assert!(
            sizes.iter().any(|&(len, _)| len < 100) && sizes.iter().any(|&(len, _)| len > 900_000),
            "{sizes:?}"
        );
        for (len, capacity) in sizes {
            assert!(capacity <= CHUNK.max(2 * len), "{len} bytes keep {capacity}");
        }
    }
}

#[test]
fn a_connection_at_rest_keeps_nothing_of_a_large_value() {
    let mut world = ready();
    world.peers[0].put("a", "v".repeat(900_000));
    world.get("a");
    let (value, _) = take_values(&mut world).pop().unwrap();
    // Nothing but the value refers to its memory, so it can be changed in place.
    assert!(value.is_unique());
}

#[test]
fn what_is_held_is_not_written_over() {
    let mut world = ready();
    world.cluster.hold_received(true);
    world.peers[0].put("a", "v".repeat(30_000));
    let mut seen = Vec::new();
    for round in 0..20 {
        if round == 10 {
            world.reset(0);
        }
        for _ in 0..3 {
            world.get("a");
        }
        watch(&mut world, |space, world| {
            assert!(seen.iter().all(|held| !overlap(held, space)), "in round {round}");
            while let Some(event) = world.poll_event() {
                if let Event::Response(response) = event {
                    seen.push(place(response.value()));
                }
            }
        });
    }
    assert!(seen.len() > 50, "{}", seen.len());
    // Once it is released, its memory is used again.
    world.cluster.release_received();
    world.cluster.hold_received(false);
    let mut again = false;
    for _ in 0..20 {
        world.get("a");
        watch(&mut world, |space, world| {
            again |= seen.iter().any(|released| overlap(released, space));
            while world.poll_event().is_some() {}
        });
    }
    assert!(again, "the test would not see it");
}

/// Drives, and shows each room that was read to, and none where events may have come in another way.
fn watch(world: &mut World, mut look: impl FnMut(&std::ops::Range<usize>, &mut Cluster)) {
    loop {
        world.pass_time();
        world.transmit();
        look(&(0..0), &mut world.cluster);
        world.serve();
        let readable: Vec<_> = world.cluster.interests().filter(|interest| interest.readable).collect();
        let mut moved = world.pass_time();
        for interest in readable {
            let space = place(world.cluster.receive_space(interest.connection));
            if world.read(interest.connection) {
                look(&space, &mut world.cluster);
                moved = true;
            }
        }
        let interests: Vec<_> = world.cluster.interests().collect();
        if !moved && interests.iter().all(|interest| !interest.writable) {
            return;
        }
        world.io();
    }
}

#[test]
fn what_is_thrown_away_is_not_held() {
    let mut world = ready();
    let config = Config { receive_limit: 1_000, ..world.cluster.config().clone() };
    world.cluster.set_config(config);
    world.cluster.hold_received(true);
    (world.peers[0].backlog, world.peers[0].read_max) = (usize::MAX, 16 * 1024);
    world.peers[0].put("large", "v".repeat(3 << 20));
    world.get("large");
    world.get("absent");
    let mut spaces = std::collections::BTreeSet::new();
    watch(&mut world, |space, world| {
        spaces.insert(space.start);
        while world.poll_event().is_some() {}
    });
    // 3 MiB in reads of 16 KiB went through a chunk or two.
    assert!(spaces.len() <= 8, "{} places", spaces.len());
    assert!(!world.cluster.has_pending());
}

#[test]
fn what_came_after_a_mark_is_let_go_of_alone() {
    let mut world = ready();
    world.peers[0].backlog = usize::MAX;
    world.cluster.hold_received(true);
    let value = "v".repeat(20_000);
    world.peers[0].put("a", value.clone());
    let get = |world: &mut World, count: usize| {
        (0..count).for_each(|_| {
            world.get("a");
        });
        let mut places = Vec::new();
        loop {
            world.pass_time();
            world.transmit();
            while let Some(event) = world.cluster.poll_event() {
                if let Event::Response(response) = event {
                    places.push(place(response.value()));
                }
            }
            if !(world.serve() | world.io()) {
                return places;
            }
        }
    };
    let kept = get(&mut world, 5);
    let mark = world.cluster.mark_received();
    assert!(mark > 0);
    for _ in 0..20 {
        for later in get(&mut world, 3) {
            assert!(kept.iter().all(|kept| !overlap(kept, &later)), "{kept:?}, {later:?}");
        }
        assert!(world.cluster.mark_received() > mark);
        world.cluster.release_received_after(mark);
        assert_eq!(world.cluster.mark_received(), mark);
    }
    world.cluster.release_received();
    assert_eq!(world.cluster.mark_received(), 0);
}
