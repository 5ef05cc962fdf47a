//! Tests of a server over its sockets: what it serves, what it tells, and how it misbehaves.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use omcache_proto::binary::{Decoded, ResponsePacket, Status, decode_response};
use omcache_proto::{DecodeError, Key, Request, StoreMode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, socket};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to listen for an answer that must not come.
const SILENCE: Duration = Duration::from_millis(30);

struct Talk {
    stream: TcpStream,
    input: BytesMut,
}

#[derive(Debug, PartialEq, Eq)]
struct Response {
    opcode: Opcode,
    status: Status,
    opaque: u32,
    value: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Response(Response),
    Wrong(DecodeError),
    /// The end, after this many bytes of a response.
    End(usize),
    /// Nothing, after this many bytes of a response.
    Silence(usize),
}

impl Talk {
    fn with(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, input: BytesMut::new() }
    }

    fn send(&mut self, opaque: u32, request: Request<'_>) {
        let mut out = BytesMut::new();
        request.encode_binary(opaque, &mut out).expect("encodes");
        self.stream.write_all(&out).expect("sent");
    }

    fn see(&mut self) -> Seen {
        let mut chunk = [0; 1000];
        loop {
            match decode_response(&self.input, 1 << 20) {
                Ok(Decoded::Complete { message, consumed }) => {
                    let ResponsePacket { opcode, status, opaque, value, .. } = message;
                    let seen = Response { opcode, status, opaque, value: value.to_vec() };
                    self.input.advance(consumed);
                    return Seen::Response(seen);
                }
                Ok(Decoded::Incomplete { .. }) => {}
                Err(error) => return Seen::Wrong(error),
            }
            match self.stream.read(&mut chunk) {
                Ok(len) if len > 0 => self.input.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Seen::Silence(self.input.len());
                }
                _ => return Seen::End(self.input.len()),
            }
        }
    }

    /// What is seen within a short time.
    fn see_silence(&mut self) -> Seen {
        self.stream.set_read_timeout(Some(SILENCE)).expect("a time-out");
        let seen = self.see();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        seen
    }

    fn ask(&mut self, opaque: u32, request: Request<'_>) -> Seen {
        self.send(opaque, request);
        self.see()
    }

    /// A VERSION, which is answered with 6 bytes.
    fn ask_version(&mut self, opaque: u32) -> Seen {
        self.ask(opaque, Request::Version)
    }
}

fn answer(opaque: u32) -> Seen {
    let (opcode, status) = (Opcode::VERSION, Status::SUCCESS);
    Seen::Response(Response { opcode, status, opaque, value: b"1.6.18".to_vec() })
}

/// The length of the answer to VERSION, in bytes.
const LEN: usize = 30;

fn key(name: &str) -> Key<'_> {
    Key::try_from(name).expect("a key")
}

fn set<'a>(name: &'a str, value: &'a [u8], expiration: u32) -> Request<'a> {
    let (mode, flags, cas, quiet) = (StoreMode::Set, 7, 0, false);
    Request::Store { mode, key: key(name), value, flags, expiration, cas, quiet }
}

fn get(name: &str) -> Request<'_> {
    Request::Get { key: key(name), with_key: false, quiet: false }
}

fn status(seen: &Seen) -> Option<Status> {
    match seen {
        Seen::Response(response) => Some(response.status),
        _ => None,
    }
}

/// Waits for what other threads bring about.
fn eventually(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < PATIENCE, "it does not happen");
        thread::yield_now();
    }
}

#[test]
fn a_test_can_look_inside() {
    let server = Server::start().expect("a server");
    assert!(server.is_empty() && server.accepted() == 0);
    let mut talk = Talk::with(&server);
    talk.ask(1, set("a", b"value", 60));
    let item = server.item("a").expect("stored");
    assert_eq!((&item.value[..], item.flags), (&b"value"[..], 7));
    assert!(item.expires_in.is_some_and(|left| left > Duration::from_secs(50)), "{item:?}");

    server.insert("b", "other");
    assert!(server.item("b").is_some_and(|item| item.cas > 0 && item.expires_in.is_none()));
    let Seen::Response(response) = talk.ask(2, get("b")) else { panic!("no answer") };
    assert_eq!(response.value, b"other");
    assert_eq!((server.len(), server.get("c")), (2, None));

    assert_eq!((server.connections(), server.accepted()), (1, 1));
    assert_eq!((server.commands(), server.commands_of(0), server.commands_of(1)), (2, 1, 1));
    server.clear();
    assert_eq!(status(&talk.ask(3, get("b"))), Some(Status::KEY_NOT_FOUND));
    assert_eq!(server.len(), 0);

    drop(talk);
    eventually(|| server.connections() == 0);
    assert!(format!("{server:?}").contains(&server.address()));
}

