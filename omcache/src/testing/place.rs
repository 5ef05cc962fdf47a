//! Where a server listens, and keeps its place while it does not.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt,
};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where a server listens.
#[derive(Debug)]
pub(super) enum Place {
    Tcp {
        address: SocketAddr,
        /// A bound socket that does not listen: the port stays ours while no other one does.
        _reserved: OwnedFd,
    },
    /// The path of a socket that is ours to remove.
    Unix(PathBuf),
}

impl Place {
    /// Takes an address. For port 0, the kernel chooses one.
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let reserved = tcp_socket(address)?;
        let address = SocketAddr::try_from(getsockname(&reserved)?)?;
        Ok(Self::Tcp { address, _reserved: reserved })
    }

    /// Opens a listening socket that does not block.
    pub(super) fn listen(&self) -> io::Result<OwnedFd> {
        let socket = match self {
            // Linux lets sockets with SO_REUSEADDR share a port as long as none of them listens.
            Self::Tcp { address, .. } => tcp_socket(*address)?,
            Self::Unix(path) => {
                let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags(), None)?;
                bind(&socket, &SocketAddrUnix::new(path)?)?;
                socket
            }
        };
        listen(&socket, BACKLOG)?;
        Ok(socket)
    }

    /// Removes what an ended listener leaves in the file system.
    pub(super) fn clear(&self) {
        if let Self::Unix(path) = self {
            // It fails where someone else has removed it.
            let _ = fs::remove_file(path);
        }
    }

    /// Sets what connections want.
    pub(super) fn prepare(&self, connection: impl AsFd) -> io::Result<()> {
        match self {
            // Answers are sent when they are complete, so waiting for more has no use.
            Self::Tcp { .. } => Ok(sockopt::set_tcp_nodelay(connection, true)?),
            Self::Unix(_) => Ok(()),
        }
    }

    /// The TCP port; 0 for a Unix socket.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Tcp { address, .. } => address.port(),
            Self::Unix(_) => 0,
        }
    }
}

/// As a client's configuration has it: `127.0.0.1:11211`, `[::1]:11211` or a path.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, .. } => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

fn flags() -> SocketFlags {
    SocketFlags::CLOEXEC | SocketFlags::NONBLOCK
}

fn tcp_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, flags(), None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}
