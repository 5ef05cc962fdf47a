//! The embedded server against memcached itself: the same requests to both, and the same answers expected.
//!
//! memcached 1.6.18 is what the embedded server is made after. It runs on a Unix socket in a temporary folder.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BytesMut};
use omcache::testing::Server;
use omcache_proto::binary::{Decoded, Opcode, RequestPacket, Status, decode_request, decode_response};
use omcache_proto::{ConcatMode, CounterMode, Key, Request, StoreMode};

use memcached::Memcached;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The opaque of the NOOP behind each request.
const END: u32 = u32::MAX;

/// The expiration with which a counter is not created.
const DO_NOT_CREATE: u32 = u32::MAX;

/// Bytes that are shown as text, no more than the beginning.
#[derive(Clone, PartialEq, Eq)]
struct Text(Vec<u8>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = &self.0[..self.0.len().min(100)];
        write!(f, "{} bytes: \"{}\"", self.0.len(), beginning.escape_ascii())
    }
}

/// A response, or the end of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Response { opcode: Opcode, status: Status, opaque: u32, cas: u64, extras: Text, key: Text, value: Text },
    Closed,
}

impl Seen {
    fn cas(&self) -> u64 {
        match self {
            Self::Response { cas, .. } => *cas,
            Self::Closed => 0,
        }
    }
}

/// A conversation with a server.
struct Talk {
    path: String,
    stream: UnixStream,
    opaque: u32,
    /// memcached skips the extras and the key of a request it does not know twice.
    skips_twice: bool,
    log: Vec<(String, Vec<Seen>)>,
}

impl Talk {
    fn with(path: String, skips_twice: bool) -> Self {
        let stream = connect(&path);
        Self { path, stream, opaque: 0, skips_twice, log: Vec::new() }
    }

    /// Sends a request and returns all that comes for it.
    fn ask(&mut self, request: Request<'_>) -> Vec<Seen> {
        let mut out = BytesMut::new();
        self.opaque += 1;
        request.encode_binary(self.opaque, &mut out).expect("encodes");
        let Ok(Decoded::Complete { message, .. }) = decode_request(&out, usize::MAX) else {
            panic!("the request can't be read again");
        };
        self.exchange(shown(&message), &out)
    }

    /// Sends a packet that may be no request.
    fn ask_packet(&mut self, packet: RequestPacket<'_>) -> Vec<Seen> {
        let bytes = self.encode(packet);
        self.exchange(shown(&packet), &bytes)
    }

    /// Sends a packet that memcached does not know: it skips the extras and the key of such a one twice.
    fn ask_unknown(&mut self, packet: RequestPacket<'_>) -> Vec<Seen> {
        let mut bytes = self.encode(packet);
        if self.skips_twice {
            bytes.extend_from_slice(&vec![0; packet.extras.len() + packet.key.len()]);
        }
        self.exchange(shown(&packet), &bytes)
    }

    fn encode(&mut self, packet: RequestPacket<'_>) -> BytesMut {
        let mut out = BytesMut::new();
        self.opaque += 1;
        RequestPacket { opaque: self.opaque, ..packet }.encode(&mut out).expect("encodes");
        out
    }