#[test]
fn the_clock_can_be_moved() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    talk.ask(1, set("a", b"v", 3600));
    server.advance(Duration::from_secs(3590));
    assert_eq!(status(&talk.ask(2, get("a"))), Some(Status::SUCCESS));
    server.advance(Duration::from_secs(10));
    assert_eq!(status(&talk.ask(3, get("a"))), Some(Status::KEY_NOT_FOUND));
    assert!(server.is_empty());
}

#[test]
fn a_stopped_server_refuses_and_keeps_its_items() {
    let server = Server::start().expect("a server");
    let address = server.address();
    for round in 0..5 {
        let mut talk = Talk::with(&server);
        assert_eq!(talk.ask_version(round), answer(round));
        server.insert("a", "v");
        server.stop();
        assert_eq!(talk.see(), Seen::End(0));
        assert_eq!(server.connections(), 0);
        let refused = TcpStream::connect(&address).expect_err("stopped");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

        server.restart().expect("again");
        assert_eq!(server.address(), address);
        let mut talk = Talk::with(&server);
        assert_eq!(status(&talk.ask(round, get("a"))), Some(Status::SUCCESS));
    }
    // It need not be stopped before.
    let mut talk = Talk::with(&server);
    server.restart().expect("again");
    assert_eq!(talk.see(), Seen::End(0));
    assert_eq!(Talk::with(&server).ask_version(1), answer(1));
}

#[test]
fn a_stopped_server_keeps_its_port() {
    let server = Server::start().expect("a server");
    server.stop();
    // What a process gets that asks for this port, and the reason why the kernel hands it to nobody who asks for any.
    let other = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_eq!(bind(&other, &address), Err(Errno::ADDRINUSE));
    server.restart().expect("again");
    let taken = Server::builder().port(server.port()).start().expect_err("the port is in use");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}

#[test]
fn the_end_of_a_server_ends_everything() {
    for fault in
        [None, Some(Fault::StopReading), Some(Fault::StopAnswering), Some(Fault::Delay(PATIENCE * 10))]
    {
        let server = Server::start().expect("a server");
        let address = server.address();
        let mut talks: Vec<Talk> = (0..5).map(|_| Talk::with(&server)).collect();
        eventually(|| server.connections() == 5);
        let silent = fault.is_some();
        if let Some(fault) = fault {
            server.misbehave(fault);
        }
        for talk in &mut talks {
            talk.send(1, Request::Version);
            // So long that the server has come to where it waits.
            assert_eq!(talk.see_silence(), if silent { Seen::Silence(0) } else { answer(1) });
        }
        let started = Instant::now();
        drop(server);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        for mut talk in talks {
            assert_eq!(talk.see(), Seen::End(0));
        }
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn the_end_interrupts_an_answer_that_nobody_reads() {
    let server = Server::builder().max_item_size(64 << 20).start().expect("a server");
    server.insert("large", vec![0; 32 << 20]);
    let mut talk = Talk::with(&server);
    talk.send(1, get("large"));
    eventually(|| server.commands() == 1);
    drop(server);
}

#[test]
fn unix_sockets_are_served_and_removed() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("omcache-server-{}-{number}", std::process::id()));
    let server = Server::start_unix(&path).expect("a server");
    assert_eq!((server.address(), server.port()), (path.display().to_string(), 0));
    let exists = Server::start_unix(&path).expect_err("the path exists");
    assert_eq!(exists.kind(), ErrorKind::AddrInUse);

    for _ in 0..2 {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("it listens");
        let mut out = BytesMut::new();
        Request::Version.encode_binary(1, &mut out).expect("encodes");
        stream.write_all(&out).expect("sent");
        let mut found = [0; LEN];
        stream.read_exact(&mut found).expect("an answer");
        server.stop();
        let refused = std::os::unix::net::UnixStream::connect(&path).expect_err("stopped");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        server.restart().expect("again");
    }
    drop(server);
    assert!(!path.exists());
}

#[test]
fn many_requests_at_once_are_answered_in_order() {
    let server = Server::start().expect("a server");
    server.insert("a", vec![b'x'; 100_000]);
    let mut talk = Talk::with(&server);
    let mut out = BytesMut::new();
    for opaque in 0..200 {
        get("a").encode_binary(opaque, &mut out).expect("encodes");
        Request::Version.encode_binary(opaque, &mut out).expect("encodes");
    }
    talk.stream.write_all(&out).expect("sent");
    for opaque in 0..200 {
        let Seen::Response(response) = talk.see() else { panic!("no answer to {opaque}") };
        assert_eq!((response.opaque, response.value.len()), (opaque, 100_000));
        assert_eq!(talk.see(), answer(opaque));
    }
}

