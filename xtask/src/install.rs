//! `cargo xtask install`: the C library, its headers and its pkg-config file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// The shared library's name, which programs that link to it look for.
pub(crate) const SONAME: &str = "libomcache.so.0";

/// The headers in `omcache-ffi/include`.
pub(crate) const HEADERS: &[&str] = &["omcache.h", "omcache_cdef.h", "omcache_libmemcached.h"];

/// Where to.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory that the others are below
    #[arg(long)]
    prefix: PathBuf,
    /// The directory of the libraries, below the prefix unless it is absolute; `lib` where it is not given
    #[arg(long)]
    libdir: Option<PathBuf>,
    /// The directory of the headers, below the prefix unless it is absolute; `include` where it is not given
    #[arg(long)]
    includedir: Option<PathBuf>,
    /// A directory that stands for the root of the file system during installation, for making packages
    #[arg(long)]
    destdir: Option<PathBuf>,
}

/// Builds and installs.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let places = Places::new(options)?;
    let built = build(workspace)?;
    places.fill(workspace, &built)?;
    println!(
        "installed: {}, {}",
        places.at(&places.libdir).display(),
        places.at(&places.includedir).display()
    );
    Ok(())
}

/// Installs below the target directory, for tests that compile C programs, and returns the prefix.
pub(crate) fn for_tests(workspace: &Workspace) -> Result<PathBuf> {
    let prefix = workspace.target_directory().join("c-install");
    let options = Options { prefix: prefix.clone(), libdir: None, includedir: None, destdir: None };
    run(workspace, &options)?;
    Ok(prefix)
}

/// What was built.
struct Built {
    shared: PathBuf,
    archive: PathBuf,
    /// What a program that links the static library needs besides, as arguments to the C compiler.
    system_libraries: String,
}

/// Builds the static library with cargo, and links the shared one from it with the C compiler: it alone can give
/// symbols their versions.
fn build(workspace: &Workspace) -> Result<Built> {
    // A target directory of its own, as the flags differ from those of all other builds.
    let target = workspace.target_directory().join("c-library");
    let mut cargo = process::cargo(workspace.root());
    cargo.args(["rustc", "--package", "omcache-ffi", "--lib", "--crate-type", "staticlib", "--release"]);
    cargo.arg("--target-dir").arg(&target).args(["--", "--print", "native-static-libs"]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(workspace.root()));
    let mut system_libraries = None;
    process::run_reading(&mut cargo, |line| {
        if let Some((_, libraries)) = line.split_once("native-static-libs: ") {
            system_libraries = Some(libraries.to_owned());
        }
    })?;
    let Some(system_libraries) = system_libraries else {
        bail!("`{}` did not tell the libraries to link with", process::line(&cargo));
    };
    let whole = target.join("release/libomcache_ffi.a");

    let shared = target.join(SONAME);
    let mut link = c_compiler();
    link.current_dir(workspace.root()).args(["-shared", "-o"]).arg(&shared);
    link.arg(format!("-Wl,-soname,{SONAME}")).arg("-Wl,--version-script=omcache-ffi/symbol.map");
    link.args(["-Wl,--whole-archive"]).arg(&whole).args(["-Wl,--no-whole-archive", "-Wl,--gc-sections"]);
    link.args(["-Wl,-z,defs", "-Wl,-z,relro,-z,now", "-Wl,--strip-debug", "-Wl,-O1"]);
    // The threads that look names up may be at work when a program calls dlclose: their code must stay.
    link.arg("-Wl,-z,nodelete");
    link.arg("-Wl,--as-needed").args(system_libraries.split_whitespace());
    process::run(&mut link)?;

    let archive = target.join("libomcache.a");
    process::run(Command::new("strip").arg("--strip-debug").arg("-o").args([&archive, &whole]))?;
    Ok(Built { shared, archive, system_libraries })
}

/// The C compiler, which may be chosen by the environment variable `CC`.
pub(crate) fn c_compiler() -> Command {
    Command::new(std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc")))
}

/// The flags from outside, and those that keep the directories of this machine out of the library.
fn rust_flags(root: &Path) -> OsString {
    let mut flags = Vec::new();
    if let Some(given) = std::env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        flags.push(given);
    } else if let Ok(given) = std::env::var("RUSTFLAGS") {
        flags.extend(given.split_whitespace().map(OsString::from));
    }
    for directory in machine_directories(root) {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(directory);
        flag.push("/=");
        flags.push(flag);
    }
    flags.join(&OsString::from("\x1f"))
}

/// The directories that sources come from.
pub(crate) fn machine_directories(root: &Path) -> Vec<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let mut directories = vec![root.to_owned()];
    directories.extend(cargo_home.map(|cargo_home| cargo_home.join("registry/src")));
    directories
}

/// The directories as programs will see them, and what stands before them during installation.
struct Places {
    prefix: PathBuf,
    libdir: PathBuf,
    includedir: PathBuf,
    destdir: Option<PathBuf>,
}

