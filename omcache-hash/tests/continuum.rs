//! The continuum's edges: no servers, too many, distributions of one's own, fingerprints.

use std::error::Error;

use omcache_hash::{
    BuildError, Continuum, Distribution, HashFunction, MAX_SERVERS, Named, Placement, RingDistribution,
    Server, hash,
};

const THREE: [Server<'static>; 3] = [
    Server::new("10.0.0.1", "11211"),
    Server::new("10.0.0.2", "11212"),
    Server::new("cache.example.net", "11211"),
];

fn keys() -> impl Iterator<Item = String> {
    (0..500).map(|n| format!("user:{n}"))
}

/// The same server for every key, and the rest backwards.
struct Last;

impl Distribution for Last {
    fn name(&self) -> &str {
        "last"
    }

    fn build(&self, servers: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError> {
        if servers.len() > 5 {
            return Err(BuildError::Distribution {
                distribution: self.name().to_owned(),
                source: "five at most".into(),
            });
        }
        Ok(Box::new(Backwards(servers.len())))
    }
}

struct Backwards(usize);

impl Placement for Backwards {
    fn server(&self, _: &[u8]) -> usize {
        self.0 - 1
    }

    fn walk<'a>(&'a self, _: &[u8]) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        Box::new((0..self.0).rev())
    }
}

/// Answers beyond the list, and offers each server twice, and one that is none.
struct Wild;

impl Distribution for Wild {
    fn name(&self) -> &str {
        "wild"
    }

    fn build(&self, _: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError> {
        Ok(Box::new(Wild))
    }
}

impl Placement for Wild {
    fn server(&self, _: &[u8]) -> usize {
        4
    }

    fn walk<'a>(&'a self, _: &[u8]) -> Box<dyn Iterator<Item = usize> + Send + 'a> {
        Box::new([4, 2, 2, 9, 1].into_iter())
    }
}

#[test]
fn without_servers_no_key_is_placed() {
    for named in Named::all() {
        let continuum = Continuum::new(&named, &[]).unwrap();
        assert!(continuum.is_empty());
        assert_eq!(continuum.server(b"key"), None);
        assert_eq!(continuum.walk(b"key").next(), None);
    }
    assert_eq!(Continuum::default().server(b"key"), None);
    assert_eq!(Continuum::new(&Last, &[]).unwrap().server(b"key"), None);
}

#[test]
fn a_single_server_has_every_key() {
    for named in Named::all() {
        let continuum = Continuum::new(&named, &THREE[..1]).unwrap();
        assert_eq!(continuum.len(), 1);
        for key in ["", "a", "\u{e4}\u{f6}"] {
            assert_eq!(continuum.server(key.as_bytes()), Some(0));
            assert!(continuum.walk(key.as_bytes()).eq([0]));
        }
    }
}

#[test]
fn too_many_servers_are_refused() {
    let servers = vec![THREE[0]; MAX_SERVERS + 1];
    let distributions: [&dyn Distribution; 3] = [&Named::Ketama, &Named::McrouterCh3, &Last];
    for distribution in distributions {
        match Continuum::new(distribution, &servers) {
            Err(BuildError::TooManyServers { given, most }) => {
                assert_eq!((given, most), (MAX_SERVERS + 1, MAX_SERVERS));
            }
            other => panic!("{}: {other:?}", distribution.name()),
        }
    }
    let most = Continuum::new(&Named::Modula(HashFunction::Md5), &servers[1..]).unwrap();
    assert_eq!(most.walk(b"key").count(), MAX_SERVERS);
}

#[test]
fn as_many_servers_as_may_be_are_taken() {
    let hosts: Vec<_> = (0..MAX_SERVERS).map(|n| n.to_string()).collect();
    let servers: Vec<_> = hosts.iter().map(|host| Server { host, ..THREE[0] }).collect();
    let one_point = |_: &Server<'_>, points: &mut Vec<u32>| points.push(7);
    let own = RingDistribution::new("own", one_point, |key| HashFunction::Md5.hash(key));
    let distributions: [&dyn Distribution; 4] =
        [&Named::Ketama, &Named::PythonMemcached, &Named::PymemcacheRendezvous, &own];
    for distribution in distributions {
        let most = Continuum::new(distribution, &servers).unwrap();
        assert!(most.server(b"key").is_some(), "{}", distribution.name());
    }
}

#[test]
fn weights_of_zero_leave_no_point() {
    let servers = THREE.map(|server| server.with_weight(0));
    let tagged = Named::TwemproxyKetama { hash_tag: Some(*b"{}") };
    for named in [Named::Dalli, Named::PythonMemcached, tagged] {
        let error = Continuum::new(&named, &servers).unwrap_err();
        assert_eq!(error.to_string(), format!("distribution {named} gives no point to any of 3 servers"));
    }
    // libmemcached takes 0 for 1.
    let zero = Continuum::new(&Named::KetamaWeighted, &servers).unwrap();
    let one = Continuum::new(&Named::KetamaWeighted, &THREE).unwrap();
    assert!(keys().all(|key| zero.server(key.as_bytes()) == one.server(key.as_bytes())));
}