    /// Sends bytes and a NOOP, and reads up to the answer of that, or to the end.
    fn exchange(&mut self, name: String, bytes: &[u8]) -> Vec<Seen> {
        let mut out = BytesMut::from(bytes);
        Request::Noop.encode_binary(END, &mut out).expect("encodes");
        // A server may close before it has read everything.
        let _ = self.stream.write_all(&out);
        let mut seen = Vec::new();
        let mut input = BytesMut::new();
        let mut chunk = vec![0; 65536];
        'reading: loop {
            while let Decoded::Complete { message, consumed } =
                decode_response(&input, 1 << 30).expect("a response")
            {
                if message.opaque == END {
                    assert_eq!(message.opcode, Opcode::NOOP);
                    break 'reading;
                }
                seen.push(Seen::Response {
                    opcode: message.opcode,
                    status: message.status,
                    opaque: message.opaque,
                    cas: message.cas,
                    extras: Text(message.extras.to_vec()),
                    key: Text(message.key.to_vec()),
                    value: Text(message.value.to_vec()),
                });
                input.advance(consumed);
            }
            match self.stream.read(&mut chunk) {
                Ok(len) if len > 0 => input.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("{name}: no answer"),
                _ => {
                    assert!(input.is_empty(), "{name}: an answer was cut short");
                    seen.push(Seen::Closed);
                    self.stream = connect(&self.path);
                    break;
                }
            }
        }
        self.log.push((name, seen.clone()));
        seen
    }

    /// What was seen, each version told by its place among those seen.
    fn finish(self) -> Vec<(String, Vec<Seen>)> {
        let mut versions = vec![0];
        let mut log = self.log;
        for seen in log.iter_mut().flat_map(|(_, seen)| seen) {
            if let Seen::Response { cas, .. } = seen {
                let place = versions.iter().position(|version| version == cas).unwrap_or_else(|| {
                    versions.push(*cas);
                    versions.len() - 1
                });
                *cas = place as u64;
            }
        }
        log
    }
}

/// A request for messages, in short.
fn shown(packet: &RequestPacket<'_>) -> String {
    let RequestPacket { opcode, cas, extras, key, value, .. } = packet;
    format!(
        "{opcode} cas {cas} extras {extras:?} key {:?} value {:?}",
        Text(key.to_vec()),
        Text(value.to_vec())
    )
}

fn connect(path: &str) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Has the same conversation with memcached and with the embedded server.
fn compare(script: impl Fn(&mut Talk)) {
    let real = Memcached::start_unix();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let embedded = Server::builder().version(version(&real)).path(folder.path().join("socket"));
    let embedded = embedded.start().expect("the embedded server");

    let mut with_real = Talk::with(real.address(), true);
    script(&mut with_real);
    let mut with_embedded = Talk::with(embedded.address(), false);
    script(&mut with_embedded);

    let (expected, found) = (with_real.finish(), with_embedded.finish());
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected.0, found.0, "the two conversations are about different things");
        assert_eq!(expected.1, found.1, "after {}", expected.0);
    }
    assert_eq!(expected.len(), found.len());
    assert!(!expected.is_empty());
}

fn version(real: &Memcached) -> String {
    match Talk::with(real.address(), true).ask(Request::Version).first() {
        Some(Seen::Response { value, .. }) => String::from_utf8(value.0.clone()).expect("UTF-8"),
        other => panic!("no version but {other:?}"),
    }
}

fn key(bytes: &[u8]) -> Key<'_> {
    Key::new(bytes).expect("1..=250 bytes")
}

const fn set<'a>(key: Key<'a>, value: &'a [u8]) -> Request<'a> {
    store(StoreMode::Set, key, value, 0)
}

const fn store<'a>(mode: StoreMode, key: Key<'a>, value: &'a [u8], cas: u64) -> Request<'a> {
    Request::Store { mode, key, value, flags: 0x0102_0304, expiration: 0, cas, quiet: false }
}

