//! What holds for any servers and any key.

use std::collections::BTreeSet;

use omcache_hash::{Continuum, Distribution, HashFunction, Named, Ring, Server};
use proptest::prelude::*;

/// One-at-a-time by the textbook, but for the sign of its bytes.
fn one_at_a_time(bytes: &[u8], signed: bool) -> u32 {
    let mut hash = 0_u32;
    for &byte in bytes {
        let byte = if signed { i32::from(byte as i8) as u32 } else { u32::from(byte) };
        hash = hash.wrapping_add(byte);
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// The point that has a hash, looked for among all: the least one at or above it, or the least.
fn linear(points: &[(u32, usize)], hash: u32) -> usize {
    let least = |points: &mut dyn Iterator<Item = &(u32, usize)>| {
        // `min_by_key` keeps the first of equal ones.
        points.min_by_key(|point| point.0).map(|point| point.1)
    };
    least(&mut points.iter().filter(|point| point.0 >= hash))
        .or_else(|| least(&mut points.iter()))
        .unwrap_or(0)
}

type Given = Vec<(String, String, u32)>;

fn given(most: usize) -> impl Strategy<Value = Given> {
    let host = prop_oneof![
        "[a-z]{1,12}(\\.[a-z]{1,8}){0,2}",
        "10\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}",
        "fd00::[0-9a-f]{1,4}",
        "/run/[a-z]{1,8}",
    ];
    let port = prop_oneof![Just("11211".to_owned()), "[1-9][0-9]{0,4}"];
    prop::collection::vec((host, port, 1..9_u32), 1..most)
}

fn servers(given: &Given) -> Vec<Server<'_>> {
    given.iter().map(|(host, port, weight)| Server::new(host, port).with_weight(*weight)).collect()
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80)
}

fn named() -> impl Strategy<Value = Named> {
    prop::sample::select(Named::all().collect::<Vec<_>>())
}

/// Distributions in which no server's points depend on another server.
fn independent() -> impl Strategy<Value = Named> {
    prop::sample::select(vec![
        Named::Ketama,
        Named::KetamaBy(HashFunction::Crc),
        Named::KetamaBy(HashFunction::Murmur),
        Named::Omcache03Ketama,
        Named::Omcache03KetamaWeighted,
        Named::Omcache03KetamaPre1010,
        Named::SpymemcachedKetama,
        Named::PymemcacheRendezvous,
    ])
}

/// Points as a poor hash function makes them too: few values, many in one place, the ends.
fn points() -> impl Strategy<Value = Vec<(u32, usize)>> {
    let hash = prop_oneof![
        4 => any::<u32>(),
        2 => 0..64_u32,
        2 => 0x8000_0000..0x8000_0100_u32,
        1 => Just(0),
        1 => Just(u32::MAX),
    ];
    prop::collection::vec((hash, 0..300_usize), 1..200)
}

/// Several keys: of equal lengths, as most are, of similar ones, and of any.
fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        (0..70_usize, 0..70_usize).prop_flat_map(|(len, count)| of_lengths(len, 0, count)),
        (0..70_usize, 1..40_usize, 0..70_usize)
            .prop_flat_map(|(len, more, count)| of_lengths(len, more, count)),
        // About the bytes that are hashed at a time.
        (1..4_usize, 1..4_usize, 0..70_usize).prop_flat_map(|(groups, more, count)| of_lengths(
            16 * groups,
            more,
            count
        )),
        prop::collection::vec(key(), 0..100),
    ]
}

fn of_lengths(len: usize, more: usize, count: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), len..=len + more), count)
}

fn looked_up_as_one(named: Named, given: &Given, keys: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let continuum = Continuum::new(&named, &servers(given))?;
    let mut found = Vec::new();
    continuum.for_each_server(keys.len(), |at| &keys[at], |at, server| found.push((at, Some(server))));
    let alone = keys.iter().map(|key| continuum.server(key)).enumerate().rev();
    prop_assert_eq!(found, alone.collect::<Vec<_>>());
    Ok(())
}

