//! Sequences of operations on a simulated world, four bytes each, and what must hold whatever they are.

use std::fmt;
use std::time::Duration;

use omcache_conn::{Config, Health, Server, Target};
use omcache_proto::{ConcatMode, CounterMode, Key, Request, StoreMode};

use super::ledger::Fate;
use super::peer::{Lie, Mode};
use super::{Name, World, literal};

/// Servers in the world.
const PEERS: usize = 5;
/// Names: `n0` has one address, `n1` two and so on.
const NAMES: usize = 3;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Get { key: u8, quiet: bool, server: Option<u8> },
    Many { key: u8, count: u8, deletes: bool },
    Store { key: u8, mode: StoreMode, len: usize, quiet: bool },
    Other { key: u8, which: u8 },
    ToServer { server: u8, which: u8 },
    SettleQuiet,
    Cancel { back: u8, count: u8 },
    DiscardUnsent,
    DisconnectAll,
    SetServers { which: u8, rotate: u8 },
    Mode { peer: u8, mode: Mode },
    Kill { peer: u8 },
    Reset { peer: u8 },
    Close { peer: u8 },
    Lie { peer: u8, lie: Lie, after: usize },
    Delay { peer: u8, answer: u64, connect: u64 },
    Sizes { peer: u8, window: usize, backlog: usize, read_max: usize },
    Name { name: u8, which: u8 },
    Put { peer: u8, key: u8, len: usize },
    Advance { ms: u64 },
    Run,
    Round,
    Part { which: u8 },
    Times { connect: u64, reconnect: u64, dead: u64 },
    Limits { send: usize, receive: usize },
    Hold { on: bool },
}

/// One of these, by a byte.
fn pick<T: Copy>(of: &[T], by: u8) -> T {
    of[usize::from(by) % of.len()]
}

impl From<[u8; 4]> for Op {
    fn from([code, a, b, c]: [u8; 4]) -> Self {
        const MODES: [Mode; 5] = [Mode::Up, Mode::Refusing, Mode::Unreachable, Mode::Hanging, Mode::Closing];
        const STORES: [StoreMode; 3] = [StoreMode::Set, StoreMode::Add, StoreMode::Replace];
        const LENGTHS: [usize; 6] = [0, 1, 40, 300, 3_000, 70_000];
        const TIMES: [u64; 5] = [20, 35, 80, 200, 1_000];
        let key = a % 24;
        let peer = a % PEERS as u8;
        match code % 40 {
            0 => Op::Many { key, count: b % 32, deletes: c & 3 == 3 },
            1..=4 => Op::Get { key, quiet: b & 1 == 1, server: (b & 6 == 6).then_some(c) },
            5..=9 => {
                Op::Store { key, mode: pick(&STORES, b >> 1), len: pick(&LENGTHS, c), quiet: b & 1 == 1 }
            }
            10..=11 => Op::Other { key, which: b },
            12..=13 => Op::ToServer { server: a, which: b },
            14..=15 => Op::SettleQuiet,
            16 => Op::Cancel { back: a % 16, count: b % 8 },
            17 => Op::DiscardUnsent,
            18 if a < 80 => Op::DisconnectAll,
            18..=19 => Op::SetServers { which: a, rotate: b },
            20..=21 => Op::Mode { peer, mode: pick(&MODES, b) },
            22 => Op::Kill { peer },
            23 => Op::Reset { peer },
            24 => Op::Close { peer },
            25 => Op::Lie { peer, lie: pick(&Lie::ALL, b), after: usize::from(c % 6) },
            26 => Op::Delay { peer, answer: pick(&[0, 1, 10, 60], b), connect: pick(&[0, 0, 5, 50], c) },
            27..=28 => Op::Sizes {
                peer,
                window: pick(&[30, 100, 1 << 16], b),
                backlog: pick(&[1, 100, 1 << 16], b >> 4),
                read_max: pick(&[1, 23, 25, 1000, usize::MAX], c),
            },
            29 => Op::Name { name: a % NAMES as u8, which: b },
            30 => Op::Put { peer, key: b % 24, len: pick(&LENGTHS, c) },
            31..=32 => Op::Advance { ms: u64::from(a) },
            33..=34 => Op::Run,
            35 => Op::Round,
            36..=37 => Op::Part { which: a },
            38 if a < 128 => {
                Op::Times { connect: pick(&TIMES, b), reconnect: pick(&TIMES, c), dead: pick(&TIMES, a) }
            }
            38 => Op::Limits { send: pick(&[100, 2_000, 200_000], b), receive: pick(&[60, 400, 200_000], c) },
            _ => Op::Hold { on: a & 1 == 1 },
        }
    }
}

