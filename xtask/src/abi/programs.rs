//! C programs, compiled and run with the library against memcached.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::declarations::Declarations;
use super::{Place, interface, read};
use crate::demo::memcached::Memcached;
use crate::install;
use crate::process;

/// Examples that do not wait for each command: they end nevertheless where all commands are lost.
const WITHOUT_WAITING: &[&str] = &["buffering.c", "epoll_loop.c", "poll_loop.c"];

/// Compiles a program with the interface of 0.3, links it to a library that has only that, and runs it with ours.
pub(super) fn check_old(place: &Place, prefix: &Path) -> Result<()> {
    let old = place.sources.join("abi");
    let declarations = Declarations::of(&read(&old.join("omcache_0_3.h"))?);
    place.write("old.c", &declarations.hollow("omcache_0_3.h"))?;
    let library = interface::link_hollow(place, "old.c", &old, &old.join("omcache_0_3.map"), "old.so")?;

    let servers = Servers::start()?;
    // Without PIE the program has copies of the library's data objects.
    for (name, kind) in [("old-pie", ["-fPIE", "-pie"]), ("old-no-pie", ["-fno-pie", "-no-pie"])] {
        let program = place.work.join(name);
        let mut compiler = install::c_compiler();
        compiler.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]).args(kind);
        compiler.arg("-I").arg(&old).arg("-o").arg(&program).arg(old.join("program_0_3.c")).arg(&library);
        process::run(&mut compiler)?;
        run(prefix, &program, &[&servers.list()])?;
    }
    Ok(())
}

/// Runs the program that loads the library by itself.
pub(super) fn check_loading(place: &Place, prefix: &Path) -> Result<()> {
    let program = place.work.join("loading");
    let mut compiler = install::c_compiler();
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I"]).arg(place.include());
    compiler.arg("-o").arg(&program).arg(place.sources.join("abi/loading.c")).arg("-ldl");
    process::run(&mut compiler)?;
    let servers = Servers::start()?;
    let library = prefix.join("lib").join(install::SONAME);
    run(prefix, &program, &[&library.display().to_string(), &servers.one()])
}

/// Compiles and runs the examples; the one for libmemcached's programs says the same with libmemcached.
pub(super) fn check_examples(place: &Place, prefix: &Path) -> Result<()> {
    let flags = package_flags(prefix, &["--cflags", "--libs"])?;
    for source in examples(place)? {
        let program = compile_example(place, &source, "", &flags)?;
        let mut servers = Servers::start()?;
        if source.ends_with("failover.c") {
            servers.kill_one()?;
        }
        run(prefix, &program, &[&servers.list()])?;
        if WITHOUT_WAITING.iter().any(|name| source.ends_with(name)) {
            servers.kill_all()?;
            ends_in_failure(prefix, &program, &servers.list())?;
        }
    }

    let moved = place.sources.join("examples-c/from_libmemcached.c");
    let libmemcached = ["-DUSE_LIBMEMCACHED".to_owned(), "-lmemcached".to_owned()];
    let original = compile_example(place, &moved, "-original", &libmemcached)?;
    let ours = compile_example(place, &moved, "", &flags)?;
    let servers = Servers::start()?;
    let told = [original, ours].map(|program| printed(prefix, &program, &[&servers.list()]));
    let [original, ours] = told;
    let (original, ours) = (original?, ours?);
    if original != ours {
        bail!("from_libmemcached.c prints with libmemcached:\n{original}and with OMcache:\n{ours}");
    }
    Ok(())
}

/// Links an example to the static library.
pub(super) fn check_static(place: &Place, prefix: &Path) -> Result<()> {
    let flags = package_flags(prefix, &["--cflags", "--libs", "--static"])?;
    let flags: Vec<_> = flags
        .into_iter()
        .map(|flag| if flag == "-lomcache" { "-l:libomcache.a".to_owned() } else { flag })
        .collect();
    let program = compile_example(place, &place.sources.join("examples-c/first.c"), "-static", &flags)?;
    let servers = Servers::start()?;
    // Without the directory of the shared library.
    run(Path::new(""), &program, &[&servers.list()])
}

pub(super) fn examples(place: &Place) -> Result<Vec<PathBuf>> {
    let directory = place.sources.join("examples-c");
    let entries = directory.read_dir().with_context(|| format!("reading {}", directory.display()))?;
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    found.sort();
    if found.is_empty() {
        bail!("no example in {}", directory.display());
    }
    Ok(found)
}

fn compile_example(place: &Place, source: &Path, suffix: &str, flags: &[String]) -> Result<PathBuf> {
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let program = place.work.join(format!("example-{name}{suffix}"));
    let mut compiler = install::c_compiler();
    compiler.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o"]);
    process::run(compiler.arg(&program).arg(source).args(flags))?;
    Ok(program)
}

/// What pkg-config says of the installed library.
fn package_flags(prefix: &Path, options: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new("pkg-config");
    command.args(options).arg("omcache").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.context("cannot start `pkg-config`")?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::line(&command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
}

/// A program with our library.
fn with_library(prefix: &Path, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).args(arguments).env("LD_LIBRARY_PATH", prefix.join("lib"));
    command
}

fn run(prefix: &Path, program: &Path, arguments: &[&str]) -> Result<()> {
    process::run(&mut with_library(prefix, program, arguments))
}

/// Runs a program that must tell by itself that it did not succeed.
fn ends_in_failure(prefix: &Path, program: &Path, list: &str) -> Result<()> {
    let mut command = with_library(prefix, program, &[list]);
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start `{}`", process::line(&command)))?;
    if status.code() != Some(1) {
        bail!("`{}` without a server: {status}, expected exit status 1", process::line(&command));
    }
    Ok(())
}

fn printed(prefix: &Path, program: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = with_library(prefix, program, arguments);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{}`", process::line(&command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", process::line(&command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Two memcached processes.
pub(super) struct Servers([Memcached; 2]);

impl Servers {
    pub(super) fn start() -> Result<Self> {
        let program = Memcached::installed().context("memcached is not installed")?;
        Ok(Self([Memcached::start(&program, None)?, Memcached::start(&program, None)?]))
    }

    pub(super) fn one(&self) -> String {
        format!("127.0.0.1:{}", self.0[0].port())
    }

    fn list(&self) -> String {
        self.0.each_ref().map(|server| format!("127.0.0.1:{}", server.port())).join(",")
    }

    fn kill_all(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(Memcached::kill)
    }

    fn kill_one(&mut self) -> Result<()> {
        self.0[1].kill()
    }
}
