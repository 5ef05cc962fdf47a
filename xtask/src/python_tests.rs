//! The tests of the Python package, with pytest, in a virtual environment below the target directory.

use std::path::Path;

use anyhow::Result;

use crate::prerequisites;
use crate::process;
use crate::pylibmc_tests;
use crate::python::{self, Environment, MATURIN};
use crate::workspace::Workspace;

/// What the tests need beside the package itself.
const PACKAGES: &[&str] = &[
    MATURIN,
    "pytest>=8",
    "gevent>=24",
    "gunicorn>=23",
    "uvloop>=0.19",
    "mypy>=1.11",
    "typing_extensions>=4.15",
    "types-gevent>=24",
    "django>=5",
    "django-stubs>=5",
    "pylibmc==1.6.3",
    "python-memcached",
    "pymemcache>=4",
];

/// The oldest Django that the backend is for.
const OLDER_DJANGO: &[&str] = &["django>=4.2,<5", "pytest>=8"];

/// Checks of the types: the packages keep their own, and the compiled modules are as their stubs say.
const TYPES: &[&[&str]] = &[
    &["mypy", "--strict", "python/omcache", "python/omcache_pylibmc"],
    &["mypy.stubtest", "omcache", "omcache_pylibmc", "--allowlist", "stubtest.txt"],
];

/// What may be set from outside.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// What is handed on to pytest
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds the package, installs it, and runs its tests.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::ensure(prerequisites::TESTS)?;
    let environment = Environment::with(workspace, "tests", PACKAGES)?;
    let out = workspace.target_directory().join("python").join("test-wheel");
    let wheel = python::build_wheel(workspace, &environment, "dev", None, &out)?;
    environment.install(&[&wheel])?;
    let mut pytest = environment.command("python");
    pytest.current_dir(workspace.root().join(python::CRATE)).args(["-m", "pytest"]).args(&options.arguments);
    process::run(&mut pytest)?;
    // Whoever names tests wants those and no others.
    if !options.arguments.is_empty() {
        return Ok(());
    }
    pylibmc_tests::run(workspace, &environment)?;
    for arguments in TYPES {
        let mut check = environment.command("python");
        check.current_dir(workspace.root().join(python::CRATE)).arg("-m").args(*arguments);
        process::run(&mut check)?;
    }
    older_django(workspace, &wheel)
}

/// Runs the tests of the Django backend with the oldest Django that it is for.
fn older_django(workspace: &Workspace, wheel: &Path) -> Result<()> {
    let environment = Environment::with(workspace, "django-4.2", OLDER_DJANGO)?;
    environment.install(&[wheel])?;
    let mut pytest = environment.command("python");
    pytest.current_dir(workspace.root().join(python::CRATE)).args([
        "-m",
        "pytest",
        "-q",
        "tests/test_django.py",
    ]);
    process::run(&mut pytest)
}
