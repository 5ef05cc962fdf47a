//! One run of a measured program: its time, its instructions, its system calls.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::clients::Client;
use super::processor::LAST;

/// What a client is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'t> {
    pub(super) servers: &'t str,
    pub(super) workload: &'t str,
    /// Length of the values, in bytes.
    pub(super) value: usize,
}

/// What a run of a program told of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Operations a second.
    pub(super) rate: f64,
    /// Processor time an operation, in microseconds.
    pub(super) cpu: f64,
    /// Latencies of what is sent at once, in microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// The most memory at once, in MiB.
    pub(super) memory: f64,
}

impl Sample {
    /// Reads the line that a measured program prints.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let number = |name: &str| -> Result<f64> {
            let field = line.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            let field = field.with_context(|| format!("no {name} in {line:?}"))?;
            field.parse().with_context(|| format!("{name} in {line:?}"))
        };
        let ops = number("ops")?;
        if ops < 1.0 {
            bail!("nothing was done: {line:?}");
        }
        Ok(Self {
            rate: ops / number("wall_ns")? * 1e9,
            cpu: number("cpu_ns")? / ops / 1e3,
            p50: number("p50_ns")? / 1e3,
            p99: number("p99_ns")? / 1e3,
            memory: number("rss_kb")? / 1024.0,
        })
    }

    /// The median of each figure.
    pub(super) fn median(samples: &[Self]) -> Option<Self> {
        let of = |figure: fn(&Self) -> f64| median(samples.iter().map(figure).collect());
        Some(Self {
            rate: of(|sample| sample.rate)?,
            cpu: of(|sample| sample.cpu)?,
            p50: of(|sample| sample.p50)?,
            p99: of(|sample| sample.p99)?,
            memory: of(|sample| sample.memory)?,
        })
    }
}

/// A client's rate in relation to another one's, round by round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    /// The median.
    pub(super) middle: f64,
    /// The median of ever more rounds is between these, with a probability of 95 %.
    pub(super) between: [f64; 2],
}

impl Ratio {
    /// What came of the same rounds of both.
    pub(super) fn of(samples: &[Sample], others: &[Sample]) -> Option<Self> {
        let mut ratios: Vec<f64> =
            samples.iter().zip(others).map(|(sample, other)| sample.rate / other.rate).collect();
        ratios.sort_by(f64::total_cmp);
        // The sign test: how many rounds are below the true median is binomial.
        let count = ratios.len();
        #[expect(clippy::cast_precision_loss, reason = "some rounds")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below their number")]
        let beyond = ((count as f64 - 1.96 * (count as f64).sqrt()) / 2.0).max(0.0) as usize;
        let between = [*ratios.get(beyond)?, *ratios.get(count.checked_sub(beyond + 1)?)?];
        Some(Self { middle: median(ratios)?, between })
    }
}

/// The middle one, or the lower one of two.
pub(super) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

/// Runs a client for about so long.
pub(super) fn time(client: &Client, task: Task<'_>, msec: u32) -> Result<Sample> {
    let (out, _) = run(&[], client, task, &format!("ms:{msec}"))?;
    Sample::parse(out.trim())
}

/// Instructions an operation, in the program's own code and its libraries', the least of some tries.
pub(super) fn instructions(client: &Client, task: Task<'_>, runs: [usize; 2], tries: usize) -> Result<f64> {
    difference(runs, tries, |budget| {
        let tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let (_, told) = run(&[&LAST[..], &tool].concat(), client, task, budget)?;
        let count = told.lines().find_map(|line| line.split("Collected :").nth(1)).context("no count")?;
        Ok(count.trim().parse()?)
    })
}

/// System calls an operation, the least of some tries.
pub(super) fn system_calls(client: &Client, task: Task<'_>, runs: [usize; 2], tries: usize) -> Result<f64> {
    difference(runs, tries, |budget| {
        let tool = ["strace", "-f", "-c", "-U", "calls,name"];
        let (_, told) = run(&[&LAST[..], &tool].concat(), client, task, budget)?;
        let total = told.lines().rev().find(|line| line.trim_end().ends_with("total"));
        let count = total.and_then(|line| line.split_whitespace().next()).context("no total")?;
        Ok(count.parse()?)
    })
}