#[test]
fn a_server_without_points_comes_last() {
    let mut servers = THREE;
    servers[1].weight = 0;
    for named in [Named::Dalli, Named::TwemproxyKetama { hash_tag: None }, Named::PythonMemcached] {
        let continuum = Continuum::new(&named, &servers).unwrap();
        assert!(keys().all(|key| continuum.server(key.as_bytes()) != Some(1)), "{named}");
    }
    let continuum = Continuum::new(&Named::Dalli, &servers).unwrap();
    assert!(keys().all(|key| continuum.walk(key.as_bytes()).last() == Some(1)));
}

#[test]
fn weights_move_keys() {
    let mut servers = THREE;
    servers[2].weight = 8;
    let weighted = [
        Named::KetamaWeighted,
        Named::KetamaPre1010,
        Named::Dalli,
        Named::PythonMemcached,
        Named::TwemproxyKetama { hash_tag: None },
    ];
    for named in weighted {
        let continuum = Continuum::new(&named, &servers).unwrap();
        let share = keys().filter(|key| continuum.server(key.as_bytes()) == Some(2)).count();
        assert!((350..=450).contains(&share), "{named}: {share} of 500 keys for weight 8 of 10");
    }
    for named in [Named::Ketama, Named::Omcache03KetamaWeighted, Named::SpymemcachedKetama] {
        let with = Continuum::new(&named, &servers).unwrap();
        let without = Continuum::new(&named, &THREE).unwrap();
        assert!(keys().all(|key| with.server(key.as_bytes()) == without.server(key.as_bytes())));
    }
}

#[test]
fn twemproxy_hashes_what_is_tagged_and_names_by_name() {
    let tagged = Continuum::new(&Named::TwemproxyKetama { hash_tag: Some(*b"{}") }, &THREE).unwrap();
    assert!(keys().all(|key| {
        let whole = format!("a{{{key}}}b");
        tagged.server(whole.as_bytes()) == tagged.server(key.as_bytes())
    }));
    // A name is all that a server's points are made of.
    let here = [THREE[0].with_name("one"), THREE[1].with_name("two")];
    let there = [THREE[2].with_name("one"), THREE[0].with_name("two")];
    let plain = Named::TwemproxyKetama { hash_tag: None };
    let here = Continuum::new(&plain, &here).unwrap();
    let there = Continuum::new(&plain, &there).unwrap();
    assert!(keys().all(|key| here.server(key.as_bytes()) == there.server(key.as_bytes())));
}

#[test]
fn a_distribution_of_ones_own_decides() {
    let continuum = Continuum::new(&Last, &THREE).unwrap();
    assert_eq!(continuum.distribution(), "last");
    assert_eq!(continuum.server(b"key"), Some(2));
    assert!(continuum.walk(b"key").eq([2, 1, 0]));
    let error = Continuum::new(&Last, &[THREE[0]; 6]).unwrap_err();
    assert_eq!(error.to_string(), "distribution last failed");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("five at most"));
}

#[test]
fn wild_answers_are_tamed() {
    let continuum = Continuum::new(&Wild, &THREE).unwrap();
    assert_eq!(continuum.server(b"key"), Some(1));
    assert!(continuum.walk(b"key").eq([1, 2, 0]));
}

#[test]
fn a_ring_of_ones_own_is_a_ring() {
    // OMcache 0.3's ketama, put together from outside.
    let own = RingDistribution::new(
        "own",
        |server, points| {
            for n in 0..100 {
                let name = match server.port {
                    "11211" => format!("{}-{n}", server.host),
                    port => format!("{}:{port}-{n}", server.host),
                };
                points.push(hash::one_at_a_time_unsigned(name.as_bytes()));
            }
        },
        hash::one_at_a_time_unsigned,
    );
    let own = Continuum::new(&own, &THREE).unwrap();
    let named = Continuum::new(&Named::Omcache03Ketama, &THREE).unwrap();
    for key in keys() {
        assert_eq!(own.server(key.as_bytes()), named.server(key.as_bytes()));
        assert!(own.walk(key.as_bytes()).eq(named.walk(key.as_bytes())));
    }
    let pointless = RingDistribution::new("pointless", |_, _| {}, hash::crc32);
    let error = Continuum::new(&pointless, &THREE).unwrap_err();
    assert!(matches!(error, BuildError::NoPoints { servers: 3, .. }), "{error:?}");
}

