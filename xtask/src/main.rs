//! The project's tasks, run as `cargo xtask <task>`; each task has a file of its own.

mod abi;
mod bench;
mod c_tests;
mod ci;
mod cost;
mod demo;
mod fuzz;
mod install;
mod pgmemcache;
mod prerequisites;
mod process;
mod pylibmc_tests;
mod python;
mod python_tests;
mod steps;
mod test;
mod tidy;
mod wheel;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's tasks.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need where that is possible, then run every test
    Test,
    /// Run every check that a change must pass, with a table of the results
    Ci(ci::Options),
    /// Run each fuzz target for a bounded time
    Fuzz(fuzz::Options),
    /// Show the client at work on three servers, of which one dies and one hangs
    Demo(demo::Options),
    /// Check the C library: symbols, headers, the last release's interface, programs built before it
    Abi(abi::Options),
    /// Run the C tests of the C library, also under sanitizers or valgrind
    CTest(c_tests::Options),
    /// Build the C library and install it with its headers
    Install(install::Options),
    /// Measure this client and others side by side: times, instructions, system calls, memory
    Bench(bench::Options),
    /// Count instructions and system calls of our own clients, and compare them with the checked-in counts
    Cost(cost::Options),
    /// Build pgmemcache on the C library and run its test in a PostgreSQL cluster of its own
    Pgmemcache,
    /// Build the Python package: a wheel for every supported Python, and a source distribution
    Wheel(wheel::Options),
    /// Build the Python package and run its tests
    PythonTest(python_tests::Options),
    /// Check the structure of the tree: layers, file headers, sizes, names, links
    Tidy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = Workspace::load().and_then(|workspace| match arguments.task {
        Task::Test => test::run(&workspace),
        Task::Ci(options) => ci::run(&workspace, &options),
        Task::Fuzz(options) => fuzz::run(&workspace, &options),
        Task::Demo(options) => demo::run(&options),
        Task::Abi(options) => abi::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Cost(options) => cost::run(&workspace, &options),
        Task::CTest(options) => c_tests::run(&workspace, &options),
        Task::Install(options) => install::run(&workspace, &options),
        Task::Pgmemcache => pgmemcache::run(&workspace),
        Task::Wheel(options) => wheel::run(&workspace, &options),
        Task::PythonTest(options) => python_tests::run(&workspace, &options),
        Task::Tidy => tidy::run(&workspace),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
