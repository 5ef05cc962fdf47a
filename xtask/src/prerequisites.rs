//! What the tasks need from the system: found, installed where that is possible, or asked for by name.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Something that must exist, and the Debian package that brings it.
pub(crate) struct Prerequisite {
    /// A program looked up in the `PATH`, or the absolute path of a file.
    needs: &'static str,
    package: &'static str,
}

/// For the tests.
pub(crate) const TESTS: &[Prerequisite] = &[Prerequisite { needs: "memcached", package: "memcached" }];

/// For the checks of the C library.
pub(crate) const ABI: &[Prerequisite] = &[
    Prerequisite { needs: "abidiff", package: "abigail-tools" },
    Prerequisite { needs: "clang", package: "clang" },
    Prerequisite { needs: "g++", package: "g++" },
    Prerequisite { needs: "memcached", package: "memcached" },
    Prerequisite { needs: "pkg-config", package: "pkgconf" },
    Prerequisite { needs: "python3", package: "python3-venv" },
    Prerequisite { needs: "readelf", package: "binutils" },
    Prerequisite { needs: "/usr/include/libmemcached/memcached.h", package: "libmemcached-dev" },
];

/// For the C tests.
pub(crate) const C_TESTS: &[Prerequisite] = &[
    Prerequisite { needs: "/usr/include/check.h", package: "check" },
    Prerequisite { needs: "/usr/include/event2/event.h", package: "libevent-dev" },
    Prerequisite { needs: "/usr/include/libmemcached/memcached.h", package: "libmemcached-dev" },
    Prerequisite { needs: "cc", package: "gcc" },
    Prerequisite { needs: "memcached", package: "memcached" },
    Prerequisite { needs: "pkg-config", package: "pkgconf" },
];

/// For the C tests under sanitizers, whose reports are read with the help of the second.
pub(crate) const SANITIZING: &[Prerequisite] = &[
    Prerequisite { needs: "clang", package: "clang" },
    Prerequisite { needs: "llvm-symbolizer", package: "llvm" },
];

/// For the C tests under valgrind.
pub(crate) const VALGRIND: &[Prerequisite] = &[Prerequisite { needs: "valgrind", package: "valgrind" }];

/// For counting instructions and system calls.
pub(crate) const COUNTING: &[Prerequisite] = &[
    Prerequisite { needs: "cc", package: "gcc" },
    Prerequisite { needs: "memcached", package: "memcached" },
    Prerequisite { needs: "strace", package: "strace" },
    Prerequisite { needs: "valgrind", package: "valgrind" },
];

/// For pgmemcache's test.
pub(crate) const PGMEMCACHE: &[Prerequisite] = &[
    Prerequisite { needs: "apt-get", package: "apt" },
    Prerequisite { needs: "gcc", package: "gcc" },
    Prerequisite { needs: "make", package: "make" },
    Prerequisite { needs: "memcached", package: "memcached" },
    Prerequisite { needs: "/usr/lib/postgresql/15/bin/initdb", package: "postgresql-15" },
    Prerequisite {
        needs: "/usr/lib/postgresql/15/lib/pgxs/src/makefiles/pgxs.mk",
        package: "postgresql-server-dev-15",
    },
];

/// For the Python package.
pub(crate) const PYTHON: &[Prerequisite] = &[Prerequisite { needs: "python3", package: "python3-venv" }];

/// For the fuzz targets: the fuzzing runtime is C++.
pub(crate) const FUZZING: &[Prerequisite] = &[Prerequisite { needs: "c++", package: "g++" }];

/// A cargo subcommand that `cargo install` brings.
pub(crate) struct Tool {
    /// The name of the package and of its program.
    name: &'static str,
    version: &'static str,
}

/// Runs the fuzz targets.
pub(crate) const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "^0.13" };

/// Checks licences, duplicates and sources of the dependencies.
pub(crate) const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "^0.20" };

impl Prerequisite {
    pub(crate) const fn new(needs: &'static str, package: &'static str) -> Self {
        Self { needs, package }
    }

    fn exists(&self) -> bool {
        let path = Path::new(self.needs);
        if path.is_absolute() { path.exists() } else { which::which(path).is_ok() }
    }
}

/// Makes sure that all of `list` exists, by `apt-get` when root runs this on Debian.
///
/// # Errors
/// With the command to run when something is missing and can't be installed from here.
pub(crate) fn ensure(list: &[Prerequisite]) -> Result<()> {
    let missing = || list.iter().filter(|one| !one.exists()).collect::<Vec<_>>();
    let absent = missing();
    if absent.is_empty() {
        return Ok(());
    }
    let names = names(&absent);
    let by_hand = format!("apt-get install --yes {}", packages(&absent).join(" "));
    let Ok(apt_get) = which::which("apt-get") else {
        bail!("missing: {names}. Install it; on Debian: sudo {by_hand}");
    };
    if !is_root()? {
        bail!("missing: {names}. Install it: sudo {by_hand}");
    }
    println!("missing: {names}");
    // Package lists that are at hand may do when fetching new ones fails.
    if let Err(error) = process::run(apt(&apt_get).arg("update")) {
        println!("{error:#}");
    }
    let mut install = apt(&apt_get);
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages(&absent));
    let install = process::run(&mut install);
    install.with_context(|| format!("installing {names}; by hand: {by_hand}"))?;
    let still = missing();
    if !still.is_empty() {
        bail!("still missing after `{by_hand}`: {}", self::names(&still));
    }
    Ok(())
}

/// Makes sure that a cargo subcommand exists, by `cargo install` when it does not.
///
/// # Errors
/// With the command to run when the installation fails.
pub(crate) fn ensure_tool(root: &Path, tool: &Tool) -> Result<()> {
    // Cargo also finds subcommands that are not in the `PATH`.
    let subcommand = tool.name.trim_start_matches("cargo-");
    let found = process::cargo(root)
        .args([subcommand, "--version"])
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    if found.status.success() {
        return Ok(());
    }
    println!("missing: {}", tool.name);
    let mut install = process::cargo(root);
    install.args(["install", "--locked", tool.name, "--version", tool.version]);
    process::run(&mut install)
        .with_context(|| format!("{} is missing; by hand: {}", tool.name, process::line(&install)))
}

fn apt(program: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> Result<bool> {
    let output = Command::new("id")
        .arg("-u")
        .stdin(Stdio::null())
        .output()
        .context("cannot start `id -u` to learn whether packages can be installed")?;
    Ok(output.status.success() && output.stdout.trim_ascii() == b"0")
}

fn names(list: &[&Prerequisite]) -> String {
    list.iter().map(|one| one.needs).collect::<Vec<_>>().join(", ")
}

/// The packages without repetition: one package may bring several of the files.
fn packages(list: &[&Prerequisite]) -> Vec<&'static str> {
    let mut packages: Vec<_> = list.iter().map(|one| one.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_sought_in_the_path_and_files_where_they_are() {
        let exists = |needs| Prerequisite { needs, package: "p" }.exists();
        assert!(exists("cargo"));
        assert!(exists(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
        assert!(!exists("no-such-program-here"));
        assert!(!exists("/no/such/file"));
    }

    #[test]
    fn a_package_is_named_once() {
        let one = Prerequisite { needs: "a", package: "p" };
        let two = Prerequisite { needs: "/b", package: "p" };
        assert_eq!(packages(&[&one, &two]), ["p"]);
        assert_eq!(names(&[&one, &two]), "a, /b");
    }
}
