//! A memcached process of a test's own: on a free port or a Unix socket, paused, killed and restarted at will.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

pub(crate) mod deadline;
pub(crate) mod foreign_loop;
pub(crate) mod keys;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use self::deadline::until;

/// How long a process may take to start, stop or answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where it listens.
#[derive(Clone, Debug)]
enum Place {
    Tcp(u16),
    Unix(PathBuf),
}

/// A running memcached, killed when it goes out of scope.
pub(crate) struct Memcached {
    child: Option<Child>,
    place: Place,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Memcached {
    /// On a port of 127.0.0.1 that the kernel chose.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Memcached::start`], with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut server = Self::new(Place::Tcp(0), arguments);
        server.spawn();
        let path = server.port_file();
        let mut port = None;
        until(PATIENCE, "memcached tells its port", || {
            server.check_alive();
            let text = fs::read_to_string(&path).unwrap_or_default();
            port = text.lines().find_map(|line| line.strip_prefix("TCP INET: ")?.trim().parse().ok());
            port.is_some()
        });
        server.place = Place::Tcp(port.unwrap());
        server
    }

    /// On a Unix socket.
    pub(crate) fn start_unix() -> Self {
        let mut server = Self::new(Place::Tcp(0), &[]);
        server.place = Place::Unix(server.folder.path().join("socket"));
        server.spawn();
        server.wait_until_it_listens();
        server
    }

    /// Several at once.
    pub(crate) fn start_many<const N: usize>() -> [Self; N] {
        std::array::from_fn(|_| Self::start())
    }

    fn new(place: Place, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            child: None,
            place,
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            folder,
        }
    }

    fn port_file(&self) -> PathBuf {
        self.folder.path().join("ports")
    }

    fn spawn(&mut self) {
        let _ = fs::remove_file(self.port_file());
        let mut command = Command::new("memcached");
        command.args(["-U", "0", "-t", "1", "-m", "256"]);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        match &self.place {
            // Port -1 lets the kernel choose, so that no two tests collide.
            Place::Tcp(0) => command.args(["-l", "127.0.0.1", "-p", "-1"]),
            Place::Tcp(port) => command.args(["-l", "127.0.0.1", "-p", &port.to_string()]),
            Place::Unix(path) => command.arg("-s").arg(path),
        };
        let log = File::create(self.folder.path().join("log")).unwrap();
        command
            .args(&self.arguments)
            .env("MEMCACHED_PORT_FILENAME", self.port_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        match command.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                panic!(
                    "memcached can't be started ({error}): these tests need the Debian package `memcached`"
                )
            }
        }
    }

    /// Fails where the process has ended by itself, with what it said.
    fn check_alive(&mut self) {
        if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
            let said = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("memcached ended with {status}: {said}");
        }
    }

    fn wait_until_it_listens(&mut self) {
        until(PATIENCE, "memcached listens", || {
            self.check_alive();
            self.open().is_some()
        });
    }

    /// The address, as clients are given it.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Tcp(port) => format!("127.0.0.1:{port}"),
            Place::Unix(path) => path.to_str().unwrap().to_owned(),
        }
    }

    /// The port; 0 on a Unix socket.
    pub(crate) fn port(&self) -> u16 {
        match self.place {
            Place::Tcp(port) => port,
            Place::Unix(_) => 0,
        }
    }

    /// Host and port, as distributions have them.
    pub(crate) fn place(&self) -> (String, String) {
        match &self.place {
            Place::Tcp(port) => ("127.0.0.1".to_owned(), port.to_string()),
            Place::Unix(path) => (path.to_str().unwrap().to_owned(), "0".to_owned()),
        }
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn signal(&self, signal: Signal) -> Pid {
        let pid = Pid::from_child(self.child.as_ref().expect("it runs"));
        kill_process(pid, signal).unwrap();
        pid
    }

    /// Stops it where it stands: the kernel still takes connections and bytes for it, but nothing is answered.
    pub(crate) fn pause(&self) {
        let pid = self.signal(Signal::STOP);
        until(PATIENCE, "memcached is stopped", || {
            let changed = waitpid(Some(pid), WaitOptions::UNTRACED | WaitOptions::NOHANG).unwrap();
            changed.is_some_and(|(_, status)| status.stopped())
        });
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it at once; what it stored is lost.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it once more at the same address, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        if let Place::Unix(path) = &self.place {
            let _ = fs::remove_file(path);
        }
        self.spawn();
        self.wait_until_it_listens();
    }

    fn open(&self) -> Option<Box<dyn ReadWrite>> {
        match &self.place {
            Place::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).ok()?;
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Some(Box::new(stream))
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).ok()?;
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Some(Box::new(stream))
            }
        }
    }

    /// A number of its statistics, asked for on a connection of its own and in the text protocol.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let mut stream = self.open().expect("it listens");
        stream.write_all(b"stats\r\nquit\r\n").unwrap();
        let wanted = format!("STAT {name} ");
        let lines = BufReader::new(stream).lines().map(|line| line.expect("it answers"));
        let found =
            lines.take_while(|line| line != "END").find_map(|line| line.strip_prefix(&wanted)?.parse().ok());
        found.unwrap_or_else(|| panic!("no statistic {name}"))
    }

    /// How many connections it has taken since it started, without those of [`Memcached::stat`] and its like.
    pub(crate) fn connections_taken(&self) -> Connections {
        Connections { taken: self.stat("total_connections") }
    }

    /// How many connections stand, that of this question left out.
    pub(crate) fn connections_open(&self) -> u64 {
        self.stat("curr_connections") - 1
    }

    /// What it has at a key, asked for as [`Memcached::stat`] is.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let mut stream = self.open().expect("it listens");
        stream.write_all(format!("get {key}\r\nquit\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, rest) = answer.strip_prefix("VALUE ")?.split_once("\r\n")?;
        rest.strip_suffix("\r\nEND\r\n").map(str::to_owned)
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A count of connections, to be compared with a later one.
pub(crate) struct Connections {
    taken: u64,
}

impl Connections {
    /// How many clients have connected since.
    pub(crate) fn since(&self, server: &Memcached) -> u64 {
        // The question itself is one.
        server.stat("total_connections") - self.taken - 1
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
