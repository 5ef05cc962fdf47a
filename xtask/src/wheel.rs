//! `cargo xtask wheel`: the Python package as a wheel for every supported Python, and as a source distribution.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::process;
use crate::python::{self, Environment, MATURIN};
use crate::workspace::Workspace;

/// Interpreters without the global lock that wheels of their own are built for, where one is installed.
const FREE_THREADED: &[&str] = &["python3.14t", "python3.15t"];

/// What is run to see that the wheel works: every part of it is imported, and its client talks to its server.
const TRIAL: &str = "import omcache, omcache.aio, omcache.testing; \
    server = omcache.testing.Server(); cache = omcache.OMcache(server.address); \
    cache.set(b'key', b'value'); assert cache.get(b'key') == b'value'; print(cache)";

/// Where to.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory that receives the wheel and the source distribution; wheels for free-threaded interpreters go to
    /// `free-threaded` below it
    #[arg(long)]
    out: PathBuf,
}

impl Options {
    /// Into `wheels` below this directory.
    pub(crate) fn below(target: &Path) -> Self {
        Self { out: target.join("wheels") }
    }
}

/// Builds, and tries what was built in an environment of its own.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    fs::create_dir_all(&options.out).with_context(|| format!("creating {}", options.out.display()))?;
    let out = options.out.canonicalize().with_context(|| format!("looking up {}", options.out.display()))?;
    let maturin = Environment::with(workspace, "maturin", &[MATURIN])?;
    let wheel = python::build_wheel(workspace, &maturin, "release", None, &out)?;
    let mut source = maturin.command("maturin");
    source.current_dir(workspace.root().join(python::CRATE)).args(["sdist", "--out"]).arg(&out);
    process::run(&mut source)?;
    let free_threaded = out.join("free-threaded");
    for name in FREE_THREADED {
        if let Some(interpreter) = interpreter(name) {
            python::build_wheel(workspace, &maturin, "release", Some(&interpreter), &free_threaded)?;
        }
    }
    try_out(workspace, &wheel)?;
    println!("built: {}", wheel.display());
    Ok(())
}

/// The interpreter with this name, if it is installed and starts.
fn interpreter(name: &str) -> Option<PathBuf> {
    let path = which::which(name).ok()?;
    let mut command = Command::new(&path);
    let output = command.arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then_some(path)
}

/// Installs the wheel into an empty environment and uses it.
fn try_out(workspace: &Workspace, wheel: &Path) -> Result<()> {
    let environment = Environment::empty(workspace, "trial")?;
    let mut pip = environment.pip();
    process::run(pip.args(["install", "--no-index"]).arg(wheel))?;
    process::run(environment.command("python").args(["-c", TRIAL]))
}
