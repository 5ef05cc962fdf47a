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
const TRIAL: &str = "import omcache, omcache.aio, omcache.testing, omcache_pylibmc; \
    import omcache_pylibmc.autoconf, omcache_pylibmc.consts, omcache_pylibmc.pools, omcache_pylibmc.test; \
    server = omcache.testing.Server(); cache = omcache.OMcache(server.address); \
    cache.set(b'key', b'value'); assert cache.get(b'key') == b'value'; \
    mc = omcache_pylibmc.Client([server.address], binary=True); assert mc.get('key') == b'value'; print(cache)";

/// What is run to see that pytest finds the plugin of the package that is installed.
const PLUGIN: &str = "def test_the_plugin(omcache_server, omcache_servers):\n    \
    assert omcache_server.port and omcache_servers().port\n";

/// Where to.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory that receives the wheel and the source distribution; wheels for free-threaded interpreters go to
    /// `free-threaded` below it
    #[arg(long)]
    out: PathBuf,

    /// Also build a wheel from the source distribution alone, as an installer does, and try that
    #[arg(long)]
    from_source: bool,
}

impl Options {
    /// Into `wheels` below this directory, and from the source distribution too.
    pub(crate) fn below(target: &Path) -> Self {
        Self { out: target.join("wheels"), from_source: true }
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
    if options.from_source {
        let source = newest(&out, ".tar.gz")?;
        let built = from_source(workspace, &maturin, &source)?;
        try_out(workspace, &built)?;
    }
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

/// The file in a directory whose name ends so, the latest where there are several.
fn newest(folder: &Path, end: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(end) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    found.sort();
    let (_, newest) =
        found.pop().with_context(|| format!("nothing in {} ends with {end}", folder.display()))?;
    Ok(newest)
}

/// Builds a wheel from the source distribution, away from the tree that it was made of.
fn from_source(workspace: &Workspace, maturin: &Environment, source: &Path) -> Result<PathBuf> {
    let out = workspace.target_directory().join("python").join("from-source");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let mut pip = maturin.pip();
    pip.args(["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]).arg(&out).arg(source);
    // The build finds maturin by its name, and keeps what it has compiled for the next time.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = maturin.program("");
    pip.env("PATH", std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path)))?);
    pip.env("CARGO_TARGET_DIR", workspace.target_directory().join("python").join("from-source-target"));
    process::run(&mut pip)?;
    newest(&out, ".whl")
}

/// Installs the wheel into an empty environment and uses it: alone, and with pytest.
fn try_out(workspace: &Workspace, wheel: &Path) -> Result<()> {
    let environment = Environment::empty(workspace, "trial")?;
    let mut pip = environment.pip();
    process::run(pip.args(["install", "--no-index"]).arg(wheel))?;
    process::run(environment.command("python").args(["-c", TRIAL]))?;
    let mut pip = environment.pip();
    process::run(pip.args(["install", "pytest>=8"]))?;
    let folder = workspace.target_directory().join("python").join("trial-plugin");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    fs::write(folder.join("test_plugin.py"), PLUGIN)?;
    let mut pytest = environment.command("python");
    process::run(pytest.current_dir(folder).args(["-m", "pytest", "-q", "--rootdir=."]))
}
