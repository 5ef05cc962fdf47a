//! `cargo xtask bench`: this client and others, on the same servers, with the same keys and values, in one run.

mod clients;
mod growth;
pub(crate) mod processor;
mod report;
mod rings;
mod sample;
mod servers;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;

use crate::cost::Cost;
use crate::prerequisites;
use crate::process;
use crate::workspace::Workspace;
use clients::{Client, Clients, Language};
use processor::OneProcessor;
use report::{Cell, Report};
use sample::{Ratio, Sample, Task};
use servers::{Place, Servers};

/// How much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer and shorter rounds: within three minutes, once everything is built
    #[arg(long)]
    quick: bool,
    /// The directory for tables and plots; `bench` below the target directory where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the short form into docs/performance.md
    #[arg(long)]
    update: bool,
}

/// Rounds, milliseconds of each, the operations between which instructions are counted, how often, and the most keys in a
/// batch.
struct Extent {
    rounds: usize,
    msec: u32,
    counted: [usize; 2],
    tries: usize,
    keys: usize,
}

/// How often our own are counted.
const COUNTS: usize = 3;

/// What is timed where; values have so many bytes.
const TIMED: &[(Place, usize, &[&str])] = &[
    (Place::One, 100, &["get", "set", "get100", "get10000", "queue"]),
    (Place::Eager, 100, &["get100", "queue"]),
    (Place::Four, 100, &["get", "set", "get100", "queue"]),
    (Place::Four, 10 * 1024, &["get", "set"]),
    (Place::Four, 500 * 1024, &["get", "set"]),
    (Place::Socket, 100, &["get", "get100"]),
];

/// What is counted, on four servers with values of 100 bytes.
const COUNTED: &[&str] = &["get", "set", "get100", "queue"];

/// What Python's clients are measured by, on four servers with values of 100 bytes.
const PYTHON: &[&str] = &["get", "set", "get100", "set100"];

/// Measures everything, and writes the tables and plots.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::ensure(prerequisites::COUNTING)?;
    let clients = Clients::prepare(workspace)?;
    for missing in &clients.missing {
        println!("left out: {missing}");
    }
    let extent = match options.quick {
        true => Extent { rounds: 3, msec: 60, counted: [200, 1_200], tries: 1, keys: 10_000 },
        false => Extent { rounds: 15, msec: 200, counted: [1_000, 11_000], tries: COUNTS, keys: 100_000 },
    };
    let servers = Servers::start()?;
    let mut report = Report::new(&clients, &format!("{} rounds of {} ms", extent.rounds, extent.msec));
    let native: Vec<&Client> =
        clients.all.iter().filter(|client| client.language != Language::Python).collect();
    let python: Vec<&Client> =
        clients.all.iter().filter(|client| client.language == Language::Python).collect();
    let progress = ProgressBar::new_spinner();
    for &(place, value, workloads) in TIMED {
        for workload in workloads {
            progress.set_message(format!("{}, {value} B: {workload}", place.name()));
            progress.tick();
            let task = Task { servers: &servers.list(place), workload, value };
            // The bare loop has one server, at a port.
            let has_bare = [Place::One, Place::Eager].contains(&place);
            let fits = |client: &&&Client| client.language != Language::Bare || has_bare;
            let rows = interleaved(native.iter().filter(fits).copied(), task, &extent);
            report.timed(place, value, workload, &rows);
        }
    }
    let list = servers.list(Place::Four);
    for workload in PYTHON {
        progress.set_message(format!("Python: {workload}"));
        progress.tick();
        let rows =
            interleaved(python.iter().copied(), Task { servers: &list, workload, value: 100 }, &extent);
        report.python(workload, &rows);
    }
    count(&native, &extent, &mut report, &progress)?;
    let ours = native.iter().filter(|client| ["OMcache (C)", "OMcache (Rust)"].contains(&&*client.name));
    report.growth(&grow(ours.copied(), extent.keys, &progress)?);
    if let Some(program) = &clients.ring {
        report.rings(&rings::measure(program)?);
    }
    progress.finish_and_clear();

    let out = options.out.clone().unwrap_or_else(|| workspace.target_directory().join("bench"));
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
    let written = report.write(&out)?;
    if let Some(python) = &clients.python {
        let mut plot = std::process::Command::new(python);
        plot.arg(workspace.root().join("xtask/bench/python/plot.py")).arg(&written.figures).arg(&out);
        process::run(&mut plot)?;
    }
    println!("{}", fs::read_to_string(&written.table)?);
    if options.update {
        report.update(&workspace.root().join("docs/performance.md"))?;
    }
    Ok(())
}

