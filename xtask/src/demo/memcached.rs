//! A memcached process on a port that the kernel chose, which never outlives this program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// The shell waits for the end of its input, which comes when this program closes the pipe or ends in whatever way, and
/// ends memcached then. Signals from the terminal's keys must not end the shell before.
const KEEPER: &str = r#"trap '' HUP INT TERM; "$@" & echo $!; exec 2>/dev/null; read -r _; kill -9 $!; wait"#;

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(5);

/// A running memcached. Dropping it ends it.
pub(crate) struct Memcached {
    keeper: Child,
    /// Open as long as memcached is to live.
    input: Option<ChildStdin>,
    pid: Pid,
    port: u16,
}

impl Memcached {
    /// The program, where it is installed.
    pub(crate) fn installed() -> Option<PathBuf> {
        which::which("memcached").ok()
    }

    /// Starts it on this port of the loopback address; the kernel chooses one where none is given.
    pub(crate) fn start(program: &Path, port: Option<u16>) -> Result<Self> {
        Self::start_with(program, port, &[])
    }

    /// As [`Memcached::start`], with more arguments.
    pub(crate) fn start_with(program: &Path, port: Option<u16>, more: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir().context("making a temporary directory")?;
        let port_file = directory.path().join("port");
        let port = port.map_or("-1".to_owned(), |port| port.to_string());
        let arguments: Vec<&OsStr> = ["-l", "127.0.0.1", "-p", &port]
            .into_iter()
            .chain(more.iter().copied())
            .map(OsStr::new)
            .collect();
        // From here on an error ends the process.
        let mut memcached = Self::spawn(program, &arguments, &port_file)?;
        memcached.port = read_port(&port_file)?;
        Ok(memcached)
    }

    /// Starts it on so many loopback addresses, all with the same port: as many servers to a client.
    pub(crate) fn start_on_many(program: &Path, addresses: &[Ipv4Addr]) -> Result<Self> {
        // One that was free just now.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.context("looking for a free port")?.port();
        let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let (list, number) = (list.join(","), port.to_string());
        let arguments = ["-l", &list, "-p", &number, "-c", "4096"].map(OsStr::new);
        let mut memcached = Self::spawn(program, &arguments, Path::new(""))?;
        memcached.port = port;
        let begin = Instant::now();
        while addresses.last().is_some_and(|&last| TcpStream::connect((last, port)).is_err()) {
            if begin.elapsed() > START_LIMIT {
                bail!("memcached does not listen at {} addresses, port {port}", addresses.len());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(memcached)
    }

    /// Starts it on a Unix socket at this path.
    pub(crate) fn start_on_socket(program: &Path, socket: &Path) -> Result<Self> {
        let memcached = Self::spawn(program, &["-s".as_ref(), socket.as_os_str()], Path::new(""))?;
        let begin = Instant::now();
        while UnixStream::connect(socket).is_err() {
            if begin.elapsed() > START_LIMIT {
                bail!("memcached does not listen at {}", socket.display());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(memcached)
    }

    /// Where there is no file for the port, none is written.
    fn spawn(program: &Path, place: &[&OsStr], port_file: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(program).args(place).args(["-t", "1"]);
        if geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        if !port_file.as_os_str().is_empty() {
            command.env("MEMCACHED_PORT_FILENAME", port_file);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().context("cannot start `sh`")?;
        let input = keeper.stdin.take();
        let mut line = String::new();
        if let Some(output) = keeper.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        let pid =
            pid.ok_or_else(|| anyhow!("the shell that runs memcached says {line:?}, no process number"))?;
        Ok(Self { keeper, input, pid, port: 0 })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it without warning, and returns when it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.bury();
        Ok(())
    }

    /// Stops it from running: its connections stay open, and it answers nothing.
    pub(super) fn hang(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it run again.
    pub(super) fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal)
            .with_context(|| format!("sending {signal:?} to memcached {:?}", self.pid))
    }

    fn bury(&mut self) {
        self.input = None;
        // It can't fail for a child that nobody else waits for.
        let _ = self.keeper.wait();
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.bury();
    }
}

fn read_port(file: &Path) -> Result<u16> {
    let begin = Instant::now();
    loop {
        // memcached writes the file under another name first, so what is there is whole.
        if let Ok(text) = std::fs::read_to_string(file) {
            let port = text.lines().find_map(|line| line.strip_prefix("TCP INET: "));
            return port
                .and_then(|port| port.trim().parse().ok())
                .with_context(|| format!("memcached tells no port in {text:?}"));
        }
        if begin.elapsed() > START_LIMIT {
            bail!("memcached does not listen after {} s", START_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