#[test]
fn a_request_may_come_in_pieces() {
    let server = Server::builder().max_item_size(100).start().expect("a server");
    let mut talk = Talk::with(&server);
    let mut out = BytesMut::new();
    set("a", &[b'x'; 20], 0).encode_binary(1, &mut out).expect("encodes");
    set("b", &[b'x'; 200_000], 0).encode_binary(2, &mut out).expect("encodes");
    Request::Version.encode_binary(3, &mut out).expect("encodes");
    for piece in out[..100].chunks(1).chain(out[100..].chunks(7777)) {
        talk.stream.write_all(piece).expect("sent");
    }
    assert_eq!(status(&talk.see()), Some(Status::SUCCESS));
    assert_eq!(status(&talk.see()), Some(Status::VALUE_TOO_LARGE));
    assert_eq!(talk.see(), answer(3));
}

#[test]
fn other_protocols_are_not_spoken() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    talk.stream.write_all(b"version\r\n").expect("sent");
    assert_eq!(talk.see(), Seen::End(0));
}

#[test]
fn it_stops_answering() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    server.misbehave_for(2, Fault::StopAnswering);
    talk.send(1, set("a", b"v", 0));
    talk.send(2, Request::Version);
    // Not answered anyway.
    talk.send(3, Request::Get { key: key("absent"), with_key: false, quiet: true });
    assert_eq!(talk.ask_version(4), answer(4));
    assert!(server.get("a").is_some(), "carried out");

    server.misbehave(Fault::StopAnswering);
    for opaque in 5..10 {
        talk.send(opaque, Request::Version);
    }
    eventually(|| server.commands() == 9);
    assert_eq!(talk.see_silence(), Seen::Silence(0));
    server.behave();
    assert_eq!(talk.ask_version(10), answer(10));
}

#[test]
fn it_does_not_count_what_has_no_answer() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    server.misbehave_for(1, Fault::Close);
    talk.send(1, Request::Get { key: key("absent"), with_key: false, quiet: true });
    talk.send(2, Request::Flush { delay: None, quiet: true });
    assert_eq!(talk.ask_version(3), Seen::End(0));
    assert_eq!(Talk::with(&server).ask_version(4), answer(4));
}

#[test]
fn it_stops_reading() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    assert_eq!(talk.ask_version(1), answer(1));
    server.misbehave(Fault::StopReading);
    talk.send(2, Request::Version);
    assert_eq!(talk.see_silence(), Seen::Silence(0));
    assert_eq!(server.commands(), 1);

    // New connections are no better, and the buffers fill.
    let mut other = Talk::with(&server);
    other.stream.set_nonblocking(true).expect("non-blocking");
    let zeros = vec![0; 1 << 20];
    let filled = (0..1000).find_map(|_| other.stream.write(&zeros).err()).expect("it takes less than 1 GiB");
    assert_eq!(filled.kind(), ErrorKind::WouldBlock);
    drop(other);

    server.behave();
    assert_eq!(talk.see(), answer(2));
    server.misbehave_for(0, Fault::StopReading);
    talk.send(3, Request::Version);
    assert_eq!(talk.see_silence(), Seen::Silence(0));
    server.misbehave(Fault::WrongOpaque);
    assert!(matches!(talk.see(), Seen::Response(Response { opaque, .. }) if opaque != 3));
}

#[test]
fn it_closes_and_cuts_short() {
    let server = Server::start().expect("a server");
    for bytes in [0, 1, 23, 24, LEN - 1] {
        for (fault, seen) in [
            (Fault::Close, Seen::End(0)),
            (Fault::CutShort { bytes }, Seen::End(bytes)),
            (Fault::CutShortAndHang { bytes }, Seen::Silence(bytes)),
        ] {
            let mut talk = Talk::with(&server);
            assert_eq!(talk.ask_version(1), answer(1));
            server.misbehave_for(1, fault.clone());
            talk.send(2, Request::Version);
            assert_eq!(talk.see_silence(), seen, "{fault:?}");
            assert_eq!(Talk::with(&server).ask_version(3), answer(3), "{fault:?}");
            if let Fault::CutShortAndHang { .. } = fault {
                let before = server.commands();
                talk.send(4, Request::Version);
                eventually(|| server.commands() == before + 1);
                assert_eq!(talk.see_silence(), Seen::Silence(bytes));
            } else {
                assert_eq!(Talk::with(&server).ask_version(4), answer(4));
            }
        }
    }
    // More than there is.
    server.misbehave_for(1, Fault::CutShort { bytes: 1000 });
    let mut talk = Talk::with(&server);
    assert_eq!(talk.ask_version(5), answer(5));
    assert_eq!(talk.see(), Seen::End(0));
}