/// The cost of an operation: of a longer run and a shorter one the difference, so that the start does not count. Of some tries
/// the cheapest counts: where the machine is busy, a wait may end before all is there.
fn difference(runs: [usize; 2], tries: usize, count: impl Fn(&str) -> Result<u64>) -> Result<f64> {
    let cheapest = |operations: usize| -> Result<u64> {
        let mut least = u64::MAX;
        for _ in 0..tries {
            least = least.min(count(&format!("ops:{operations}"))?);
        }
        Ok(least)
    };
    let (short, long) = (cheapest(runs[0])?, cheapest(runs[1])?);
    // The programs don't do nothing: where they seem to, they have not been told what to do.
    let more = long.checked_sub(short).filter(|more| *more > 0);
    let more = more.with_context(|| format!("{long} for {} operations, {short} for {}", runs[1], runs[0]))?;
    #[expect(clippy::cast_precision_loss, reason = "a few digits are wanted")]
    Ok(more as f64 / (runs[1] - runs[0]) as f64)
}

fn run(tool: &[&str], client: &Client, task: Task<'_>, budget: &str) -> Result<(String, String)> {
    let words: Vec<_> = tool.iter().map(Into::into).chain(client.command.iter().cloned()).collect();
    let (program, arguments) = words.split_first().context("no program")?;
    let mut command = Command::new(program);
    command.args(arguments).args([task.servers, task.workload, &task.value.to_string(), budget]);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {}", client.name))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("{} {}: {}", client.name, task.workload, told.lines().last().unwrap_or_default());
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "ops=1000 wall_ns=2000000 cpu_ns=1000000 p50_ns=1500 p99_ns=3000 rss_kb=2048";
        let sample = Sample::parse(line).unwrap();
        assert_eq!(sample, Sample { rate: 500_000.0, cpu: 1.0, p50: 1.5, p99: 3.0, memory: 2.0 });
        assert!(Sample::parse("ops=1 wall_ns=2").unwrap_err().to_string().contains("cpu_ns"));
        assert!(Sample::parse(&line.replace("1000 wall", "0 wall")).is_err());
    }

    #[test]
    fn the_median_is_one_of_them() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![2.0, 1.0]), Some(1.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_ratio_is_of_each_round_and_tells_how_sure_it_is() {
        let of = |rates: Vec<f64>| -> Vec<Sample> {
            rates.into_iter().map(|rate| Sample { rate, ..Sample::default() }).collect()
        };
        // The machine becomes slower with each round, for both.
        let others = of((1..=15).map(|round| 1500.0 / f64::from(round)).collect());
        let samples = others.iter().enumerate().map(|(at, other)| other.rate * (0.9 + at as f64 / 100.0));
        let ratio = Ratio::of(&of(samples.collect()), &others).unwrap();
        let is = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(
            is(ratio.middle, 0.97) && is(ratio.between[0], 0.93) && is(ratio.between[1], 1.01),
            "{ratio:?}"
        );
        let three = Ratio::of(&of(vec![2.0, 1.0, 3.0]), &of(vec![1.0; 3])).unwrap();
        assert_eq!(three, Ratio { middle: 2.0, between: [1.0, 3.0] });
        assert_eq!(Ratio::of(&[], &others), None);
    }

    #[test]
    fn the_start_does_not_count() {
        let count = |budget: &str| {
            Ok(5_000 + 7 * budget.strip_prefix("ops:").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0))
        };
        assert!((difference([10, 110], 2, count).unwrap() - 7.0).abs() < 1e-9);
        let none = difference([10, 110], 1, |_| Ok(5_000)).unwrap_err();
        assert_eq!(none.to_string(), "5000 for 110 operations, 5000 for 10");
    }
}