proptest! {
    /// Many keys at once have the servers that each has alone.
    #[test]
    fn many_keys_are_looked_up_as_one(given in given(20), named in named(), keys in keys()) {
        looked_up_as_one(named, &given, &keys)?;
    }

    /// The default has a way of its own for many keys.
    #[test]
    fn many_keys_are_looked_up_as_one_in_ketama(given in given(5), keys in keys()) {
        looked_up_as_one(Named::Ketama, &given, &keys)?;
    }

    #[test]
    fn a_walk_is_a_permutation_that_begins_with_the_server(
        named in named(), given in given(50), key in key(),
    ) {
        let servers = servers(&given);
        let continuum = Continuum::new(&named, &servers)?;
        let walk: Vec<usize> = continuum.walk(&key).collect();
        prop_assert_eq!(walk.first().copied(), continuum.server(&key));
        prop_assert_eq!(walk.len(), servers.len());
        prop_assert_eq!(walk.iter().copied().collect::<BTreeSet<_>>().len(), servers.len());
        prop_assert_eq!(walk.iter().max().copied(), Some(servers.len() - 1));
    }

    #[test]
    fn a_ring_finds_what_a_linear_search_finds(
        points in points(), hashes in prop::collection::vec(any::<u32>(), 20),
    ) {
        let ring = Ring::new(points.iter().copied())?;
        prop_assert_eq!(ring.len(), points.len());
        // Points, their neighbours, and anything.
        let near = points.iter().flat_map(|point| {
            [point.0.wrapping_sub(1), point.0, point.0.wrapping_add(1)]
        });
        for hash in near.chain(hashes) {
            let expected = linear(&points, hash);
            prop_assert_eq!(ring.server(hash), expected, "hash {:#x}", hash);
            prop_assert_eq!(ring.servers_from(hash).next(), Some(expected));
        }
    }

    #[test]
    fn a_ring_goes_round_in_order(points in points(), hash in any::<u32>()) {
        let mut sorted = points.clone();
        sorted.sort_by_key(|point| point.0);
        let first = sorted.iter().position(|point| point.0 >= hash).unwrap_or(0);
        sorted.rotate_left(first);
        let ring = Ring::new(points)?;
        prop_assert!(ring.servers_from(hash).eq(sorted.into_iter().map(|point| point.1)));
    }

    #[test]
    fn ketama_is_what_its_description_says(given in given(12), key in key()) {
        for (named, signed) in [(Named::Ketama, true), (Named::Omcache03Ketama, false)] {
            let servers = servers(&given);
            let mut points = Vec::new();
            for (index, server) in servers.iter().enumerate() {
                for n in 0..100 {
                    let name = match server.port {
                        "11211" => format!("{}-{n}", server.host),
                        port => format!("{}:{port}-{n}", server.host),
                    };
                    points.push((one_at_a_time(name.as_bytes(), signed), index));
                }
            }
            let expected = linear(&points, one_at_a_time(&key, signed));
            prop_assert_eq!(Continuum::new(&named, &servers)?.server(&key), Some(expected));
        }
    }

    #[test]
    fn one_at_a_time_is_the_textbooks(key in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(HashFunction::OneAtATime.hash(&key), one_at_a_time(&key, true));
        prop_assert_eq!(HashFunction::OneAtATimeUnsigned.hash(&key), one_at_a_time(&key, false));
    }

    #[test]
    fn a_removed_server_moves_its_own_keys_alone(
        named in independent(), given in given(20), gone in any::<prop::sample::Index>(),
        keys in prop::collection::vec(key(), 1..20),
    ) {
        prop_assume!(given.len() > 1);
        let gone = gone.index(given.len());
        let servers = servers(&given);
        let mut fewer = servers.clone();
        fewer.remove(gone);
        let before = Continuum::new(&named, &servers)?;
        let after = Continuum::new(&named, &fewer)?;
        for key in &keys {
            // Not the first server alone: the whole order stays, without the one that is gone.
            let expected = before.walk(key).filter(|&server| server != gone);
            let found = after.walk(key).map(|server| server + usize::from(server >= gone));
            prop_assert!(expected.eq(found), "{} without {}", named, gone);
        }
    }

    #[test]
    fn ch3_gives_keys_to_a_new_server_alone(count in 1..3000_usize, key in key()) {
        let hosts = vec![Server::new("host", "11211"); count + 1];
        let before = Continuum::new(&Named::McrouterCh3, &hosts[..count])?.server(&key);
        let after = Continuum::new(&Named::McrouterCh3, &hosts)?.server(&key);
        prop_assert!(after == before || after == Some(count));
    }

    #[test]
    fn the_order_of_servers_moves_no_key_of_a_ring(
        given in given(8), key in key(),
    ) {
        // Equal servers are told apart by their order alone; a socket's path has no port.
        let mut given = given;
        given.sort();
        given.dedup_by(|a, b| a.0 == b.0 && (a.1 == b.1 || a.0.starts_with('/')));
        let mut servers = servers(&given);
        let weighted = [Named::Ketama, Named::KetamaWeighted, Named::Dalli];
        let find = |servers: &[Server<'_>], named: Named| -> Result<String, TestCaseError> {
            let index = Continuum::new(&named, servers)?.server(&key).unwrap_or(usize::MAX);
            Ok(format!("{:?}", servers.get(index)))
        };
        let before = weighted.map(|named| find(&servers, named));
        servers.reverse();
        for (named, before) in weighted.into_iter().zip(before) {
            prop_assert_eq!(before?, find(&servers, named)?);
        }
    }

    #[test]
    fn a_placement_answers_as_the_continuum_does(
        named in named(), given in given(20), key in key(),
    ) {
        let servers = servers(&given);
        let continuum = Continuum::new(&named, &servers)?;
        let placement = named.build(&servers)?;
        prop_assert_eq!(Some(placement.server(&key)), continuum.server(&key));
        prop_assert_eq!(placement.walk(&key).next(), continuum.server(&key));
    }
}
