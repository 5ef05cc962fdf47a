//! spymemcached's ketama, in its own way of naming points.

use alloc::vec::Vec;

use super::ketama::{Names, md5_points};
use crate::error::BuildError;
use crate::ring::Ring;
use crate::server::Server;

/// The ring of `KetamaNodeLocator`: names `host:port-N`, the port always, 40 a server.
pub(crate) fn ring(servers: &[Server<'_>]) -> Result<Ring, BuildError> {
    // Its points are the keys of a map, in which a later server's point replaces an equal one: the
    // last server comes first among equals.
    let last = u16::try_from(servers.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let backwards: Vec<_> = servers.iter().rev().copied().collect();
    md5_points(&backwards, Names::Equal.count(&backwards), |name, server| {
        name.begin(format_args!("{}:{}-", server.host, server.port));
    })
    .renumbered(|server| last.saturating_sub(server))
    .into_ring()
}