const fn get(key: Key<'_>) -> Request<'_> {
    Request::Get { key, with_key: false, quiet: false }
}

const fn count(mode: CounterMode, key: Key<'_>, delta: u64) -> Request<'_> {
    let expiration = DO_NOT_CREATE;
    Request::Counter { mode, key, delta, initial: 7, expiration, cas: 0, quiet: false }
}

/// A packet with nothing in it.
const fn bare(opcode: Opcode) -> RequestPacket<'static> {
    RequestPacket { opcode, vbucket: 0, cas: 0, opaque: 0, extras: b"", key: b"", value: b"" }
}

/// Each way to get: with and without key, quiet and not.
const WAYS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

#[test]
fn gets() {
    compare(|talk| {
        talk.ask(set(key(b"a"), b"value"));
        talk.ask(set(key(b"empty"), b""));
        for name in [&b"a"[..], b"empty", b"absent", &[b'k'; 250], b"\0 \r\n\xff"] {
            for (with_key, quiet) in WAYS {
                talk.ask(Request::Get { key: key(name), with_key, quiet });
                talk.ask(Request::GetAndTouch { key: key(name), expiration: 100, with_key, quiet });
            }
            talk.ask(Request::Touch { key: key(name), expiration: 0 });
        }
    });
}

#[test]
fn stores() {
    compare(|talk| {
        for mode in [StoreMode::Replace, StoreMode::Add, StoreMode::Set, StoreMode::Add, StoreMode::Replace] {
            for quiet in [false, true] {
                for name in [&b"a"[..], b"b"] {
                    let (flags, expiration) = (quiet.into(), 0);
                    let key = key(name);
                    talk.ask(Request::Store { mode, key, value: b"v", flags, expiration, cas: 0, quiet });
                    talk.ask(get(key));
                }
            }
            talk.ask(Request::Delete { key: key(b"b"), cas: 0, quiet: true });
        }
    });
}

#[test]
fn versions() {
    compare(|talk| {
        let name = key(b"a");
        for mode in [StoreMode::Set, StoreMode::Add, StoreMode::Replace] {
            let old = talk.ask(set(name, b"1"))[0].cas();
            let new = talk.ask(set(name, b"2"))[0].cas();
            for quiet in [false, true] {
                for (cas, key) in [(old, name), (new, key(b"absent"))] {
                    let (flags, expiration) = (0, 0);
                    talk.ask(Request::Store { mode, key, value: b"3", flags, expiration, cas, quiet });
                }
            }
            talk.ask(store(mode, name, b"4", new));
            talk.ask(get(name));
        }
        let mut cas = talk.ask(get(name))[0].cas();
        for (mode, quiet) in [(ConcatMode::Append, false), (ConcatMode::Prepend, true)] {
            let old = cas;
            talk.ask(Request::Concat { mode, key: name, value: b"5", cas, quiet });
            cas = talk.ask(get(name))[0].cas();
            talk.ask(Request::Concat { mode, key: name, value: b"6", cas: old, quiet });
            talk.ask(Request::Concat { mode, key: key(b"absent"), value: b"7", cas, quiet });
        }
        let (mode, delta, initial) = (CounterMode::Increment, 1, 2);
        for expiration in [0, DO_NOT_CREATE] {
            for (cas, key) in [(cas - 1, name), (cas, name), (cas, key(b"c")), (cas, key(b"absent"))] {
                talk.ask(Request::Counter { mode, key, delta, initial, expiration, cas, quiet: false });
            }
            cas = talk.ask(get(name))[0].cas();
            talk.ask(Request::Delete { key: key(b"absent"), cas: 0, quiet: false });
        }
        for (cas, quiet) in [(cas - 1, false), (cas - 1, true), (cas, true), (cas, false)] {
            talk.ask(Request::Delete { key: name, cas, quiet });
        }
    });
}

#[test]
fn what_is_added_to_a_value() {
    compare(|talk| {
        for name in [&b"a"[..], b"absent"] {
            if name == b"a" {
                talk.ask(set(key(name), b"-"));
            }
            for mode in [ConcatMode::Append, ConcatMode::Prepend] {
                for quiet in [false, true] {
                    for value in [&b""[..], b"x", b"yz"] {
                        talk.ask(Request::Concat { mode, key: key(name), value, cas: 0, quiet });
                    }
                }
            }
            talk.ask(get(key(name)));
        }
    });
}

#[test]
fn counters() {
    compare(|talk| {
        let name = key(b"n");
        for mode in [CounterMode::Increment, CounterMode::Decrement] {
            for quiet in [false, true] {
                for (expiration, initial) in [(DO_NOT_CREATE, 5), (0, u64::MAX), (0, 3), (100, 9)] {
                    let delta = 4;
                    let counter =
                        Request::Counter { mode, key: name, delta, initial, expiration, cas: 0, quiet };
                    talk.ask(counter);
                    talk.ask(counter);
                    // Only now: memcached keeps a hold on an item that is often asked for, and does not fill a new
                    // number with spaces then.
                    talk.ask(get(name));
                    talk.ask(Request::Delete { key: name, cas: 0, quiet });
                }
            }
        }
        for (value, delta) in [("10", 1), ("10", 11), ("0", 1), ("18446744073709551615", 1), ("99", u64::MAX)]
        {
            for mode in [CounterMode::Increment, CounterMode::Decrement] {
                talk.ask(set(name, value.as_bytes()));
                talk.ask(count(mode, name, delta));
                talk.ask(count(mode, name, 1));
                talk.ask(get(name));
            }
        }
    });
}

#[test]
fn values_that_are_numbers_and_others() {
    compare(|talk| {
        let values: [&[u8]; 34] = [
            b"",
            b" ",
            b"\0",
            b"-",
            b"+",
            b"0",
            b"007",
            b" 5",
            b"  \t5",
            b"\x0b5",
            b"\x0c5",
            b"5 x",
            b"5x",
            b"5\x0b6",
            b"5\n",
            b"5\r\n",
            b"5\0",
            b"5\0x",
            b"+3",
            b"++3",
            b"-0",
            b"-1",
            b"-5",
            b"--1",
            b"- 1",
            b"0x10",
            b"1e3",
            b"abc",
            b"18446744073709551615",
            b"18446744073709551616",
            b"99999999999999999999",
            b"-18446744073709551615",
            b"12345678901234567890 ",
            b"-9223372036854775808",
        ];
        let zeros = [b"0".repeat(100), b"1".to_vec()].concat();
        for value in values.into_iter().chain([&zeros[..]]) {
            for mode in [CounterMode::Increment, CounterMode::Decrement] {
                talk.ask(set(key(b"n"), value));
                talk.ask(count(mode, key(b"n"), 1));
                talk.ask(get(key(b"n")));
            }
        }
    });
}

#[test]
fn deletes() {
    compare(|talk| {
        for quiet in [false, true] {
            for name in [&b"a"[..], b"a", b"absent"] {
                talk.ask(set(key(b"a"), b"v"));
                talk.ask(Request::Delete { key: key(name), cas: 0, quiet });
                talk.ask(Request::Delete { key: key(name), cas: 0, quiet });
                talk.ask(Request::Delete { key: key(name), cas: 1, quiet });
            }
        }
    });
}

#[test]
fn expirations() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as u32;
    compare(|talk| {
        let name = key(b"a");
        let month = 30 * 24 * 3600;
        for expiration in [
            0,
            100,
            month,
            month + 1,
            now - 1000,
            now + 1000,
            i32::MAX as u32,
            1 << 31,
            u32::MAX - 1,
            u32::MAX,
        ] {
            let (mode, value, flags, cas, quiet) = (StoreMode::Set, b"1", 0, 0, false);
            talk.ask(Request::Store { mode, key: name, value, flags, expiration, cas, quiet });
            talk.ask(get(name));
            talk.ask(set(name, b"2"));
            talk.ask(Request::Touch { key: name, expiration });
            talk.ask(get(name));
            talk.ask(set(name, b"3"));
            talk.ask(Request::GetAndTouch { key: name, expiration, with_key: true, quiet });
            talk.ask(get(name));
            talk.ask(Request::Delete { key: name, cas, quiet });
            let (mode, delta, initial) = (CounterMode::Decrement, 1, 7);
            talk.ask(Request::Counter { mode, key: name, delta, initial, expiration, cas, quiet });
            talk.ask(Request::Counter { mode, key: name, delta, initial, expiration, cas, quiet });
            talk.ask(Request::Delete { key: name, cas, quiet });
        }
    });
}

