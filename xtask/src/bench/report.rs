//! The tables, in Markdown, and the figures for the plots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Timed;
use super::clients::Clients;
use super::growth::Growth;
use super::rings::Ring;
use super::sample::{Ratio, Sample};
use super::servers::Place;

/// Between these lines docs/performance.md has what this program wrote.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// What an operation costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) instructions: Option<f64>,
    pub(super) calls: Option<f64>,
}

/// Where the tables were written to.
pub(super) struct Written {
    pub(super) table: PathBuf,
    pub(super) figures: PathBuf,
}

/// What was measured so far.
pub(super) struct Report {
    setting: String,
    rounds: String,
    timed: String,
    python: Vec<(String, Vec<Option<f64>>)>,
    counted: Vec<(String, Vec<Cell>)>,
    growth: String,
    rings: String,
    /// Tab-separated: section, client, figure.
    figures: String,
}

impl Report {
    /// `rounds` tells how many there are, and how long each is.
    pub(super) fn new(clients: &Clients, rounds: &str) -> Self {
        Self {
            setting: setting(clients),
            rounds: rounds.to_owned(),
            timed: String::new(),
            python: Vec::new(),
            counted: Vec::new(),
            growth: String::new(),
            rings: String::new(),
            figures: String::new(),
        }
    }

