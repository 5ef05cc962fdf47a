//! What the tasks need from the system: found, installed where that is possible, or asked for by name.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Something that must exist, and the Debian package that brings it.
pub(crate) struct Prerequisite {
    /// A program looked up in the `PATH`, or the absolute path of a file.
    needs: Cow<'static, str>,
    package: Cow<'static, str>,
}

/// For the tests.
pub(crate) const TESTS: &[Prerequisite] = &[Prerequisite::new("memcached", "memcached")];

/// For the checks of the C library.
pub(crate) const ABI: &[Prerequisite] = &[
    Prerequisite::new("abidiff", "abigail-tools"),
    Prerequisite::new("clang", "clang"),
    Prerequisite::new("g++", "g++"),
    Prerequisite::new("memcached", "memcached"),
    Prerequisite::new("pkg-config", "pkgconf"),
    Prerequisite::new("python3", "python3-venv"),
    Prerequisite::new("readelf", "binutils"),
    Prerequisite::new("/usr/include/libmemcached/memcached.h", "libmemcached-dev"),
];

/// For the C tests.
pub(crate) const C_TESTS: &[Prerequisite] = &[
    Prerequisite::new("/usr/include/check.h", "check"),
    Prerequisite::new("/usr/include/event2/event.h", "libevent-dev"),
    Prerequisite::new("/usr/include/libmemcached/memcached.h", "libmemcached-dev"),
    Prerequisite::new("cc", "gcc"),
    Prerequisite::new("memcached", "memcached"),
    Prerequisite::new("pkg-config", "pkgconf"),
];

/// For the C tests under sanitizers, whose reports are read with the help of the second.
pub(crate) const SANITIZING: &[Prerequisite] =
    &[Prerequisite::new("clang", "clang"), Prerequisite::new("llvm-symbolizer", "llvm")];

/// For linking with clang's address sanitizer: its runtime, which Debian packages apart for each version of clang.
///
/// # Errors
/// Where clang does not tell what it is.
pub(crate) fn clang_runtime() -> Result<Prerequisite> {
    let ask = |question: &str| -> Result<String> {
        let output = Command::new("clang").arg(question).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start `clang {question}`"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (directory, version) = (ask("--print-runtime-dir")?, ask("-dumpversion")?);
    runtime(&directory, &version, std::env::consts::ARCH)
        .with_context(|| format!("clang is of version {version:?}, its libraries in {directory:?}"))
}

fn runtime(directory: &str, version: &str, architecture: &str) -> Option<Prerequisite> {
    let directory = Path::new(directory);
    let major: u32 = version.split('.').next()?.parse().ok()?;
    // A directory of one system's own has no architecture in the names of its files.
    let name = match directory.ends_with("linux") {
        true => format!("libclang_rt.asan-{architecture}.a"),
        false => "libclang_rt.asan.a".to_owned(),
    };
    Some(Prerequisite {
        needs: Cow::Owned(directory.join(name).to_str()?.to_owned()),
        package: Cow::Owned(format!("libclang-rt-{major}-dev")),
    })
}

/// For the C tests under valgrind.
pub(crate) const VALGRIND: &[Prerequisite] = &[Prerequisite::new("valgrind", "valgrind")];

/// For counting instructions and system calls.
pub(crate) const COUNTING: &[Prerequisite] = &[
    Prerequisite::new("cc", "gcc"),
    Prerequisite::new("chrt", "util-linux"),
    Prerequisite::new("memcached", "memcached"),
    Prerequisite::new("strace", "strace"),
    Prerequisite::new("valgrind", "valgrind"),
];

/// For pgmemcache's test.
pub(crate) const PGMEMCACHE: &[Prerequisite] = &[
    Prerequisite::new("apt-get", "apt"),
    Prerequisite::new("gcc", "gcc"),
    Prerequisite::new("make", "make"),
    Prerequisite::new("memcached", "memcached"),
    Prerequisite::new("/usr/lib/postgresql/15/bin/initdb", "postgresql-15"),
    Prerequisite::new("/usr/include/postgresql/15/server/postgres.h", "postgresql-server-dev-15"),
    Prerequisite::new("/usr/lib/postgresql/15/lib/pgxs/src/makefiles/pgxs.mk", "postgresql-server-dev-15"),
];

/// For the Python package.
pub(crate) const PYTHON: &[Prerequisite] = &[Prerequisite::new("python3", "python3-venv")];

/// For the fuzz targets: the fuzzing runtime is C++.
pub(crate) const FUZZING: &[Prerequisite] = &[Prerequisite::new("c++", "g++")];

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
        Self { needs: Cow::Borrowed(needs), package: Cow::Borrowed(package) }
    }

    fn exists(&self) -> bool {
        let path = Path::new(self.needs.as_ref());
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
    list.iter().map(|one| one.needs.as_ref()).collect::<Vec<_>>().join(", ")
}

/// The packages without repetition: one package may bring several of the files.
fn packages<'l>(list: &[&'l Prerequisite]) -> Vec<&'l str> {
    let mut packages: Vec<_> = list.iter().map(|one| one.package.as_ref()).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_sought_in_the_path_and_files_where_they_are() {
        let exists = |needs| Prerequisite::new(needs, "p").exists();
        assert!(exists("cargo"));
        assert!(exists(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
        assert!(!exists("no-such-program-here"));
        assert!(!exists("/no/such/file"));
    }

    #[test]
    fn a_package_is_named_once() {
        let one = Prerequisite::new("a", "p");
        let two = Prerequisite::new("/b", "p");
        assert_eq!(packages(&[&one, &two]), ["p"]);
        assert_eq!(names(&[&one, &two]), "a, /b");
    }

    #[test]
    fn the_sanitizer_s_runtime_has_the_version_of_clang() {
        let found = |directory, version| {
            let found = runtime(directory, version, "x86_64").unwrap();
            (found.needs.into_owned(), found.package.into_owned())
        };
        let (file, package) = found("/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux", "14.0.6");
        assert_eq!(file, "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.asan-x86_64.a");
        assert_eq!(package, "libclang-rt-14-dev");
        let (file, package) = found("/opt/lib/clang/19/lib/x86_64-pc-linux-gnu", "19.1.7");
        assert_eq!(file, "/opt/lib/clang/19/lib/x86_64-pc-linux-gnu/libclang_rt.asan.a");
        assert_eq!(package, "libclang-rt-19-dev");
        assert!(runtime("/usr/lib", "", "x86_64").is_none());
    }
}
