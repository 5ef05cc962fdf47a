//! The servers that are measured against: one thread each, at TCP ports and at a Unix socket.

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::demo::memcached::Memcached;

/// Which of them a workload uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One, at a TCP port.
    One,
    /// One, at a TCP port, that answers 2,000 requests of a connection before it looks at another one, by its option -R.
    Eager,
    /// Four, at TCP ports.
    Four,
    /// One, at a Unix socket.
    Socket,
}

impl Place {
    /// As tables have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one server, TCP",
            Self::Eager => "one server with -R 2000, TCP",
            Self::Four => "four servers, TCP",
            Self::Socket => "one server, Unix socket",
        }
    }
}

/// Running servers.
pub(super) struct Servers {
    tcp: Vec<Memcached>,
    eager: Memcached,
    _socket: Memcached,
    folder: TempDir,
}

impl Servers {
    /// Starts all of them.
    pub(super) fn start() -> Result<Self> {
        let program = Memcached::installed().context("memcached is not installed")?;
        let tcp = (0..4).map(|_| Memcached::start(&program, None)).collect::<Result<_>>()?;
        let eager = Memcached::start_with(&program, None, &["-R", "2000"])?;
        let folder = tempfile::tempdir().context("making a temporary directory")?;
        let socket = Memcached::start_on_socket(&program, &folder.path().join("socket"))?;
        Ok(Self { tcp, eager, _socket: socket, folder })
    }

    /// Their addresses, with commas between them.
    pub(super) fn list(&self, place: Place) -> String {
        let servers = match place {
            Place::Socket => return self.folder.path().join("socket").display().to_string(),
            Place::One => self.tcp.get(..1).unwrap_or_default(),
            Place::Eager => std::slice::from_ref(&self.eager),
            Place::Four => &self.tcp,
        };
        let addresses = servers.iter().map(|server| format!("127.0.0.1:{}", server.port()));
        addresses.collect::<Vec<_>>().join(",")
    }
}
