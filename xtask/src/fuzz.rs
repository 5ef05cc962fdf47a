//! `cargo xtask fuzz`: each fuzz target for a bounded time.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{MetadataCommand, TargetKind};

use crate::prerequisites;
use crate::process;
use crate::workspace::Workspace;

/// How long, and what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
}

/// Runs the fuzz targets one after another; all run, even when one finds something.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let targets = chosen(targets(workspace.root())?, options.target.as_deref())?;
    let mut failures = Vec::new();
    for target in targets {
        if let Err(error) = run_target(workspace.root(), &target, options.seconds) {
            println!("{error:#}");
            failures.push(target);
        }
    }
    if !failures.is_empty() {
        bail!("fuzz targets that failed: {}", failures.join(", "));
    }
    Ok(())
}

/// The names of the fuzz targets, sorted.
pub(crate) fn targets(root: &Path) -> Result<Vec<String>> {
    let manifest = root.join("fuzz/Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()
        .with_context(|| format!("reading the fuzz targets of {}", manifest.display()))?;
    let binaries = metadata.packages.iter().flat_map(|package| &package.targets);
    let mut names: Vec<_> = binaries
        .filter(|target| target.kind.contains(&TargetKind::Bin))
        .map(|target| target.name.clone())
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        bail!("no fuzz target in {}", manifest.display());
    }
    Ok(names)
}

/// Runs one target for `seconds`.
///
/// New inputs go to `fuzz/corpus`, which is not kept; `fuzz/seeds/<target>` is only read.
pub(crate) fn run_target(root: &Path, target: &str, seconds: u32) -> Result<()> {
    prerequisites::ensure(prerequisites::FUZZING)?;
    prerequisites::ensure_tool(root, &prerequisites::CARGO_FUZZ)?;
    let corpus = format!("fuzz/corpus/{target}");
    std::fs::create_dir_all(root.join(&corpus)).with_context(|| format!("creating {corpus}"))?;
    let mut cargo = process::cargo(root);
    cargo.args(["fuzz", "run", "--fuzz-dir", "fuzz", target, &corpus]);
    let seeds = format!("fuzz/seeds/{target}");
    if root.join(&seeds).is_dir() {
        cargo.arg(&seeds);
    }
    cargo.args(["--", &format!("-max_total_time={seconds}"), "-timeout=10", "-print_final_stats=1"]);
    // The sanitizer's flags are unstable; this lets the stable compiler take them.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    process::run(&mut cargo).with_context(|| format!("fuzz target {target}"))
}

fn chosen(targets: Vec<String>, only: Option<&str>) -> Result<Vec<String>> {
    match only {
        None => Ok(targets),
        Some(only) if targets.iter().any(|target| target == only) => Ok(vec![only.to_owned()]),
        Some(only) => bail!("no fuzz target `{only}`; there are: {}", targets.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_chosen_by_its_name() {
        let targets = || vec!["decode".to_owned(), "ring".to_owned()];
        assert_eq!(chosen(targets(), None).unwrap(), targets());
        assert_eq!(chosen(targets(), Some("ring")).unwrap(), ["ring"]);
        let error = chosen(targets(), Some("rings")).unwrap_err().to_string();
        assert_eq!(error, "no fuzz target `rings`; there are: decode, ring");
    }
}