#[test]
fn what_was_answered_before_a_fault_arrives() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    server.misbehave(Fault::Delay(Duration::ZERO));
    talk.send(1, Request::Version);
    assert_eq!(talk.see(), answer(1));
    let mut out = BytesMut::new();
    for opaque in 2..5 {
        Request::Version.encode_binary(opaque, &mut out).expect("encodes");
    }
    Request::Quit { quiet: false }.encode_binary(5, &mut out).expect("encodes");
    server.behave();
    talk.stream.write_all(&out).expect("sent");
    for opaque in 2..5 {
        assert_eq!(talk.see(), answer(opaque));
    }
    assert_eq!(status(&talk.see()), Some(Status::SUCCESS));
    assert_eq!(talk.see(), Seen::End(0));
}

#[test]
fn it_answers_what_is_no_answer() {
    let server = Server::start().expect("a server");
    for opaque in 1..200 {
        let mut talk = Talk::with(&server);
        server.misbehave_for(1, Fault::Garbage);
        assert!(matches!(talk.ask_version(opaque), Seen::Wrong(DecodeError::Magic { .. })), "{opaque}");
    }
    let mut talk = Talk::with(&server);
    server.misbehave_for(1, Fault::WrongOpaque);
    assert!(matches!(talk.ask_version(1), Seen::Response(Response { opaque, .. }) if opaque != 1));
    server.misbehave_for(2, Fault::WrongOpcode);
    for (request, wrong) in [(Request::Version, Opcode::NOOP), (Request::Noop, Opcode::VERSION)] {
        let seen = talk.ask(2, request);
        assert!(
            matches!(&seen, Seen::Response(Response { opcode, opaque: 2, .. }) if *opcode == wrong),
            "{seen:?}"
        );
    }
    assert_eq!(talk.ask_version(3), answer(3));

    server.misbehave_for(2, Fault::OversizedLength { by: 1 });
    talk.send(4, Request::Version);
    assert_eq!(talk.see_silence(), Seen::Silence(LEN));
    let mut talk = Talk::with(&server);
    server.misbehave(Fault::OversizedLength { by: u32::MAX });
    assert!(matches!(talk.ask_version(5), Seen::Wrong(DecodeError::BodyTooLarge { body_len: u32::MAX, .. })));
}

#[test]
fn it_answers_late_and_in_pieces() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    let delay = Duration::from_millis(20);
    server.misbehave_for(2, Fault::Delay(delay));
    let started = Instant::now();
    talk.send(1, Request::Version);
    talk.send(2, Request::Version);
    assert_eq!((talk.see(), talk.see()), (answer(1), answer(2)));
    assert!(started.elapsed() >= delay * 2);

    for bytes in [0, 1, 7, 1000] {
        server.misbehave(Fault::Split { bytes, pause: Duration::from_micros(100) });
        assert_eq!(talk.ask_version(3), answer(3));
    }
    server.misbehave(Fault::Split { bytes: 10, pause: PATIENCE });
    talk.send(4, Request::Version);
    assert_eq!(talk.see_silence(), Seen::Silence(10));
}

#[test]
fn it_answers_with_a_status() {
    let server = Server::start().expect("a server");
    let mut talk = Talk::with(&server);
    server.misbehave_for(4, Fault::Status(Status::OUT_OF_MEMORY.0));
    let quiet = Request::Get { key: key("absent"), with_key: false, quiet: true };
    for request in [set("a", b"v", 0), quiet, Request::Stat { group: b"" }, Request::Quit { quiet: true }] {
        let Seen::Response(response) = talk.ask(1, request) else { panic!("no answer to {request:?}") };
        assert_eq!((response.status, &response.value[..]), (Status::OUT_OF_MEMORY, &b"Out of memory"[..]));
    }
    assert!(server.is_empty(), "not carried out");
    assert_eq!(talk.ask_version(2), answer(2));

    server.misbehave_for(1, Fault::Status(0x1234));
    assert_eq!(status(&talk.ask_version(3)), Some(Status(0x1234)));
}

#[test]
fn it_refuses_connections() {
    let server = Server::start().expect("a server");
    let mut open = Talk::with(&server);
    assert_eq!(open.ask_version(1), answer(1));
    server.misbehave_for(2, Fault::Refuse);
    for _ in 0..2 {
        assert_eq!(Talk::with(&server).see(), Seen::End(0));
    }
    assert_eq!((server.accepted(), server.connections()), (3, 1));
    assert_eq!(Talk::with(&server).ask_version(2), answer(2));

    server.misbehave(Fault::RefuseConnections);
    let refused = TcpStream::connect(server.address()).expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(open.ask_version(3), answer(3));
    server.restart().expect("without listening");
    assert!(TcpStream::connect(server.address()).is_err());

    server.behave();
    assert_eq!(Talk::with(&server).ask_version(4), answer(4));
    server.stop();
    server.misbehave(Fault::RefuseConnections);
    server.behave();
    assert!(TcpStream::connect(server.address()).is_err(), "stopped is stopped");
}
