//! Python for the tasks: virtual environments below the target directory, and what is installed into them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::prerequisites;
use crate::process;
use crate::workspace::Workspace;

/// What makes wheels.
pub(crate) const MATURIN: &str = "maturin>=1.9.4,<2";

/// The crate of the Python module.
pub(crate) const CRATE: &str = "omcache-py";

/// A virtual environment of its own.
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The environment with this name, made if there is none, with these packages in it.
    pub(crate) fn with(workspace: &Workspace, name: &str, packages: &[&str]) -> Result<Self> {
        prerequisites::ensure(prerequisites::PYTHON)?;
        let folder = workspace.target_directory().join("python").join(name);
        let environment = Self { folder };
        if !environment.program("pip").exists() {
            environment.make()?;
        }
        // What was installed when it was last used; looking packages up takes seconds.
        let marker = environment.folder.join("installed");
        let wanted = packages.join("\n");
        if fs::read_to_string(&marker).unwrap_or_default() != wanted {
            let mut pip = environment.pip();
            process::run(pip.args(["install", "--upgrade"]).args(packages))?;
            fs::write(&marker, wanted).with_context(|| format!("writing {}", marker.display()))?;
        }
        Ok(environment)
    }

    /// An environment with nothing in it, made anew.
    pub(crate) fn empty(workspace: &Workspace, name: &str) -> Result<Self> {
        prerequisites::ensure(prerequisites::PYTHON)?;
        let environment = Self { folder: workspace.target_directory().join("python").join(name) };
        environment.make()?;
        Ok(environment)
    }

    fn make(&self) -> Result<()> {
        let mut python = Command::new("python3");
        python.args(["-m", "venv", "--clear"]).arg(&self.folder);
        process::run(&mut python)
            .context("making a virtual environment; on Debian it takes the package python3-venv")
    }

    /// The path of a program in it.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// A program in it.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.program(name))
    }

    /// The installer, which asks nothing and speaks of no new versions of itself.
    pub(crate) fn pip(&self) -> Command {
        let mut pip = self.command("python");
        pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
        pip
    }

    /// Installs wheels, in the place of those that are there.
    pub(crate) fn install<W: AsRef<OsStr>>(&self, wheels: &[W]) -> Result<()> {
        let mut pip = self.pip();
        process::run(pip.args(["install", "--force-reinstall", "--no-deps"]).args(wheels))
    }
}

/// Builds the wheel of the module into `out`, which is emptied of other wheels of it, and returns its path.
pub(crate) fn build_wheel(
    workspace: &Workspace,
    maturin: &Environment,
    profile: &str,
    interpreter: Option<&Path>,
    out: &Path,
) -> Result<PathBuf> {
    for wheel in wheels(out)? {
        fs::remove_file(&wheel).with_context(|| format!("removing {}", wheel.display()))?;
    }
    let mut build = maturin.command("maturin");
    build.current_dir(workspace.root().join(CRATE)).args(["build", "--profile", profile, "--out"]).arg(out);
    if let Some(interpreter) = interpreter {
        build.arg("--interpreter").arg(interpreter);
    }
    process::run(&mut build)?;
    let built = wheels(out)?;
    built.into_iter().next().with_context(|| format!("no wheel in {}", out.display()))
}

/// The module's wheels in a directory; none where there is no such directory.
fn wheels(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("omcache-") && name.ends_with(".whl") {
            found.push(path);
        }
    }
    Ok(found)
}
