//! The three cache servers: memcached processes, or the servers that OMcache has built in.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use omcache::testing::{Fault, Server};

use super::memcached::Memcached;

/// How many there are.
pub(super) const COUNT: usize = 3;

/// What people call them.
pub(super) const NAMES: [char; COUNT] = ['A', 'B', 'C'];

/// Which kind of servers.
pub(super) enum Kind {
    /// memcached, at this path.
    Memcached(PathBuf),
    /// Those that are built in, and why.
    Embedded(&'static str),
}

impl Kind {
    /// memcached, unless the others are asked for or it is not installed.
    pub(super) fn choose(embedded: bool) -> Self {
        match Memcached::installed() {
            _ if embedded => Self::Embedded("as asked for by --embedded"),
            Some(program) => Self::Memcached(program),
            None => Self::Embedded("as memcached is not installed"),
        }
    }
}

/// One server. Dropping it stops it.
pub(super) enum CacheServer {
    Process { program: PathBuf, port: u16, running: Option<Memcached> },
    Embedded(Server),
}

impl CacheServer {
    pub(super) fn start(kind: &Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Memcached(program) => {
                let running = Memcached::start(program, None)?;
                Self::Process { program: program.clone(), port: running.port(), running: Some(running) }
            }
            Kind::Embedded(_) => {
                Self::Embedded(Server::start().context("starting a server in this process")?)
            }
        })
    }

    /// Its address, as clients take it.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Process { port, .. } => format!("127.0.0.1:{port}"),
            Self::Embedded(server) => server.address(),
        }
    }

    /// Ends it without warning. All that it stored is lost.
    pub(super) fn kill(&mut self) -> Result<()> {
        match self {
            Self::Process { running, .. } => running.take().map_or(Ok(()), |mut memcached| memcached.kill()),
            Self::Embedded(server) => {
                server.stop();
                server.clear();
                Ok(())
            }
        }
    }

    /// Starts it again at the same address, empty.
    pub(super) fn restart(&mut self) -> Result<()> {
        match self {
            Self::Process { program, port, running } => {
                *running = Some(Memcached::start(program, Some(*port))?);
                Ok(())
            }
            Self::Embedded(server) => server.restart().context("starting a server again in this process"),
        }
    }

    /// Makes it hang: its connections stay open, and nothing is answered.
    pub(super) fn hang(&mut self) -> Result<()> {
        match self {
            Self::Process { running, .. } => running.as_ref().map_or(Ok(()), Memcached::hang),
            Self::Embedded(server) => {
                server.misbehave(Fault::StopReading);
                Ok(())
            }
        }
    }

    /// Ends the hanging.
    pub(super) fn go_on(&mut self) -> Result<()> {
        match self {
            Self::Process { running, .. } => running.as_ref().map_or(Ok(()), Memcached::go_on),
            Self::Embedded(server) => {
                server.behave();
                Ok(())
            }
        }
    }
}
