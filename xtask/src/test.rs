//! `cargo xtask test`: what the tests need, every test of every crate, every example, the tests of the C library
//! and of the Python package.

use anyhow::{Result, bail};

use crate::c_tests;
use crate::prerequisites;
use crate::process;
use crate::python_tests;
use crate::workspace::Workspace;

/// Installs what is missing and runs all tests.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(prerequisites::TESTS)?;
    let mut total = Tally::default();
    let mut failures = Vec::new();
    // Examples are built here and run below, so that none falls behind the library.
    for targets in [["--tests", "--examples"].as_slice(), &["--doc"]] {
        let mut cargo = process::cargo(workspace.root());
        cargo.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(targets);
        let outcome = process::run_reading(&mut cargo, |line| {
            if let Some(tally) = Tally::parse(line) {
                total.add(&tally);
            }
        });
        failures.extend(outcome.err());
    }
    for (package, example) in workspace.examples() {
        let mut cargo = process::cargo(workspace.root());
        cargo.args(["run", "--quiet", "-p", package, "--all-features", "--example", example]);
        failures.extend(process::run(&mut cargo).err());
    }
    failures.extend(c_tests::run(workspace, &c_tests::Options::default()).err());
    failures.extend(python_tests::run(workspace, &python_tests::Options::default()).err());
    println!(
        "\ntests: {} passed, {} failed, {} ignored in {} test programs",
        total.passed, total.failed, total.ignored, total.programs
    );
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    if total.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// Counts of test results.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Reads the line that ends a test program's output, as in `test result: ok. 3 passed; 0 failed; ...`.
    fn parse(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        let count = |what: &str| {
            let words = counts.split("; ").find_map(|count| count.strip_suffix(what))?;
            words.trim().parse().ok()
        };
        Some(Self {
            programs: 1,
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
        })
    }

    fn add(&mut self, other: &Self) {
        self.programs += other.programs;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_result_lines_only() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s";
        assert_eq!(Tally::parse(ok), Some(Tally { programs: 1, passed: 12, failed: 0, ignored: 1 }));
        let failed = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::parse(failed), Some(Tally { programs: 1, passed: 3, failed: 2, ignored: 0 }));
        assert_eq!(Tally::parse("test codec::round_trip ... ok"), None);
        assert_eq!(Tally::parse("test result: unreadable"), None);
    }

    #[test]
    fn tallies_add_up() {
        let mut total = Tally::default();
        total.add(&Tally { programs: 1, passed: 2, failed: 3, ignored: 4 });
        total.add(&Tally { programs: 1, passed: 20, failed: 30, ignored: 40 });
        assert_eq!(total, Tally { programs: 2, passed: 22, failed: 33, ignored: 44 });
    }
}
