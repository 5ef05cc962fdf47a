//! `cargo xtask c-test`: the C tests of the C library, as it is installed, under sanitizers, under valgrind.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::install;
use crate::prerequisites;
use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// The program that is no part of the test program: it is compiled against libmemcached and against OMcache.
const WRAPPED: &str = "libmemcached_program.c";

/// Suites that valgrind is spared: waiting is no slower there, but hashing the points of a thousand servers is.
const TOO_SLOW_FOR_VALGRIND: &[&str] = &["scale"];

/// How; without any of these, the installed library as it is.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Under the address and undefined behaviour sanitizers, leaks included, of the C and the Rust side
    #[arg(long)]
    sanitize: bool,
    /// Under valgrind's memcheck
    #[arg(long)]
    valgrind: bool,
    /// Only this suite, such as `failover`
    #[arg(long)]
    suite: Option<String>,
}

impl Options {
    /// Under the sanitizers.
    pub(crate) fn sanitized() -> Self {
        Self { sanitize: true, ..Self::default() }
    }

    /// Under valgrind.
    pub(crate) fn under_valgrind() -> Self {
        Self { valgrind: true, ..Self::default() }
    }
}

/// Runs the tests in each of the ways that are asked for.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    prerequisites::ensure(prerequisites::C_TESTS)?;
    let mut steps = Steps::default();
    if !options.sanitize && !options.valgrind {
        steps.run("installed library", || {
            let built = Build::installed(workspace, "plain", &["-no-pie", "-fno-pie"])?;
            built.run(&mut built.program(), options.suite.as_deref())
        });
    }
    if options.sanitize {
        prerequisites::ensure(prerequisites::SANITIZING)?;
        // Which one it is only clang can tell.
        prerequisites::ensure(&[prerequisites::clang_runtime()?])?;
        steps.run("sanitizers", || {
            let built = Build::sanitized(workspace)?;
            let mut program = built.program();
            // Allocations of absurd sizes are to fail as they do without it.
            program.env("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1:strict_string_checks=1");
            program.env("UBSAN_OPTIONS", "print_stacktrace=1").env("CK_TIMEOUT_MULTIPLIER", "3");
            built.run(&mut program, options.suite.as_deref())
        });
    }
    if options.valgrind {
        prerequisites::ensure(prerequisites::VALGRIND)?;
        let built = Build::installed(workspace, "valgrind", &[])?;
        let suites = match &options.suite {
            Some(only) => vec![only.clone()],
            None => built.suites(workspace)?,
        };
        for suite in suites {
            steps.run(format!("valgrind {suite}"), || built.run(&mut built.under_valgrind(), Some(&suite)));
        }
    }
    steps.finish()
}

/// The compiled test programs.
struct Build {
    directory: PathBuf,
    sources: PathBuf,
    vectors: PathBuf,
}

impl Build {
    fn new(workspace: &Workspace, name: &str) -> Result<Self> {
        let directory = workspace.target_directory().join("c-tests").join(name);
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let root = workspace.root();
        Ok(Self {
            directory,
            sources: root.join("omcache-ffi/tests-c"),
            vectors: root.join("omcache-hash/tests/vectors/libmemcached-1.1.4.jsonl"),
        })
    }

    /// With the shared library as `cargo xtask install` installs it.
    fn installed(workspace: &Workspace, name: &str, flags: &[&str]) -> Result<Self> {
        let built = Self::new(workspace, name)?;
        let prefix = install::for_tests(workspace)?;
        let library = prefix.join("lib");
        let mut arguments: Vec<OsString> = flags.iter().map(OsString::from).collect();
        arguments.extend(packages(&["omcache", "check", "libevent_core"], Some(&library.join("pkgconfig")))?);
        arguments.push(prefixed("-Wl,-rpath,", &library));
        arguments.push("-lpthread".into());
        built.compile(&install::c_compiler(), &arguments)?;
        Ok(built)
    }

