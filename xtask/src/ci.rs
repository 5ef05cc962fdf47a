//! `cargo xtask ci`: every check that a change must pass.

use anyhow::Result;

use crate::abi;
use crate::c_tests;
use crate::cost;
use crate::demo;
use crate::fuzz;
use crate::pgmemcache;
use crate::prerequisites;
use crate::process;
use crate::steps::Steps;
use crate::test;
use crate::tidy;
use crate::wheel;
use crate::workspace::Workspace;

/// What may be set from outside.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds for each fuzz target, at most 60
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=60))]
    fuzz_seconds: u32,
}

/// Runs all checks, the quick ones first and the tests last, and prints the table of their results.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let root = workspace.root();
    let cargo = |arguments: &[&str]| process::run(process::cargo(root).args(arguments));
    let mut steps = Steps::default();

    steps.run("fmt", || cargo(&["fmt", "--all", "--check"]));
    // The fuzz targets and the measured programs are workspaces of their own.
    steps.run("fmt fuzz", || cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]));
    steps.run("fmt bench", || cargo(&["fmt", "--manifest-path", "xtask/bench/rust/Cargo.toml", "--check"]));
    steps.run("tidy", || tidy::run(workspace));
    steps.run("dependencies", || {
        prerequisites::ensure_tool(root, &prerequisites::CARGO_DENY)?;
        // Advisories are left out: their database needs the network.
        cargo(&["deny", "--workspace", "--all-features", "check", "bans", "licenses", "sources"])
    });
    steps.run("clippy", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
    });
    steps.run("clippy without features", || {
        // One crate at a time: together, each would get the features that the others ask of it.
        workspace.libraries().try_for_each(|package| {
            cargo(&["clippy", "-p", &package.name, "--lib", "--no-default-features", "--", "-D", "warnings"])
        })
    });
    steps.run("doc", || {
        let mut doc = process::cargo(root);
        doc.args(["doc", "--no-deps", "--workspace", "--all-features"]);
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("benches compile", || {
        cargo(&["bench", "--workspace", "--all-features", "--bench", "*", "--no-run"])
    });
    steps.run("cost", || cost::run(workspace, &cost::Options::default()));
    steps.run("C interface", || abi::run(workspace, &abi::Options::default()));
    steps.run("C tests, sanitized", || c_tests::run(workspace, &c_tests::Options::sanitized()));
    steps.run("C tests, valgrind", || c_tests::run(workspace, &c_tests::Options::under_valgrind()));
    steps.run("wheel", || wheel::run(workspace, &wheel::Options::below(workspace.target_directory())));
    steps.run("pgmemcache", || pgmemcache::run(workspace));
    steps.run("demo", || demo::run(&demo::Options::default()));
    steps.run("demo, embedded", || demo::run(&demo::Options::embedded()));
    match fuzz::targets(root) {
        Ok(targets) => {
            for target in targets {
                steps.run(format!("fuzz {target}"), || fuzz::run_target(root, &target, options.fuzz_seconds));
            }
        }
        Err(error) => steps.run("fuzz", || Err(error)),
    }
    steps.run("test", || test::run(workspace));

    steps.finish()
}
