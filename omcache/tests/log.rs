//! What is told to a logger that the program installs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};
use memcached::Memcached;
use omcache::Client;

/// Keeps the lines.
struct Kept(Mutex<Vec<(Level, String, String)>>);

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

#[test]
fn changes_of_servers_are_told_at_their_levels() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let take = || std::mem::take(&mut *KEPT.0.lock().unwrap());
    let mut server = Memcached::start();
    let address = server.address();
    let mut client = Client::connect_to(&address).unwrap();
    client.noop(0).unwrap();
    let line = |level, text: &str| (level, "omcache".to_owned(), format!("[{address}]: {text}"));
    assert_eq!(take(), [line(Level::Debug, "connected")]);
    server.kill();
    assert!(client.noop(0).is_err());
    assert!(client.noop(0).is_err());
    let lines = take();
    assert!(lines.iter().all(|(level, target, _)| (*level, target.as_str()) == (Level::Info, "omcache")));
    let has = |text: &str| lines.iter().any(|(_, _, line)| line.starts_with(&format!("[{address}]: {text}")));
    assert!(has("connection reset: ") && has("disabled: "), "{lines:?}");
    // Below the program's level nothing is told.
    log::set_max_level(LevelFilter::Warn);
    server.restart();
    client.disconnect();
    client.noop(0).unwrap();
    assert_eq!(take(), []);
    // A failed look-up is a warning.
    let mut client = Client::connect_to("127.0.0.1:65536").unwrap();
    assert!(client.noop(0).is_err());
    let lines = take();
    assert!(
        matches!(&lines[..], [(Level::Warn, _, text)] if text.contains("port 65536 is beyond 65535")),
        "{lines:?}"
    );
}
