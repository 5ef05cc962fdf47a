//! A simulated world around a `Cluster`: servers, names, sockets and a time that obey the test alone.
//!
//! [`World::run`] is a driver that keeps to the contract of the crate's page, and to no more: it reads only where
//! [`Cluster::interests`] asks for it, and lets time pass no further than [`Cluster::poll_deadline`] allows. While it
//! drives, it holds what the cluster says against what the servers did (see [`ledger`]).
#![allow(dead_code)] // Each binary that includes this uses a part of it.

pub(crate) mod ledger;
pub(crate) mod peer;
pub(crate) mod script;
pub(crate) mod socket;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use omcache_conn::{
    Action, Address, Cluster, Config, ConnectionId, Event, Failure, Health, Instant, LookupId, Outcome,
    Response, Server, ServerChange, SubmitError, Target,
};
use omcache_proto::binary::{HEADER_LEN, ResponsePacket, Status};
use omcache_proto::{Key, Request, StoreMode};

use ledger::{Answer, Fate, Ledger};
use peer::{Mode, Peer, address};
use socket::{Phase, Socket};

/// What a name resolves to.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// The addresses of these servers.
    Found(Vec<usize>),
    /// The resolver answers with an error.
    Fails,
    /// The resolver does not answer.
    Hangs,
}

/// The whole of it.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    pub(crate) names: BTreeMap<String, Name>,
    /// Look-ups that are not answered.
    pub(crate) lookups: Vec<(LookupId, String)>,
    /// By the connection's number.
    pub(crate) sockets: BTreeMap<ConnectionId, Socket>,
    /// Closed by the client, perhaps with something in them that a server still reads.
    orphans: Vec<Socket>,
    pub(crate) ledger: Ledger,
    /// Changes of servers, with their moments.
    pub(crate) changes: Vec<(Instant, usize, ServerChange)>,
    /// Addresses that were connected to, with their moments.
    pub(crate) connects: Vec<(Instant, usize)>,
    /// Everything that the cluster told, in order, as text.
    pub(crate) told: Option<Vec<String>>,
    /// Connects succeed or fail at once, without a wait.
    pub(crate) connects_at_once: bool,
    /// Values are taken out of their buffers, and kept.
    pub(crate) takes_values: bool,
    kept: Vec<(Bytes, Vec<u8>)>,
    /// Asks for the shortest way of one request first.
    pub(crate) goes_alone: bool,
    /// Requests that went the shortest way.
    pub(crate) went_alone: usize,
    /// Looks at values by the way of those who only look.
    pub(crate) shows_values: bool,
    /// All of them, or most.
    pub(crate) wants_all: bool,
    /// Values that came that way.
    pub(crate) shown: usize,
    /// Calls `handle_time` more often than it has to.
    pub(crate) eager: bool,
    sequence: u64,
}

impl World {
    /// A cluster of this many servers, all of them up, known by their addresses.
    pub(crate) fn new(config: Config, servers: usize) -> Self {
        let mut world = Self {
            cluster: Cluster::new(config),
            now: Instant::ORIGIN,
            peers: (0..servers).map(Peer::new).collect(),
            names: BTreeMap::new(),
            lookups: Vec::new(),
            sockets: BTreeMap::new(),
            orphans: Vec::new(),
            ledger: Ledger::default(),
            changes: Vec::new(),
            connects: Vec::new(),
            told: None,
            connects_at_once: false,
            takes_values: false,
            kept: Vec::new(),
            goes_alone: false,
            went_alone: 0,
            shows_values: false,
            wants_all: false,
            shown: 0,
            eager: false,
            sequence: 0,
        };
        world.cluster.set_servers((0..servers).map(literal).collect()).unwrap();
        world
    }

    /// A cluster of one server that is known by a name, which resolves to these many servers.
    pub(crate) fn named(config: Config, addresses: usize) -> Self {
        let mut world = Self::new(config, addresses);
        world.names.insert("cache".into(), Name::Found((0..addresses).collect()));
        world.cluster.set_servers(vec![Server::tcp("cache", "11211")]).unwrap();
        world
    }

    // Requests.

