//! What the ring costs: building it, and looking a key up.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use omcache_hash::{Continuum, HashFunction, Named, Server};

/// Builds and look-ups of which the quickest, and the mean, count.
const BUILDS: usize = 5;
const LOOK_UPS: usize = 1_000_000;

/// Prints `NAME build_us=... hash_ns=... lookup_ns=... together_ns=...` for both kinds of ring with so many servers.
pub(crate) fn run(count: usize) -> Result<(), Box<dyn Error>> {
    let hosts: Vec<String> =
        (0..count).map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect();
    let servers: Vec<Server<'_>> = hosts.iter().map(|host| Server::new(host, "11211")).collect();
    let keys: Vec<String> = (0..1024).map(|n| format!("key_{n:012}")).collect();
    let key = |at: usize| keys[at % keys.len()].as_bytes();
    for (name, named, hash) in [
        ("ketama", Named::Ketama, HashFunction::OneAtATime),
        ("ketama_weighted", Named::KetamaWeighted, HashFunction::Md5),
    ] {
        let mut quickest = f64::MAX;
        let mut continuum = Continuum::default();
        for _ in 0..BUILDS {
            let begin = Instant::now();
            continuum = Continuum::new(&named, &servers)?;
            quickest = quickest.min(begin.elapsed().as_secs_f64());
        }
        let alone = nanos(|| {
            for at in 0..LOOK_UPS {
                black_box(hash.hash(black_box(key(at))));
            }
        });
        let lookup = nanos(|| {
            for at in 0..LOOK_UPS {
                black_box(continuum.server(black_box(key(at))));
            }
        });
        let together = nanos(|| {
            continuum.for_each_server(
                LOOK_UPS,
                |at| black_box(key(at)),
                |_, server| {
                    black_box(server);
                },
            );
        });
        println!(
            "{name} build_us={:.0} hash_ns={alone:.1} lookup_ns={lookup:.1} together_ns={together:.1}",
            quickest * 1e6
        );
    }
    Ok(())
}

/// Nanoseconds of each of so many look-ups.
fn nanos(look_up: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    look_up();
    begin.elapsed().as_secs_f64() / LOOK_UPS as f64 * 1e9
}