#[test]
fn walks_over_many_servers_are_permutations() {
    // Around the number up to which a walk needs no memory of its own.
    for count in [255, 256, 257, 1000] {
        let hosts: Vec<String> = (0..count).map(|n| format!("cache{n}")).collect();
        let servers: Vec<Server<'_>> = hosts.iter().map(|host| Server::new(host, "1")).collect();
        let continuum = Continuum::new(&Named::Ketama, &servers).unwrap();
        for key in keys().take(20) {
            let mut walk: Vec<usize> = continuum.walk(key.as_bytes()).collect();
            assert_eq!(walk.first().copied(), continuum.server(key.as_bytes()));
            walk.sort_unstable();
            assert!(walk.into_iter().eq(0..count));
        }
    }
}

#[test]
fn fingerprints_stay() {
    // Clients of different releases compare these: they may never change.
    let servers = [THREE[0], THREE[1].with_weight(2).with_name("two"), THREE[2]];
    let fingerprint = |named: Named| Continuum::new(&named, &servers).unwrap().fingerprint();
    assert_eq!(fingerprint(Named::Ketama), 0xf54c_a9b4_0a57_f5e8);
    assert_eq!(fingerprint(Named::Dalli), 0x9a77_9fd4_03d9_946d);
    assert_eq!(Continuum::new(&Last, &THREE).unwrap().fingerprint(), 0x9fdd_b4ad_0093_67f9);
    assert_eq!(Continuum::default().fingerprint(), 0xbc1d_89ca_1729_a58d);
}

#[test]
fn fingerprints_tell_views_apart() {
    let mut seen = Vec::new();
    let mut note = |distribution: &dyn Distribution, servers: &[Server<'_>]| {
        let fingerprint = Continuum::new(distribution, servers).unwrap().fingerprint();
        assert!(!seen.contains(&fingerprint), "{} {servers:?}", distribution.name());
        seen.push(fingerprint);
    };
    let [a, b, c] = THREE;
    for servers in [
        &[][..],
        &[a],
        &[a, b],
        &[b, a],
        &[a, b, c],
        &[a, b.with_weight(2), c],
        &[a, b, c.with_weight(2)],
        &[a, b, c.with_name("")],
        &[a, b, c.with_name("c")],
        &[a, b.with_name("c"), c],
        &[Server::new("10.0.0.1", "1121"), Server::new("1", "")],
        &[Server::new("10.0.0.1", "112"), Server::new("11", "")],
    ] {
        note(&Named::Ketama, servers);
    }
    note(&Named::TwemproxyKetama { hash_tag: None }, &THREE);
    note(&Named::TwemproxyKetama { hash_tag: Some(*b"{}") }, &THREE);
    note(&Named::TwemproxyKetama { hash_tag: Some(*b"()") }, &THREE);
    // The same name, other points: only the answers differ.
    let points = |of: fn(&[u8]) -> u32| {
        move |server: &Server<'_>, points: &mut Vec<u32>| {
            points.extend((0..20).map(|n| of(format!("{}{n}", server.host).as_bytes())));
        }
    };
    note(&RingDistribution::new("own", points(hash::md5), hash::md5), &THREE);
    note(&RingDistribution::new("own", points(hash::md5), hash::murmur), &THREE);
    note(&RingDistribution::new("own", points(hash::crc32), hash::md5), &THREE);
}

#[test]
fn two_names_of_one_distribution_have_one_fingerprint() {
    for (one, other) in [
        (Named::Ketama, Named::KetamaBy(HashFunction::OneAtATime)),
        (Named::Omcache03Ketama, Named::KetamaBy(HashFunction::OneAtATimeUnsigned)),
        (Named::KetamaWeighted, Named::KetamaWeightedBy(HashFunction::Md5)),
        (Named::KetamaPre1010, Named::KetamaWeightedBy(HashFunction::OneAtATime)),
    ] {
        let one = Continuum::new(&one, &THREE).unwrap();
        let other = Continuum::new(&other, &THREE).unwrap();
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.distribution(), other.distribution());
        for key in keys() {
            assert!(one.walk(key.as_bytes()).eq(other.walk(key.as_bytes())));
        }
    }
}

#[test]
fn what_libmemcached_does_with_weights_is_named() {
    let light = THREE;
    let heavy = [THREE[0].with_weight(2), THREE[1]];
    for (named, expected) in [
        (Named::Ketama, Named::KetamaPre1010),
        (Named::KetamaBy(HashFunction::OneAtATime), Named::KetamaPre1010),
        (Named::KetamaBy(HashFunction::Md5), Named::KetamaWeighted),
        (Named::KetamaBy(HashFunction::Crc), Named::KetamaWeightedBy(HashFunction::Crc)),
        (Named::KetamaWeighted, Named::KetamaWeighted),
        (Named::Modula(HashFunction::Crc), Named::Modula(HashFunction::Crc)),
        (Named::Dalli, Named::Dalli),
    ] {
        assert_eq!(named.as_libmemcached(&light), named);
        assert_eq!(named.as_libmemcached(&heavy), expected);
    }
}

#[test]
fn a_continuum_goes_between_threads() {
    fn between<T: Send + Sync>() {}
    fn into<T: Send>() {}
    between::<Continuum>();
    into::<omcache_hash::Walk<'_>>();
}
