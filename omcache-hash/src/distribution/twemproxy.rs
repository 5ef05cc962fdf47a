//! twemproxy's (nutcracker's) ketama: libmemcached's weighted ring on the server's name.

use super::ketama::{Names, md5_points};
use super::point_name::{PointName, ShortName};
use crate::hash::fnv1a_64;
use crate::ring::Points;
use crate::server::Server;

/// The points of `distribution: ketama`.
pub(crate) fn points(servers: &[Server<'_>]) -> Points {
    md5_points(servers, Names::Weighted.count(servers), begin)
}

fn begin(name: &mut PointName, server: &Server<'_>) {
    match server.name {
        Some(given) => name.begin(format_args!("{given}-")),
        None if server.is_unix() => name.begin(format_args!("{}-", server.host)),
        None => name.begin(format_args!("{}-", ShortName(server))),
    }
}

/// The hash of a key under `hash: fnv1a_64`, twemproxy's default.
#[inline]
pub(crate) fn key_hash(key: &[u8], tag: Option<[u8; 2]>) -> u32 {
    let key = match tag {
        Some(tag) => tagged(key, tag),
        None => key,
    };
    // twemproxy does not hash nothing.
    if key.is_empty() { 0 } else { fnv1a_64(key) }
}

// The part between the first opening character and the next closing one, unless it is empty.
fn tagged(key: &[u8], [open, close]: [u8; 2]) -> &[u8] {
    let part = || {
        let start = key.iter().position(|&byte| byte == open)? + 1;
        let rest = key.get(start..)?;
        let end = rest.iter().position(|&byte| byte == close)?;
        rest.get(..end).filter(|part| !part.is_empty())
    };
    part().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::tagged;

    #[test]
    fn only_the_tagged_part_counts() {
        let braces = *b"{}";
        assert_eq!(tagged(b"a{user:1}b", braces), b"user:1");
        assert_eq!(tagged(b"a{x}{y}", braces), b"x");
        assert_eq!(tagged(b"}{x}", braces), b"x");
        for whole in [&b"plain"[..], b"a{b", b"a}b", b"a{}b", b"", b"a{}{x}"] {
            assert_eq!(tagged(whole, braces), whole);
        }
        assert_eq!(tagged(b"a$user$b", *b"$$"), b"user");
    }
}
