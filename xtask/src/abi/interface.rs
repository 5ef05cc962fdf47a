//! The interface that the headers declare against that of the last release, by `abidiff`.
//!
//! What is compared is a library made of `omcache.h` and `symbol.map` alone: the description of the Rust library would hold
//! Rust's types, which change with the compiler. That the Rust library is what the headers declare is checked by
//! `omcache-ffi/tests/layout.rs` for types and by another step for symbols; `abi/omcache_0_3.map` has those of 0.3.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::declarations::Declarations;
use super::{Place, read};
use crate::install;
use crate::process;

/// The interface of the last release, in `omcache-ffi`.
const RELEASED: &str = "abi/libomcache.so.0.abi";

/// Takes the present interface for that of the last release.
pub(super) fn store(place: &Place) -> Result<()> {
    let path = place.sources.join(RELEASED);
    let text = read(&describe(place)?)?;
    // A path in the description would be one of this machine.
    if let Some(line) = text.lines().find(|line| line.contains("='/")) {
        bail!("the description of the interface has a path: {}", line.trim());
    }
    std::fs::write(&path, text)?;
    println!("stored: {}", path.display());
    Ok(())
}

/// Compares; what was added is no difference.
pub(super) fn check(place: &Place) -> Result<()> {
    let now = describe(place)?;
    let mut abidiff = Command::new("abidiff");
    abidiff.args(["--no-added-syms", "--no-architecture"]).arg(place.sources.join(RELEASED)).arg(now);
    process::run(&mut abidiff)
}

/// A library that has all that the headers declare, and nothing behind it.
pub(super) fn hollow_library(place: &Place) -> Result<PathBuf> {
    let declarations = Declarations::of(&read(&place.include().join("omcache_cdef.h"))?);
    place.write("interface.c", &declarations.hollow("omcache.h"))?;
    link_hollow(place, "interface.c", &place.include(), &place.sources.join("symbol.map"), "interface.so")
}

/// Compiles a file without content to a shared library.
pub(super) fn link_hollow(
    place: &Place,
    source: &str,
    include: &Path,
    map: &Path,
    name: &str,
) -> Result<PathBuf> {
    let mut compiler = install::c_compiler();
    // Relative names of files, as they get into the description.
    compiler.current_dir(&place.work).args(["-shared", "-fPIC", "-g", "-w", "-o", name, source]);
    compiler.arg("-I").arg(include).arg(format!("-Wl,-soname,{}", install::SONAME));
    compiler.arg(format!("-Wl,--version-script={}", map.display()));
    process::run(&mut compiler)?;
    Ok(place.work.join(name))
}

fn describe(place: &Place) -> Result<PathBuf> {
    let library = hollow_library(place)?;
    let description = place.work.join("interface.abi");
    let mut abidw = Command::new("abidw");
    abidw.args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--out-file"]);
    process::run(abidw.arg(&description).arg(library))?;
    Ok(description)
}
