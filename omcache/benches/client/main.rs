//! What the client's work costs beside the exchange itself: each workload, and its ratio to a bare loop that sends
//! packets encoded beforehand and does not look at the answers.
//!
//! Against memcached where it is installed, else against the embedded server. Times differ from machine to machine and
//! from minute to minute; the ratios at the end come from rounds that take turns, and are what to compare.
#![allow(clippy::expect_used, reason = "a benchmark that fails must not go on")]

mod bare;
mod cache_server;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use omcache::{Client, Command, Expiration, Item, Mode};

use bare::Bare;
use cache_server::CacheServer;

const KEYS: usize = 100;
const VALUE: [u8; 100] = [b'v'; 100];
/// Sets between two flushes.
const QUEUED: usize = 10_000;

/// One unit of a workload, and how many operations it is.
#[derive(Clone, Copy)]
enum Workload {
    Get,
    Set,
    GetMulti,
    QueueFlush,
}

const WORKLOADS: [Workload; 4] = [Workload::Get, Workload::Set, Workload::GetMulti, Workload::QueueFlush];

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::GetMulti => "get_multi of 100",
            Self::QueueFlush => "queue 10,000 and flush",
        }
    }

    fn operations(self) -> usize {
        match self {
            Self::Get | Self::Set => 1,
            Self::GetMulti => KEYS,
            Self::QueueFlush => QUEUED,
        }
    }

    fn by_client(self, client: &mut Client, keys: &[String], turn: &mut usize) {
        let key = &keys[*turn % KEYS];
        *turn += 1;
        match self {
            Self::Get => {
                black_box(client.get(key).expect("get").expect("a stored value"));
            }
            Self::Set => {
                black_box(client.set(key, &VALUE, Expiration::NEVER).expect("set").is_stored());
            }
            Self::GetMulti => {
                for value in client.get_multi(keys) {
                    black_box(value.expect("get_multi").expect("a stored value"));
                }
            }
            Self::QueueFlush => {
                for key in keys.iter().cycle().take(QUEUED) {
                    client.queue(&Command::Store(Mode::Set, Item::new(key, &VALUE))).expect("queue");
                }
                assert!(client.flush().expect("flush").failures.is_empty());
            }
        }
    }

    fn bare(self, bare: &mut Bare, turn: &mut usize) {
        let at = *turn % KEYS;
        *turn += 1;
        match self {
            Self::Get => bare.get(at),
            Self::Set => bare.set(at),
            Self::GetMulti => bare.get_multi(),
            Self::QueueFlush => bare.quiet_sets(),
        }
        .expect("bare loop");
    }
}

fn main() {
    let server = CacheServer::start().expect("a cache server");
    let mut client = Client::connect_to(server.address()).expect("an address");
    let keys: Vec<_> = (0..KEYS).map(|n| format!("bench:key:{n:06}")).collect();
    for key in &keys {
        assert!(client.set(key, &VALUE, Expiration::NEVER).expect("set").is_stored());
    }
    let mut bare = Bare::connect(server.address(), &keys, &VALUE, QUEUED).expect("a bare connection");

    println!("server: {}", server.name());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    for workload in WORKLOADS {
        let mut group = criterion.benchmark_group(workload.name());
        group.throughput(Throughput::Elements(workload.operations() as u64));
        let mut turn = 0;
        group.bench_function("client", |b| b.iter(|| workload.by_client(&mut client, &keys, &mut turn)));
        group.bench_function("bare loop", |b| b.iter(|| workload.bare(&mut bare, &mut turn)));
        group.finish();
    }
    criterion.final_summary();

    // As a test, every workload once is enough.
    if std::env::args().any(|argument| argument == "--bench") {
        println!("\nOperations a second and their ratio: medians of {ROUNDS} rounds that take turns");
        println!(
            "{:24} {:>12} {:>12} {:>24}",
            "workload", "client", "bare loop", "ratio (1.00 is the limit)"
        );
        for workload in WORKLOADS {
            let [ours, theirs, ratio] = compare(workload, &mut client, &keys, &mut bare);
            println!("{:24} {ours:>12.0} {theirs:>12.0} {ratio:>24.2}", workload.name());
        }
    }
}

const ROUNDS: usize = 61;
const ROUND: Duration = Duration::from_millis(20);

/// Operations a second of the client and of the bare loop, and the ratio of rounds that followed each other.
fn compare(workload: Workload, client: &mut Client, keys: &[String], bare: &mut Bare) -> [f64; 3] {
    let mut turn = 0;
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|round| {
            // None is always the one that comes first.
            let bare_first = (round % 2 == 0).then(|| rate(workload, || workload.bare(bare, &mut turn)));
            let ours = rate(workload, || workload.by_client(client, keys, &mut turn));
            let theirs = bare_first.unwrap_or_else(|| rate(workload, || workload.bare(bare, &mut turn)));
            [ours, theirs, ours / theirs]
        })
        .collect();
    [0, 1, 2].map(|column| {
        let mut column: Vec<_> = rounds.iter().map(|round| round[column]).collect();
        column.sort_by(f64::total_cmp);
        column[ROUNDS / 2]
    })
}

fn rate(workload: Workload, mut unit: impl FnMut()) -> f64 {
    let (begin, mut units) = (Instant::now(), 0);
    while begin.elapsed() < ROUND {
        unit();
        units += 1;
    }
    (units * workload.operations()) as f64 / begin.elapsed().as_secs_f64()
}
