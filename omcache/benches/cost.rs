//! What an operation costs in instructions of the program (callgrind) and in system calls (strace), which repeat where
//! times do not: four servers, 16-byte keys, 100-byte values.
//!
//! It runs itself under `valgrind` and `strace`, twice for each workload, and takes the difference, so that the start and
//! the connects do not count. Where one of them is not installed it says so, and prints what the other one finds. The
//! program runs where no server has anything to do, so that all answers are there when it looks for them; `cargo xtask
//! cost` has all on one processor for that.
#![allow(clippy::expect_used, reason = "a benchmark that fails must not go on")]

#[path = "client/cache_server.rs"]
#[allow(dead_code, reason = "the other benchmark tells what it measures against")]
mod cache_server;

use std::io;
use std::process::{Command as Process, Stdio};

use omcache::{Client, Command, Expiration, Item, Mode};

use cache_server::CacheServer;

/// Tells the program that it is to be measured: a workload, how often, and the servers.
const ROLE: &str = "OMCACHE_COST_ROLE";
const KEYS: usize = 100;
const VALUE: [u8; 100] = [b'v'; 100];
const WORKLOADS: [&str; 6] =
    ["get", "get_with", "set", "get_multi of 100, a key", "get_multi_with of 100, a key", "queued set"];
/// Runs of which the cheapest counts.
const TRIES: usize = 3;
/// Operations of the shorter and of the longer run.
const RUNS: [usize; 2] = [1_000, 11_000];

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return work(&role);
    }
    // `cargo test --benches` asks for no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let servers: Vec<_> = (0..4).map(|_| CacheServer::start().expect("a server")).collect();
    let list: Vec<_> = servers.iter().map(CacheServer::address).collect();
    println!("{:<30}{:>14}{:>14}", "an operation costs", "instructions", "system calls");
    for workload in WORKLOADS {
        let cost = |count: fn(&str) -> io::Result<u64>| {
            // The cheapest of some runs: where the machine is busy, a wait may end before all is there.
            let [short, long] = RUNS.map(|run| {
                let role = format!("{workload};{run};{}", list.join(","));
                (0..TRIES).map(|_| count(&role)).reduce(|least, next| Ok(least?.min(next?))).expect("a run")
            });
            let operations = RUNS[1] - RUNS[0];
            #[allow(clippy::cast_precision_loss, reason = "a few digits are wanted")]
            match (short, long) {
                (Ok(short), Ok(long)) => {
                    format!("{:.2}", long.saturating_sub(short) as f64 / operations as f64)
                }
                (Err(error), _) | (_, Err(error)) => error.to_string(),
            }
        };
        println!("{workload:<30}{:>14}{:>14}", cost(instructions), cost(system_calls));
    }
}

/// Runs this program with a role under a tool; what the tool wrote to standard error.
fn run_under(tool: &str, arguments: &[&str], role: &str) -> io::Result<String> {
    let program = std::env::current_exe()?;
    let mut command = Process::new("chrt");
    command.args(["--idle", "0", tool]).args(arguments).arg(program).env(ROLE, role).stdout(Stdio::null());
    let output = command.output().map_err(|_| io::Error::other("no chrt"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.starts_with("chrt: failed to execute") {
        return Err(io::Error::other(format!("no {tool}")));
    }
    if output.status.success() { Ok(text) } else { Err(io::Error::other(format!("{tool}: {text}"))) }
}

fn instructions(role: &str) -> io::Result<u64> {
    let text = run_under("valgrind", &["--tool=callgrind", "--callgrind-out-file=/dev/null"], role)?;
    let counted = text.lines().find_map(|line| line.split("Collected :").nth(1));
    counted.and_then(|count| count.trim().parse().ok()).ok_or_else(|| io::Error::other("no count"))
}

fn system_calls(role: &str) -> io::Result<u64> {
    let text = run_under("strace", &["-f", "-c", "-U", "calls,name"], role)?;
    let total = text.lines().rev().find(|line| line.trim_end().ends_with("total"));
    let count = total.and_then(|line| line.split_whitespace().next()?.parse().ok());
    count.ok_or_else(|| io::Error::other("no count"))
}

/// The program that is measured.
fn work(role: &str) {
    let mut parts = role.split(';');
    let mut next = || parts.next().expect("a part of the role");
    let (workload, operations, list) = (next(), next().parse::<usize>().expect("a number"), next());
    // No time limit, as the C programs have none that are compared with this.
    let client = Client::builder().servers(list).expect("servers").timeout(None);
    let mut client = client.build().expect("a client");
    let keys: Vec<_> = (0..KEYS).map(|n| format!("key_{n:012}")).collect();
    let items: Vec<_> = keys.iter().map(|key| Item::new(key, &VALUE)).collect();
    for stored in client.set_multi(&items) {
        assert!(stored.expect("a stored value").is_stored());
    }
    match workload {
        "get" => {
            for key in keys.iter().cycle().take(operations) {
                assert!(client.get(key).expect("get").is_some());
            }
        }
        "get_with" => {
            for key in keys.iter().cycle().take(operations) {
                assert!(client.get_with(key, |value| value.data.len()).expect("get_with").is_some());
            }
        }
        "set" => {
            for key in keys.iter().cycle().take(operations) {
                assert!(client.set(key, &VALUE, Expiration::NEVER).expect("set").is_stored());
            }
        }
        "queued set" => {
            for item in items.iter().cycle().take(operations) {
                client.queue(&Command::Store(Mode::Set, *item)).expect("queue");
            }
            assert!(client.flush().expect("flush").failures.is_empty());
        }
        "get_multi_with of 100, a key" => {
            for _ in 0..operations / KEYS {
                let mut len = 0;
                let found = client.get_multi_with(&keys, |_, value| len += value.data.len());
                assert!(found.into_iter().all(|found| found.is_ok_and(|found| found)));
                assert_eq!(len, KEYS * VALUE.len());
            }
        }
        _ => {
            for _ in 0..operations / KEYS {
                assert!(
                    client.get_multi(&keys).into_iter().all(|value| value.is_ok_and(|value| value.is_some()))
                );
            }
        }
    }
}