/// Operations, shown one a line.
#[derive(Clone)]
pub(crate) struct Script(pub(crate) Vec<Op>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| write!(f, "\n    {op:?}"))
    }
}

/// How a script begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) servers: u8,
    pub(crate) flags: u8,
    pub(crate) opaque: u8,
}

/// Plays a script to its end and beyond: then every server is well, and everything must come to rest.
pub(crate) fn play(setup: Setup, script: &Script, eager: bool) -> Vec<String> {
    let mut play = Play::new(setup);
    play.world.eager = eager;
    for op in &script.0 {
        play.apply(op);
    }
    play.heal();
    play.world.told.take().unwrap()
}

struct Play {
    world: World,
}

impl Play {
    fn new(setup: Setup) -> Self {
        let config = Config {
            connect_timeout: Duration::from_millis(100),
            reconnect_timeout: Duration::from_millis(150),
            dead_timeout: Duration::from_millis(pick(&[70, 100, 250], setup.flags >> 4)),
            send_limit: 150_000,
            receive_limit: 100_000,
        };
        let mut world = World::new(config, PEERS);
        world.told = Some(Vec::new());
        world.connects_at_once = setup.flags & 1 == 1;
        world.takes_values = setup.flags & 2 == 2;
        world.goes_alone = setup.flags & 4 == 4;
        world.shows_values = setup.flags & 8 == 8;
        world.wants_all = setup.flags & 64 == 64;
        world.cluster.set_last_opaque(u32::MAX.wrapping_sub(u32::from(setup.opaque % 32)));
        let mut play = Self { world };
        play.name_all();
        play.set_servers(setup.servers, 0);
        play
    }

    fn name_all(&mut self) {
        for name in 0..NAMES {
            self.world.names.insert(format!("n{name}"), Name::Found((0..=name).collect()));
        }
    }

    fn set_servers(&mut self, which: u8, rotate: u8) {
        let mut servers: Vec<_> = (0..PEERS).filter(|peer| which >> peer & 1 == 1).map(literal).collect();
        servers.extend(
            (0..NAMES)
                .filter(|name| which >> (PEERS + name) & 1 == 1)
                .map(|name| Server::tcp(format!("n{name}"), "11211")),
        );
        if rotate & 1 == 1 {
            servers.extend(servers.first().cloned());
        }
        let by = usize::from(rotate >> 1) % servers.len().max(1);
        servers.rotate_left(by);
        self.world.cluster.set_servers(servers).unwrap();
    }

    fn server(&self, by: u8) -> Target {
        Target::Server(usize::from(by) % (self.world.cluster.server_count() + 1))
    }

    /// Submits; that it may be refused is not the script's concern.
    fn submit(&mut self, target: Target, request: &Request<'_>) {
        let _ = self.world.submit(target, request);
    }