impl Places {
    fn new(options: &Options) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).with_context(|| format!("making {} absolute", path.display()))
        };
        let prefix = absolute(&options.prefix)?;
        // Below the prefix unless it is absolute, as packagers write it: `lib/x86_64-linux-gnu`.
        let below = |given: &Option<PathBuf>, name: &str| {
            prefix.join(given.as_deref().unwrap_or_else(|| Path::new(name)))
        };
        Ok(Self {
            libdir: below(&options.libdir, "lib"),
            includedir: below(&options.includedir, "include"),
            destdir: options.destdir.as_deref().map(absolute).transpose()?,
            prefix,
        })
    }

    /// Where a directory is during installation.
    fn at(&self, directory: &Path) -> PathBuf {
        let Some(destdir) = &self.destdir else { return directory.to_owned() };
        // Joining an absolute path would replace what it is joined to.
        destdir.join(directory.components().filter(|part| *part != Component::RootDir).collect::<PathBuf>())
    }

    fn fill(&self, workspace: &Workspace, built: &Built) -> Result<()> {
        let sources = workspace.root().join("omcache-ffi");
        let (libdir, includedir) = (self.at(&self.libdir), self.at(&self.includedir));
        for directory in [&libdir.join("pkgconfig"), &includedir] {
            fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        }
        put(&libdir.join(SONAME), &read(&built.shared)?, 0o755)?;
        put(&libdir.join("libomcache.a"), &read(&built.archive)?, 0o644)?;
        link(&libdir.join("libomcache.so"), SONAME)?;
        for header in HEADERS {
            put(&includedir.join(header), &read(&sources.join("include").join(header))?, 0o644)?;
        }
        let template = sources.join("pkgconfig/omcache.pc.in");
        let template =
            fs::read_to_string(&template).with_context(|| format!("reading {}", template.display()))?;
        let version = version(workspace)?;
        put(
            &libdir.join("pkgconfig/omcache.pc"),
            self.describe(&template, &version, &built.system_libraries).as_bytes(),
            0o644,
        )
    }

    /// The text of the pkg-config file.
    fn describe(&self, template: &str, version: &str, system_libraries: &str) -> String {
        let below_prefix = |directory: &Path| match directory.strip_prefix(&self.prefix) {
            Ok(rest) => format!("${{prefix}}/{}", rest.display()),
            Err(_) => directory.display().to_string(),
        };
        template
            .replace("@PREFIX@", &self.prefix.display().to_string())
            .replace("@LIBDIR@", &below_prefix(&self.libdir))
            .replace("@INCLUDEDIR@", &below_prefix(&self.includedir))
            .replace("@VERSION@", version)
            .replace("@LIBS_PRIVATE@", system_libraries)
    }
}

/// The version of the library.
fn version(workspace: &Workspace) -> Result<String> {
    let package = workspace.packages().iter().find(|package| package.name.as_str() == "omcache-ffi");
    Ok(package.context("the workspace has no package omcache-ffi")?.version.to_string())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

/// Writes a file in one step, so that a program that has the old one open keeps it whole.
fn put(file: &Path, contents: &[u8], mode: u32) -> Result<()> {
    let fresh = fresh_name(file);
    fs::write(&fresh, contents).with_context(|| format!("writing {}", fresh.display()))?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", fresh.display()))?;
    fs::rename(&fresh, file).with_context(|| format!("writing {}", file.display()))
}

/// Makes a symbolic link, in place of an old one.
fn link(file: &Path, to: &str) -> Result<()> {
    let fresh = fresh_name(file);
    symlink(to, &fresh).with_context(|| format!("linking {}", fresh.display()))?;
    fs::rename(&fresh, file).with_context(|| format!("linking {}", file.display()))
}

/// A name beside a file that no other installation uses at the same time.
fn fresh_name(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(libdir: Option<&str>, destdir: Option<&str>) -> Places {
        Places::new(&Options {
            prefix: "/opt/cache".into(),
            libdir: libdir.map(Into::into),
            includedir: None,
            destdir: destdir.map(Into::into),
        })
        .unwrap()
    }

    #[test]
    fn directories_are_below_the_prefix_unless_given() {
        assert_eq!(places(None, None).libdir, Path::new("/opt/cache/lib"));
        assert_eq!(places(Some("/lib64"), None).libdir, Path::new("/lib64"));
        assert_eq!(places(Some("lib/a-b-c"), None).libdir, Path::new("/opt/cache/lib/a-b-c"));
        assert_eq!(places(None, None).includedir, Path::new("/opt/cache/include"));
    }

    #[test]
    fn a_staging_directory_stands_before_the_others() {
        let places = places(None, Some("/stage"));
        assert_eq!(places.at(&places.libdir), Path::new("/stage/opt/cache/lib"));
        assert!(!places.describe("@PREFIX@ @LIBDIR@", "", "").contains("stage"));
    }

    #[test]
    fn the_description_names_final_places() {
        let template = "@PREFIX@ @LIBDIR@ @INCLUDEDIR@ @VERSION@ @LIBS_PRIVATE@";
        let text = places(Some("/lib64"), None).describe(template, "1.0.0", "-lm -lc");
        assert_eq!(text, "/opt/cache /lib64 ${prefix}/include 1.0.0 -lm -lc");
    }

    #[test]
    fn files_and_links_replace_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let file = directory.join("libx.so.0");
        for text in ["old", "new"] {
            put(&file, text.as_bytes(), 0o755).unwrap();
            link(&directory.join("libx.so"), "libx.so.0").unwrap();
        }
        assert_eq!(fs::read_to_string(directory.join("libx.so")).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 2);
    }
}
