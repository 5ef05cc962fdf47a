//! The servers that are measured against: one thread each, at TCP ports and at a Unix socket.

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::demo::memcached::Memcached;

/// Which of them a workload uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One, at a TCP port.
    One,
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
            Self::Four => "four servers, TCP",
            Self::Socket => "one server, Unix socket",
        }
    }
}

/// Running servers.
pub(super) struct Servers {
    tcp: Vec<Memcached>,
    _socket: Memcached,
    folder: TempDir,
}

impl Servers {
    /// Starts all of them.
    pub(super) fn start() -> Result<Self> {
        let program = Memcached::installed().context("memcached is not installed")?;
        let tcp = (0..4).map(|_| Memcached::start(&program, None)).collect::<Result<_>>()?;
        let folder = tempfile::tempdir().context("making a temporary directory")?;
        let socket = Memcached::start_on_socket(&program, &folder.path().join("socket"))?;
        Ok(Self { tcp, _socket: socket, folder })
    }

    /// Their addresses, with commas between them.
    pub(super) fn list(&self, place: Place) -> String {
        let count = match place {
            Place::Socket => return self.folder.path().join("socket").display().to_string(),
            Place::One => 1,
            Place::Four => 4,
        };
        let addresses = self.tcp.iter().take(count).map(|server| format!("127.0.0.1:{}", server.port()));
        addresses.collect::<Vec<_>>().join(",")
    }
}
