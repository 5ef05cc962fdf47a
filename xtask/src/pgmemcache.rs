//! `cargo xtask pgmemcache`: PostgreSQL's interface to memcached, built on the C library, passes its own test.

mod cluster;
mod source;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::install;
use crate::prerequisites;
use crate::process;
use crate::workspace::Workspace;
use cluster::Cluster;

/// The port that pgmemcache's test has.
const PORT: u16 = 33211;

/// What pgmemcache's own test leaves out: many keys at once, more statistics than there is room for, a statement that
/// fails as the server hangs, after which the session works on, and one whose time is over when OMcache logs that the
/// connection is lost: PostgreSQL leaves its log callback by `longjmp` then. `%pid` is memcached's.
const MORE: &str = r"
SELECT memcache_server_add('localhost:33211');
SELECT bool_and(memcache_set('k' || n, 'v' || n)) FROM generate_series(1, 9) n;
SELECT string_agg(key || '=' || value, ',' ORDER BY key) FROM memcache_get_multi(ARRAY['k1', 'k3', 'none', 'k5']);
SELECT memcache_append('k1', '+'), memcache_prepend('k1', '-'), memcache_get('k1');
SELECT memcache_replace('none', 'x');
SELECT length(memcache_stats()) > 500;
SELECT memcache_flush_all(), memcache_get('k1') IS NULL;
SELECT memcache_set('k1', 'before');
\! kill -STOP %pid
SET statement_timeout = '300ms';
SELECT memcache_get('k1');
\! kill -CONT %pid
RESET statement_timeout;
SELECT memcache_get('k1');
SELECT memcache_set('k1', 'after'), memcache_get('k1');
\! kill -STOP %pid
\! (sleep 1; kill -KILL %pid) >/dev/null 2>&1 &
SET statement_timeout = '300ms';
SELECT memcache_get('k1');
RESET statement_timeout;
SELECT memcache_get('k1');
SELECT memcache_server_add('localhost:33212');
SELECT 'the session works';
";

/// What it prints.
const MORE_EXPECTED: &str = "\
t
t
k1=v1,k3=v3,k5=v5
t|t|-v1+
WARNING:  pgmemcache: memcached_replace: Key not found from memcached
f
t
t|t
t
ERROR:  pgmemcache: memcached_get: Call would block, try again
before
t|after
ERROR:  canceling statement due to statement timeout
ERROR:  pgmemcache: memcached_get: No server available
t
the session works
";

/// Builds pgmemcache against the installed library, and runs its test in a PostgreSQL cluster of its own.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(prerequisites::PGMEMCACHE)?;
    check_port()?;
    let prefix = install::for_tests(workspace)?;
    // Below the system's directory for such files: the user `postgres` must get there.
    let folder = tempfile::tempdir().context("creating a temporary directory")?;
    let source = source::unpack(&workspace.target_directory().join("pgmemcache"), folder.path())?;
    let module = source::build(&source, &prefix, folder.path())?;

    let memcached = Memcached::start()?;
    let cluster = Cluster::start(folder.path())?;
    let functions = read(&source.join("ext/pgmemcache.sql"))?;
    cluster.create_functions(&functions, &module)?;

    let printed = cluster.psql(&["-a", "-q"], &source, &read(&source.join("sql/test.sql"))?)?;
    compare("pgmemcache's own test", &printed, &read(&source.join("expected/test.out"))?)?;
    let more = MORE.replace("%pid", &memcached.0.id().to_string());
    let printed = cluster.psql(&["-A", "-t", "-q"], &source, &more)?;
    // Log lines of OMcache have the time in them.
    let printed = printed
        .lines()
        .filter(|line| !line.contains("omcache/"))
        .fold(String::new(), |text, line| text + line + "\n");
    compare("the further test", &printed, MORE_EXPECTED)
}

fn check_port() -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)) {
        Ok(_) => Ok(()),
        Err(error) => bail!("port {PORT} is needed, as pgmemcache's test has it, and is not free: {error}"),
    }
}

/// Killed when it goes out of scope.
struct Memcached(Child);

impl Memcached {
    fn start() -> Result<Self> {
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-U", "0", "-p", &PORT.to_string()]);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let child = command.stdin(Stdio::null()).spawn().context("cannot start memcached")?;
        let mut memcached = Self(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_err() {
            if let Some(status) = memcached.0.try_wait()? {
                bail!("memcached ended at once: {status}");
            }
            if Instant::now() > deadline {
                bail!("memcached does not listen at port {PORT}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(memcached)
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // One that is stopped, or gone, is no matter here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

/// Shows the first difference, if there is one.
fn compare(what: &str, printed: &str, expected: &str) -> Result<()> {
    if printed == expected {
        println!("{what}: {} lines as expected", expected.lines().count());
        return Ok(());
    }
    let (mut printed_lines, mut expected_lines) = (printed.lines(), expected.lines());
    for number in 1.. {
        let (got, wanted) = (printed_lines.next(), expected_lines.next());
        if got != wanted || got.is_none() {
            println!("{printed}");
            bail!("{what}: line {number} is {got:?}, expected {wanted:?}");
        }
    }
    Ok(())
}

/// Runs a command and hands back what it printed.
fn output_of(command: &mut Command) -> Result<String> {
    println!("$ {}", process::line(command));
    let output = command.output().with_context(|| format!("cannot start `{}`", process::line(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("`{}` failed: {}\n{text}{told}", process::line(command), output.status);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn a_difference_is_told_by_its_line() {
        assert!(compare("it", "a\nb\n", "a\nb\n").is_ok());
        let told = |printed, expected| compare("it", printed, expected).unwrap_err().to_string();
        assert_eq!(told("a\nb\n", "a\nc\n"), "it: line 2 is Some(\"b\"), expected Some(\"c\")");
        assert_eq!(told("a\n", "a\nc\n"), "it: line 2 is None, expected Some(\"c\")");
        // Only the end of the last line differs.
        assert_eq!(told("a", "a\n"), "it: line 2 is None, expected None");
    }
}