    pub(crate) fn submit(&mut self, target: Target, request: &Request<'_>) -> Result<u32, SubmitError> {
        if self.goes_alone
            && let Some(opaque) = self.exchange_alone(target, request)
        {
            return Ok(opaque);
        }
        let before = self.cluster.last_opaque();
        let result = self.cluster.submit(target, request);
        match &result {
            Ok(opaque) => self.accept(before, *opaque, target, request),
            Err(_) => assert_eq!(self.cluster.last_opaque(), before, "a refused request takes no opaque"),
        }
        result
    }

    /// Submits quiet requests on these keys together; how many were accepted.
    pub(crate) fn submit_many(&mut self, keys: &[String], deletes: bool) -> usize {
        let key = |at: usize| keys[at].as_bytes();
        let request = |at: usize| {
            let key = Key::new(key(at)).ok()?;
            Some(match deletes {
                true => Request::Delete { key, cas: 0, quiet: true },
                false => Request::Get { key, with_key: at.is_multiple_of(2), quiet: true },
            })
        };
        let before = self.cluster.last_opaque();
        let mut told = Vec::new();
        let valid = self.cluster.submit_many(keys.len(), key, request, |submitted| told.push(submitted));
        assert_eq!(valid, (0..keys.len()).all(|at| request(at).is_some()));
        assert_eq!(told.len(), if valid { keys.len() } else { 0 });
        let mut numbers: Vec<_> = told.iter().map(|submitted| submitted.at).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..told.len()), "each is told once");
        let (mut last, mut accepted) = (before, 0);
        for submitted in told {
            match submitted.result {
                Ok(opaque) => {
                    self.accept(last, opaque, Target::Key, &request(submitted.at).unwrap());
                    (last, accepted) = (opaque, accepted + 1);
                }
                Err(SubmitError::NoServers { .. } | SubmitError::SendBufferFull { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(self.cluster.last_opaque(), last, "a refused request takes no opaque");
        accepted
    }

    fn accept(&mut self, before: u32, opaque: u32, target: Target, request: &Request<'_>) {
        assert_eq!(opaque, before.wrapping_add(1), "opaques count up by one");
        let key = request.key().map_or(&b""[..], |key| key.as_bytes());
        let key = if let Request::Stat { group } = request { group } else { key };
        self.ledger.accept(opaque, request.opcode(), key, target);
    }

    #[track_caller]
    pub(crate) fn get(&mut self, key: &str) -> u32 {
        self.get_at(Target::Key, key, false)
    }

    #[track_caller]
    pub(crate) fn get_quiet(&mut self, key: &str) -> u32 {
        self.get_at(Target::Key, key, true)
    }

    #[track_caller]
    pub(crate) fn get_at(&mut self, target: Target, key: &str, quiet: bool) -> u32 {
        let key = Key::new(key.as_bytes()).unwrap();
        self.submit(target, &Request::Get { key, with_key: true, quiet }).unwrap()
    }

    #[track_caller]
    pub(crate) fn set(&mut self, key: &str, len: usize) -> u32 {
        self.store(Target::Key, StoreMode::Set, key, len, false).unwrap()
    }

    #[track_caller]
    pub(crate) fn set_quiet(&mut self, key: &str, len: usize) -> u32 {
        self.store(Target::Key, StoreMode::Set, key, len, true).unwrap()
    }

    /// Stores a value that says whose it is, with `len` bytes behind that.
    pub(crate) fn store(
        &mut self,
        target: Target,
        mode: StoreMode,
        key: &str,
        len: usize,
        quiet: bool,
    ) -> Result<u32, SubmitError> {
        self.sequence += 1;
        let mut value = format!("{key}@{}:", self.sequence).into_bytes();
        value.resize(value.len() + len, b'x');
        let key = Key::new(key.as_bytes()).unwrap();
        self.submit(
            target,
            &Request::Store { mode, key, value: &value, flags: 7, expiration: 0, cas: 0, quiet },
        )
    }

    #[track_caller]
    pub(crate) fn noop(&mut self, server: usize) -> u32 {
        self.submit(Target::Server(server), &Request::Noop).unwrap()
    }

    pub(crate) fn cancel(&mut self, first: u32, count: u32) {
        let ledger = &mut self.ledger;
        self.cluster.cancel(first, count, |opaque| ledger.cancelled(opaque));
    }

    #[track_caller]
    pub(crate) fn fate(&self, opaque: u32) -> &Fate {
        &self.ledger.record(opaque).fate
    }

    /// The value that a request was answered with.
    #[track_caller]
    pub(crate) fn value(&self, opaque: u32) -> &[u8] {
        match self.fate(opaque) {
            Fate::Answered { status, value, .. } if status.is_success() => value,
            other => panic!("no value: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn health(&self, server: usize) -> Health {
        self.cluster.server_status(server).unwrap().health
    }

    /// A key that belongs to this server.
    #[track_caller]
    pub(crate) fn key_of(&self, server: usize) -> String {
        self.keys_of(server).next().unwrap()
    }

    /// Keys that belong to this server.
    pub(crate) fn keys_of(&self, server: usize) -> impl Iterator<Item = String> {
        let continuum = self.cluster.continuum();
        (0..).map(|n| format!("key{n}")).filter(move |key| continuum.server(key.as_bytes()) == Some(server))
    }

    /// Changes of this server, without their moments.
    pub(crate) fn changes_of(&self, server: usize) -> Vec<ServerChange> {
        self.changes.iter().filter(|(_, of, _)| *of == server).map(|(_, _, change)| change.clone()).collect()
    }

    // What happens to servers.

    /// The server's connections break.
    pub(crate) fn reset(&mut self, peer: usize) {
        for socket in self.sockets.values_mut().filter(|socket| socket.peer == peer) {
            if socket.phase == Phase::Open {
                socket.reset();
            }
        }
        self.orphans.retain(|socket| socket.peer != peer);
    }

    /// The server dies: its connections break, new ones are refused.
    pub(crate) fn kill(&mut self, peer: usize) {
        self.peers[peer].mode = Mode::Refusing;
        self.reset(peer);
    }

    /// The server closes its connections, behind what it answered.
    pub(crate) fn close(&mut self, peer: usize) {
        for socket in self.sockets.values_mut().filter(|socket| socket.peer == peer) {
            if socket.phase == Phase::Open {
                socket.ended = true;
            }
        }
    }

    // The driver.

    /// Does everything that can be done at this moment.
    #[track_caller]
    pub(crate) fn run(&mut self) {
        for _ in 0..1_000_000 {
            if !self.round() {
                assert!(self.ledger.broken_headers >= 0, "a request was not sent, and is said to be unknown");
                if let Some(deadline) = self.cluster.poll_deadline() {
                    assert!(deadline > self.now, "a timer that is due does not fire");
                }
                return;
            }
        }
        panic!("there is no end of things to do");
    }

    /// One round of the driver's loop, and one of the servers. Whether anything moved.
    pub(crate) fn round(&mut self) -> bool {
        let mut moved = false;
        while self.pass_time() | self.transmit() | self.drain() {
            moved = true;
        }
        moved |= self.serve();
        moved |= self.io();
        moved |= self.answer_lookups();
        moved
    }

    /// Lets time pass, and does what there is to do on the way.
    #[track_caller]
    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        loop {
            self.run();
            let mut next = until;
            next = self.cluster.poll_deadline().map_or(next, |deadline| deadline.min(next));
            next = self.next_change().map_or(next, |change| change.min(next));
            if self.eager {
                next = next.min(self.now + Duration::from_millis(3));
            }
            self.now = next;
            if next == until {
                return self.run();
            }
        }
    }

    #[track_caller]
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }

    fn next_change(&self) -> Option<Instant> {
        let sockets = self.sockets.values().filter_map(Socket::next_change);
        sockets.filter(|&at| at > self.now).min()
    }

    /// Tells the time, and does what the cluster asks for.
    pub(crate) fn pass_time(&mut self) -> bool {
        let rested = self.cluster.rests(self.now);
        self.cluster.handle_time(self.now);
        let has_action = self.cluster.has_action();
        let actions: Vec<_> = std::iter::from_fn(|| self.cluster.poll_action()).collect();
        assert_eq!(has_action, !actions.is_empty());
        assert!(!(rested && has_action), "there was something to do");
        // A driver may go to sleep after it told the time once.
        self.cluster.handle_time(self.now);
        let late = self.cluster.poll_action();
        assert_eq!(late, None, "not all that a moment asks for is asked for at once");
        let deadline = self.cluster.poll_deadline().unwrap_or(Instant::FAR_FUTURE);
        let wakeup = self.cluster.next_wakeup();
        assert!(wakeup <= deadline, "a wake-up after the deadline");
        // What lies unread is looked at before a timer is judged.
        assert!(wakeup > self.now || self.cluster.has_events(), "a wake-up that was");
        let moved = !actions.is_empty();
        for action in actions {
            self.perform_one(action);
        }
        self.perform() || moved
    }

    /// Does what the cluster asks for.
    pub(crate) fn perform(&mut self) -> bool {
        let mut moved = false;
        while let Some(action) = self.cluster.poll_action() {
            self.perform_one(action);
            moved = true;
        }
        moved
    }

    fn perform_one(&mut self, action: Action) {
        self.tell(|| format!("{action:?}"));
        match action {
            Action::Resolve { lookup, host, .. } => self.lookups.push((lookup, host)),
            Action::Connect { connection, address } => self.connect(connection, &address),
            Action::Close { connection } => {
                let socket = self.sockets.remove(&connection);
                self.orphan(socket.unwrap_or_else(|| panic!("{connection:?} is closed and was not open")));
            }
            other => panic!("nothing is known of {other:?}"),
        }
    }

    fn connect(&mut self, connection: ConnectionId, to: &Address) {
        let peer = self.peers.iter().position(|peer| *to == Address::Ip(address(peer.number)));
        let peer = peer.unwrap_or_else(|| panic!("there is no server at {to}"));
        let now = self.now;
        self.connects.push((now, peer));
        let of =
            (0..self.cluster.server_count()).find(|&of| self.cluster.connection_of(of) == Some(connection));
        let endpoint = self.cluster.server(of.expect("a connection of a server")).unwrap().to_string();
        let phase = match self.peers[peer].mode {
            Mode::Refusing => Phase::Refused,
            Mode::Unreachable => Phase::Connecting { ready_at: None },
            _ => Phase::Connecting { ready_at: Some(now + self.peers[peer].connect_delay) },
        };
        let before = self.sockets.insert(connection, Socket::new(peer, endpoint, phase));
        assert!(before.is_none(), "{connection:?} is connected twice");
        if self.connects_at_once {
            self.finish_connect(connection);
        }
    }

    fn finish_connect(&mut self, connection: ConnectionId) -> bool {
        let Some(socket) = self.sockets.get_mut(&connection) else { return false };
        match socket.phase {
            Phase::Refused => {
                let failure = Failure::io("connect", &std::io::ErrorKind::ConnectionRefused.into());
                self.cluster.handle_lost(self.now, connection, failure);
            }
            Phase::Connecting { ready_at: Some(at) } if at <= self.now => {
                socket.phase = Phase::Open;
                self.peers[socket.peer].accepted += 1;
                self.cluster.handle_connected(self.now, connection);
            }
            _ => return false,
        }
        true
    }

    /// Writes what waits to be written.
    pub(crate) fn transmit(&mut self) -> bool {
        let mut moved = false;
        let mut rested = self.cluster.rests(self.now);
        while let Some(transmit) = self.cluster.poll_transmit() {
            assert!(!std::mem::take(&mut rested), "there were bytes to write");
            moved = true;
            let (connection, bytes) = (transmit.connection, transmit.bytes);
            let socket = self.sockets.get_mut(&connection).expect("bytes belong to a socket");
            assert!(!bytes.is_empty(), "{connection:?} is offered no bytes");
            socket.blocked = false;
            match socket.phase {
                Phase::Open => {
                    let room = self.peers[socket.peer].window.saturating_sub(socket.input.len());
                    let (count, offered) = (room.min(bytes.len()), bytes.len());
                    let ledger = &mut self.ledger;
                    socket.write(&bytes[..count], |opaque, opcode| ledger.written(opaque, opcode));
                    if count > 0 {
                        self.cluster.handle_sent(self.now, connection, count);
                    }
                    if count < offered {
                        socket.blocked = true;
                        self.cluster.handle_blocked(self.now, connection);
                    }
                }
                Phase::Reset => {
                    let failure = Failure::io("send", &std::io::ErrorKind::BrokenPipe.into());
                    self.cluster.handle_lost(self.now, connection, failure);
                }
                phase => panic!("{connection:?} is written to while {phase:?}"),
            }
            self.perform();
        }
        moved
    }

    /// Begins a request by the shortest way, writes it, lets its server answer and reads once, as a driver does that waits.
    /// Its opaque is returned where it was begun.
    fn exchange_alone(&mut self, target: Target, request: &Request<'_>) -> Option<u32> {
        let before = self.cluster.last_opaque();
        let Some(lone) = self.cluster.begin_lone(self.now, target, request) else {
            assert_eq!(self.cluster.last_opaque(), before, "what was not begun took an opaque");
            return None;
        };
        let (opaque, connection) = (lone.opaque(), lone.connection());
        self.accept(before, opaque, target, request);
        let bytes = self.cluster.lone_request();
        let socket = self.sockets.get_mut(&connection).expect("a lone request has a socket");
        let room = self.peers[socket.peer].window.saturating_sub(socket.input.len());
        if socket.phase != Phase::Open || room < bytes.len() {
            self.cluster.join_lone(lone, None);
            return Some(opaque);
        }
        let ledger = &mut self.ledger;
        socket.write(bytes, |opaque, opcode| ledger.written(opaque, opcode));
        let sent = self.now;
        assert!(self.cluster.lone_wakeup(sent) > sent, "a wake-up that was");
        self.serve();
        let socket = self.sockets.get_mut(&connection).expect("it was there");
        if !socket.is_readable(self.now) {
            self.cluster.join_lone(lone, Some(sent));
            let deadline = self.cluster.poll_deadline().unwrap_or(Instant::FAR_FUTURE);
            assert!(self.cluster.next_wakeup() <= deadline, "a wake-up after the deadline");
            return Some(opaque);
        }
        let space = self.cluster.lone_space();
        assert!(space.len() >= 16 * 1024, "room for {} bytes", space.len());
        let len = space.len().min(self.peers[socket.peer].read_max);
        let count = socket.read(self.now, &mut space[..len]);
        let Some(answer) = self.cluster.handle_lone_received(&lone, count) else {
            self.cluster.join_lone(lone, Some(sent));
            self.cluster.handle_received(self.now, connection, count);
            return Some(opaque);
        };
        self.went_alone += 1;
        let response = self.cluster.lone_response(answer);
        let answer = look_at(response, self.takes_values.then_some(&mut self.kept));
        self.answered(answer);
        Some(opaque)
    }

    /// Takes the events.
    pub(crate) fn drain(&mut self) -> bool {
        let mut moved = false;
        while self.drain_one() {
            moved = true;
        }
        moved
    }

    /// Takes an event, and those that may be asked for with it.
    pub(crate) fn drain_one(&mut self) -> bool {
        if self.shows_values && self.show_values() {
            return true;
        }
        let has_events = self.cluster.has_events();
        if let Some(event) = self.cluster.poll_event() {
            assert!(has_events, "there was an event");
            match event {
                Event::Response(response) => {
                    let answer = look_at(response, self.takes_values.then_some(&mut self.kept));
                    self.answered(answer);
                }
                Event::Settled(settled) => {
                    self.tell(|| format!("{settled:?}"));
                    let silent = settled.outcome == Outcome::Silent;
                    self.ledger.settled(settled.opaque, settled.opcode, settled.outcome);
                    // By the short ways, or by the one that everything goes.
                    if self.goes_alone {
                        let ledger = &mut self.ledger;
                        if silent {
                            self.cluster.take_silent(|opaque| ledger.silent(opaque));
                        }
                        let mut answers = Vec::new();
                        self.cluster.take_responses(|response| {
                            answers.push(look_at(response, self.takes_values.then_some(&mut self.kept)));
                            answers.len() % 3 != 0
                        });
                        for answer in answers {
                            self.answered(answer);
                        }
                    }
                }
                Event::Server(event) => {
                    self.tell(|| format!("{event:?}"));
                    self.changes.push((self.now, event.server, event.change));
                }
                other => panic!("nothing is known of {other:?}"),
            }
            return true;
        }
        false
    }

    /// Looks at values or takes them out, not always all that there are.
    fn show_values(&mut self) -> bool {
        let mut seen = Vec::new();
        let answer = |server, opaque, key: &[u8], value: &[u8]| {
            let opcode = self.ledger.record(opaque).opcode;
            let (endpoint, key, value) = (String::new(), key.to_vec(), value.to_vec());
            Answer { opaque, opcode, status: Status::SUCCESS, server, endpoint, key, value }
        };
        // Some are for somebody else, who gets them the general way.
        let wants_all = self.wants_all;
        let is_wanted = |opaque: u32| wants_all || !opaque.is_multiple_of(7);
        if self.takes_values {
            let kept = &mut self.kept;
            self.cluster.take_owned_values(is_wanted, |server, value| {
                assert!(is_wanted(value.opaque));
                seen.push(answer(server, value.opaque, &[], &value.data));
                kept.push((value.data.clone(), value.data.to_vec()));
            });
        } else {
            self.cluster.take_values(is_wanted, |server, opaque, found| {
                assert!(is_wanted(opaque));
                seen.push(answer(server, opaque, found.key, found.value));
                seen.len() < 5
            });
        }
        self.shown += seen.len();
        let any = !seen.is_empty();
        for answer in seen {
            self.answered(answer);
        }
        any
    }

    fn answered(&mut self, mut answer: Answer) {
        answer.endpoint = self.cluster.server(answer.server).unwrap().to_string();
        self.tell(|| format!("{answer:?}"));
        self.ledger.answered(answer);
    }

    /// Lets the servers read, work and answer.
    pub(crate) fn serve(&mut self) -> bool {
        let mut moved = false;
        for socket in self.sockets.values_mut().chain(&mut self.orphans) {
            let peer = &mut self.peers[socket.peer];
            if socket.phase != Phase::Open || socket.ended || socket.input.is_empty() {
                continue;
            }
            match peer.mode {
                Mode::Hanging | Mode::Unreachable => continue,
                Mode::Closing => {
                    socket.ended = true;
                    moved = true;
                    continue;
                }
                Mode::Up | Mode::Refusing => {}
            }
            let mut output = BytesMut::new();
            while socket.output_len + output.len() < peer.backlog {
                let Some((executed, closes)) = peer.serve(&mut socket.input, &mut output) else { break };
                self.ledger.executed(&executed, &socket.endpoint);
                moved = true;
                if closes {
                    socket.ended = true;
                    break;
                }
            }
            // A request is read as it comes, also where it is larger than the buffers in between.
            if let Some(needed) = incomplete(&socket.input) {
                peer.window = peer.window.max(needed);
            }
            socket.answer(self.now + peer.delay, output);
        }
        self.orphans.retain(|socket| !socket.input.is_empty() && !socket.ended);
        moved
    }

    /// Looks at the sockets that the cluster wants looked at.
    pub(crate) fn io(&mut self) -> bool {
        let mut moved = false;
        let interests: Vec<_> = self.cluster.interests().collect();
        for (at, interest) in interests.iter().enumerate() {
            let connection = interest.connection;
            assert!(
                interests[..at].iter().all(|other| other.connection != connection),
                "{connection:?} is named twice"
            );
            let Some(socket) = self.sockets.get_mut(&connection) else {
                // Its connect is asked for and not yet begun.
                continue;
            };
            if !matches!(socket.phase, Phase::Open | Phase::Reset) {
                assert!(interest.writable, "the end of a connect is to be waited for");
                moved |= self.finish_connect(connection);
                self.perform();
                continue;
            }
            let has_room =
                socket.phase == Phase::Reset || self.peers[socket.peer].window > socket.input.len();
            if interest.writable && socket.blocked && has_room {
                socket.blocked = false;
                self.cluster.handle_writable(connection);
                moved = true;
            }
            if interest.readable {
                moved |= self.read(connection);
            }
        }
        moved
    }

    /// Reads once, whether it is wanted or not.
    pub(crate) fn read(&mut self, connection: ConnectionId) -> bool {
        let Some(socket) = self.sockets.get_mut(&connection) else { return false };
        if socket.is_readable(self.now) {
            let config = self.cluster.config();
            let most = config.receive_limit.saturating_add(128 * 1024);
            let space = self.cluster.receive_space(connection);
            assert!((1..=most).contains(&space.len()), "room for {} bytes", space.len());
            let len = space.len().min(self.peers[socket.peer].read_max);
            let count = socket.read(self.now, &mut space[..len]);
            self.cluster.handle_received(self.now, connection, count);
        } else if socket.phase == Phase::Reset {
            let failure = Failure::io("receive", &std::io::ErrorKind::ConnectionReset.into());
            self.cluster.handle_lost(self.now, connection, failure);
        } else if socket.ended && socket.output_len == 0 {
            self.cluster.handle_lost(self.now, connection, Failure::Closed);
        } else {
            return false;
        }
        self.perform();
        true
    }

    /// Answers look-ups, those of names that do not hang.
    pub(crate) fn answer_lookups(&mut self) -> bool {
        let mut moved = false;
        for (lookup, host) in std::mem::take(&mut self.lookups) {
            let result = match self.names.get(&host) {
                Some(Name::Hangs) => {
                    self.lookups.push((lookup, host));
                    continue;
                }
                Some(Name::Found(peers)) => {
                    Ok(peers.iter().map(|&peer| Address::Ip(address(peer))).collect())
                }
                Some(Name::Fails) | None => Err(Failure::Lookup { message: "no such name".into() }),
            };
            moved = true;
            self.cluster.handle_resolved(self.now, lookup, result);
            self.perform();
        }
        moved
    }

    fn orphan(&mut self, socket: Socket) {
        self.ledger.broken_headers += isize::from(socket.ends_in_a_header());
        if socket.phase == Phase::Open && !socket.input.is_empty() {
            self.orphans.push(socket);
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(format!("{:?} {}", self.now, line()));
        }
    }

    /// What was taken out of the buffers is still what it was.
    pub(crate) fn check_kept_values(&self) {
        for (kept, copy) in &self.kept {
            assert_eq!(kept, copy, "a value changed after it was taken out");
        }
    }

    pub(crate) fn kept_values(&mut self) -> Vec<Bytes> {
        self.kept.drain(..).map(|(value, _)| value).collect()
    }
}

/// What is in a response; its value may be kept.
fn look_at(response: Response<'_>, kept: Option<&mut Vec<(Bytes, Vec<u8>)>>) -> Answer {
    let (packet, server) = (response.packet(), response.server());
    let ResponsePacket { opaque, opcode, status, .. } = packet;
    let (endpoint, key, value) = (String::new(), packet.key.to_vec(), packet.value.to_vec());
    let answer = Answer { opaque, opcode, status, server, endpoint, key, value };
    assert_eq!(response.opaque(), answer.opaque);
    assert_eq!(response.value(), answer.value);
    if let Some(kept) = kept {
        kept.push((response.into_value(), answer.value.clone()));
    }
    answer
}

/// The server at the address of a peer.
pub(crate) fn literal(peer: usize) -> Server {
    let address = address(peer);
    Server::tcp(address.ip().to_string(), address.port().to_string())
}

/// The length of the request at the front, where not all of it is there.
fn incomplete(input: &[u8]) -> Option<usize> {
    use omcache_proto::binary::{Decoded, RequestHeader};
    match RequestHeader::parse(input) {
        Ok(Decoded::Complete { message, .. }) => Some(message.packet_len()).filter(|&len| len > input.len()),
        _ => Some(HEADER_LEN).filter(|_| !input.is_empty()),
    }
}
