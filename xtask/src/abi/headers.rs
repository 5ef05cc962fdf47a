//! The headers: no compiler has anything to say, and CFFI reads the plain one as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Place, read};
use crate::process;

/// What asks CFFI: arguments are the header and the library.
const CFFI_PROGRAM: &str = r#"
import sys
import cffi

ffi = cffi.FFI()
with open(sys.argv[1]) as header:
    ffi.cdef(header.read())
library = ffi.dlopen(sys.argv[2])
assert ffi.string(library.omcache_strerror(library.OMCACHE_AGAIN)) == b"Call would block, try again"
assert library.omcache_dist_libmemcached_ketama.points_per_server == 100
assert library.omcache_dist_libmemcached_ketama.omcache_version == 0x300
mc = library.omcache_init()
assert library.omcache_set_servers(mc, b"127.0.0.1:11212, 127.0.0.1:11211") == library.OMCACHE_OK
info = library.omcache_server_info(mc, 1)
assert (ffi.string(info.hostname), info.port) == (b"127.0.0.1", 11212)
assert library.omcache_server_info_free(mc, info) == library.OMCACHE_OK
assert library.omcache_free(mc) == library.OMCACHE_OK
print("CFFI", cffi.__version__, "reads the header and calls the library")
"#;

/// Compiles each header by each compiler and standard.
pub(super) fn check(place: &Place) -> Result<()> {
    for header in ["omcache.h", "omcache_libmemcached.h"] {
        // Twice, as it may come in by two ways.
        let text = format!("#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n");
        let source = place.write(&format!("{header}.c"), &text)?;
        for compiler in ["gcc", "clang"] {
            for standard in ["c99", "c11", "gnu17"] {
                compile(place, compiler, standard, "c", &source)?;
            }
        }
        for compiler in ["g++", "clang++"] {
            for standard in ["c++11", "c++17", "c++20"] {
                compile(place, compiler, standard, "c++", &source)?;
            }
        }
    }
    let plain = read(&place.include().join("omcache_cdef.h"))?;
    if let Some(line) = plain.lines().find(|line| line.trim_start().starts_with('#')) {
        bail!("omcache_cdef.h has a line for the preprocessor: {line}");
    }
    Ok(())
}

fn compile(place: &Place, compiler: &str, standard: &str, language: &str, source: &Path) -> Result<()> {
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(["-x", language, "-fsyntax-only"]);
    command.args(["-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror"]);
    match language {
        "c" => command.args(["-Wstrict-prototypes", "-Wmissing-prototypes"]),
        _ => command.arg("-Wold-style-cast"),
    };
    process::run(command.arg("-I").arg(place.include()).arg(source))
}

/// Has CFFI read the plain header, and calls the library through it.
pub(super) fn check_cffi(place: &Place, library: &Path) -> Result<()> {
    let python = python_with_cffi(place)?;
    let program = place.write("read_header.py", CFFI_PROGRAM)?;
    process::run(Command::new(&python).arg(program).arg(place.include().join("omcache_cdef.h")).arg(library))
}

/// A Python that has CFFI.
pub(super) fn python_with_cffi(place: &Place) -> Result<PathBuf> {
    let environment = place.work.join("python");
    let python = environment.join("bin/python");
    let has_cffi = |python: &Path| {
        Command::new(python).args(["-c", "import cffi"]).output().is_ok_and(|output| output.status.success())
    };
    if !has_cffi(&python) {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))
            .context("making an environment for CFFI; on Debian: apt-get install --yes python3-venv")?;
        process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "cffi"]))?;
    }
    Ok(python)
}