    fn apply(&mut self, op: &Op) {
        let world = &mut self.world;
        match *op {
            Op::Get { key, quiet, server } => {
                let name = format!("key{key}");
                let key = Key::new(name.as_bytes()).unwrap();
                let target = server.map_or(Target::Key, |by| self.server(by));
                self.submit(target, &Request::Get { key, with_key: true, quiet });
            }
            Op::Many { key, count, deletes } => {
                let keys: Vec<_> = (0..count).map(|next| format!("key{}", (key + next) % 24)).collect();
                world.submit_many(&keys, deletes);
            }
            Op::Store { key, mode, len, quiet } => {
                let _ = world.store(Target::Key, mode, &format!("key{key}"), len, quiet);
            }
            Op::Other { key, which } => {
                let (name, number) = (format!("key{key}"), format!("number{}", key % 3));
                let key = Key::new(name.as_bytes()).unwrap();
                let number = Key::new(number.as_bytes()).unwrap();
                let quiet = which & 1 == 1;
                let request = match (which >> 1) % 5 {
                    0 => Request::Delete { key, cas: 0, quiet },
                    1 => Request::Touch { key, expiration: 1 },
                    2 => Request::Concat { mode: ConcatMode::Append, key, value: b"+", cas: 0, quiet },
                    3 => Request::GetAndTouch { key, expiration: 1, with_key: false, quiet },
                    _ => {
                        let mode = CounterMode::Increment;
                        Request::Counter {
                            mode,
                            key: number,
                            delta: 1,
                            initial: 0,
                            expiration: 0,
                            cas: 0,
                            quiet,
                        }
                    }
                };
                self.submit(Target::Key, &request);
            }
            Op::ToServer { server, which } => {
                let request = match which % 8 {
                    0 | 1 => Request::Noop,
                    2 => Request::Version,
                    3 | 4 => Request::Stat { group: b"" },
                    5 => Request::Flush { delay: None, quiet: which & 8 == 8 },
                    6 => Request::Verbosity { level: 1 },
                    _ => Request::Quit { quiet: which & 8 == 8 },
                };
                let target = self.server(server);
                self.submit(target, &request);
            }
            Op::SettleQuiet => world.cluster.settle_quiet(),
            Op::Cancel { back, count } => {
                let first = world.cluster.last_opaque().wrapping_sub(u32::from(back));
                world.cancel(first, u32::from(count));
            }
            Op::DiscardUnsent => world.cluster.discard_unsent(),
            Op::DisconnectAll => world.cluster.disconnect_all(),
            Op::SetServers { which, rotate } => self.set_servers(which, rotate),
            Op::Mode { peer, mode } => world.peers[usize::from(peer)].mode = mode,
            Op::Kill { peer } => world.kill(usize::from(peer)),
            Op::Reset { peer } => world.reset(usize::from(peer)),
            Op::Close { peer } => world.close(usize::from(peer)),
            Op::Lie { peer, lie, after } => {
                world.ledger.statuses_lie |= lie == Lie::Status;
                world.peers[usize::from(peer)].lie = Some((after, lie));
            }
            Op::Delay { peer, answer, connect } => {
                let peer = &mut world.peers[usize::from(peer)];
                peer.delay = Duration::from_millis(answer);
                peer.connect_delay = Duration::from_millis(connect);
            }
            Op::Sizes { peer, window, backlog, read_max } => {
                let peer = &mut world.peers[usize::from(peer)];
                (peer.window, peer.backlog, peer.read_max) = (window, backlog, read_max);
            }
            Op::Name { name, which } => {
                let peer = usize::from(which >> 2) % PEERS;
                let answer = match which % 4 {
                    0 => Name::Fails,
                    1 => Name::Hangs,
                    2 => Name::Found(Vec::new()),
                    _ => Name::Found(vec![peer, (peer + 1) % PEERS]),
                };
                world.names.insert(format!("n{name}"), answer);
            }
            Op::Put { peer, key, len } => {
                let key = format!("key{key}");
                world.peers[usize::from(peer)].put(&key, format!("{key}@:{}", "p".repeat(len)));
            }
            Op::Advance { ms } => world.advance_ms(ms),
            Op::Run => world.run(),
            Op::Round => {
                world.round();
            }
            Op::Part { which } => {
                match which % 6 {
                    0 => world.pass_time(),
                    1 => world.transmit(),
                    2 => world.drain(),
                    3 => world.serve(),
                    4 => world.io(),
                    _ => world.answer_lookups(),
                };
            }
            Op::Times { connect, reconnect, dead } => {
                let config = Config {
                    connect_timeout: Duration::from_millis(connect),
                    reconnect_timeout: Duration::from_millis(reconnect),
                    dead_timeout: Duration::from_millis(dead),
                    ..world.cluster.config().clone()
                };
                world.cluster.set_config(config);
            }
            Op::Limits { send, receive } => {
                let config = world.cluster.config().clone();
                world.cluster.set_config(Config { send_limit: send, receive_limit: receive, ..config });
            }
            Op::Hold { on } => {
                world.cluster.release_received();
                world.cluster.hold_received(on);
            }
        }
    }

    /// Everything works again; after some time everything must be settled, and nothing be left to wait for.
    fn heal(&mut self) {
        let world = &mut self.world;
        for peer in &mut world.peers {
            peer.mode = Mode::Up;
            peer.lie = None;
            (peer.delay, peer.connect_delay) = (Duration::ZERO, Duration::ZERO);
            (peer.window, peer.backlog, peer.read_max) = (1 << 16, 1 << 16, usize::MAX);
        }
        self.name_all();
        let world = &mut self.world;
        for _ in 0..2 {
            world.run();
            world.cluster.settle_quiet();
            world.advance_ms(10_000);
        }
        assert_eq!(world.ledger.pending(), [], "requests without an outcome");
        assert!(!world.cluster.has_pending() && !world.cluster.has_handshake());
        assert_eq!(world.cluster.poll_deadline(), None, "a timer runs where nothing is under way");
        assert_eq!(world.cluster.interests().count(), 0, "a socket is watched where nothing is under way");

        // The first may find that a server closed an idle connection.
        let servers = world.cluster.server_count();
        for last in [false, true] {
            let asked: Vec<_> = (0..servers).map(|server| world.noop(server)).collect();
            world.advance_ms(10_000);
            for opaque in asked {
                let fate = world.fate(opaque);
                assert!(matches!(fate, Fate::Answered { .. }) || (fate.is_unknown() && !last), "{fate:?}");
            }
        }
        assert!((0..servers).all(|server| world.health(server) == Health::Ready));
        world.check_kept_values();
    }
}