#[test]
fn flushes() {
    compare(|talk| {
        for quiet in [false, true] {
            // A time that has passed does nothing.
            for delay in [None, Some(0), Some(1000), Some(30 * 24 * 3600 + 1), Some(u32::MAX)] {
                talk.ask(set(key(b"a"), b"v"));
                talk.ask(Request::Flush { delay, quiet });
                talk.ask(get(key(b"a")));
                talk.ask(store(StoreMode::Add, key(b"a"), b"w", 0));
                talk.ask(get(key(b"a")));
            }
        }
    });
}

#[test]
fn values_at_the_limit() {
    compare(|talk| {
        let name = key(b"k");
        let largest = (1 << 20) - 64;
        let bytes = vec![b'x'; 3 << 20];
        for len in [largest, largest + 1, 1 << 20, (1 << 20) + 100_000, 3 << 20] {
            let value = &bytes[..len];
            for quiet in [false, true] {
                for mode in [StoreMode::Add, StoreMode::Replace, StoreMode::Set] {
                    let (flags, expiration, cas) = (1, 0, 0);
                    talk.ask(set(name, b"old"));
                    talk.ask(Request::Store { mode, key: name, value, flags, expiration, cas, quiet });
                    talk.ask(get(name));
                }
            }
            let old = talk.ask(set(name, b"old"))[0].cas();
            talk.ask(store(StoreMode::Set, name, value, old + 1000));
            talk.ask(get(name));
            for mode in [ConcatMode::Append, ConcatMode::Prepend] {
                talk.ask(set(name, b"123"));
                let value = &value[..len - 3];
                talk.ask(Request::Concat { mode, key: name, value, cas: 0, quiet: false });
                talk.ask(get(name));
                talk.ask(Request::Concat { mode, key: key(b"absent"), value, cas: 0, quiet: false });
            }
        }
        talk.ask(set(name, &bytes[..600_000]));
        for quiet in [false, true] {
            let (mode, value) = (ConcatMode::Append, &bytes[..600_000]);
            talk.ask(Request::Concat { mode, key: name, value, cas: 0, quiet });
        }
        talk.ask(Request::SaslAuth { mechanism: b"PLAIN", data: &bytes });
        talk.ask_unknown(RequestPacket { value: &bytes, ..bare(Opcode(0x50)) });
        talk.ask_packet(RequestPacket { key: b"k", value: &bytes, ..bare(Opcode::GET) });
        talk.ask(Request::Version);
    });
}

