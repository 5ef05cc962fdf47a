//! The server to measure against: memcached where it is installed, else the embedded one.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use omcache::testing::Server;

/// A running server; it stops when this is dropped.
pub(crate) struct CacheServer {
    address: String,
    backend: Backend,
}

enum Backend {
    Memcached(Child),
    Embedded { _server: Server },
}

impl CacheServer {
    pub(crate) fn start() -> io::Result<Self> {
        // memcached writes the port that the kernel chose for it into this file.
        let ports = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}.port", std::process::id()));
        let mut command = Command::new("memcached");
        command.args(["-p", "-1", "-l", "127.0.0.1", "-t", "1"]).env("MEMCACHED_PORT_FILENAME", &ports);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => {
                // From here on dropping it stops the process.
                let mut server = Self { address: String::new(), backend: Backend::Memcached(child) };
                let found = port(&ports);
                let _ = std::fs::remove_file(&ports);
                server.address = format!("127.0.0.1:{}", found?);
                Ok(server)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let server = Server::start()?;
                Ok(Self {
                    address: server.address().to_string(),
                    backend: Backend::Embedded { _server: server },
                })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.backend {
            Backend::Memcached(_) => "memcached, one thread, over loopback",
            Backend::Embedded { .. } => "the embedded server, over loopback",
        }
    }
}

fn port(file: &Path) -> io::Result<String> {
    let begin = Instant::now();
    loop {
        // The file appears complete: it is written under another name and renamed.
        if let Ok(text) = std::fs::read_to_string(file) {
            let port = text.lines().find_map(|line| line.strip_prefix("TCP INET: "));
            return port.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no port in {text:?}")));
        }
        if begin.elapsed() > Duration::from_secs(5) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "memcached does not tell its port"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for CacheServer {
    fn drop(&mut self) {
        if let Backend::Memcached(child) = &mut self.backend {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