    pub(super) fn timed(&mut self, place: Place, value: usize, workload: &str, rows: &[Timed<'_>]) {
        let title = format!("{workload}, {}, values of {}", place.name(), size(value));
        let text = &mut self.timed;
        let _ = writeln!(
            text,
            "\n#### {title}\n\n| client | operations/s | to the bare loop | p50 µs | p99 µs | peak MiB |"
        );
        let _ = writeln!(text, "|---|---:|---:|---:|---:|---:|");
        for Timed { client, sample, ratio } in rows {
            let Some(Sample { rate, p50, p99, memory, .. }) = sample else { continue };
            let ratio = ratio.map_or("–".to_owned(), |Ratio { middle, between: [low, high] }| {
                format!("{middle:.2} ({low:.2} – {high:.2})")
            });
            let _ = writeln!(
                text,
                "| {} | {rate:.0} | {ratio} | {p50:.1} | {p99:.1} | {memory:.1} |",
                client.name
            );
            let _ = writeln!(self.figures, "{title} (operations/s)\t{}\t{rate}", client.name);
        }
    }

    pub(super) fn python(&mut self, workload: &str, rows: &[Timed<'_>]) {
        for Timed { client, sample, .. } in rows {
            let cpu = sample.as_ref().map(|sample| sample.cpu);
            row(&mut self.python, &client.name).push(cpu);
            if let Some(cpu) = cpu {
                let _ = writeln!(
                    self.figures,
                    "Python, {workload} (CPU µs an operation)\t{}\t{cpu}",
                    client.name
                );
            }
        }
    }

    pub(super) fn counted(&mut self, client: &str, workload: &str, cell: Cell) {
        row(&mut self.counted, client).push(cell);
        if let Some(count) = cell.instructions {
            let _ = writeln!(self.figures, "{workload} (instructions an operation)\t{client}\t{count}");
        }
    }

    pub(super) fn growth(&mut self, growths: &[Growth]) {
        let mut keys = String::from("| client |");
        let mut servers = keys.clone();
        if let Some(first) = growths.first() {
            first.keys.iter().for_each(|(count, _)| _ = write!(keys, " {count} |"));
            first.servers.iter().for_each(|(count, _)| _ = write!(servers, " {count} |"));
            let _ = write!(keys, "\n|---|{}", "---:|".repeat(first.keys.len()));
            let _ = write!(servers, "\n|---|{}", "---:|".repeat(first.servers.len()));
        }
        for Growth { client, keys: of_keys, servers: of_servers } in growths {
            let _ = write!(keys, "\n| {client} |");
            of_keys.iter().for_each(|(_, cost)| _ = write!(keys, " {cost:.0} |"));
            let _ = write!(servers, "\n| {client} |");
            of_servers
                .iter()
                .for_each(|(_, [single, many])| _ = write!(servers, " {single:.0} · {many:.0} |"));
        }
        self.growth = format!(
            "Instructions a key in one batch of so many keys, one server:\n\n{keys}\n\nInstructions of a single get, and a key in \
             a batch of a hundred keys for each server, with so many servers:\n\n{servers}\n"
        );
    }

    pub(super) fn rings(&mut self, rings: &[Ring]) {
        self.rings.push_str(
            "| ring | servers | build ms | hash alone ns | look-up ns | of many, each ns |\n|---|---:|---:|---:|---:|---:|\n",
        );
        for Ring { name, servers, build_msec, nanos: [hash, lookup, together] } in rings {
            let _ = writeln!(
                self.rings,
                "| {name} | {servers} | {build_msec:.2} | {hash:.1} | {lookup:.1} | {together:.1} |"
            );
        }
    }

    fn counts(&self) -> String {
        let mut text = String::from(
            "| client | get | set | get in batches of 100, a key | buffered quiet set |\n|---|---:|---:|---:|---:|\n",
        );
        for (client, cells) in &self.counted {
            let cells = cells.iter().map(|cell| match (cell.instructions, cell.calls) {
                (Some(count), Some(calls)) => format!("{count:.0} · {calls:.2}"),
                (Some(count), None) => format!("{count:.0}"),
                _ => "–".to_owned(),
            });
            let _ = writeln!(text, "| {client} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        text
    }

    fn python_table(&self) -> String {
        let mut text = String::from(
            "| client | get | set | get_multi of 100, a key | set_multi of 100, a key |\n|---|---:|---:|---:|---:|\n",
        );
        for (client, cells) in &self.python {
            let cells = cells.iter().map(|cpu| cpu.map_or("–".to_owned(), |cpu| format!("{cpu:.2}")));
            let _ = writeln!(text, "| {client} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        text
    }

    /// The counts, which repeat, and what goes with them.
    fn short(&self) -> String {
        format!(
            "{}\n\n### Instructions · system calls an operation\n\nFour servers, values of 100 bytes.\n\n{}\n### Python: \
             processor time an operation, µs\n\nFour servers, values of 100 bytes.\n\n{}\n### Growth\n\n{}\n### \
             Rings\n\n{}",
            self.setting,
            self.counts(),
            self.python_table(),
            self.growth,
            self.rings
        )
    }

    fn long(&self) -> String {
        format!(
            "{}\n### Times\n\nMedians of {}, in which the clients take turns.\n{}",
            self.short(),
            self.rounds,
            self.timed
        )
    }

    /// Writes the whole, and the figures that plots are drawn from.
    pub(super) fn write(&self, out: &Path) -> Result<Written> {
        let written = Written { table: out.join("performance.md"), figures: out.join("figures.tsv") };
        fs::write(&written.table, format!("# Measured\n\n{}", self.long()))
            .with_context(|| format!("writing {}", written.table.display()))?;
        fs::write(&written.figures, &self.figures)
            .with_context(|| format!("writing {}", written.figures.display()))?;
        Ok(written)
    }

    /// Writes the whole into a document, between its marks.
    pub(super) fn update(&self, document: &Path) -> Result<()> {
        let text = fs::read_to_string(document).with_context(|| format!("reading {}", document.display()))?;
        let text = between(&text, &self.long()).context("the document has no marks for what is measured")?;
        fs::write(document, text).with_context(|| format!("writing {}", document.display()))
    }
}

/// The row of this client, new ones behind the others.
fn row<'r, T>(rows: &'r mut Vec<(String, Vec<T>)>, client: &str) -> &'r mut Vec<T> {
    let at = rows.iter().position(|(name, _)| name == client).unwrap_or_else(|| {
        rows.push((client.to_owned(), Vec::new()));
        rows.len() - 1
    });
    &mut rows[at].1
}

/// A document with this text between the marks, in the place of what is there.
fn between(document: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

fn size(bytes: usize) -> String {
    if bytes >= 1024 { format!("{} KiB", bytes / 1024) } else { format!("{bytes} B") }
}

/// The machine and the versions, in a sentence.
fn setting(clients: &Clients) -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let told = |program: &str, argument: &str| {
        let output = std::process::Command::new(program).arg(argument).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let mut versions = vec![told("memcached", "--version"), told("rustc", "--version")];
    versions.extend(clients.versions.iter().cloned());
    format!(
        "{} ({cores} cores), Linux {}; {}.",
        model.unwrap_or("unknown processor"),
        read("/proc/sys/kernel/osrelease").trim(),
        versions.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_marks_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = between(&document, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(between(&once, "new\n"), Some(once.clone()));
        assert_eq!(between("no marks", "new"), None);
    }

    #[test]
    fn sizes_are_told_in_the_larger_unit() {
        assert_eq!((size(100), size(512_000)), ("100 B".to_owned(), "500 KiB".to_owned()));
    }
}
