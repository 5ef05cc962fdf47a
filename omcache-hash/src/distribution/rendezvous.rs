//! pymemcache's rendezvous hashing: every server scores the key, the highest score has it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::point_name::full_name;
use crate::hash::Murmur3;
use crate::server::Server;

#[derive(Clone, Debug)]
struct Node {
    // The hash's state after `host:port-`.
    state: Murmur3,
    // Where equal scores put the server: the greater name, and among equal names the first, wins.
    rank: u16,
}

/// The servers, each ready to score a key.
#[derive(Clone, Debug)]
pub(crate) struct Nodes(Box<[Node]>);

impl Nodes {
    pub(crate) fn new(servers: &[Server<'_>]) -> Self {
        let names: Vec<String> = servers.iter().map(full_name).collect();
        let mut by_name: Vec<usize> = (0..names.len()).collect();
        // Stable, so equal names keep their order once it is turned round.
        by_name.reverse();
        by_name.sort_by(|&a, &b| names.get(a).cmp(&names.get(b)));
        let mut nodes: Vec<Node> = names
            .iter()
            .map(|name| Node { state: text(Murmur3::new(0), name).push(b'-'), rank: 0 })
            .collect();
        for (index, rank) in by_name.into_iter().zip(0..) {
            if let Some(node) = nodes.get_mut(index) {
                node.rank = rank;
            }
        }
        Self(nodes.into_boxed_slice())
    }

    /// The server that has the key.
    pub(crate) fn server(&self, key: &[u8]) -> usize {
        let key = Key::new(key);
        let best = self.0.iter().enumerate().max_by_key(|(_, node)| (key.score(node), node.rank));
        best.map_or(0, |(index, _)| index)
    }

    /// All servers, the highest score first.
    pub(crate) fn order(&self, key: &[u8]) -> Vec<u16> {
        let key = Key::new(key);
        let mut scored: Vec<(u32, u16, u16)> =
            self.0.iter().zip(0..).map(|(node, index)| (key.score(node), node.rank, index)).collect();
        scored.sort_unstable_by_key(|&(score, rank, _)| Reverse((score, rank)));
        scored.into_iter().map(|(_, _, index)| index).collect()
    }
}

/// A key as pymemcache's Python code sees it.
enum Key<'a> {
    Ascii(&'a [u8]),
    Text(&'a str),
    // What is no UTF-8 can only have been given as a bytes object, of which Python formats the
    // representation, `b'...'`.
    Bytes(&'a [u8]),
}

impl<'a> Key<'a> {
    fn new(key: &'a [u8]) -> Self {
        if key.is_ascii() {
            return Self::Ascii(key);
        }
        core::str::from_utf8(key).map_or(Self::Bytes(key), Self::Text)
    }

    fn score(&self, node: &Node) -> u32 {
        match self {
            Self::Ascii(key) => node.state.update(key),
            Self::Text(key) => text(node.state, key),
            Self::Bytes(key) => representation(node.state, key),
        }
        .finish()
    }
}

// The hash takes the low eight bits of each code point.
fn text(state: Murmur3, text: &str) -> Murmur3 {
    text.chars().fold(state, |state, character| state.push(character as u32 as u8))
}

fn representation(state: Murmur3, bytes: &[u8]) -> Murmur3 {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // Single quotes, unless that would need a backslash and double ones would not.
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let state = bytes.iter().fold(state.push(b'b').push(quote), |state, &byte| match byte {
        b'\\' => state.update(b"\\\\"),
        b'\t' => state.update(b"\\t"),
        b'\n' => state.update(b"\\n"),
        b'\r' => state.update(b"\\r"),
        _ if byte == quote => state.push(b'\\').push(quote),
        b' '..=b'~' => state.push(byte),
        _ => state.update(b"\\x").push(HEX[usize::from(byte >> 4)]).push(HEX[usize::from(byte & 15)]),
    });
    state.push(quote)
}

#[cfg(test)]
mod tests {
    use super::{Nodes, representation, text};
    use crate::hash::Murmur3;
    use crate::server::Server;

    #[test]
    fn code_points_are_masked_to_eight_bits() {
        let start = Murmur3::new(0);
        assert_eq!(text(start, "\u{e4}\u{141}").finish(), start.update(b"\xe4\x41").finish());
    }

    #[test]
    fn bytes_are_formatted_as_python_does() {
        let start = Murmur3::new(0);
        for (bytes, written) in [
            (&b"\xff'a\n"[..], &br#"b"\xff'a\n""#[..]),
            (b"\x80\"'", br#"b'\x80"\''"#),
            (b"\xfe\\ \x7f\t", br"b'\xfe\\ \x7f\t'"),
        ] {
            assert_eq!(representation(start, bytes).finish(), start.update(written).finish());
        }
    }

    #[test]
    fn equal_servers_keep_their_order() {
        let nodes = Nodes::new(&[Server::new("a", "1"), Server::new("a", "1")]);
        assert_eq!(nodes.server(b"key"), 0);
        assert_eq!(nodes.order(b"key"), [0, 1]);
    }
}
