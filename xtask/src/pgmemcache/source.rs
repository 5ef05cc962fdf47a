//! pgmemcache's source: Debian's copy of the release, and how it is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::cluster::PROGRAMS;
use super::output_of;
use crate::process;

const ARCHIVE: &str = "pgmemcache_2.3.0.orig.tar.gz";
const CHECKSUM: &str = "7f9f545c02e13c842b20a1cb387e209ec0fb654ebb083828bcf08023ed6657e2";
/// The release of Debian that has PostgreSQL 15.
const DEBIAN: &str = "deb-src http://deb.debian.org/debian bookworm main\n";

/// Fetches the archive, unless `kept` has it, and unpacks it below `folder`.
pub(super) fn unpack(kept: &Path, folder: &Path) -> Result<PathBuf> {
    let archive = kept.join(ARCHIVE);
    if check(&archive).is_err() {
        fetch(kept)?;
        check(&archive)?;
    }
    let mut tar = Command::new("tar");
    process::run(tar.arg("-xzf").arg(&archive).arg("--no-same-owner").arg("-C").arg(folder))?;
    Ok(folder.join("pgmemcache-2.3.0"))
}

fn check(archive: &Path) -> Result<()> {
    let told = output_of(Command::new("sha256sum").arg(archive))?;
    match told.split_whitespace().next() {
        Some(CHECKSUM) => Ok(()),
        found => bail!("{} has the checksum {found:?}, expected {CHECKSUM}", archive.display()),
    }
}

/// By apt, with settings of its own: those of the system stay as they are.
fn fetch(kept: &Path) -> Result<()> {
    let state = kept.join("apt");
    for directory in ["lists/partial", "archives/partial"] {
        let directory = state.join(directory);
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    let sources = state.join("sources.list");
    fs::write(&sources, DEBIAN).with_context(|| format!("writing {}", sources.display()))?;
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.current_dir(kept);
        for (option, value) in [
            ("Dir::Etc::SourceList", sources.display().to_string()),
            ("Dir::Etc::SourceParts", "/dev/null".to_owned()),
            ("Dir::State::Lists", state.join("lists").display().to_string()),
            ("Dir::Cache", state.display().to_string()),
            ("APT::Sandbox::User", "root".to_owned()),
        ] {
            command.arg("-o").arg(format!("{option}={value}"));
        }
        command
    };
    process::run(apt_get().arg("update"))?;
    // The release is all that is needed, not what Debian changes in it.
    process::run(apt_get().args(["source", "--download-only", "--tar-only", "pgmemcache"]))
}

/// Builds the module with OMcache below `prefix`, and copies it and the library to `folder`, where any user may read them.
pub(super) fn build(source: &Path, prefix: &Path, folder: &Path) -> Result<PathBuf> {
    let mut make = Command::new("make");
    make.current_dir(source).args(["USE_OMCACHE=1", "with_llvm=no"]);
    make.arg(format!("PG_CONFIG={PROGRAMS}/pg_config"));
    make.env("PG_CPPFLAGS", format!("-I{}", prefix.join("include").display()));
    let (libraries, own) = (prefix.join("lib"), folder.display());
    make.env("PG_LDFLAGS", format!("-L{} -Wl,-rpath,{own}", libraries.display()));
    process::run(&mut make)?;
    let module = folder.join("pgmemcache.so");
    let library = crate::install::SONAME;
    for (from, to) in
        [(source.join("pgmemcache.so"), module.clone()), (libraries.join(library), folder.join(library))]
    {
        fs::copy(&from, &to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    }
    Ok(module)
}
