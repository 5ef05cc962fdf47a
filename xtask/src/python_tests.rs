//! The tests of the Python package, with pytest, in a virtual environment below the target directory.

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
    "uvloop>=0.19",
    "mypy>=1.11",
    "pylibmc==1.6.3",
    "python-memcached",
    "pymemcache>=4",
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
    environment.install(&[wheel])?;
    let mut pytest = environment.command("python");
    pytest.current_dir(workspace.root().join(python::CRATE)).args(["-m", "pytest"]).args(&options.arguments);
    process::run(&mut pytest)?;
    // Whoever names tests wants those and no others.
    if options.arguments.is_empty() { pylibmc_tests::run(workspace, &environment) } else { Ok(()) }
}
