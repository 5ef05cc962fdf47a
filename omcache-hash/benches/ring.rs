//! Building a continuum by its size, and looking keys up by distribution and size.
//!
//! `lookup/*` passes 1,000 keys of 16 bytes: microseconds there are nanoseconds a key.
//! `hash/*` does the same with the hash function alone, to take from the former.

#![allow(missing_docs, clippy::unwrap_used, reason = "nothing here is for others to use")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use omcache_hash::{Continuum, HashFunction, Named, Server};

const SIZES: [usize; 5] = [1, 4, 32, 256, 2048];
const KEYS: usize = 1000;

fn hosts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect()
}

fn servers(hosts: &[String]) -> Vec<Server<'_>> {
    hosts.iter().map(|host| Server::new(host, "11212")).collect()
}

fn keys() -> Vec<String> {
    (0..KEYS).map(|n| format!("user:{:011}", n * 7_919)).collect()
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("build");
    for named in [Named::Ketama, Named::KetamaWeighted, Named::Dalli] {
        for size in SIZES {
            let hosts = hosts(size);
            let servers = servers(&hosts);
            group.bench_function(BenchmarkId::new(named.name(), size), |b| {
                b.iter(|| Continuum::new(&named, black_box(&servers)));
            });
        }
    }
    group.finish();
}

fn lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup");
    let keys = keys();
    let distributions = [
        Named::Ketama,
        Named::KetamaWeighted,
        Named::KetamaPre1010,
        Named::KetamaBy(HashFunction::Crc),
        Named::Modula(HashFunction::OneAtATime),
        Named::TwemproxyKetama { hash_tag: None },
        Named::Dalli,
        Named::PythonMemcached,
        Named::McrouterCh3,
    ];
    for named in distributions {
        for size in [4, 32, 2048] {
            let hosts = hosts(size);
            let continuum = Continuum::new(&named, &servers(&hosts)).unwrap();
            group.bench_function(BenchmarkId::new(named.name(), size), |b| {
                b.iter(|| {
                    for key in &keys {
                        black_box(continuum.server(black_box(key.as_bytes())));
                    }
                });
            });
        }
    }
    let hosts = hosts(4);
    let continuum = Continuum::new(&Named::PymemcacheRendezvous, &servers(&hosts)).unwrap();
    group.bench_function(BenchmarkId::new(Named::PymemcacheRendezvous.name(), 4), |b| {
        b.iter(|| {
            for key in &keys {
                black_box(continuum.server(black_box(key.as_bytes())));
            }
        });
    });
    group.finish();
}

fn walk(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    let keys = keys();
    for size in [4, 2048] {
        let hosts = hosts(size);
        let continuum = Continuum::new(&Named::Ketama, &servers(&hosts)).unwrap();
        for taken in [1, 2] {
            group.bench_function(BenchmarkId::new(format!("first_{taken}"), size), |b| {
                b.iter(|| {
                    for key in &keys {
                        black_box(continuum.walk(black_box(key.as_bytes())).nth(taken - 1));
                    }
                });
            });
        }
    }
    group.finish();
}

fn hash(c: &mut Criterion) {
    let mut group = c.benchmark_group("hash");
    let keys = keys();
    for function in HashFunction::ALL {
        group.bench_function(function.name(), |b| {
            b.iter(|| {
                for key in &keys {
                    black_box(function.hash(black_box(key.as_bytes())));
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(30);
    targets = hash, lookup, walk, build
}
criterion_main!(benches);
