//! `cargo xtask abi`: the C library against its headers, its last release, and programs that were built before it.

mod declarations;
mod guide;
mod headers;
mod interface;
mod programs;
mod symbol_map;
mod symbols;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::install;
use crate::prerequisites;
use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What to do.
#[derive(Default, clap::Args)]
pub(crate) struct Options {
    /// Take the interface as it is now for that of the last release, and check nothing
    #[arg(long)]
    update: bool,
}

/// Where the checks find what they compare.
struct Place {
    /// `omcache-ffi` in the workspace.
    sources: PathBuf,
    /// A directory for what the checks build.
    work: PathBuf,
}

impl Place {
    fn include(&self) -> PathBuf {
        self.sources.join("include")
    }

    /// Writes a file to the directory for what the checks build.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.work.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// Runs all checks, and prints the table of their results; or stores the interface.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::ensure(prerequisites::ABI)?;
    let place = Place {
        sources: workspace.root().join("omcache-ffi"),
        work: workspace.target_directory().join("abi"),
    };
    fs::create_dir_all(&place.work).with_context(|| format!("creating {}", place.work.display()))?;
    if options.update {
        return interface::store(&place);
    }
    let prefix = install::for_tests(workspace)?;
    let library = prefix.join("lib").join(install::SONAME);
    let mut steps = Steps::default();
    steps.run("symbols", || symbols::check(&place, &library));
    steps.run("no directory of this machine", || {
        symbols::check_directories(&[&library, &prefix.join("lib/libomcache.a")], workspace.root())
    });
    steps.run("layouts", || {
        process::run(process::cargo(workspace.root()).args(["test", "-p", "omcache-ffi", "--test", "layout"]))
    });
    steps.run("headers compile", || headers::check(&place));
    let text = read(&workspace.root().join("docs/c-guide.md"))?;
    steps.run("headers with CFFI", || headers::check_cffi(&place, &library));
    steps.run("guide's Python", || guide::check_python(&place, &prefix, &text));
    steps.run("guide's commands", || guide::check_commands(&place, workspace.root(), &text));
    steps.run("interface of the last release", || interface::check(&place));
    steps.run("program of OMcache 0.3", || programs::check_old(&place, &prefix));
    steps.run("program that loads the library", || programs::check_loading(&place, &prefix));
    steps.run("examples", || programs::check_examples(&place, &prefix));
    steps.run("static library", || programs::check_static(&place, &prefix));
    steps.run("guide's C", || guide::check_c(&place, &text));
    steps.finish()
}