    /// With the static library, in which Rust's own code is instrumented too.
    fn sanitized(workspace: &Workspace) -> Result<Self> {
        let built = Self::new(workspace, "sanitized")?;
        let target = workspace.target_directory().join("c-sanitized");
        let host = host(workspace.root())?;
        let mut cargo = process::cargo(workspace.root());
        // Naming the target keeps the flags from build scripts and macros, which run outside of the program.
        cargo.args([
            "rustc",
            "--package",
            "omcache-ffi",
            "--lib",
            "--crate-type",
            "staticlib",
            "--target",
            &host,
        ]);
        cargo.arg("--target-dir").arg(&target).args(["--", "--print", "native-static-libs"]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=address\u{1f}-Copt-level=1");
        // The sanitizer's flag is unstable; this lets the stable compiler take it.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        let mut system_libraries = Vec::new();
        process::run_reading(&mut cargo, |line| {
            if let Some((_, libraries)) = line.split_once("native-static-libs: ") {
                system_libraries = libraries.split_whitespace().map(OsString::from).collect();
            }
        })?;
        let mut arguments: Vec<OsString> = vec![
            "-fsanitize=address,undefined".into(),
            "-fno-sanitize-recover=undefined".into(),
            "-fno-omit-frame-pointer".into(),
            prefixed("-I", &workspace.root().join("omcache-ffi/include")),
            target.join(&host).join("debug/libomcache_ffi.a").into(),
        ];
        arguments.extend(packages(&["check", "libevent_core"], None)?);
        arguments.extend(system_libraries);
        built.compile(&Command::new("clang"), &arguments)?;
        Ok(built)
    }

    /// Compiles the tests and both forms of the wrapped program.
    fn compile(&self, compiler: &Command, arguments: &[OsString]) -> Result<()> {
        let start = |output: &str| {
            let mut command = Command::new(compiler.get_program());
            command.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o"]);
            command.arg(self.directory.join(output));
            command
        };
        let mut tests = start("tests");
        process::run(tests.args(self.test_sources()?).args(arguments))?;
        let wrapped = self.sources.join(WRAPPED);
        process::run(start("wrapper").arg("-DWITH_OMCACHE").arg(&wrapped).args(arguments))?;
        process::run(start("libmemcached").arg(&wrapped).arg("-lmemcached"))
    }

    fn test_sources(&self) -> Result<Vec<PathBuf>> {
        let mut sources = Vec::new();
        let entries = fs::read_dir(&self.sources);
        for entry in entries.with_context(|| format!("reading {}", self.sources.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "c") && !path.ends_with(WRAPPED) {
                sources.push(path);
            }
        }
        sources.sort();
        Ok(sources)
    }

    /// The names of the suites, but for those that are too slow: each `suite_of("name", ...)` makes one.
    fn suites(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let mut suites = Vec::new();
        for source in self.test_sources()? {
            let text = fs::read_to_string(&source)
                .with_context(|| format!("reading {}", workspace.relative(&source)))?;
            suites.extend(
                suites_in(&text).filter(|suite| !TOO_SLOW_FOR_VALGRIND.contains(suite)).map(str::to_owned),
            );
        }
        Ok(suites)
    }

    fn program(&self) -> Command {
        Command::new(self.directory.join("tests"))
    }

    fn under_valgrind(&self) -> Command {
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect"]);
        command.args(["--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99"]);
        command.arg(self.directory.join("tests")).env("CK_TIMEOUT_MULTIPLIER", "10");
        command
    }

    fn run(&self, program: &mut Command, suite: Option<&str>) -> Result<()> {
        program.env("OMCACHE_VECTORS", &self.vectors);
        program.env("OMCACHE_WRAPPER_PROGRAM", self.directory.join("wrapper"));
        program.env("OMCACHE_LIBMEMCACHED_PROGRAM", self.directory.join("libmemcached"));
        if let Some(suite) = suite {
            program.env("CK_RUN_SUITE", suite);
        }
        process::run(program)
    }
}

/// The suites that a file of tests makes.
fn suites_in(text: &str) -> impl Iterator<Item = &str> {
    let name_end = |rest: &str| rest.find('"');
    ["suite_of(\"", "suite_create(\""]
        .into_iter()
        .flat_map(move |call| text.split(call).skip(1).filter_map(move |rest| rest.get(..name_end(rest)?)))
}

/// What `pkg-config` tells of the packages, for the compiler.
fn packages(names: &[&str], first: Option<&Path>) -> Result<Vec<OsString>> {
    let mut command = Command::new("pkg-config");
    command.args(["--cflags", "--libs"]).args(names);
    if let Some(first) = first {
        command.env("PKG_CONFIG_PATH", first);
    }
    let output = command.output().with_context(|| format!("cannot start `{}`", process::line(&command)))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("`{}` failed: {}", process::line(&command), told.trim());
    }
    let text = String::from_utf8(output.stdout).context("pkg-config's output is not UTF-8")?;
    Ok(text.split_whitespace().map(OsString::from).collect())
}

/// The target that rustc builds for where it is not told.
fn host(root: &Path) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).current_dir(root).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` did not tell its host")?.to_owned())
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut word = OsString::from(prefix);
    word.push(path);
    word
}

#[cfg(test)]
mod tests {
    use super::suites_in;

    #[test]
    fn suites_are_known_by_the_calls_that_make_them() {
        let text = "a = suite_of(\"one\", tests, 2);\nsuite_create(\"two words\");\nsuite_of(name, 1);";
        assert_eq!(suites_in(text).collect::<Vec<_>>(), ["one", "two words"]);
    }
}