#[test]
fn commands_without_an_item() {
    compare(|talk| {
        talk.ask(Request::Noop);
        talk.ask(Request::Version);
        talk.ask(Request::SaslList);
        for data in [&b""[..], b"\0user\0password"] {
            talk.ask(Request::SaslAuth { mechanism: b"PLAIN", data });
            talk.ask(Request::SaslStep { mechanism: b"PLAIN", data });
            talk.ask(Request::SaslAuth { mechanism: b"", data });
            talk.ask(Request::SaslStep { mechanism: b"", data });
        }
        talk.ask(Request::Quit { quiet: false });
        talk.ask(Request::Quit { quiet: true });
        talk.ask(Request::Version);
    });
}

#[test]
fn unknown_commands() {
    compare(|talk| {
        let known = 0..=0x24;
        let unknown = (0..=u8::MAX).filter(|number| !known.contains(number)).chain([0x1b, 0x1f]);
        for opcode in unknown.map(Opcode) {
            talk.ask_unknown(bare(opcode));
            talk.ask_unknown(RequestPacket { value: b"value", ..bare(opcode) });
            let (extras, key) = (b"\0\0\0\x01", b"key");
            talk.ask_unknown(RequestPacket { extras, ..bare(opcode) });
            talk.ask_unknown(RequestPacket { extras, key, value: b"value", cas: 9, ..bare(opcode) });
        }
        talk.ask_packet(RequestPacket { key: &[b'k'; 251], ..bare(Opcode(0xf0)) });
    });
}

