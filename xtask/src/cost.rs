//! `cargo xtask cost`: instructions and system calls of our own clients, compared with those that are checked in.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bench;
use crate::bench::processor::OneProcessor;
use crate::prerequisites;
use crate::process;
use crate::workspace::Workspace;

/// How far a count may be from the one that is checked in, in hundredths.
const TOLERANCE: f64 = 5.0;

/// What to do.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Write what is counted into the checked-in file
    #[arg(long)]
    update: bool,
}

/// What an operation of a client costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) client: String,
    pub(crate) workload: String,
    pub(crate) instructions: f64,
    pub(crate) calls: f64,
}

/// Counts, and compares or writes.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::ensure(prerequisites::COUNTING)?;
    let mut counted = bench::count_ours(workspace)?;
    counted.extend(count_rust(workspace)?);
    let file = workspace.root().join("xtask/bench/cost.tsv");
    let compiler = compiler()?;
    if options.update {
        fs::write(&file, text(&compiler, &counted)).with_context(|| format!("writing {}", file.display()))?;
        println!("written: {}", file.display());
        return Ok(());
    }
    let checked_in = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let (known_compiler, known) = parse(&checked_in)?;
    for Cost { client, workload, instructions, calls } in &counted {
        println!("{client}, {workload}: {instructions:.0} instructions, {calls:.2} system calls");
    }
    let findings = compare(&known, &counted);
    if findings.is_empty() {
        return Ok(());
    }
    if known_compiler != compiler {
        println!("the checked-in counts are of {known_compiler}, these of {compiler}");
    }
    bail!(
        "{}\nwhere that is meant, `cargo xtask cost --update` writes {} anew",
        findings.join("\n"),
        PathBuf::from("xtask/bench/cost.tsv").display()
    )
}

/// What the benchmark `cost` of the Rust client prints.
fn count_rust(workspace: &Workspace) -> Result<Vec<Cost>> {
    let bench = |arguments: &[&str]| {
        let mut command = process::cargo(workspace.root());
        command.args(["bench", "--package", "omcache", "--all-features", "--bench", "cost"]).args(arguments);
        command
    };
    process::run(&mut bench(&["--no-run"]))?;
    let mut found = Vec::new();
    let _one = OneProcessor::begin()?;
    process::run_reading(&mut bench(&[]), |line| found.extend(parse_rust(line)))?;
    if found.is_empty() {
        bail!("the benchmark told no counts");
    }
    Ok(found)
}

/// A line of the benchmark: a workload, instructions, system calls.
fn parse_rust(line: &str) -> Option<Cost> {
    let (rest, calls) = line.trim_end().rsplit_once(' ')?;
    let (workload, instructions) = rest.trim_end().rsplit_once("  ")?;
    let (instructions, calls) = (instructions.trim().parse().ok()?, calls.parse().ok()?);
    Some(Cost { client: "Rust".to_owned(), workload: workload.trim().to_owned(), instructions, calls })
}

fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("cannot start rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(compiler: &str, costs: &[Cost]) -> String {
    let mut text = format!("# {compiler}\n# client\tworkload\tinstructions\tsystem calls\n");
    for Cost { client, workload, instructions, calls } in costs {
        let _ = writeln!(text, "{client}\t{workload}\t{instructions:.0}\t{calls:.2}");
    }
    text
}

fn parse(text: &str) -> Result<(String, Vec<Cost>)> {
    let compiler = text.lines().next().and_then(|line| line.strip_prefix("# ")).context("no compiler")?;
    let mut costs = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [client, workload, instructions, calls] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("{line:?} has no four fields");
        };
        let (client, workload) = (client.to_owned(), workload.to_owned());
        costs.push(Cost { client, workload, instructions: instructions.parse()?, calls: calls.parse()? });
    }
    Ok((compiler.to_owned(), costs))
}

/// What differs by more than the tolerance.
fn compare(known: &[Cost], counted: &[Cost]) -> Vec<String> {
    let mut findings = Vec::new();
    for cost in counted {
        let Cost { client, workload, instructions, calls } = cost;
        let same = |known: &&Cost| known.client == *client && known.workload == *workload;
        let Some(known) = known.iter().find(same) else {
            findings.push(format!("{client}, {workload}: not among the checked-in counts"));
            continue;
        };
        let change = (instructions / known.instructions - 1.0) * 100.0;
        if change.abs() > TOLERANCE {
            findings.push(format!(
                "{client}, {workload}: {instructions:.0} instructions, {change:+.1} % of the {:.0} that are checked in",
                known.instructions
            ));
        }
        // Waits that end early repeat less than instructions do.
        if *calls > known.calls + 0.1 {
            findings.push(format!(
                "{client}, {workload}: {calls:.2} system calls where {:.2} are checked in",
                known.calls
            ));
        }
    }
    for known in known {
        if !counted.iter().any(|cost| cost.client == known.client && cost.workload == known.workload) {
            findings.push(format!("{}, {}: checked in and not counted", known.client, known.workload));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(workload: &str, instructions: f64, calls: f64) -> Cost {
        Cost { client: "C".to_owned(), workload: workload.to_owned(), instructions, calls }
    }

    #[test]
    fn what_is_written_is_read() {
        let costs = [cost("get", 700.0, 3.0), cost("set", 650.0, 3.0)];
        let (compiler, read) = parse(&text("rustc 1.95.0", &costs)).unwrap();
        assert_eq!((compiler.as_str(), read.as_slice()), ("rustc 1.95.0", costs.as_slice()));
        assert!(parse("# rustc\nget\t5").is_err());
    }

    #[test]
    fn a_change_of_more_than_the_tolerance_is_told() {
        let known = [cost("get", 1000.0, 3.0)];
        assert!(compare(&known, &[cost("get", 1049.0, 3.05)]).is_empty());
        assert!(compare(&known, &[cost("get", 1051.0, 3.0)])[0].contains("+5.1 %"));
        assert!(compare(&known, &[cost("get", 940.0, 3.0)])[0].contains("-6.0 %"));
        assert!(compare(&known, &[cost("get", 1000.0, 4.0)])[0].contains("system calls"));
        assert_eq!(compare(&known, &[cost("set", 1.0, 1.0)]).len(), 2);
    }

    #[test]
    fn the_lines_of_the_benchmark_are_read() {
        let line = "get_multi of 100, a key           923.46          0.12";
        let expected = Cost {
            client: "Rust".to_owned(),
            workload: "get_multi of 100, a key".to_owned(),
            instructions: 923.46,
            calls: 0.12,
        };
        assert_eq!(parse_rust(line), Some(expected));
        assert_eq!(parse_rust("an operation costs          instructions  system calls"), None);
        assert_eq!(parse_rust("get                        no valgrind     3.00"), None);
    }
}