/// What came of the rounds of one client.
struct Timed<'c> {
    client: &'c Client,
    /// The medians; none where it can't do it.
    sample: Option<Sample>,
    /// To the bare loop, where that takes part.
    ratio: Option<Ratio>,
}

/// Rounds in which the clients take turns, those that are even in the opposite order.
fn interleaved<'c>(
    clients: impl Iterator<Item = &'c Client>,
    task: Task<'_>,
    extent: &Extent,
) -> Vec<Timed<'c>> {
    let mut taken: Vec<(&Client, Vec<Sample>, bool)> =
        clients.map(|client| (client, Vec::new(), true)).collect();
    for _ in 0..extent.rounds {
        for (client, samples, works) in taken.iter_mut().filter(|(_, _, works)| *works) {
            match sample::time(client, task, extent.msec) {
                Ok(sample) => samples.push(sample),
                Err(error) => {
                    *works = false;
                    if !error.to_string().contains("unsupported") {
                        println!("{error:#}");
                    }
                }
            }
        }
        taken.reverse();
    }
    if extent.rounds % 2 == 1 {
        taken.reverse();
    }
    let bare = taken.iter().find(|(client, ..)| client.language == Language::Bare);
    let bare = bare.map(|(_, samples, _)| samples.clone()).unwrap_or_default();
    let timed = |(client, samples, works): (&'c Client, Vec<Sample>, bool)| Timed {
        client,
        sample: Sample::median(&samples).filter(|_| works),
        ratio: Ratio::of(&samples, &bare).filter(|_| works),
    };
    taken.into_iter().map(timed).collect()
}

/// What our C interface costs, counted as in a whole run.
pub(crate) fn count_ours(workspace: &Workspace) -> Result<Vec<Cost>> {
    let folder = workspace.target_directory().join("bench-programs");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let program = clients::our_c(workspace, &workspace.root().join("xtask/bench"), &folder)?;
    let client = Client { name: "C".to_owned(), language: Language::C, command: vec![program.into()] };
    let _one = OneProcessor::begin()?;
    let servers = Servers::start()?;
    let list = servers.list(Place::Four);
    let mut costs = Vec::new();
    for &workload in COUNTED {
        let task = Task { servers: &list, workload, value: 100 };
        let runs = [1_000, 11_000];
        costs.push(Cost {
            client: client.name.clone(),
            workload: workload.to_owned(),
            instructions: sample::instructions(&client, task, runs, COUNTS)?,
            calls: sample::system_calls(&client, task, runs, COUNTS)?,
        });
    }
    Ok(costs)
}

/// Counts how the cost grows.
fn grow<'c>(
    clients: impl Iterator<Item = &'c Client>,
    most: usize,
    progress: &ProgressBar,
) -> Result<Vec<growth::Growth>> {
    let _one = OneProcessor::begin()?;
    growth::measure(clients, most, |message| {
        progress.set_message(message.to_owned());
        progress.tick();
    })
}

/// Counts instructions and system calls.
fn count(native: &[&Client], extent: &Extent, report: &mut Report, progress: &ProgressBar) -> Result<()> {
    let _one = OneProcessor::begin()?;
    let servers = Servers::start()?;
    for client in native.iter().filter(|client| client.language != Language::Bare) {
        for workload in COUNTED {
            progress.set_message(format!("{}: instructions of {workload}", client.name));
            progress.tick();
            // Clients with one server are counted with one.
            let (mut instructions, mut calls) = (None, None);
            for place in [Place::Four, Place::One] {
                let task = Task { servers: &servers.list(place), workload, value: 100 };
                // Batches and queues count by the hundred or the thousand.
                let scale = if *workload == "queue" { 10 } else { 1 };
                let runs = extent.counted.map(|operations| operations * scale);
                instructions = sample::instructions(client, task, runs, extent.tries).ok();
                calls = sample::system_calls(client, task, runs, extent.tries).ok();
                if instructions.is_some() {
                    break;
                }
            }
            report.counted(&client.name, workload, Cell { instructions, calls });
        }
    }
    Ok(())
}
