//! The clients that are measured: those that can be installed and built here, and why the others are missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::install;
use crate::prerequisites::{self, Prerequisite};
use crate::process;
use crate::python::{self, Environment, MATURIN};
use crate::workspace::Workspace;

/// The Python clients: the name that the program has for it, and the package.
const PYTHON: &[(&str, &str)] = &[
    ("pylibmc", "pylibmc"),
    ("libmc", "libmc"),
    ("python-binary-memcached", "python-binary-memcached"),
    ("meta-memcache", "meta-memcache"),
    ("pymemcache", "pymemcache"),
];

/// Draws the plots.
pub(super) const PLOTS: &str = "matplotlib";

const C: &[&str] = &["-O2", "-Wall", "-Wextra", "-Werror"];

/// What a client is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// The loop that is the limit.
    Bare,
    C,
    Rust,
    Python,
}

/// A client, as a program that takes servers, a workload, the length of values and a budget.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// As tables have it.
    pub(super) name: String,
    pub(super) language: Language,
    pub(super) command: Vec<OsString>,
}

/// All that could be had.
pub(super) struct Clients {
    pub(super) all: Vec<Client>,
    /// Names, versions and reasons of what could not be had.
    pub(super) missing: Vec<String>,
    /// What was measured, with versions.
    pub(super) versions: Vec<String>,
    /// The interpreter with the packages.
    pub(super) python: Option<PathBuf>,
    /// The program that measures rings.
    pub(super) ring: Option<PathBuf>,
}

impl Clients {
    /// Installs and builds them. A client that can't be had is noted, and left out.
    pub(super) fn prepare(workspace: &Workspace) -> Result<Self> {
        let mut clients =
            Self { all: Vec::new(), missing: Vec::new(), versions: Vec::new(), python: None, ring: None };
        let folder = workspace.target_directory().join("bench-programs");
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let sources = workspace.root().join("xtask/bench");
        let bare = compile(&sources.join("c/bare.c"), &folder.join("bare"), &[])?;
        clients.add("bare loop", Language::Bare, vec![bare.into()]);
        let ours = our_c(workspace, &sources, &folder)?;
        clients.add("OMcache (C)", Language::C, vec![ours.into()]);
        match libmemcached(&sources, &folder) {
            Ok(program) => {
                for (name, protocol) in
                    [("libmemcached (C, text)", "text"), ("libmemcached (C, binary)", "binary")]
                {
                    clients.add(name, Language::C, vec![program.clone().into(), protocol.into()]);
                }
            }
            Err(error) => clients.missing.push(format!("libmemcached: {error:#}")),
        }
        clients.rust(workspace, &sources)?;
        clients.python(workspace, &sources)?;
        Ok(clients)
    }

    fn add(&mut self, name: &str, language: Language, command: Vec<OsString>) {
        self.all.push(Client { name: name.to_owned(), language, command });
    }

    fn rust(&mut self, workspace: &Workspace, sources: &Path) -> Result<()> {
        let target = workspace.target_directory().join("bench-rust");
        let mut build = process::cargo(&sources.join("rust"));
        build.args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
        process::run(&mut build)?;
        let program = target.join("release/omcache-bench");
        for (argument, name) in [
            ("omcache", "OMcache (Rust)"),
            ("omcache-lent", "OMcache (Rust, lent values)"),
            ("omcache-tokio", "OMcache (tokio)"),
            ("memcache", "memcache (Rust)"),
            ("async-memcached", "async-memcached (Rust)"),
        ] {
            self.add(name, Language::Rust, vec![program.clone().into(), argument.into()]);
        }
        self.ring = Some(program);
        let lock = std::fs::read_to_string(sources.join("rust/Cargo.lock")).context("reading Cargo.lock")?;
        for package in ["memcache", "async-memcached"] {
            let entry = lock.split(&format!("name = \"{package}\"\nversion = \"")).nth(1);
            let version = entry.and_then(|rest| rest.split('"').next()).unwrap_or("?");
            self.versions.push(format!("{package} {version}"));
        }
        Ok(())
    }

    fn python(&mut self, workspace: &Workspace, sources: &Path) -> Result<()> {
        let environment = Environment::with(workspace, "bench", &[MATURIN, PLOTS])?;
        let out = workspace.target_directory().join("python/bench-wheel");
        let wheel = python::build_wheel(workspace, &environment, "release", None, &out)?;
        environment.install(&[&wheel])?;
        let python = environment.program("python");
        let program = sources.join("python/program.py");
        let command = |name: &str| vec![python.clone().into(), program.clone().into_os_string(), name.into()];
        self.add("OMcache (Python)", Language::Python, command("omcache"));
        self.add("omcache_pylibmc", Language::Python, command("omcache_pylibmc"));
        for (name, package) in PYTHON {
            match process::run(environment.pip().args(["install", "--quiet", package])) {
                Ok(()) => {
                    self.add(name, Language::Python, command(name));
                    self.versions.push(format!("{name} {}", version(&environment, package)?));
                }
                Err(error) => self.missing.push(format!("{name}: {error:#}")),
            }
        }
        self.python = Some(python);
        Ok(())
    }
}

fn compile(source: &Path, program: &Path, arguments: &[OsString]) -> Result<PathBuf> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(C).arg("-o").arg(program).arg(source).args(arguments);
    process::run(&mut command)?;
    Ok(program.to_owned())
}

/// Our own C interface, linked to the library as it is installed.
pub(super) fn our_c(workspace: &Workspace, sources: &Path, folder: &Path) -> Result<PathBuf> {
    let prefix = install::for_tests(workspace)?;
    let library = prefix.join("lib");
    let mut run_path = OsString::from("-Wl,-rpath,");
    run_path.push(&library);
    let mut include = OsString::from("-I");
    include.push(prefix.join("include"));
    let mut search = OsString::from("-L");
    search.push(&library);
    compile(
        &sources.join("c/omcache.c"),
        &folder.join("omcache"),
        &[include, search, run_path, "-lomcache".into()],
    )
}

fn libmemcached(sources: &Path, folder: &Path) -> Result<PathBuf> {
    const NEEDED: &[Prerequisite] =
        &[Prerequisite::new("/usr/include/libmemcached/memcached.h", "libmemcached-dev")];
    prerequisites::ensure(NEEDED)?;
    compile(&sources.join("c/libmemcached.c"), &folder.join("libmemcached"), &["-lmemcached".into()])
}

fn version(environment: &Environment, package: &str) -> Result<String> {
    let code = format!("import importlib.metadata as m; print(m.version({package:?}))");
    let output = environment.command("python").args(["-c", &code]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
