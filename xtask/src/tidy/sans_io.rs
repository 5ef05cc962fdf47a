//! Below `omcache` there is no socket, clock, thread or environment: time and addresses come as parameters.

use super::finding::Finding;
use super::paths::{self, Path};
use super::tokens::{self, Token};
use super::tree::File;

const RULE: &str = "sans-io";

/// The crates below the line.
const CRATES: &[&str] = &["omcache-proto", "omcache-hash", "omcache-conn"];

/// Modules of `std` that only hold what the crates below the line do without.
const CLOSED: &[&str] = &["env", "fs", "os", "process", "thread"];

/// Types of `std::net` that name an address and open nothing.
const ADDRESSES: &[&str] =
    &["AddrParseError", "IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6"];

/// Types of `std::io` that tell of I/O and do none.
const REPORTS: &[&str] = &["Error", "ErrorKind", "IoSlice", "Result"];

/// Crates that do I/O.
const CLOSED_CRATES: &[&str] = &["libc", "mio", "nix", "rustix", "socket2", "tokio"];

/// Checks a source file of a library crate; tests may read the clock to start from.
pub(crate) fn check(file: &File, tokens: &[Token]) -> Vec<Finding> {
    if !CRATES.iter().any(|krate| file.is_source_of(krate)) {
        return Vec::new();
    }
    let tokens = tokens::without_tests(tokens);
    let mut findings = Vec::new();
    for path in paths::read(&tokens) {
        if let Some(reason) = refused(&path) {
            let message = format!("`{}`: {reason}", path.segments.join("::"));
            findings.push(file.finding(path.line, RULE, message));
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        if tokens::starts_with(&tokens[index..], &[".", "elapsed", "("]) {
            findings.push(file.finding(
                token.line,
                RULE,
                "`.elapsed()` reads the clock; take `now` as a parameter",
            ));
        }
    }
    findings
}

fn refused(path: &Path) -> Option<&'static str> {
    let segments = &path.segments;
    if segments.iter().any(|segment| segment == "SystemTime")
        || segments.ends_with(&["Instant".to_owned(), "now".to_owned()])
        || segments.ends_with(&["Instant".to_owned(), "elapsed".to_owned()])
    {
        return Some("reads the clock; take `now` as a parameter");
    }
    if segments.len() > 1 && CLOSED_CRATES.contains(&segments[0].as_str()) {
        return Some("no I/O in this crate");
    }
    let first = path.below(&["std"])?.first()?.as_str();
    if first == "*" || CLOSED.contains(&first) {
        return Some("not in this crate");
    }
    let only = |module, allowed: &[&str]| {
        path.below(&["std", module])
            .and_then(|below| below.first())
            .is_some_and(|name| !allowed.contains(&name.as_str()))
    };
    if only("net", ADDRESSES) {
        return Some("only address types of `std::net` in this crate");
    }
    if only("io", REPORTS) {
        return Some("only error types of `std::io` in this crate");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, source: &str) -> Vec<usize> {
        let file = File::new(path, source);
        check(&file, file.tokens().unwrap().as_ref().unwrap()).iter().map(|finding| finding.line).collect()
    }

    fn refuses(source: &str) -> bool {
        !lines("omcache-conn/src/timer.rs", source).is_empty()
    }

    #[test]
    fn clocks_are_refused_however_they_are_named() {
        assert!(refuses("use std::time::Instant; fn f() { Instant::now(); }"));
        assert!(refuses("use std::time::Instant as I; fn f() { I::now(); }"));
        assert!(refuses("fn f() { g(std::time::Instant::now) }"));
        assert!(refuses("use std::time::{Duration, SystemTime};"));
        assert!(refuses("fn f(since: Instant) { since.elapsed(); }"));
    }

    #[test]
    fn sockets_threads_and_environment_are_refused() {
        assert!(refuses("use std::net::{IpAddr, TcpStream};"));
        assert!(refuses("use std::net; fn f() { net::UdpSocket::bind(a) }"));
        assert!(refuses("use std::net::*;"));
        assert!(refuses("use std::io::{self, Read};"));
        assert!(refuses("use std::{env, thread};"));
        assert!(refuses("fn f() { std::fs::read(p) }"));
        assert!(refuses("use std::os::fd::OwnedFd;"));
        assert!(refuses("fn f() { rustix::net::socket() }"));
    }

    #[test]
    fn addresses_instants_and_errors_are_let_through() {
        assert!(!refuses("use std::net::{IpAddr, SocketAddr}; use std::time::{Duration, Instant};"));
        assert!(!refuses("use std::io; fn f(e: io::Error) -> io::ErrorKind { e.kind() }"));
        assert!(!refuses("fn f(env: Env) { env!(\"CARGO_PKG_VERSION\"); thread.x(); process(env) }"));
        assert!(!refuses("/// `Instant::now()`\nfn f(now: Instant) { \"std::env\" }"));
    }

    #[test]
    fn tests_may_read_the_clock() {
        assert!(!refuses("#[cfg(test)] mod tests { fn f() { std::time::Instant::now() } }"));
        assert_eq!(lines("omcache-conn/src/timer/tests.rs", "fn f() { std::time::Instant::now() }"), [0; 0]);
    }

    #[test]
    fn the_crates_above_the_line_are_free() {
        assert_eq!(lines("omcache/src/driver.rs", "use std::net::TcpStream;"), [0; 0]);
        assert_eq!(lines("omcache-hash/src/lib.rs", "\nuse std::net::TcpStream;"), [2]);
    }
}
