//! The loop that is timed, and the line that tells the result.

use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Quiet sets between two flushes.
pub(crate) const QUEUED: usize = 1000;

/// How many keys a workload has: as many as a batch, "get100" or the like, has in its name, and others 100.
pub(crate) fn key_count(workload: &str) -> usize {
    workload.strip_prefix("get").and_then(|count| count.parse().ok()).unwrap_or(100)
}

/// How long, or how many operations.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    Time(Duration),
    Operations(usize),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
        match text.split_once(':') {
            Some(("ms", msec)) => Ok(Self::Time(Duration::from_millis(number(msec)? as u64))),
            Some(("ops", operations)) => Ok(Self::Operations(number(operations)?)),
            _ => Err(format!("{text} is neither ms:N nor ops:N")),
        }
    }
}

fn cpu_nanos() -> u128 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    time.tv_sec() as u128 * 1_000_000_000 + time.tv_nsec() as u128
}

/// Runs units until the budget is used up; each is told the number of its operation, and returns how many it was.
pub(crate) fn measure(budget: Budget, mut unit: impl FnMut(usize) -> usize) {
    let mut meter = Meter::begin(budget);
    while meter.goes_on() {
        meter.count(unit(meter.done));
    }
    meter.tell();
}

/// As [`measure`], in one task of a runtime, as a service has it.
pub(crate) async fn measure_in_task(budget: Budget, mut unit: impl AsyncFnMut(usize) -> usize) {
    let mut meter = Meter::begin(budget);
    while meter.goes_on() {
        meter.count(unit(meter.done).await);
    }
    meter.tell();
}

/// Measures the units of a loop.
struct Meter {
    limit: usize,
    length: Duration,
    latencies: Vec<u32>,
    done: usize,
    cpu: u128,
    begin: Instant,
    now: Instant,
}

impl Meter {
    fn begin(budget: Budget) -> Self {
        let (limit, length) = match budget {
            Budget::Time(length) => (usize::MAX, length),
            Budget::Operations(limit) => (limit, Duration::MAX),
        };
        let (latencies, cpu, now) = (Vec::with_capacity(1 << 20), cpu_nanos(), Instant::now());
        Self { limit, length, latencies, done: 0, cpu, begin: now, now }
    }

    fn goes_on(&self) -> bool {
        match self.limit {
            usize::MAX => self.now - self.begin < self.length,
            limit => self.done < limit,
        }
    }

    fn count(&mut self, operations: usize) {
        self.done += operations;
        if self.limit == usize::MAX {
            let later = Instant::now();
            if self.latencies.len() < self.latencies.capacity() {
                self.latencies.push((later - self.now).as_nanos() as u32);
            }
            self.now = later;
        }
    }

    fn tell(mut self) {
        let (wall, cpu) = (self.begin.elapsed().as_nanos(), cpu_nanos() - self.cpu);
        let (done, latencies) = (self.done, &mut self.latencies);
        latencies.sort_unstable();
        let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
        println!(
            "ops={done} wall_ns={wall} cpu_ns={cpu} p50_ns={} p99_ns={} rss_kb={}",
            at(50),
            at(99),
            peak_memory().unwrap_or_default()
        );
    }
}

/// The most memory that the process had at once, in kB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