#[test]
fn parts_that_do_not_belong_to_a_command() {
    compare(|talk| {
        for opcode in (0..=0x24).filter(|number| ![0x1b, 0x1f].contains(number)).map(Opcode) {
            for len in [0, 1, 4, 8, 20, 21, 255] {
                let extras = &[0; 255][..len];
                for key in [&b""[..], b"k", &[b'k'; 251], &[b'k'; 300]] {
                    for value in [&b""[..], b"value"] {
                        // memcached takes what follows a value that it does not expect for the next request.
                        let taken =
                            [Opcode::STAT, Opcode::TOUCH, Opcode::GAT, Opcode::GATK].contains(&opcode.loud());
                        if !taken || value.is_empty() {
                            let packet = RequestPacket { extras, key, value, ..bare(opcode) };
                            // The names of STAT are compared elsewhere.
                            if opcode != Opcode::STAT || !key.is_empty() || len > 0 {
                                talk.ask_packet(packet);
                            }
                        }
                    }
                }
            }
        }
    });
}

/// The names and values of a group, up to the end, which is checked.
fn stat(talk: &mut Talk, group: &str) -> Vec<(String, String)> {
    let mut seen = talk.ask(Request::Stat { group: group.as_bytes() });
    talk.log.clear();
    let mut named = Vec::new();
    let last = seen.pop();
    for seen in seen {
        match seen {
            Seen::Response {
                opcode: Opcode::STAT,
                status: Status::SUCCESS,
                cas: 0,
                extras,
                key,
                value,
                ..
            } => {
                assert!(extras.0.is_empty() && !key.0.is_empty());
                let text = |text: Text| String::from_utf8(text.0).expect("UTF-8");
                named.push((text(key), text(value)));
            }
            other => panic!("{group}: {other:?}"),
        }
    }
    assert!(matches!(
        last,
        Some(Seen::Response { status: Status::SUCCESS, key, value, .. }) if key.0.is_empty() && value.0.is_empty()
    ));
    named
}

/// Something of everything that is counted, without what memcached counts as it likes.
fn use_everything(talk: &mut Talk) {
    let name = key(b"a");
    let cas = talk.ask(set(name, b"10"))[0].cas();
    talk.ask(store(StoreMode::Add, name, b"1", 0));
    talk.ask(store(StoreMode::Replace, key(b"absent"), b"1", 0));
    for version in [cas, cas + 1000] {
        talk.ask(store(StoreMode::Set, name, b"20", version));
        talk.ask(store(StoreMode::Set, key(b"absent"), b"20", version));
        talk.ask(Request::Delete { key: name, cas: version + 1000, quiet: false });
    }
    for name in [name, key(b"absent"), key(b"absent too")] {
        talk.ask(get(name));
        talk.ask(Request::Touch { key: name, expiration: 0 });
        talk.ask(Request::GetAndTouch { key: name, expiration: 0, with_key: true, quiet: true });
        talk.ask(Request::Concat { mode: ConcatMode::Append, key: name, value: b"0", cas: 0, quiet: true });
    }
    // On an item that nothing else asks for: memcached may store a new one otherwise.
    talk.ask(set(key(b"n"), b"10"));
    for name in [key(b"n"), key(b"absent"), key(b"absent too")] {
        talk.ask(count(CounterMode::Increment, name, 1));
        talk.ask(count(CounterMode::Decrement, name, 1));
    }
    let (mode, delta, initial, expiration) = (CounterMode::Increment, 1, 100, 0);
    talk.ask(Request::Counter { mode, key: key(b"new"), delta, initial, expiration, cas: 0, quiet: false });
    // What the embedded server still reads as a whole, and what it does not.
    for len in [1 << 20, 2 << 20] {
        talk.ask(set(key(b"too large"), &vec![0; len]));
        talk.ask(Request::Concat {
            mode: ConcatMode::Append,
            key: name,
            value: &vec![0; len],
            cas: 0,
            quiet: true,
        });
    }
    talk.ask(set(key(b"gone"), b"1"));
    talk.ask(Request::Delete { key: key(b"gone"), cas: 0, quiet: false });
    talk.ask(Request::Delete { key: key(b"gone"), cas: 0, quiet: false });
    talk.ask(Request::Flush { delay: Some(100_000), quiet: false });
}

