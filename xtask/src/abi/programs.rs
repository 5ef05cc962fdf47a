//! C programs, compiled and run with the library against memcached.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::declarations::Declarations;
use super::symbol_map::SymbolMap;
use super::{Place, interface, read};
use crate::demo::memcached::Memcached;
use crate::install;
use crate::process;

/// The last version that OMcache 0.3 had.
const OLD_VERSION: &str = "OMCACHE_0.2";

/// Compiles a program with the interface of 0.3, links it to a library that has only that, and runs it with ours.
pub(super) fn check_old(place: &Place, prefix: &Path) -> Result<()> {
    let old = place.sources.join("abi");
    let declarations = Declarations::of(&read(&old.join("omcache_0_3.h"))?);
    place.write("old.c", &declarations.hollow("omcache_0_3.h"))?;
    let map = SymbolMap::parse(&read(&place.sources.join("symbol.map"))?)?.until(OLD_VERSION)?;
    let map = place.write("old.map", &map)?;
    let library = interface::link_hollow(place, "old.c", &old, &map, "old.so")?;

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

/// What the guide shows of C stands in the examples, line for line but for the indentation.
pub(super) fn check_guide(place: &Place, guide: &Path) -> Result<()> {
    let sources = examples(place)?;
    let sources = sources.iter().map(|path| Ok(flush_left(&read(path)?))).collect::<Result<Vec<_>>>()?;
    let guide = read(guide)?;
    let blocks: Vec<_> = c_blocks(&guide).collect();
    if blocks.is_empty() {
        bail!("the guide shows no C");
    }
    for block in blocks {
        if !sources.iter().any(|source| source.contains(&flush_left(block))) {
            bail!("the guide shows what is in no example:\n{block}");
        }
    }
    Ok(())
}

/// The lines between line feeds and without indentation.
fn flush_left(text: &str) -> String {
    text.lines().fold("\n".to_owned(), |text, line| text + line.trim_start() + "\n")
}

fn c_blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n```c\n").skip(1).map(|rest| rest.split_once("\n```").map_or(rest, |(block, _)| block))
}

fn examples(place: &Place) -> Result<Vec<PathBuf>> {
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
struct Servers([Memcached; 2]);

impl Servers {
    fn start() -> Result<Self> {
        let program = Memcached::installed().context("memcached is not installed")?;
        Ok(Self([Memcached::start(&program, None)?, Memcached::start(&program, None)?]))
    }

    fn one(&self) -> String {
        format!("127.0.0.1:{}", self.0[0].port())
    }

    fn list(&self) -> String {
        self.0.each_ref().map(|server| format!("127.0.0.1:{}", server.port())).join(",")
    }

    fn kill_one(&mut self) -> Result<()> {
        self.0[1].kill()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_c_are_found_in_the_guide() {
        let guide = "# A\n\n```c\nint a;\nint b;\n```\n\n```sh\ncc\n```\n\n```c\nint c;\n```\n";
        assert_eq!(c_blocks(guide).collect::<Vec<_>>(), ["int a;\nint b;", "int c;"]);
        assert!(flush_left("{\n    int a;\n}\n").contains(&flush_left("int a;\n}")));
        assert!(!flush_left("    int aa;\n").contains(&flush_left("int a;")));
    }
}
