//! pylibmc's own tests, from its source distribution, on `omcache_pylibmc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::python::{self, Environment};
use crate::workspace::Workspace;

/// The version of pylibmc whose interface `omcache_pylibmc` has.
const VERSION: &str = "1.6.3";

/// How many of them there are: 41 tests, and the examples in 5 docstrings (of the package, of `translate_server_spec`, of
/// the two pools, and of `make_test_client`). pylibmc itself has as many where its own modules are asked, with
/// `pytest --doctest-modules --doctest-glob='*.txt' src tests`.
const COUNT: usize = 46;

/// What pylibmc's source distribution is built with, as pip does to learn its name.
const BUILDS: &[&str] = &["setuptools", "wheel"];

/// Ways to a network of the tests' own, where their fixed port is free in any case; the first that the system allows is
/// taken.
const NAMESPACES: &[&[&str]] = &[&["unshare", "--net"], &["unshare", "--net", "--map-root-user"], &[]];

/// Runs them in an environment in which the package is installed.
pub(crate) fn run(workspace: &Workspace, environment: &Environment) -> Result<()> {
    let source = source(workspace)?;
    let plugin = workspace.root().join(python::CRATE).join("tests/pylibmc");
    let namespace = NAMESPACES.iter().find(|words| is_allowed(words)).copied().unwrap_or_default();
    let python = environment.program("python");
    let mut command = match namespace.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(python);
            command
        }
        None => {
            println!("no network namespace can be made: the tests use port 11211 of this machine");
            Command::new(python)
        }
    };
    command.current_dir(source).env("PYTHONPATH", plugin);
    command.args(["-m", "pytest", "-p", "omcache_as_pylibmc", "src", "tests"]);
    let mut passed = None;
    process::run_reading(&mut command, |line| passed = passed_in(line).or(passed))?;
    match passed {
        Some(COUNT) => Ok(()),
        Some(other) => bail!("{other} of pylibmc's own {COUNT} tests ran and passed"),
        None => bail!("pytest does not tell that pylibmc's own tests passed, and nothing else"),
    }
}

/// How many tests passed, of pytest's last line; none where that is of anything else too, such as skipped ones.
fn passed_in(line: &str) -> Option<usize> {
    let told = line.trim_matches(['=', ' ']);
    let (count, rest) = told.split_once(" passed in ")?;
    rest.ends_with('s').then(|| count.parse().ok()).flatten()
}

fn is_allowed(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return true };
    let mut command = Command::new(program);
    command.args(arguments).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The folder of pylibmc's sources, downloaded where they are not there yet.
fn source(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target_directory().join("python").join("pylibmc");
    let source = folder.join(format!("pylibmc-{VERSION}"));
    if !source.join("tests").is_dir() {
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        download(workspace, &folder)?;
    }
    Ok(source)
}

fn download(workspace: &Workspace, folder: &Path) -> Result<()> {
    let environment = Environment::with(workspace, "download", BUILDS)?;
    let mut pip = environment.pip();
    pip.current_dir(folder).args(["download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]);
    process::run(pip.arg(format!("pylibmc=={VERSION}")))?;
    let mut extract = environment.command("python");
    extract.current_dir(folder).args(["-m", "tarfile", "-e"]);
    process::run(extract.arg(format!("pylibmc-{VERSION}.tar.gz")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passed_alone_is_counted() {
        assert_eq!(passed_in("============================== 46 passed in 4.70s ====="), Some(46));
        for line in ["== 45 passed, 1 skipped in 4.70s ==", "== 1 failed, 45 passed in 1s ==", "passed", ""] {
            assert_eq!(passed_in(line), None, "{line}");
        }
    }
}
