//! A PostgreSQL cluster of its own: in a temporary directory, at a Unix socket there, without a TCP port.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::output_of;
use crate::process;

/// Where Debian has PostgreSQL's programs.
pub(super) const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// The user that runs it where root does not: PostgreSQL refuses root.
const USER: &str = "postgres";

/// A running cluster, stopped when it goes out of scope.
pub(super) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// Makes and starts one below `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let home = folder.join("postgres");
        fs::create_dir(&home).with_context(|| format!("creating {}", home.display()))?;
        // The way to it, and the module beside it, must be open to the user.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        if rustix::process::geteuid().is_root() {
            let user = output_of(Command::new("id").args(["-u", USER]))?;
            let user = user.trim().parse().with_context(|| format!("the number of the user {USER}"))?;
            chown(&home, Some(user), None).with_context(|| format!("giving {} to {USER}", home.display()))?;
        }
        let cluster = Self { folder: home };
        process::run(
            cluster
                .program("initdb")
                .args(["--encoding=UTF8", "--no-locale", "--auth=trust", "--no-sync"])
                .args(["--username", USER]),
        )?;
        let socket = cluster.folder.display();
        let settings = format!("-c listen_addresses= -c unix_socket_directories={socket} -c fsync=off");
        let log = cluster.folder.join("log");
        let mut start = cluster.program("pg_ctl");
        start.args(["--wait", "--options", &settings, "--log"]).arg(&log).arg("start");
        if let Err(error) = process::run(&mut start) {
            bail!("{error:#}\n{}", fs::read_to_string(&log).unwrap_or_default());
        }
        Ok(cluster)
    }

    /// A program of PostgreSQL's on this cluster, run by the user that may.
    fn program(&self, name: &str) -> Command {
        let program = format!("{PROGRAMS}/{name}");
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--", &program]);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder).arg("--pgdata").arg(self.folder.join("data"));
        command
    }

    /// Creates pgmemcache's functions, as `CREATE EXTENSION` would: that reads only directories of the system.
    pub(super) fn create_functions(&self, script: &str, module: &Path) -> Result<()> {
        let script = script.replace("MODULE_PATHNAME", &module.display().to_string());
        // The line that refuses to be run by hand.
        let script: Vec<_> = script.lines().filter(|line| !line.starts_with("\\echo")).collect();
        let printed = self.psql(&["-q", "-v", "ON_ERROR_STOP=1"], &self.folder, &script.join("\n"))?;
        if !printed.is_empty() {
            bail!("creating pgmemcache's functions: {printed}");
        }
        Ok(())
    }

    /// Runs a script from `directory`, and returns what it prints, errors included.
    pub(super) fn psql(&self, options: &[&str], directory: &Path, script: &str) -> Result<String> {
        let mut command = Command::new(format!("{PROGRAMS}/psql"));
        command.current_dir(directory).arg("-X").args(options);
        command.args(["--username", USER, "--dbname", "postgres", "--host"]).arg(&self.folder);
        println!("$ {}", process::line(&command));
        // One pipe for both streams keeps their lines in order.
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().context("cannot start psql")?;
        // The command's own ends of the pipe go, else it would never end.
        drop(command);
        let mut input = child.stdin.take().context("psql has no standard input")?;
        input.write_all(script.as_bytes())?;
        drop(input);
        let printed = std::io::read_to_string(reader)?;
        child.wait()?;
        Ok(printed)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        if let Err(error) = process::run(stop.args(["--wait", "--mode=immediate", "stop"])) {
            println!("{error:#}");
        }
    }
}