#[test]
fn statistics() {
    let real = Memcached::start_unix();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let embedded = Server::start_unix(folder.path().join("socket")).expect("the embedded server");
    let mut with_real = Talk::with(real.address(), true);
    let mut with_embedded = Talk::with(embedded.address(), false);
    let same_version = version(&real) == "1.6.18";

    for used in [false, true] {
        if used {
            use_everything(&mut with_real);
            use_everything(&mut with_embedded);
        }
        for group in
            ["", "settings", "items", "slabs", "sizes", "reset", "detail on", "detail dump", "detail off"]
        {
            let names = |named: Vec<(String, String)>| named.into_iter().map(|(name, _)| name).collect();
            let expected: Vec<String> = names(stat(&mut with_real, group));
            let found: Vec<String> = names(stat(&mut with_embedded, group));
            if group == "reset" {
                // Begin anew, to have something to compare.
                use_everything(&mut with_real);
                use_everything(&mut with_embedded);
            }
            // Other versions have others, but what there is something to count for stays.
            if same_version {
                assert_eq!(expected, found, "{group}");
            } else {
                assert_eq!(expected.is_empty(), found.is_empty(), "{group}");
            }
        }
    }
    for group in ["conns", "detail", "item", "items:1", "nonsense"] {
        let request = Request::Stat { group: group.as_bytes() };
        let (expected, found) = (with_real.ask(request), with_embedded.ask(request));
        assert_eq!(expected.len(), 1);
        let without_opaque =
            |seen: &Seen| format!("{seen:?}").split_once("cas").map(|(_, rest)| rest.to_owned());
        assert_eq!(without_opaque(&expected[0]), without_opaque(&found[0]), "{group}");
        assert!(matches!(&found[0], Seen::Response { status: Status::KEY_NOT_FOUND, .. }), "{group}");
    }
}

#[test]
fn counted_statistics() {
    let real = Memcached::start_unix();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let embedded = Server::start_unix(folder.path().join("socket")).expect("the embedded server");
    let mut with_real = Talk::with(real.address(), true);
    let mut with_embedded = Talk::with(embedded.address(), false);
    for reset in [false, true] {
        if reset {
            stat(&mut with_real, "reset");
            stat(&mut with_embedded, "reset");
        }
        use_everything(&mut with_real);
        use_everything(&mut with_embedded);
        let (expected, found) = (stat(&mut with_real, ""), stat(&mut with_embedded, ""));
        for name in [
            "version",
            "pointer_size",
            "cmd_get",
            "cmd_set",
            "cmd_flush",
            "cmd_touch",
            "get_hits",
            "get_misses",
            "delete_hits",
            "delete_misses",
            "incr_hits",
            "incr_misses",
            "decr_hits",
            "decr_misses",
            "cas_hits",
            "cas_misses",
            "cas_badval",
            "touch_hits",
            "touch_misses",
            "bytes",
            "curr_items",
            "total_items",
        ] {
            let value = |named: &[(String, String)]| {
                named.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
            };
            assert!(value(&expected).is_some(), "memcached does not tell {name}");
            assert_eq!(value(&expected), value(&found), "{name}, reset: {reset}");
        }
    }
}
